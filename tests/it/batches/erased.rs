//! A person's data is erased while a run about it is in a batch with others' runs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use super::{FOUR, ROUTES, effects, ended, four, gather, once, sent};
use crate::personal::{nothing_is_left, until};
use crate::scene::{Scene, step};

const ANN: &str = "ann.oezdemir@acme.example";
/// The same step, tried once.
const ONCE: &str = r#"
[[routes]]
name = "once"
on = { type = "once" }
[[routes.steps]]
name = "run"
uses = "s.gather"
retry = { max-attempts = 1 }
"#;

/// A host whose next batch has no answer, and is done again in a while.
async fn scene() -> anyhow::Result<Scene> {
    let scene = Scene::granting(FOUR, &format!("{}{ONCE}", ROUTES.replace("10ms", "3s"))).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    Ok(scene)
}

/// Four events; that one is about Ann, and of that type.
fn events(scene: &Scene, anns: u32, kind: &str) -> Vec<Value> {
    let event = |id| {
        let mut event = gather(&scene.sink, id, json!({}));
        if id == anns {
            event["data"]["url"] = json!(format!("{}?who={ANN}", scene.url("/all")));
            event["type"] = json!(kind);
        }
        event
    };
    (1..=4).map(event).collect()
}

/// None of them is tried again.
fn all_once(mut events: Vec<Value>) -> Vec<Value> {
    for event in events.iter_mut().filter(|event| event["type"] == "gather") {
        event["type"] = json!("once");
    }
    events
}

async fn erase(scene: &Scene, path: &str, body: Value) -> anyhow::Result<String> {
    let asked = scene.client().post(path, &body).await?;
    ensure!(asked.status == 202, "{}", asked.text);
    Ok(asked.json["erasure"].as_str().context("an erasure has an id")?.to_owned())
}

/// The batch was done again as it was, and each id took effect once.
fn done_again(scene: &Scene) {
    let sent = sent(&scene.sink);
    assert_eq!((sent.len(), &sent[0].0), (2, &vec![1, 2, 3, 4]), "{sent:?}");
    assert_eq!(sent[0], sent[1]);
    assert_eq!(effects(&scene.sink), once(1..=4));
}

#[tokio::test]
async fn an_event_is_erased_when_those_in_a_batch_with_it_have_their_results() -> anyhow::Result<()> {
    // Its run is over, or is cancelled for the erasure.
    for (kind, status, cancel) in [("once", "dead", false), ("gather", "pending", true)] {
        let scene = scene().await?;
        let eids = four(scene.client(), &scene.sink, &events(&scene, 2, kind)).await?;
        let others = [eids[0].clone(), eids[2].clone(), eids[3].clone()];
        scene.client().until(&eids[1], status).await?;
        ended(scene.client(), &others, "pending").await?;
        let id = erase(&scene, &format!("/v1/events/{}/erase", eids[1]), json!({ "cancel": cancel })).await?;
        if cancel {
            scene.client().until(&eids[1], "cancelled").await?;
        }
        assert_eq!(until(scene.client(), &id, "waiting").await?["waits_for"], json!([eids[1]]));
        ensure!(sent(&scene.sink).len() == 1, "too late: the batch was done again");
        ended(scene.client(), &others, "succeeded").await?;
        done_again(&scene);
        until(scene.client(), &id, "done").await?;
        nothing_is_left(&scene.folder, &[ANN])?;
    }
    Ok(())
}

#[tokio::test]
async fn a_person_whose_data_stands_in_the_request_for_all_is_erased_in_all_runs_of_the_batch() -> anyhow::Result<()> {
    let scene = scene().await?;
    // The request goes to the address that the first one says.
    let eids = four(scene.client(), &scene.sink, &events(&scene, 1, "once")).await?;
    scene.client().until(&eids[0], "dead").await?;
    ended(scene.client(), &eids[1..], "pending").await?;
    let id = erase(&scene, "/v1/data/erase", json!({ "subjects": [ANN] })).await?;
    until(scene.client(), &id, "waiting").await?;
    for document in ended(scene.client(), &eids[1..], "succeeded").await? {
        assert_eq!(step(&document, "run")?["attempts"].as_array().map(Vec::len), Some(2));
    }
    done_again(&scene);
    until(scene.client(), &id, "done").await?;
    nothing_is_left(&scene.folder, &[ANN])
}

#[tokio::test]
async fn a_batch_that_nobody_waits_for_goes_with_what_it_has_of_an_erased_event() -> anyhow::Result<()> {
    let scene = scene().await?;
    let eids = four(scene.client(), &scene.sink, &all_once(events(&scene, 2, "once"))).await?;
    ended(scene.client(), &eids, "dead").await?;
    let id = erase(&scene, &format!("/v1/events/{}/erase", eids[1]), json!({})).await?;
    until(scene.client(), &id, "done").await?;
    nothing_is_left(&scene.folder, &[ANN])?;
    // Nobody can tell any more whether this one was done.
    let replay = async |wish: Value| scene.client().post(&format!("/v1/events/{}/replay", eids[2]), &wish).await;
    ensure!(replay(json!({})).await?.status == 200);
    let refused = async {
        loop {
            let document = scene.client().until(&eids[2], "dead").await?;
            if document["runs"].as_array().map(Vec::len) == Some(2) {
                return anyhow::Ok(document);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let dead = tokio::time::timeout(Duration::from_secs(30), refused).await??;
    let reason = dead["status_reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("its batch is gone: personal data of one of the runs in it was erased"), "{reason}");
    assert_eq!(sent(&scene.sink).len(), 1);
    // A person who has looked may have it done.
    ensure!(replay(json!({ "keys": "new" })).await?.status == 200);
    let done = scene.client().until(&eids[2], "succeeded").await?;
    assert_eq!(step(&done, "run")?["output"]["id"], 3);
    Ok(())
}
