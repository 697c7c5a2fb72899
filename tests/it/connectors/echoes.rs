//! Our own writes come back as changes before their steps are settled, and bring in nothing; what people change meanwhile comes in.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Saas, Stand};
use sangam_tests::scenario::HOOK_SECRET;
use sangam_tests::{Client, Host, TestStore, company, postgres};
use serde_json::{Value, json};

use super::{Office, action, only};
use crate::scene::event;

const UPSERT: &str = "desk.upsert-contact";
const UPDATE: &str = "books.update-customer";
/// Longest that anything here may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// The CRM tells of its changes, and its contacts are kept by a route.
fn told() -> String {
    let source = "[[sources]]\nname = \"desk\"\ntype = \"webhook\"\nverify = { scheme = \"hubspot-v3\", secret = \"${secret:desk-hook}\" }\n\
                  uses = \"desk\"\nstream = \"contacts\"\n";
    company::plugins(&["desk"]) + source + &action(UPSERT, 3)
}

fn tells(saas: &Saas, client: &Client) -> anyhow::Result<()> {
    set(&saas.hubspot, "webhook", json!({ "url": format!("{}/hooks/desk", client.url), "secret": HOOK_SECRET }))
}

fn set(stand: &Stand, setting: &str, value: Value) -> anyhow::Result<()> {
    stand.set(setting, value).map_err(anyhow::Error::msg)
}

fn phone(email: &str, phone: &str) -> Value {
    json!({ "email": email, "properties": { "phone": phone } })
}

/// A person changes a telephone number in the CRM.
fn edits(desk: &Stand, email: &str, phone: &str) -> anyhow::Result<()> {
    let contacts = desk.state()["contacts"].clone();
    let id = only(&contacts, |contact| contact["properties"]["email"] == email)?["id"].clone();
    set(desk, "edit", json!({ "object": "contacts", "id": id, "properties": { "phone": phone } }))
}

/// What a source has brought in, oldest first: the telephone numbers that its events tell.
async fn brought(client: &Client, source: &str) -> anyhow::Result<Vec<String>> {
    let listed = client.get(&format!("/v1/events?source=/sources/{source}&limit=100")).await?.json;
    let mut phones = Vec::new();
    for listed in listed["events"].as_array().context("a list of events")?.iter().rev() {
        let shown = client.event(listed["eid"].as_str().context("an event has an eid")?).await?;
        phones.push(shown["event"]["data"]["phone"].as_str().unwrap_or("none").to_owned());
    }
    Ok(phones)
}

async fn eventually<T>(what: &str, look: impl AsyncFn() -> anyhow::Result<Option<T>>) -> anyhow::Result<T> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the CRM has told that number, and was told that it has arrived.
async fn told_of(desk: &Stand, phone: &str) -> anyhow::Result<()> {
    eventually("a change to be taken from the CRM", async || {
        let sent = desk.state()["webhooks"].clone();
        let mut told = sent.as_array().into_iter().flatten().filter(|sent| sent["body"].as_str().is_some_and(|body| body.contains(phone)));
        Ok(told.any(|sent| sent["status"].as_u64().is_some_and(|status| status < 300)).then_some(()))
    })
    .await
}

fn is_late(stand: &Stand, method: &str, path: &str, ms: u64) {
    stand.fault(Fault { method: Some(method.to_owned()), ..Fault::once(path, FaultAct::Late { ms }) });
}

/// Has a host write a number, of which the CRM tells that host's source before it answers the write.
async fn told_before_the_answer(saas: &Saas, writes: &Host, hears: &Host) -> anyhow::Result<()> {
    let desk = &saas.hubspot;
    tells(saas, &hears.client)?;
    for email in ["ada@client.example", "ben@client.example"] {
        set(desk, "edit", json!({ "object": "contacts", "properties": { "email": email, "phone": "1" } }))?;
    }
    eventually("both contacts to come in", async || Ok((brought(&hears.client, "desk").await?.len() == 2).then_some(()))).await?;

    is_late(desk, "POST", "/crm/*/batch/upsert", 500);
    let eid = writes.client.send(&event("ours", UPSERT, phone("ada@client.example", "555-22"))).await?;
    told_of(desk, "555-22").await?;
    writes.client.until(&eid, "succeeded").await?;
    ensure!(brought(&hears.client, "desk").await?.len() == 2, "our own change came in: {:?}", brought(&hears.client, "desk").await?);

    // Somebody changes another record while we write, and the one that we write.
    is_late(desk, "POST", "/crm/*/batch/upsert", 500);
    let eid = writes.client.send(&event("beside", UPSERT, phone("ada@client.example", "555-33"))).await?;
    eventually("the write", async || Ok(desk.state()["contacts"].to_string().contains("\"555-33\"").then_some(()))).await?;
    edits(desk, "ben@client.example", "555-44")?;
    edits(desk, "ada@client.example", "555-55")?;
    told_of(desk, "555-44").await?;
    told_of(desk, "555-55").await?;
    writes.client.until(&eid, "succeeded").await?;
    let mut came = brought(&hears.client, "desk").await?.split_off(2);
    came.sort();
    ensure!(came == ["555-44", "555-55"], "of two people's changes came in: {came:?}");
    Ok(())
}

#[tokio::test]
async fn a_webhook_that_comes_before_the_answer_to_our_write_brings_in_no_echo() -> anyhow::Result<()> {
    let office = Office::configured(&told()).await?;
    told_before_the_answer(&office.saas, &office.host, &office.host).await
}

#[tokio::test]
async fn a_webhook_that_comes_to_another_host_than_the_one_that_writes_brings_in_no_echo() -> anyhow::Result<()> {
    if TestStore::wanted()? != TestStore::Postgres || !postgres::is_there()? {
        return Ok(());
    }
    let office = Office::configured(&told()).await?;
    let other = office.folder.start().await?;
    told_before_the_answer(&office.saas, &office.host, &other).await?;
    other.kill().await
}

#[tokio::test]
async fn who_tells_of_a_change_is_not_kept_waiting_for_a_write_that_takes_long() -> anyhow::Result<()> {
    let office = Office::configured(&told()).await?;
    let desk = &office.saas.hubspot;
    tells(&office.saas, office.client())?;
    set(desk, "edit", json!({ "object": "contacts", "properties": { "email": "ben@client.example", "phone": "1" } }))?;
    told_of(desk, "ben@").await?;
    is_late(desk, "POST", "/crm/*/batch/upsert", 25_000);
    let eid = office.send(UPSERT, "slow", phone("ada@client.example", "555-22")).await?;
    eventually("the write", async || Ok(desk.state()["contacts"].to_string().contains("\"555-22\"").then_some(()))).await?;
    edits(desk, "ben@client.example", "555-44")?;
    told_of(desk, "555-44").await?;
    ensure!(brought(office.client(), "desk").await?.contains(&"555-44".to_owned()), "a person's change did not come in");
    let writing = office.client().event(&eid).await?;
    ensure!(writing["status"] == "running", "the write was over before: {writing:#}");
    Ok(())
}

#[tokio::test]
async fn a_poll_that_sees_our_write_before_its_answer_brings_in_no_echo() -> anyhow::Result<()> {
    let now = jiff::Timestamp::now();
    let source = format!(
        "[[sources]]\nname = \"books\"\ntype = \"poll\"\nuses = \"books\"\nstream = \"customers\"\nevery = \"1s\"\nsince = \"{now}\"\n"
    );
    let office = Office::configured(&(company::plugins(&["books"]) + &source + &action(UPDATE, 3))).await?;
    let books = &office.saas.quickbooks;
    let asked = || books.requests().iter().filter(|request| request.method == "GET" && request.path.contains("/cdc")).count();
    let customer =
        |phone: &str| json!({ "external_id": "c-1", "display_name": "Ada Stone", "email": "ada@client.example", "phone": phone });
    office.done(UPDATE, "first", customer("1")).await?;
    let before = asked();
    eventually("two polls", async || Ok((asked() >= before + 2).then_some(()))).await?;
    ensure!(brought(office.client(), "books").await?.is_empty(), "our own customer came in");

    is_late(books, "POST", "/v3/company/*/customer*", 2500);
    let eid = office.send(UPDATE, "second", customer("555-22")).await?;
    eventually("the write", async || Ok(books.state()["customers"].to_string().contains("\"555-22\"").then_some(()))).await?;
    let before = asked();
    eventually("a poll", async || Ok((asked() > before).then_some(()))).await?;
    office.client().until(&eid, "succeeded").await?;
    let before = asked();
    eventually("two polls", async || Ok((asked() >= before + 2).then_some(()))).await?;
    ensure!(brought(office.client(), "books").await?.is_empty(), "our own change came in: {:?}", brought(office.client(), "books").await?);
    Ok(())
}
