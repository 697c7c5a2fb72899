//! A person's data is erased while a run about it is in a batch with others' runs.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use sangam_tests::{Client, Hand, TestStore, postgres};
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

/// The erasure says which run it waits for: one of these events.
async fn says_who_waits(client: &Client, id: &str, eids: &[String]) -> anyhow::Result<()> {
    let mut runs = Vec::new();
    for eid in eids {
        let run = client.event(eid).await?["runs"][0]["id"].as_str().context("a run has an id")?.to_owned();
        runs.push(format!("run {run} waits for the result of a batch that some of the data stands in"));
    }
    let look = async {
        loop {
            let erasure = client.get(&format!("/v1/data/erasures/{id}")).await?.json;
            ensure!(erasure["state"] != "done", "{erasure}");
            if let Some(note) = erasure["note"].as_str() {
                ensure!(runs.iter().any(|run| note.starts_with(run)), "{note}");
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), look).await.context("it does not say whom it waits for")?
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
        says_who_waits(scene.client(), &id, &others).await?;
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
async fn what_a_batch_keeps_of_an_event_that_is_gone_is_erased_as_well() -> anyhow::Result<()> {
    let on = |kind: &str| format!("on = {{ type = \"{kind}\" }}\n");
    let routes = ROUTES.replace("10ms", "20h").replace(&on("gather"), &format!("{}deadline = \"90d\"\n", on("gather")));
    let once = ONCE.replace(&on("once"), &format!("{}retention = \"1h\"\ndead-letter-retention = \"1h\"\n", on("once")));
    let scene = Scene::granting(FOUR, &format!("{routes}{once}")).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &events(&scene, 2, "once")).await?;
    let others = [eids[0].clone(), eids[2].clone(), eids[3].clone()];
    scene.client().until(&eids[1], "dead").await?;
    ended(scene.client(), &others, "pending").await?;
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "3h")]).await?;
    let scene = Scene { sink, folder, host };
    let removed = async {
        while scene.client().get(&format!("/v1/events/{}", eids[1])).await?.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), removed).await.context("the event was not removed")??;
    // The others need the whole batch yet.
    let id = erase(&scene, "/v1/data/erase", json!({ "subjects": [ANN] })).await?;
    says_who_waits(scene.client(), &id, &others).await?;
    for eid in &others {
        ensure!(scene.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?.status == 200);
    }
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

/// Another host of the same database takes a batch up, and ends its transaction when one of the first host waits for it.
#[tokio::test]
async fn a_batch_that_is_taken_up_just_as_it_is_to_be_erased_stays() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let scene = Scene::on(TestStore::Postgres, FOUR, &format!("{ROUTES}{ONCE}")).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &all_once(events(&scene, 2, "once"))).await?;
    ended(scene.client(), &eids, "dead").await?;
    let (mut other, mut eye) = (Hand::into(&scene.folder).await?, Hand::into(&scene.folder).await?);
    other.run("begin; update batch set calls = calls + 1").await?;
    other.run(&format!("update run set status = 'pending', ended_at = null where eid = '{}'", eids[2])).await?;
    let id = erase(&scene, &format!("/v1/events/{}/erase", eids[1]), json!({})).await?;
    let waits = async {
        let held = "select pid::text from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
        while eye.texts(held).await?.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(20), waits).await.context("the erasure does not wait for the batch")??;
    other.run("commit").await?;
    says_who_waits(scene.client(), &id, &eids[2..3]).await?;
    assert_eq!(eye.texts("select id from batch").await?.len(), 1);
    other.run(&format!("update run set status = 'dead', ended_at = created_at where eid = '{}'", eids[2])).await?;
    until(scene.client(), &id, "done").await?;
    assert_eq!(eye.texts("select id from batch").await?.len(), 0);
    Ok(())
}
