//! The action `gather` of the guest `scripted`: runs that wait together are one call, and each has its own result.

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{Scene, event, outcomes, step};

/// Runs that go together.
const FOUR: usize = 4;
/// Granted to `s`. They wait for each other as long as a call is under way.
pub const GRANTS: &str = "batch = { most = 4, gather = \"5s\" }";
/// To the action.
pub const ROUTE: &str = r#"
[[routes]]
name = "gather"
on = { type = "gather" }
[[routes.steps]]
name = "run"
uses = "s.gather"
retry = { max-attempts = 3, initial = "10ms", factor = 1, jitter = 0 }
"#;

/// Sends one whose answer takes a while, and these meanwhile; gives their eids.
async fn meanwhile(scene: &Scene, path: &str, more: &[Value; FOUR]) -> anyhow::Result<Vec<String>> {
    let first = format!("{path}/first");
    scene.fault(&first, FaultAct::Delay { ms: 1500 }, 1);
    scene.client().send(&event(&first, "gather", json!({ "url": scene.url(&first), "id": 0 }))).await?;
    scene.arrived(&first).await?;
    let mut eids = Vec::new();
    for (id, more) in (1..).zip(more) {
        let mut data = json!({ "url": scene.url(path), "id": id });
        data.as_object_mut().context("an object")?.extend(more.as_object().cloned().unwrap_or_default());
        eids.push(scene.client().send(&event(&format!("{path}/{id}"), "gather", data)).await?);
    }
    Ok(eids)
}

/// The ids of each request.
fn sent(scene: &Scene, path: &str) -> Vec<Vec<u64>> {
    let ids = |body: &str| {
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        let mut ids: Vec<u64> = body["ids"].as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        ids.sort_unstable();
        ids
    };
    scene.requests(path).iter().map(|request| ids(&request.body)).collect()
}

/// One call for four runs: two succeed, one fails for good and one for now.
pub async fn together(scene: &Scene) -> anyhow::Result<()> {
    let more = [json!({ "emit": "fed.gathered" }), json!({ "kind": "rejected" }), json!({ "kind": "retry", "on": [1] }), json!({})];
    let eids = meanwhile(scene, "/together", &more).await?;
    let mut keys = Vec::new();
    for (place, eid) in eids.iter().enumerate() {
        let dead = place == 1;
        let document = scene.client().until(eid, if dead { "dead" } else { "succeeded" }).await?;
        let run = step(&document, "run")?;
        let attempt = &run["attempts"][0];
        ensure!(attempt["effects"][0]["batch"]["runs"] == FOUR, "it went alone: {attempt:#}");
        // A line that names an invocation is that run's alone.
        let lines = attempt["logs"].as_array().context("lines")?;
        let ids: Vec<&Value> = lines.iter().map(|line| &line["fields"]["id"]).collect();
        ensure!(ids == [&json!((place + 1).to_string())], "lines of run {place}: {lines:?}");
        if dead {
            ensure!(run["error"]["kind"] == "rejected" && run["error"]["reason"] == "as it was told", "{run:#}");
            continue;
        }
        let output = &run["output"];
        let (ends, with, tried) = if place == 2 { (vec!["retry", "succeeded"], 1, 2) } else { (vec!["succeeded"], FOUR, 1) };
        ensure!(outcomes(&document, "run")? == ends, "attempts of run {place}: {:?}", outcomes(&document, "run")?);
        ensure!(output["id"] == place + 1 && output["with"] == with && output["attempt"] == tried, "output of run {place}: {output}");
        keys.push(output["key"].as_str().context("a key")?.to_owned());
    }
    keys.sort();
    keys.dedup();
    ensure!(keys.len() == 3, "each has the key of its own step: {keys:?}");
    let sent = sent(scene, "/together");
    ensure!(sent == [vec![1, 2, 3, 4], vec![3]], "whoever succeeded is never sent again: {sent:?}");
    let emitted = scene.client().get("/v1/events?type=fed.gathered").await?.json;
    let data: Vec<&Value> = emitted["events"].as_array().into_iter().flatten().map(|event| &event["event"]["data"]["id"]).collect();
    ensure!(data == [&json!(1)], "brought in: {emitted:#}");
    Ok(())
}

/// What ends the call ends each of them, the same way.
pub async fn refused(scene: &Scene) -> anyhow::Result<()> {
    scene.fault("/ended", FaultAct::Status { status: 422, headers: [].into(), body: "no such colour".into() }, 1);
    for eid in meanwhile(scene, "/ended", &std::array::from_fn(|_| json!({}))).await? {
        let document = scene.client().until(&eid, "dead").await?;
        let error = &step(&document, "run")?["error"];
        ensure!(outcomes(&document, "run")? == ["rejected"], "{:?}", outcomes(&document, "run")?);
        ensure!(error["details"].to_string().contains("no such colour"), "details: {}", error["details"]);
    }
    ensure!(sent(scene, "/ended") == [[1, 2, 3, 4]], "sent: {:?}", sent(scene, "/ended"));
    Ok(())
}
