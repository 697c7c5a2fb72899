//! The plugins' small store: read, compute and write back is safe, and nothing takes effect without the step's success.

use std::collections::BTreeSet;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, effects, outcomes, reason, results, script, step};

const EVENTS: usize = 40;

async fn value(scene: &Scene, key: &str) -> anyhow::Result<Value> {
    static READS: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
    let id = format!("get-{}", READS.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    Ok(results(&scene.play(&id, json!([{ "do": "get", "key": key }])).await?)?[0].clone())
}

/// Sends so many runs of a script at once, waits for them, and gives their first results.
async fn together(scene: &Scene, lines: impl Fn(usize) -> Value) -> anyhow::Result<Vec<Value>> {
    let batch: Vec<Value> = (0..EVENTS).map(|index| script(&format!("{index}"), lines(index))).collect();
    let answer = scene.client().send_raw(&Value::Array(batch), "?wait=60s").await?;
    assert_eq!(answer.status, 200, "not all runs ended: {}", answer.text);
    let events = answer.json["events"].as_array().cloned().unwrap_or_default();
    assert_eq!(events.len(), EVENTS);
    events.iter().map(|event| Ok(results(event)?[0].clone())).collect()
}

fn all_numbers() -> BTreeSet<u64> {
    (1..=EVENTS as u64).collect()
}

#[tokio::test]
async fn increments_of_concurrent_runs_add_up_with_writes_in_between() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let url = scene.url("/w");
    let sums =
        together(&scene, |_| json!([{ "do": "increment", "key": "n", "amount": 1 }, { "do": "write", "name": "w", "url": url }])).await?;
    assert_eq!(value(&scene, "n").await?, EVENTS.to_string());
    assert_eq!(sums.iter().filter_map(Value::as_u64).collect::<BTreeSet<_>>(), all_numbers(), "two runs saw the same sum");
    assert_eq!(scene.effects("/w"), EVENTS as u64);
    assert_eq!(scene.requests("/w").len(), EVENTS, "a run that lost its keys had already written");
    Ok(())
}

#[tokio::test]
async fn increments_of_concurrent_runs_add_up_without_writes() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let sums = together(&scene, |_| json!([{ "do": "increment", "key": "n", "amount": 1 }])).await?;
    assert_eq!(value(&scene, "n").await?, EVENTS.to_string());
    assert_eq!(sums.iter().filter_map(Value::as_u64).collect::<BTreeSet<_>>(), all_numbers());
    Ok(())
}

#[tokio::test]
async fn runs_that_list_and_add_see_each_other() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let lists =
        together(&scene, |index| json!([{ "do": "list", "key": "job/" }, { "do": "set", "key": format!("job/{index}"), "value": "x" }]))
            .await?;
    let seen: BTreeSet<usize> = lists.iter().map(|list| list.as_array().map_or(0, Vec::len)).collect();
    assert_eq!(seen, (0..EVENTS).collect(), "two runs saw the same list");
    Ok(())
}

#[tokio::test]
async fn a_conflict_uses_up_no_attempt() -> anyhow::Result<()> {
    let route = SCRIPT.replace("max-attempts = 3", "max-attempts = 1");
    let scene = Scene::start(&route).await?;
    scene.fault("/slow", sangam_saas::FaultAct::Delay { ms: 300 }, 1);
    let holder = script(
        "holder",
        json!([{ "do": "increment", "key": "n", "amount": 1 }, { "do": "write", "name": "w", "url": scene.url("/slow") }]),
    );
    let holder = scene.client().send(&holder).await?;
    scene.arrived("/slow").await?;
    let event = scene.play("other", json!([{ "do": "increment", "key": "n", "amount": 1 }])).await?;
    let outcomes = outcomes(&event, "run")?;
    assert_eq!(outcomes.last().map(String::as_str), Some("succeeded"));
    assert!(outcomes.len() > 1 && outcomes[..outcomes.len() - 1].iter().all(|outcome| outcome == "conflict"), "{outcomes:?}");
    scene.client().until(&holder, "succeeded").await?;
    assert_eq!(value(&scene, "n").await?, "2");
    let states: Vec<&str> = (1..=outcomes.len()).map(|attempt| key_state(&event, attempt)).collect::<anyhow::Result<_>>()?;
    assert!(states.iter().rev().skip(1).all(|state| *state == "failed") && states.last() == Some(&"done"), "{states:?}");
    Ok(())
}

/// How the timeline shows the key-value write of an attempt, from 1.
fn key_state(event: &Value, attempt: usize) -> anyhow::Result<&str> {
    let write = effects(event, attempt)?.iter().find(|effect| effect["kind"] == "key-value").context("it wrote a key")?;
    anyhow::ensure!((write["dropped"] == true) == (write["state"] == "failed"), "{write}");
    anyhow::ensure!(write["error"].is_string() == (write["state"] == "failed"), "{write}");
    write["state"].as_str().context("an effect has a state")
}

#[tokio::test]
async fn the_timeline_shows_which_writes_took_effect() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let lines = json!([{ "do": "set", "key": "k", "value": "v" }, { "do": "fail", "on": [1], "key": "again" }]);
    let event = scene.play("1", lines).await?;
    assert_eq!((key_state(&event, 1)?, key_state(&event, 2)?), ("failed", "done"), "the first attempt failed");
    // It succeeded once: a replay applies nothing again.
    let eid = event["eid"].as_str().context("an event has an eid")?;
    let wish = json!({ "from": "start", "route": "script" });
    assert_eq!(scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?.status, 200);
    let event = scene.client().until(eid, "succeeded").await?;
    assert_eq!(event["runs"].as_array().map(Vec::len), Some(2));
    let attempts = outcomes(&event, "run")?.len();
    assert_eq!(key_state(&event, attempts)?, "failed", "{event:#}");
    Ok(())
}

#[tokio::test]
async fn a_key_that_was_not_read_before_the_first_write_is_not_claimed() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for (id, late) in [
        ("get", json!({ "do": "get", "key": "late" })),
        ("increment", json!({ "do": "increment", "key": "late", "amount": 1 })),
        ("list", json!({ "do": "list", "key": "late" })),
        ("swap", json!({ "do": "swap", "key": "late", "value": "x" })),
    ] {
        let event =
            scene.play(id, json!([{ "do": "get", "key": "early" }, { "do": "write", "name": "w", "url": scene.url("/w") }, late])).await?;
        assert!(reason(&event)?.contains("late"), "{id}: {}", reason(&event)?);
    }
    let lines = json!([
        { "do": "get", "key": "early" },
        { "do": "write", "name": "w", "url": scene.url("/w") },
        { "do": "get", "key": "early" },
        { "do": "set", "key": "blind", "value": "yes" },
    ]);
    results(&scene.play("fine", lines).await?)?;
    assert_eq!(value(&scene, "blind").await?, "yes");
    Ok(())
}

#[tokio::test]
async fn a_step_that_failed_for_good_holds_no_keys() -> anyhow::Result<()> {
    // Both steps read the same key and write; the first is rejected after its write, and the run goes on.
    let route = r#"
[[routes]]
name = "two"
on = { type = "two" }
[[routes.steps]]
name = "first"
uses = "s.run"
on-failure = "continue"
with = { lines = "${ .event.data.first }" }
[[routes.steps]]
name = "run"
uses = "s.run"
with = { lines = "${ .event.data.then }" }
"#;
    let scene = Scene::start(route).await?;
    let write = |name: &str| json!({ "do": "write", "name": name, "url": scene.url("/w") });
    let data = json!({
        "first": [{ "do": "increment", "key": "n", "amount": 1 }, write("w"), { "do": "fail", "kind": "rejected", "key": "no" }],
        "then": [{ "do": "increment", "key": "n", "amount": 5 }, write("w")],
    });
    let event = scene.client().send_and_wait(&crate::scene::event("two", "two", data)).await?;
    assert_eq!(results(&event)?[0], 5, "what the failed step computed did not take effect");
    assert_eq!(outcomes(&event, "run")?, ["succeeded"]);
    Ok(())
}

#[tokio::test]
async fn values_take_effect_with_success_only() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let set = json!({ "do": "set", "key": "k", "value": "new" });
    let event =
        scene.play("rejected", json!([set, { "do": "get", "key": "k" }, { "do": "fail", "kind": "rejected", "key": "no" }])).await?;
    assert_eq!(step(&event, "run")?["error"]["details"]["results"][1], "new", "an attempt sees its own writes");
    assert_eq!(value(&scene, "k").await?, Value::Null);
    let event = scene.play("trapped", json!([{ "do": "increment", "key": "n", "amount": 5 }, { "do": "trap", "on": [1, 2] }])).await?;
    assert_eq!(results(&event)?[0], 5, "values of attempts that failed are gone");
    assert_eq!(value(&scene, "n").await?, "5");
    results(&scene.play("deleted", json!([{ "do": "delete", "key": "n" }])).await?)?;
    assert_eq!(value(&scene, "n").await?, Value::Null);
    Ok(())
}

#[tokio::test]
async fn swaps_and_wrong_values_say_what_they_are() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let swap = |expected: Value, value: &str| json!({ "do": "swap", "key": "k", "expected": expected, "value": value });
    let event =
        scene.play("1", json!([swap(Value::Null, "a"), swap(json!("x"), "b"), swap(json!("a"), "c"), { "do": "get", "key": "k" }])).await?;
    assert_eq!(results(&event)?, &json!([true, false, true, "c"]));
    let event = scene.play("2", json!([{ "do": "increment", "key": "k", "amount": 1 }])).await?;
    assert!(reason(&event)?.contains("not a decimal integer"), "{}", reason(&event)?);
    let event = scene.play("3", json!([{ "do": "set", "key": "k".repeat(513), "value": "" }])).await?;
    assert!(reason(&event)?.contains("512"), "{}", reason(&event)?);
    let event = scene.play("4", json!([{ "do": "set", "key": "k", "value": "x".repeat((256 << 10) + 1) }])).await?;
    assert!(reason(&event)?.contains("262144"), "{}", reason(&event)?);
    Ok(())
}

#[tokio::test]
async fn later_attempts_see_the_values_of_the_first() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/w", sangam_saas::FaultAct::LoseAnswer, 1);
    // The second attempt comes late enough for another run to set the key in between.
    let route = SCRIPT.replace("10ms", "400ms");
    scene.change("", &route).await?;
    let first = script("first", json!([{ "do": "get", "key": "k" }, { "do": "write", "name": "w", "url": scene.url("/w") }]));
    let first = scene.client().send(&first).await?;
    scene.arrived("/w").await?;
    results(&scene.play("between", json!([{ "do": "set", "key": "k", "value": "between" }])).await?)?;
    let event = scene.client().until(&first, "succeeded").await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "succeeded"]);
    assert_eq!(results(&event)?[0], Value::Null, "the second attempt saw another value than the one the write in doubt stands on");
    assert_eq!(value(&scene, "k").await?, "between");
    Ok(())
}

#[tokio::test]
async fn a_replay_reads_present_values_and_writes_nothing_twice() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/second", 404, 1);
    let lines = json!([
        { "do": "increment", "key": "n", "amount": 1 },
        { "do": "write", "name": "first", "url": scene.url("/first") },
        { "do": "write", "name": "second", "url": scene.url("/second") },
    ]);
    let event = scene.play("dies", lines).await?;
    assert_eq!(event["status"], "dead");
    assert_eq!(value(&scene, "n").await?, Value::Null, "values of a dead run have no effect");
    results(&scene.play("other", json!([{ "do": "increment", "key": "n", "amount": 10 }])).await?)?;
    let eid = event["eid"].as_str().unwrap_or("");
    assert_eq!(scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?.status, 200);
    let event = scene.client().until(eid, "succeeded").await?;
    assert_eq!(results(&event)?[0], 11, "a replay reads the present value");
    assert_eq!(value(&scene, "n").await?, "11");
    assert_eq!(scene.requests("/first").len(), 1, "the finished write comes from the journal");
    assert_eq!(scene.effects("/second"), 1);
    Ok(())
}

#[tokio::test]
async fn a_step_that_succeeded_applies_its_values_once_in_its_line() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let event = scene.play("1", json!([{ "do": "increment", "key": "n", "amount": 1 }])).await?;
    let eid = event["eid"].as_str().unwrap_or("");
    let replay = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
    assert_eq!(replay.status, 200, "{}", replay.text);
    scene.client().until(eid, "succeeded").await?;
    assert_eq!(value(&scene, "n").await?, "1");
    let replay = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "keys": "new" })).await?;
    assert_eq!(replay.status, 200, "{}", replay.text);
    scene.client().until(eid, "succeeded").await?;
    assert_eq!(value(&scene, "n").await?, "2", "with new keys everything is done again");
    Ok(())
}

#[tokio::test]
async fn a_claim_outlives_the_host_and_ends_with_the_run() -> anyhow::Result<()> {
    let scene = Scene::start(&SCRIPT.replace("initial = \"10ms\"", "initial = \"1h\", max = \"1h\"")).await?;
    scene.fault("/w", sangam_saas::FaultAct::LoseAnswer, 1);
    let holds =
        script("holds", json!([{ "do": "increment", "key": "n", "amount": 1 }, { "do": "write", "name": "w", "url": scene.url("/w") }]));
    let holder = scene.client().send(&holds).await?;
    scene.arrived("/w").await?;
    let Scene { sink, folder, host } = scene;
    assert_eq!(host.terminate().await?, Some(0));
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let other = scene.client().send(&script("other", json!([{ "do": "increment", "key": "n", "amount": 5 }]))).await?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    loop {
        let document = scene.client().event(&other).await?;
        let tried = step(&document, "run")?["attempts"].as_array().map_or(0, Vec::len);
        if tried > 0 {
            assert!(outcomes(&document, "run")?.iter().all(|outcome| outcome == "conflict" || outcome.is_empty()), "{document:#}");
            break;
        }
        assert!(tokio::time::Instant::now() < end, "the other run was never tried");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(scene.client().post(&format!("/v1/events/{holder}/cancel"), &json!({})).await?.status, 200);
    let document = scene.client().until(&other, "succeeded").await?;
    assert_eq!(results(&document)?[0], 5, "what the cancelled run had added is gone");
    Ok(())
}
