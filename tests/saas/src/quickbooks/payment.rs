//! Payments that somebody records in QuickBooks: what an invoice owes goes down.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::answer::{moment, today};
use super::company::Company;
use super::entity::Entity;
use super::{money, write};

/// Records a payment of an invoice: all that is owed, or an amount.
pub(super) fn receive(company: &mut Company, invoice: &str, amount: Option<Decimal>) -> Result<(), String> {
    let mut record = company.get(Entity::Invoice, invoice).cloned().ok_or_else(|| format!("quickbooks has no invoice {invoice}"))?;
    let balance = record.get("Balance").and_then(money::read).unwrap_or_default();
    let amount = amount.unwrap_or(balance);
    if amount <= Decimal::ZERO || amount > balance {
        return Err(format!("invoice {invoice} owes {balance}, not {amount}"));
    }
    record.insert("Balance".to_owned(), money::amount(balance - amount));
    let id = (500 + company.payments.len()).to_string();
    let mut links = record.get("LinkedTxn").and_then(Value::as_array).cloned().unwrap_or_default();
    links.push(json!({ "TxnId": id, "TxnType": "Payment" }));
    record.insert("LinkedTxn".to_owned(), links.into());
    write::touch(&mut record);
    let now = moment();
    company.payments.push(json!({
        "Id": id, "SyncToken": "0", "domain": "QBO", "sparse": false, "TxnDate": today(),
        "CustomerRef": record.get("CustomerRef"), "TotalAmt": money::amount(amount), "UnappliedAmt": 0,
        "Line": [{ "Amount": money::amount(amount), "LinkedTxn": [{ "TxnId": invoice, "TxnType": "Invoice" }] }],
        "MetaData": { "CreateTime": now, "LastUpdatedTime": now },
    }));
    company.changes.push(("Payment", id, "created"));
    company.put(Entity::Invoice, invoice, record);
    Ok(())
}
