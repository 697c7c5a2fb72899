//! `sangam.publish`: messages for a NATS stream, each there once, whoever is killed when.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream;
use futures::StreamExt as _;
use sangam_tests::{HostFolder, NatsServer};
use serde_json::{Value, json};

use crate::scene::event;

const PATIENCE: Duration = Duration::from_secs(60);

fn configuration(server: &str, with: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
access = "open"

[nats.bus]
servers = ["{server}"]

[[routes]]
name = "pass-on"
on = {{ type = "job.completed" }}
[[routes.steps]]
name = "publish"
uses = "sangam.publish"
with = {with}
retry = {{ max-attempts = 100, initial = "50ms", factor = 1, jitter = 0 }}
"#
    )
}

/// All that the stream keeps: subject, headers in lower case, payload.
async fn kept(jetstream: &jetstream::Context) -> anyhow::Result<Vec<(String, Value, String)>> {
    let mut stream = jetstream.get_stream("OUT").await?;
    let wanted = stream.info().await?.state.messages;
    let config = jetstream::consumer::pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await?;
    let mut messages = consumer.messages().await?;
    let mut found = Vec::new();
    while (found.len() as u64) < wanted {
        let message = tokio::time::timeout(PATIENCE, messages.next()).await?.context("a message")??;
        let mut headers = json!({});
        for (name, values) in message.headers.iter().flat_map(|headers| headers.iter()) {
            headers[name.to_string().to_lowercase()] = json!(values[0].as_str());
        }
        found.push((message.subject.to_string(), headers, String::from_utf8_lossy(&message.payload).into_owned()));
    }
    Ok(found)
}

async fn bus() -> anyhow::Result<(NatsServer, jetstream::Context)> {
    let server = NatsServer::start("").await?;
    let jetstream = server.client(async_nats::ConnectOptions::new()).await?;
    NatsServer::stream(&jetstream, "OUT", "out").await?;
    Ok((server, jetstream))
}

#[tokio::test]
async fn a_step_publishes_its_event_or_one_of_its_own_making() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), r#"{ subject = "out.jobs.${ .event.data.job_id }" }"#))?;
    let host = folder.start().await?;
    let change = async |with: &str| -> anyhow::Result<()> {
        folder.configure(&configuration(&server.url(), with))?;
        let answer = host.client.post("/v1/reload", &json!({})).await?;
        ensure!(answer.status == 200, "{}", answer.text);
        Ok(())
    };
    let data = json!({ "job_id": "j1", "total": 10.1 });
    let document = host.client.send_and_wait(&event("e1", "job.completed", data.clone())).await?;
    let step = &document["runs"][0]["steps"][0];
    let output = &step["output"];
    assert_eq!((&output["stream"], &output["sequence"], &output["duplicate"]), (&json!("OUT"), &json!(1), &json!(false)), "{document:#}");
    let effect = &step["attempts"][0]["effects"][0];
    assert_eq!((&effect["kind"], &effect["method"], &effect["state"]), (&json!("publish"), &json!("PUBLISH"), &json!("done")));
    assert!(effect["url"].as_str().is_some_and(|url| url.ends_with("/out.jobs.j1")), "{effect:#}");
    change(r#"{ subject = "out.x", type = "job.billed", data = { n = "${ .event.data.total }" }, format = "cloudevents-binary", headers = { X-Job = "j1" } }"#).await?;
    host.client.send_and_wait(&event("e2", "job.completed", data.clone())).await?;
    change(r#"{ subject = "out.raw", data = "a text", format = "raw", headers = { content-type = "text/plain" } }"#).await?;
    host.client.send_and_wait(&event("e3", "job.completed", data.clone())).await?;
    let messages = kept(&jetstream).await?;
    let (subject, headers, payload) = &messages[0];
    assert_eq!((subject.as_str(), &headers["content-type"]), ("out.jobs.j1", &json!("application/cloudevents+json")));
    assert_eq!((&headers["nats-msg-id"], &effect["key"]), (&output["id"], &output["id"]));
    let whole: Value = serde_json::from_str(payload)?;
    assert_eq!((&whole["id"], &whole["source"], &whole["data"]), (&json!("e1"), &json!("/test"), &data), "passed on as it is");
    let (_, headers, payload) = &messages[1];
    assert_eq!(
        (&headers["ce-type"], &headers["ce-source"], &headers["x-job"]),
        (&json!("job.billed"), &json!("/routes/pass-on"), &json!("j1"))
    );
    assert_eq!((payload.as_str(), &headers["ce-id"]), (r#"{"n":10.1}"#, &headers["nats-msg-id"]));
    let (_, headers, payload) = &messages[2];
    assert_eq!((payload.as_str(), &headers["content-type"]), ("a text", &json!("text/plain")));
    // Orders to the server itself are no messages, whatever an event says.
    change(r#"{ subject = "${ .event.data.job_id }" }"#).await?;
    for subject in ["$JS.API.STREAM.DELETE.OUT", "out.*", "out.a b"] {
        let refused = host.client.send_and_wait(&event(subject, "job.completed", json!({ "job_id": subject }))).await?;
        assert_eq!(refused["status"], "dead", "{refused:#}");
    }
    assert_eq!(kept(&jetstream).await?.len(), 3);
    host.kill().await
}

#[tokio::test]
async fn killed_at_any_point_of_a_publish_the_message_is_in_the_stream_once() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (mut server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), r#"{ subject = "out.jobs" }"#))?;
    let points = ["intending", "intended", "answered", "recorded", "recording", "settling", "settled"];
    for (number, at) in points.iter().enumerate() {
        // What the last one left under way may end it at once.
        let Some(mut host) = folder.start_armed(at).await? else { continue };
        // The host may be gone before it has answered.
        let _ = host.client.send(&event(&format!("e{number}"), "job.completed", json!({ "number": number }))).await;
        assert_eq!(host.died().await?, Some(9), "killed {at}");
    }
    // And the server, with a message under way.
    server.kill().await?;
    let host = folder.start().await?;
    let eid = host.client.send(&event("late", "job.completed", json!({ "number": "late" }))).await?;
    let end = tokio::time::Instant::now() + PATIENCE;
    while !host.client.event(&eid).await?.to_string().contains("can't be reached") {
        ensure!(tokio::time::Instant::now() < end, "the timeline says why: {:#}", host.client.event(&eid).await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    server.start_again().await?;
    host.client.until(&eid, "succeeded").await?;
    for number in 0..points.len() {
        // Known by its identity: the same event, wherever it was when the host was killed.
        let eid = host.client.send(&event(&format!("e{number}"), "job.completed", json!({ "number": number }))).await?;
        host.client.until(&eid, "succeeded").await?;
    }
    let messages = kept(&jetstream).await?;
    let numbers: Vec<Value> = messages
        .iter()
        .filter_map(|(_, _, payload)| serde_json::from_str::<Value>(payload).ok())
        .map(|event| event["data"]["number"].clone())
        .collect();
    let distinct: BTreeSet<String> = numbers.iter().map(ToString::to_string).collect();
    assert_eq!((numbers.len(), distinct.len()), (points.len() + 1, points.len() + 1), "{numbers:?}");
    host.kill().await
}

#[tokio::test]
async fn without_a_stream_a_step_waits_for_one_and_a_listener_is_asked_for_by_name() -> anyhow::Result<()> {
    if !NatsServer::is_there()? {
        return Ok(());
    }
    let (server, jetstream) = bus().await?;
    let folder = HostFolder::new(&configuration(&server.url(), r#"{ subject = "nobody.keeps.this" }"#))?;
    let host = folder.start().await?;
    let eid = host.client.send(&event("e1", "job.completed", json!({}))).await?;
    let end = tokio::time::Instant::now() + PATIENCE;
    while !host.client.event(&eid).await?.to_string().contains("no stream keeps messages") {
        ensure!(tokio::time::Instant::now() < end, "the timeline says why: {:#}", host.client.event(&eid).await?);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let config = jetstream::stream::Config { name: "LATE".into(), subjects: vec!["nobody.>".into()], ..Default::default() };
    jetstream.create_stream(config).await?;
    host.client.until(&eid, "succeeded").await?;
    let listener = jetstream.client();
    let mut listening = listener.subscribe("core.jobs").await?;
    listener.flush().await?;
    folder.configure(&configuration(&server.url(), r#"{ subject = "core.jobs", delivery = "core", format = "raw" }"#))?;
    assert_eq!(host.client.post("/v1/reload", &json!({})).await?.status, 200);
    host.client.send_and_wait(&event("e2", "job.completed", json!({ "a": 1 }))).await?;
    let heard = tokio::time::timeout(PATIENCE, listening.next()).await?.context("a message")?;
    assert_eq!(&heard.payload[..], br#"{"a":1}"#);
    host.kill().await
}
