//! `repeat`: rounds, each durable and with keys of its own, until something is so.

use std::time::Duration;

use anyhow::Context as _;
use sangam_saas::FaultAct;
use sangam_tests::HostFolder;
use serde_json::{Value, json};

use crate::scene::{Scene, configuration, event, sink, step};

/// A step that writes its round, and one after it.
fn repeating(repeat: &str) -> String {
    format!(
        r#"
[[routes]]
name = "r"
on = {{ type = "t" }}
deadline = "1h"
[[routes.steps]]
name = "look"
uses = "s.run"
with = {{ lines = [{{ do = "fetch", kind = "read", whatever = true, url = "{{sink}}/look" }}] }}
[[routes.steps]]
name = "chase"
uses = "s.run"
retry = {{ max-attempts = 3, initial = "10ms", factor = 1, jitter = 0 }}
with = {{ lines = [{{ do = "write", name = "w", url = "{{sink}}/chase", body = "round ${{ .round }}" }}] }}
repeat = {repeat}
[[routes.steps]]
name = "after"
uses = "s.run"
with = {{ lines = [{{ do = "write", name = "w", url = "{{sink}}/after", body = "${{ [.steps.chase.rounds, .steps.chase.exhausted, .steps.chase.stopped_by.id] }}" }}] }}
"#
    )
}

fn bodies(scene: &Scene, path: &str) -> Vec<Value> {
    let state = scene.sink.state();
    let effects = state["effects"].as_array().cloned().unwrap_or_default();
    effects.iter().filter(|effect| effect["path"] == path).map(|effect| effect["body"].clone()).collect()
}

async fn until_round(scene: &Scene, eid: &str, rounds: u64) -> anyhow::Result<Value> {
    let look = async {
        loop {
            let document = scene.client().event(eid).await?;
            if step(&document, "chase")?["rounds"].as_u64() >= Some(rounds) && document["status"] == "waiting" {
                return anyhow::Ok(document);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.with_context(|| format!("round {rounds} never ended"))?
}

#[tokio::test]
async fn rounds_have_inputs_and_keys_of_their_own_until_there_are_no_more() -> anyhow::Result<()> {
    let scene = Scene::start(&repeating(r#"{ until = "false", every = "1s", max = 3 }"#)).await?;
    // A retry within a round has the round's key.
    scene.answer("/chase", 503, 1);
    let document = scene.client().send_and_wait(&event("1", "t", json!({}))).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    assert_eq!(bodies(&scene, "/chase"), ["round 0", "round 1", "round 2"]);
    let keys = scene.keys("/chase");
    assert_eq!((keys.len(), &keys[0], keys[1] != keys[2], keys[2] != keys[3]), (4, &keys[1], true, true), "{keys:?}");
    let chase = step(&document, "chase")?;
    assert_eq!((&chase["rounds"], &chase["exhausted"]), (&json!(3), &json!(true)));
    assert_eq!(chase["attempts"].as_array().map(Vec::len), Some(4), "all rounds' attempts, numbered on");
    assert_eq!(bodies(&scene, "/after"), [json!([3, true, null])]);
    Ok(())
}

#[tokio::test]
async fn a_repetition_ends_when_it_has_what_it_was_for() -> anyhow::Result<()> {
    let scene = Scene::start(&repeating(
        r#"{ until = ".round == 1 and .output.results[0].received > 0 and .event.id == \"1\"", every = "1s", max = 9 }"#,
    ))
    .await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({}))).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    assert_eq!(bodies(&scene, "/chase").len(), 2);
    assert_eq!(step(&document, "chase")?["exhausted"], false);
    Ok(())
}

#[tokio::test]
async fn an_event_between_two_rounds_ends_a_repetition() -> anyhow::Result<()> {
    let routes = repeating(r#"{ every = "1h", max = 9, event = { type = "paid", where = ".run.event.id == .event.data.of" } }"#);
    let scene = Scene::start(&routes).await?;
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    let document = until_round(&scene, &eid, 1).await?;
    assert_eq!(step(&document, "chase")?["waits"]["events"], json!(["paid"]));
    scene.client().send(&event("another's", "paid", json!({ "of": "2" }))).await?;
    scene.client().send(&event("mine", "paid", json!({ "of": "1" }))).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(step(&document, "chase")?["stopped_by"]["id"], "mine");
    assert_eq!(bodies(&scene, "/after"), [json!([1, false, "mine"])]);
    // One that comes while the round is under way ends it too.
    scene.fault("/chase", FaultAct::Delay { ms: 700 }, 1);
    let eid = scene.client().send(&event("3", "t", json!({}))).await?;
    let look = async {
        while scene.requests("/chase").len() < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await?;
    scene.client().send(&event("early", "paid", json!({ "of": "3" }))).await?;
    scene.client().until(&eid, "succeeded").await?;
    assert_eq!(bodies(&scene, "/chase").len(), 2, "one round each");
    Ok(())
}

#[tokio::test]
async fn what_is_looked_at_again_before_a_round_can_end_it() -> anyhow::Result<()> {
    let routes = repeating(r#"{ every = "2s", max = 9, look = ["look"], until = ".steps.look.output.results[0].status == 203" }"#);
    let scene = Scene::start(&routes).await?;
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    until_round(&scene, &eid, 1).await?;
    assert_eq!(scene.requests("/look").len(), 1);
    until_round(&scene, &eid, 2).await?;
    let looked = scene.requests("/look").len();
    assert_eq!(looked, 2, "it looks before each further round");
    scene.answer("/look", 203, 9);
    let document = scene.client().until(&eid, "succeeded").await?;
    let written = bodies(&scene, "/chase").len();
    assert!(written <= 3 && scene.requests("/look").len() > looked, "no round after it was so: {written}");
    assert_eq!(step(&document, "chase")?["exhausted"], false, "{document:#}");
    Ok(())
}

#[tokio::test]
async fn rounds_of_days_survive_kills_between_them() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", &repeating(r#"{ until = "false", every = "3d", max = 3 }"#)))?;
    let host = folder.start().await?;
    let eid = host.client.send(&event("1", "t", json!({}))).await?;
    let document = host.client.until(&eid, "waiting").await?;
    assert!(document["status_reason"].as_str().is_some_and(|why| why.contains("round 2 of it comes at")), "{document:#}");
    host.kill().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "4d")]).await?;
    let look = async {
        loop {
            let document = host.client.event(&eid).await?;
            // Asleep again: a round that is under way is running time, and eight days are beyond the deadline.
            if step(&document, "chase")?["rounds"] == 2 && document["status"] == "waiting" {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.context("the second round never came")??;
    assert_eq!(sink.state()["by_path"]["/chase"], 2);
    host.kill().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "8d")]).await?;
    let document = host.client.until(&eid, "succeeded").await?;
    assert_eq!(sink.state()["by_path"]["/chase"], 3, "{document:#}");
    host.terminate().await?;
    Ok(())
}

#[tokio::test]
async fn a_replay_goes_on_with_the_round_that_failed_and_an_undo_undoes_them_all() -> anyhow::Result<()> {
    let routes = repeating(r#"{ until = "false", every = "1s", max = 3 }"#);
    let scene = Scene::start(&routes).await?;
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    until_round(&scene, &eid, 1).await?;
    scene.answer("/chase", 404, 1);
    scene.client().until(&eid, "dead").await?;
    scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(bodies(&scene, "/chase"), ["round 0", "round 1", "round 2"], "{document:#}");
    let saga = r#"
[[routes]]
name = "saga"
on = { type = "saga" }
[[routes.steps]]
name = "chase"
uses = "s.act"
with = { lines = [{ do = "write", name = "w", url = "{sink}/saga", body = "${ .round }" }], undo = [{ do = "write", name = "u", url = "{sink}/undo" }] }
repeat = { until = "false", every = "1s", max = 2 }
[[routes.steps]]
name = "fails"
uses = "s.act"
on-failure = "undo"
with = { lines = [{ do = "fail", kind = "rejected", key = "no" }], undo = [] }
"#;
    scene.change("", saga).await?;
    let document = scene.client().send_and_wait(&event("2", "saga", json!({}))).await?;
    assert_eq!((&document["status"], &document["runs"][0]["undone"]), (&json!("dead"), &json!(true)), "{document:#}");
    let undo = &step(&document, "chase")?["undo"];
    assert_eq!(undo["input"]["effects"].as_array().map(Vec::len), Some(2), "the writes of both rounds: {undo:#}");
    assert_eq!(scene.effects("/undo"), 1);
    Ok(())
}
