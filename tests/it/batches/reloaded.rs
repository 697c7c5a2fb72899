//! The configuration is replaced while runs are in a batch, or on their way into one.

use anyhow::ensure;
use sangam_saas::{Fault, FaultAct};
use sangam_tests::{fresh_guest, guest};
use serde_json::{Value, json};

use super::{FOUR, ROUTES, arrivals, behind, effects, ended, four, gather, once, sent};
use crate::scene::{Scene, configuration, step};

fn events(scene: &Scene) -> Vec<Value> {
    (1..=4).map(|id| gather(&scene.sink, id, json!({}))).collect()
}

/// Applies a configuration; gives the number of its revision.
async fn apply(scene: &Scene, text: &str) -> anyhow::Result<u64> {
    scene.folder.configure(text)?;
    let answer = scene.reload().await?;
    ensure!(answer.status == 200, "{}", answer.text);
    Ok(answer.json["revision"].as_u64().unwrap_or(0))
}

/// Replaces the plugin's component by other bytes that do the same.
async fn replace(scene: &Scene, routes: &str) -> anyhow::Result<u64> {
    let mut bytes = fresh_guest("scripted");
    // A section that says nothing: its kind, its size, the size of its name, its name.
    bytes.extend_from_slice(b"\0\x06\x05other");
    std::fs::write(scene.folder.path().join("other.wasm"), bytes)?;
    let text = configuration(&scene.sink.url(), FOUR, routes);
    let other = text.replace(&format!("{:?}", guest("scripted")), "\"other.wasm\"");
    ensure!(other != text, "nothing was replaced");
    apply(scene, &other).await
}

/// All requests are the same one, and each id took effect once.
fn one_and_the_same(scene: &Scene, times: usize) {
    let sent = sent(&scene.sink);
    assert_eq!((sent.len(), &sent[0].0), (times, &vec![1, 2, 3, 4]), "{sent:?}");
    assert!(sent.iter().all(|one| *one == sent[0]), "{sent:?}");
    assert_eq!(effects(&scene.sink), once(1..=4));
}

async fn replay(scene: &Scene, eid: &str, wish: Value) -> anyhow::Result<()> {
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    ensure!(answer.status == 200, "{}", answer.text);
    Ok(())
}

#[tokio::test]
async fn a_batch_under_way_ends_with_the_component_that_it_began_with() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    scene.fault("/all", FaultAct::Delay { ms: 15_000 }, 1);
    let eids = four(scene.client(), &scene.sink, &events(&scene)).await?;
    arrivals(&scene.sink, 1).await?;
    assert_eq!(replace(&scene, ROUTES).await?, 2);
    ensure!(effects(&scene.sink).is_empty(), "it was answered before the plugin was replaced");
    for document in ended(scene.client(), &eids, "succeeded").await? {
        assert_eq!((&document["runs"][0]["revision"], &step(&document, "run")?["output"]["with"]), (&json!(1), &json!(4)));
    }
    one_and_the_same(&scene, 1);
    let later = scene.client().send_and_wait(&gather(&scene.sink, 5, json!({}))).await?;
    assert_eq!((&later["status"], &later["runs"][0]["revision"]), (&json!("succeeded"), &json!(2)), "{later:#}");
    Ok(())
}

#[tokio::test]
async fn a_batch_in_doubt_is_done_again_as_it_was_after_its_plugin_was_replaced() -> anyhow::Result<()> {
    let routes = ROUTES.replace("10ms", "12s");
    let scene = Scene::granting(FOUR, &routes).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &events(&scene)).await?;
    ended(scene.client(), &eids, "pending").await?;
    assert_eq!(replace(&scene, &routes).await?, 2);
    ensure!(sent(&scene.sink).len() == 1, "it was done again before the plugin was replaced");
    for document in ended(scene.client(), &eids, "succeeded").await? {
        let attempts = &step(&document, "run")?["attempts"];
        let digests: Vec<&Value> = attempts.as_array().into_iter().flatten().map(|attempt| &attempt["digest"]).collect();
        ensure!(digests.iter().all(|digest| *digest == digests[0]), "a run ends on its revision: {attempts:#}");
    }
    one_and_the_same(&scene, 2);
    Ok(())
}

#[tokio::test]
async fn a_batch_whose_plugin_is_gone_is_done_again_by_the_replay_of_any_of_its_runs() -> anyhow::Result<()> {
    let routes = ROUTES.replace("10ms", "3s");
    let scene = Scene::granting(FOUR, &routes).await?;
    scene.fault("/all", FaultAct::LoseAnswer, 1);
    let eids = four(scene.client(), &scene.sink, &events(&scene)).await?;
    ended(scene.client(), &eids, "pending").await?;
    apply(&scene, "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n").await?;
    for document in ended(scene.client(), &eids, "dead").await? {
        let reason = document["status_reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("no longer has plugin \"s\""), "{reason}");
    }
    // By another component, in the present configuration, and by its own.
    replace(&scene, &routes).await?;
    replay(&scene, &eids[2], json!({})).await?;
    scene.client().until(&eids[2], "succeeded").await?;
    replay(&scene, &eids[0], json!({ "plugins": "pinned" })).await?;
    scene.client().until(&eids[0], "succeeded").await?;
    one_and_the_same(&scene, 2);
    Ok(())
}

#[tokio::test]
async fn what_is_revoked_while_runs_gather_is_not_used_for_them() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    let first = gather(&scene.sink, 0, json!({ "url": scene.url("/first") }));
    // Three wait for a fourth, as long as the call before them is under way.
    let eids = behind(scene.client(), &scene.sink, &first, &events(&scene)[..3], 4000).await?;
    let granted = format!("allow-hosts = [\"{}\"]", scene.sink.url());
    apply(&scene, &configuration(&scene.sink.url(), FOUR, ROUTES).replace(&granted, "allow-hosts = [\"https://elsewhere.example\"]"))
        .await?;
    ensure!(scene.effects("/first") == 0, "they no longer waited");
    for document in ended(scene.client(), &eids, "dead").await? {
        let reason = step(&document, "run")?["error"]["reason"].as_str().unwrap_or_default();
        ensure!(reason.contains("not granted"), "{reason}");
    }
    assert_eq!(sent(&scene.sink), []);
    Ok(())
}

#[tokio::test]
async fn runs_of_two_configurations_do_not_go_together() -> anyhow::Result<()> {
    let scene = Scene::granting(FOUR, ROUTES).await?;
    let (client, sink) = (scene.client(), &scene.sink);
    let events = events(&scene);
    let first = gather(sink, 0, json!({ "url": scene.url("/first") }));
    let mut eids = behind(client, sink, &first, &events[..2], 4000).await?;
    scene.change(FOUR, &ROUTES.replace("max-attempts = 5", "max-attempts = 6")).await?;
    ensure!(scene.effects("/first") == 0, "they no longer waited");
    // Held as well, so that they would wait for the ones before.
    sink.fault(Fault::once("/all", FaultAct::Delay { ms: 500 }));
    for event in &events[2..] {
        eids.push(client.send(event).await?);
    }
    for (document, revision) in ended(client, &eids, "succeeded").await?.iter().zip([1, 1, 2, 2]) {
        assert_eq!(document["runs"][0]["revision"], revision);
    }
    let sent = sent(sink);
    ensure!(sent.iter().all(|(ids, _)| ids.iter().all(|id| *id <= 2) || ids.iter().all(|id| *id > 2)), "{sent:?}");
    assert_eq!(effects(sink), once(1..=4));
    Ok(())
}
