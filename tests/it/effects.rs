//! What is done once and what is repeated: *Effects and their keys*.

use std::collections::HashSet;

use sangam_saas::FaultAct;
use serde_json::json;

use crate::scene::{SCRIPT, Scene, effects, outcomes, reason, results, step};

#[tokio::test]
async fn a_finished_write_is_answered_from_the_journal() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/b", 503, 1);
    let event = scene
        .play("1", json!([{ "do": "write", "name": "a", "url": scene.url("/a"), "body": 1 }, { "do": "write", "name": "b", "url": scene.url("/b"), "body": 2 }]))
        .await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "succeeded"]);
    assert_eq!(scene.requests("/a").len(), 1, "the finished write was sent again");
    let keys = scene.keys("/b");
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1], "a write in doubt goes again under the same key");
    assert_eq!(keys[0].len(), 36);
    assert_ne!(scene.keys("/a")[0], keys[0]);
    let (first, second) = (effects(&event, 1)?, effects(&event, 2)?);
    assert_eq!((&first[0]["state"], &first[1]["state"], &first[1]["status"]), (&json!("done"), &json!("in-doubt"), &json!(503)));
    assert_eq!((&second[0]["replayed"], &second[1]["replayed"]), (&json!(true), &json!(false)));
    assert_eq!(second[0]["key"], scene.keys("/a")[0].as_str());
    assert_eq!(results(&event)?[0], json!({ "received": 1 }), "the journal gives the answer as it was");
    Ok(())
}

#[tokio::test]
async fn a_write_whose_answer_was_lost_goes_again_under_the_same_key() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/lost", FaultAct::LoseAnswer, 1);
    scene.fault("/cut", FaultAct::Truncate { bytes: 3 }, 1);
    scene.fault("/reset", FaultAct::Reset, 1);
    for (id, path) in [("1", "/lost"), ("2", "/cut"), ("3", "/reset")] {
        let event = scene.play(id, json!([{ "do": "write", "name": "w", "url": scene.url(path), "body": id }])).await?;
        assert_eq!(outcomes(&event, "run")?, ["retry", "succeeded"], "{path}");
        assert_eq!(effects(&event, 1)?[0]["state"], "in-doubt", "{path}");
        let keys = scene.keys(path);
        assert_eq!((keys.len(), keys.iter().collect::<HashSet<_>>().len()), (2, 1), "{path}");
        assert_eq!(scene.effects(path), 1, "{path}: the sink saw the effect twice");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_too_large_leaves_the_write_in_doubt() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { response-size = \"1KiB\" }", SCRIPT).await?;
    let body = "x".repeat(2000);
    scene.fault("/w", FaultAct::Status { status: 200, headers: [].into(), body }, 1);
    let event = scene
        .play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "whatever": true }, { "do": "fail", "on": [1] }]))
        .await?;
    assert_eq!(effects(&event, 1)?[0]["state"], "in-doubt");
    let why = effects(&event, 1)?[0]["error"].as_str().unwrap_or("");
    assert!(why.contains("response-size"), "{why}");
    assert_eq!(scene.keys("/w")[0], scene.keys("/w")[1]);
    Ok(())
}

#[tokio::test]
async fn a_refused_write_gets_a_new_key_and_not_now_keeps_it() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for (status, same) in [(400, false), (404, false), (422, false), (409, true), (425, true), (429, true)] {
        let path = format!("/{status}");
        scene.answer(&path, status, 1);
        let lines = json!([
            { "do": "key", "name": "w" },
            { "do": "write", "name": "w", "url": scene.url(&path), "whatever": true },
            { "do": "key", "name": "w" },
            { "do": "fail", "on": [1] },
        ]);
        let event = scene.play(&path, lines).await?;
        let keys = scene.keys(&path);
        assert_eq!(keys.len(), 2, "{status}");
        assert_eq!(keys[0] == keys[1], same, "{status}");
        assert_eq!(effects(&event, 1)?[0]["state"], "failed", "{status}");
        let first = &step(&event, "run")?["attempts"][0]["error"]["details"]["results"];
        assert_eq!(first[0], keys[0].as_str(), "{status}: key() is the key that is sent");
        assert_eq!(first[2], keys[1].as_str(), "{status}: after the refusal it is the key of the next generation");
        assert_eq!(results(&event)?[0], keys[1].as_str(), "{status}: and on the next attempt, too");
    }
    Ok(())
}

#[tokio::test]
async fn after_a_doubt_no_refusal_proves_anything() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.fault("/w", FaultAct::LoseAnswer, 1);
    scene.answer("/w", 404, 1);
    let lines = json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "whatever": true }, { "do": "fail", "on": [1, 2] }]);
    let event = scene.play("1", lines).await?;
    let keys = scene.keys("/w");
    assert_eq!(keys.len(), 3);
    assert_eq!(keys.iter().collect::<HashSet<_>>().len(), 1, "the key must not change after a doubt");
    assert_eq!(effects(&event, 2)?[0]["state"], "in-doubt", "a 404 after a doubt proves nothing");
    assert_eq!(scene.effects("/w"), 1);
    Ok(())
}

#[tokio::test]
async fn a_name_stands_for_one_write_of_an_attempt() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let write = json!({ "do": "write", "name": "w", "url": scene.url("/w") });
    let event = scene.play("1", json!([write, write])).await?;
    assert!(reason(&event)?.contains('w'), "the reason names the write");
    assert_eq!(step(&event, "run")?["error"]["kind"], "rejected");
    assert_eq!(scene.requests("/w").len(), 1);
    // Not after its success it may be tried again within the attempt.
    scene.answer("/v", 503, 1);
    let write = json!({ "do": "write", "name": "v", "url": scene.url("/v"), "whatever": true });
    results(&scene.play("2", json!([write, write])).await?)?;
    assert_eq!(scene.keys("/v")[0], scene.keys("/v")[1]);
    Ok(())
}

#[tokio::test]
async fn another_target_under_a_name_that_was_written_diverges() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/doubt", 503, 1);
    for (id, first, second) in [
        ("path", json!({ "url": scene.url("/one") }), json!({ "url": scene.url("/other") })),
        ("method", json!({ "url": scene.url("/two") }), json!({ "url": scene.url("/two"), "method": "PUT" })),
        ("doubt", json!({ "url": scene.url("/doubt"), "whatever": true }), json!({ "url": scene.url("/other") })),
    ] {
        let with = |line: &serde_json::Value, on: u32| {
            let mut line = line.clone();
            line["do"] = json!("write");
            line["name"] = json!("w");
            line["on"] = json!([on]);
            line
        };
        let event = scene.play(id, json!([with(&first, 1), { "do": "fail", "on": [1] }, with(&second, 2)])).await?;
        assert_eq!(event["status"], "dead", "{id}");
        assert_eq!(outcomes(&event, "run")?, ["retry", "diverged"], "{id}");
        assert!(event["status_reason"].as_str().is_some_and(|why| why.contains("\"w\"")), "{id}: {}", event["status_reason"]);
    }
    assert_eq!(scene.requests("/other").len(), 0, "what diverged was sent");
    assert!(scene.requests("/two").iter().all(|request| request.method == "POST"));
    // What was refused may become something else: nothing was done.
    scene.answer("/refused", 422, 1);
    let lines = json!([
        { "do": "write", "on": [1], "name": "w", "url": scene.url("/refused"), "whatever": true },
        { "do": "fail", "on": [1] },
        { "do": "write", "on": [2], "name": "w", "url": scene.url("/mended") },
    ]);
    results(&scene.play("refused", lines).await?)?;
    assert_eq!(scene.effects("/mended"), 1);
    Ok(())
}

#[tokio::test]
async fn a_named_write_may_change_its_body_and_query() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/w", 503, 1);
    let lines = json!([
        { "do": "write", "on": [1], "name": "w", "url": scene.url("/w?t=1"), "body": "before" },
        { "do": "write", "on": [2], "name": "w", "url": scene.url("/w?t=2"), "body": "after" },
    ]);
    results(&scene.play("1", lines).await?)?;
    let requests = scene.requests("/w");
    assert_eq!(requests.iter().map(|request| request.body.as_str()).collect::<Vec<_>>(), ["\"before\"", "\"after\""]);
    assert_eq!(scene.keys("/w")[0], scene.keys("/w")[1]);
    Ok(())
}

#[tokio::test]
async fn unnamed_writes_are_known_by_their_content_and_ordinal() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let write = json!({ "do": "write", "url": scene.url("/w"), "body": "same" });
    let event = scene.play("1", json!([write, write, { "do": "fail", "on": [1] }])).await?;
    assert_eq!(scene.effects("/w"), 2, "two equal writes of one attempt are two writes");
    assert_eq!(scene.requests("/w").len(), 2, "both are answered from the journal on the next attempt");
    assert!(effects(&event, 2)?.iter().all(|effect| effect["replayed"] == true));

    let lines = json!([
        { "do": "write", "on": [1], "url": scene.url("/v"), "body": "one" },
        { "do": "fail", "on": [1] },
        { "do": "write", "on": [2], "url": scene.url("/v"), "body": "another" },
    ]);
    let event = scene.play("2", lines).await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "diverged"]);
    assert_eq!(scene.requests("/v").len(), 1, "an unnamed write that matches nothing must not be sent");
    Ok(())
}

#[tokio::test]
async fn reads_are_live_on_every_attempt() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let event = scene.play("1", json!([{ "do": "read", "url": scene.url("/r") }, { "do": "fail", "on": [1] }])).await?;
    assert_eq!(results(&event)?[0], json!({ "received": 2 }), "the second attempt saw what was there then");
    assert!(scene.keys("/r").iter().all(String::is_empty), "a read carries no idempotency key");
    Ok(())
}

#[tokio::test]
async fn what_never_left_is_no_doubt() -> anyhow::Result<()> {
    // A port on which nothing listens: bound, known, and given back.
    let port = std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
    let scene = Scene::start(SCRIPT).await?;
    let gone = format!("http://127.0.0.1:{port}");
    let grants = format!(
        "[plugins.gone]\ncomponent = {:?}\nallow-hosts = [\"{gone}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\n",
        sangam_tests::guest("scripted")
    );
    scene.change("", &format!("{grants}{}", SCRIPT.replace("s.run", "gone.run"))).await?;
    let event = scene.play("1", json!([{ "do": "write", "name": "w", "url": format!("{gone}/w") }])).await?;
    assert_eq!(outcomes(&event, "run")?, ["retry", "retry", "retry"]);
    assert_eq!(effects(&event, 3)?[0]["state"], "failed");
    let why = reason(&event)?;
    assert!(why.contains("127.0.0.1"), "the reason names the sink that is not there: {why}");
    Ok(())
}

#[tokio::test]
async fn the_key_travels_in_the_header_that_is_configured() -> anyhow::Result<()> {
    for (grant, header) in [("idempotency-header = \"X-Request-Id\"", Some("x-request-id")), ("idempotency-header = false", None)] {
        let scene = Scene::granting(grant, SCRIPT).await?;
        let event = scene.play("1", json!([{ "do": "key", "name": "w" }, { "do": "write", "name": "w", "url": scene.url("/w") }])).await?;
        let request = &scene.requests("/w")[0];
        assert!(!request.headers.contains_key("idempotency-key"));
        if let Some(header) = header {
            assert_eq!(json!(request.headers.get(header)), results(&event)?[0]);
        }
    }
    Ok(())
}

#[tokio::test]
async fn clocks_and_random_numbers_come_out_the_same_on_every_attempt() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let lines =
        json!([{ "do": "clock" }, { "do": "random" }, { "do": "sleep", "amount": 30 }, { "do": "clock" }, { "do": "fail", "on": [1, 2] }]);
    let event = scene.play("1", lines.clone()).await?;
    let attempts = &step(&event, "run")?["attempts"];
    let now = results(&event)?;
    assert_eq!(&attempts[0]["error"]["details"]["results"], now);
    assert_eq!(&attempts[1]["error"]["details"]["results"], now);
    let micros = |at: usize| now[at].as_u64().unwrap_or(0);
    assert!(micros(3) - micros(0) >= 30_000, "a sleep moves the clock: {now}");
    let other = scene.play("2", lines).await?;
    assert_ne!(results(&other)?[1], now[1], "another run has random numbers of its own");
    Ok(())
}

#[tokio::test]
async fn a_step_has_its_number_of_requests() -> anyhow::Result<()> {
    let route = "[[routes]]\nname = \"calls\"\non = { type = \"calls\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"m.many-calls\"\n";
    let scene = Scene::granting("limits = { http-calls = 3 }", route).await?;
    let event = scene.client().send_and_wait(&crate::scene::event("1", "calls", json!({ "url": scene.url("/r"), "count": 5 }))).await?;
    let output = &step(&event, "run")?["output"];
    assert_eq!(output[2]["status"], 200);
    assert_eq!((&output[3]["error"], &output[3]["why"]), (&json!("too-many-calls"), &json!("3")));
    assert_eq!(scene.requests("/r").len(), 3);
    Ok(())
}

#[tokio::test]
async fn a_trap_or_the_end_of_time_after_a_write_doubles_nothing() -> anyhow::Result<()> {
    let scene = Scene::granting("limits = { time = \"500ms\", cpu = \"200ms\" }", SCRIPT).await?;
    let lines = json!([{ "do": "write", "name": "w", "url": scene.url("/trap") }, { "do": "trap", "on": [1] }]);
    let event = scene.play("trap", lines).await?;
    assert_eq!(outcomes(&event, "run")?, ["trap", "succeeded"]);
    assert_eq!(scene.requests("/trap").len(), 1);
    assert_eq!((&effects(&event, 1)?[0]["state"], &effects(&event, 2)?[0]["replayed"]), (&json!("done"), &json!(true)));

    let lines = json!([{ "do": "write", "name": "w", "url": scene.url("/sleep") }, { "do": "sleep", "on": [1], "amount": 60_000 }]);
    let event = scene.play("sleep", lines).await?;
    assert_eq!(outcomes(&event, "run")?, ["timeout", "succeeded"]);
    assert_eq!(scene.requests("/sleep").len(), 1);

    scene.fault("/hang", FaultAct::Delay { ms: 2000 }, 1);
    let event = scene.play("hang", json!([{ "do": "write", "name": "w", "url": scene.url("/hang") }])).await?;
    assert_eq!(event["status"], "succeeded", "{}", event["status_reason"]);
    assert_eq!(effects(&event, 1)?[0]["state"], "in-doubt", "a write without an answer in time is in doubt: {event:#}");
    let keys = scene.keys("/hang");
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    Ok(())
}
