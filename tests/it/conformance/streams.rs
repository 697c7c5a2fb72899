//! Streams of the guest `scripted`: a feed that is polled, a webhook that is received.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context as _, ensure};
use sangam_saas::feed::Feed;
use sangam_saas::{Stand, System};
use sangam_tests::{Answer, Client};
use serde_json::{Value, json};

/// Two streams of `s`: five records in pages of two, from the second on, and a webhook.
pub fn sources() -> String {
    "\n[[sources]]\nname = \"in\"\ntype = \"poll\"\nuses = \"s\"\nstream = \"feed\"\nevery = \"1h\"\nlimit = 2\nsince = \"2026-01-01T00:02:00Z\"\n\
     \n[[sources]]\nname = \"hook\"\ntype = \"webhook\"\nverify = \"none\"\nuses = \"s\"\nstream = \"hook\"\n"
        .to_owned()
}

/// What is polled.
pub async fn feed(sink: &str) -> anyhow::Result<Stand> {
    let feed = Feed::new();
    let item = |minute: u32, more: Value| {
        let mut record = json!({ "type": "fed.item", "id": format!("r{minute}"), "time": format!("2026-01-01T00:{minute:02}:00Z"), "data": { "n": minute } });
        record.as_object_mut().into_iter().for_each(|record| record.extend(more.as_object().cloned().unwrap_or_default()));
        record
    };
    feed.add(item(1, json!({})));
    feed.add(item(
        2,
        json!({ "data": serde_json::from_str::<Value>(r#"{"number":12345678901234567890,"price":10.10,"text":"ü"}"#)?, "count": "seen" }),
    ));
    feed.add(item(3, json!({ "bad": "it has no ü" })));
    feed.add(item(4, json!({ "write": format!("{sink}/written"), "count": "seen" })));
    feed.add(item(5, json!({ "count": "seen" })));
    let system: Arc<dyn System> = Arc::new(feed);
    Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), system).await
}

/// The source once it has read what there is.
async fn read(client: &Client) -> anyhow::Result<Value> {
    let mut last = Value::Null;
    for _ in 0..1200 {
        last = client.get("/v1/sources/in").await?.json;
        if last["events"].as_u64() >= Some(3) {
            return Ok(last);
        }
        tokio::time::sleep(std::time::Duration::from_millis(25)).await;
    }
    anyhow::bail!("it never read three records: {last:#}")
}

/// Pages with cursor and limit, from a time on; records set aside; counted in the same transaction; nothing is written.
pub async fn poll(client: &Client, feed: &Stand, sink: &Stand) -> anyhow::Result<()> {
    let source = read(client).await?;
    let mut asked: Vec<String> = feed.requests().iter().map(|request| request.path.clone()).collect();
    // A page that comes while a step of the plugin is writing is read once more; behind the last page it asks for the same one again, turn by turn.
    asked.dedup();
    ensure!(asked.len() == 2, "it asked {asked:?}");
    ensure!(
        asked[0].contains("limit=2") && asked[0].contains("since=2026-01-01T00") && !asked[0].contains("cursor"),
        "first: {}",
        asked[0]
    );
    ensure!(asked[1].contains("cursor=3"), "second: {}", asked[1]);
    let listed = client.get("/v1/events?source=/sources/in").await?.json;
    let event = |id: &str| {
        let events = listed["events"].as_array().into_iter().flatten();
        events.map(|event| &event["event"]).find(|event| event["id"] == id).with_context(|| format!("no event {id} in {listed:#}"))
    };
    ensure!(event("r1").is_err(), "one from before `since`");
    let second = event("r2")?;
    // As text: numbers keep their digits.
    let data = serde_json::to_string(&second["data"])?;
    ensure!(data == r#"{"number":12345678901234567890,"price":10.10,"text":"ü"}"#, "data: {data}");
    let at = second["time"].as_str().and_then(|time| time.parse::<jiff::Timestamp>().ok());
    ensure!(at == "2026-01-01T00:02:00Z".parse().ok(), "time: {}", second["time"]);
    let refused = event("r4")?["data"]["refused"].as_str().unwrap_or_default();
    ensure!(!refused.is_empty(), "a write: {}", event("r4")?);
    ensure!(sink.requests().iter().all(|request| request.path != "/written"), "a stream wrote");
    event("r5")?;
    let aside = client.get("/v1/sources/in/set-aside").await?;
    ensure!(aside.text.contains("it has no ü") && aside.text.contains("r3"), "set aside: {}", aside.text);
    ensure!(source["last"]["logs"][0]["message"] == "a page", "logs: {}", source["last"]);
    Ok(())
}

async fn deliver(client: &Client, body: &Value) -> anyhow::Result<Answer> {
    let headers = [("content-type", "application/json"), ("x-topic", "t")];
    client.ask(reqwest::Method::POST, "/hooks/hook/more?x=y", &headers, body.to_string().into_bytes()).await
}

/// What came and what is answered cross the boundary as they are, and events come in before the answer.
pub async fn receive(client: &Client) -> anyhow::Result<()> {
    let told = json!({ "events": [{ "type": "fed.told", "id": "t1", "data": { "text": "ä" } }], "count": "told", "status": 201 });
    let answer = deliver(client, &told).await?;
    ensure!(answer.status == 201 && answer.header("x-seen") == Some("yes"), "{} {}", answer.status, answer.text);
    let seen = &answer.json;
    ensure!(
        (&seen["method"], &seen["path"], &seen["topic"]) == (&json!("POST"), &json!("/hooks/hook/more?x=y"), &json!("t")),
        "it saw {seen}"
    );
    ensure!((&seen["source"], &seen["greeting"], &seen["count"]) == (&json!("hook"), &json!("Grüß Gott"), &json!(1)), "it saw {seen}");
    let listed = client.get("/v1/events?source=/sources/hook").await?.json;
    ensure!(listed["events"][0]["event"]["data"]["text"] == "ä" && listed["events"][0]["event"]["id"] == "t1", "{listed:#}");
    // What failed has counted nothing.
    let failed = deliver(client, &json!({ "events": [], "count": "told", "fail": "retry" })).await?;
    ensure!(failed.status == 503, "a failure that may pass: {} {}", failed.status, failed.text);
    let again = deliver(client, &json!({ "events": [], "count": "told" })).await?;
    ensure!(again.json["count"] == 2, "{}", again.text);
    let rejected = deliver(client, &json!({ "fail": "rejected" })).await?;
    ensure!(rejected.status < 500, "what can't be read is kept, or refused for good: {} {}", rejected.status, rejected.text);
    Ok(())
}
