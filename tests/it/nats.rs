//! Events from a NATS stream: a real server with JetStream, killed and started again; hosts that are killed with messages in hand.

mod login;

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::{self, message::PublishMessage};
use sangam_tests::{Client, HostFolder, NatsServer, TestStore, postgres};
use serde_json::{Value, json};

/// Longest time for anything to come through.
const PATIENCE: Duration = Duration::from_secs(60);

/// A host with one source of the stream `EVENTS`.
fn configuration(server: &str, more: &str, rest: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
access = "open"

[[sources]]
name = "bus"
type = "nats"
servers = ["{server}"]
stream = "EVENTS"
consumer = "sangam"
{more}

{rest}
"#
    )
}

const TYPED: &str = "event-type = \"job.completed\"\nack-wait = \"2s\"";

async fn publish(jetstream: &jetstream::Context, subject: &str, id: Option<&str>, payload: &str) -> anyhow::Result<()> {
    let mut message = PublishMessage::build().payload(payload.to_owned().into());
    if let Some(id) = id {
        message = message.message_id(id);
    }
    jetstream.send_publish(subject.to_owned(), message).await?.await?;
    Ok(())
}

/// All events of the source, oldest first.
async fn events(client: &Client) -> anyhow::Result<Vec<Value>> {
    let mut events = Vec::new();
    let mut path = "/v1/events?source=/sources/bus&limit=100".to_owned();
    loop {
        let page = client.get(&path).await?;
        ensure!(page.status == 200, "{}", page.text);
        events.extend(page.json["events"].as_array().context("a list of events")?.iter().cloned());
        let Some(cursor) = page.json["next_cursor"].as_str() else { break };
        path = format!("/v1/events?source=/sources/bus&limit=100&cursor={cursor}");
    }
    events.reverse();
    Ok(events)
}

/// Waits until there are so many.
async fn until_there_are(client: &Client, wanted: usize) -> anyhow::Result<Vec<Value>> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let found = events(client).await?;
        if found.len() >= wanted {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < end, "{} of {wanted} events came: {:#}", found.len(), state(client).await?);
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
}

/// What `GET /v1/sources` says of the source.
async fn state(client: &Client) -> anyhow::Result<Value> {
    let sources = client.get("/v1/sources").await?;
    ensure!(sources.status == 200, "{}", sources.text);
    let sources = sources.json["sources"].as_array().cloned().unwrap_or_default();
    sources.into_iter().find(|source| source["name"] == "bus").context("the source is listed")
}

async fn until_state(client: &Client, wanted: &str) -> anyhow::Result<Value> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let state = state(client).await?;
        if state["state"] == wanted {
            return Ok(state);
        }
        ensure!(tokio::time::Instant::now() < end, "the source never was {wanted}: {state:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the server has an acknowledgement for everything.
async fn until_acknowledged(jetstream: &jetstream::Context) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        let consumer: jetstream::consumer::PullConsumer = jetstream.get_consumer_from_stream("sangam", "EVENTS").await?;
        let info = consumer.cached_info();
        if info.num_pending == 0 && info.num_ack_pending == 0 {
            return Ok(());
        }
        ensure!(tokio::time::Instant::now() < end, "{} are pending, {} not acknowledged", info.num_pending, info.num_ack_pending);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn ids(events: &[Value]) -> Vec<&str> {
    events.iter().filter_map(|event| event["event"]["id"].as_str().or(event["id"].as_str())).collect()
}

async fn bus() -> anyhow::Result<(NatsServer, jetstream::Context)> {
    let server = NatsServer::start("").await?;
    let jetstream = server.client(async_nats::ConnectOptions::new()).await?;
    NatsServer::stream(&jetstream, "EVENTS", "jobs").await?;
    Ok((server, jetstream))
}

#[tokio::test]
async fn messages_of_a_stream_become_events_and_are_acknowledged_once_they_are_durable() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    // Before the host is there: a consumer that is made begins with the oldest.
    publish(&jetstream, "jobs.completed", Some("job-1"), r#"{"total":10.10}"#).await?;
    let shape = r#"event = { type = 'job.${ .subject | split(".")[1] }', subject = '${ .headers."x-job" // .body.id? }' }"#;
    let folder = HostFolder::new(&configuration(&server.url(), shape, ""))?;
    let host = folder.start().await?;
    let mut headers = async_nats::HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-id", "7"),
        ("ce-source", "/fsm"),
        ("ce-type", "theirs"),
        ("content-type", "application/json"),
        ("X-Job", "j7"),
    ] {
        headers.insert(name, value);
    }
    let binary = PublishMessage::build().payload(r#"{"n":12345678901234567890}"#.into()).headers(headers);
    jetstream.send_publish("jobs.started", binary).await?.await?;
    publish(&jetstream, "jobs.completed", None, r#"{"id":"j3"}"#).await?;
    let found = until_there_are(&host.client, 3).await?;
    let mut documents = Vec::new();
    for event in &found {
        documents.push(host.client.event(event["eid"].as_str().context("an eid")?).await?["event"].clone());
    }
    assert_eq!(documents[0]["data"].to_string(), r#"{"total":10.10}"#);
    let of = |at: usize| (documents[at]["id"].as_str().unwrap_or_default(), documents[at]["type"].as_str().unwrap_or_default());
    assert_eq!(of(0), ("job-1", "job.completed"));
    assert_eq!(of(1), ("/fsm#7", "job.started"));
    assert_eq!((documents[1]["data"].to_string().as_str(), &documents[1]["subject"]), (r#"{"n":12345678901234567890}"#, &json!("j7")));
    assert!(of(2).0.starts_with("EVENTS/3/20"), "{}", of(2).0);
    assert_eq!(documents[2]["subject"], "j3");
    assert!(documents.iter().all(|event| event["source"] == "/sources/bus"), "{documents:#?}");
    until_acknowledged(&jetstream).await?;
    let state = until_state(&host.client, "receiving").await?;
    assert!(state["last_message_at"].is_string() && state["pending"] == 0, "{state:#}");
    host.kill().await
}

#[tokio::test]
async fn a_host_killed_with_messages_in_hand_neither_loses_nor_doubles_any() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), TYPED, ""))?;
    for number in 0..120 {
        publish(
            &jetstream,
            "jobs.completed",
            (number % 2 == 0).then(|| format!("m{number}")).as_deref(),
            &format!(r#"{{"number":{number}}}"#),
        )
        .await?;
    }
    // While they are being written; when they are durable and not acknowledged, twice.
    for at in ["accepting", "accepted", "accepted:2"] {
        if let Some(mut host) = folder.start_armed(at).await? {
            assert_eq!(host.died().await?, Some(9), "killed {at}");
        }
    }
    let host = folder.start().await?;
    let found = until_there_are(&host.client, 120).await?;
    until_acknowledged(&jetstream).await?;
    let found = if found.len() == 120 { events(&host.client).await? } else { found };
    let distinct: BTreeSet<&str> = ids(&found).into_iter().collect();
    assert_eq!((found.len(), distinct.len()), (120, 120));
    host.kill().await
}

#[tokio::test]
async fn a_killed_server_is_waited_for_and_gone_on_with() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (mut server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), TYPED, ""))?;
    let host = folder.start().await?;
    publish(&jetstream, "jobs.completed", Some("before"), "{}").await?;
    until_there_are(&host.client, 1).await?;
    until_acknowledged(&jetstream).await?;
    server.kill().await?;
    let state = until_state(&host.client, "connecting").await?;
    assert!(state["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "{state:#}");
    server.start_again().await?;
    let jetstream = server.client(async_nats::ConnectOptions::new()).await?;
    publish(&jetstream, "jobs.completed", Some("after"), "{}").await?;
    let found = until_there_are(&host.client, 2).await?;
    assert_eq!(found.len(), 2, "what was acknowledged does not come again");
    until_state(&host.client, "receiving").await?;
    host.kill().await
}

#[tokio::test]
async fn hosts_share_one_consumer_and_each_message_is_one_event() -> anyhow::Result<()> {
    if !NatsServer::is_there()? || !postgres::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&server.url(), &format!("{TYPED}\nmax-batch = 5"), ""))?;
    let one = folder.start().await?;
    let other = folder.start().await?;
    until_state(&one.client, "receiving").await?;
    until_state(&other.client, "receiving").await?;
    for number in 0..200 {
        publish(&jetstream, "jobs.completed", None, &format!(r#"{{"number":{number}}}"#)).await?;
    }
    until_there_are(&one.client, 60).await?;
    one.kill().await?;
    let found = until_there_are(&other.client, 200).await?;
    until_acknowledged(&jetstream).await?;
    assert_eq!(events(&other.client).await?.len(), 200);
    assert_eq!(ids(&found).into_iter().collect::<BTreeSet<_>>().len(), 200);
    other.kill().await
}

#[tokio::test]
async fn a_message_that_is_no_event_is_set_aside_and_the_next_go_on() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), TYPED, ""))?;
    let host = folder.start().await?;
    publish(&jetstream, "jobs.completed", None, "this is no JSON").await?;
    publish(&jetstream, "jobs.completed", Some("good"), "{}").await?;
    let found = until_there_are(&host.client, 1).await?;
    assert_eq!(ids(&found), ["good"]);
    until_acknowledged(&jetstream).await?;
    let aside = host.client.get("/v1/sources/bus/set-aside").await?;
    let list = aside.json["set_aside"].as_array().with_context(|| aside.text.clone())?;
    assert_eq!(list.len(), 1, "{}", aside.text);
    assert!(list[0]["reason"].as_str().is_some_and(|reason| reason.contains("not JSON")), "{}", aside.text);
    host.kill().await
}

#[tokio::test]
async fn what_the_host_has_no_room_for_stays_with_the_server() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    // A route whose runs wait, so that the backlog fills up.
    let rest = r#"
[plugins.nobody]
component = "builtin:http"
allow-hosts = ["http://127.0.0.1:9"]
allow-private-addresses = ["127.0.0.0/8"]

[[routes]]
name = "waits"
on = { type = "job.completed" }
[[routes.steps]]
name = "ask"
uses = "nobody.request"
with = { method = "POST", url = "http://127.0.0.1:9/" }
retry = { max-attempts = 100, initial = "10m" }
"#;
    let text = configuration(&server.url(), &format!("{TYPED}\nmax-batch = 4"), rest);
    let folder = HostFolder::new(&text.replace("[server]", "[server]\nmax-backlog = 10"))?;
    let host = folder.start().await?;
    for number in 0..30 {
        publish(&jetstream, "jobs.completed", Some(&format!("m{number}")), "{}").await?;
    }
    let state = until_state(&host.client, "waiting").await?;
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("backlog")), "{state:#}");
    let taken = events(&host.client).await?.len();
    assert!((1..=10).contains(&taken), "{taken} were taken in");
    host.kill().await?;
    // With room for them they come.
    folder.configure(&text)?;
    let host = folder.start().await?;
    assert_eq!(until_there_are(&host.client, 30).await?.len(), 30);
    until_acknowledged(&jetstream).await?;
    host.kill().await
}

#[tokio::test]
async fn the_host_shows_who_it_is_over_tls_of_an_authority_of_its_own() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let authority = sangam_tests::authority::Authority::new()?;
    let identity = authority.identity(&["localhost", "127.0.0.1"])?;
    let keys = tempfile::tempdir()?;
    let at = |name: &str| keys.path().join(name);
    std::fs::write(at("cert.pem"), identity.pem())?;
    std::fs::write(at("key.pem"), identity.key_pem())?;
    std::fs::write(at("ca.pem"), authority.pem())?;
    let settings = format!(
        "tls {{ cert_file: {:?}, key_file: {:?} }}\nauthorization {{ users = [ {{ user: \"sangam\", password: \"right\" }} ] }}",
        at("cert.pem"),
        at("key.pem")
    );
    let server = NatsServer::start(&settings).await?;
    let options = async_nats::ConnectOptions::with_user_and_password("sangam".into(), "right".into())
        .tls_client_config(sangam_tests::tls_trusting(&authority.pem(), None)?);
    let jetstream = server.client(options).await?;
    NatsServer::stream(&jetstream, "EVENTS", "jobs").await?;
    publish(&jetstream, "jobs.completed", Some("m1"), "{}").await?;
    let login = format!("{TYPED}\nuser = \"sangam\"\npassword = \"${{secret:bus}}\"\nca-file = {:?}", at("ca.pem"));
    let folder = HostFolder::new(&configuration(&server.url().replace("nats:", "tls:"), &login, ""))?;
    folder.secret("bus", "wrong")?;
    let host = folder.start().await?;
    let state = until_state(&host.client, "interrupted").await?;
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains("refuses the login")), "{state:#}");
    // The right one counts without a restart.
    folder.secret("bus", "right")?;
    until_there_are(&host.client, 1).await?;
    let all = host.client.get("/v1/sources").await?.text + &host.log();
    assert!(!all.contains("wrong") && !all.contains("\"right\""), "no secret is shown");
    host.kill().await
}
