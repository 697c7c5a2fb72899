//! Plugins that trap, loop, allocate, recurse, flood and lie: each ends as described, alone, and the next event is fine.

use serde_json::{Value, json};

use crate::assembled::{big, hostile};
use crate::scene::{SCRIPT, Scene, event, outcomes, step};

/// One route for each misdeed: events of its name go to it.
fn routes(actions: &[&str], attempts: u32) -> String {
    let route = |action: &&str| {
        format!(
            "[[routes]]\nname = \"{action}\"\non = {{ type = \"{action}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"m.{action}\"\n\
             retry = {{ max-attempts = {attempts}, initial = \"10ms\", jitter = 0 }}\n"
        )
    };
    actions.iter().map(route).collect()
}

async fn misbehave(scene: &Scene, action: &str, input: Value) -> anyhow::Result<Value> {
    scene.client().send_and_wait(&event(action, action, input)).await
}

#[tokio::test]
async fn each_misdeed_ends_as_described_and_the_next_event_is_fine() -> anyhow::Result<()> {
    let misdeeds = ["trap", "loop", "allocate", "recurse", "not-json", "huge-output", "bad-event"];
    let scene = Scene::granting(
        "limits = { memory = \"8MiB\", cpu = \"100ms\", output-size = \"1KiB\" }",
        &routes(&[&misdeeds[..], &["fine"]].concat(), 2),
    )
    .await?;
    for (action, input, outcome, words) in [
        ("trap", json!({}), "trap", "trapped"),
        ("loop", json!({}), "trap", "limits.cpu"),
        ("allocate", json!({}), "trap", "limits.memory"),
        ("recurse", json!({}), "trap", "stack"),
        ("not-json", json!({}), "invalid-output", "not JSON"),
        ("huge-output", json!({ "bytes": 2000 }), "invalid-output", "limits.output-size"),
        ("bad-event", json!({}), "invalid-output", "event 0"),
    ] {
        let document = misbehave(&scene, action, input).await?;
        assert_eq!(document["status"], "dead", "{action}");
        let expected = if outcome == "trap" { vec![outcome; 2] } else { vec![outcome] };
        assert_eq!(outcomes(&document, "run")?, expected, "{action}");
        let reason = step(&document, "run")?["error"]["reason"].as_str().unwrap_or("");
        assert!(reason.contains(words), "{action}: {words:?} is not in {reason:?}");
        assert!(document["status_reason"].as_str().is_some_and(|why| why.contains(words)), "{action}: {}", document["status_reason"]);
        let fine = scene.client().send_and_wait(&event(&format!("after-{action}"), "fine", json!({ "a": 1 }))).await?;
        assert_eq!(fine["status"], "succeeded", "after {action}");
    }
    let letters = scene.client().get("/v1/dead-letters").await?.json;
    assert_eq!(letters["dead_letters"].as_array().map(Vec::len), Some(misdeeds.len()), "every event that died is there");
    Ok(())
}

#[tokio::test]
async fn a_time_limit_ends_a_call_that_waits() -> anyhow::Result<()> {
    let route = "[[routes]]\nname = \"r\"\non = { type = \"r\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\nretry = { max-attempts = 1 }\n";
    let scene = Scene::granting("limits = { time = \"100ms\" }", route).await?;
    let document = scene.client().send_and_wait(&event("1", "r", json!({ "lines": [{ "do": "sleep", "amount": 3_600_000 }] }))).await?;
    assert_eq!(outcomes(&document, "run")?, ["timeout"]);
    // The step's own limit counts too.
    scene.change("", &route.replace("retry =", "timeout = \"90ms\"\nretry =")).await?;
    let document = scene.client().send_and_wait(&event("2", "r", json!({ "lines": [{ "do": "sleep", "amount": 3_600_000 }] }))).await?;
    assert_eq!(outcomes(&document, "run")?, ["timeout"]);
    assert!(step(&document, "run")?["error"]["reason"].as_str().is_some_and(|why| why.contains("90ms")));
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_loops_holds_nobody_up() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { cpu = \"1h\", time = \"20s\" }\nconcurrency = 4", &routes(&["loop", "fine"], 1)).await?;
    let script = SCRIPT;
    scene
        .change("limits = { cpu = \"1h\", time = \"20s\" }\nconcurrency = 4", &format!("{}{script}", routes(&["loop", "fine"], 1)))
        .await?;
    let mut looping = Vec::new();
    for id in ["1", "2", "3"] {
        looping.push(scene.client().send(&event(id, "loop", json!({}))).await?);
    }
    for eid in &looping {
        scene.client().until(eid, "running").await?;
    }
    for id in ["a", "b", "c", "d", "e"] {
        assert_eq!(scene.play(id, json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?["status"], "succeeded");
        assert_eq!(
            scene.client().send_and_wait(&event(id, "fine", json!({}))).await?["status"],
            "succeeded",
            "its own plugin has slots left"
        );
    }
    for eid in &looping {
        assert_eq!(scene.client().event(eid).await?["status"], "running", "the loops ended before the others were done");
        assert_eq!(scene.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?.status, 200);
    }
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_logs_is_bounded() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { cpu = \"10s\" }", &routes(&["log-flood"], 1)).await?;
    let document = misbehave(&scene, "log-flood", json!({ "lines": 1000, "bytes": 20_000 })).await?;
    assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
    let logs = step(&document, "run")?["attempts"][0]["logs"].as_array().cloned().unwrap_or_default();
    assert!(logs.iter().all(|line| line["message"].as_str().is_some_and(|text| text.len() <= 8 << 10)));
    let bytes: usize = logs.iter().filter_map(|line| line["message"].as_str()).map(str::len).sum();
    assert!(bytes <= 66 << 10, "{bytes} bytes were kept");
    let last = logs.last().and_then(|line| line["message"].as_str()).unwrap_or("");
    assert!(last.contains("more lines were dropped"), "{last}");
    assert!(!scene.host.log().contains("xxxxxxxx"), "what a plugin logs is not in the host's log");
    Ok(())
}

#[tokio::test]
async fn what_a_plugin_says_can_not_steer_a_terminal() -> anyhow::Result<()> {
    let scene = Scene::start(&routes(&["escapes"], 1)).await?;
    let document = misbehave(&scene, "escapes", json!({})).await?;
    assert_eq!(step(&document, "run")?["error"]["details"], "{ this is not JSON", "details that are not JSON are kept as text");
    let eid = document["eid"].as_str().unwrap_or("").to_owned();
    let url = scene.client().url.clone();
    for arguments in [vec!["events", "show", &eid, "--url", &url], vec!["events", "dead", "--url", &url]] {
        let done = scene.folder.run(&arguments, "")?;
        let text = String::from_utf8_lossy(&done.stdout);
        assert!(done.status.success() && text.contains("red"), "{arguments:?}: {text}");
        assert!(!text.contains("\u{1b}[31mred") && !text.contains('\u{7}'), "{arguments:?}: {text:?}");
    }
    assert!(!scene.host.log().contains("\u{1b}[31mred"), "{}", scene.host.log());
    Ok(())
}

#[tokio::test]
async fn no_call_finds_what_another_left_in_its_memory() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let component = hostile("leftovers")?;
    let mut configuration = SCRIPT.to_owned();
    // What is made anew by hand ends at half a mebibyte in the one, at twenty in the other; instances of the last are there before their calls.
    for (name, component, instances) in [
        ("small", component.clone(), "ahead = 0"),
        ("big", big(component.clone()), "ahead = 0"),
        ("ahead", big(component.clone()), "ahead = 1"),
        ("reused", component, "instances = \"reuse\""),
    ] {
        std::fs::write(scene.folder.path().join(format!("{name}.wasm")), component)?;
        configuration += &format!("[plugins.{name}]\ncomponent = \"{name}.wasm\"\n{instances}\nlimits = {{ memory = \"64MiB\" }}\n");
        configuration += &format!(
            "[[routes]]\nname = \"{name}\"\non = {{ type = \"{name}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"{name}.attack\"\n\
             retry = {{ max-attempts = 1 }}\n"
        );
    }
    scene.change("", &configuration).await?;
    for round in 0..8 {
        let mut sent = Vec::new();
        for name in ["small", "big", "ahead", "small", "big", "ahead"] {
            sent.push(scene.client().send(&event(&format!("{round}-{}", sent.len()), name, json!({}))).await?);
        }
        for eid in &sent {
            let document = scene.client().until(eid, "succeeded").await?;
            assert_eq!(outcomes(&document, "run")?, ["succeeded"], "{document:#}");
        }
    }
    // It would find something: an instance that is used again by the administrator's wish is as the last call left it.
    for (id, outcome) in [("first", "succeeded"), ("second", "trap")] {
        let document = scene.client().send_and_wait(&event(id, "reused", json!({}))).await?;
        assert_eq!(outcomes(&document, "run")?, [outcome], "{document:#}");
    }
    Ok(())
}
