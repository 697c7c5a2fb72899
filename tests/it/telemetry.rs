//! What the host tells operations: traces, metrics and log lines at a receiver that is not ours, and metrics as Prometheus reads them.

mod prometheus;

use std::time::Duration;

use anyhow::{Context as _, ensure};
use reqwest::Method;
use sangam_tests::{HostFolder, OtlpReceiver};
use serde_json::{Value, json};

use crate::scene::{self, SCRIPT, Scene, script};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const SENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A host whose telemetry goes to that address; `more` is added to `otlp` and `rest` to the file.
async fn scene(endpoint: &str, more: &str, rest: &str) -> anyhow::Result<Scene> {
    let sink = scene::sink().await?;
    let telemetry = format!("[telemetry.otlp]\nendpoint = \"{endpoint}\"\n{more}\n");
    let configuration = scene::configuration(&sink.url(), "emits = [\"child\"]", &format!("{SCRIPT}\n{rest}\n{telemetry}"));
    let folder = HostFolder::new(&configuration)?;
    folder.secret("otlp", "Bearer a-secret-of-the-collector")?;
    let host = folder.start().await?;
    Ok(Scene { sink, folder, host })
}

/// Sends an event with these headers more, and waits until its runs have ended.
async fn send(scene: &Scene, event: &Value, headers: &[(&str, &str)]) -> anyhow::Result<Value> {
    let headers: Vec<_> = [("content-type", "application/cloudevents+json")].into_iter().chain(headers.iter().copied()).collect();
    let answer = scene.client().ask(Method::POST, "/v1/events?wait=30s", &headers, event.to_string().into_bytes()).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    Ok(answer.json["events"][0].clone())
}

fn named<'a>(spans: &'a [Value], name: &str) -> anyhow::Result<&'a Value> {
    spans.iter().find(|span| span["name"] == name).with_context(|| format!("no span {name:?} in {spans:#?}"))
}

fn traceparent(span: &Value) -> String {
    format!("00-{}-{}-01", span["trace_id"].as_str().unwrap_or_default(), span["span_id"].as_str().unwrap_or_default())
}

const CHILD: &str = r#"
[[routes]]
name = "tell"
on = { type = "child" }
[[routes.steps]]
name = "tell"
uses = "sangam.webhook"
with = { to = "*" }

[webhooks.ear]
url = "{sink}/ear"
allow-private-addresses = ["127.0.0.0/8"]
secret = "${secret:ear}"
"#;

#[tokio::test]
async fn one_trace_leads_from_the_sender_through_the_host_into_every_sink() -> anyhow::Result<()> {
    if !OtlpReceiver::is_there()? {
        return Ok(());
    }
    let receiver = OtlpReceiver::start(true).await?;
    let sink = scene::sink().await?;
    let telemetry = format!(
        "[telemetry]\nservice-name = \"integration\"\nattributes = {{ \"deployment.environment.name\" = \"test\" }}\n[telemetry.otlp]\n\
         endpoint = \"{}\"\nca-file = \"authority.pem\"\nheaders = {{ authorization = \"${{secret:otlp}}\", x-tenant = \"acme\" }}\ninterval = \"1s\"\n",
        receiver.url
    );
    let configuration = scene::configuration(&sink.url(), "emits = [\"child\"]", &format!("{SCRIPT}\n{CHILD}\n{telemetry}"));
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("authority.pem"), &receiver.authority)?;
    folder.configure(&configuration)?;
    folder.secret("otlp", "Bearer a-secret-of-the-collector")?;
    folder.secret("ear", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
    let host = folder.start().await?;
    let scene = Scene { sink, folder, host };
    let lines = json!([
        { "do": "read", "url": scene.url("/r?name=Ann") },
        { "do": "write", "name": "w", "url": scene.url("/w"), "body": "a-payload" },
        { "do": "emit", "key": "child", "body": {} },
    ]);
    let document = send(&scene, &script("1", lines), &[("traceparent", SENT), ("tracestate", "vendor=1")]).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    scene.arrived("/ear").await?;
    let ended = |spans: &[Value]| spans.iter().any(|span| span["name"] == "run sangam.webhooks.ear");
    let spans = receiver.until("spans", "the run of the delivery", ended).await?;
    for span in &spans {
        assert_eq!(span["trace_id"], TRACE, "{span:#}");
        assert_eq!(
            (&span["resource"]["service.name"], &span["resource"]["deployment.environment.name"]),
            (&json!("integration"), &json!("test"))
        );
        assert!(span["end"].as_u64() >= span["start"].as_u64(), "{span:#}");
        assert_eq!(span["status"], "STATUS_CODE_UNSET", "{span:#}");
    }
    let chain = ["receive script", "run script", "step run", "call s.run", "POST"];
    let mut above = json!("00f067aa0ba902b7");
    for name in chain {
        let span = named(&spans, name)?;
        assert_eq!(span["parent"], above, "{span:#}");
        above = span["span_id"].clone();
    }
    let call = named(&spans, "call s.run")?;
    let of_call = &call["attributes"];
    assert!(of_call["sangam.plugin.digest"].as_str().is_some_and(|digest| digest.starts_with("sha256:")), "{call:#}");
    assert!(of_call["sangam.cpu_ms"].is_number() && of_call["sangam.http_calls"] == 2, "{call:#}");
    let write = named(&spans, "POST")?;
    assert_eq!((&write["kind"], &write["attributes"]["http.response.status_code"]), (&json!("SPAN_KIND_CLIENT"), &json!(200)));
    let read = named(&spans, "GET")?;
    assert_eq!(read["attributes"]["url.full"], json!(scene.url("/r")), "no query: people's names stand there");
    // The sinks can go on from the very spans of their requests.
    for (path, span) in [("/w", write), ("/r", read)] {
        let request = &scene.requests(path)[0];
        assert_eq!(request.headers.get("traceparent"), Some(&traceparent(span)), "{path}");
        assert_eq!(request.headers.get("tracestate").map(String::as_str), Some("vendor=1"));
    }
    let delivery = spans.iter().find(|span| span["attributes"]["sangam.effect.kind"] == "webhook").context("the delivery")?;
    assert_eq!(scene.requests("/ear")[0].headers.get("traceparent"), Some(&traceparent(delivery)));
    // What a plugin brought in goes on from the attempt that brought it.
    assert_eq!(named(&spans, "receive child")?["parent"], named(&spans, "step run")?["span_id"]);
    // Secrets got there as headers, and nowhere else; payloads not at all.
    for request in receiver.requests() {
        let headers = &request["headers"];
        assert_eq!(
            (&headers["authorization"], &headers["x-tenant"]),
            (&json!("Bearer a-secret-of-the-collector"), &json!("acme")),
            "{request:#}"
        );
    }
    let sent = json!([spans, receiver.all("logs"), receiver.all("metrics")]).to_string();
    for hidden in ["a-secret-of-the-collector", "a-payload", "Ann"] {
        assert!(!sent.contains(hidden), "{hidden} was told");
    }
    Ok(())
}

#[tokio::test]
async fn metrics_and_log_lines_get_there_too_and_a_line_says_of_which_trace() -> anyhow::Result<()> {
    if !OtlpReceiver::is_there()? {
        return Ok(());
    }
    let receiver = OtlpReceiver::start(false).await?;
    let scene = scene(&receiver.url, "interval = \"1s\"", "").await?;
    let document = send(&scene, &script("1", json!([{ "do": "fail", "on": [1], "kind": "rejected" }])), &[("traceparent", SENT)]).await?;
    assert_eq!(document["status"], "dead", "{document:#}");
    let logs = receiver.until("logs", "the line of the death", |logs| logs.iter().any(|line| line["body"] == "a run is dead")).await?;
    let line = logs.iter().find(|line| line["body"] == "a run is dead").context("the line")?;
    assert_eq!(
        (&line["trace_id"], &line["severity"], &line["attributes"]["route"]),
        (&json!(TRACE), &json!("WARN"), &json!("script")),
        "{line:#}"
    );
    let spans = receiver.until("spans", "the dead run", |spans| named(spans, "run script").is_ok()).await?;
    let run = named(&spans, "run script")?;
    assert_eq!((&run["status"], &run["attributes"]["error.type"]), (&json!("STATUS_CODE_ERROR"), &json!("rejected")), "{run:#}");
    assert_eq!(line["span_id"], run["span_id"]);
    let counted = |metrics: &[Value]| {
        metrics.iter().any(|metric| metric["name"] == "sangam_runs_total" && metric["sum"]["data_points"][0]["as_double"] == 1.0)
    };
    let metrics = receiver.until("metrics", "the count of the run", counted).await?;
    let find = |name: &str| metrics.iter().rev().find(|metric| metric["name"] == name).with_context(|| format!("no metric {name}"));
    let runs = find("sangam_runs_total")?;
    assert_eq!(
        (&runs["sum"]["is_monotonic"], &runs["sum"]["aggregation_temporality"]),
        (&json!(true), &json!("AGGREGATION_TEMPORALITY_CUMULATIVE"))
    );
    let calls = find("sangam_plugin_call_duration_seconds")?;
    assert_eq!((&calls["unit"], &calls["histogram"]["data_points"][0]["count"]), (&json!("s"), &json!("1")), "{calls:#}");
    assert!(find("sangam_queue_depth")?["gauge"].is_object() && find("process_resident_memory_bytes")?["unit"] == "By");
    // Everything that a scraper is told is sent.
    let text = scene.client().get("/metrics").await?.text;
    let scraped = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next())
        .filter(|name| text.lines().any(|line| line.starts_with(name) && !line.contains("telemetry")));
    for name in scraped {
        find(name)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_collector_that_refuses_hangs_or_is_gone_costs_a_run_nothing() -> anyhow::Result<()> {
    if !OtlpReceiver::is_there()? {
        return Ok(());
    }
    let mut receiver = OtlpReceiver::start(false).await?;
    let scene = scene(&receiver.url, "queue = 16\ntimeout = \"5s\"\nmetrics = false\nlogs = false", "").await?;
    // It asks for patience, and gets what it refused.
    receiver.order(json!({ "answer": 429, "retry-after": 1, "times": 1 })).await?;
    scene.play("1", json!([])).await?;
    receiver.until("spans", "the run after a refusal", |spans| named(spans, "run script").is_ok()).await?;
    let statuses: Vec<i64> = receiver.requests().iter().filter_map(|request| request["status"].as_i64()).collect();
    assert_eq!(&statuses[..2], [429, 200]);
    // It says nothing any more.
    receiver.order(json!({ "hang": true })).await?;
    let count = |text: &str, name: &str| -> u64 {
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{signal=\"traces\"}}")));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or(0)
    };
    let (mut text, mut number) = (String::new(), 1);
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while count(&text, "sangam_telemetry_dropped_total") == 0 || count(&text, "sangam_telemetry_failed_total") == 0 {
        ensure!(tokio::time::Instant::now() < end, "nothing was dropped: {text}");
        number += 1;
        let document = scene.play(&number.to_string(), json!([])).await?;
        ensure!(document["status"] == "succeeded", "{document:#}");
        text = scene.client().get("/metrics").await?.text;
    }
    // And it does not keep the host from stopping.
    let stopped = tokio::time::timeout(Duration::from_secs(30), scene.host.terminate()).await??;
    assert_eq!(stopped, Some(0));
    let port: u16 = receiver.url.rsplit(':').next().context("a port")?.parse()?;
    drop(receiver);
    // It is not there at all when the host starts, and comes later.
    let host = scene.folder.start().await?;
    host.client.send_and_wait(&script("gone", json!([]))).await?;
    let receiver = OtlpReceiver::at(false, port).await?;
    host.client.send_and_wait(&script("back", json!([]))).await?;
    receiver.until("spans", "the run after its return", |spans| named(spans, "run script").is_ok()).await?;
    Ok(())
}

#[tokio::test]
async fn what_waits_is_sent_when_the_host_stops_and_a_run_goes_on_in_its_trace_after_a_crash() -> anyhow::Result<()> {
    if !OtlpReceiver::is_there()? {
        return Ok(());
    }
    let receiver = OtlpReceiver::start(false).await?;
    let scene = scene(&receiver.url, "metrics = false", "").await?;
    scene.fault("/w", sangam_saas::FaultAct::Delay { ms: 30_000 }, 1);
    let write = json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "body": 1 }]);
    let kind = [("content-type", "application/cloudevents+json"), ("traceparent", SENT)];
    let answer = scene.client().ask(Method::POST, "/v1/events", &kind, script("1", write).to_string().into_bytes()).await?;
    let eid = answer.json["accepted"][0]["eid"].as_str().context("an eid")?.to_owned();
    scene.arrived("/w").await?;
    scene.host.kill().await?;
    let host = scene.folder.start().await?;
    host.client.until(&eid, "succeeded").await?;
    let answer = host.client.post(&format!("/v1/events/{eid}/replay"), &json!({ "route": "script", "from": "start" })).await?;
    ensure!(answer.status < 300, "{} {}", answer.status, answer.text);
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    loop {
        let document = host.client.event(&eid).await?;
        let runs = document["runs"].as_array().map_or(0, Vec::len);
        if runs == 2 && document["status"] == "succeeded" {
            break;
        }
        ensure!(tokio::time::Instant::now() < end, "{document:#}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One that a person gives up has an end, too.
    let patient = json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 1000 }]);
    let given_up = host.client.send(&script("2", patient)).await?;
    let answer = host.client.post(&format!("/v1/events/{given_up}/cancel"), &json!({})).await?;
    ensure!(answer.status == 200, "{} {}", answer.status, answer.text);
    assert_eq!(host.terminate().await?, Some(0));
    let spans = receiver.all("spans");
    let runs: Vec<&Value> = spans.iter().filter(|span| span["name"] == "run script").collect();
    let (runs, cancelled): (Vec<&Value>, Vec<&Value>) = runs.into_iter().partition(|run| run["trace_id"] == TRACE);
    assert_eq!(cancelled.iter().map(|run| &run["attributes"]["sangam.status"]).collect::<Vec<_>>(), ["cancelled"], "{spans:#?}");
    assert_eq!(runs.len(), 2, "one for each run, though the first was driven twice: {spans:#?}");
    assert!(runs.iter().all(|run| run["trace_id"] == TRACE && run["parent"] == runs[0]["parent"]), "{runs:#?}");
    assert_eq!(runs[1]["links"], json!([{ "trace_id": TRACE, "span_id": runs[0]["span_id"] }]), "a replay points to what it replays");
    for request in scene.sink.requests().iter().filter(|request| request.path == "/w") {
        assert!(request.headers["traceparent"].contains(TRACE), "{request:?}");
    }
    Ok(())
}

#[tokio::test]
async fn without_a_collector_a_sender_s_trace_is_handed_on_as_it_came_and_only_where_that_is_wanted() -> anyhow::Result<()> {
    let scene = Scene::start(SCRIPT).await?;
    let write = |id: &str| script(id, json!([{ "do": "write", "name": "w", "url": scene.url(&format!("/{id}")), "body": 1 }]));
    let told = |id: &str| scene.requests(&format!("/{id}"))[0].headers.get("traceparent").cloned();
    send(&scene, &write("sent"), &[("traceparent", SENT)]).await?;
    assert_eq!(told("sent").as_deref(), Some(SENT));
    send(&scene, &write("none"), &[]).await?;
    assert_eq!(told("none"), None, "a trace that nobody knows is not told");
    send(&scene, &write("wrong"), &[("traceparent", "00-xyz-1-01")]).await?;
    assert_eq!(told("wrong"), None);
    let mut event = write("attribute");
    event["traceparent"] = json!(SENT);
    send(&scene, &event, &[("traceparent", "00-11111111111111111111111111111111-2222222222222222-01")]).await?;
    assert_eq!(told("attribute").as_deref(), Some(SENT), "what the event says itself counts");
    scene.folder.configure(&scene::configuration(&scene.sink.url(), "", &format!("{SCRIPT}\n[telemetry]\npropagate = false\n")))?;
    let Scene { sink, folder, host } = scene;
    host.terminate().await?;
    let scene = Scene { host: folder.start().await?, sink, folder };
    let write = script("quiet", json!([{ "do": "write", "name": "w", "url": scene.url("/quiet"), "body": 1 }]));
    send(&scene, &write, &[("traceparent", SENT)]).await?;
    assert_eq!(scene.requests("/quiet")[0].headers.get("traceparent"), None);
    Ok(())
}

#[tokio::test]
async fn every_line_of_the_log_says_whose_it_is_and_plugins_speak_there_where_that_is_wanted() -> anyhow::Result<()> {
    let log = |more: &str| format!("{SCRIPT}\n[telemetry]\nlog = {{ format = \"json\"{more} }}\n");
    for (more, speaks) in [(", plugins = true", true), ("", false), (", plugins = true, level = \"error\"", false)] {
        let scene = Scene::start(&log(more)).await?;
        let lines = json!([{ "do": "log", "key": "said by the plugin" }, { "do": "fail", "on": [1], "kind": "rejected" }]);
        send(&scene, &script("1", lines), &[("traceparent", SENT)]).await?;
        let text = std::fs::read_to_string(scene.folder.path().join("host.log"))?;
        let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
        let said = lines.iter().find(|line| line["target"] == "sangam::plugin");
        assert_eq!(said.is_some(), speaks, "{text}");
        if let Some(said) = said {
            assert_eq!(
                (&said["trace_id"], &said["fields"]["plugin"], &said["fields"]["message"]),
                (&json!(TRACE), &json!("s"), &json!("said by the plugin"))
            );
        }
        let dead = lines.iter().find(|line| line["fields"]["message"] == "a run is dead");
        assert_eq!(dead.is_some(), !more.contains("error"), "{text}");
        if let Some(dead) = dead {
            assert!(
                dead["host"].is_string() && dead["revision"] == 1 && dead["trace_id"] == TRACE && dead["span_id"].is_string(),
                "{dead:#}"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_can_t_be_sent_safely_is_refused_before_the_host_starts() -> anyhow::Result<()> {
    for (telemetry, said) in [
        ("[telemetry]\notlp = { endpoint = \"collector:4317\" }", "not an address of OTLP over HTTP"),
        ("[telemetry]\notlp = { headers = { x = \"y\" } }", "`endpoint` is missing"),
        (
            "[telemetry.otlp]\nendpoint = \"https://c.example\"\nheaders = { authorization = \"Bearer x\" }",
            "can't stand in the file in clear text",
        ),
        ("[telemetry.otlp]\nendpoint = \"http://c.example:4318\"\nheaders = { api-key = \"${secret:k}\" }", "this is not https"),
        ("[telemetry.otlp]\nendpoint = \"http://localhost:4318\"\nsample = 2", "`sample`"),
        ("[telemetry.otlp]\nendpoint = \"http://localhost:4318\"\nqueue = 1", "`queue`"),
        ("[telemetry]\nlog = { level = \"loud=very\" }", "says nothing about a log"),
        ("[telemetry]\nlog = { format = \"xml\" }", "\"auto\" or \"text\" or \"json\""),
        ("[telemetry]\notpl = {}", "otlp"),
    ] {
        let folder = HostFolder::new(&format!("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{telemetry}\n"))?;
        let done = folder.run(&["check"], "")?;
        let text = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
        assert!(done.status.code() == Some(2) && text.contains(said), "{telemetry}: {text}");
        assert!(!text.contains("Bearer x"), "{text}");
    }
    Ok(())
}
