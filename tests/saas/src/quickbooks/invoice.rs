//! Invoices: what makes one valid, what it comes to, voiding it and sending it.

use jiff::ToSpan as _;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answer::{moment, today};
use super::company::{Company, Email, linked_time};
use super::entity::Entity;
use super::fault::Fault;
use super::field::{self, Fields};
use super::line;
use super::money;
use super::tax;

const MAX_NUMBER: usize = 21;
const MAX_NOTE: usize = 4000;
const MAX_MEMO: usize = 1000;
/// Days to pay where nothing else is said.
const TERM: i64 = 30;

/// Checks an invoice and works out its sums.
pub(super) fn prepare(company: &Company, mut record: Fields, previous: Option<&Fields>) -> Result<Fields, Fault> {
    let id = previous.and_then(|previous| previous.get("Id")?.as_str());
    let customer = field::refer(company, &mut record, "CustomerRef", Entity::Customer)?;
    let customer = customer.ok_or_else(|| Fault::missing("CustomerRef"))?;
    let lines = line::settle(company, record.get("Line"))?;
    number(company, &mut record, id)?;
    email(&record)?;
    check_time(company, &record, previous, &customer)?;
    field::text(&record, "PrivateNote", MAX_NOTE)?;
    if let Some(memo) = record.get("CustomerMemo").and_then(Value::as_object) {
        field::text(memo, "value", MAX_MEMO)?;
    }
    if field::reference(&record, "CurrencyRef")?.is_some_and(|currency| currency != "USD") {
        return Err(Fault::business("Multicurrency is not enabled for this company."));
    }
    dates(&mut record)?;

    let after_discount = record.get("ApplyTaxAfterDiscount") == Some(&json!(true)) && !lines.subtotal.is_zero();
    let taxable =
        if after_discount { money::cents(lines.taxable - lines.discount * lines.taxable / lines.subtotal) } else { lines.taxable };
    let tax = tax::on(company, record.get("TxnTaxDetail"), taxable)?;
    let total = lines.subtotal - lines.discount + tax.total;
    if total.is_sign_negative() && !total.is_zero() {
        return Err(Fault::business("Transaction amount must be 0 or greater."));
    }
    record.insert("Line".to_owned(), json!(lines.lines));
    record.insert("TxnTaxDetail".to_owned(), tax.detail);
    record.insert("TotalAmt".to_owned(), money::amount(total));
    record.insert("Balance".to_owned(), money::amount(total));
    if let Some(address) = company.get(Entity::Customer, &customer).and_then(|customer| customer.get("BillAddr")) {
        record.entry("BillAddr").or_insert_with(|| address.clone());
    }
    for (name, otherwise) in [
        ("CurrencyRef", json!({ "value": "USD", "name": "United States Dollar" })),
        ("EmailStatus", json!("NotSet")),
        ("PrintStatus", json!("NotSet")),
        ("ApplyTaxAfterDiscount", json!(false)),
        ("AllowOnlinePayment", json!(false)),
        ("LinkedTxn", json!([])),
        ("CustomField", json!([])),
    ] {
        record.entry(name).or_insert(otherwise);
    }
    Ok(record)
}

fn number(company: &Company, record: &mut Fields, id: Option<&str>) -> Result<(), Fault> {
    let given = field::text(record, "DocNumber", MAX_NUMBER)?.filter(|number| *number != "AUTO_GENERATE");
    let number = given.map_or_else(|| company.next_number(), str::to_owned);
    if let Some(holder) = company.numbered(&number).filter(|holder| Some(*holder) != id) {
        return Err(Fault::duplicate_document(&number, holder));
    }
    record.insert("DocNumber".to_owned(), json!(number));
    Ok(())
}

fn email(record: &Fields) -> Result<(), Fault> {
    let address = field::email(record, "BillEmail")?;
    field::email(record, "BillEmailCc")?;
    field::email(record, "BillEmailBcc")?;
    match field::text(record, "EmailStatus", 20)? {
        None | Some("NotSet" | "EmailSent") => Ok(()),
        Some("NeedToSend") if address.is_some() => Ok(()),
        Some("NeedToSend") => Err(Fault::business("Add at least one email address: BillEmail is required to send.")),
        Some(other) => Err(Fault::unsupported("EmailStatus", &format!("has no value {other}"))),
    }
}

fn dates(record: &mut Fields) -> Result<(), Fault> {
    let day = match field::day(record, "TxnDate")? {
        Some(day) => day.to_string(),
        None => today(),
    };
    let due = match field::day(record, "DueDate")? {
        Some(due) => due.to_string(),
        None => {
            let day: jiff::civil::Date = day.parse().expect("a day just written");
            day.saturating_add(TERM.days()).to_string()
        }
    };
    record.insert("TxnDate".to_owned(), json!(day));
    record.insert("DueDate".to_owned(), json!(due));
    Ok(())
}

/// Time that is billed must be there, billable, the same customer's, and not on another invoice.
fn check_time(company: &Company, record: &Fields, previous: Option<&Fields>, customer: &str) -> Result<(), Fault> {
    let mine = previous.map(linked_time).unwrap_or_default();
    for id in linked_time(record) {
        let time = company.get(Entity::TimeActivity, &id);
        let time = time.ok_or_else(|| Fault::bad_reference(Entity::TimeActivity, &id))?;
        let billable = time.get("BillableStatus").is_some_and(|status| status == "Billable");
        if !billable && !mine.contains(&id) {
            return Err(Fault::business(&format!("TimeActivity {id} is not billable, or has been billed already.")));
        }
        if time.get("CustomerRef").is_none_or(|of| of["value"] != customer) {
            return Err(Fault::business(&format!("TimeActivity {id} belongs to another customer.")));
        }
    }
    Ok(())
}

/// Makes every amount and quantity zero, and says so in the note.
pub(super) fn void(mut record: Fields) -> Fields {
    for line in record.get_mut("Line").and_then(Value::as_array_mut).into_iter().flatten() {
        if line.get("Amount").is_some() {
            line["Amount"] = money::amount(Decimal::ZERO);
        }
        if let Some(detail) = line.get_mut("SalesItemLineDetail") {
            detail["Qty"] = json!(0);
        }
        if let Some(line) = line.as_object_mut() {
            line.remove("LinkedTxn");
        }
    }
    let note = match record.get("PrivateNote").and_then(Value::as_str) {
        Some(note) if !note.is_empty() => format!("Voided - {note}"),
        _ => "Voided".to_owned(),
    };
    record.insert("PrivateNote".to_owned(), json!(note));
    record.insert("LinkedTxn".to_owned(), json!([]));
    record.insert("TxnTaxDetail".to_owned(), json!({ "TotalTax": 0 }));
    record.insert("TotalAmt".to_owned(), money::amount(Decimal::ZERO));
    record.insert("Balance".to_owned(), money::amount(Decimal::ZERO));
    record
}

/// Sends an invoice by e-mail, once more if it was sent before.
pub(super) fn send(company: &mut Company, id: &str, to: Option<&str>) -> Result<Fields, Fault> {
    let mut record = company.get(Entity::Invoice, id).cloned().ok_or_else(Fault::not_found)?;
    let to = match to.filter(|to| !to.is_empty()) {
        Some(to) if field::is_email(to) => to.to_owned(),
        Some(_) => return Err(Fault::invalid_email("sendTo")),
        None => field::email(&record, "BillEmail")?.ok_or_else(|| Fault::missing("BillEmail"))?,
    };
    record.insert("BillEmail".to_owned(), json!({ "Address": to }));
    record.insert("EmailStatus".to_owned(), json!("EmailSent"));
    record.insert("DeliveryInfo".to_owned(), json!({ "DeliveryType": "Email", "DeliveryTime": moment() }));
    super::write::touch(&mut record);
    company.put(Entity::Invoice, id, record.clone());
    company.emails.push(Email { invoice: id.to_owned(), to });
    Ok(record)
}
