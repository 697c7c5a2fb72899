//! The rules of *Effects and their keys*, those that no other file shows: each at a sink that would see the double or miss the effect.
//! `ARCHITECTURE.md` has the table of all of them.

use std::collections::{BTreeSet, HashSet};
use std::time::Duration;

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, effects, event, outcomes, results, script, step};

async fn replay(scene: &Scene, document: &Value, wish: Value) -> anyhow::Result<Value> {
    let eid = document["eid"].as_str().unwrap_or("");
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    anyhow::ensure!(answer.status == 200, "the replay was refused: {} {}", answer.status, answer.text);
    scene.client().until(eid, "succeeded").await
}

/// The route, whose step does now what these lines say instead of what its event says.
fn mended(lines: &Value) -> String {
    let quoted = lines.to_string().replace('\'', "\\u0027");
    SCRIPT.replace("uses = \"s.run\"", &format!("uses = \"s.run\"\nwith = {{ lines = '${{ {quoted} }}' }}"))
}

#[tokio::test]
async fn a_mended_plugin_does_what_was_left_and_nothing_twice() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/b", 422, 1);
    let write = |name: &str, path: &str, body: &str| json!({ "do": "write", "name": name, "url": scene.url(path), "body": body });
    let dead = scene.play("1", json!([write("a", "/a", "first"), write("b", "/b", "wrong")])).await?;
    assert_eq!(dead["status"], "dead");
    // Mended, it looks first, says what it did otherwise, sends what was refused elsewhere, and does one thing more.
    let lines = json!([
        { "do": "read", "url": scene.url("/look") },
        write("a", "/a", "another body"),
        write("b", "/better", "right"),
        write("c", "/c", "new"),
    ]);
    scene.change("", &mended(&lines)).await?;
    let document = replay(&scene, &dead, json!({})).await?;
    assert_eq!(scene.requests("/a").len(), 1, "what was done was sent again");
    assert_eq!(results(&document)?[1], json!({ "received": 1 }), "and is answered as it was");
    assert_eq!((scene.effects("/b"), scene.effects("/better"), scene.effects("/c")), (0, 1, 1));
    Ok(())
}

#[tokio::test]
async fn a_changed_body_of_a_write_in_doubt_goes_under_its_key() -> anyhow::Result<()> {
    let scene = Scene::start(&SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).await?;
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    let write = |body: &str| json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "body": body }]);
    let dead = scene.play("1", write("before")).await?;
    scene.change("", &mended(&write("after"))).await?;
    replay(&scene, &dead, json!({})).await?;
    let keys = scene.keys("/w");
    assert_eq!((keys.len(), &keys[0], scene.effects("/w")), (2, &keys[1], 1));
    assert_eq!(scene.requests("/w")[1].body, "\"after\"");
    Ok(())
}

#[tokio::test]
async fn a_loop_in_another_order_doubles_nothing() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let note = |on: u32, id: u32| json!({ "do": "write", "on": [on], "name": format!("note/{id}"), "url": scene.url(&format!("/note/{id}")), "body": id });
    scene.answer("/note/3", 503, 1);
    // The list comes in another order, with one more, on the second attempt.
    let lines: Vec<Value> = [1, 2, 3].iter().map(|id| note(1, *id)).chain([4, 3, 2, 1].iter().map(|id| note(2, *id))).collect();
    let document = scene.play("1", Value::Array(lines)).await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    for (id, requests) in [(1, 1), (2, 1), (3, 2), (4, 1)] {
        let path = format!("/note/{id}");
        assert_eq!((scene.effects(&path), scene.requests(&path).len()), (1, requests), "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn unnamed_writes_in_another_order_are_known_and_a_new_one_is_sent_after_them() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let write = |on: u32, body: u32| json!({ "do": "write", "on": [on], "url": scene.url("/w"), "body": body });
    let lines = json!([write(1, 1), write(1, 2), { "do": "fail", "on": [1] }, write(2, 2), write(2, 1), write(2, 3)]);
    let document = scene.play("1", lines).await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    let bodies: Vec<String> = scene.requests("/w").iter().map(|request| request.body.clone()).collect();
    assert_eq!(bodies, ["1", "2", "3"]);
    // Before the ones that were done are asked for again, a new one might be one of them in other words.
    let lines = json!([write(1, 4), { "do": "fail", "on": [1] }, write(2, 5), write(2, 4)]);
    let document = scene.play("2", lines).await?;
    assert_eq!((outcomes(&document, "run")?, scene.requests("/w").len()), (vec!["retry".to_owned(), "diverged".to_owned()], 4));
    Ok(())
}

#[tokio::test]
async fn an_unnamed_write_in_doubt_goes_again_under_its_key() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    let document = scene.play("1", json!([{ "do": "write", "url": scene.url("/w"), "body": 1 }])).await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    let keys = scene.keys("/w");
    assert_eq!((keys.len(), &keys[0], scene.effects("/w")), (2, &keys[1], 1));
    Ok(())
}

#[tokio::test]
async fn a_doubt_ends_with_a_success_and_only_then() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    // Done, but the answer is lost; then refused, which proves nothing; then recognised by its key.
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    scene.answer("/w", 400, 1);
    let lines = json!([
        { "do": "write", "on": [1], "name": "w", "url": scene.url("/w") },
        { "do": "write", "on": [2], "name": "w", "url": scene.url("/w"), "whatever": true },
        { "do": "fail", "on": [2] },
        { "do": "write", "on": [3], "name": "w", "url": scene.url("/w") },
    ]);
    let document = scene.play("1", lines).await?;
    let states: Vec<&str> = (1..=3)
        .map(|attempt| effects(&document, attempt).map(|shown| shown[0]["state"].as_str().unwrap_or("")))
        .collect::<Result<_, _>>()?;
    assert_eq!(states, ["in-doubt", "in-doubt", "done"]);
    assert_eq!((scene.keys("/w").iter().collect::<HashSet<_>>().len(), scene.effects("/w")), (1, 1));
    // Once it is done it is not sent again.
    replay(&scene, &document, json!({ "from": "start" })).await?;
    assert_eq!(scene.requests("/w").len(), 3);
    // 408 is a doubt as well.
    scene.answer("/slow", 408, 1);
    scene.answer("/slow", 404, 1);
    let write = json!({ "do": "write", "name": "w", "url": scene.url("/slow"), "whatever": true });
    let document = scene.play("2", json!([write, { "do": "fail", "on": [1, 2] }])).await?;
    assert_eq!(
        (effects(&document, 1)?[0]["state"].as_str(), effects(&document, 2)?[0]["state"].as_str()),
        (Some("in-doubt"), Some("in-doubt"))
    );
    assert_eq!(scene.keys("/slow").iter().collect::<HashSet<_>>().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_key_belongs_to_one_write_of_one_step_of_one_line() -> anyhow::Result<()> {
    let two = "[[routes]]\nname = \"two\"\non = { type = \"two\" }\n[[routes.steps]]\nname = \"one\"\nuses = \"s.run\"\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\nneeds = []\n";
    let scene = Scene::start(two).await?;
    let lines = json!([
        { "do": "write", "name": "w", "url": scene.url("/w") },
        { "do": "write", "name": "v", "url": scene.url("/w") },
        { "do": "write", "url": scene.url("/w") },
        { "do": "write", "url": scene.url("/w") },
    ]);
    for id in ["1", "2"] {
        let document = scene.client().send_and_wait(&event(id, "two", json!({ "lines": lines }))).await?;
        assert_eq!(document["status"], "succeeded");
    }
    // Two runs, two steps, four writes.
    let keys = scene.keys("/w");
    assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len(), scene.effects("/w")), (16, 16, 16));
    let versions: BTreeSet<char> = keys.iter().filter_map(|key| key.chars().nth(14)).collect();
    assert_eq!(versions, BTreeSet::from(['5']), "they are UUIDv5");
    Ok(())
}

#[tokio::test]
async fn a_header_that_the_plugin_sets_stays_its_own() -> anyhow::Result<()> {
    let route = "[[routes]]\nname = \"own\"\non = { type = \"own\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.request\"\n";
    let scene = Scene::start(route).await?;
    let data = json!({ "method": "POST", "name": "w", "url": scene.url("/w"), "headers": { "idempotency-key": "chosen-by-the-plugin" } });
    let document = scene.client().send_and_wait(&event("1", "own", data)).await?;
    assert_eq!(step(&document, "run")?["output"]["status"], 200);
    assert_eq!(scene.keys("/w"), ["chosen-by-the-plugin"]);
    Ok(())
}

#[tokio::test]
async fn an_answer_to_a_write_is_kept_whole() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let large = json!({ "text": "ä".repeat(300_000) });
    scene.fault(
        "/w",
        FaultAct::Status { status: 201, headers: [("x-made".to_owned(), "yes".to_owned())].into(), body: large.to_string() },
        1,
    );
    let document = scene.play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }, { "do": "fail", "on": [1] }])).await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "succeeded"]);
    assert_eq!((results(&document)?[0] == large, scene.requests("/w").len()), (true, 1));
    assert_eq!(effects(&document, 2)?[0]["status"], 201);
    Ok(())
}

#[tokio::test]
async fn of_two_replays_at_once_one_goes() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/b", 422, 1);
    let lines = json!([{ "do": "write", "name": "a", "url": scene.url("/a") }, { "do": "write", "name": "b", "url": scene.url("/b") }]);
    let dead = scene.play("1", lines).await?;
    let eid = dead["eid"].as_str().unwrap_or("").to_owned();
    // The one that goes is still under way while the others ask.
    scene.fault("/b", FaultAct::Delay { ms: 1000 }, 1);
    let mut asking = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, path) = (scene.client().clone(), format!("/v1/events/{eid}/replay"));
        asking.spawn(async move { client.post(&path, &json!({})).await });
    }
    let mut statuses = Vec::new();
    while let Some(answer) = asking.join_next().await {
        statuses.push(answer??.status);
    }
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409, 409, 409, 409, 409, 409, 409]);
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(document["runs"].as_array().map(Vec::len), Some(2));
    assert_eq!((scene.requests("/a").len(), scene.effects("/b")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn claims_that_would_wait_for_each_other_do_not() -> anyhow::Result<()> {
    const EACH: usize = 12;
    let scene = Scene::start(&SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).await?;
    let add = |key: &str| json!({ "do": "increment", "key": key, "amount": 1 });
    let write = json!({ "do": "write", "name": "w", "url": scene.url("/w") });
    // Half of them read one key first, half the other, and all hold both while they write.
    let batch = (0..2 * EACH).map(|index| {
        let (first, second) = if index % 2 == 0 { ("a", "b") } else { ("b", "a") };
        script(&index.to_string(), json!([add(first), add(second), write]))
    });
    let answer = scene.client().send_raw(&Value::Array(batch.collect()), "?wait=60s").await?;
    assert_eq!(answer.status, 200, "they wait for each other: {}", answer.text);
    for document in answer.json["events"].as_array().into_iter().flatten() {
        assert_eq!(document["status"], "succeeded", "{document:#}");
        let outcomes = outcomes(document, "run")?;
        assert!(outcomes[..outcomes.len() - 1].iter().all(|outcome| outcome == "conflict"), "{outcomes:?}");
    }
    let sums = scene.play("sums", json!([{ "do": "get", "key": "a" }, { "do": "get", "key": "b" }])).await?;
    let all = (2 * EACH).to_string();
    assert_eq!(results(&sums)?, &json!([all, all]));
    assert_eq!((scene.effects("/w"), scene.requests("/w").len()), (2 * EACH as u64, 2 * EACH));
    Ok(())
}

#[tokio::test]
async fn whatever_was_read_is_claimed_and_a_blind_set_needs_no_claim() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for (id, reads, other) in [
        ("get", json!({ "do": "get", "key": "get/k" }), "get/k"),
        ("increment", json!({ "do": "increment", "key": "increment/k", "amount": 1 }), "increment/k"),
        ("swap", json!({ "do": "swap", "key": "swap/k", "value": "x" }), "swap/k"),
        ("list", json!({ "do": "list", "key": "list/" }), "list/k"),
    ] {
        let path = format!("/{id}");
        scene.fault(&path, FaultAct::Delay { ms: 600 }, 1);
        let holder = scene.client().send(&script(id, json!([reads, { "do": "write", "name": "w", "url": scene.url(&path) }]))).await?;
        scene.arrived(&path).await?;
        let blind = scene.play(&format!("{id}-blind"), json!([{ "do": "set", "key": other, "value": "7" }])).await?;
        assert_eq!(outcomes(&blind, "run")?, ["succeeded"], "{id}: a blind set waited for the claim");
        let reader = scene.play(&format!("{id}-reader"), json!([{ "do": "get", "key": other }])).await?;
        let outcomes = outcomes(&reader, "run")?;
        assert!(outcomes.len() > 1 && outcomes[0] == "conflict", "{id}: the key was not claimed: {outcomes:?}");
        scene.client().until(&holder, "succeeded").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_claim_lasts_through_a_crash_between_the_write_and_the_settling() -> anyhow::Result<()> {
    let scene = Scene::start(&SCRIPT.replace("max-attempts = 3", "max-attempts = 9")).await?;
    // Two runs of one key at once; the host dies while the write of the one that holds it is under way, and the write is done all the same.
    scene.fault("/w", FaultAct::Delay { ms: 400 }, 1);
    let lines = |id: &str| json!([{ "do": "increment", "key": "n", "amount": 1 }, { "do": "write", "name": "w", "url": scene.url("/w"), "body": id }]);
    let one = scene.client().send(&script("one", lines("one"))).await?;
    let two = scene.client().send(&script("two", lines("two"))).await?;
    scene.arrived("/w").await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while sink.state()["count"] == 0 {
        anyhow::ensure!(tokio::time::Instant::now() < end, "the sink did not do what it had begun");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let mut sums = Vec::new();
    for eid in [&one, &two] {
        sums.push(results(&scene.client().until(eid, "succeeded").await?)?[0].as_u64().unwrap_or(0));
    }
    sums.sort_unstable();
    assert_eq!((sums, scene.effects("/w")), (vec![1, 2], 2));
    let value = scene.play("value", json!([{ "do": "get", "key": "n" }])).await?;
    assert_eq!(results(&value)?[0], "2");
    Ok(())
}
