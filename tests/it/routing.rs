//! Which routes want an event, and what becomes of it on the way to a step.

use reqwest::Method;
use serde_json::json;

use crate::scene::{Scene, event, outcomes, step};

/// Routes that post a body to the sink, at a path of their name.
fn route(name: &str, rest: &str, body: &str) -> String {
    format!(
        "[[routes]]\nname = \"{name}\"\n{rest}\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n\
         with = {{ lines = [{{ do = \"write\", name = \"w\", url = \"{{sink}}/{name}\", body = {body} }}] }}\n"
    )
}

#[tokio::test]
async fn routes_choose_by_type_source_and_condition() -> anyhow::Result<()> {
    let routes = [
        route("exact", "on = { type = \"job.completed\" }", "1"),
        route("star", "on = { type = \"job.*\" }", "1"),
        route("list", "on = { type = [\"job.opened\", \"job.closed\"], source = [\"/a/*\", \"/b\"] }", "1"),
        route("when", "on = { type = \"*\" }\nwhen = \".event.data.hours > 2 and .event.subject == \\\"x\\\"\"", "1"),
    ];
    let scene = Scene::start(&routes.concat()).await?;
    for (id, kind, source, data, wanted) in [
        ("1", "job.completed", "/a/1", json!({ "hours": 1 }), vec!["exact", "star"]),
        ("2", "job.opened", "/a/1", json!({ "hours": 3 }), vec!["star", "list", "when"]),
        ("3", "job.closed", "/b", json!({ "hours": null }), vec!["star", "list"]),
        ("4", "job.closed", "/b/1", json!({ "hours": 2.5 }), vec!["star", "when"]),
        ("5", "jobs", "/b", json!({ "hours": 0 }), vec![]),
    ] {
        let mut event = event(id, kind, data);
        event["source"] = json!(source);
        event["subject"] = json!("x");
        let document = scene.client().send_and_wait(&event).await?;
        let runs: Vec<&str> = document["runs"].as_array().into_iter().flatten().filter_map(|run| run["route"].as_str()).collect();
        assert_eq!(runs, wanted, "{id}");
        assert_eq!(document["status"], if wanted.is_empty() { "unrouted" } else { "succeeded" }, "{id}");
    }
    Ok(())
}

#[tokio::test]
async fn numbers_keep_their_digits_from_intake_to_the_sink() -> anyhow::Result<()> {
    let body = "{ id = \"${ .event.data.id }\", price = \"${ .event.data.price }\", all = \"${ .event.data }\", text = \"no ${ .event.data.id } at ${ .event.data.price }\" }";
    let scene = Scene::start(&route("digits", "on = { type = \"digits\" }", body)).await?;
    let event = r#"{"specversion":"1.0","id":"1","source":"/s","type":"digits","data":{"id":12345678901234567890,"price":10.10,"tiny":1e-400,"big":123456789012345678901234567890.00}}"#;
    let answer =
        scene.client().ask(Method::POST, "/v1/events?wait=30s", &[("content-type", "application/cloudevents+json")], event.into()).await?;
    assert_eq!(answer.json["events"][0]["status"], "succeeded", "{}", answer.text);
    let sent = &scene.requests("/digits")[0].body;
    for expected in [
        "\"id\":12345678901234567890",
        "\"price\":10.10",
        "123456789012345678901234567890.00",
        "1e-400",
        "\"no 12345678901234567890 at 10.10\"",
    ] {
        assert!(sent.contains(expected), "{expected} is not in {sent}");
    }
    assert!(
        answer.text.contains("\"price\":10.10") && answer.text.contains("12345678901234567890"),
        "the event document has other digits: {}",
        answer.text
    );
    Ok(())
}

#[tokio::test]
async fn numbers_keep_their_digits_in_a_step_without_with() -> anyhow::Result<()> {
    let scene = Scene::start(crate::scene::SCRIPT).await?;
    let url = scene.url("/w");
    let event = format!(
        r#"{{"specversion":"1.0","id":"1","source":"/s","type":"script","data":{{"lines":[{{"do":"write","name":"w","url":"{url}","body":{{"id":12345678901234567890,"price":10.10}}}}],"echo":10.10}}}}"#
    );
    let answer =
        scene.client().ask(Method::POST, "/v1/events?wait=30s", &[("content-type", "application/cloudevents+json")], event.into()).await?;
    assert_eq!(answer.json["events"][0]["status"], "succeeded", "{}", answer.text);
    assert_eq!(scene.requests("/w")[0].body, r#"{"id":12345678901234567890,"price":10.10}"#);
    assert!(answer.text.contains("\"echo\":10.10"), "the output has other digits");
    Ok(())
}

#[tokio::test]
async fn templates_keep_types_and_write_into_texts() -> anyhow::Result<()> {
    let body = "{ whole = \"${ .event.data.list }\", none = \"${ .event.data.nothing }\", yes = \"${ .event.data.n > 1 }\", text = \"<${ .event.data.n }|${ .event.data.list }|${ \\\"}\\\" }>\", plain = \"5\" }";
    let scene = Scene::start(&route("t", "on = { type = \"t\" }", body)).await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "list": [1, { "a": "b" }], "n": 2 }))).await?;
    assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
    let sent: serde_json::Value = serde_json::from_str(&scene.requests("/t")[0].body)?;
    assert_eq!(sent, json!({ "whole": [1, { "a": "b" }], "none": null, "yes": true, "text": "<2|[1,{\"a\":\"b\"}]|}>", "plain": "5" }));
    Ok(())
}

#[tokio::test]
async fn an_expression_that_fails_makes_a_dead_letter_with_the_reason() -> anyhow::Result<()> {
    let routes = [
        route("with", "on = { type = \"t\" }", "\"${ .event.data.text + 1 }\""),
        route("many", "on = { type = \"t\" }", "\"${ .event.data.list[] }\""),
        route("when", "on = { type = \"t\" }\nwhen = \".event.data.text > 1 and (.event.data.text | tonumber) > 1\"", "1"),
        route("order", "on = { type = \"t\" }\norder-by = \".event.data.text.deep\"", "1"),
        route("fine", "on = { type = \"t\" }", "1"),
    ];
    let scene = Scene::start(&routes.concat()).await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "text": "x", "list": [1, 2] }))).await?;
    assert_eq!(document["status"], "dead");
    let run = |name: &str| document["runs"].as_array().into_iter().flatten().find(|run| run["route"] == name).cloned().unwrap_or_default();
    for (name, words) in [("with", "`with` failed"), ("many", "`with` failed"), ("when", "when failed"), ("order", "order-by failed")] {
        let reason = run(name)["status_reason"].as_str().unwrap_or("").to_owned();
        assert_eq!(run(name)["status"], "dead", "{name}");
        assert!(reason.contains(words), "{name}: {words:?} is not in {reason:?}");
    }
    assert_eq!(run("fine")["status"], "succeeded", "a route's mistake is no other route's");
    assert_eq!(run("with")["steps"][0]["attempts"][0]["outcome"], "expression");
    assert_eq!(scene.sink.requests().len(), 1, "a step without its input was run");
    assert_eq!(scene.client().get("/v1/dead-letters").await?.json["dead_letters"].as_array().map(Vec::len), Some(4));
    Ok(())
}

#[tokio::test]
async fn an_input_that_does_not_fit_is_a_dead_letter_with_the_place() -> anyhow::Result<()> {
    let scene =
        Scene::start("[[routes]]\nname = \"r\"\non = { type = \"greet\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.greet\"\n").await?;
    for (id, data, pointer) in [
        ("empty", json!({ "name": "" }), "/name"),
        ("type", json!({ "name": "Ann", "age": "old" }), "/age"),
        ("missing", json!({}), "name"),
        ("unknown", json!({ "name": "Ann", "colour": 1 }), "colour"),
        ("scalar", json!(5), "object"),
    ] {
        let document = scene.client().send_and_wait(&event(id, "greet", data)).await?;
        assert_eq!(outcomes(&document, "run")?, ["invalid-input"], "{id}");
        let error = &step(&document, "run")?["error"];
        let reason = error["reason"].as_str().unwrap_or("");
        assert!(reason.contains("s.greet") && reason.contains(pointer), "{id}: {reason}");
        assert!(error["details"]["violations"][0]["pointer"].is_string(), "{id}: {error}");
    }
    let fine = scene.client().send_and_wait(&event("fine", "greet", json!({ "name": "Ann", "age": 7 }))).await?;
    assert_eq!(step(&fine, "run")?["output"]["age"], 7);
    Ok(())
}

#[tokio::test]
async fn what_is_to_be_hidden_is_hidden() -> anyhow::Result<()> {
    let rest = "on = { type = \"t\" }\nredact = [\".event.data.email\"]";
    let scene = Scene::start(&route("r", rest, "\"mail ${ .event.data.email }\"")).await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "email": "ann@example.com", "job": 1 }))).await?;
    assert_eq!(scene.requests("/r")[0].body, "\"mail ann@example.com\"");
    assert!(!document.to_string().contains("ann@example.com"), "{document:#}");
    assert_eq!(document["event"]["data"]["job"], 1);
    for path in ["/v1/events", "/v1/dead-letters", &format!("/v1/events/{}", document["eid"].as_str().unwrap_or(""))] {
        assert!(!scene.client().get(path).await?.text.contains("ann@example.com"), "{path}");
    }
    assert!(!scene.host.log().contains("ann@example.com"));
    Ok(())
}

#[tokio::test]
async fn hiding_a_number_or_a_short_text_leaves_the_document_whole() -> anyhow::Result<()> {
    let rest = "on = { type = \"t\" }\nredact = [\".event.data.hours\", \".event.data.code\"]";
    let scene = Scene::start(&route("r", rest, "{ hours = \"${ .event.data.hours }\" }")).await?;
    // 1 is also a number of attempts, a seq and a revision; the ids of these years all begin with the same letters (UUIDv7).
    let millis = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis();
    let code = &format!("{millis:012x}")[..3];
    let sent = event("1", "t", json!({ "hours": 1, "code": code }));
    let document = scene.client().send_and_wait(&sent).await?;
    let run = &document["runs"][0];
    assert_eq!((&run["revision"], &run["root"]), (&json!(1), &run["id"]), "{document:#}");
    assert!(run["id"].as_str().is_some_and(|id| id.starts_with(code)), "{document:#}");
    let attempt = &step(&document, "run")?["attempts"][0];
    assert_eq!((&attempt["number"], &attempt["effects"][0]["seq"]), (&json!(1), &json!(1)), "{document:#}");
    assert!(!step(&document, "run")?["input"].to_string().contains(":1"), "{document:#}");
    assert_eq!(document["event"]["data"], json!({ "hours": "[redacted]", "code": "[redacted]" }));
    Ok(())
}
