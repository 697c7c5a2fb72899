//! `contact-sync`, and that it does not answer itself.

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::{Stage, appears, eventually, set};
use crate::morning::records;

const EMAIL: &str = "ada.stone@acme.example";

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (crm, books, field) = (&stage.saas.hubspot, &stage.saas.quickbooks, &stage.saas.fieldservice);
    stage.tells(crm, "desk")?;
    polled(stage, 1).await?;
    let person = json!({ "email": EMAIL, "firstname": "Ada", "lastname": "Stone", "phone": "+1 555 0100" });
    set(crm, "edit", json!({ "object": "contacts", "properties": person }))?;
    let has_phone = |number: &'static str| move |record: &Value| record.to_string().contains(EMAIL) && record.to_string().contains(number);
    let customer = appears(books, "customers", "the contact in accounting", has_phone("+1 555 0100")).await?;
    appears(field, "customers", "the contact in field service", has_phone("+1 555 0100")).await?;

    // A person changes it in the CRM.
    let contact = records(&crm.state()["contacts"])
        .find(|contact| contact["properties"]["email"] == EMAIL)
        .cloned()
        .context("the contact is there")?;
    set(crm, "edit", json!({ "object": "contacts", "id": contact["id"], "properties": { "phone": "+1 555 0199" } }))?;
    appears(books, "customers", "the new number in accounting", has_phone("+1 555 0199")).await?;
    appears(field, "customers", "the new number in field service", has_phone("+1 555 0199")).await?;
    stage.settled().await?;
    // What we wrote is a change in accounting, which is looked at, twice; it is nobody's but ours.
    polled(stage, 2).await?;
    stage.settled().await?;
    let echoes = stage.events("books").await?;
    ensure!(echoes.is_empty(), "accounting gave our own change back: {echoes:#?}");

    // A person changes it in accounting.
    set(
        books,
        "edit",
        json!({ "entity": "Customer", "record": { "Id": customer["Id"], "PrimaryPhone": { "FreeFormNumber": "+1 555 0123" } } }),
    )?;
    eventually("the number in the CRM", async || {
        let state = crm.state();
        let contact = records(&state["contacts"]).find(|contact| contact["properties"]["email"] == EMAIL);
        Ok(contact.is_some_and(|contact| contact["properties"]["phone"] == "+1 555 0123").then_some(()))
    })
    .await?;
    // The CRM tells what we wrote, the host hears it, and leaves it at that.
    eventually("the CRM to have told our change", async || {
        let state = crm.state();
        let sent = state["webhooks"].as_array().cloned().unwrap_or_default();
        Ok(sent
            .iter()
            .any(|sent| sent["body"].as_str().is_some_and(|body| body.contains("+1 555 0123")) && sent["status"].is_u64())
            .then_some(()))
    })
    .await?;
    stage.settled().await?;
    polled(stage, 2).await?;
    stage.settled().await?;
    let (from_crm, from_books) = (stage.events("desk").await?, stage.events("books").await?);
    ensure!(from_crm.len() == 2, "the CRM brought in {} events, and two were a person's: {from_crm:#?}", from_crm.len());
    ensure!(from_books.len() == 1, "accounting brought in {} events, and one was a person's: {from_books:#?}", from_books.len());
    Ok(vec![
        "CRM            Ada Stone is a new contact".to_owned(),
        "accounting     she is a customer; field service knows her too".to_owned(),
        "CRM            her telephone number is changed".to_owned(),
        "accounting     has the new number; so has field service".to_owned(),
        "accounting     the number is changed there".to_owned(),
        "CRM            has that number".to_owned(),
        "the host       three changes of people came in; what it wrote itself came back as well, was recognised, and stopped there"
            .to_owned(),
    ])
}

/// Waits until accounting was asked for changes so many times more.
async fn polled(stage: &Stage, times: usize) -> anyhow::Result<()> {
    let books = &stage.saas.quickbooks;
    let asked = || {
        books
            .requests()
            .iter()
            .filter(|request| request.method == "GET" && (request.path.contains("/cdc") || request.path.contains("/query")))
            .count()
    };
    let before = asked();
    eventually("accounting to be asked for changes", async || Ok((asked() >= before + times).then_some(()))).await
}
