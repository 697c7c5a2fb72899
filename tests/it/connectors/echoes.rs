//! Our own writes come back as changes before their steps are settled, and bring in nothing; what people change meanwhile comes in.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use sangam_saas::{Fault, FaultAct, Saas, Stand};
use sangam_tests::scenario::{HOOK_SECRET, eventually};
use sangam_tests::{Answer, Client, Host, TestStore, company, postgres, sangam};
use serde_json::{Value, json};

use super::{Office, action, only};
use crate::scene::event;

const UPSERT: &str = "desk.upsert-contact";
const UPDATE: &str = "books.update-customer";

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
async fn a_webhook_that_comes_before_the_answer_to_a_write_of_the_canary_brings_in_no_echo() -> anyhow::Result<()> {
    let saas = Saas::start().await?;
    let folder = company::folder(&saas, &told())?;
    let component = sangam().parent().context("the program is in a folder")?.join("plugins/hubspot.wasm");
    let mut component = std::fs::read(component)?;
    // A custom section more: another digest, the same behaviour.
    component.extend_from_slice(&[0, 5, 4, b'm', b'o', b'r', b'e']);
    let sibling = folder.path().join("sibling.wasm");
    std::fs::write(&sibling, component)?;
    let canary = format!("[plugins.desk]\ncanary = {{ component = {sibling:?}, share = 1, max-error-rate = 0.5 }}\n");
    folder.configure(&told().replacen("[plugins.desk]\n", &canary, 1))?;
    let host = folder.start().await?;
    told_before_the_answer(&saas, &host, &host).await
}

/// A source that nobody verifies, beside the one that the CRM tells.
const OPEN: &str = "[[sources]]\nname = \"open\"\ntype = \"webhook\"\nverify = \"none\"\nuses = \"desk\"\nstream = \"contacts\"\n";

/// Has the host begin a write that the CRM takes long to answer.
async fn hangs(office: &Office) -> anyhow::Result<()> {
    let desk = &office.saas.hubspot;
    is_late(desk, "POST", "/crm/*/batch/upsert", 25_000);
    office.send(UPSERT, "slow", phone("ada@client.example", "555-22")).await?;
    eventually("the write", async || Ok(desk.state()["contacts"].to_string().contains("\"555-22\"").then_some(()))).await
}

/// Delivers that something happened to contacts, in a body of two KiB.
async fn deliver(client: &Client, happened: &str, contacts: &[u64]) -> anyhow::Result<Answer> {
    let told = |id: &u64| json!({ "subscriptionType": format!("contact.{happened}"), "objectId": id, "occurredAt": 1_790_000_000_000_u64 });
    let body = format!("{:2048}", Value::Array(contacts.iter().map(told).collect()).to_string());
    client.ask(Method::POST, "/hooks/open", &[("content-type", "application/json")], body.into_bytes()).await
}

#[tokio::test]
async fn deliveries_that_wait_for_a_write_leave_room_for_events_and_other_deliveries() -> anyhow::Result<()> {
    // Room for 104 deliveries.
    let bounds = "[server]\nmax-event-size = \"64KiB\"\nmax-intake-memory = \"208KiB\"";
    let office = Office::configured(&(told().replacen("[server]", bounds, 1) + OPEN)).await?;
    hangs(&office).await?;
    let answered = Arc::new(AtomicUsize::new(0));
    let mut deliveries = tokio::task::JoinSet::new();
    for id in 0..112 {
        let (client, answered) = (office.client().clone(), Arc::clone(&answered));
        deliveries.spawn(async move {
            let answer = deliver(&client, "deletion", &[900_000 + id]).await;
            answered.fetch_add(1, Ordering::SeqCst);
            answer
        });
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    // Sooner than the first one has waited for long enough.
    let end = tokio::time::Instant::now() + Duration::from_secs(1);
    while answered.load(Ordering::SeqCst) < 112 - 64 && tokio::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let waiting = 112 - answered.load(Ordering::SeqCst);
    let taken = office.client().send_raw(&event("meanwhile", "nobody.wants", json!({})), "").await?;
    ensure!(taken.status == 202, "with {waiting} deliveries waiting an event was answered {}: {}", taken.status, taken.text);
    ensure!(waiting > 0, "no delivery waits");
    while let Some(answer) = deliveries.join_next().await {
        answer??;
    }
    Ok(())
}

#[tokio::test]
async fn a_delivery_that_is_made_anew_waits_once() -> anyhow::Result<()> {
    let office = Office::configured(&(told() + OPEN)).await?;
    let desk = &office.saas.hubspot;
    for name in ["both", "one", "other"] {
        set(desk, "edit", json!({ "object": "contacts", "properties": { "email": format!("{name}@client.example"), "phone": "1" } }))?;
    }
    let contacts = desk.state()["contacts"].clone();
    let id = |name: &str| -> anyhow::Result<u64> {
        let contact = only(&contacts, |contact| contact["properties"]["email"] == format!("{name}@client.example"))?;
        Ok(contact["id"].as_str().context("an id is text")?.parse()?)
    };
    let (both, one, other) = (id("both")?, id("one")?, id("other")?);
    hangs(&office).await?;
    let began = tokio::time::Instant::now();
    // Whichever is kept first has changed what the other one had read.
    let (one, other) = ([both, one], [both, other]);
    let told = tokio::join!(deliver(office.client(), "creation", &one), deliver(office.client(), "creation", &other));
    let took = began.elapsed();
    for answer in [told.0?, told.1?] {
        ensure!(answer.status < 300, "a delivery was answered {}: {}", answer.status, answer.text);
    }
    ensure!(took >= Duration::from_secs(3), "no delivery waited: {took:?}");
    ensure!(took < Duration::from_secs(6), "a delivery waited anew: {took:?}");
    let came = brought(office.client(), "open").await?;
    ensure!(came.len() == 3, "of three contacts came in: {came:?}");
    Ok(())
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
