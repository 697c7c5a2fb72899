//! Steps of a run: what starts when, what is tried again, and how it ends.

use std::collections::BTreeMap;

use sangam_saas::FaultAct;
use sangam_tests::HostFolder;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, configuration, effects, event, outcomes, results, script, sink, step};

/// One step that posts to a path of its name.
fn posting(name: &str, rest: &str) -> String {
    format!(
        "[[routes.steps]]\nname = \"{name}\"\nuses = \"s.run\"\nretry = {{ max-attempts = 1 }}\n{rest}\n\
         with = {{ lines = [{{ do = \"write\", name = \"w\", url = \"{{sink}}/{name}\" }}] }}\n"
    )
}

fn route(steps: &[String]) -> String {
    format!("[[routes]]\nname = \"r\"\non = {{ type = \"t\" }}\n{}", steps.concat())
}

fn statuses(event: &Value) -> BTreeMap<String, String> {
    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
    let steps = event["runs"][0]["steps"].as_array().into_iter().flatten();
    steps.map(|step| (text(&step["name"]), text(&step["status"]))).collect()
}

fn expect(event: &Value, run: &str, steps: &[(&str, &str)]) {
    assert_eq!(event["status"], run, "{}", event["status_reason"]);
    let expected: BTreeMap<String, String> = steps.iter().map(|(name, status)| ((*name).to_owned(), (*status).to_owned())).collect();
    assert_eq!(statuses(event), expected);
}

#[tokio::test]
async fn independent_steps_run_side_by_side_and_join() -> anyhow::Result<()> {
    let join =
        "needs = [\"left\", \"right\"]\nwhen = \".steps.left.output.results[0].received + .steps.right.output.results[0].received == 3\"";
    let scene =
        Scene::start(&route(&[posting("left", "needs = []"), posting("right", "needs = []"), posting("join", join), posting("last", "")]))
            .await?;
    scene.fault("/left", FaultAct::Delay { ms: 1000 }, 1);
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    scene.arrived("/right").await?;
    scene.arrived("/left").await?;
    assert_eq!(scene.requests("/left")[0].status, None, "the right step waited for the left one");
    assert_eq!(scene.requests("/join").len(), 0, "the join did not wait for both");
    let document = scene.client().until(&eid, "succeeded").await?;
    expect(&document, "succeeded", &[("left", "succeeded"), ("right", "succeeded"), ("join", "succeeded"), ("last", "succeeded")]);
    let order: Vec<String> = scene.sink.requests().into_iter().map(|request| request.path).collect();
    assert_eq!(order[2..], ["/join", "/last"], "without needs a step follows the one before");
    Ok(())
}

#[tokio::test]
async fn a_skipped_step_counts_as_met_and_its_output_is_null() -> anyhow::Result<()> {
    let scene =
        Scene::start(&route(&[posting("maybe", "when = \".event.data.yes\""), posting("after", "when = \".steps.maybe.output == null\"")]))
            .await?;
    let document = scene.client().send_and_wait(&event("1", "t", json!({ "yes": false }))).await?;
    expect(&document, "succeeded", &[("maybe", "skipped"), ("after", "succeeded")]);
    let document = scene.client().send_and_wait(&event("2", "t", json!({ "yes": true }))).await?;
    expect(&document, "succeeded", &[("maybe", "succeeded"), ("after", "skipped")]);
    assert_eq!((scene.effects("/maybe"), scene.effects("/after")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn a_failed_step_that_may_fail_counts_as_met() -> anyhow::Result<()> {
    let scene = Scene::start(&route(&[
        posting("optional", "on-failure = \"continue\""),
        posting("after", "when = \".steps.optional.output == null\""),
    ]))
    .await?;
    scene.answer("/optional", 404, 1);
    let document = scene.client().send_and_wait(&event("1", "t", json!({}))).await?;
    expect(&document, "succeeded", &[("optional", "failed"), ("after", "succeeded")]);
    Ok(())
}

#[tokio::test]
async fn steps_that_do_not_depend_on_a_dead_one_still_finish() -> anyhow::Result<()> {
    let steps = [
        posting("bad", "needs = []"),
        posting("good", "needs = []"),
        posting("behind-bad", "needs = [\"bad\"]"),
        posting("behind-good", "needs = [\"good\"]"),
    ];
    let scene = Scene::start(&route(&steps)).await?;
    scene.answer("/bad", 404, 1);
    scene.fault("/good", FaultAct::Delay { ms: 200 }, 1);
    let document = scene.client().send_and_wait(&event("1", "t", json!({}))).await?;
    expect(&document, "dead", &[("bad", "failed"), ("good", "succeeded"), ("behind-bad", "pending"), ("behind-good", "succeeded")]);
    assert!(
        document["status_reason"].as_str().is_some_and(|why| why.contains("step bad: rejected") && why.contains("404")),
        "{}",
        document["status_reason"]
    );
    assert_eq!((scene.effects("/behind-good"), scene.requests("/behind-bad").len()), (1, 0));
    Ok(())
}

#[tokio::test]
async fn what_may_work_later_is_tried_again_and_counted() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    scene.answer("/w", 503, 2);
    let write = json!([{ "do": "write", "name": "w", "url": scene.url("/w") }, { "do": "attempt" }]);
    let document = scene.play("1", write.clone()).await?;
    assert_eq!(outcomes(&document, "run")?, ["retry", "retry", "succeeded"]);
    assert_eq!(results(&document)?[1], 3);
    let numbers: Vec<u64> =
        step(&document, "run")?["attempts"].as_array().into_iter().flatten().filter_map(|attempt| attempt["number"].as_u64()).collect();
    assert_eq!(numbers, [1, 2, 3]);
    scene.answer("/w", 503, 100);
    let document = scene.play("2", write).await?;
    assert_eq!(document["status"], "dead");
    assert_eq!(outcomes(&document, "run")?, ["retry", "retry", "retry"], "three attempts are three attempts");
    assert_eq!(scene.requests("/w").len(), 6);
    let letters = scene.client().get("/v1/dead-letters?route=script").await?.json;
    assert!(letters["dead_letters"][0]["reason"].as_str().is_some_and(|why| why.contains("503")), "{letters}");
    Ok(())
}

#[tokio::test]
async fn patience_is_waited_for_and_uses_no_attempt() -> anyhow::Result<()> {
    let scene = Scene::start(&SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).await?;
    let act = FaultAct::Status { status: 429, headers: [("retry-after".to_owned(), "1".to_owned())].into(), body: String::new() };
    scene.fault("/w", act, 2);
    let document = scene.play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])).await?;
    assert_eq!(outcomes(&document, "run")?, ["rate-limited", "rate-limited", "succeeded"]);
    let requests = scene.requests("/w");
    for pair in requests.windows(2) {
        assert!(pair[1].at.duration_since(pair[0].at).as_millis() >= 1000, "Retry-After was not waited for");
    }
    assert_eq!(effects(&document, 1)?[0]["state"], "failed");
    Ok(())
}

#[tokio::test]
async fn a_plugin_says_when_to_try_again() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let lines = json!([{ "do": "read", "url": scene.url("/r") }, { "do": "fail", "on": [1], "amount": 400 }]);
    let eid = scene.client().send(&script("1", lines)).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    let requests = scene.requests("/r");
    assert!(requests[1].at.duration_since(requests[0].at).as_millis() >= 400, "{document:#}");
    Ok(())
}

#[tokio::test]
async fn a_deadline_ends_a_run() -> anyhow::Result<()> {
    let patient = "on = { type = \"script\" }\ndeadline = \"1s\"";
    let routes = SCRIPT.replace("on = { type = \"script\" }", patient).replace("initial = \"10ms\"", "initial = \"1h\", max = \"1h\"");
    let scene = Scene::start(&routes).await?;
    let document = scene.play("later", json!([{ "do": "fail", "key": "not now" }])).await?;
    assert_eq!(document["status"], "dead");
    assert!(document["status_reason"].as_str().is_some_and(|why| why.contains("deadline")), "{}", document["status_reason"]);
    assert_eq!(outcomes(&document, "run")?, ["retry"]);
    let document = scene.play("sleeper", json!([{ "do": "sleep", "amount": 3_600_000 }])).await?;
    assert_eq!((&document["status"], outcomes(&document, "run")?), (&json!("dead"), vec!["timeout".to_owned()]));
    Ok(())
}

#[tokio::test]
async fn a_refused_credential_pauses_the_step_until_somebody_acts() -> anyhow::Result<()> {
    let scene = Scene::start(&SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).await?;
    let eid = scene.client().send(&script("1", json!([{ "do": "fail", "on": [1], "kind": "unauthorized", "key": "who are you" }]))).await?;
    let document = scene.client().until(&eid, "waiting").await?;
    assert!(document["status_reason"].as_str().is_some_and(|why| why.contains("who are you")), "{}", document["status_reason"]);
    assert_eq!(scene.reload().await?.status, 200);
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["unauthorized", "succeeded"]);
    Ok(())
}

#[tokio::test]
async fn a_refused_credential_that_cannot_be_renewed_for_the_moment_pauses_nothing() -> anyhow::Result<()> {
    let more = "[[routes]]\nname = \"post\"\non = { type = \"post\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"h.request\"\n\
                with = { method = \"POST\", url = \"{sink}/w\" }\n\
                [plugins.h]\ncomponent = \"builtin:http\"\nallow-hosts = [\"{sink}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\n\
                credentials = [\"c\"]\n\
                [credentials.c]\ntype = \"oauth2-client-credentials\"\nhosts = [\"{sink}\"]\ntoken-url = \"{sink}/token\"\n\
                client-id = \"id\"\nclient-secret = \"${env:SANGAM_TEST_VALUE}\"\n";
    let sink = sink().await?;
    let folder = HostFolder::new(&configuration(&sink.url(), "", more))?.env("SANGAM_TEST_VALUE", "a client's secret");
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let token = |name: &str| FaultAct::Status {
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: json!({ "access_token": name, "token_type": "bearer", "expires_in": 3600 }).to_string(),
    };
    // The system withdraws a token, and just then its token endpoint is down.
    scene.fault("/token", token("first"), 1);
    scene.answer("/token", 503, 1);
    scene.fault("/token", token("second"), 1);
    scene.answer("/w", 401, 1);
    let eid = scene.client().send(&event("1", "post", json!({}))).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["busy", "succeeded"], "nobody had to do anything");
    let error = &step(&document, "run")?["attempts"][0]["error"]["reason"];
    assert!(error.as_str().is_some_and(|why| why.contains("renewing failed") && why.contains("503")), "{error}");
    let sent: Vec<Option<String>> = scene.requests("/w").iter().map(|request| request.headers.get("authorization").cloned()).collect();
    assert_eq!(sent, [Some("Bearer first".to_owned()), Some("Bearer second".to_owned())]);
    Ok(())
}

#[tokio::test]
async fn a_steps_input_is_made_once() -> anyhow::Result<()> {
    let scene =
        Scene::start(&route(&[posting("one", "").replace("max-attempts = 1", "max-attempts = 2, initial = \"300ms\", jitter = 0")]))
            .await?;
    scene.answer("/one", 503, 1);
    let eid = scene.client().send(&event("1", "t", json!({}))).await?;
    scene.arrived("/one").await?;
    // The input of a run under way stays as it is, whatever the routes become.
    scene.change("", &route(&[posting("one", "").replace("/one\"", "/changed\"")])).await?;
    let document = scene.client().until(&eid, "succeeded").await?;
    assert_eq!((scene.requests("/one").len(), scene.requests("/changed").len()), (2, 0), "{document:#}");
    Ok(())
}

#[tokio::test]
async fn events_that_a_step_brings_in_come_with_its_success() -> anyhow::Result<()> {
    let follow = "[[routes]]\nname = \"follow\"\non = { type = \"child.*\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n";
    let scene = Scene::granting("emits = [\"child.*\"]", &format!("{SCRIPT}{follow}")).await?;
    let emit = |kind: &str| json!({ "do": "emit", "key": kind, "body": { "lines": [{ "do": "write", "name": "w", "url": scene.url("/child") }] } });
    let document = scene.play("1", json!([emit("child.born"), emit("child.born"), { "do": "fail", "on": [1] }])).await?;
    let children = scene.client().get("/v1/events?type=child.born").await?.json;
    let children = children["events"].as_array().cloned().unwrap_or_default();
    assert_eq!(children.len(), 2, "an attempt that failed brought events in");
    for child in &children {
        assert_eq!(
            (&child["event"]["source"], &child["cause"]["eid"], &child["cause"]["step"]),
            (&json!("/plugins/s"), &document["eid"], &json!("run"))
        );
        scene.client().until(child["eid"].as_str().unwrap_or(""), "succeeded").await?;
    }
    assert_eq!(scene.effects("/child"), 2);
    // Done again under the same keys they are the same events.
    let eid = document["eid"].as_str().unwrap_or("");
    assert_eq!(scene.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?.status, 200);
    scene.client().until(eid, "succeeded").await?;
    assert_eq!(scene.client().get("/v1/events?type=child.born").await?.json["events"].as_array().map(Vec::len), Some(2));

    let document = scene.play("2", json!([emit("stranger")])).await?;
    assert_eq!(outcomes(&document, "run")?, ["invalid-output"]);
    assert!(step(&document, "run")?["error"]["reason"].as_str().is_some_and(|why| why.contains("stranger") && why.contains("emits")));
    assert_eq!(scene.client().get("/v1/events?type=stranger").await?.json["events"], json!([]));
    Ok(())
}

#[tokio::test]
async fn a_chain_of_events_ends_after_eight_hops() -> anyhow::Result<()> {
    let echo = "[[routes]]\nname = \"echo\"\non = { type = \"echo\" }\n[[routes.steps]]\nname = \"run\"\nuses = \"s.run\"\n\
                with = { lines = [{ do = \"emit\", key = \"echo\", body = 1 }] }\n";
    let scene = Scene::granting("emits = [\"echo\"]", echo).await?;
    scene.client().send(&event("1", "echo", json!(1))).await?;
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let letters = loop {
        let letters = scene.client().get("/v1/dead-letters").await?.json["dead_letters"].as_array().cloned().unwrap_or_default();
        if !letters.is_empty() {
            break letters;
        }
        assert!(tokio::time::Instant::now() < end, "the chain never ended");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert!(letters[0]["reason"].as_str().is_some_and(|why| why.contains("8 plugins")), "{letters:?}");
    assert_eq!(scene.client().get("/v1/events?type=echo").await?.json["events"].as_array().map(Vec::len), Some(9));
    Ok(())
}

#[tokio::test]
async fn a_plugin_has_its_number_of_calls_at_a_time() -> anyhow::Result<()> {
    let scene = Scene::granting("concurrency = 1", &SCRIPT.replace("max-attempts = 3", "max-attempts = 1")).await?;
    scene.fault("/w", FaultAct::Delay { ms: 200 }, 3);
    let batch: Vec<Value> = ["1", "2", "3"].map(|id| script(id, json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]))).into();
    let answer = scene.client().send_raw(&Value::Array(batch), "?wait=30s").await?;
    assert_eq!(answer.status, 200);
    for event in answer.json["events"].as_array().into_iter().flatten() {
        assert_eq!(event["status"], "succeeded", "waiting for a slot uses no attempt");
    }
    for pair in scene.requests("/w").windows(2) {
        assert!(pair[1].at.duration_since(pair[0].at).as_millis() >= 200, "two calls at the same time");
    }
    Ok(())
}

#[tokio::test]
async fn requests_keep_to_the_rate() -> anyhow::Result<()> {
    let scene = Scene::granting("rate-limit = { requests = 2, per = \"400ms\" }", SCRIPT).await?;
    let read = json!({ "do": "read", "url": scene.url("/r") });
    results(&scene.play("1", json!([read, read, read, read])).await?)?;
    let requests = scene.requests("/r");
    // Two at once, then one every 200 ms.
    assert!(requests[3].at.duration_since(requests[0].at).as_millis() >= 390, "four requests came at once");
    Ok(())
}

#[tokio::test]
async fn an_open_breaker_spares_the_system_and_uses_no_attempt() -> anyhow::Result<()> {
    let scene =
        Scene::granting("breaker = { failures = 2, cooldown = \"1s\" }", &SCRIPT.replace("max-attempts = 3", "max-attempts = 2")).await?;
    scene.answer("/down", 503, 2);
    let down = scene.play("down", json!([{ "do": "write", "name": "w", "url": scene.url("/down") }])).await?;
    assert_eq!(outcomes(&down, "run")?, ["retry", "retry"]);
    let opened = scene.requests("/down")[1].at;
    let document = scene.play("up", json!([{ "do": "write", "name": "w", "url": scene.url("/up") }])).await?;
    assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
    let outcomes = outcomes(&document, "run")?;
    assert!(outcomes.len() > 1 && outcomes[..outcomes.len() - 1].iter().all(|outcome| outcome == "busy"), "{outcomes:?}");
    assert_eq!(scene.requests("/up").len(), 1);
    assert!(scene.requests("/up")[0].at.duration_since(opened).as_millis() >= 950, "a request left while the breaker was open");
    Ok(())
}
