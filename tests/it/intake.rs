//! The way in: what is taken, what is refused, and how it is said.

use std::collections::HashSet;

use reqwest::Method;
use sangam_tests::Answer;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, event, results, script, sink};

const STRUCTURED: &str = "application/cloudevents+json";

async fn post(scene: &Scene, headers: &[(&str, &str)], body: &str) -> anyhow::Result<Answer> {
    scene.client().ask(Method::POST, "/v1/events", headers, body.as_bytes().to_vec()).await
}

fn problem(answer: &Answer, status: u16) -> &str {
    assert_eq!(answer.status, status, "{}", answer.text);
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.json["status"], status);
    assert!(answer.json["title"].is_string());
    answer.json["detail"].as_str().unwrap_or("")
}

#[tokio::test]
async fn the_three_content_modes_bring_in_the_same_event() -> anyhow::Result<()> {
    let scene = Scene::start("").await?;
    let mut data = event("structured", "t", json!({ "a": [1, "é"] }));
    data["time"] = json!("2026-11-02T08:00:00Z");
    data["trace"] = json!("x");
    let structured = scene.client().send(&data).await?;
    data["id"] = json!("batched");
    let answer = scene.client().send_raw(&json!([data]), "").await?;
    assert_eq!((answer.status, answer.json["accepted"].as_array().map(Vec::len)), (202, Some(1)));
    let batched = answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned();
    let headers = [
        ("content-type", "application/json; charset=utf-8"),
        ("ce-specversion", "1.0"),
        ("ce-id", "binary"),
        ("ce-source", "/test"),
        ("ce-type", "t"),
        ("ce-time", "2026-11-02T08:00:00Z"),
        ("ce-trace", "x"),
    ];
    let answer = post(&scene, &headers, "{\"a\":[1,\"é\"]}").await?;
    assert_eq!(answer.status, 202, "{}", answer.text);
    let binary = answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned();
    assert_eq!(answer.header("location"), Some(format!("/v1/events/{binary}").as_str()));
    let mut seen = Vec::new();
    for eid in [structured, batched, binary] {
        assert_eq!((eid.len(), &eid[14..15]), (36, "7"), "eids are UUIDv7");
        let mut shown = scene.client().event(&eid).await?;
        assert_eq!(shown["status"], "unrouted");
        let shown = shown["event"].as_object_mut().map(|event| {
            event.remove("id");
            event.remove("datacontenttype");
            event.clone()
        });
        seen.push(shown);
    }
    assert_eq!(seen[0], seen[1]);
    assert_eq!(seen[0], seen[2]);
    Ok(())
}

#[tokio::test]
async fn a_known_pair_is_a_duplicate_and_says_if_it_differs() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let first = script("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w") }]));
    let first_answer = scene.client().send_raw(&first, "?wait=30s").await?;
    assert_eq!((first_answer.status, &first_answer.json["accepted"][0]["duplicate"]), (200, &json!(false)));
    let again = scene.client().send_raw(&first, "?wait=30s").await?;
    let accepted = &again.json["accepted"][0];
    assert_eq!((again.status, &accepted["duplicate"], &accepted["differs"]), (200, &json!(true), &json!(false)));
    assert_eq!(accepted["eid"], first_answer.json["accepted"][0]["eid"]);
    assert_eq!(again.json["events"][0]["status"], "succeeded", "a duplicate waits for the original");
    let differs = scene.client().send_raw(&script("1", json!([])), "").await?;
    let accepted = &differs.json["accepted"][0];
    assert_eq!((differs.status, &accepted["duplicate"], &accepted["differs"]), (202, &json!(true), &json!(true)));
    let mut elsewhere = script("1", json!([]));
    elsewhere["source"] = json!("/elsewhere");
    assert_eq!(scene.client().send_raw(&elsewhere, "").await?.json["accepted"][0]["duplicate"], false, "the pair counts, not the id");
    assert_eq!(scene.effects("/w"), 1);
    // Within one batch, too.
    let batch = scene.client().send_raw(&json!([script("2", json!([])), script("2", json!([]))]), "").await?;
    assert_eq!((&batch.json["accepted"][0]["duplicate"], &batch.json["accepted"][1]["duplicate"]), (&json!(false), &json!(true)));
    assert_eq!(batch.json["accepted"][0]["eid"], batch.json["accepted"][1]["eid"]);
    Ok(())
}

#[tokio::test]
async fn a_batch_is_taken_whole_or_refused_whole() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let good = |id: &str| script(id, json!([]));
    let mut nameless = good("3");
    nameless["type"] = json!("");
    let answer = scene.client().send_raw(&json!([good("1"), { "specversion": "1.0" }, good("2"), nameless]), "").await?;
    problem(&answer, 400);
    let errors = answer.json["errors"].as_array().cloned().unwrap_or_default();
    assert_eq!(errors.iter().map(|error| error["index"].as_u64()).collect::<Vec<_>>(), [Some(1), Some(3)]);
    assert!(errors[1]["detail"].as_str().is_some_and(|why| why.contains("`type`")), "{errors:?}");
    assert_eq!(scene.client().get("/v1/events").await?.json["events"], json!([]), "some of a refused batch was taken");
    let answer = scene.client().send_raw(&json!([good("1"), good("2")]), "?wait=30s").await?;
    let eids: HashSet<&str> = answer.json["events"].as_array().into_iter().flatten().filter_map(|event| event["eid"].as_str()).collect();
    assert_eq!((answer.status, eids.len()), (200, 2));
    let many: Vec<Value> = (0..1001).map(|index| event(&index.to_string(), "t", json!(null))).collect();
    assert!(problem(&scene.client().send_raw(&json!(many), "").await?, 400).contains("1000"));
    assert_eq!(scene.client().get("/v1/events").await?.json["events"].as_array().map(Vec::len), Some(2));
    assert_eq!(scene.client().send_raw(&json!([]), "").await?.json["accepted"], json!([]));
    Ok(())
}

#[tokio::test]
async fn what_is_no_event_is_refused_with_the_reason() -> anyhow::Result<()> {
    let sink = sink().await?;
    let text = crate::scene::configuration(&sink.url(), "", "").replace("[server]", "[server]\nmax-event-size = \"2KiB\"");
    let folder = sangam_tests::HostFolder::new(&text)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let structured = [("content-type", STRUCTURED)];
    for (body, words) in [
        ("", "not JSON"),
        ("{ \"id\": ", "not JSON"),
        ("[]", "JSON object"),
        ("\"text\"", "JSON object"),
        (r#"{"specversion":"1.0","source":"/s","type":"t"}"#, "`id` is missing"),
        (r#"{"specversion":"0.3","id":"1","source":"/s","type":"t"}"#, "0.3"),
        (r#"{"specversion":"1.0","id":7,"source":"/s","type":"t"}"#, "`id` is not a string"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","time":"yesterday"}"#, "RFC 3339"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","data":1,"data_base64":"AA=="}"#, "not both"),
        (r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","Bad-Name":"x"}"#, "Bad-Name"),
    ] {
        let answer = post(&scene, &structured, body).await?;
        let detail = problem(&answer, 400);
        assert!(detail.contains(words), "{body}: {words:?} is not in {detail:?}");
    }
    let deep = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{}{}}}"#, "[".repeat(100), "]".repeat(100));
    assert!(problem(&post(&scene, &structured, &deep).await?, 400).contains("levels"));
    let deeper = "[".repeat(2000);
    problem(&post(&scene, &structured, &deeper).await?, 400);
    for media in ["application/json", "text/plain", "application/cloudevents+avro", ""] {
        let answer = post(&scene, &[("content-type", media)], "{}").await?;
        assert!(problem(&answer, 415).contains("application/cloudevents+json"), "{media}");
    }
    let large = event("1", "t", json!("x".repeat(3000))).to_string();
    assert!(problem(&post(&scene, &structured, &large).await?, 413).contains("max-event-size"));
    let answer = scene.client().send_raw(&event("1", "t", json!(1)), "?wait=soon").await?;
    assert!(problem(&answer, 400).contains("wait"));
    problem(&scene.client().get("/v1/events/nope").await?, 404);
    problem(&scene.client().get("/nope").await?, 404);
    problem(&scene.client().ask(Method::DELETE, "/v1/events", &[], Vec::new()).await?, 405);
    problem(&scene.client().get("/v1/events?colour=red").await?, 400);
    problem(&scene.client().get("/v1/events?status=great").await?, 400);
    problem(&scene.client().get("/v1/events?cursor=%21").await?, 400);
    assert_eq!(scene.client().get("/v1/events").await?.json["events"], json!([]));
    scene.client().send(&event("1", "t", json!("x".repeat(1000)))).await?;
    Ok(())
}

#[tokio::test]
async fn waiting_ends_with_the_runs_or_with_the_time() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let answer = scene.client().send_raw(&script("quick", json!([])), "?wait=30s").await?;
    assert_eq!((answer.status, &answer.json["events"][0]["status"]), (200, &json!("succeeded")));
    let answer = scene.client().send_raw(&script("slow", json!([{ "do": "sleep", "amount": 2000 }])), "?wait=50ms").await?;
    assert_eq!(answer.status, 202);
    assert!(answer.json["events"].is_null());
    let eid = answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned();
    scene.client().until(&eid, "succeeded").await?;
    let answer = scene.client().send_raw(&event("nobody", "unknown", json!(1)), "?wait=30s").await?;
    assert_eq!(
        (answer.status, &answer.json["events"][0]["status"]),
        (200, &json!("unrouted")),
        "an event that no route wants is kept and shown"
    );
    assert!(answer.json["events"][0]["status_reason"].is_string());
    Ok(())
}

#[tokio::test]
async fn a_full_backlog_is_said_and_no_accepted_event_is_lost() -> anyhow::Result<()> {
    let sink = sink().await?;
    let route = SCRIPT.replace("max-attempts = 3, initial = \"10ms\"", "max-attempts = 900, initial = \"200ms\"");
    let text = crate::scene::configuration(&sink.url(), "", &route).replace("[server]", "[server]\nmax-backlog = 3");
    let folder = sangam_tests::HostFolder::new(&text)?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    scene.answer("/w", 503, u32::MAX);
    let mut accepted = Vec::new();
    let refused = loop {
        let id = accepted.len().to_string();
        let answer = scene.client().send_raw(&script(&id, json!([{ "do": "write", "name": "w", "url": scene.url("/w") }])), "").await?;
        match answer.status {
            202 => accepted.push(answer.json["accepted"][0]["eid"].as_str().unwrap_or("").to_owned()),
            _ => break answer,
        }
        assert!(accepted.len() < 10_000, "the host takes in whatever comes");
    };
    assert!(problem(&refused, 503).contains("max-backlog"));
    assert!(refused.header("retry-after").is_some_and(|seconds| seconds.parse::<u32>().is_ok()));
    assert!(accepted.len() >= 3);
    scene.sink.reset();
    for eid in &accepted {
        scene.client().until(eid, "succeeded").await?;
    }
    assert_eq!(scene.effects("/w"), accepted.len() as u64);
    let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while scene.client().send_raw(&script("after", json!([])), "").await?.status != 202 {
        assert!(tokio::time::Instant::now() < end, "the host takes nothing in any more");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    Ok(())
}

#[tokio::test]
async fn foreign_names_and_origins_are_refused() -> anyhow::Result<()> {
    let scene = Scene::start("").await?;
    let port = scene.client().url.rsplit_once(':').map_or("", |(_, port)| port).to_owned();
    let ask = async |path: &str, headers: &[(&str, &str)]| scene.client().ask(Method::GET, path, headers, Vec::new()).await;
    for host in ["evil.example", "localhost.evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example"] {
        assert!(problem(&ask("/v1/events", &[("host", host)]).await?, 403).contains("public-url"), "{host}");
        for open in ["/healthz", "/readyz"] {
            assert_eq!(ask(open, &[("host", host)]).await?.status, 200, "{open} takes any host");
        }
    }
    for host in [format!("localhost:{port}"), "localhost".to_owned(), format!("127.0.0.1:{port}"), format!("[::1]:{port}")] {
        assert_eq!(ask("/v1/events", &[("host", &host)]).await?.status, 200, "{host}");
    }
    for origin in ["https://evil.example", "null", &format!("http://127.0.0.1:{}", port.parse::<u32>()? ^ 1)] {
        problem(&ask("/v1/events", &[("origin", origin)]).await?, 403);
    }
    assert_eq!(ask("/v1/events", &[("origin", &scene.client().url)]).await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn events_are_listed_newest_first_and_page_by_page() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    for index in 0..5 {
        scene.client().send(&event(&format!("needle-{index}"), "t", json!({ "index": index }))).await?;
    }
    results(&scene.play("routed", json!([])).await?)?;
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = scene.client().get(&format!("/v1/events?limit=4{cursor}")).await?.json;
        ids.extend(page["events"].as_array().into_iter().flatten().filter_map(|event| event["event"]["id"].as_str().map(str::to_owned)));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(ids, ["routed", "needle-4", "needle-3", "needle-2", "needle-1", "needle-0"]);
    for (query, count) in [
        ("status=unrouted", 5),
        ("status=succeeded", 1),
        ("type=t", 5),
        ("route=script", 1),
        ("q=needle-3", 1),
        ("source=/other", 0),
        ("since=2099-01-01T00:00:00Z", 0),
        ("until=2099-01-01T00:00:00Z", 6),
    ] {
        let page = scene.client().get(&format!("/v1/events?{query}")).await?;
        assert_eq!(page.json["events"].as_array().map(Vec::len), Some(count), "{query}: {}", page.text);
    }
    Ok(())
}
