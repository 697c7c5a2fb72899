//! Dead letters, replays and cancelling: nothing is lost, and nothing is done twice unless somebody asks for it.

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, event, outcomes, script, step};

/// Two steps, each a write of its own.
const TWO: &str = r#"
[[routes]]
name = "two"
on = { type = "two" }
[[routes.steps]]
name = "first"
uses = "s.run"
retry = { max-attempts = 2, initial = "10ms", jitter = 0 }
with = { lines = [{ do = "write", name = "w", url = "{sink}/first" }, { do = "clock" }] }
[[routes.steps]]
name = "second"
uses = "s.run"
retry = { max-attempts = 2, initial = "10ms", jitter = 0 }
with = { lines = [{ do = "write", name = "a", url = "{sink}/a" }, { do = "write", name = "b", url = "{sink}/b", body = "${ .steps.first.output.results[0].received }" }] }
"#;

async fn replay(scene: &Scene, eid: &str, wish: Value) -> anyhow::Result<Value> {
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    anyhow::ensure!(answer.status == 200, "the replay was refused: {} {}", answer.status, answer.text);
    // The run is there when the answer is: the event is not dead any more until it has ended.
    scene.client().until(eid, "succeeded").await
}

fn eid(event: &Value) -> String {
    event["eid"].as_str().unwrap_or("").to_owned()
}

#[tokio::test]
async fn a_replay_keeps_outputs_and_doubles_nothing() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    scene.answer("/b", 404, 1);
    let dead = scene.client().send_and_wait(&event("1", "two", json!({}))).await?;
    assert_eq!(dead["status"], "dead");
    assert!(dead["status_reason"].as_str().is_some_and(|why| why.contains("step second: rejected")), "{}", dead["status_reason"]);
    let letters = scene.client().get("/v1/dead-letters").await?.json;
    assert_eq!((&letters["dead_letters"][0]["eid"], &letters["dead_letters"][0]["route"]), (&dead["eid"], &json!("two")));

    let document = replay(&scene, &eid(&dead), json!({})).await?;
    let runs = document["runs"].as_array().cloned().unwrap_or_default();
    assert_eq!(runs.len(), 2);
    assert_eq!((&runs[1]["replay_of"], &runs[1]["root"]), (&runs[0]["id"], &runs[0]["id"]));
    assert_eq!(step(&document, "first")?["output"], step(&dead, "first")?["output"], "the output of the step that succeeded is kept");
    assert_eq!(step(&document, "first")?["attempts"], json!([]), "and the step is not tried again");
    assert_eq!((scene.requests("/first").len(), scene.requests("/a").len()), (1, 1), "finished writes are not sent again");
    assert_eq!((scene.requests("/b").len(), scene.effects("/b")), (2, 1));
    assert_eq!(scene.requests("/b")[1].body, "1");
    assert_eq!(scene.client().get("/v1/dead-letters").await?.json["dead_letters"], json!([]), "only the newest run of a line counts");
    Ok(())
}

#[tokio::test]
async fn a_replay_from_the_start_is_answered_from_the_journal() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    let done = scene.client().send_and_wait(&event("1", "two", json!({}))).await?;
    let clock = step(&done, "first")?["output"]["results"][1].clone();
    let before = scene.sink.requests().len();
    let document = replay(&scene, &eid(&done), json!({ "from": "start" })).await?;
    assert_eq!(scene.sink.requests().len(), before, "finished writes were sent again");
    assert_eq!(outcomes(&document, "first")?, ["succeeded"], "the step ran again");
    assert_eq!(step(&document, "first")?["output"]["results"][1], clock, "the clock of the line started once");
    assert_eq!(document["runs"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn new_keys_do_it_all_again() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    let done = scene.client().send_and_wait(&event("1", "two", json!({}))).await?;
    let document = replay(&scene, &eid(&done), json!({ "keys": "new" })).await?;
    let newest = &document["runs"][1];
    assert_eq!(newest["root"], newest["id"], "it is its own root");
    for path in ["/first", "/a", "/b"] {
        let keys = scene.keys(path);
        assert_eq!((keys.len(), scene.effects(path)), (2, 2), "{path}");
        assert_ne!(keys[0], keys[1], "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn a_write_in_doubt_keeps_its_key_through_a_replay() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    scene.fault("/first", FaultAct::LoseAnswer, 2);
    let dead = scene.client().send_and_wait(&event("1", "two", json!({}))).await?;
    assert_eq!(dead["status"], "dead");
    replay(&scene, &eid(&dead), json!({})).await?;
    let keys = scene.keys("/first");
    assert_eq!((keys.len(), scene.effects("/first")), (3, 1));
    assert!(keys.iter().all(|key| *key == keys[0]));
    Ok(())
}

#[tokio::test]
async fn replays_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    let client = scene.client();
    let refused = async |eid: &str, wish: Value, status: u16| -> anyhow::Result<String> {
        let answer = client.post(&format!("/v1/events/{eid}/replay"), &wish).await?;
        assert_eq!(answer.status, status, "{wish}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
        Ok(answer.json["detail"].as_str().unwrap_or("").to_owned())
    };
    refused("019a0000-0000-7000-8000-000000000000", json!({}), 404).await?;
    let done = eid(&client.send_and_wait(&event("done", "two", json!({}))).await?);
    assert!(refused(&done, json!({}), 409).await?.contains("no dead run"));
    assert!(refused(&done, json!({ "route": "nope" }), 409).await?.contains("nope"));
    refused(&done, json!({ "form": "start" }), 400).await?;
    refused(&done, json!({ "from": "middle" }), 400).await?;

    // One run of a line at a time.
    scene.fault("/first", FaultAct::Delay { ms: 500 }, 1);
    let slow = client.send(&event("slow", "two", json!({}))).await?;
    assert!(refused(&slow, json!({ "from": "start" }), 409).await?.contains("has not ended"));
    client.until(&slow, "succeeded").await?;

    // A route that is gone, and one that lacks a step with writes.
    scene.answer("/b", 404, 1);
    let dead = eid(&client.send_and_wait(&event("dead", "two", json!({}))).await?);
    scene.change("", &TWO.replace("name = \"second\"", "name = \"other\"")).await?;
    assert!(refused(&dead, json!({}), 409).await?.contains("\"second\""));
    scene.change("", "").await?;
    assert!(refused(&dead, json!({}), 409).await?.contains("\"two\""));
    replay(&scene, &dead, json!({ "plugins": "pinned" })).await?;
    assert_eq!(scene.effects("/b"), 3);
    Ok(())
}

#[tokio::test]
async fn a_replay_uses_the_mended_route() -> anyhow::Result<()> {
    let scene = Scene::start(&TWO.replace("{sink}/b\"", "{sink}/b\", on = \"${ .event.data.on }\"")).await?;
    let dead = scene.client().send_and_wait(&event("1", "two", json!({ "on": "never" }))).await?;
    assert_eq!(step(&dead, "second")?["error"]["kind"], "invalid-input");
    scene.change("", TWO).await?;
    let document = replay(&scene, &eid(&dead), json!({})).await?;
    assert_eq!((scene.effects("/first"), scene.effects("/b")), (1, 1));
    assert!(document["runs"][1]["revision"].as_i64() > document["runs"][0]["revision"].as_i64());
    Ok(())
}

#[tokio::test]
async fn dead_letters_are_replayed_together() -> anyhow::Result<()> {
    let scene = Scene::start(TWO).await?;
    scene.answer("/b", 404, 3);
    let mut eids = Vec::new();
    for id in ["1", "2", "3"] {
        eids.push(eid(&scene.client().send_and_wait(&event(id, "two", json!({}))).await?));
    }
    let answer = scene.client().post("/v1/dead-letters/replay", &json!({ "route": "two", "limit": 2 })).await?;
    assert_eq!(answer.json["replays"].as_array().map(Vec::len), Some(2), "{}", answer.text);
    let answer = scene.client().post("/v1/dead-letters/replay", &json!({})).await?;
    assert_eq!(answer.json["replays"].as_array().map(Vec::len), Some(1), "those under way are no dead letters: {}", answer.text);
    for eid in eids {
        scene.client().until(&eid, "succeeded").await?;
    }
    assert_eq!((scene.effects("/first"), scene.effects("/a"), scene.effects("/b")), (3, 3, 3));
    Ok(())
}

#[tokio::test]
async fn a_cancelled_run_ends_and_stays_ended() -> anyhow::Result<()> {
    let route = SCRIPT.replace("initial = \"10ms\"", "initial = \"1h\", max = \"1h\"");
    let scene = Scene::start(&route).await?;
    let client = scene.client();
    let waits = client
        .send(&script("waits", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }, { "do": "fail", "key": "later" }])))
        .await?;
    scene.arrived("/w").await?;
    let answer = client.post(&format!("/v1/events/{waits}/cancel"), &json!({})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(client.event(&waits).await?["status"], "cancelled");
    assert_eq!(client.post(&format!("/v1/events/{waits}/cancel"), &json!({})).await?.status, 409);
    assert_eq!(client.post("/v1/events/nope/cancel", &json!({})).await?.status, 404);

    // One that is under way: what it still does has no effect on the run.
    scene.fault("/slow", FaultAct::Delay { ms: 300 }, 1);
    let runs = client
        .send(&script(
            "runs",
            json!([{ "do": "set", "key": "k", "value": "x" }, { "do": "write", "name": "w", "url": scene.url("/slow") }]),
        ))
        .await?;
    scene.arrived("/slow").await?;
    assert_eq!(client.post(&format!("/v1/events/{runs}/cancel"), &json!({})).await?.status, 200);
    let document = scene.play("after", json!([{ "do": "sleep", "amount": 600 }, { "do": "get", "key": "k" }])).await?;
    assert_eq!(step(&document, "run")?["output"]["results"][1], Value::Null);
    assert_eq!(client.event(&runs).await?["status"], "cancelled");
    Ok(())
}
