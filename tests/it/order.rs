//! `order-by`: one after another for each key, in the order of acceptance, and no key waits for another.

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{Scene, event};

const ORDERED: &str = r#"
[[routes]]
name = "ordered"
on = { type = "t" }
order-by = ".event.data.key"
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 3, initial = "200ms", factor = 1, jitter = 0 }
with = { lines = [{ do = "write", name = "w", url = '{sink}/${ .event.data.key // "none" }', body = "${ .event.data.n }" }, { do = "write", name = "then", url = "{sink}/then", body = "${ .event.data }" }] }
"#;

fn keyed(key: Value, n: u32) -> Value {
    event(&format!("{key}-{n}"), "t", json!({ "key": key, "n": n }))
}

/// Bodies in the order in which their effects took place.
fn bodies(scene: &Scene, path: &str) -> Vec<String> {
    let state = scene.sink.state();
    let effects = state["effects"].as_array().cloned().unwrap_or_default();
    effects.iter().filter(|effect| effect["path"] == path).map(|effect| effect["body"].to_string()).collect()
}

async fn all_succeed(scene: &Scene, answer: &Value) -> anyhow::Result<()> {
    for accepted in answer["accepted"].as_array().into_iter().flatten() {
        scene.client().until(accepted["eid"].as_str().unwrap_or(""), "succeeded").await?;
    }
    Ok(())
}

#[tokio::test]
async fn runs_of_a_key_keep_their_order_through_failures() -> anyhow::Result<()> {
    let scene = Scene::start(ORDERED).await?;
    scene.answer("/a", 503, 2);
    // The third try is answered late: the other key has time to end also on a busy machine.
    scene.fault("/a", FaultAct::Delay { ms: 5_000 }, 1);
    let batch: Vec<Value> = (1..=6).flat_map(|n| [keyed(json!("a"), n), keyed(json!("b"), n)]).collect();
    let answer = scene.client().send_raw(&Value::Array(batch), "").await?;
    let eid = |index: usize| answer.json["accepted"][index]["eid"].as_str().unwrap_or("").to_owned();
    scene.client().until(&eid(11), "succeeded").await?;
    assert_eq!(bodies(&scene, "/a"), Vec::<String>::new(), "the other key waited for the slow one");
    all_succeed(&scene, &answer.json).await?;
    let expected = ["1", "2", "3", "4", "5", "6"];
    assert_eq!(bodies(&scene, "/a"), expected);
    assert_eq!(bodies(&scene, "/b"), expected);
    // Each run is over before the next begins: their second writes are in order, too.
    let then: Vec<String> = bodies(&scene, "/then").into_iter().filter(|body| body.contains("\"a\"")).collect();
    assert!(then.windows(2).all(|pair| pair[0] < pair[1]), "{then:?}");
    Ok(())
}

#[tokio::test]
async fn many_runs_of_many_keys_each_keep_their_order() -> anyhow::Result<()> {
    let scene = Scene::start(ORDERED).await?;
    let batch: Vec<Value> = (1..=12).flat_map(|n| (0..8).map(move |key| keyed(json!(format!("k{key}")), n))).collect();
    let answer = scene.client().send_raw(&Value::Array(batch), "?wait=60s").await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let expected: Vec<String> = (1..=12).map(|n| n.to_string()).collect();
    for key in 0..8 {
        assert_eq!(bodies(&scene, &format!("/k{key}")), expected, "k{key}");
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_run_releases_its_key_and_its_replay_goes_to_the_end() -> anyhow::Result<()> {
    let scene = Scene::start(ORDERED).await?;
    scene.answer("/a", 404, 1);
    let answer = scene.client().send_raw(&json!([keyed(json!("a"), 1), keyed(json!("a"), 2)]), "?wait=30s").await?;
    assert_eq!((&answer.json["events"][0]["status"], &answer.json["events"][1]["status"]), (&json!("dead"), &json!("succeeded")));
    let dead = answer.json["events"][0]["eid"].as_str().unwrap_or("").to_owned();
    scene.answer("/a", 503, 1);
    let third = scene.client().send(&keyed(json!("a"), 3)).await?;
    assert_eq!(scene.client().post(&format!("/v1/events/{dead}/replay"), &json!({})).await?.status, 200);
    scene.client().until(&third, "succeeded").await?;
    scene.client().until(&dead, "succeeded").await?;
    assert_eq!(bodies(&scene, "/a"), ["2", "3", "1"]);
    Ok(())
}

#[tokio::test]
async fn a_cancelled_run_releases_its_key() -> anyhow::Result<()> {
    let scene = Scene::start(&ORDERED.replace("200ms", "10m")).await?;
    scene.answer("/a", 503, 1);
    let first = scene.client().send(&keyed(json!("a"), 1)).await?;
    let second = scene.client().send(&keyed(json!("a"), 2)).await?;
    scene.arrived("/a").await?;
    assert_eq!(scene.client().event(&second).await?["status"], "pending");
    assert_eq!(scene.client().post(&format!("/v1/events/{first}/cancel"), &json!({})).await?.status, 200);
    scene.client().until(&second, "succeeded").await?;
    assert_eq!(bodies(&scene, "/a"), ["2"]);
    Ok(())
}

#[tokio::test]
async fn null_is_no_key() -> anyhow::Result<()> {
    let scene = Scene::start(&ORDERED.replace("200ms", "10m")).await?;
    scene.answer("/none", 503, 1);
    scene.client().send(&keyed(Value::Null, 1)).await?;
    scene.arrived("/none").await?;
    let document = scene.client().send_and_wait(&keyed(Value::Null, 2)).await?;
    assert_eq!(document["status"], "succeeded");
    assert_eq!(document["runs"][0]["order_key"], Value::Null);
    let document = scene.client().send_and_wait(&keyed(json!("a"), 1)).await?;
    assert_eq!(document["runs"][0]["order_key"], "a");
    Ok(())
}

#[tokio::test]
async fn order_survives_a_host_that_is_killed() -> anyhow::Result<()> {
    let scene = Scene::start(ORDERED).await?;
    scene.fault("/a", FaultAct::Delay { ms: 500 }, 1);
    let batch: Vec<Value> = (1..=6).map(|n| keyed(json!("a"), n)).collect();
    let answer = scene.client().send_raw(&Value::Array(batch), "").await?;
    assert_eq!(answer.status, 202);
    scene.arrived("/a").await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    all_succeed(&scene, &answer.json).await?;
    assert_eq!(bodies(&scene, "/a"), ["1", "2", "3", "4", "5", "6"]);
    Ok(())
}

fn holding() -> String {
    ORDERED.replace("order-by = \".event.data.key\"", "order-by = \".event.data.key\"\norder-on-dead = \"hold\"")
}

/// A dead run that keeps its key, and one behind it.
async fn dead_and_behind(scene: &Scene) -> anyhow::Result<(String, String)> {
    scene.answer("/a", 404, 1);
    let dead = scene.client().send(&keyed(json!("a"), 1)).await?;
    scene.client().until(&dead, "dead").await?;
    let behind = scene.client().send(&keyed(json!("a"), 2)).await?;
    Ok((dead, behind))
}

#[tokio::test]
async fn a_dead_run_that_holds_its_key_is_replayed_in_its_place() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    let client = scene.client();
    let (dead, behind) = dead_and_behind(&scene).await?;
    // Another key goes on, so the host has looked at what is due.
    scene.client().send_and_wait(&keyed(json!("b"), 1)).await?;
    let waiting = client.event(&behind).await?;
    let run = client.event(&dead).await?["runs"][0].clone();
    let expected = format!("waits behind run {} of event {dead}, which is dead", run["id"].as_str().unwrap_or(""));
    assert_eq!((&waiting["status"], &waiting["runs"][0]["status_reason"]), (&json!("pending"), &json!(expected)));
    assert_eq!(waiting["status_reason"], format!("ordered: {expected}"));
    assert_eq!((&run["waiting_behind"], &run["keeps_key"]), (&json!(1), &json!(true)));
    let shown = scene.folder.run(&["events", "show", &dead, "--url", &client.url], "")?;
    assert!(String::from_utf8_lossy(&shown.stdout).contains("keeps its order key, 1 run waits behind it"));

    // A replay that dies keeps the key as well.
    scene.answer("/a", 404, 1);
    assert_eq!(client.post(&format!("/v1/events/{dead}/replay"), &json!({})).await?.status, 200);
    client.until(&dead, "dead").await?;
    scene.client().send_and_wait(&keyed(json!("b"), 2)).await?;
    assert_eq!(client.event(&behind).await?["status"], "pending");
    let third = client.send(&keyed(json!("a"), 3)).await?;
    assert_eq!(client.post(&format!("/v1/events/{dead}/replay"), &json!({})).await?.status, 200);
    for eid in [&dead, &behind, &third] {
        client.until(eid, "succeeded").await?;
    }
    assert_eq!(bodies(&scene, "/a"), ["1", "2", "3"]);
    Ok(())
}

#[tokio::test]
async fn a_dead_run_that_holds_its_key_gives_it_up_when_cancelled() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    let client = scene.client();
    let (dead, behind) = dead_and_behind(&scene).await?;
    assert_eq!(client.event(&behind).await?["status"], "pending");
    let answer = client.post(&format!("/v1/events/{dead}/cancel"), &json!({})).await?;
    assert_eq!((answer.status, answer.json["released"].as_array().map(Vec::len)), (200, Some(1)), "{}", answer.text);
    client.until(&behind, "succeeded").await?;
    assert_eq!(client.event(&dead).await?["status"], "dead", "it stays a dead letter");
    assert_eq!(client.post(&format!("/v1/events/{dead}/cancel"), &json!({})).await?.status, 409);
    assert_eq!(client.post(&format!("/v1/events/{dead}/replay"), &json!({})).await?.status, 200);
    client.until(&dead, "succeeded").await?;
    assert_eq!(bodies(&scene, "/a"), ["2", "1"]);
    Ok(())
}

#[tokio::test]
async fn a_held_key_survives_a_restart() -> anyhow::Result<()> {
    let scene = Scene::start(&holding()).await?;
    let (dead, behind) = dead_and_behind(&scene).await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.client().send_and_wait(&keyed(json!("b"), 1)).await?;
    assert_eq!(scene.client().event(&behind).await?["status"], "pending");
    assert_eq!(scene.client().post(&format!("/v1/events/{dead}/replay"), &json!({})).await?.status, 200);
    scene.client().until(&behind, "succeeded").await?;
    assert_eq!(bodies(&scene, "/a"), ["1", "2"]);
    Ok(())
}

#[tokio::test]
async fn who_waits_for_a_key_is_told_who_holds_it() -> anyhow::Result<()> {
    let scene = Scene::start(&ORDERED.replace("200ms", "10m")).await?;
    scene.answer("/a", 503, 1);
    let first = scene.client().send(&keyed(json!("a"), 1)).await?;
    let second = scene.client().send(&keyed(json!("a"), 2)).await?;
    scene.arrived("/a").await?;
    let holder = scene.client().until(&first, "pending").await?;
    let waiting = scene.client().event(&second).await?;
    assert_eq!(waiting["runs"][0]["waits_behind"]["run"], holder["runs"][0]["id"]);
    assert!(waiting["status_reason"].as_str().is_some_and(|why| why.contains(&format!("of event {first}"))), "{waiting:#}");
    assert_eq!(holder["runs"][0]["waiting_behind"], 1);
    Ok(())
}
