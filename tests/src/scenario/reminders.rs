//! `reminders`: days go by, and the clock of the host with them.

use anyhow::{Context as _, ensure};
use jiff::civil::Weekday;
use jiff::{SignedDuration, ToSpan as _};
use serde_json::{Value, json};

use super::{Stage, appears, eventually, set};

const DAY: SignedDuration = SignedDuration::from_hours(24);
/// What is due on the dot has come.
const A_LITTLE: SignedDuration = SignedDuration::from_mins(10);
const BERG: &str = "anna@berg.example";
const LAKE: &str = "grace.hill@bluelake.example";
const OFFICE: &str = "accountant@acme.example";

pub(super) async fn play(stage: &mut Stage) -> anyhow::Result<Vec<String>> {
    // A Tuesday, ten o'clock in Vienna: in working hours.
    let now = jiff::Timestamp::now();
    let tuesday = now.in_tz("Europe/Vienna")?.date().nth_weekday(1, Weekday::Tuesday)?.at(10, 0, 0, 0).in_tz("Europe/Vienna")?;
    let tuesday = tuesday.timestamp().duration_since(now);
    let yesterday = now.checked_sub(24.hours())?.strftime("%Y-%m-%d").to_string();
    stage.moves_on(tuesday).await?;
    let invoice = invoice(stage, &yesterday).await?;
    let number = invoice["DocNumber"].as_str().unwrap_or_default().to_owned();
    let own = json!({
        "specversion": "1.0", "id": "r-77/sent", "source": "/rentals", "type": "invoice.sent", "time": now.to_string(),
        "data": {
            "invoice_id": "r-77", "number": "R-77", "total": 60.00, "balance": 60.00, "currency": "EUR", "due_date": yesterday,
            "customer": { "name": "Grace Hill", "email": LAKE, "mobile_phone": "+44 20 7946 0018", "language": "en" }
        }
    });
    let rental = stage.client().send(&own).await?;
    let first = mails(stage, &[BERG, LAKE]).await?;
    ensure!(first.iter().any(|mail| subject(mail).contains(&number)), "nobody was reminded of invoice {number}: {first:#?}");
    let billed = stage.events("books").await?.into_iter().find(|event| event["event"]["type"] == "invoice.sent");
    let billed = billed.and_then(|event| Some(event["eid"].as_str()?.to_owned())).context("accounting has told of the invoice")?;
    asleep(stage, &[&billed, &rental]).await?;

    stage.moves_on(tuesday + DAY * 3 + A_LITTLE).await?;
    mails(stage, &[BERG, LAKE]).await?;
    asleep(stage, &[&billed, &rental]).await?;
    // Anna Berg pays. It stands in accounting, where the host finds it.
    set(&stage.saas.quickbooks, "pay", json!({ "invoice": invoice["Id"] }))?;
    let told = mails(stage, &[OFFICE]).await?;
    ensure!(subject(&told[0]) == format!("{number}: settled"), "{told:#?}");
    let document = stage.client().until(&billed, "succeeded").await?;
    ensure!(document["status"] == "succeeded", "{document:#}");

    stage.moves_on(tuesday + DAY * 6 + A_LITTLE).await?;
    let text = eventually("a text message", async || {
        let state = stage.people.as_ref().map(|people| people.sms.state()).unwrap_or_default();
        Ok(state["sms"].as_array().and_then(|texts| texts.first().cloned()))
    })
    .await?;
    asleep(stage, &[&rental]).await?;
    let paid =
        json!({ "specversion": "1.0", "id": "r-77/paid", "source": "/rentals", "type": "invoice.paid", "data": { "invoice_id": "r-77" } });
    stage.client().send(&paid).await?;
    let told = mails(stage, &[OFFICE]).await?;
    ensure!(subject(&told[0]) == "R-77: settled", "{told:#?}");
    stage.settled().await?;
    let left = stage.people.as_mut().context("people can be written to")?.mail.mails().await?;
    ensure!(left.is_empty(), "somebody was written to who had paid: {left:#?}");
    Ok(vec![
        format!("accounting     invoice {number} of Anna Berg was due yesterday; rentals tell of one of Grace Hill's"),
        format!("Tuesday        two mails: {}", first.iter().map(subject).collect::<Vec<_>>().join("; ")),
        "Friday         two mails again; Anna Berg pays, accounting has it".to_owned(),
        format!("the office     is told: {number}: settled"),
        format!("Monday         a text to {}: {}", text["to"].as_str().unwrap_or_default(), text["body"].as_str().unwrap_or_default()),
        "the office     is told: R-77: settled; nobody is written to again".to_owned(),
    ])
}

/// A person writes an invoice in accounting, and sends it.
async fn invoice(stage: &Stage, due: &str) -> anyhow::Result<Value> {
    let books = &stage.saas.quickbooks;
    let customer = json!({ "DisplayName": "Anna Berg", "PrimaryEmailAddr": { "Address": BERG } });
    set(books, "edit", json!({ "entity": "Customer", "record": customer }))?;
    let customer = appears(books, "customers", "the customer", |customer| customer["DisplayName"] == "Anna Berg").await?;
    let item = crate::morning::records(&books.state()["items"]).next().cloned().context("accounting has items")?;
    let line = json!({
        "Amount": 189.90, "DetailType": "SalesItemLineDetail", "Description": "Service",
        "SalesItemLineDetail": { "ItemRef": { "value": item["Id"] }, "Qty": 1, "UnitPrice": 189.90 },
    });
    let invoice = json!({ "CustomerRef": { "value": customer["Id"] }, "BillEmail": { "Address": BERG }, "DueDate": due, "Line": [line] });
    set(books, "edit", json!({ "entity": "Invoice", "record": invoice }))?;
    let invoice = appears(books, "invoices", "the invoice", |invoice| invoice["BillEmail"]["Address"] == BERG).await?;
    eventually("the host to know the invoice", async || Ok((!stage.events("books").await?.is_empty()).then_some(()))).await?;
    set(books, "edit", json!({ "entity": "Invoice", "record": { "Id": invoice["Id"], "EmailStatus": "EmailSent" } }))?;
    Ok(invoice)
}

/// The next mails, one to each of these.
async fn mails(stage: &mut Stage, to: &[&str]) -> anyhow::Result<Vec<Value>> {
    let mail = &mut stage.people.as_mut().context("people can be written to")?.mail;
    let mut found = Vec::new();
    for _ in to {
        found.push(mail.mail().await?);
    }
    let is_to = |mail: &Value, address: &str| mail["to"] == json!([address]);
    ensure!(to.iter().all(|address| found.iter().any(|mail| is_to(mail, address))), "not each of {to:?} got a mail: {found:#?}");
    Ok(found)
}

fn subject(mail: &Value) -> String {
    mail["headers"]["subject"][0].as_str().unwrap_or_default().to_owned()
}

/// Waits until the events' runs wait.
async fn asleep(stage: &Stage, eids: &[&str]) -> anyhow::Result<()> {
    for eid in eids {
        stage.client().until(eid, "waiting").await?;
    }
    Ok(())
}
