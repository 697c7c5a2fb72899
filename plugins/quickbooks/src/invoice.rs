//! Action `create-invoice`.

use std::time::SystemTime;

use chrono::{DateTime, Days, NaiveDate};
use sangam_sdk::prelude::*;

use crate::{
    Cx,
    amount::Amount,
    client::{clip, write, written},
    customer::{Customer, CustomerRef},
    fault::{self, DUPLICATE_NUMBER, ok},
    item::Items,
    line::{Expense, Part, Time, Work},
    number::{self, Number},
    send,
};

/// The entity.
pub const ENTITY: &str = "Invoice";
/// Name of the write.
pub const WRITE: &str = "invoice";

/// Characters that QuickBooks takes of a memo.
const MAX_MEMO: usize = 1000;

/// Creates an invoice for time, parts and expenses, and sends it. The customer is found or created. Each line is
/// quantity times price, rounded to cents, half a cent up; the taxes are QuickBooks' own. Repeating it makes no second
/// invoice and no second e-mail.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateInvoice {
    /// Who pays.
    pub customer: CustomerRef,
    /// The job that was done: stands in the private note, and with `doc-number-prefix` in the invoice's number.
    pub job_id: String,
    /// Time, as one line each.
    #[serde(default)]
    time: Vec<Time>,
    /// Parts, as one line each.
    #[serde(default)]
    parts: Vec<Part>,
    /// Expenses, as one line each.
    #[serde(default)]
    expenses: Vec<Expense>,
    /// Date of the invoice, `YYYY-MM-DD`; by default today.
    date: Option<String>,
    /// Days to pay; by default as the configured terms say.
    due_in_days: Option<u16>,
    /// A message to the customer.
    memo: Option<String>,
    /// Whether to send it by e-mail.
    #[serde(default = "yes")]
    send: bool,
    /// Where to send it; by default the customer's address.
    email: Option<String>,
}

fn yes() -> bool {
    true
}

/// The invoice.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatedInvoice {
    /// Id in QuickBooks.
    pub invoice_id: String,
    /// Its number, as people know it.
    doc_number: Option<String>,
    /// What the customer pays.
    total: Amount,
    /// Sales tax in it.
    tax: Amount,
    /// Id of the customer.
    customer_id: String,
    /// Whether it went out by e-mail, now or before.
    sent: bool,
}

/// An invoice as QuickBooks has it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Invoice {
    pub id: String,
    pub sync_token: String,
    pub doc_number: Option<String>,
    #[serde(default)]
    total_amt: Amount,
    txn_tax_detail: Option<TaxDetail>,
    private_note: Option<String>,
    email_status: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TaxDetail {
    #[serde(default)]
    total_tax: Amount,
}

impl Invoice {
    /// Whether the write with that key made it.
    pub fn is_of(&self, key: &str) -> bool {
        self.note().contains(&marker(key))
    }

    /// Whether it was voided: QuickBooks says so in the note, and all amounts are zero.
    pub fn is_void(&self) -> bool {
        self.note().starts_with("Voided") && self.total_amt == Amount::default()
    }

    /// Whether it went out by e-mail.
    pub fn is_sent(&self) -> bool {
        self.email_status.as_deref() == Some("EmailSent")
    }

    fn note(&self) -> &str {
        self.private_note.as_deref().unwrap_or_default()
    }
}

/// How the private note says which write made the invoice.
fn marker(key: &str) -> String {
    format!("[{key}]")
}

pub fn create_invoice(input: CreateInvoice, cx: &Cx) -> Result<CreatedInvoice, Failure> {
    let work = input.work();
    let items = Items::find(cx, &work.item_names(&cx.config), &work.skus())?;
    let lines = work.lines(&items, &cx.config)?;
    let number = number::of_job(cx, &input.job_id)?;
    let customer = input.customer.find_or_create(cx)?;
    let email = input.address(&customer);
    if input.send && email.is_none() {
        return Err(Failure::rejected("Neither the input nor the customer has an e-mail address to send the invoice to"));
    }

    let mut invoice = match number {
        Number::Taken(invoice) => *invoice,
        Number::Free(number) => {
            let mut body = input.body(cx, lines, &customer)?;
            body["DocNumber"] = number.into();
            create(cx, &input.job_id, &body)?
        }
        Number::Automatic => create(cx, &input.job_id, &input.body(cx, lines, &customer)?)?,
    };
    if input.send {
        invoice = send::once(cx, &invoice.id, email.as_deref())?;
    }
    Ok(CreatedInvoice {
        sent: invoice.is_sent(),
        invoice_id: invoice.id,
        doc_number: invoice.doc_number,
        total: invoice.total_amt,
        tax: invoice.txn_tax_detail.map(|tax| tax.total_tax).unwrap_or_default(),
        customer_id: customer.id,
    })
}

fn create(cx: &Cx, job_id: &str, body: &Value) -> Result<Invoice, Failure> {
    let response = write(cx, ENTITY, WRITE, &cx.key(WRITE), body).send()?;
    if fault::code(&response).as_deref() == Some(DUPLICATE_NUMBER) {
        // Someone took the number since we looked; it may have been an earlier try of our own.
        if let Number::Taken(invoice) = number::of_job(cx, job_id)? {
            return Ok(*invoice);
        }
    }
    let invoice: Invoice = written(ok(response)?, ENTITY)?;
    log::info("created an invoice", &[("invoice", &invoice.id)]);
    Ok(invoice)
}

impl CreateInvoice {
    fn work(&self) -> Work<'_> {
        Work { time: &self.time, parts: &self.parts, expenses: &self.expenses }
    }

    fn address(&self, customer: &Customer) -> Option<String> {
        let given = [self.email.as_deref(), self.customer.email.as_deref(), customer.email()];
        let mut given = given.into_iter().flatten().map(str::trim);
        given.find(|email| !email.is_empty()).map(str::to_owned)
    }

    fn body(&self, cx: &Cx, lines: Vec<Value>, customer: &Customer) -> Result<Value, Failure> {
        let config = &cx.config;
        let mut body = json!({
            "CustomerRef": { "value": customer.id },
            "Line": lines,
            "PrivateNote": format!("Job {}\n{}", self.job_id, marker(&cx.key(WRITE))),
        });
        if let Some(email) = self.address(customer) {
            body["BillEmail"] = json!({ "Address": email });
        }
        if let Some(memo) = &self.memo {
            body["CustomerMemo"] = json!({ "value": clip(memo, MAX_MEMO) });
        }
        let date = self.date.as_deref().map(day).transpose()?;
        if let Some(date) = date {
            body["TxnDate"] = date.to_string().into();
        }
        if let Some(days) = self.due_in_days {
            // QuickBooks counts from its own today, in a time zone that we don't know: say both.
            let date = date.unwrap_or_else(today);
            let due = date.checked_add_days(Days::new(days.into())).unwrap_or(date);
            body["TxnDate"] = date.to_string().into();
            body["DueDate"] = due.to_string().into();
        } else if let Some(terms) = &config.terms {
            body["SalesTermRef"] = json!({ "value": terms });
        }
        let links = self.work().links();
        if !links.is_empty() {
            body["LinkedTxn"] = links.into();
        }
        if let Some(code) = &config.sales_tax_code {
            body["TxnTaxDetail"] = json!({ "TxnTaxCodeRef": { "value": code } });
        }
        if let Some(calculation) = &config.global_tax_calculation {
            body["GlobalTaxCalculation"] = calculation.as_str().into();
        }
        if let Some(currency) = &config.currency {
            body["CurrencyRef"] = json!({ "value": currency });
        }
        Ok(body)
    }
}

fn day(text: &str) -> Result<NaiveDate, Failure> {
    text.parse().map_err(|_| Failure::rejected(format!("input.date: `{text}` is not a day, YYYY-MM-DD")))
}

/// The day in UTC.
fn today() -> NaiveDate {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let seconds = now.map_or(0, |now| now.as_secs());
    let now = i64::try_from(seconds).ok().and_then(|now| DateTime::from_timestamp(now, 0));
    now.unwrap_or_default().date_naive()
}

#[cfg(test)]
mod tests;
