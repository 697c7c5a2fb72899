//! Invoices: `invoice.created`, `invoice.changed`, `invoice.sent`, `invoice.paid`, `invoice.voided`.

use sangam_sdk::prelude::*;

use super::{Entity, What, event_id, moment, version};
use crate::config::Config;

/// The types of events.
pub const TYPES: [&str; 5] = ["invoice.created", "invoice.changed", "invoice.sent", "invoice.paid", "invoice.voided"];

/// Invoices.
pub const INVOICES: Entity = Entity { name: "Invoice", news, made_by_us, event };

fn news(record: &Value) -> Vec<(&'static str, Value)> {
    vec![
        ("number", record["DocNumber"].clone()),
        ("customer", record["CustomerRef"]["value"].clone()),
        ("status", status(record).into()),
        ("total", record["TotalAmt"].clone()),
        ("balance", record["Balance"].clone()),
        ("date", record["TxnDate"].clone()),
        ("due_date", record["DueDate"].clone()),
        ("email", record["BillEmail"]["Address"].clone()),
        ("memo", record["CustomerMemo"]["value"].clone()),
    ]
}

/// The note of an invoice of ours has the key of its write in a line of its own. One that was paid meanwhile is news all the same.
fn made_by_us(record: &Value) -> bool {
    let note = record["PrivateNote"].as_str().unwrap_or_default();
    let is_key = |line: &str| line.len() == 38 && line.starts_with('[') && line.ends_with(']') && line.matches('-').count() == 4;
    matches!(status(record), "open" | "sent") && note.starts_with("Job ") && note.lines().any(is_key)
}

/// How far an invoice is.
fn status(record: &Value) -> &'static str {
    let amount = |name: &str| record[name].as_f64();
    let nothing = |name: &str| amount(name) == Some(0.0);
    let note = record["PrivateNote"].as_str().unwrap_or_default();
    if nothing("TotalAmt") && note.starts_with("Voided") {
        "voided"
    } else if nothing("Balance") && amount("TotalAmt").is_some_and(|total| total > 0.0) {
        "paid"
    } else if amount("Balance") < amount("TotalAmt") {
        "partly_paid"
    } else if record["EmailStatus"] == "EmailSent" {
        "sent"
    } else {
        "open"
    }
}

fn event(_: &Config, record: &Value, what: &What) -> Result<NewEvent, Failure> {
    let (id, changed_at) = version(record)?;
    let changed_at = moment::utc(&changed_at);
    if *what == What::Deleted {
        let data = json!({ "invoice_id": id, "status": "voided", "deleted": true, "updated_at": changed_at, "origin": { "system": "quickbooks" } });
        return Ok(NewEvent::new(TYPES[4], data)?.id(event_id(record, &id, &changed_at)).subject(id).time(changed_at));
    }
    let status = status(record);
    let reached = match what {
        What::Changed(fields) => fields.is_empty() || fields.iter().any(|field| field == "status"),
        _ => true,
    };
    let kind = match (status, what) {
        ("paid", _) if reached => TYPES[3],
        ("voided", _) if reached => TYPES[4],
        (_, What::Created) => TYPES[0],
        // Sent by this change, where the change is known.
        ("sent", What::Changed(fields)) if reached && !fields.is_empty() => TYPES[2],
        _ => TYPES[1],
    };
    let note = record["PrivateNote"].as_str().unwrap_or_default();
    // As `create-invoice` writes it.
    let job_id = note.lines().next().and_then(|line| line.strip_prefix("Job "));
    let customer = &record["CustomerRef"];
    let email = &record["BillEmail"]["Address"];
    let mut data = json!({
        "invoice_id": id,
        "number": record["DocNumber"],
        "status": status,
        "customer_id": customer["value"],
        "customer": { "id": customer["value"], "name": customer["name"], "email": email },
        "job_id": job_id,
        "date": record["TxnDate"],
        "due_date": record["DueDate"],
        "total": record["TotalAmt"],
        "tax": record["TxnTaxDetail"]["TotalTax"],
        "balance": record["Balance"],
        "currency": record["CurrencyRef"]["value"],
        "email": email,
        "sent_at": record["DeliveryInfo"]["DeliveryTime"].as_str().map(moment::utc),
        "lines": lines(record),
        "updated_at": changed_at,
        "origin": { "system": "quickbooks" },
    });
    if status == "paid" {
        data["paid_at"] = changed_at.as_str().into();
    }
    if let What::Changed(fields) = what {
        data["changed"] = fields.clone().into();
    }
    Ok(NewEvent::new(kind, data)?.id(event_id(record, &id, &changed_at)).subject(id).time(changed_at))
}

fn lines(record: &Value) -> Vec<Value> {
    let lines = record["Line"].as_array().into_iter().flatten();
    lines
        .filter(|line| line["DetailType"] == "SalesItemLineDetail")
        .map(|line| {
            let detail = &line["SalesItemLineDetail"];
            json!({ "description": line["Description"], "quantity": detail["Qty"], "unit_price": detail["UnitPrice"], "amount": line["Amount"] })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_what_the_amounts_say() {
        for (total, balance, email, note, expected) in [
            ("100.10", "100.10", "NotSet", "Job 7", "open"),
            ("100.10", "100.10", "EmailSent", "Job 7", "sent"),
            ("100.10", "50", "EmailSent", "Job 7", "partly_paid"),
            ("100.10", "0", "EmailSent", "Job 7", "paid"),
            ("0", "0", "NotSet", "Voided - Job 7", "voided"),
            ("0", "0", "NotSet", "", "open"),
        ] {
            let number = |text: &str| serde_json::from_str::<Value>(text).expect("a number");
            let record = json!({ "TotalAmt": number(total), "Balance": number(balance), "EmailStatus": email, "PrivateNote": note });
            assert_eq!(status(&record), expected, "{record}");
        }
    }
}
