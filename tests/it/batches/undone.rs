//! Routes that undo, and actions that take several runs at once.

use anyhow::ensure;
use serde_json::{Value, json};

use super::{FOUR, behind, effects, ended, once, sent};
use crate::scene::{Scene, event, step};

/// A step that could go together, and one behind it that turns the run back.
const SAGA: &str = r#"
[[routes]]
name = "saga"
on = { type = "saga" }
[[routes.steps]]
name = "run"
uses = "s.collect"
with = { url = "{sink}/all", id = "${ .event.data.id }" }
[[routes.steps]]
name = "last"
uses = "s.run"
on-failure = "undo"
with = { lines = [{ do = "write", name = "w", url = "{sink}/last/${ .event.data.id }" }] }
[[routes]]
name = "hold"
on = { type = "hold" }
[[routes.steps]]
name = "run"
uses = "s.collect"
"#;

/// Four runs of the route that come while a call of the action is under way; gives their eids.
async fn four(scene: &Scene) -> anyhow::Result<Vec<String>> {
    let first = event("first", "hold", json!({ "url": scene.url("/first"), "id": 0 }));
    let events: Vec<Value> = (1..=4).map(|id| event(&id.to_string(), "saga", json!({ "id": id }))).collect();
    behind(scene.client(), &scene.sink, &first, &events, 1500).await
}

async fn others_succeed(scene: &Scene, eids: &[String]) -> anyhow::Result<()> {
    ended(scene.client(), &[eids[0].clone(), eids[2].clone(), eids[3].clone()], "succeeded").await?;
    Ok(())
}

/// Of which ids what was done was taken back.
fn undone(scene: &Scene) -> Vec<Value> {
    let bodies = scene.requests("/all/undone").into_iter().map(|request| serde_json::from_str::<Value>(&request.body).unwrap_or_default());
    bodies.map(|body| body["ids"].clone()).collect()
}

async fn replay(scene: &Scene, eid: &str) -> anyhow::Result<()> {
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn what_may_have_to_be_undone_goes_alone_and_is_undone_alone() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, SAGA).await?;
    scene.answer("/last/2", 404, 1);
    let eids = four(&scene).await?;
    let dead = scene.client().until(&eids[1], "dead").await?;
    others_succeed(&scene, &eids).await?;
    let mut sent: Vec<Vec<u64>> = sent(&scene.sink).into_iter().map(|(ids, _)| ids).collect();
    sent.sort();
    assert_eq!(sent, [[1], [2], [3], [4]]);
    assert_eq!((undone(&scene), effects(&scene.sink)), (vec![json!([2])], once(1..=4)));
    let run = step(&dead, "run")?;
    assert_eq!((&dead["runs"][0]["undone"], &run["status"]), (&json!(true), &json!("undone")), "{dead:#}");
    assert_eq!(run["undo"]["output"], json!({ "output": run["output"], "effects": ["done"] }));
    Ok(())
}

#[tokio::test]
async fn what_declares_no_undo_goes_together_stays_and_is_named() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, &SAGA.replace("s.collect", "s.gather")).await?;
    scene.answer("/last/2", 404, 1);
    let eids = four(&scene).await?;
    let dead = scene.client().until(&eids[1], "dead").await?;
    others_succeed(&scene, &eids).await?;
    assert_eq!(sent(&scene.sink).into_iter().map(|(ids, _)| ids).collect::<Vec<_>>(), [[1, 2, 3, 4]]);
    let reason = dead["status_reason"].as_str().unwrap_or_default();
    ensure!(reason.contains("step run has effects, and s.gather declares no undo action"), "{reason}");
    assert_eq!((&dead["runs"][0]["undone"], &step(&dead, "run")?["status"]), (&json!(false), &json!("succeeded")));
    // What stays is done: the replay keeps it.
    replay(&scene, &eids[1]).await?;
    scene.client().until(&eids[1], "succeeded").await?;
    assert_eq!(effects(&scene.sink), once(1..=4));
    Ok(())
}

#[tokio::test]
async fn what_was_done_together_before_its_route_undid_is_undone_for_one_run_and_done_afresh_alone() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, &SAGA.replace("on-failure = \"undo\"\n", "")).await?;
    scene.answer("/last/2", 404, 2);
    let eids = four(&scene).await?;
    scene.client().until(&eids[1], "dead").await?;
    others_succeed(&scene, &eids).await?;
    assert_eq!(sent(&scene.sink).into_iter().map(|(ids, _)| ids).collect::<Vec<_>>(), [[1, 2, 3, 4]]);

    scene.change(FOUR, SAGA).await?;
    replay(&scene, &eids[1]).await?;
    let dead = scene.client().until(&eids[1], "dead").await?;
    let run = step(&dead, "run")?;
    assert_eq!((&dead["runs"][1]["undone"], &run["status"]), (&json!(true), &json!("undone")), "{dead:#}");
    assert_eq!(run["undo"]["output"]["effects"], json!(["done"]), "{run:#}");
    assert_eq!((&run["undo"]["output"]["output"]["id"], &run["undo"]["output"]["output"]["with"]), (&json!(2), &json!(4)));
    assert_eq!(undone(&scene), [json!([2])]);

    replay(&scene, &eids[1]).await?;
    let done = scene.client().until(&eids[1], "succeeded").await?;
    let sent = sent(&scene.sink);
    assert_eq!((sent.len(), &sent[1].0), (2, &vec![2]));
    ensure!(sent[0].1 != sent[1].1, "{sent:?}");
    // Its marker is another one, too: the record under the old one is gone.
    let key = |document: &Value| Ok::<_, anyhow::Error>(step(document, "run")?["output"]["key"].clone());
    ensure!(key(&done)? != run["undo"]["output"]["output"]["key"], "{done:#}");
    assert_eq!((undone(&scene).len(), effects(&scene.sink)), (1, [(1, 1), (2, 2), (3, 1), (4, 1)].into()));
    Ok(())
}
