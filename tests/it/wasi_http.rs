//! A language's own HTTP client (`wasi:http`): the same way out as the contract's `http`, with the same journal, grants and limits.

use std::collections::HashSet;

use anyhow::ensure;
use sangam_saas::FaultAct;
use sangam_tests::wire::{Act, Wire, answer};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, effects, event, outcomes, results, script, sink, step};

/// A route that has the misbehaving guest make a request piece by piece.
const PIECES: &str = r#"
[[routes]]
name = "pieces"
on = { type = "pieces" }
[[routes.steps]]
name = "run"
uses = "m.fetch"
retry = { max-attempts = 1 }
"#;

/// What became of a request in pieces: the guest's own words, or the step's error.
async fn pieces(scene: &Scene, id: &str, input: Value) -> anyhow::Result<Value> {
    let document = scene.client().send_and_wait(&event(id, "pieces", input)).await?;
    let step = step(&document, "run")?;
    let shown = step["attempts"][0]["effects"].as_array().into_iter().flatten();
    let logs = step["attempts"][0]["logs"].as_array().into_iter().flatten();
    let mut output = step["output"].clone();
    if output.is_null() {
        output = json!({ "step": step["error"]["reason"], "outcome": step["attempts"][0]["outcome"] });
    }
    output["effects"] = shown.cloned().collect();
    output["logs"] = logs.map(|line| line["message"].clone()).collect();
    Ok(output)
}

fn host(url: &str) -> String {
    url.split_once("://").map_or(url, |(_, rest)| rest).to_owned()
}

fn write(scene: &Scene, name: &str, body: Value) -> Value {
    json!({ "do": "fetch", "method": "POST", "name": name, "url": scene.url(&format!("/{name}")), "body": body })
}

#[tokio::test]
async fn a_write_of_ones_own_client_is_journalled_and_done_once_over_a_crash() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/slow", FaultAct::Delay { ms: 3_600_000 }, 1);
    // Larger than what goes through a stream at a time.
    let long = "x".repeat(10_000);
    let lines =
        json!([write(&scene, "a", json!({ "long": long })), { "do": "clock" }, write(&scene, "slow", json!(1)), { "do": "random" }]);
    let eid = scene.client().send(&script("1", lines)).await?;
    scene.arrived("/slow").await?;
    let Scene { sink, folder, host } = scene;
    host.kill().await?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let event = scene.client().until(&eid, "succeeded").await?;

    let sent = scene.requests("/a");
    assert_eq!(sent.len(), 1, "the finished write was sent again");
    assert_eq!(serde_json::from_str::<Value>(&sent[0].body)?, json!({ "long": long }), "the body arrives whole");
    assert_eq!(sent[0].headers.get("content-type").map(String::as_str), Some("application/json"));
    assert!(!sent[0].headers.keys().any(|name| name.starts_with("sangam-")), "the marks don't leave: {:?}", sent[0].headers);
    let keys = scene.keys("/slow");
    assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (2, 1), "what was in doubt goes again under the same key");

    let newest = step(&event, "run")?["attempts"].as_array().map_or(0, Vec::len);
    let shown = effects(&event, newest)?;
    assert_eq!((&shown[0]["name"], &shown[0]["replayed"], &shown[0]["state"]), (&json!("a"), &json!(true), &json!("done")));
    assert_eq!(shown[0]["key"], scene.keys("/a")[0].as_str());
    assert_eq!(results(&event)?[0], json!({ "status": 200, "body": { "received": 1 } }), "the journal gives the answer as it was");
    Ok(())
}

#[tokio::test]
async fn both_ways_out_share_names_clock_and_chance() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let plain = json!({ "do": "write", "on": [1], "name": "w", "url": scene.url("/w"), "body": 1 });
    let own = json!({ "do": "fetch", "on": [2], "method": "POST", "name": "w", "url": scene.url("/w"), "body": 1 });
    let read = json!({ "do": "fetch", "url": scene.url("/r") });
    let event = scene.play("1", json!([plain, own, read, { "do": "clock" }, { "do": "random" }, { "do": "fail", "on": [1] }])).await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "succeeded"]);
    assert_eq!((scene.requests("/w").len(), scene.requests("/r").len()), (1, 2), "a write is done once, a read is live");
    assert_eq!(effects(&event, 2)?[0]["replayed"], true);
    let first = &step(&event, "run")?["attempts"][0]["error"]["details"]["results"];
    assert_eq!((&first[2], &first[3]), (&results(&event)?[2], &results(&event)?[3]), "clock and random numbers come out the same");
    assert!(first[2].is_u64());

    // A name stands for one write, whoever asks.
    let twice = json!([
        { "do": "write", "name": "n", "url": scene.url("/n") },
        { "do": "fetch", "method": "POST", "name": "n", "url": scene.url("/n"), "whatever": true },
    ]);
    let event = scene.play("2", twice).await?;
    let said = results(&event)?[1]["failure"].as_str().unwrap_or("").to_owned();
    assert!(said.contains("InternalError") && said.contains("\\\"n\\\""), "{said}");
    assert_eq!(scene.requests("/n").len(), 1);
    // Another body under another method is another write: the run stops.
    let diverging = json!([
        { "do": "fetch", "on": [1], "method": "POST", "name": "d", "url": scene.url("/d") },
        { "do": "fetch", "on": [2], "method": "PUT", "name": "d", "url": scene.url("/d") },
        { "do": "fail", "on": [1] },
    ]);
    let event = scene.play("3", diverging).await?;
    assert_eq!((&event["status"], outcomes(&event, "run")?.last().map(String::as_str)), (&json!("dead"), Some("diverged")));
    // Without a name it is known by what it is.
    let unnamed = json!([{ "do": "fetch", "method": "POST", "url": scene.url("/u"), "body": 1 }, { "do": "fail", "on": [1] }]);
    assert_eq!(outcomes(&scene.play("4", unnamed).await?, "run")?, ["retry", "succeeded"]);
    assert_eq!(scene.requests("/u").len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_post_marked_as_a_read_is_one_where_the_administrator_agrees() -> anyhow::Result<()> {
    let scene = Scene::granting("read-only = [\"POST /search\"]", SCRIPT).await?;
    let search = |path: &str| json!({ "do": "fetch", "method": "POST", "kind": "read", "url": scene.url(path), "body": 1 });
    let event = scene.play("1", json!([search("/search"), search("/other"), { "do": "fail", "on": [1] }])).await?;
    results(&event)?;
    assert_eq!((scene.requests("/search").len(), scene.requests("/other").len()), (2, 1));
    let shown = effects(&event, 2)?;
    assert_eq!((&shown[0]["key"], &shown[0]["replayed"]), (&Value::Null, &json!(false)));
    assert_eq!((shown[1]["key"].is_string(), &shown[1]["replayed"]), (true, &json!(true)), "nobody agreed to that one: it is a write");
    Ok(())
}

#[tokio::test]
async fn what_is_not_granted_is_denied_and_says_why_in_the_timeline() -> anyhow::Result<()> {
    let (scene, stranger) = (Scene::start(PIECES).await?, sink().await?);
    let fine = pieces(&scene, "fine", json!({ "authority": host(&scene.sink.url()), "path": "/fine?a=b" })).await?;
    assert_eq!((&fine["status"], &fine["effects"][0]["state"]), (&json!(200), &json!("done")), "{fine:#}");
    for (id, authority, scheme, why) in [
        ("host", host(&stranger.url()), "http", "allow-hosts"),
        ("scheme", host(&scene.sink.url()), "https", "allow-hosts"),
        ("metadata", "169.254.169.254".to_owned(), "http", "allow-hosts"),
    ] {
        let said = pieces(&scene, id, json!({ "authority": authority, "scheme": scheme, "path": "/secret" })).await?;
        let expected = if scheme == "https" { "InternalError" } else { "HttpRequestDenied" };
        // `https` is given as another scheme by this guest, of which the host knows none.
        assert!(said["error"].as_str().is_some_and(|error| error.contains(expected)), "{id}: {said:#}");
        let told = format!("{} {}", said["effects"][0]["error"], said["logs"]);
        assert!(told.contains(why) || told.contains("neither http nor https"), "{id}: {said:#}");
    }
    assert!(stranger.requests().is_empty() && scene.requests("/secret").is_empty());

    // A granted name that is a private address.
    let text = configuration(&scene.sink.url(), "", PIECES).replace("allow-private-addresses = [\"127.0.0.0/8\"]", "");
    scene.folder.configure(&text)?;
    assert_eq!(scene.reload().await?.status, 200);
    let said = pieces(&scene, "private", json!({ "authority": host(&scene.sink.url()), "path": "/private" })).await?;
    assert_eq!(said["error"], "ErrorCode::HttpRequestDenied");
    assert!(said["effects"][0]["error"].as_str().is_some_and(|why| why.contains("private")), "{said:#}");
    assert!(scene.requests("/private").is_empty());
    Ok(())
}

#[tokio::test]
async fn answers_and_numbers_are_bounded_and_an_answer_is_read_in_pieces() -> anyhow::Result<()> {
    let limits = "limits = { response-size = \"100KiB\", http-calls = 2 }";
    let routes = format!("{SCRIPT}{PIECES}{}", PIECES.replace("\"pieces\"", "\"many\"").replace("m.fetch", "m.fetches"));
    let scene = Scene::granting(limits, &routes).await?;
    let answer = |size: usize| FaultAct::Status { status: 200, headers: [].into(), body: "x".repeat(size) };
    scene.fault("/just", answer(100 << 10), 1);
    let just = pieces(&scene, "just", json!({ "authority": host(&scene.sink.url()), "path": "/just", "chunk": 1000 })).await?;
    assert_eq!((&just["length"], &just["chunks"]), (&json!(100 << 10), &json!(103)), "{}", just["error"]);
    scene.fault("/whole", answer(100 << 10), 1);
    let whole = pieces(&scene, "whole", json!({ "authority": host(&scene.sink.url()), "path": "/whole" })).await?;
    assert_eq!((&whole["length"], &whole["chunks"]), (&json!(100 << 10), &json!(2)), "the host gives no more than 64 KiB at a time");

    scene.fault("/large", answer((100 << 10) + 1), 1);
    let lines = json!([
        { "do": "fetch", "method": "POST", "name": "w", "url": scene.url("/large"), "whatever": true },
        { "do": "fail", "on": [1] },
    ]);
    let event = scene.play("large", lines).await?;
    assert_eq!(effects(&event, 1)?[0]["state"], "in-doubt");
    let first = &step(&event, "run")?["attempts"][0]["error"]["details"]["results"][0]["failure"];
    assert_eq!(first, "ErrorCode::HttpResponseBodySize(Some(102400))");

    let get = json!({ "authority": host(&scene.sink.url()), "path": "/many" });
    let document = scene.client().send_and_wait(&crate::scene::event("many", "many", json!({ "each": [get, get, get] }))).await?;
    let said = &step(&document, "run")?["output"];
    assert_eq!((&said[0]["status"], &said[1]["status"]), (&json!(200), &json!(200)));
    assert!(said[2]["error"].as_str().is_some_and(|error| error.contains("2 requests (limits.http-calls)")), "{said:#}");
    assert_eq!(scene.requests("/many").len(), 2);
    Ok(())
}

#[tokio::test]
async fn a_body_that_is_not_finished_is_not_sent() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { time = \"300ms\" }", PIECES).await?;
    let post =
        |end: &str| json!({ "method": "POST", "authority": host(&scene.sink.url()), "path": format!("/{end}"), "body": "abc", "end": end });
    let ask = async |end: &str| pieces(&scene, end, post(end)).await;
    let dropped = ask("drop").await?;
    assert!(dropped["error"].as_str().is_some_and(|error| error.contains("dropped before it was finished")), "{dropped:#}");
    let never = ask("never").await?;
    assert!(never["outcome"] == "timeout" && never["step"].as_str().is_some_and(|why| why.contains("limits.time")), "{never:#}");
    let trailers = ask("trailers").await?;
    assert!(trailers["error"].as_str().is_some_and(|error| error.contains("sends no trailers")), "{trailers:#}");
    assert_eq!(ask("forget").await?["forgotten"], true, "whom nobody waits for is not sent");
    for end in ["drop", "never", "trailers", "forget"] {
        assert!(scene.requests(&format!("/{end}")).is_empty(), "{end}");
    }
    for (end, body) in [("finish", "abc"), ("first", "abc"), ("none", "")] {
        let said = ask(end).await?;
        assert_eq!(said["status"], 200, "{end}: {said:#}");
        assert_eq!(scene.requests(&format!("/{end}"))[0].body, body, "{end}");
    }
    // Time-outs of the guest's own.
    scene.fault("/hang", FaultAct::Hang, 1);
    let hung = pieces(&scene, "hang", json!({ "authority": host(&scene.sink.url()), "path": "/hang", "timeout": 50 })).await?;
    assert_eq!(hung["error"], "ErrorCode::ConnectionTimeout");
    scene.fault("/reset", FaultAct::Reset, 1);
    let reset = pieces(&scene, "reset", json!({ "authority": host(&scene.sink.url()), "path": "/reset" })).await?;
    assert_eq!(reset["error"], "ErrorCode::ConnectionTerminated");
    Ok(())
}

#[tokio::test]
async fn nothing_that_could_split_a_request_leaves_this_way_either() -> anyhow::Result<()> {
    let wire = Wire::start(|_| Act::answer("ok")).await?;
    let folder = sangam_tests::HostFolder::new(&configuration(&wire.url(), "", PIECES))?;
    let (host_, stand) = (folder.start().await?, sink().await?);
    let scene = Scene { sink: stand, folder, host: host_ };
    let ask = async |id: &str, input: Value| {
        let mut input = input;
        if input["authority"].is_null() {
            input["authority"] = json!(host(&wire.url()));
        }
        pieces(&scene, id, input).await
    };
    // Refused where it is set: it is not there, and the request is another one, or none.
    for (id, header, refused) in [
        ("crlf", ["X-A", "1\r\nX-B: 2"], "X-A: invalid"),
        ("nul", ["X-A", "\u{0}"], "X-A: invalid"),
        ("name", ["X A", "1"], "X A: invalid"),
        ("te", ["Transfer-Encoding", "chunked"], "Transfer-Encoding: forbidden"),
        ("host", ["Host", "evil.example"], "Host: forbidden"),
        ("connection", ["Connection", "X-A"], "Connection: forbidden"),
        ("proxy", ["Proxy-Authorization", "Basic eDp5"], "Proxy-Authorization: forbidden"),
    ] {
        let said = ask(id, json!({ "headers": [header] })).await?;
        assert_eq!((&said["refused"][0], &said["status"]), (&json!(refused), &json!(200)), "{id}: {said:#}");
    }
    for (id, input, refused) in [
        ("user", json!({ "authority": "user@evil.example" }), "authority"),
        ("slash", json!({ "authority": "evil.example/x" }), "authority"),
        ("at", json!({ "path": "@evil.example/" }), "path"),
        ("space", json!({ "path": "/ HTTP/1.1\r\nX: y" }), "path"),
        ("method", json!({ "method": "GET /x HTTP/1.1\r\nX: y" }), "method"),
    ] {
        let said = ask(id, input).await?;
        assert_eq!(said["refused"][0], refused, "{id}: {said:#}");
    }
    let before = wire.seen().len();
    assert!(wire.seen().iter().all(|seen| seen.body().is_empty() && seen.line().ends_with(" HTTP/1.1") && seen.header("x").is_empty()));
    // Refused when it would be sent, with a sentence.
    for (id, headers, why) in [
        ("trailer", json!([["Trailer", "X-A"]]), "header trailer is set by the host"),
        ("forwarded", json!([["X-Forwarded-For", "10.0.0.1"]]), "header x-forwarded-for is set by the host"),
        ("override", json!([["X-HTTP-Method-Override", "DELETE"]]), "header x-http-method-override is set by the host"),
        ("sangam", json!([["Sangam-Anything", "1"]]), "header sangam-anything is set by the host"),
        ("effect", json!([["Sangam-Effect", "none"]]), "Sangam-Effect is `read` or `write`"),
        ("names", json!([["Sangam-Effect-Name", "a"], ["sangam-effect-name", "b"]]), "one Sangam-Effect-Name"),
        ("short", json!([["Content-Length", "2"]]), "content-length is not that of the body"),
        ("sign", json!([["Content-Length", "+3"]]), "content-length must be one number"),
        ("two", json!([["Content-Length", "3"], ["Content-Length", "4"]]), "content-length must be one number"),
    ] {
        let said = ask(id, json!({ "method": "POST", "headers": headers, "body": "abc", "end": "first" })).await?;
        assert!(said["status"].is_null(), "{id}: {said:#}");
        let told = format!("{} {} {}", said["error"], said["effects"][0]["error"], said["logs"]);
        assert!(told.contains(why) || (id == "short" && told.contains("HttpRequestBodySize(Some(3))")), "{id}: {told}");
    }
    assert_eq!(wire.seen().len(), before, "something left");
    // What is true may be said.
    let said = ask("true", json!({ "method": "POST", "headers": [["Content-Length", "3"], ["X-A", "a\tb"]], "body": "abc" })).await?;
    assert_eq!(said["status"], 200, "{said:#}");
    let seen = wire.seen();
    let last = seen.last().expect("it came");
    assert_eq!((last.header("content-length"), last.header("x-a"), last.body()), (vec!["3"], vec!["a\tb"], "abc"));
    Ok(())
}

#[tokio::test]
async fn credentials_are_attached_and_masked_and_a_dry_run_sends_nothing() -> anyhow::Result<()> {
    const SECRET: &str = "0wn-cl1ent-s3cret-5Jq";
    let wire = Wire::start(|seen| Act::Send(answer("", &format!("{{\"you\":\"{}\"}}", seen.header("authorization").concat())))).await?;
    let credential = format!("[credentials.c]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{secret:token}}\"\n", wire.url());
    let text = configuration(&wire.url(), "credentials = [\"c\"]", &format!("{SCRIPT}{credential}"));
    let folder = sangam_tests::HostFolder::new(&text)?;
    folder.secret("token", SECRET)?;
    let (host, stand) = (folder.start().await?, sink().await?);
    let scene = Scene { sink: stand, folder, host };
    let fetch = json!({ "do": "fetch", "method": "POST", "name": "w", "url": format!("{}/w", wire.url()), "body": 1 });
    let event = scene.play("1", json!([fetch])).await?;
    let said = results(&event)?[0]["body"]["you"].as_str().unwrap_or("").to_owned();
    assert!(said.starts_with("Bearer ") && !said.contains(SECRET), "{said}");
    assert_eq!(wire.seen()[0].header("authorization"), [format!("Bearer {SECRET}")]);

    let eid = event["eid"].as_str().unwrap_or("");
    let wish = json!({ "dry_run": true, "keys": "new", "from": "start" });
    let dry = scene.client().post(&format!("/v1/events/{eid}/replay"), &wish).await?;
    ensure!(dry.status == 200, "the dry run was refused: {}", dry.text);
    let would = &dry.json["dry_run"]["runs"][0]["steps"][0]["would_send"];
    assert_eq!((&would["method"], &would["name"], &would["body"]), (&json!("POST"), &json!("w"), &json!(1)), "{:#}", dry.json);
    assert_eq!(wire.seen().len(), 1, "a dry run sent something");
    Ok(())
}

#[tokio::test]
async fn a_reviewer_reads_that_a_component_brings_a_client_of_its_own() -> anyhow::Result<()> {
    let scene = Scene::start("").await?;
    let inspect = |guest: &str| -> anyhow::Result<String> {
        let output = scene.folder.run(&["plugin", "inspect", &sangam_tests::guest(guest).display().to_string()], "")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    };
    let own = inspect("scripted")?;
    assert!(own.contains("use its language's own HTTP client (wasi:http), by the same grants, limits and journal"), "{own}");
    assert!(own.contains("send requests to hosts that it does not name"), "{own}");
    assert!(!inspect("bench")?.contains("wasi:http"));
    Ok(())
}
