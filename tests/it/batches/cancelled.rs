//! One run of a batch is cancelled: the others go on, and what it did with them stays done.

use anyhow::ensure;
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use super::{FOUR, ROUTES, arrivals, behind, effects, ended, four, gather, once, sent};
use crate::scene::{Scene, step};

fn events(scene: &Scene) -> Vec<Value> {
    (1..=4).map(|id| gather(&scene.sink, id, json!({}))).collect()
}

async fn cancel(scene: &Scene, eid: &str) -> anyhow::Result<()> {
    let cancelled = scene.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    ensure!(cancelled.status == 200, "{}", cancelled.text);
    Ok(())
}

/// All but the one at a place.
fn others(eids: &[String], place: usize) -> Vec<String> {
    eids.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, eid)| eid.clone()).collect()
}

/// Replays a run that was cancelled: the journal has its result, and nothing is sent.
async fn has_its_result(scene: &Scene, eid: &str, id: u64) -> anyhow::Result<()> {
    let before = sent(&scene.sink).len();
    assert_eq!(scene.client().event(eid).await?["status"], "cancelled");
    let replayed = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "gather" })).await?;
    ensure!(replayed.status == 200, "{}", replayed.text);
    let document = scene.client().until(eid, "succeeded").await?;
    let step = step(&document, "run")?;
    assert_eq!((&step["output"]["id"], &step["attempts"][0]["effects"][0]["replayed"]), (&json!(id), &json!(true)), "{step:#}");
    assert_eq!(sent(&scene.sink).len(), before);
    Ok(())
}

#[tokio::test]
async fn a_run_cancelled_before_its_batch_begins_takes_no_other_with_it() -> anyhow::Result<()> {
    // The one that came first would do the batch.
    for place in [0, 1] {
        let scene = Scene::granting(FOUR, ROUTES).await?;
        let first = gather(&scene.sink, 0, json!({ "url": scene.url("/first") }));
        // Three wait for a fourth, as long as the call before them is under way.
        let eids = behind(scene.client(), &scene.sink, &first, &events(&scene)[..3], 2500).await?;
        cancel(&scene, &eids[place]).await?;
        ensure!(scene.effects("/first") == 0, "they no longer waited");
        ended(scene.client(), &others(&eids, place), "succeeded").await?;
        assert_eq!(effects(&scene.sink), once((1..=3).filter(|id| *id != place as u64 + 1)));
    }
    Ok(())
}

#[tokio::test]
async fn a_run_cancelled_during_its_batch_has_its_result_all_the_same() -> anyhow::Result<()> {
    // The one that does the batch, and another.
    for place in [0, 3] {
        let scene = Scene::granting(FOUR, ROUTES).await?;
        scene.fault("/all", FaultAct::Delay { ms: 1000 }, 1);
        let eids = four(scene.client(), &scene.sink, &events(&scene)).await?;
        arrivals(&scene.sink, 1).await?;
        cancel(&scene, &eids[place]).await?;
        for document in ended(scene.client(), &others(&eids, place), "succeeded").await? {
            assert_eq!(step(&document, "run")?["output"]["with"], 4);
        }
        assert_eq!((sent(&scene.sink).len(), effects(&scene.sink)), (1, once(1..=4)));
        has_its_result(&scene, &eids[place], place as u64 + 1).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cancelled_run_stays_in_a_batch_in_doubt() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, &ROUTES.replace("10ms", "2s")).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &events(&scene)).await?;
    ended(scene.client(), &eids, "pending").await?;
    cancel(&scene, &eids[1]).await?;
    ended(scene.client(), &others(&eids, 1), "succeeded").await?;
    let sent = sent(&scene.sink);
    // Without it the same key would stand for something else.
    assert_eq!((sent.len(), &sent[0].0), (2, &vec![1, 2, 3, 4]));
    assert_eq!(sent[0], sent[1]);
    assert_eq!(effects(&scene.sink), once(1..=4));
    has_its_result(&scene, &eids[1], 2).await
}
