//! What every stand-in does: it records, fails as asked, and is controlled beside the vendor's paths.

mod client;

use std::time::{Duration, Instant};

use client::client;
use sangam_saas::{Fault, FaultAct, Saas};
use serde_json::{Value, json};

async fn saas() -> Saas {
    Saas::start().await.expect("free loopback ports")
}

async fn post(url: &str, body: &'static str) -> reqwest::Result<reqwest::Response> {
    client().post(url).body(body).send().await
}

async fn json_of(response: reqwest::Response) -> Value {
    response.json().await.expect("a JSON answer")
}

#[tokio::test]
async fn requests_are_recorded_with_what_was_answered() {
    let saas = saas().await;
    let url = format!("{}/a/b?c=%20d", saas.sink.url());
    let request = client().put(&url).header("X-Test", "1").header("X-Test", "2").body("hello");
    assert_eq!(request.send().await.expect("answered").status(), 200);
    let [recorded] = saas.sink.requests().try_into().expect("one request");
    assert_eq!((recorded.method.as_str(), recorded.path.as_str()), ("PUT", "/a/b?c=%20d"));
    assert_eq!((recorded.body.as_str(), recorded.status), ("hello", Some(200)));
    assert_eq!(recorded.headers["x-test"], "1, 2");
    saas.sink.reset();
    assert!(saas.sink.requests().is_empty());
}

#[tokio::test]
async fn a_status_is_answered_without_doing_anything() {
    let saas = saas().await;
    let headers = [("retry-after".to_owned(), "7".to_owned())].into();
    let act = FaultAct::Status { status: 503, headers, body: "busy".to_owned() };
    saas.sink.fault(Fault { skip: 1, times: 2, method: Some("POST".to_owned()), ..Fault::once("/jobs/*", act) });
    let url = format!("{}/jobs/1", saas.sink.url());
    let mut seen = Vec::new();
    for _ in 0..4 {
        let response = post(&url, "").await.expect("answered");
        seen.push((response.status().as_u16(), response.headers().get("retry-after").is_some()));
    }
    assert_eq!(seen, [(200, false), (503, true), (503, true), (200, false)]);
    assert_eq!(saas.sink.state()["count"], 2);
}

#[tokio::test]
async fn a_delay_comes_before_the_answer() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::Delay { ms: 80 }));
    let start = Instant::now();
    assert_eq!(post(&saas.sink.url(), "").await.expect("answered").status(), 200);
    assert!(start.elapsed() >= Duration::from_millis(80));
}

#[tokio::test]
async fn a_reset_connection_is_an_error_to_the_client_and_nothing_is_done() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::Reset));
    let error = post(&saas.sink.url(), "x").await.expect_err("no answer");
    assert!(format!("{error:?}").contains("ConnectionReset"), "{error:?}");
    assert_eq!(saas.sink.state()["count"], 0);
    assert_eq!(saas.sink.requests()[0].status, None);
    assert_eq!(post(&saas.sink.url(), "x").await.expect("answered").status(), 200);
}

#[tokio::test]
async fn a_lost_answer_is_an_error_to_the_client_but_the_effect_is_there() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::LoseAnswer));
    let error = post(&saas.sink.url(), "x").await.expect_err("no answer");
    assert!(error.is_request() && error.status().is_none(), "{error:?}");
    assert_eq!(saas.sink.state()["count"], 1);
    assert_eq!(saas.sink.requests()[0].status, None);
}

#[tokio::test]
async fn a_truncated_answer_has_its_head_and_a_part_of_its_body() {
    let saas = saas().await;
    for bytes in [0, 5] {
        saas.sink.fault(Fault::once("*", FaultAct::Truncate { bytes }));
        let mut response = post(&saas.sink.url(), "x").await.expect("a head");
        assert_eq!(response.status(), 200);
        assert!(response.content_length().expect("announced") > bytes as u64);
        let mut received = Vec::new();
        let error = loop {
            match response.chunk().await {
                Ok(Some(chunk)) => received.extend(chunk),
                Ok(None) => panic!("the body must not end well"),
                Err(error) => break error,
            }
        };
        assert!(error.is_body() || error.is_decode(), "{error:?}");
        assert_eq!(received, b"{\"rec"[..bytes]);
    }
    saas.sink.fault(Fault::once("*", FaultAct::Truncate { bytes: 1_000 }));
    assert_eq!(json_of(post(&saas.sink.url(), "x").await.expect("whole")).await["received"], 3);
}

#[tokio::test]
async fn a_stand_is_controlled_over_http_and_does_not_record_that() {
    let saas = saas().await;
    let control = |call: &str| format!("{}/__stand/{call}", saas.hr.url());
    let fault = r#"{"path": "/v1/*", "act": "status", "status": 500, "body": {"why": "test"}}"#;
    assert_eq!(post(&control("faults"), fault).await.expect("answered").status(), 204);
    assert_eq!(post(&control("faults"), "{}").await.expect("answered").status(), 400);
    let answer = client().get(format!("{}/v1/leaves", saas.hr.url())).send().await.expect("answered");
    assert_eq!(json_of(answer).await, json!({ "why": "test" }));
    let requests = json_of(client().get(control("requests")).send().await.expect("answered")).await;
    assert_eq!(requests.as_array().map(Vec::len), Some(1));
    assert_eq!(requests[0]["status"], 500);

    let settings = r#"{"rate-limit": {"requests": 1, "seconds": 60}}"#;
    assert_eq!(post(&control("settings"), settings).await.expect("answered").status(), 204);
    let unknown = post(&control("settings"), r#"{"nope": 1}"#).await.expect("answered");
    assert_eq!(unknown.status(), 400);
    assert!(json_of(unknown).await["error"].as_str().expect("a reason").contains("nope"));
    let state = json_of(client().get(control("state")).send().await.expect("answered")).await;
    assert_eq!(state["employees"][0]["id"], "emp-1");
    assert_eq!(post(&control("reset"), "").await.expect("answered").status(), 204);
    assert!(saas.hr.requests().is_empty());
    assert_eq!(post(&control("nope"), "").await.expect("answered").status(), 404);
}

#[tokio::test]
async fn the_sink_does_a_key_once() {
    let saas = saas().await;
    let send = |key: &'static str| {
        let request = client().post(format!("{}/jobs", saas.sink.url())).header("Idempotency-Key", key);
        async { request.body(r#"{"a":1}"#).send().await.expect("answered") }
    };
    let first = send("k1").await;
    assert!(first.headers().get("idempotent-replayed").is_none());
    let first = first.text().await.expect("text");
    assert_eq!(json_of(send("k2").await).await["received"], 2);
    let again = send("k1").await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(again.text().await.expect("text"), first);
    let state = saas.sink.state();
    assert_eq!((&state["count"], &state["by_path"]["/jobs"]), (&json!(2), &json!(2)));
    assert_eq!(state["effects"][0], json!({ "key": "k1", "path": "/jobs", "body": { "a": 1 } }));
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let everywhere = std::net::SocketAddr::from(([0, 0, 0, 0], 0));
    assert!(Saas::start_on([everywhere; sangam_saas::STANDS]).await.is_err());
}

#[tokio::test]
async fn a_dropped_stand_ends_its_connections() {
    let saas = saas().await;
    let url = saas.sink.url();
    let client = client();
    assert_eq!(client.get(&url).send().await.expect("answered").status(), 200);
    drop(saas);
    let deadline = Instant::now() + Duration::from_secs(5);
    while client.get(&url).send().await.is_ok() {
        assert!(Instant::now() < deadline, "still served");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_system_that_hangs_does_nothing_and_says_nothing() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::Hang));
    let impatient = client().post(saas.sink.url()).timeout(Duration::from_millis(100)).send().await;
    assert!(impatient.expect_err("no answer").is_timeout());
    assert_eq!(saas.sink.state()["count"], 0);
}

#[tokio::test]
async fn a_trickling_answer_is_whole_in_the_end() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::Trickle { ms: 5 }));
    let began = Instant::now();
    let answer = post(&saas.sink.url(), "x").await.expect("a head");
    let length = answer.content_length().expect("announced");
    assert_eq!(json_of(answer).await["received"], 1);
    assert!(began.elapsed() >= Duration::from_millis(5) * u32::try_from(length).expect("short"));
}

#[tokio::test]
async fn a_system_that_lies_has_done_what_it_denies() {
    let saas = saas().await;
    saas.sink.fault(Fault::once("*", FaultAct::Disown { status: 500 }));
    assert_eq!(post(&saas.sink.url(), "x").await.expect("answered").status(), 500);
    assert_eq!(saas.sink.state()["count"], 1);
}
