//! Dry runs and try-outs of steps that go together: they see what a run alone would do, and join nobody.

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use super::{FOUR, ROUTES, behind, effects, ended, four, gather, once, sent};
use crate::scene::{Scene, event, step};

/// A step that goes together, and one behind it.
const TWO: &str = r#"
[[routes]]
name = "two"
on = { type = "two" }
[[routes.steps]]
name = "run"
uses = "s.gather"
with = { url = "{sink}/all", id = "${ .event.data.id }", emit = "gathered" }
retry = { max-attempts = 1 }
[[routes.steps]]
name = "last"
uses = "s.run"
with = { lines = [{ do = "write", name = "w", url = "{sink}/last" }] }
retry = { max-attempts = 1 }
"#;

async fn scene() -> anyhow::Result<Scene> {
    Scene::granting(FOUR, &format!("{ROUTES}{TWO}")).await
}

fn events() -> Vec<Value> {
    (1..=4).map(|id| event(&id.to_string(), "two", json!({ "id": id }))).collect()
}

/// A step of a dry run of a replay. Nothing is sent, and nothing is left behind.
async fn dry(scene: &Scene, eid: &str, mut wish: Value, name: &str) -> anyhow::Result<Value> {
    let (requests, before) = (scene.sink.requests().len(), scene.client().event(eid).await?);
    wish["dry_run"] = json!(true);
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    assert_eq!(scene.sink.requests().len(), requests, "a dry run sent something");
    assert_eq!(scene.client().event(eid).await?, before, "a dry run left a trace");
    let steps = answer.json["dry_run"]["runs"][0]["steps"].as_array().cloned().unwrap_or_default();
    steps.into_iter().find(|step| step["name"] == name).with_context(|| answer.text)
}

#[tokio::test]
async fn a_dry_run_has_the_result_of_a_batch_from_the_journal_and_afresh_shows_the_run_alone() -> anyhow::Result<()> {
    let scene = scene().await?;
    scene.answer("/last", 422, 4);
    let eids = four(scene.client(), &scene.sink, &events()).await?;
    let documents = ended(scene.client(), &eids, "dead").await?;
    assert_eq!(sent(&scene.sink).len(), 1);
    let before = step(&documents[1], "run")?;

    let run = dry(&scene, &eids[1], json!({ "from": "start" }), "run").await?;
    assert_eq!((&run["status"], &run["output"], &run["kept"]), (&json!("succeeded"), &before["output"], &json!(false)), "{run:#}");
    let effect = &run["effects"][0];
    assert_eq!((&effect["kind"], &effect["state"], &effect["replayed"]), (&json!("batch"), &json!("done"), &json!(true)));
    assert_eq!(run["events"][0]["event"]["data"], json!({ "id": 2 }), "{run:#}");
    let last = dry(&scene, &eids[1], json!({ "from": "start" }), "last").await?;
    assert_eq!((&last["status"], &last["would_send"]["url"]), (&json!("stopped"), &json!(scene.url("/last"))));
    let kept = dry(&scene, &eids[1], json!({}), "run").await?;
    assert_eq!((&kept["status"], &kept["output"], &kept["kept"]), (&json!("succeeded"), &before["output"], &json!(true)));

    // Done all over, it goes alone as far as anybody can tell.
    let afresh = dry(&scene, &eids[1], json!({ "keys": "new" }), "run").await?;
    assert_eq!((&afresh["status"], &afresh["would_send"]["body"]), (&json!("stopped"), &json!({ "ids": [2] })), "{afresh:#}");
    assert_eq!((&afresh["would_send"]["name"], &afresh["difference"]), (&json!("one"), &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_dry_run_does_no_batch_that_is_in_doubt_and_the_replay_does() -> anyhow::Result<()> {
    let scene = scene().await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &events()).await?;
    ended(scene.client(), &eids, "dead").await?;
    let run = dry(&scene, &eids[3], json!({}), "run").await?;
    assert_eq!((&run["status"], &run["error"]["kind"]), (&json!("stopped"), &json!("batch-in-doubt")), "{run:#}");
    assert_eq!(dry(&scene, &eids[3], json!({}), "last").await?["status"], "not-reached");
    for eid in [&eids[3], &eids[0]] {
        let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
        ensure!(answer.status == 200, "{}", answer.text);
        scene.client().until(eid, "succeeded").await?;
    }
    let sent = sent(&scene.sink);
    assert_eq!((sent.len(), &sent[0]), (2, &sent[1]));
    // One that nobody has replayed yet has its result.
    let run = dry(&scene, &eids[1], json!({}), "run").await?;
    assert_eq!((&run["status"], &run["output"]["id"]), (&json!("succeeded"), &json!(2)), "{run:#}");
    assert_eq!(effects(&scene.sink), once(1..=4));
    Ok(())
}

#[tokio::test]
async fn a_refused_run_of_a_batch_shows_in_a_dry_run_what_it_would_send_alone() -> anyhow::Result<()> {
    let scene = scene().await?;
    let mut events: Vec<Value> = (1..=4).map(|id| gather(&scene.sink, id, json!({}))).collect();
    events[2]["data"]["kind"] = json!("rejected");
    let eids = four(scene.client(), &scene.sink, &events).await?;
    scene.client().until(&eids[2], "dead").await?;
    let run = dry(&scene, &eids[2], json!({}), "run").await?;
    assert_eq!((&run["status"], &run["would_send"]["body"]), (&json!("stopped"), &json!({ "ids": [3] })), "{run:#}");
    Ok(())
}

#[tokio::test]
async fn a_try_out_and_a_dry_run_join_no_runs_that_wait_for_each_other() -> anyhow::Result<()> {
    let scene = scene().await?;
    let (client, sink) = (scene.client(), &scene.sink);
    scene.answer("/last", 422, 1);
    let done = client.send_and_wait(&event("done", "two", json!({ "id": 8 }))).await?;
    let before = sent(sink).len();
    let first = gather(sink, 0, json!({ "url": scene.url("/first") }));
    let waiting: Vec<Value> = (1..=2).map(|id| gather(sink, id, json!({}))).collect();
    let eids = behind(client, sink, &first, &waiting, 4000).await?;

    let sample = json!({ "type": "two", "source": "/test", "data": { "id": 9 } });
    let tried = client.post("/v1/try/route", &json!({ "event": sample, "route": "two" })).await?;
    let run = &tried.json["routes"][0]["steps"][0];
    assert_eq!((&run["status"], &run["writes"][0]["body"]), (&json!("stopped"), &json!({ "ids": [9] })), "{}", tried.text);
    let answers = json!([{ "method": "POST", "url": format!("{}*", scene.url("/all")), "status": 200, "body": {} }]);
    let tried = client.post("/v1/try/route", &json!({ "event": sample, "route": "two", "answers": answers })).await?;
    let run = &tried.json["routes"][0]["steps"][0];
    assert_eq!(
        (&run["status"], &run["output"]["id"], &run["output"]["with"]),
        (&json!("succeeded"), &json!(9), &json!(1)),
        "{}",
        tried.text
    );
    let eid = done["eid"].as_str().context("an eid")?;
    assert_eq!(dry(&scene, eid, json!({ "keys": "new" }), "run").await?["would_send"]["body"], json!({ "ids": [8] }));
    ensure!(scene.effects("/first") == 0, "they waited for those that go together");

    ended(client, &eids, "succeeded").await?;
    let sent: Vec<Vec<u64>> = sent(sink).into_iter().skip(before).map(|(ids, _)| ids).collect();
    assert_eq!(sent, [[1, 2]]);
    Ok(())
}
