//! `sangam.webhook`: what subscribers get, read by their own libraries; endpoints that fail, are slow, or gone; hosts that are killed in between.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Recorded, Stand};
use sangam_tests::{Client, HostFolder, subscribers};
use serde_json::{Value, json};

use crate::scene::{event, sink};

const PATIENCE: Duration = Duration::from_secs(60);

/// A host whose route tells everybody of `job.completed`. `{sink}` stands for the sink's origin.
fn configuration(sink: &str, webhooks: &str) -> String {
    let text = r#"
[server]
listen = "127.0.0.1:0"
access = "open"

{webhooks}

[[routes]]
name = "tell"
on = { type = "job.*" }
[[routes.steps]]
name = "tell"
uses = "sangam.webhook"
with = { to = "*" }

[[routes]]
name = "alarm"
on = { type = "sangam.webhook.*" }
[[routes.steps]]
name = "note"
uses = "sangam.emit"
with = { type = "noted", data = "${ .event.type }" }
"#;
    text.replace("{webhooks}", webhooks).replace("{sink}", sink)
}

/// An endpoint of that name with quick retries.
fn endpoint(name: &str, more: &str) -> String {
    format!(
        "[webhooks.{name}]\nurl = \"{{sink}}/{name}\"\nallow-private-addresses = [\"127.0.0.0/8\"]\nsecret = \"${{secret:{name}}}\"\n\
         retry = {{ max-attempts = 3, initial = \"20ms\", factor = 1, max = \"20ms\", jitter = 0 }}\n{more}\n"
    )
}

const FIRST: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn folder(sink: &Stand, names: &[&str], webhooks: &str) -> anyhow::Result<HostFolder> {
    let folder = HostFolder::new(&configuration(&sink.url(), webhooks))?;
    for name in names {
        folder.secret(name, FIRST)?;
    }
    Ok(folder)
}

fn requests(sink: &Stand, path: &str) -> Vec<Recorded> {
    sink.requests().into_iter().filter(|request| request.path == path).collect()
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !done().await? {
        ensure!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

async fn webhook(client: &Client, name: &str) -> anyhow::Result<Value> {
    let listed = client.get("/v1/webhooks").await?;
    let list = listed.json["webhooks"].as_array().with_context(|| listed.text.clone())?.clone();
    list.into_iter().find(|webhook| webhook["name"] == name).context("the webhook is listed")
}

#[tokio::test]
async fn subscribers_libraries_read_what_a_host_sends() -> anyhow::Result<()> {
    if !subscribers::are_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let webhooks = [
        endpoint("plain", ""),
        endpoint("whole", "format = \"cloudevents\""),
        endpoint("parts", "format = \"cloudevents-binary\""),
        endpoint("other", "types = [\"invoice.*\"]"),
    ];
    let folder = folder(&sink, &["plain", "whole", "parts", "other"], &webhooks.join("\n"))?;
    let host = folder.start().await?;
    let data = json!({ "job_id": "j1", "name": "Jürgen \"J\" 100%", "total": 10.10 });
    let document = host.client.send_and_wait(&event("e1", "job.completed", data.clone())).await?;
    let output = &document["runs"][0]["steps"][0]["output"];
    assert_eq!((&output["told"], &output["skipped"]), (&json!(["parts", "plain", "whole"]), &json!(["other"])), "{document:#}");
    until("all three have it", async || Ok(["/plain", "/whole", "/parts"].iter().all(|path| requests(&sink, path).len() == 1))).await?;
    let plain = requests(&sink, "/plain");
    let read = subscribers::look("standard-webhooks", &plain, Some(FIRST))?;
    let body = read[0].clone().map_err(anyhow::Error::msg)?;
    assert_eq!((&body["type"], &body["data"]), (&json!("job.completed"), &data));
    assert!(body["timestamp"].is_string());
    assert_eq!(plain[0].headers["webhook-id"], output["id"].as_str().unwrap_or_default());
    // Anything else than what was sent is refused.
    for changed in ["body", "webhook-id", "webhook-timestamp"] {
        let mut forged = plain[0].clone();
        match changed {
            "body" => forged.body = forged.body.replace("j1", "j2"),
            "webhook-id" => drop(forged.headers.insert("webhook-id".into(), "another".into())),
            _ => {
                let time: i64 = forged.headers[changed].parse()?;
                forged.headers.insert(changed.into(), (time + 1).to_string());
            }
        }
        assert!(subscribers::look("standard-webhooks", &[forged], Some(FIRST))?[0].is_err(), "{changed}");
    }
    for path in ["/whole", "/parts"] {
        let sent = requests(&sink, path);
        let read = subscribers::look("cloudevents", &sent, None)?[0].clone().map_err(anyhow::Error::msg)?;
        assert_eq!((&read["type"], &read["source"], &read["data"]), (&json!("job.completed"), &json!("/test"), &data), "{path}");
        assert_eq!(read["id"], output["id"], "{path}");
        // They are signed as well.
        assert!(subscribers::look("standard-webhooks", &sent, Some(FIRST))?[0].is_ok(), "{path}");
    }
    host.kill().await
}

#[tokio::test]
async fn one_bad_endpoint_neither_holds_up_nor_fails_the_others() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&sink, &["bad", "good"], &[endpoint("bad", ""), endpoint("good", "")].join("\n"))?;
    sink.fault(Fault { times: 3, ..Fault::once("/bad", FaultAct::Status { status: 500, headers: BTreeMap::new(), body: "down".into() }) });
    sink.fault(Fault { times: 1, ..Fault::once("/bad", FaultAct::Hang) });
    let host = folder.start().await?;
    for number in 0..10 {
        host.client.send_and_wait(&event(&format!("e{number}"), "job.completed", json!({ "number": number }))).await?;
    }
    until("the good one has all", async || Ok(requests(&sink, "/good").len() == 10)).await?;
    // Each endpoint gets them in order, whatever happens to the other.
    let numbers = |path: &str| -> Vec<Value> {
        let taken = requests(&sink, path).into_iter().filter(|request| request.status == Some(200) || request.status == Some(201));
        taken.filter_map(|request| serde_json::from_str::<Value>(&request.body).ok()).map(|body| body["data"]["number"].clone()).collect()
    };
    assert_eq!(numbers("/good"), (0..10).map(Value::from).collect::<Vec<_>>());
    // Three answers, and the request that hangs: it comes when the third pause is over, however quick the others were.
    until("the bad one was tried four times", async || Ok(requests(&sink, "/bad").len() == 4)).await?;
    assert!(numbers("/bad").len() < 10, "the bad one hangs");
    assert_eq!(webhook(&host.client, "bad").await?["state"], "failing");
    let attempts = requests(&sink, "/bad");
    let ids: BTreeSet<&String> = attempts.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert_eq!((attempts.len(), ids.len()), (4, 1), "the same id over all attempts");
    host.kill().await
}

#[tokio::test]
async fn what_an_endpoint_refuses_is_a_dead_letter_and_the_next_goes_on() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&sink, &["picky"], &endpoint("picky", ""))?;
    sink.fault(Fault { times: 3, ..Fault::once("/picky", FaultAct::Status { status: 422, headers: BTreeMap::new(), body: "no".into() }) });
    let host = folder.start().await?;
    host.client.send_and_wait(&event("e1", "job.completed", json!({ "number": 1 }))).await?;
    host.client.send_and_wait(&event("e2", "job.completed", json!({ "number": 2 }))).await?;
    until("the next came", async || Ok(requests(&sink, "/picky").len() == 4)).await?;
    let dead = host.client.get("/v1/dead-letters").await?;
    let text = dead.text.clone();
    assert!(text.contains("sangam.webhooks.picky") && text.contains("tried 3 times"), "{text}");
    // Once it takes it, a replay brings it under the same id.
    let replayed = host.client.post("/v1/dead-letters/replay", &json!({ "route": "sangam.webhooks.picky" })).await?;
    assert_eq!(replayed.status, 200, "{}", replayed.text);
    until("the replay came", async || Ok(requests(&sink, "/picky").len() == 5)).await?;
    let ids: Vec<String> = requests(&sink, "/picky").iter().map(|request| request.headers["webhook-id"].clone()).collect();
    assert_eq!(ids[0], ids[4]);
    host.kill().await
}

// With threads to spare: the program is waited for while the sink answers it.
#[tokio::test(flavor = "multi_thread")]
async fn an_endpoint_that_fails_for_long_is_disabled_told_of_and_enabled_again() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = folder(&sink, &["gone"], &endpoint("gone", "disable-after = \"1s\""))?;
    sink.fault(Fault {
        times: 1_000_000,
        ..Fault::once("/gone", FaultAct::Status { status: 503, headers: BTreeMap::new(), body: String::new() })
    });
    let host = folder.start().await?;
    host.client.send_and_wait(&event("e1", "job.completed", json!({ "number": 1 }))).await?;
    until("it is disabled", async || Ok(webhook(&host.client, "gone").await?["state"] == "disabled")).await?;
    let told = async |kind: &str| -> anyhow::Result<usize> {
        let found = host.client.get(&format!("/v1/events?type={kind}")).await?;
        Ok(found.json["events"].as_array().map(Vec::len).unwrap_or_default())
    };
    until("it was told", async || Ok(told("sangam.webhook.disabled").await? == 1)).await?;
    // Nothing more is sent to it: what comes is a dead letter, and is kept.
    let before = requests(&sink, "/gone").len();
    host.client.send_and_wait(&event("e2", "job.completed", json!({ "number": 2 }))).await?;
    until("both are dead", async || {
        let dead = host.client.get("/v1/dead-letters?route=sangam.webhooks.gone").await?;
        Ok(dead.json["dead_letters"].as_array().map(Vec::len) == Some(2))
    })
    .await?;
    assert_eq!(requests(&sink, "/gone").len(), before);
    // It is mended.
    sink.reset();
    let listed = folder.run(&["webhooks", "list", "--url", &host.client.url], "")?;
    assert!(String::from_utf8_lossy(&listed.stdout).contains("disabled"), "{}", String::from_utf8_lossy(&listed.stdout));
    let tried = folder.run(&["webhooks", "test", "gone", "--url", &host.client.url], "")?;
    assert!(tried.status.success(), "{}", String::from_utf8_lossy(&tried.stderr));
    let enabled = folder.run(&["webhooks", "enable", "gone", "--replay", "--url", &host.client.url], "")?;
    assert!(enabled.status.success(), "{}", String::from_utf8_lossy(&enabled.stderr));
    until("both came", async || {
        let bodies: String = requests(&sink, "/gone").iter().map(|request| request.body.clone()).collect();
        Ok(bodies.contains("\"number\":1") && bodies.contains("\"number\":2"))
    })
    .await?;
    until("that was told too", async || Ok(told("sangam.webhook.enabled").await? == 1)).await?;
    assert_eq!(webhook(&host.client, "gone").await?["state"], "ok");
    host.kill().await
}

#[tokio::test]
async fn a_new_secret_signs_beside_the_former_one() -> anyhow::Result<()> {
    if !subscribers::are_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let folder = folder(&sink, &["acme"], &endpoint("acme", ""))?;
    let host = folder.start().await?;
    let rotated = folder.run(&["webhooks", "rotate", "acme"], "")?;
    assert!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    let fresh = String::from_utf8(rotated.stdout)?.trim().to_owned();
    assert!(fresh.starts_with("whsec_") && fresh != FIRST);
    host.client.send_and_wait(&event("e1", "job.completed", json!({}))).await?;
    until("it came", async || Ok(requests(&sink, "/acme").len() == 1)).await?;
    let sent = requests(&sink, "/acme");
    for secret in [FIRST, &fresh] {
        assert!(subscribers::look("standard-webhooks", &sent, Some(secret))?[0].is_ok(), "both sign");
    }
    // With nothing kept only the new one does.
    let last = folder.run(&["webhooks", "rotate", "acme", "--keep", "0s"], "")?;
    let last = String::from_utf8(last.stdout)?.trim().to_owned();
    host.client.send_and_wait(&event("e2", "job.completed", json!({}))).await?;
    until("it came", async || Ok(requests(&sink, "/acme").len() == 2)).await?;
    let sent = &requests(&sink, "/acme")[1..];
    assert!(subscribers::look("standard-webhooks", sent, Some(&last))?[0].is_ok());
    assert!(subscribers::look("standard-webhooks", sent, Some(&fresh))?[0].is_err());
    let everything = host.client.get("/v1/webhooks").await?.text + &host.client.get("/v1/events").await?.text + &host.log();
    assert!(![FIRST, fresh.as_str(), last.as_str()].iter().any(|secret| everything.contains(&secret[6..])), "no secret is shown");
    host.kill().await
}

#[tokio::test]
async fn a_host_killed_in_the_middle_of_a_fan_out_loses_no_delivery_and_doubles_none() -> anyhow::Result<()> {
    let sink = sink().await?;
    let names = ["a", "b", "c", "d"];
    let webhooks: Vec<String> = names.iter().map(|name| endpoint(name, "")).collect();
    let folder = folder(&sink, &names, &webhooks.join("\n"))?;
    let host = folder.start().await?;
    for number in 0..5 {
        host.client.send(&event(&format!("e{number}"), "job.completed", json!({ "number": number }))).await?;
    }
    host.kill().await?;
    for at in ["settling", "settled", "intended", "answered:3", "recorded:2", "settled:9"] {
        let Some(mut host) = folder.start_armed(at).await? else { continue };
        // A point that is not passed any more: everything is done already.
        let died = tokio::time::timeout(Duration::from_secs(5), host.died()).await;
        if let Ok(died) = died {
            assert_eq!(died?, Some(9), "{at}");
        }
    }
    let host = folder.start().await?;
    let all_done = async || {
        let mut done = 0;
        for name in names {
            done += webhook(&host.client, name).await?["runs"]["succeeded"].as_u64().unwrap_or(0);
        }
        Ok(done == 20)
    };
    until("all deliveries are done", all_done).await?;
    for name in names {
        let sent = requests(&sink, &format!("/{name}"));
        let mut by_id: BTreeMap<&String, BTreeSet<&String>> = BTreeMap::new();
        for request in &sent {
            by_id.entry(&request.headers["webhook-id"]).or_default().insert(&request.body);
        }
        // What was in doubt came again under its id, and was the same: a subscriber knows it by that.
        assert_eq!(by_id.len(), 5, "{name}");
        assert!(by_id.values().all(|bodies| bodies.len() == 1), "{name}: the body of an id never changes");
        let mut order: Vec<Value> = sent
            .iter()
            .filter_map(|request| serde_json::from_str::<Value>(&request.body).ok())
            .map(|body| body["data"]["number"].clone())
            .collect();
        order.dedup();
        assert_eq!(order.len(), 5, "{name}: one after another, also over the crashes: {order:?}");
    }
    host.kill().await
}

#[tokio::test]
async fn a_route_for_everything_does_not_tell_of_what_it_tells() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = configuration(&sink.url(), &endpoint("all", "")).replace("{ type = \"job.*\" }", "{ type = \"*\" }");
    let folder = HostFolder::new(&text)?;
    folder.secret("all", FIRST)?;
    let host = folder.start().await?;
    host.client.send_and_wait(&event("e1", "job.completed", json!({}))).await?;
    until("it came", async || Ok(!requests(&sink, "/all").is_empty())).await?;
    until("nothing is under way", async || {
        let open = host.client.get("/v1/events?status=running").await?.json["events"].as_array().map_or(0, Vec::len);
        Ok(open + host.client.get("/v1/events?status=pending").await?.json["events"].as_array().map_or(0, Vec::len) == 0)
    })
    .await?;
    assert_eq!(requests(&sink, "/all").len(), 1);
    host.kill().await
}

#[tokio::test]
async fn private_addresses_and_redirects_are_out_of_reach() -> anyhow::Result<()> {
    let sink = sink().await?;
    let shut = endpoint("shut", "").replace("allow-private-addresses = [\"127.0.0.0/8\"]\n", "");
    let folder = folder(&sink, &["shut", "moved"], &[shut, endpoint("moved", "")].join("\n"))?;
    let location = format!("{}/elsewhere", sink.url());
    let moved = FaultAct::Status { status: 307, headers: [("location".to_owned(), location)].into(), body: String::new() };
    sink.fault(Fault { times: 1_000_000, ..Fault::once("/moved", moved) });
    let host = folder.start().await?;
    for (name, said) in [("shut", "loopback address"), ("moved", "redirects are not followed")] {
        let tried = host.client.post(&format!("/v1/webhooks/{name}/test"), &json!({})).await?;
        assert_eq!(tried.json["ok"], false, "{}", tried.text);
        assert!(tried.json["reason"].as_str().is_some_and(|reason| reason.contains(said)), "{}", tried.text);
    }
    assert!(requests(&sink, "/shut").is_empty() && requests(&sink, "/elsewhere").is_empty());
    host.kill().await
}
