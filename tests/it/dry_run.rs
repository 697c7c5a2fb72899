//! A dry run of a replay: it shows what would be done, and does nothing.

use std::collections::BTreeMap;

use anyhow::Context as _;
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, event, results};

/// Three steps: `first`, then `second` (which reads, writes `a` and then `b`) and beside it `beside`; `last` needs `second`.
const STEPS: &str = r#"
[[routes]]
name = "two"
on = { type = "two" }
[[routes.steps]]
name = "first"
uses = "s.run"
with = { lines = [{ do = "write", name = "w", url = "{sink}/first" }] }
[[routes.steps]]
name = "second"
uses = "s.run"
record-reads = "7d"
retry = { max-attempts = 2, initial = "10ms", jitter = 0 }
with = { lines = [{ do = "read", url = "{sink}/r" }, { do = "write", name = "a", url = "{sink}/a" }, { do = "write", name = "b", url = "{sink}/b?v=1", body = { items = [{ amount = 1 }], note = "${ .event.data.note }" } }] }
[[routes.steps]]
name = "beside"
uses = "s.run"
needs = ["first"]
with = { lines = [{ do = "write", name = "w", url = "{sink}/beside" }] }
[[routes.steps]]
name = "last"
uses = "s.run"
needs = ["second"]
with = { lines = [{ do = "write", name = "w", url = "{sink}/last" }] }
"#;

async fn ask(scene: &Scene, event: &Value, wish: Value) -> anyhow::Result<Value> {
    let mut wish = wish;
    wish["dry_run"] = json!(true);
    let eid = event["eid"].as_str().context("an event has an eid")?;
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    anyhow::ensure!(answer.status == 200, "the dry run was refused: {}", answer.text);
    Ok(answer.json["dry_run"].clone())
}

/// The steps of the one line by name.
fn steps(document: &Value) -> BTreeMap<String, Value> {
    let steps = document["runs"][0]["steps"].as_array().cloned().unwrap_or_default();
    steps.into_iter().map(|step| (step["name"].as_str().unwrap_or("").to_owned(), step)).collect()
}

fn statuses(document: &Value) -> Vec<String> {
    let steps = document["runs"][0]["steps"].as_array().cloned().unwrap_or_default();
    steps.iter().map(|step| format!("{} {}", step["name"].as_str().unwrap_or(""), step["status"].as_str().unwrap_or(""))).collect()
}

/// A run that is dead because `/b` refused.
async fn dead(scene: &Scene, id: &str) -> anyhow::Result<Value> {
    scene.answer("/b", 422, 1);
    let dead = scene.client().send_and_wait(&event(id, "two", json!({ "note": "hello" }))).await?;
    anyhow::ensure!(dead["status"] == "dead", "it is not dead: {dead:#}");
    Ok(dead)
}

#[tokio::test]
async fn the_first_write_without_an_answer_is_shown_and_nothing_is_sent() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let dead = dead(&scene, "1").await?;
    let before = scene.sink.requests().len();
    let document = ask(&scene, &dead, json!({})).await?;
    assert_eq!(scene.sink.requests().len(), before, "a dry run sent something");
    let eid = dead["eid"].as_str().unwrap_or("");
    assert_eq!(scene.client().event(eid).await?, dead, "a dry run left a trace");

    assert_eq!(statuses(&document), ["first succeeded", "second stopped", "beside succeeded", "last not-reached"]);
    let steps = steps(&document);
    assert_eq!((&steps["first"]["kept"], &steps["beside"]["kept"], &steps["second"]["kept"]), (&json!(true), &json!(true), &json!(false)));
    assert_eq!(steps["first"]["output"]["results"][0]["received"], 1, "a kept step shows its output");
    let second = &steps["second"];
    assert_eq!(second["input"]["lines"][2]["name"], "b");
    let request = &second["would_send"];
    assert_eq!((&request["method"], &request["name"]), (&json!("POST"), &json!("b")));
    assert_eq!(request["url"], scene.url("/b?v=1"));
    assert_eq!(request["body"], json!({ "items": [{ "amount": 1 }], "note": "hello" }));
    let headers = request["headers"].as_array().context("headers are shown")?;
    assert!(headers.iter().any(|header| header[0] == "content-type" && header[1] == "application/json"), "{request}");
    let effects = second["effects"].as_array().context("effects are shown")?;
    let shown: Vec<(&Value, &Value, &Value)> =
        effects.iter().map(|effect| (&effect["url"], &effect["replayed"], &effect["state"])).collect();
    let (read, a, b) = (json!(scene.url("/r")), json!(scene.url("/a")), json!(scene.url("/b?v=1")));
    let (yes, no) = (json!(true), json!(false));
    assert_eq!(shown, [(&read, &yes, &json!("done")), (&a, &yes, &json!("done")), (&b, &no, &json!("intent"))]);
    assert_eq!(effects[2]["dropped"], true);

    // The refusal did nothing, so that the real replay has the key that was shown.
    let against = &second["difference"]["against"];
    assert_eq!((&against["state"], &against["status"], &against["run"]), (&json!("failed"), &json!(422), &dead["runs"][0]["id"]));
    assert_eq!(second["difference"]["changes"], json!([]));
    let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({})).await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    scene.client().until(eid, "succeeded").await?;
    assert_eq!(json!(scene.keys("/b").last()), request["key"]);
    Ok(())
}

#[tokio::test]
async fn it_shows_the_difference_to_what_was_sent_then() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let dead = dead(&scene, "1").await?;
    let mended =
        STEPS.replace("/b?v=1", "/b?v=2").replace("amount = 1", "amount = 2").replace("note = \"${ .event.data.note }\"", "text = \"x\"");
    scene.change("", &mended).await?;
    let document = ask(&scene, &dead, json!({})).await?;
    let difference = &steps(&document)["second"]["difference"];
    let url = |version: u32| scene.url(&format!("/b?v={version}"));
    assert_eq!(
        difference["changes"],
        json!([
            { "part": "url", "path": "", "then": url(1), "now": url(2) },
            { "part": "body", "path": "/items/0/amount", "then": 1, "now": 2 },
            { "part": "body", "path": "/note", "then": "hello" },
            { "part": "body", "path": "/text", "now": "x" },
        ])
    );
    let pinned = ask(&scene, &dead, json!({ "plugins": "pinned" })).await?;
    assert_eq!(steps(&pinned)["second"]["difference"]["changes"], json!([]));
    assert!(pinned["runs"][0]["revision"].as_i64() < document["runs"][0]["revision"].as_i64());

    // Another path under a name that was refused is a new write; under one that was done the run would be dead.
    let document = {
        scene.change("", &STEPS.replace("{sink}/a\"", "{sink}/elsewhere\"")).await?;
        ask(&scene, &dead, json!({})).await?
    };
    let second = &steps(&document)["second"];
    assert_eq!((&second["status"], &second["error"]["kind"]), (&json!("failed"), &json!("diverged")));
    assert_eq!(second["difference"]["changes"][0]["now"], scene.url("/elsewhere"));
    assert_eq!(scene.requests("/elsewhere").len(), 0);
    Ok(())
}

#[tokio::test]
async fn reads_are_as_they_were_recorded_or_live_or_refused_by_name() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let answers = |body: &str| FaultAct::Status { status: 200, headers: [].into(), body: body.to_owned() };
    scene.fault("/r", answers("{\"there\":\"then\"}"), 1);
    let first = dead(&scene, "1").await?;
    scene.fault("/r", answers("{\"there\":\"now\"}"), 1);
    let show = STEPS.replace(
        "{ do = \"write\", name = \"a\"",
        "{ do = \"fail\", kind = \"rejected\", key = \"so far\" }, { do = \"write\", name = \"a\"",
    );
    scene.change("", &show).await?;
    let seen = |document: &Value| steps(document)["second"]["error"]["details"]["results"][0].clone();
    let document = ask(&scene, &first, json!({})).await?;
    assert_eq!((&document["reads"], seen(&document)), (&json!("recorded"), json!({ "there": "then" })));
    assert_eq!(scene.requests("/r").len(), 1);
    let document = ask(&scene, &first, json!({ "reads": "live" })).await?;
    assert_eq!((&document["reads"], seen(&document)), (&json!("live"), json!({ "there": "now" })));
    assert_eq!(scene.requests("/r").len(), 2);

    // A read that was not made then has no record.
    scene.change("", &STEPS.replace("{sink}/r", "{sink}/other")).await?;
    let document = ask(&scene, &first, json!({})).await?;
    let second = steps(&document)["second"].clone();
    assert_eq!((&second["status"], &second["error"]["kind"]), (&json!("stopped"), &json!("not-recorded")));
    assert!(second["error"]["reason"].as_str().is_some_and(|why| why.contains("/other") && why.contains("live")), "{second}");
    assert_eq!(scene.requests("/other").len(), 0);

    // Nothing is kept unless the step says so.
    scene.change("", &STEPS.replace("record-reads = \"7d\"", "")).await?;
    let unkept = dead(&scene, "2").await?;
    assert_eq!(steps(&ask(&scene, &unkept, json!({})).await?)["second"]["error"]["kind"], "not-recorded");
    let read = |event: &Value| event["runs"][0]["steps"][1]["attempts"][0]["effects"][0].clone();
    assert_eq!((&read(&first)["recorded"], &read(&unkept)["recorded"]), (&json!(true), &Value::Null));
    Ok(())
}

#[tokio::test]
async fn a_run_that_succeeded_is_tried_from_the_start() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let done = scene.client().send_and_wait(&event("1", "two", json!({ "note": "hello" }))).await?;
    assert_eq!(done["status"], "succeeded", "{}", done["status_reason"]);
    let before = scene.sink.requests().len();
    let document = ask(&scene, &done, json!({ "from": "start" })).await?;
    assert_eq!(statuses(&document), ["first succeeded", "second succeeded", "beside succeeded", "last succeeded"]);
    let steps = steps(&document);
    for step in done["runs"][0]["steps"].as_array().context("steps")? {
        let name = step["name"].as_str().unwrap_or("");
        assert_eq!((&steps[name]["output"], &steps[name]["kept"]), (&step["output"], &json!(false)), "{name}");
    }
    // With new keys everything would be sent again: each step stops at its first write, what depends on it is not reached.
    let document = ask(&scene, &done, json!({ "keys": "new" })).await?;
    assert_eq!(statuses(&document), ["first stopped", "second not-reached", "beside not-reached", "last not-reached"]);
    let first = &self::steps(&document)["first"];
    assert_eq!(first["difference"]["changes"], json!([]));
    assert_ne!(first["would_send"]["key"], scene.keys("/first")[0].as_str());
    assert_eq!(scene.sink.requests().len(), before);
    Ok(())
}

#[tokio::test]
async fn steps_that_do_not_depend_on_a_stopped_one_go_on() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    scene.answer("/first", 422, 1);
    let dead = scene.client().send_and_wait(&event("1", "two", json!({ "note": "x" }))).await?;
    scene.change("", &STEPS.replace("needs = [\"first\"]", "needs = []")).await?;
    let document = ask(&scene, &dead, json!({})).await?;
    assert_eq!(statuses(&document), ["first stopped", "second not-reached", "beside stopped", "last not-reached"]);
    assert_eq!(steps(&document)["beside"]["difference"], Value::Null, "nothing was sent then");
    Ok(())
}

#[tokio::test]
async fn keys_and_events_are_shown_and_dropped() -> anyhow::Result<()> {
    let follow = "[[routes]]\nname = \"follow\"\non = { type = \"child.born\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n";
    let scene = Scene::granting("emits = [\"child.*\"]", &format!("{SCRIPT}{follow}")).await?;
    let lines = json!([
        { "do": "fail", "kind": "rejected", "key": "not now" },
        { "do": "increment", "key": "n", "amount": 1 },
        { "do": "delete", "key": "gone" },
        { "do": "emit", "key": "child.born", "body": { "lines": [] } },
        { "do": "log", "key": "seen" },
    ]);
    let dead = scene.play("1", lines).await?;
    scene.play("2", json!([{ "do": "increment", "key": "n", "amount": 41 }])).await?;
    let mended = SCRIPT.replace("uses = \"s.run\"", "uses = \"s.run\"\nwith = { lines = \"${ .event.data.lines[1:] }\" }");
    scene.change("emits = [\"child.*\"]", &format!("{mended}{follow}")).await?;
    let document = ask(&scene, &dead, json!({})).await?;
    let run = steps(&document)["run"].clone();
    assert_eq!(run["output"]["results"][0], 42, "the present value is read");
    let effects: Vec<(&Value, &Value, &Value)> =
        run["effects"].as_array().into_iter().flatten().map(|effect| (&effect["method"], &effect["name"], &effect["dropped"])).collect();
    assert_eq!(effects, [(&json!("delete"), &json!("gone"), &json!(true)), (&json!("set"), &json!("n"), &json!(true))]);
    assert_eq!((&run["events"][0]["event"]["type"], &run["events"][0]["routes"]), (&json!("child.born"), &json!(["follow"])));
    assert_eq!(run["logs"][0]["message"], "seen");
    let after = scene.play("3", json!([{ "do": "fail", "kind": "rejected" }, { "do": "get", "key": "n" }])).await?;
    assert_eq!(results(&after)?[0], "41", "a dry run changed a key");
    let born = scene.client().get("/v1/events?type=child.born").await?.json;
    assert_eq!(born["events"], json!([]), "a dry run brought in an event");
    Ok(())
}

#[tokio::test]
async fn what_the_route_hides_and_what_is_secret_is_not_in_it() -> anyhow::Result<()> {
    let sink = crate::scene::sink().await?;
    let route = "[[routes]]\nname = \"two\"\non = { type = \"two\" }\nredact = [\".event.data.email\"]\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n\
                 with = { lines = [{ do = \"write\", name = \"w\", url = \"{sink}/w?to=${ .event.data.email | @uri }\", body = { mail = \"${ .event.data.email }\", text = \"Dear ${ .event.data.email }\" } }] }\n";
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{env:SANGAM_TEST_VALUE}}\"\n", sink.url());
    let text = crate::scene::configuration(&sink.url(), "credentials = [\"c\"]", &format!("{route}{credential}"));
    let folder = sangam_tests::HostFolder::new(&text)?.env("SANGAM_TEST_VALUE", "very-secret-value");
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.answer("/w", 422, 1);
    let dead = scene.client().send_and_wait(&event("1", "two", json!({ "email": "ann@customer.example" }))).await?;
    assert_eq!(scene.requests("/w")[0].headers.get("authorization").map(String::as_str), Some("Bearer very-secret-value"));
    let document = ask(&scene, &dead, json!({})).await?;
    let request = &steps(&document)["run"]["would_send"];
    assert_eq!(request["body"], json!({ "mail": "[redacted]", "text": "Dear [redacted]" }));
    let text = document.to_string();
    assert!(!text.contains("very-secret-value") && !text.contains("customer.example"), "{text}");
    Ok(())
}

#[tokio::test]
async fn wishes_that_make_no_sense_are_refused() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let done = scene.client().send_and_wait(&event("1", "two", json!({ "note": "hello" }))).await?;
    let eid = done["eid"].as_str().unwrap_or("").to_owned();
    let refused = async |eid: &str, wish: Value, status: u16, says: &str| -> anyhow::Result<()> {
        let answer = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
        anyhow::ensure!(answer.status == status && answer.text.contains(says), "{wish}: {} {}", answer.status, answer.text);
        Ok(())
    };
    refused(&eid, json!({ "dry_run": true }), 409, "no dead run").await?;
    refused(&eid, json!({ "reads": "live" }), 400, "dry_run").await?;
    refused(&eid, json!({ "dry_run": true, "reads": "all" }), 400, "`live`").await?;
    refused("019a0000-0000-7000-8000-000000000000", json!({ "dry_run": true }), 404, "no event").await?;
    scene.fault("/first", FaultAct::Delay { ms: 500 }, 1);
    let slow = scene.client().send(&event("slow", "two", json!({ "note": "x" }))).await?;
    refused(&slow, json!({ "dry_run": true, "from": "start" }), 409, "has not ended").await?;
    scene.client().until(&slow, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn the_tool_shows_it_to_people() -> anyhow::Result<()> {
    let scene = Scene::start(STEPS).await?;
    let dead = dead(&scene, "1").await?;
    scene.change("", &STEPS.replace("amount = 1", "amount = 2")).await?;
    let eid = dead["eid"].as_str().unwrap_or("");
    let url = scene.client().url.clone();
    let run = |arguments: &[&str]| -> anyhow::Result<(Option<i32>, String)> {
        let output = scene.folder.run(&[&["events", "replay", eid, "--url", &url], arguments].concat(), "")?;
        Ok((output.status.code(), format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))))
    };
    let (code, text) = run(&["--dry-run"])?;
    assert_eq!(code, Some(0), "{text}");
    let sink = scene.url("");
    let text = text.replace(&sink, "SINK");
    for line in [
        "├─ ✓ first s.run  succeeded before, kept",
        "├─ ▸ second s.run  would send",
        "GET /r",
        "as recorded",
        "POST /a",
        "replayed, not sent again",
        "POST SINK/b?v=1",
        "content-type: application/json",
        "name b",
        "\"amount\": 2",
        "differs from what was sent at",
        "body /items/0/amount",
        "- 1",
        "+ 2",
        "└─ … last s.run  not reached",
    ] {
        assert!(text.contains(line), "{line:?} is not in:\n{text}");
    }
    let (code, text) = run(&["--dry-run", "--json", "--reads", "live"])?;
    let document: Value = serde_json::from_str(&text)?;
    assert_eq!((code, &document["dry_run"]["reads"]), (Some(0), &json!("live")));
    let (code, text) = run(&["--reads", "live"])?;
    assert_eq!((code, text.contains("--dry-run")), (Some(2), true), "{text}");
    assert_eq!(scene.requests("/b").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_dry_run_shares_no_memory_with_real_calls() -> anyhow::Result<()> {
    let scene = Scene::granting("instances = \"reuse\"", SCRIPT).await?;
    // The standard library draws its seed once in the life of an instance, and counts on from there.
    let done = scene.play("1", json!([{ "do": "random" }])).await?;
    let drawn = results(&done)?[0].clone();
    let document = ask(&scene, &done, json!({ "from": "start", "route": "script" })).await?;
    assert_eq!(steps(&document)["run"]["output"]["results"][0], drawn, "it got the instance of a real call: {document:#}");
    Ok(())
}
