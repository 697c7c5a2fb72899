//! `invoice-paid`.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Stage, appears, eventually, set};
use crate::company;
use crate::morning::records;

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (books, crm) = (&stage.saas.quickbooks, &stage.saas.salesforce);
    company::open_case(&company::crm(&stage.saas).await?, "job-7001", "Pump makes a noise").await?;
    stage.tells(books, "books")?;
    let customer = records(&books.state()["customers"]).next().cloned().context("accounting has customers")?;
    let item = records(&books.state()["items"]).next().cloned().context("accounting has items")?;
    let line = json!({
        "Amount": 240.00, "DetailType": "SalesItemLineDetail", "Description": "Repair",
        "SalesItemLineDetail": { "ItemRef": { "value": item["Id"] }, "Qty": 1, "UnitPrice": 240.00 },
    });
    // The note is what `create-invoice` writes: it names the job.
    let invoice = json!({ "CustomerRef": { "value": customer["Id"] }, "PrivateNote": "Job job-7001", "Line": [line] });
    set(books, "edit", json!({ "entity": "Invoice", "record": invoice }))?;
    let invoice = appears(books, "invoices", "the invoice", |invoice| invoice["PrivateNote"] == "Job job-7001").await?;
    eventually("the host to know the invoice", async || Ok((!stage.events("books").await?.is_empty()).then_some(()))).await?;
    set(books, "pay", json!({ "invoice": invoice["Id"] }))?;
    let comment = eventually("a comment at the case", async || {
        let records_of = crm.state()["records"]["CaseComment"].clone();
        Ok(records(&records_of).find(|comment| comment["CommentBody"].as_str().is_some_and(|body| body.contains("is paid"))).cloned())
    })
    .await?;
    stage.settled().await?;
    let body = comment["CommentBody"].as_str().unwrap_or_default().lines().next().unwrap_or_default();
    let events = stage.events("books").await?;
    let paid = events.iter().filter(|event| event["event"]["type"] == "invoice.paid").count();
    ensure!(paid == 1, "it was paid once, and {paid} events say so: {events:#?}");
    Ok(vec![
        format!("accounting     invoice {} for job-7001 is paid", invoice["DocNumber"]).replace('"', ""),
        format!("CRM            the case of the job says: {body}"),
    ])
}
