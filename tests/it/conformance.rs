//! One suite for the SDKs of all languages: each has the guest `scripted` in its own words, and does the same with the same input.
//!
//! Each language has one host, since compiling an interpreter takes a while; what did not come out right is reported together.

mod batches;
mod streams;

use std::future::Future;

use anyhow::{Context as _, ensure};
use sangam_saas::FaultAct;
use sangam_tests::{HostFolder, built_guest, built_plugin};
use serde_json::{Value, json};

use crate::scene::{Scene, effects, event, outcomes, results, script, sink, step};

/// Routes to all actions of the guest; `s` has the guest, and hears what it brings in.
const ROUTES: &str = r#"
[[routes]]
name = "script"
on = { type = "script" }
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 3, initial = "10ms", factor = 1, jitter = 0 }

[[routes]]
name = "greet"
on = { type = "greet" }
[[routes.steps]]
name = "run"
uses = "s.greet"

[[routes]]
name = "undone"
on = { type = "undone" }
[[routes.steps]]
name = "act"
uses = "s.act"
on-failure = "undo"
[[routes.steps]]
name = "after"
uses = "s.run"
with = { lines = [{ do = "fail", kind = "rejected", key = "on purpose" }] }
on-failure = "undo"

[[routes]]
name = "heard"
on = { type = "brought.in" }
[[routes.steps]]
name = "run"
uses = "s.greet"
with = { name = "${ .event.data.name }" }
"#;

/// Levels of arrays and objects within one another that an event's `data` may have.
const MOST_LEVELS: usize = 56;

/// What did not come out right.
struct Suite<'a> {
    scene: &'a Scene,
    wrong: Vec<String>,
}

impl Suite<'_> {
    async fn check(&mut self, behaviour: &str, outcome: impl Future<Output = anyhow::Result<()>>) {
        if let Err(error) = outcome.await {
            self.wrong.push(format!("{behaviour}: {error:#}"));
        }
    }
}

macro_rules! languages {
    ($($language:ident: $guest:literal),* $(,)?) => {$(
        #[tokio::test]
        async fn $language() -> anyhow::Result<()> {
            conforms($guest).await
        }
    )*};
}

languages! {
    rust: "scripted",
    javascript: "scripted-javascript",
    python: "scripted-python",
    go: "scripted-go",
    c: "scripted-c",
}

/// One in each language whose actions take one run at a time.
const CONNECTORS: [&str; 4] = ["slack", "overtime", "warehouse", "payroll"];

#[test]
fn only_a_plugin_that_takes_several_runs_at_once_has_the_export_for_it() -> anyhow::Result<()> {
    let exports = |component: &std::path::Path| -> anyhow::Result<bool> {
        let name = b"sangam:connector/batches@0.1.0";
        Ok(std::fs::read(component)?.windows(name.len()).any(|bytes| bytes == name))
    };
    for connector in CONNECTORS {
        let Some(component) = built_plugin(connector)? else { continue };
        ensure!(!exports(&component)?, "{connector} exports batches");
    }
    for guest in ["scripted", "scripted-javascript", "scripted-python", "scripted-go", "scripted-c"] {
        let Some(component) = built_guest(guest)? else { continue };
        ensure!(exports(&component)?, "{guest} exports no batches");
    }
    Ok(())
}

async fn conforms(guest: &str) -> anyhow::Result<()> {
    let Some(component) = built_guest(guest)? else { return Ok(()) };
    let sink = sink().await?;
    let feed = streams::feed(&sink.url()).await?;
    let configuration = format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n\n[plugins.s]\ncomponent = {component:?}\nallow-hosts = [\"{}\", \"{feed}\"]\n\
         allow-private-addresses = [\"127.0.0.0/8\"]\nemits = [\"brought.in\", \"fed.*\"]\n\
         config = {{ greeting = \"Grüß Gott\", feed = \"{feed}\" }}\n{}\n{ROUTES}{}{}",
        sink.url(),
        batches::GRANTS,
        batches::ROUTE,
        streams::sources(),
        feed = feed.url(),
    );
    let folder = HostFolder::new(&configuration)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let mut suite = Suite { scene: &scene, wrong: Vec::new() };
    let scene = suite.scene;
    suite.check("values come and go as they are", values(scene)).await;
    suite.check("values may be nested as deeply as those of an event", deep(scene)).await;
    suite.check("input is checked against the types", input(scene)).await;
    suite.check("a write has a name, a key and a body", writes(scene)).await;
    suite.check("a finished write is answered from the journal", journal(scene)).await;
    suite.check("answers of other statuses can be looked at", whatever(scene)).await;
    suite.check("failures are told apart", failures(scene)).await;
    suite.check("a trap is tried again", trap(scene)).await;
    suite.check("key-value", key_value(scene)).await;
    suite.check("what a failed attempt kept is not kept", forgotten(scene)).await;
    suite.check("log lines have fields", log(scene)).await;
    suite.check("events are brought in", emits(scene)).await;
    suite.check("clock and randomness come out the same again", deterministic(scene)).await;
    suite.check("a sleep waits and moves the clock", sleep(scene)).await;
    suite.check("nothing of the machine can be reached", outside(scene)).await;
    suite.check("what was done is undone", undo(scene)).await;
    suite.check("the language's own HTTP client", fetch(scene)).await;
    suite.check("a host that is not granted", denied(scene)).await;
    suite.check("a stream is polled", streams::poll(scene.client(), &feed, &scene.sink)).await;
    suite.check("a webhook is received", streams::receive(scene.client())).await;
    suite.check("runs that wait together are one call, and each has its own result", batches::together(scene)).await;
    suite.check("what ends a call for several ends each the same way", batches::refused(scene)).await;
    ensure!(suite.wrong.is_empty(), "{guest}: {} of 22 behaviours differ\n  {}", suite.wrong.len(), suite.wrong.join("\n  "));
    Ok(())
}

/// JSON whose numbers keep their digits.
fn exact(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

async fn values(scene: &Scene) -> anyhow::Result<()> {
    let echo = exact(
        r#"{"id":12345678901234567890,"price":10.10,"text":"Ärger 🚲\u0001\"\\","none":null,"list":[[],{}],"yes":true,"small":-0.5}"#,
    );
    let document =
        scene.client().send_and_wait(&event("values", "script", json!({ "lines": [{ "do": "attempt" }], "echo": echo }))).await?;
    ensure!(results(&document)? == &json!([1]), "results: {document:#}");
    let output = &step(&document, "run")?["output"];
    // Numbers are compared digit by digit.
    ensure!(output["echo"] == echo, "{} came back as {}", echo, output["echo"]);
    ensure!(output["greeting"] == "Grüß Gott", "the configuration: {}", output["greeting"]);
    Ok(())
}

async fn deep(scene: &Scene) -> anyhow::Result<()> {
    // `data` is a level itself.
    let echo = (0..(MOST_LEVELS - 1) / 2).fold(json!("core"), |inner, level| json!({ format!("level {level}"): [inner] }));
    let document = scene.client().send_and_wait(&event("deep", "script", json!({ "lines": [], "echo": echo }))).await?;
    ensure!(step(&document, "run")?["output"]["echo"] == echo, "{document:#}");
    Ok(())
}

async fn input(scene: &Scene) -> anyhow::Result<()> {
    let greet = |id: &'static str, person: Value| async move { scene.client().send_and_wait(&event(id, "greet", person)).await };
    for (id, person) in [
        ("age", json!({ "name": "Ada", "age": 36 })),
        ("ageless", json!({ "name": "Ada" })),
        ("null", json!({ "name": "Ada", "age": null })),
    ] {
        let document = greet(id, person.clone()).await?;
        let output = &step(&document, "run")?["output"];
        ensure!(output["greeting"] == "Grüß Gott Ada" && output["age"] == person["age"], "{person} gave {document:#}");
    }
    for (id, person, field) in [
        ("empty", json!({ "name": "" }), "name"),
        ("none", json!({ "age": 3 }), "name"),
        ("half", json!({ "name": "Ada", "age": 1.5 }), "age"),
        ("negative", json!({ "name": "Ada", "age": -1 }), "age"),
        ("text", json!({ "name": "Ada", "age": "3" }), "age"),
        ("more", json!({ "name": "Ada", "colour": "red" }), "colour"),
    ] {
        let document = greet(id, person.clone()).await?;
        let error = &step(&document, "run")?["error"];
        let says = error["reason"].as_str().unwrap_or_default();
        ensure!(error["kind"] == "invalid-input" && says.contains(field), "{person}: {error}");
    }
    let wrong = scene.play("verb", json!([{ "do": "dance" }])).await?;
    ensure!(step(&wrong, "run")?["error"]["kind"] == "invalid-input", "an unknown verb: {wrong:#}");
    Ok(())
}

async fn writes(scene: &Scene) -> anyhow::Result<()> {
    let lines = json!([
        { "do": "key", "name": "a" },
        { "do": "write", "name": "a", "url": scene.url("/writes/a"), "body": { "number": exact("1.50"), "text": "ä" } },
        { "do": "write", "method": "PUT", "url": scene.url("/writes/b"), "body": [1] },
        { "do": "read", "url": scene.url("/writes/c?q=1") },
    ]);
    let document = scene.play("writes", lines).await?;
    let found = results(&document)?;
    let (a, b) = (&scene.requests("/writes/a")[0], &scene.requests("/writes/b")[0]);
    ensure!(found[0] == a.headers["idempotency-key"].as_str(), "key() gave {}, sent was {}", found[0], a.headers["idempotency-key"]);
    ensure!(found[1]["received"].is_u64() && found[3]["received"].is_u64(), "answers: {found}");
    ensure!(a.method == "POST" && a.body.contains("1.50") && exact(&a.body)["text"] == "ä", "sent was {} {}", a.method, a.body);
    ensure!(a.headers.get("content-type").is_some_and(|kind| kind.starts_with("application/json")), "headers: {:?}", a.headers);
    ensure!(b.method == "PUT" && exact(&b.body) == json!([1]), "sent was {} {}", b.method, b.body);
    let names: Vec<&Value> = effects(&document, 1)?.iter().map(|effect| &effect["name"]).collect();
    ensure!(names.contains(&&json!("a")), "names of effects: {names:?}");
    Ok(())
}

async fn journal(scene: &Scene) -> anyhow::Result<()> {
    scene.answer("/journal/b", 503, 1);
    let write = |name: &str| json!({ "do": "write", "name": name, "url": scene.url(&format!("/journal/{name}")), "body": name });
    let document = scene.play("journal", json!([write("a"), write("b"), { "do": "read", "url": scene.url("/journal/c") }])).await?;
    ensure!(outcomes(&document, "run")? == ["retry", "succeeded"], "outcomes: {:?}", outcomes(&document, "run")?);
    ensure!(scene.requests("/journal/a").len() == 1, "the finished write was sent again");
    let keys = scene.keys("/journal/b");
    ensure!(keys.len() == 2 && keys[0] == keys[1], "keys of the write in doubt: {keys:?}");
    Ok(())
}

async fn whatever(scene: &Scene) -> anyhow::Result<()> {
    scene.answer("/whatever", 404, 1);
    let document = scene.play("whatever", json!([{ "do": "write", "name": "w", "url": scene.url("/whatever"), "whatever": true }])).await?;
    ensure!(results(&document)?[0]["status"] == 404, "{}", results(&document)?);
    // Without it the SDK's rules hold: 422 is rejected, and says what the system said.
    scene.fault("/refused", FaultAct::Status { status: 422, headers: [].into(), body: "no such colour".into() }, 1);
    let document = scene.play("refused", json!([{ "do": "write", "name": "w", "url": scene.url("/refused") }])).await?;
    let error = &step(&document, "run")?["error"];
    ensure!(error["kind"] == "rejected" && error["reason"].as_str().is_some_and(|reason| reason.contains("422")), "{error}");
    ensure!(error["details"].to_string().contains("no such colour"), "details: {}", error["details"]);
    // And 429 asks for patience.
    scene.fault(
        "/slow",
        FaultAct::Status { status: 429, headers: [("retry-after".to_owned(), "1".to_owned())].into(), body: String::new() },
        1,
    );
    let document = scene.play("slow", json!([{ "do": "write", "name": "w", "url": scene.url("/slow") }])).await?;
    ensure!(outcomes(&document, "run")? == ["rate-limited", "succeeded"], "outcomes: {:?}", outcomes(&document, "run")?);
    let waited = waited(&document)?;
    ensure!(waited >= 900, "it waited {waited} ms instead of a second");
    Ok(())
}

/// Milliseconds between the starts of the first two attempts.
fn waited(document: &Value) -> anyhow::Result<i64> {
    let attempts = step(document, "run")?["attempts"].as_array().context("attempts")?;
    let start =
        |index: usize| attempts[index]["started_at"].as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()).context("a start");
    Ok(start(1)?.as_millisecond() - start(0)?.as_millisecond())
}

async fn failures(scene: &Scene) -> anyhow::Result<()> {
    for kind in ["retry", "rate-limited"] {
        let lines =
            json!([{ "do": "attempt" }, { "do": "fail", "on": [1], "kind": kind, "key": format!("not now: {kind}"), "amount": 120 }]);
        let document = scene.play(kind, lines).await?;
        ensure!(outcomes(&document, "run")? == [kind, "succeeded"], "{kind}: {:?}", outcomes(&document, "run")?);
        let error = &step(&document, "run")?["attempts"][0]["error"];
        ensure!(error["reason"] == format!("not now: {kind}"), "{kind}: {error}");
        ensure!(error["details"]["results"] == json!([1]), "{kind}: details {}", error["details"]);
        let waited = waited(&document)?;
        ensure!(waited >= 110, "{kind}: it asked for 120 ms and was called after {waited}");
    }
    let document = scene.play("rejected", json!([{ "do": "fail", "kind": "rejected", "key": "never: ü" }])).await?;
    ensure!(outcomes(&document, "run")? == ["rejected"], "rejected: {:?}", outcomes(&document, "run")?);
    ensure!(step(&document, "run")?["error"]["reason"] == "never: ü", "{document:#}");
    // There is no credential to be renewed, so a person is waited for.
    let eid = scene.client().send(&script("unauthorized", json!([{ "do": "fail", "kind": "unauthorized", "key": "who are you" }]))).await?;
    let document = scene.client().until(&eid, "waiting").await?;
    ensure!(outcomes(&document, "run")?.iter().all(|outcome| outcome == "unauthorized"), "{:?}", outcomes(&document, "run")?);
    Ok(())
}

async fn trap(scene: &Scene) -> anyhow::Result<()> {
    let document = scene.play("trap", json!([{ "do": "trap", "on": [1, 2] }, { "do": "attempt" }])).await?;
    let ended = outcomes(&document, "run")?;
    ensure!(
        ended.len() == 3 && ended[2] == "succeeded" && ended[..2].iter().all(|end| end == "trap" || end == "retry"),
        "outcomes: {ended:?}"
    );
    let error = &step(&document, "run")?["attempts"][0]["error"];
    ensure!(error["reason"].as_str().is_some_and(|reason| !reason.is_empty()), "it says nothing: {error}");
    Ok(())
}

async fn key_value(scene: &Scene) -> anyhow::Result<()> {
    let lines = json!([
        { "do": "get", "key": "kv/a" },
        { "do": "set", "key": "kv/a", "value": "ä" },
        { "do": "get", "key": "kv/a" },
        { "do": "increment", "key": "kv/n", "amount": 5 },
        { "do": "increment", "key": "kv/n", "amount": -7 },
        { "do": "swap", "key": "kv/s", "value": "new" },
        { "do": "swap", "key": "kv/s", "expected": "old", "value": "newer" },
        { "do": "swap", "key": "kv/s", "expected": "new", "value": "newer" },
        { "do": "list", "key": "kv/" },
        { "do": "delete", "key": "kv/s" },
    ]);
    let document = scene.play("kv", lines).await?;
    let want = json!([null, null, "ä", 5, -2, true, false, true, ["kv/a", "kv/n", "kv/s"], null]);
    ensure!(results(&document)? == &want, "{}", results(&document)?);
    let document = scene.play("kv-later", json!([{ "do": "list", "key": "kv/" }, { "do": "get", "key": "kv/a" }])).await?;
    ensure!(results(&document)? == &json!([["kv/a", "kv/n"], "ä"]), "later: {}", results(&document)?);
    // An operation that can't work says so, and is not tried again.
    let document = scene.play("kv-text", json!([{ "do": "increment", "key": "kv/a", "amount": 1 }])).await?;
    ensure!(outcomes(&document, "run")? == ["rejected"], "increment of text: {:?}", outcomes(&document, "run")?);
    Ok(())
}

async fn forgotten(scene: &Scene) -> anyhow::Result<()> {
    let lines = json!([
        { "do": "get", "key": "forgotten" },
        { "do": "set", "on": [1], "key": "forgotten", "value": "x" },
        { "do": "fail", "on": [1], "kind": "retry", "key": "again" },
    ]);
    let document = scene.play("forgotten", lines).await?;
    ensure!(results(&document)? == &json!([null]), "{}", results(&document)?);
    Ok(())
}

async fn log(scene: &Scene) -> anyhow::Result<()> {
    let document = scene.play("log", json!([{ "do": "log", "key": "a line: ü" }])).await?;
    results(&document)?;
    let logs = step(&document, "run")?["attempts"][0]["logs"].as_array().context("logs")?;
    let line = logs.iter().find(|line| line["message"] == "a line: ü").with_context(|| format!("no such line in {logs:?}"))?;
    ensure!(line["level"] == "info" && line["fields"]["attempt"] == "1", "{line}");
    Ok(())
}

async fn emits(scene: &Scene) -> anyhow::Result<()> {
    let document = scene.play("emits", json!([{ "do": "emit", "key": "brought.in", "body": { "name": "Ada" } }])).await?;
    results(&document)?;
    for _ in 0..500 {
        let listed = scene.client().get("/v1/events?type=brought.in").await?;
        if let Some(found) = listed.json["events"].as_array().and_then(|events| events.first()) {
            let eid = found["eid"].as_str().context("an eid")?;
            let document = scene.client().event(eid).await?;
            if document["status"] == "succeeded" {
                ensure!(document["event"]["source"] == "/plugins/s", "{document:#}");
                ensure!(step(&document, "run")?["output"]["greeting"] == "Grüß Gott Ada", "{document:#}");
                return Ok(());
            }
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    anyhow::bail!("the event was not brought in")
}

async fn deterministic(scene: &Scene) -> anyhow::Result<()> {
    let lines =
        json!([{ "do": "clock" }, { "do": "random" }, { "do": "random" }, { "do": "fail", "on": [1], "kind": "retry", "key": "again" }]);
    let mut seen = Vec::new();
    for id in ["same-1", "same-2"] {
        let document = scene.play(id, lines.clone()).await?;
        let first = &step(&document, "run")?["attempts"][0]["error"]["details"]["results"];
        let second = results(&document)?;
        ensure!(first == second, "attempt 1 saw {first}, attempt 2 {second}");
        let clock = second[0].as_i64().context("microseconds since the epoch")? / 1000;
        let off = jiff::Timestamp::now().as_millisecond() - clock;
        ensure!((-1000..120_000).contains(&off), "the clock is off by {off} ms");
        seen.push(second[1].clone());
    }
    ensure!(seen[0] != seen[1], "two runs saw the same random number {}", seen[0]);
    Ok(())
}

async fn sleep(scene: &Scene) -> anyhow::Result<()> {
    let document = scene.play("sleep", json!([{ "do": "clock" }, { "do": "sleep", "amount": 150 }, { "do": "clock" }])).await?;
    let found = results(&document)?;
    let moved = found[2].as_i64().zip(found[0].as_i64()).map(|(after, before)| (after - before) / 1000).context("two clocks")?;
    ensure!((150..5_000).contains(&moved), "the clock moved by {moved} ms");
    let took = step(&document, "run")?["attempts"][0]["duration_ms"].as_i64().unwrap_or_default();
    ensure!(took >= 145, "the attempt took {took} ms only");
    Ok(())
}

async fn outside(scene: &Scene) -> anyhow::Result<()> {
    let document = scene.play("outside", json!([{ "do": "outside" }])).await?;
    let found = results(&document)?[0].as_object().context("an object")?.clone();
    ensure!(found.len() >= 6, "it looked for {:?} only", found.keys().collect::<Vec<_>>());
    for (what, found) in &found {
        let nothing = match found {
            Value::Bool(found) => !found,
            Value::Array(found) => found.is_empty() || (what == "arguments" && found.len() <= 1),
            _ => false,
        };
        ensure!(nothing, "{what}: {found}");
    }
    Ok(())
}

async fn undo(scene: &Scene) -> anyhow::Result<()> {
    let data = json!({
        "lines": [{ "do": "write", "name": "done", "url": scene.url("/undo/done"), "body": { "n": 1 } }],
        "undo": [{ "do": "write", "name": "undone", "url": scene.url("/undo/undone"), "method": "DELETE" }],
    });
    let document = scene.client().send_and_wait(&event("undo", "undone", data)).await?;
    ensure!(document["status"] == "dead", "{document:#}");
    ensure!(scene.requests("/undo/undone").len() == 1, "nothing was undone: {document:#}");
    let given = &step(&document, "act")?["undo"]["output"]["given"];
    ensure!(given["output"]["results"][0]["received"].is_u64(), "the output it was given: {given}");
    let effect = &given["effects"][0];
    ensure!(effect["name"] == "done" && effect["state"] == "done", "the effect it was given: {effect}");
    ensure!(effect["key"] == scene.keys("/undo/done")[0].as_str(), "its key: {effect}");
    ensure!(effect["response"]["status"] == 200, "its response: {effect}");
    Ok(())
}

async fn fetch(scene: &Scene) -> anyhow::Result<()> {
    scene.answer("/fetch/later", 503, 1);
    let lines = json!([
        { "do": "fetch", "method": "POST", "name": "fetched", "url": scene.url("/fetch/once"), "body": { "text": "ä" } },
        { "do": "fetch", "method": "GET", "url": scene.url("/fetch/read?q=a%20b") },
        { "do": "write", "name": "later", "url": scene.url("/fetch/later"), "body": 1 },
    ]);
    let document = scene.play("fetch", lines).await?;
    let found = results(&document)?;
    ensure!(found[0]["status"] == 200 && found[0]["body"]["received"].is_u64(), "the answer: {}", found[0]);
    ensure!(found[1]["status"] == 200, "the answer of the read: {}", found[1]);
    let once = scene.requests("/fetch/once");
    ensure!(once.len() == 1, "a finished write was sent {} times", once.len());
    ensure!(exact(&once[0].body)["text"] == "ä", "sent was {}", once[0].body);
    ensure!(once[0].headers.contains_key("idempotency-key"), "no key: {:?}", once[0].headers);
    ensure!(!once[0].headers.keys().any(|name| name.starts_with("sangam-")), "marks were sent on: {:?}", once[0].headers);
    ensure!(scene.requests("/fetch/read").len() == 2, "a read is live on each attempt");
    let shown = effects(&document, 2)?;
    ensure!(shown.iter().any(|effect| effect["name"] == "fetched" && effect["replayed"] == true), "effects: {shown:?}");
    Ok(())
}

async fn denied(scene: &Scene) -> anyhow::Result<()> {
    for (id, line) in [
        ("denied", json!({ "do": "write", "name": "w", "url": "https://elsewhere.example/" })),
        ("denied-fetch", json!({ "do": "fetch", "method": "GET", "url": "https://elsewhere.example/" })),
    ] {
        let document = scene.client().send_and_wait(&script(id, json!([line]))).await?;
        ensure!(document["status"] == "dead", "{id}: {document:#}");
        let error = &step(&document, "run")?["error"];
        ensure!(error.to_string().contains("elsewhere.example"), "{id}: {error}");
    }
    let document =
        scene.play("denied-write", json!([{ "do": "write", "name": "w", "url": "https://elsewhere.example/", "whatever": true }])).await?;
    ensure!(results(&document)?[0]["failure"].is_string(), "{}", results(&document)?);
    Ok(())
}
