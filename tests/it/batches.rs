//! Actions that take several runs at once: one call for those that wait together, and to each its own result.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::Client;
use serde_json::{Value, json};

use crate::scene::{Scene, event, outcomes, step};

mod cancelled;
mod erased;
mod killed;
mod reloaded;
mod tried;
mod undone;

const ROUTES: &str = r#"
[[routes]]
name = "gather"
on = { type = "gather" }
[[routes.steps]]
name = "run"
uses = "s.gather"
retry = { max-attempts = 5, initial = "10ms", factor = 1, jitter = 0 }
[[routes]]
name = "together"
on = { type = "together" }
[[routes.steps]]
name = "run"
uses = "m.together"
retry = { max-attempts = 5, initial = "10ms", factor = 1, jitter = 0 }
"#;
/// Four go together, and wait for each other as long as a call is under way.
const FOUR: &str = "batch = { most = 4, gather = \"5s\" }\nemits = [\"gathered\"]\nconcurrency = 2";

/// An id to be sent to that address, with more to say about it.
fn gather(sink: &Stand, id: u32, more: Value) -> Value {
    let mut data = json!({ "url": format!("{}/all", sink.url()), "id": id });
    data.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
    event(&id.to_string(), "gather", data)
}

/// Holds a call of the plugin for a while, so that what comes meanwhile goes together; gives the eids of these four.
async fn four(client: &Client, sink: &Stand, events: &[Value]) -> anyhow::Result<Vec<String>> {
    assert_eq!(events.len(), 4);
    behind(client, sink, &gather(sink, 0, json!({ "url": format!("{}/first", sink.url()) })), events, 1500).await
}

/// Sends events while the call for a first one, to `/first`, is held for so many milliseconds; gives their eids.
async fn behind(client: &Client, sink: &Stand, first: &Value, events: &[Value], ms: u64) -> anyhow::Result<Vec<String>> {
    sink.fault(Fault::once("/first", FaultAct::Delay { ms }));
    client.send(first).await?;
    let arrived = async {
        while !sink.requests().iter().any(|request| request.path == "/first") {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), arrived).await.context("the first never left")?;
    let mut eids = Vec::with_capacity(events.len());
    for event in events {
        eids.push(client.send(event).await?);
    }
    Ok(eids)
}

/// The ids of each request, with its key.
fn sent(sink: &Stand) -> Vec<(Vec<u64>, String)> {
    let requests = sink.requests().into_iter().filter(|request| request.path.split('?').next() == Some("/all"));
    let ids = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let mut ids: Vec<u64> = body["ids"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        ids.sort_unstable();
        ids
    };
    requests.map(|request| (ids(&request.body), request.headers.get("idempotency-key").cloned().unwrap_or_default())).collect()
}

/// How often each id took effect at the sink: in requests that it did, and did not recognise as repetitions.
fn effects(sink: &Stand) -> BTreeMap<u64, usize> {
    let state = sink.state();
    let done = state["effects"].as_array().into_iter().flatten().filter(|effect| effect["path"] == "/all");
    let mut effects = BTreeMap::new();
    for id in done.flat_map(|effect| effect["body"]["ids"].as_array().into_iter().flatten()).filter_map(Value::as_u64) {
        *effects.entry(id).or_insert(0) += 1;
    }
    effects
}

/// Waits until requests to `/all` are so many.
async fn arrivals(sink: &Stand, count: usize) -> anyhow::Result<()> {
    let look = async {
        while sent(sink).len() < count {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.with_context(|| format!("{:?}", sent(sink)))
}

/// Effects of these ids, each once.
fn once(ids: impl IntoIterator<Item = u64>) -> BTreeMap<u64, usize> {
    ids.into_iter().map(|id| (id, 1)).collect()
}

async fn ended(client: &Client, eids: &[String], status: &str) -> anyhow::Result<Vec<Value>> {
    let mut documents = Vec::new();
    for eid in eids {
        documents.push(client.until(eid, status).await?);
    }
    Ok(documents)
}

#[tokio::test]
async fn runs_that_wait_together_are_one_call_and_each_has_its_own_result() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    let events: Vec<Value> = (1..=4).map(|id| gather(&scene.sink, id, json!({ "emit": "gathered" }))).collect();
    let eids = four(scene.client(), &scene.sink, &events).await?;
    let documents = ended(scene.client(), &eids, "succeeded").await?;
    assert_eq!(sent(&scene.sink).iter().map(|(ids, _)| ids.clone()).collect::<Vec<_>>(), [[1, 2, 3, 4]]);
    let mut step_keys = Vec::new();
    for (id, document) in (1..).zip(&documents) {
        let step = step(document, "run")?;
        assert_eq!((&step["output"]["id"], &step["output"]["with"], &step["output"]["attempt"]), (&json!(id), &json!(4), &json!(1)));
        step_keys.push(step["output"]["key"].as_str().context("a key")?.to_owned());
        let attempt = &step["attempts"][0];
        let [batch, request] = [&attempt["effects"][0], &attempt["effects"][1]];
        assert_eq!((&batch["kind"], &batch["state"], &batch["batch"]["runs"]), (&json!("batch"), &json!("done"), &json!(4)));
        assert_eq!((&request["name"], &request["state"], &request["batch"]), (&json!("all"), &json!("done"), &batch["batch"]));
        // A line that names an invocation is that run's alone.
        let lines = attempt["logs"].as_array().context("lines")?;
        let ids: Vec<&Value> = lines.iter().map(|line| &line["fields"]["id"]).collect();
        assert_eq!(ids, [&json!(id.to_string())]);
    }
    step_keys.sort();
    step_keys.dedup();
    assert_eq!(step_keys.len(), 4, "each has the key of its own step");
    let emitted = scene.client().get("/v1/events?type=gathered").await?.json;
    assert_eq!(emitted["events"].as_array().map(Vec::len), Some(4));
    let metrics = scene.client().get("/metrics").await?.text;
    for line in ["sangam_batches_total{plugin=\"s\",action=\"gather\"} 1", "sangam_batched_runs_total{plugin=\"s\",action=\"gather\"} 4"] {
        assert!(metrics.contains(line), "{line}\n{metrics}");
    }
    // The journal has each one's result: a replay from the start sends nothing.
    let replayed = scene.client().post(&format!("/v1/events/{}/replay", eids[0]), &json!({ "route": "gather", "from": "start" })).await?;
    ensure!(matches!(replayed.status, 200 | 202), "{}", replayed.text);
    let again = scene.client().until(&eids[0], "succeeded").await?;
    let again = step(&again, "run")?;
    assert_eq!((&again["output"]["id"], &again["attempts"][0]["effects"][0]["replayed"]), (&json!(1), &json!(true)), "{again:#}");
    assert_eq!(sent(&scene.sink).len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_run_that_fails_goes_on_without_those_that_succeeded() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    let more = [json!({}), json!({ "kind": "rejected" }), json!({ "kind": "retry", "on": [1] }), json!({})];
    let events: Vec<Value> = (1..).zip(more).map(|(id, more)| gather(&scene.sink, id, more)).collect();
    let eids = four(scene.client(), &scene.sink, &events).await?;
    let dead = scene.client().until(&eids[1], "dead").await?;
    assert_eq!(step(&dead, "run")?["error"]["kind"], "rejected");
    let done = [eids[0].clone(), eids[2].clone(), eids[3].clone()];
    let documents = ended(scene.client(), &done, "succeeded").await?;
    assert_eq!(outcomes(&documents[1], "run")?, ["retry", "succeeded"]);
    assert_eq!(outcomes(&documents[0], "run")?, ["succeeded"]);
    let sent: Vec<Vec<u64>> = sent(&scene.sink).into_iter().map(|(ids, _)| ids).collect();
    assert_eq!(sent, [vec![1, 2, 3, 4], vec![3]], "whoever succeeded is never sent again");
    Ok(())
}

#[tokio::test]
async fn a_batch_in_doubt_comes_again_whole_and_under_its_key() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    scene.answer("/all", 503, 1);
    let events: Vec<Value> = (1..=4).map(|id| gather(&scene.sink, id, json!({}))).collect();
    let eids = four(scene.client(), &scene.sink, &events).await?;
    let documents = ended(scene.client(), &eids, "succeeded").await?;
    let sent = sent(&scene.sink);
    assert_eq!(sent.len(), 3, "{sent:?}");
    assert!(sent.iter().all(|one| *one == sent[0]), "the same members, the same key: {sent:?}");
    assert_eq!(effects(&scene.sink), (1..=4).map(|id| (id, 1)).collect());
    let doubtful = documents.iter().any(|document| document["runs"][0]["steps"][0]["attempts"][0]["effects"][0]["state"] == "in-doubt");
    assert!(doubtful, "{documents:#?}");
    for document in &documents {
        let repeated = step(document, "run")?["output"]["attempt"].as_u64().context("an attempt")?;
        assert!(repeated > 1, "an action is told that it is not the first time");
    }
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_answers_wrong_fails_all_and_then_each_goes_alone() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    let client = scene.client();
    for how in ["few", "many", "trap"] {
        let path = format!("/{how}");
        scene.fault(&path, FaultAct::Delay { ms: 700 }, 1);
        // While its call is under way, what comes goes together.
        client.send(&event(&format!("{how}-first"), "together", json!({ "url": scene.url(&path) }))).await?;
        scene.arrived(&path).await?;
        let mut eids = Vec::new();
        for id in 0..4 {
            eids.push(client.send(&event(&format!("{how}-{id}"), "together", json!({ "how": how, "id": id }))).await?);
        }
        for (id, document) in ended(client, &eids, "succeeded").await?.iter().enumerate() {
            assert_eq!(outcomes(document, "run")?, ["trap", "succeeded"], "{how}");
            assert_eq!(step(document, "run")?["output"]["inputs"], json!([{ "how": how, "id": id }]), "{how}: alone it sees itself alone");
        }
    }
    Ok(())
}
