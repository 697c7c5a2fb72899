//! Action `void-invoice`, which undoes `create-invoice`.

use sangam_sdk::{Effect, EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{body, made_by, quote, read, select, write, written},
    fault::ok,
    invoice::{self, CreateInvoice, CreatedInvoice, ENTITY, Invoice},
};

/// Name of the write.
const WRITE: &str = "void";
/// Invoices in a page of the search for one whose answer was lost.
const PAGE: usize = 100;
/// Pages of that search. It begins with the newest.
const MAX_PAGES: usize = 5;

pub fn void_invoice(undo: Undo<CreateInvoice, CreatedInvoice>, cx: &Cx) -> Result<(), Failure> {
    let Some(id) = made(&undo, cx)? else {
        log::info("there is no invoice to void", &[]);
        return Ok(());
    };
    let invoice = match read::<Invoice>(cx, ENTITY, &id)? {
        Some(invoice) if !invoice.is_void() => invoice,
        _ => return Ok(()), // voided before, or deleted by someone
    };
    // The version is part of the request's identity: after 5010 the next attempt asks anew, with the present version.
    let requestid = format!("{}-{}", cx.key(WRITE), invoice.sync_token);
    let version = json!({ "Id": invoice.id, "SyncToken": invoice.sync_token });
    let request = write(cx, ENTITY, WRITE, &requestid, &version);
    let _: Invoice = written(request.query("operation", "void").send().and_then(ok)?, ENTITY)?;
    log::info("voided an invoice", &[("invoice", &invoice.id)]);
    Ok(())
}

/// Id of the invoice that the step made, even if it failed or its answer was lost.
fn made(undo: &Undo<CreateInvoice, CreatedInvoice>, cx: &Cx) -> Result<Option<String>, Failure> {
    if let Some(output) = &undo.output {
        return Ok(Some(output.invoice_id.clone()));
    }
    match undo.effect(invoice::WRITE) {
        None => Ok(None),
        Some(effect) if effect.state == EffectState::Failed => Ok(None),
        Some(effect) => match made_by(effect, ENTITY) {
            Some(id) => Ok(Some(id)),
            None => marked(cx, effect),
        },
    }
}

/// Looks for the invoice of a write among the newest of its customer, by the key in the private note, which no query can name.
fn marked(cx: &Cx, effect: &Effect) -> Result<Option<String>, Failure> {
    let Some(key) = &effect.key else {
        return Ok(None);
    };
    let customer = body(&effect.request)["CustomerRef"]["value"].clone();
    let of = customer.as_str().map_or_else(String::new, |id| format!("WHERE CustomerRef = {} ", quote(id)));
    for page in 0..MAX_PAGES {
        let start = page * PAGE + 1;
        let rest = format!("{of}ORDERBY MetaData.CreateTime DESC STARTPOSITION {start} MAXRESULTS {PAGE}");
        let found: Vec<Invoice> = select(cx, ENTITY, &rest)?;
        let whole = found.len() == PAGE;
        if let Some(invoice) = found.into_iter().find(|invoice| invoice.is_of(key)) {
            return Ok(Some(invoice.id));
        }
        if !whole {
            break;
        }
    }
    Ok(None)
}
