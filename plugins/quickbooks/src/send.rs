//! Action `send-invoice`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{json, read, url, written},
    fault::ok,
    invoice::{ENTITY, Invoice},
};

/// Name of the write.
const WRITE: &str = "send";

/// Sends an invoice by e-mail, unless it went out before: QuickBooks sends a second e-mail for a second request, whatever
/// its `requestid`, so that the invoice is looked at first.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SendInvoice {
    /// Id in QuickBooks.
    invoice_id: String,
    /// Where to; by default the address of the invoice.
    email: Option<String>,
}

/// The invoice that went out.
#[derive(Debug, Serialize, JsonSchema)]
pub struct SentInvoice {
    /// Id in QuickBooks.
    invoice_id: String,
    /// Its number.
    doc_number: Option<String>,
    /// Whether it went out by e-mail, now or before.
    sent: bool,
}

pub fn send_invoice(input: SendInvoice, cx: &Cx) -> Result<SentInvoice, Failure> {
    let invoice = once(cx, &input.invoice_id, input.email.as_deref())?;
    Ok(SentInvoice { sent: invoice.is_sent(), invoice_id: invoice.id, doc_number: invoice.doc_number })
}

/// Sends an invoice that was not sent yet.
pub fn once(cx: &Cx, id: &str, to: Option<&str>) -> Result<Invoice, Failure> {
    let invoice: Option<Invoice> = read(cx, ENTITY, id)?;
    let invoice = invoice.ok_or_else(|| Failure::rejected(format!("QuickBooks has no invoice {id}")))?;
    if invoice.is_sent() {
        return Ok(invoice);
    }
    let path = format!("invoice/{}/send", encode(id));
    let mut request = json(cx.post(url(cx, path)).name(WRITE)).header("content-type", "application/octet-stream");
    if let Some(to) = to {
        request = request.query("sendTo", to);
    }
    written(request.send().and_then(ok)?, ENTITY)
}
