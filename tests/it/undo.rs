//! `on-failure = "undo"`: what was done is undone in reverse, once, through failures and crashes, and done afresh by a replay.

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{Scene, event, step};

/// Two steps with a write, a key and a clock each, and one that the event decides on.
const SAGA: &str = r#"
[[routes]]
name = "saga"
on = { type = "saga" }
[[routes.steps]]
name = "first"
uses = "s.act"
retry = { max-attempts = 3, initial = "10ms", jitter = 0 }
with = { lines = [{ do = "increment", key = "jobs", amount = 1 }, { do = "write", name = "w", url = "{sink}/first", body = "one" }, { do = "clock" }], undo = [{ do = "increment", key = "jobs", amount = -1 }, { do = "write", name = "u", url = "{sink}/undo-first" }] }
[[routes.steps]]
name = "second"
uses = "s.act"
retry = { max-attempts = 2, initial = "10ms", jitter = 0 }
with = { lines = [{ do = "write", name = "w", url = "{sink}/second" }], undo = [{ do = "write", name = "u", url = "{sink}/undo-second" }] }
[[routes.steps]]
name = "last"
uses = "s.act"
on-failure = "undo"
retry = { max-attempts = 1 }
with = { lines = [{ do = "write", name = "w", url = "{sink}/last" }], undo = [{ do = "write", name = "u", url = "{sink}/undo-last" }] }
"#;

fn saga(id: &str) -> Value {
    event(id, "saga", json!({}))
}

/// Paths of the effects at the sink, in order.
fn paths(scene: &Scene) -> Vec<String> {
    let state = scene.sink.state();
    let effects = state["effects"].as_array().cloned().unwrap_or_default();
    effects.iter().map(|effect| effect["path"].as_str().unwrap_or("").to_owned()).collect()
}

fn eid(event: &Value) -> String {
    event["eid"].as_str().unwrap_or("").to_owned()
}

fn statuses(event: &Value) -> anyhow::Result<[String; 3]> {
    let status = |name| Ok::<_, anyhow::Error>(step(event, name)?["status"].as_str().unwrap_or("").to_owned());
    Ok([status("first")?, status("second")?, status("last")?])
}

async fn replay(scene: &Scene, eid: &str, wish: Value) -> anyhow::Result<()> {
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    anyhow::ensure!(answer.status == 200, "the replay was refused: {} {}", answer.status, answer.text);
    Ok(())
}

/// What the key-value space holds under `jobs`.
async fn jobs(scene: &Scene, id: &str) -> anyhow::Result<Value> {
    let document = scene.client().send_and_wait(&event(id, "look", json!({ "lines": [{ "do": "get", "key": "jobs" }] }))).await?;
    Ok(step(&document, "look")?["output"]["results"][0].clone())
}

const LOOK: &str = r#"
[[routes]]
name = "look"
on = { type = "look" }
[[routes.steps]]
name = "look"
uses = "s.run"
"#;

#[tokio::test]
async fn finished_steps_are_undone_in_reverse() -> anyhow::Result<()> {
    let scene = Scene::start(&format!("{SAGA}{LOOK}")).await?;
    scene.answer("/last", 404, 1);
    scene.answer("/undo-first", 503, 1);
    let dead = scene.client().send_and_wait(&saga("1")).await?;
    assert_eq!(paths(&scene), ["/first", "/second", "/undo-second", "/undo-first"]);
    assert_eq!((&dead["status"], &dead["runs"][0]["undone"]), (&json!("dead"), &json!(true)));
    let reason = dead["status_reason"].as_str().unwrap_or("");
    assert!(reason.contains("step last: rejected") && reason.ends_with("; undone"), "{reason}");
    // The failing step's write was refused: there is nothing to undo of it.
    assert_eq!(statuses(&dead)?, ["undone", "undone", "failed"]);

    // An undo is a step like others: attempts, retries, a journal and keys of its own, and it was given what the step did.
    let first = step(&dead, "first")?;
    let undo = &first["undo"];
    assert_eq!((&undo["name"], &undo["uses"], &undo["status"]), (&json!("first/undo"), &json!("s.undo"), &json!("succeeded")));
    let outcomes: Vec<&str> = undo["attempts"].as_array().into_iter().flatten().filter_map(|attempt| attempt["outcome"].as_str()).collect();
    assert_eq!(outcomes, ["retry", "succeeded"], "it is retried by its step's policy");
    assert_eq!(undo["input"]["output"], first["output"]);
    assert_eq!(undo["input"]["input"], first["input"]);
    let effect = &undo["output"]["given"]["effects"][0];
    assert_eq!((&effect["name"], &effect["state"], &effect["key"]), (&json!("w"), &json!("done"), &json!(scene.keys("/first")[0])));
    assert_eq!((&effect["request"]["method"], &effect["request"]["body"]), (&json!("POST"), &json!("\"one\"")));
    assert_eq!((&effect["response"]["status"], &effect["response"]["body"]), (&json!(200), &json!(r#"{"received":1}"#)));
    assert_ne!(scene.keys("/undo-first")[0], scene.keys("/first")[0]);
    assert_eq!(jobs(&scene, "look").await?, "0", "key-value writes of the undo take effect with it");

    let shown = scene.folder.run(&["events", "show", &eid(&dead), "--url", &scene.client().url], "")?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(shown.contains("first/undo") && shown.contains("undone"), "{shown}");
    Ok(())
}

#[tokio::test]
async fn the_half_done_failing_step_is_undone_first() -> anyhow::Result<()> {
    let scene = Scene::start(SAGA).await?;
    scene.fault("/last", FaultAct::LoseAnswer, 1);
    let dead = scene.client().send_and_wait(&saga("1")).await?;
    assert_eq!(paths(&scene), ["/first", "/second", "/last", "/undo-last", "/undo-second", "/undo-first"]);
    assert_eq!(statuses(&dead)?, ["undone", "undone", "undone"]);
    let given = &step(&dead, "last")?["undo"]["output"]["given"];
    assert_eq!((&given["output"], &given["effects"][0]["state"]), (&Value::Null, &json!("in-doubt")));
    Ok(())
}

#[tokio::test]
async fn a_replay_does_afresh_what_was_undone() -> anyhow::Result<()> {
    let scene = Scene::start(&format!("{SAGA}{LOOK}")).await?;
    scene.answer("/last", 404, 2);
    let dead = scene.client().send_and_wait(&saga("1")).await?;
    assert_eq!(dead["runs"][0]["undone"], true);
    let clock = step(&dead, "first")?["output"]["results"][2].clone();
    // Undone once more, and at last done.
    replay(&scene, &eid(&dead), json!({})).await?;
    let dead = scene.client().until(&eid(&dead), "dead").await?;
    assert_eq!(dead["runs"][1]["undone"], true, "{dead:#}");
    replay(&scene, &eid(&dead), json!({})).await?;
    let done = scene.client().until(&eid(&dead), "succeeded").await?;
    for path in ["/first", "/second", "/undo-first", "/undo-second"] {
        let (keys, times) = (scene.keys(path), if path.starts_with("/undo") { 2 } else { 3 });
        let different: std::collections::BTreeSet<&String> = keys.iter().collect();
        assert_eq!((keys.len(), different.len(), scene.effects(path)), (times, times, times as u64), "{path}: {keys:?}");
    }
    assert_eq!(jobs(&scene, "look").await?, "1", "its key-value writes take effect again");
    assert_ne!(step(&done, "first")?["output"]["results"][2], clock, "its clock starts anew");
    // What is done now stays done: a replay from the start is answered from the new journal.
    let before = scene.sink.requests().len();
    replay(&scene, &eid(&done), json!({ "from": "start" })).await?;
    scene.client().until(&eid(&done), "succeeded").await?;
    assert_eq!(scene.sink.requests().len(), before);
    assert_eq!(jobs(&scene, "again").await?, "1");
    Ok(())
}

#[tokio::test]
async fn what_could_not_be_undone_is_undone_before_anything_else() -> anyhow::Result<()> {
    for from in ["failed", "start"] {
        let scene = Scene::start(SAGA).await?;
        scene.answer("/last", 404, 1);
        scene.answer("/undo-second", 404, 2);
        let dead = scene.client().send_and_wait(&saga("1")).await?;
        assert_eq!((&dead["runs"][0]["undone"], statuses(&dead)?), (&json!(false), ["undone", "undo-failed", "failed"].map(str::to_owned)));
        let reason = dead["status_reason"].as_str().unwrap_or("");
        assert!(reason.contains("not all undone: step second/undo: rejected"), "{reason}");
        // It fails once more: the replay ends before it began.
        replay(&scene, &eid(&dead), json!({ "from": from })).await?;
        let dead = scene.client().until(&eid(&dead), "dead").await?;
        assert_eq!(dead["runs"].as_array().map(Vec::len), Some(2));
        assert_eq!(scene.requests("/first").len(), 1);

        replay(&scene, &eid(&dead), json!({ "from": from })).await?;
        scene.client().until(&eid(&dead), "succeeded").await?;
        let expected = ["/first", "/second", "/undo-first", "/undo-second", "/first", "/second", "/last"];
        assert_eq!(paths(&scene), expected, "from {from}");
    }
    Ok(())
}

#[tokio::test]
async fn what_declares_no_undo_stays_and_is_named() -> anyhow::Result<()> {
    let scene = Scene::start(&SAGA.replacen("s.act", "s.run", 1)).await?;
    scene.answer("/last", 404, 1);
    let dead = scene.client().send_and_wait(&saga("1")).await?;
    assert_eq!((&dead["runs"][0]["undone"], statuses(&dead)?), (&json!(false), ["succeeded", "undone", "failed"].map(str::to_owned)));
    assert!(dead["status_reason"].as_str().is_some_and(|why| why.contains("step first has effects, and s.run declares no undo action")));
    assert_eq!(step(&dead, "first")?["undo"]["status"], "none");
    // What stays is done: the replay keeps it.
    replay(&scene, &eid(&dead), json!({})).await?;
    scene.client().until(&eid(&dead), "succeeded").await?;
    assert_eq!((scene.effects("/first"), scene.effects("/second"), scene.effects("/last")), (1, 2, 1));
    // `check` says so beforehand.
    let checked = scene.folder.run(&["check"], "")?;
    let said = format!("{}{}", String::from_utf8_lossy(&checked.stdout), String::from_utf8_lossy(&checked.stderr));
    assert!(checked.status.success() && said.contains("no undo action is declared for `first` (s.run)"), "{said}");
    Ok(())
}

#[tokio::test]
async fn a_host_killed_in_the_middle_of_an_undo_goes_on_with_it() -> anyhow::Result<()> {
    let scene = Scene::start(SAGA).await?;
    scene.answer("/last", 404, 1);
    scene.fault("/undo-second", FaultAct::Delay { ms: 300 }, 1);
    let id = scene.client().send(&saga("1")).await?;
    scene.arrived("/undo-second").await?;
    let event = scene.client().event(&id).await?;
    assert_eq!((&event["status"], &event["runs"][0]["undone"]), (&json!("running"), &json!(false)));
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let dead = scene.client().until(&id, "dead").await?;
    assert_eq!(dead["runs"][0]["undone"], true, "{dead:#}");
    assert_eq!(paths(&scene), ["/first", "/second", "/undo-second", "/undo-first"]);
    let keys = scene.keys("/undo-second");
    assert!(keys.len() == 2 && keys[0] == keys[1], "in doubt, it goes again under its key: {keys:?}");
    let attempts = step(&dead, "second")?["undo"]["attempts"].clone();
    assert_eq!((&attempts[0]["outcome"], &attempts[1]["outcome"]), (&json!("interrupted"), &json!("succeeded")));
    Ok(())
}

#[tokio::test]
async fn a_cancelled_undo_is_completed_by_the_replay() -> anyhow::Result<()> {
    let scene = Scene::start(SAGA).await?;
    scene.answer("/last", 404, 1);
    scene.fault("/undo-second", FaultAct::Delay { ms: 300 }, 1);
    let id = scene.client().send(&saga("1")).await?;
    scene.arrived("/undo-second").await?;
    assert_eq!(scene.client().post(&format!("/v1/events/{id}/cancel"), &json!({})).await?.status, 200);
    let event = scene.client().event(&id).await?;
    assert_eq!((&event["status"], &event["runs"][0]["undone"]), (&json!("cancelled"), &json!(false)));
    replay(&scene, &id, json!({ "route": "saga" })).await?;
    scene.client().until(&id, "succeeded").await?;
    assert_eq!((scene.effects("/undo-second"), scene.effects("/undo-first")), (1, 0), "what was not being undone is still done");
    assert_eq!((scene.effects("/first"), scene.effects("/second"), scene.effects("/last")), (1, 2, 1));
    Ok(())
}

#[tokio::test]
async fn a_deadline_turns_the_run_back_and_gives_the_undo_time() -> anyhow::Result<()> {
    let route = SAGA
        .replace("on = { type = \"saga\" }", "on = { type = \"saga\" }\ndeadline = \"4s\"")
        .replace("retry = { max-attempts = 1 }", "retry = { initial = \"1h\", max = \"1h\" }");
    let scene = Scene::start(&route).await?;
    scene.answer("/last", 503, 1);
    let dead = scene.client().send_and_wait(&saga("1")).await?;
    let reason = dead["status_reason"].as_str().unwrap_or("");
    assert!(reason.contains("the run's deadline has passed; undone"), "{reason}");
    assert_eq!(statuses(&dead)?, ["undone", "undone", "undone"], "the write of the last step was in doubt");
    Ok(())
}
