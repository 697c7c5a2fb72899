//! Keys that are written in base64 or hexadecimal: systems that know one repeat it as what it is used as, too, and a host shows neither.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Hand, HostFolder};
use serde_json::{Value, json};

use super::haystack::{Searched, files};
use super::needle::{Needle, base64};
use crate::scene::{SCRIPT, configuration, event, script, sink, step};

// Bytes of keys: three texts, and two that are none.
const PARTNER: &[u8] = b"partner-Hh67 the key/of ?a subscriber>";
const FORMER: &[u8] = b"\xfb\xef\xbe\x00\x9dPartner\xff\xfe-earlier-Jk2";
const SEED: &[u8] = b"\xc3\x28seed-Vw90\x00\x81\xfeof-an-ed25519-key-";
const MAC: &[u8] = b"mac-key-Ty35 in ~base64~ >>?";
const HOOK: &[u8] = b"hook-key-Aw71 in \"hexadecimal\"";
const HOOK_TOO: &[u8] = b"hook-key-Zb18 of Standard Webhooks?>?";
/// In a header, behind a scheme; with a word in it that others use, too.
const TOKEN: &str = "acme_live_customer_Kd82Lw03Xs";

/// How much of an answer to a delivery is read.
const READ: usize = 4096;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// As libraries write it, filled up.
fn encoded(bytes: &[u8]) -> String {
    let text = String::from_utf8(base64(bytes)).unwrap_or_default();
    let filling = "=".repeat(text.len().next_multiple_of(4) - text.len());
    text + &filling
}

/// All that somebody could make of a key.
fn repeated(bytes: &[u8]) -> Value {
    let for_urls = |text: String| text.replace('+', "-").replace('/', "_");
    let within = [b"k=".as_slice(), bytes, b"!"].concat();
    json!([
        std::str::from_utf8(bytes).unwrap_or_default(),
        hex(bytes),
        hex(bytes).to_uppercase(),
        encoded(bytes),
        for_urls(encoded(bytes)),
        for_urls(encoded(bytes)).trim_end_matches('='),
        encoded(&within),
        for_urls(encoded(&within)),
        encoded(&within[1..]),
    ])
}

fn answer(status: u16, body: String) -> FaultAct {
    FaultAct::Status { status, headers: [("x-echo".to_owned(), encoded(PARTNER))].into(), body }
}

fn text(sink: &Stand) -> String {
    let more = r#"
[credentials.mac]
type = "hmac"
hosts = ["{sink}"]
key = "${secret:mac}"
key-encoding = "base64"
signed = "{method}{target}{body}"
header = "X-Signature"

[[sources]]
name = "hexadecimal"
type = "webhook"
event-type = "hook"
verify = { scheme = "hmac", secret = "${secret:hook}", secret-encoding = "hex", header = "x-sig" }
[[sources]]
name = "standard"
type = "webhook"
event-type = "hook"
verify = { scheme = "standard-webhooks", secret = "${secret:hook-too}" }

[webhooks.partner]
url = "{sink}/told"
types = ["told"]
allow-private-addresses = ["127.0.0.0/8"]
secret = ["${secret:partner}", "${secret:former}"]
signing-key = "${secret:seed}"
headers = { authorization = "Bearer ${secret:token}" }
retry = { initial = "50ms", factor = 1, jitter = 0 }

[[routes]]
name = "tell"
on = { type = "told" }
[[routes.steps]]
name = "tell"
uses = "sangam.webhook"
with = { to = "*" }
"#;
    configuration(&sink.url(), "credentials = [\"mac\"]", &format!("{SCRIPT}{more}"))
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await? {
        ensure!(tokio::time::Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

#[tokio::test]
async fn a_key_that_a_system_repeats_is_shown_neither_as_it_is_written_nor_as_it_is_used() -> anyhow::Result<()> {
    let sink = sink().await?;
    let folder = HostFolder::new(&text(&sink))?;
    let keys = [PARTNER, FORMER, SEED, MAC, HOOK, HOOK_TOO];
    let mut searched = Searched {
        needles: ["partner", "former", "seed", "mac", "hook", "hook-too"]
            .into_iter()
            .zip(keys)
            .map(|(name, key)| Needle::of(name, key))
            .collect(),
        haystack: Vec::new(),
    };
    searched.needles.push(Needle::new("token", TOKEN));
    // What was left of it once, and what is left of it where an answer is cut off.
    searched.needles.push(Needle::new("start of the token", "acme_live_cust"));
    for (name, value) in [
        ("partner", format!("whsec_{}", encoded(PARTNER))),
        ("former", format!("whsec_{}", encoded(FORMER))),
        ("seed", format!("whsk_{}", encoded(SEED))),
        ("mac", encoded(MAC)),
        ("hook", hex(HOOK)),
        ("hook-too", format!("whsec_{}", encoded(HOOK_TOO))),
        ("token", TOKEN.to_owned()),
    ] {
        folder.secret(name, &value)?;
    }
    let host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;

    // A plugin asks a system that knows all of them, and tells all that it was told.
    let known = json!({ "you know": keys.map(repeated), "customer": "a word is no secret" }).to_string();
    sink.fault(Fault { times: 2, ..Fault::once("/known", answer(200, known)) });
    let url = format!("{}/known", sink.url());
    let lines = json!([
        { "do": "write", "name": "w", "url": url },
        { "do": "read", "url": url },
        { "do": "fail", "kind": "rejected", "key": "shows all it has" },
    ]);
    let document = host.client.send_and_wait(&script("1", lines)).await?;
    let seen = step(&document, "run")?["error"]["details"]["results"].to_string();
    ensure!(seen.contains("[redacted]") && seen.contains("a word is no secret"), "the answer came: {document:#}");

    // A subscriber refuses what it is told, and says why; then it takes it, and says so much that its answer is cut off within the token.
    let secret = |bytes: &[u8]| json!([repeated(bytes), format!("whsec_{}", encoded(bytes))]).to_string();
    for body in [secret(PARTNER), secret(FORMER), secret(SEED), json!({ "you sent": TOKEN, "customer": "unknown" }).to_string()] {
        sink.fault(Fault::once("/told", answer(400, body)));
    }
    let cut = format!("{}{TOKEN}", "x".repeat(READ - 16));
    sink.fault(Fault::once("/told", answer(200, cut)));
    let told = host.client.send_and_wait(&event("2", "told", json!({ "n": 1 }))).await?;
    let told_of = || sink.requests().iter().filter(|request| request.path == "/told").count();
    until("the subscriber takes it", async || Ok(told_of() == 5)).await?;
    let signatures = sink
        .requests()
        .into_iter()
        .rfind(|request| request.path == "/told")
        .and_then(|request| request.headers.get("webhook-signature").cloned());
    ensure!(signatures.is_some_and(|all| all.split(' ').count() == 3), "all keys were used");
    let deliveries = async || anyhow::Ok(host.client.get("/v1/events?type=sangam.webhook.delivery").await?.json["events"].clone());
    until("the delivery is over", async || Ok(deliveries().await?[0]["status"] == "succeeded")).await?;
    let delivery = deliveries().await?[0]["eid"].as_str().unwrap_or_default().to_owned();
    let shown = searched.ask(&host, Method::GET, &format!("/v1/events/{delivery}"), &[], "").await?;
    ensure!(
        shown.text.contains("[redacted]") && shown.text.contains("\\\"customer\\\":\\\"unknown\\\""),
        "the answers came: {}",
        shown.text
    );
    sink.fault(Fault::once("/told", answer(400, secret(PARTNER))));
    searched.ask(&host, Method::POST, "/v1/webhooks/partner/test", &[("content-type", "application/json")], "{}").await?;

    for eid in [&document, &told].map(|document| document["eid"].as_str().unwrap_or_default().to_owned()) {
        searched.ask(&host, Method::GET, &format!("/v1/events/{eid}"), &[], "").await?;
    }
    for path in ["/v1/events?limit=100", "/v1/dead-letters", "/v1/dead-letters/groups", "/v1/webhooks", "/v1/credentials", "/v1/sources"] {
        searched.ask(&host, Method::GET, path, &[], "").await?;
    }
    ensure!(host.terminate().await? == Some(0), "it stops in good order");
    files(folder.path(), &["sangam.toml"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    let found = searched.found();
    assert!(found.is_empty(), "{} found:\n{}", found.len(), found.join("\n"));
    Ok(())
}
