//! What a step may say of its journal: that there is none, and what follows from a write that is not repeated.

use std::collections::HashSet;

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, effects, outcomes, results, step};

fn with(option: &str) -> String {
    SCRIPT.replace("uses = \"s.run\"", &format!("uses = \"s.run\"\n{option}"))
}

#[tokio::test]
async fn without_a_journal_every_attempt_repeats_its_writes_under_the_same_keys() -> anyhow::Result<()> {
    let scene = Scene::start(&with("journal = false")).await?;
    let write = |name: &str| json!({ "do": "write", "name": name, "url": scene.url(&format!("/{name}")), "body": name });
    let unnamed = json!({ "do": "write", "url": scene.url("/unnamed"), "body": 1 });
    let event = scene.play("1", json!([write("a"), unnamed, write("b"), { "do": "fail", "on": [1, 2] }])).await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "retry", "succeeded"]);
    for path in ["/a", "/unnamed", "/b"] {
        let keys = scene.keys(path);
        assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (3, 1), "{path}");
        assert_eq!(scene.effects(path), 1, "{path}: a sink that knows keys sees one effect");
    }
    for attempt in 1..=3 {
        let shown = effects(&event, attempt)?;
        assert!(
            shown.iter().all(|effect| effect["state"] == "done" && effect["replayed"] == false && effect["key"].is_string()),
            "{shown:?}"
        );
    }
    // Within an attempt a name stands for one write all the same.
    let event = scene.play("2", json!([write("c"), write("c")])).await?;
    assert_eq!(event["status"], "dead");
    assert_eq!(scene.requests("/c").len(), 1);
    Ok(())
}

#[tokio::test]
async fn without_a_journal_a_crash_repeats_what_was_done() -> anyhow::Result<()> {
    let scene = Scene::start(&with("journal = false")).await?;
    scene.fault("/slow", FaultAct::Delay { ms: 3_600_000 }, 1);
    let lines = json!([
        { "do": "write", "name": "a", "url": scene.url("/a") },
        { "do": "write", "name": "slow", "url": scene.url("/slow") },
    ]);
    let eid = scene.client().send(&crate::scene::script("1", lines)).await?;
    scene.arrived("/slow").await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let event = scene.client().until(&eid, "succeeded").await?;
    assert!(results(&event)?[0].is_object());
    let keys = scene.keys("/a");
    assert_eq!((keys.len(), &keys[0], scene.effects("/a")), (2, &keys[1], 1));
    Ok(())
}

#[tokio::test]
async fn a_write_that_is_no_longer_asked_for_is_shown() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/doubt", FaultAct::LoseAnswer, 1);
    let lines = json!([
        { "do": "write", "on": [1], "name": "gone", "url": scene.url("/gone") },
        { "do": "write", "name": "kept", "url": scene.url("/kept") },
        { "do": "write", "on": [1], "name": "doubt", "url": scene.url("/doubt"), "whatever": true },
        { "do": "fail", "on": [1, 2] },
    ]);
    let event = scene.play("1", lines).await?;
    assert_eq!(event["status"], "succeeded", "{}", event["status_reason"]);
    let shown = |attempt: usize| -> anyhow::Result<Vec<(Value, Value, Value)>> {
        Ok(effects(&event, attempt)?.iter().map(|e| (e["name"].clone(), e["state"].clone(), e["unrepeated"].clone())).collect())
    };
    let row = |name: &str, state: &str, unrepeated: Value| (json!(name), json!(state), unrepeated);
    assert_eq!(shown(2)?, [row("kept", "done", Value::Null)], "an attempt that failed may just not have come so far");
    let yes = json!(true);
    assert_eq!(shown(3)?, [row("kept", "done", Value::Null), row("gone", "done", yes.clone()), row("doubt", "in-doubt", yes)]);
    assert_eq!(effects(&event, 3)?[1]["key"], scene.keys("/gone")[0].as_str());
    let eid = event["eid"].as_str().unwrap_or("");
    let output = scene.folder.run(&["events", "show", eid, "--url", &scene.client().url], "")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(text.contains("done by an earlier attempt, no longer asked for"), "{text}");
    Ok(())
}

#[tokio::test]
async fn a_step_may_be_told_to_stop_on_it() -> anyhow::Result<()> {
    let scene = Scene::start(&with("on-unrepeated = \"stop\"")).await?;
    let gone = |on: &[u32], name: &str| json!({ "do": "write", "on": on, "name": name, "url": scene.url("/gone") });
    let set = json!({ "do": "set", "key": "k", "value": "x" });
    let event = scene.play("1", json!([gone(&[1], "gone"), set, { "do": "fail", "on": [1] }])).await?;
    assert_eq!((&event["status"], outcomes(&event, "run")?), (&json!("dead"), vec!["retry".to_owned(), "diverged".to_owned()]));
    let why = event["status_reason"].as_str().unwrap_or("");
    assert!(why.contains("\"gone\"") && why.contains("no longer asks for it"), "{why}");
    assert_eq!(effects(&event, 2)?.last().map(|effect| &effect["unrepeated"]), Some(&json!(true)));
    assert_eq!(step(&event, "run")?["output"], Value::Null);
    let event = scene.play("2", json!([{ "do": "get", "key": "k" }])).await?;
    assert_eq!(results(&event)?[0], Value::Null, "what the stopped attempt had set took effect");
    // A write that is asked for again, and one that was only in doubt, stop nothing.
    scene.fault("/gone", FaultAct::LoseAnswer, 1);
    results(&scene.play("3", json!([gone(&[1], "doubt"), { "do": "fail", "on": [1] }])).await?)?;
    results(&scene.play("4", json!([gone(&[], "again"), { "do": "fail", "on": [1] }])).await?)?;
    Ok(())
}

#[tokio::test]
async fn a_large_body_is_kept_by_its_digest_and_the_document_says_so() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/large", 422, 1);
    let large = "x".repeat(70 << 10);
    let lines = json!([
        { "do": "write", "name": "small", "url": scene.url("/small"), "body": "x" },
        { "do": "write", "name": "large", "url": scene.url("/large"), "body": large },
    ]);
    let event = scene.play("1", lines).await?;
    let shown = effects(&event, 1)?;
    assert_eq!(shown[0]["body_digest"], Value::Null);
    assert!(shown[1]["body_digest"].as_str().is_some_and(|digest| digest.len() == 71 && digest.starts_with("sha256:")), "{shown:?}");
    // The same in a dry run, which can only tell whether it differs.
    let changed =
        SCRIPT.replace("uses = \"s.run\"", "uses = \"s.run\"\nwith = { lines = \"${ .event.data.lines | .[1].body += \\\"y\\\" }\" }");
    let eid = event["eid"].as_str().unwrap_or("").to_owned();
    let difference = async || -> anyhow::Result<Value> {
        let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "dry_run": true })).await?;
        anyhow::ensure!(answer.status == 200, "{}", answer.text);
        Ok(answer.json["dry_run"]["runs"][0]["steps"][0]["difference"]["changes"].clone())
    };
    assert_eq!(difference().await?, json!([]));
    scene.change("", &changed).await?;
    let changes = difference().await?;
    assert_eq!(changes[0]["then"]["digest"], shown[1]["body_digest"]);
    assert!(changes[0]["now"]["bytes"].as_u64().is_some_and(|bytes| bytes > 70 << 10), "{changes}");
    Ok(())
}
