//! Slack, the warehouse and the folder of files over HTTP.

mod client;

use client::client;
use reqwest::{Method, Response};
use sangam_saas::{Saas, Stand};
use serde_json::{Value, json};

async fn start() -> Saas {
    Saas::start().await.expect("free loopback ports")
}

async fn ask(stand: &Stand, token: &str, method: Method, path: &str, body: Option<&Value>, headers: &[(&str, &str)]) -> Response {
    let mut request = client().request(method, format!("{}{path}", stand.url())).bearer_auth(token);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    if let Some(body) = body {
        request = request.json(body);
    }
    request.send().await.expect("answered")
}

async fn json_of(response: Response) -> Value {
    response.json().await.expect("a JSON answer")
}

async fn slack(saas: &Saas, method: &str, body: &Value) -> Value {
    json_of(ask(&saas.slack, "xoxb-sangam-test", Method::POST, &format!("/api/{method}"), Some(body), &[]).await).await
}

#[tokio::test]
async fn a_message_sent_twice_is_two_messages_and_its_marker_is_found_again() {
    let saas = start().await;
    let message =
        json!({ "channel": "#field-service", "text": "done", "metadata": { "event_type": "sangam", "event_payload": { "key": "k-1" } } });
    let (first, second) = (slack(&saas, "chat.postMessage", &message).await, slack(&saas, "chat.postMessage", &message).await);
    assert_eq!((&first["ok"], &first["channel"]), (&json!(true), &json!("C0FIELD01")));
    assert_ne!(first["ts"], second["ts"], "nothing recognises a message");
    let history = |query: &'static str| {
        let path = format!("/api/conversations.history?channel=C0FIELD01{query}");
        let saas = &saas;
        async move { json_of(ask(&saas.slack, "xoxb-sangam-test", Method::GET, &path, None, &[]).await).await }
    };
    let plain = history("").await;
    assert_eq!(plain["messages"][0]["metadata"], Value::Null, "metadata only where it is asked for");
    let page = history("&include_all_metadata=true&limit=1").await;
    assert_eq!(page["messages"][0]["ts"], second["ts"], "newest first");
    assert_eq!(page["messages"][0]["metadata"]["event_payload"]["key"], "k-1");
    assert_eq!((&page["has_more"], &page["response_metadata"]["next_cursor"]), (&json!(true), &json!("next:1")));
    let gone = json!({ "channel": "C0FIELD01", "ts": first["ts"] });
    assert_eq!(slack(&saas, "chat.delete", &gone).await["ok"], true);
    assert_eq!(slack(&saas, "chat.delete", &gone).await["error"], "message_not_found");
}

#[tokio::test]
async fn slack_says_no_in_its_own_words() {
    let saas = start().await;
    let say = json!({ "channel": "C0OFFICE1", "text": "hello" });
    assert_eq!(slack(&saas, "chat.postMessage", &json!({ "channel": "C9", "text": "x" })).await["error"], "channel_not_found");
    assert_eq!(slack(&saas, "chat.postMessage", &json!({ "channel": "C0OFFICE1" })).await["error"], "no_text");
    let stranger = ask(&saas.slack, "xoxb-other", Method::POST, "/api/chat.postMessage", Some(&say), &[]).await;
    assert_eq!((stranger.status().as_u16(), json_of(stranger).await["error"].clone()), (200, json!("invalid_auth")));
    saas.slack.set("rate-limit", json!({ "requests": 1, "seconds": 30 })).expect("a setting");
    assert_eq!(slack(&saas, "chat.postMessage", &say).await["ok"], true);
    let slow = ask(&saas.slack, "xoxb-sangam-test", Method::POST, "/api/chat.postMessage", Some(&say), &[]).await;
    assert_eq!(slow.status(), 429);
    assert!(slow.headers().contains_key("retry-after"));
    saas.slack.set("archive", "C0FIELD01").expect("a setting");
    saas.slack.set("rate-limit", Value::Null).expect("a setting");
    assert_eq!(slack(&saas, "chat.postMessage", &json!({ "channel": "C0FIELD01", "text": "x" })).await["error"], "is_archived");
    saas.slack.set("revoke", true).expect("a setting");
    assert_eq!(slack(&saas, "auth.test", &json!({})).await["error"], "token_revoked");
}

#[tokio::test]
async fn a_movement_is_booked_once_a_key_and_never_below_nothing() {
    let saas = start().await;
    let book = |body: Value, key: &'static str| {
        let saas = &saas;
        async move {
            let answer =
                ask(&saas.warehouse, "warehouse-token", Method::POST, "/api/stock-movements", Some(&body), &[("idempotency-key", key)])
                    .await;
            (answer.status().as_u16(), answer.headers().contains_key("idempotent-replayed"), json_of(answer).await)
        }
    };
    let take = json!({ "sku": "R290", "quantity": serde_json::from_str::<Value>("-0.4").expect("a number"), "reference": "job-1" });
    let (status, replayed, first) = book(take.clone(), "a").await;
    assert_eq!((status, replayed, first["on_hand"].to_string().as_str()), (201, false, "19.6"));
    let (status, replayed, again) = book(take, "a").await;
    assert_eq!((status, replayed, &again["id"]), (200, true, &first["id"]));
    assert_eq!(book(json!({ "sku": "R290", "quantity": -1, "reference": "job-1" }), "a").await.2["error"], "key-reused");
    let (status, _, refused) = book(json!({ "sku": "GASKET-SET", "quantity": -9, "reference": "job-1" }), "b").await;
    assert_eq!((status, &refused["error"], &refused["on_hand"]), (409, &json!("insufficient-stock"), &json!(8)));
    assert_eq!(book(json!({ "sku": "NONE", "quantity": -1, "reference": "j" }), "c").await.2["error"], "unknown-item");
    assert_eq!(book(json!({ "sku": "R290", "quantity": 0, "reference": "j" }), "d").await.2["field"], "quantity");
    saas.warehouse.set("lock", "main").expect("a setting");
    assert_eq!(book(json!({ "sku": "R290", "quantity": 1, "reference": "j" }), "e").await.0, 423);
    let listed =
        json_of(ask(&saas.warehouse, "warehouse-token", Method::GET, "/api/stock-movements?reference=job-1", None, &[]).await).await;
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(1));
    assert_eq!(ask(&saas.warehouse, "other", Method::GET, "/api/items/R290", None, &[]).await.status(), 401);
}

#[tokio::test]
async fn a_file_is_put_read_and_removed() {
    let saas = start().await;
    let send = |method: Method, name: &'static str, body: &'static str, digest: Option<&'static str>| {
        let mut request =
            client().request(method, format!("{}/files/{name}", saas.files.url())).basic_auth("payroll", Some("payroll-secret"));
        if let Some(digest) = digest {
            request = request.header("digest", digest);
        }
        async move { request.body(body).send().await.expect("answered") }
    };
    assert_eq!(send(Method::PUT, "a.txt", "one", Some("SHA-256=AAAA")).await.status(), 400);
    let digest = "SHA-256=dpLDrTVAu4A8Ags67mbNiIcSMjTqDG5xQ8Ct1z/0Me0=";
    assert_eq!(send(Method::PUT, "a.txt", "one", Some(digest)).await.status(), 201);
    assert_eq!(send(Method::PUT, "a.txt", "two", None).await.status(), 204);
    assert_eq!(send(Method::GET, "a.txt", "", None).await.text().await.expect("a body"), "two");
    assert_eq!(saas.files.state()["written"]["a.txt"], 2);
    saas.files.set("quota", 4).expect("a setting");
    assert_eq!(send(Method::PUT, "b.txt", "three", None).await.status(), 507);
    assert_eq!(send(Method::DELETE, "a.txt", "", None).await.status(), 204);
    assert_eq!(send(Method::DELETE, "a.txt", "", None).await.status(), 404);
}
