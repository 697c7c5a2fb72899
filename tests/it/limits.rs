//! Every limit of a plugin, attacked by a guest: the attack ends as what it is, with the option's name in the reason, and the host serves
//! others meanwhile.

use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::assembled::hostile;
use crate::scene::{SCRIPT, Scene, event, outcomes, reason, results, script, step};

/// One way to attack: the guest, its limits, the outcome of the attempt, and words of the reason.
struct Attack(&'static str, &'static str, &'static str, &'static [&'static str]);

/// Attacks in a call.
const CALLS: &[Attack] = &[
    // Processor time: where a call spends it does not matter.
    Attack("realloc-loops", "cpu = \"50ms\"", "trap", &["50ms", "limits.cpu"]),
    Attack("post-loops", "cpu = \"50ms\"", "trap", &["limits.cpu"]),
    Attack("destructor-loops", "cpu = \"50ms\"", "trap", &["50ms", "limits.cpu"]),
    Attack("copies", "cpu = \"200ms\"", "trap", &["limits.cpu"]),
    Attack("polls", "cpu = \"50ms\"", "trap", &["limits.cpu"]),
    Attack("huge-bodies", "cpu = \"200ms\", http-calls = 10_000", "trap", &["limits.cpu"]),
    // Wall time.
    Attack("parks", "time = \"150ms\"", "timeout", &["150ms", "limits.time"]),
    Attack("naps", "time = \"150ms\"", "timeout", &["150ms", "limits.time"]),
    // Memory and tables.
    Attack("many-memories", "memory = \"64MiB\"", "trap", &["67108864", "limits.memory"]),
    Attack("table-grows", "table-elements = 50_000", "trap", &["50000", "limits.table-elements"]),
    // Back and forth between guest and host has no end of its own, so there is no way back.
    Attack("realloc-calls", "", "trap", &["cannot leave component instance"]),
    Attack("recurses", "", "trap", &["call stack", "512 KiB"]),
    // What the host would have to keep, copy or work through.
    Attack("million-events", "", "trap", &["16777216", "limits.host-call-size"]),
    Attack("many-events", "", "trap", &["2000", "limits.events"]),
    Attack("many-events", "events = 1999", "trap", &["1999", "limits.events"]),
    Attack("million-headers", "", "trap", &["limits.host-call-size"]),
    Attack("million-headers", "host-call-size = \"1MiB\"", "trap", &["1048576", "limits.host-call-size"]),
    Attack("many-headers", "", "succeeded", &[]),
    Attack("random", "", "trap", &["4294967296", "limit 65536"]),
    Attack("handles", "", "trap", &["1000", "limits.handles"]),
    Attack("handles", "handles = 10", "trap", &["10 ", "limits.handles"]),
    // Requests that are begun and never sent.
    Attack("bodies", "handles = 10_000", "trap", &["limits.host-call-size"]),
    Attack("bodies", "host-call-size = \"1GiB\"", "trap", &["1000", "limits.handles"]),
    Attack("endless-body", "host-call-size = \"1MiB\"", "trap", &["1048576", "limits.host-call-size"]),
    Attack("fields", "", "trap", &["16777216", "limits.host-call-size"]),
    Attack("newlines", "", "trap", &["check-write"]),
    Attack("empty-lines", "", "succeeded", &[]),
];

/// Attacks that begin when the host loads the plugin: it does not get in.
const LOADS: &[Attack] = &[
    Attack("start-loops", "cpu = \"50ms\"", "", &["50ms", "limits.cpu"]),
    Attack("describe-loops", "cpu = \"50ms\"", "", &["limits.cpu"]),
    Attack("large-data", "memory = \"64MiB\"", "", &["limits.memory"]),
    Attack("many-tables", "", "", &["100000", "limits.table-elements"]),
];

fn route(name: &str) -> String {
    format!(
        "[[routes]]\nname = \"{name}\"\non = {{ type = \"{name}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"{name}.attack\"\n\
         retry = {{ max-attempts = 1 }}\n"
    )
}

fn plugin(name: &str, file: &str, limits: &str) -> String {
    format!(
        "[plugins.{name}]\ncomponent = \"{file}.wasm\"\nallow-hosts = [\"http://127.0.0.1:9\"]\n\
         allow-private-addresses = [\"127.0.0.0/8\"]\nlimits = {{ {limits} }}\n"
    )
}

fn place(scene: &Scene, guest: &str) -> anyhow::Result<()> {
    Ok(std::fs::write(scene.folder.path().join(format!("{guest}.wasm")), hostile(guest)?)?)
}

#[tokio::test]
async fn each_attack_of_a_call_ends_by_name_and_others_are_served_meanwhile() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let mut configuration = SCRIPT.to_owned();
    for (index, Attack(guest, limits, ..)) in CALLS.iter().enumerate() {
        place(&scene, guest)?;
        let name = format!("a{index}");
        configuration += &format!("{}{}", plugin(&name, guest, limits), route(&name));
    }
    scene.change("", &configuration).await?;
    let mut attacks = Vec::new();
    for index in 0..CALLS.len() {
        attacks.push(scene.client().send(&event(&format!("attack-{index}"), &format!("a{index}"), json!({}))).await?);
    }
    // All of them at once, and between them somebody who behaves.
    for id in 0..10 {
        results(&scene.play(&format!("fine-{id}"), json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?)?;
    }
    for (eid, Attack(guest, limits, outcome, words)) in attacks.iter().zip(CALLS) {
        let wanted = if *outcome == "succeeded" { "succeeded" } else { "dead" };
        let document = scene.client().until(eid, wanted).await?;
        assert_eq!(outcomes(&document, "run")?, [*outcome], "{guest} {limits}: {document:#}");
        for word in *words {
            let reason = reason(&document)?;
            assert!(reason.contains(word), "{guest} {limits}: {word:?} is not in {reason:?}");
        }
    }
    assert_eq!(scene.effects("/w"), 10);
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_attacks_when_it_is_loaded_does_not_get_in() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for Attack(guest, limits, _, words) in LOADS {
        place(&scene, guest)?;
        scene.configure("", &format!("{SCRIPT}{}", plugin("attacker", guest, limits)))?;
        let answer = scene.reload().await?;
        assert_eq!(answer.status, 422, "{guest}: {}", answer.text);
        let message = answer.json["problems"][0]["message"].as_str().unwrap_or("");
        for word in *words {
            assert!(message.contains(word), "{guest} {limits}: {word:?} is not in {message:?}");
        }
        results(&scene.play(guest, json!([])).await?)?;
    }
    Ok(())
}

#[tokio::test]
async fn lines_without_a_word_fill_the_log_too() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    place(&scene, "empty-lines")?;
    for (name, limits, kept) in [("usual", "", 2048), ("small", "log-size = \"320B\"", 10)] {
        scene.change("", &format!("{SCRIPT}{}{}", plugin(name, "empty-lines", limits), route(name))).await?;
        let document = scene.client().send_and_wait(&event(name, name, json!({}))).await?;
        let logs = step(&document, "run")?["attempts"][0]["logs"].as_array().cloned().unwrap_or_default();
        assert_eq!(logs.len(), kept + 1, "{name}");
        let last = logs.last().and_then(|line| line["message"].as_str()).unwrap_or("");
        assert!(last.starts_with(&format!("{} more lines were dropped", 100_000 - kept)) && last.contains("limits.log-size"), "{last}");
    }
    Ok(())
}

#[tokio::test]
async fn events_of_a_call_are_bounded_together() -> anyhow::Result<()> {
    const EMIT: &str = "[[routes]]\nname = \"emit\"\non = { type = \"emit\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.emit\"\n\
                        retry = { max-attempts = 1 }\n";
    let text = json!({ "type": "t", "data": "x".repeat(478) }).to_string();
    assert_eq!(text.len(), 500);
    let scene = Scene::granting("emits = [\"t\"]\nlimits = { events-size = \"2000B\" }", EMIT).await?;
    let emit = async |id: &str, events: Value| scene.client().send_and_wait(&event(id, "emit", json!({ "events": events }))).await;
    let document = emit("fits", json!([text, text, text, text])).await?;
    assert_eq!(outcomes(&document, "run")?, ["succeeded"], "{document:#}");
    let longer = text.replacen('x', "xx", 1);
    let document = emit("too large", json!([text, text, text, longer])).await?;
    assert_eq!(outcomes(&document, "run")?, ["trap"]);
    assert!(reason(&document)?.contains("2001 bytes; at most 2000 (limits.events-size)"), "{}", reason(&document)?);
    let brought = scene.client().get("/v1/events?type=t").await?.json["events"].as_array().map(Vec::len);
    assert_eq!(brought, Some(4), "of those that were too large none came in");
    Ok(())
}

fn set(key: &str, value: &str) -> Value {
    json!({ "do": "set", "key": key, "value": value })
}

#[tokio::test]
async fn key_value_is_bounded_by_operations_bytes_and_the_whole_space() -> anyhow::Result<()> {
    let limits = "limits = { key-value-calls = 5, key-value-transfer = \"4KiB\", key-value-size = \"1KiB\" }";
    let scene = Scene::granting(limits, SCRIPT).await?;
    let six: Vec<Value> = (0..6).map(|_| json!({ "do": "get", "key": "k" })).collect();
    let document = scene.play("calls", Value::Array(six)).await?;
    assert!(reason(&document)?.contains("5 key-value operations (limits.key-value-calls)"), "{}", reason(&document)?);
    let large = "x".repeat(5000);
    let document = scene.play("transfer", json!([set("k", &large)])).await?;
    assert!(reason(&document)?.contains("4096 bytes of keys and values (limits.key-value-transfer)"), "{}", reason(&document)?);

    // Room for one value of 500 bytes and its key, but not for two.
    let half = "x".repeat(500);
    results(&scene.play("first", json!([set("a", &half)])).await?)?;
    results(&scene.play("again", json!([set("a", &half)])).await?)?;
    let document = scene.play("second", json!([set("b", &half)])).await?;
    assert_eq!(outcomes(&document, "run")?, ["rejected"]);
    assert!(reason(&document)?.contains("1130 bytes of 1024 (limits.key-value-size)"), "{}", reason(&document)?);
    // What is taken away makes room, in the same call too.
    results(&scene.play("instead", json!([{ "do": "delete", "key": "a" }, set("b", &half)])).await?)?;
    assert_eq!(results(&scene.play("look", json!([{ "do": "list", "key": "" }])).await?)?[0], json!(["b"]));
    // Another plugin's space is its own.
    assert!(reason(&scene.play("third", json!([set("c", &half)])).await?)?.contains("limits.key-value-size"));
    Ok(())
}

#[tokio::test]
async fn runs_that_fill_the_space_together_are_stopped_when_they_settle() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { key-value-size = \"1KiB\" }", SCRIPT).await?;
    let half = "x".repeat(500);
    // Both have written, and neither has settled: each on its own has room.
    let writes = |key: &str| script(key, json!([set(key, &half), { "do": "write", "name": key, "url": scene.url("/slow") }]));
    scene.fault("/slow", FaultAct::Delay { ms: 500 }, 2);
    let answer = scene.client().send_raw(&json!([writes("a"), writes("b")]), "?wait=30s").await?;
    let mut ends = answer.json["events"].as_array().cloned().unwrap_or_default();
    ends.sort_by_key(|document| document["status"].to_string());
    assert_eq!((&ends[0]["status"], &ends[1]["status"]), (&json!("dead"), &json!("succeeded")), "one of them fits");
    assert!(reason(&ends[0])?.contains("of 1024 (limits.key-value-size)"), "{}", reason(&ends[0])?);
    assert_eq!(outcomes(&ends[0], "run")?, ["rejected"]);
    assert_eq!(results(&scene.play("look", json!([{ "do": "list", "key": "" }])).await?)?[0].as_array().map(Vec::len), Some(1));
    Ok(())
}
