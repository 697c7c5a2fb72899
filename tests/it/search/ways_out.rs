//! What the host itself sends with: the passwords of mail relays and of message brokers, the secrets of endpoints that are told of events, the headers of
//! a collector of traces.

use std::time::Duration;

use anyhow::ensure;
use reqwest::Method;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Hand, Host, HostFolder, MailServer, NatsServer};
use serde_json::{Value, json};

use super::haystack::{Searched, files};
use super::needle::{Needle, base64};
use crate::scene::{event, sink};

const RELAY: &str = "relay-password-Xx19-\"ko\\ln\"";
const RELAY_BEFORE: &str = "relay-before-Zz27-Du=ro";
const BUS: &str = "bus-password-Ff53-Ta+nn";
const BUS_BEFORE: &str = "bus-before-Ll46-Mo/ss";
const PARTNER_KEY: &str = "partner-Gg71-the-key-of-a-subscriber";
const COLLECTOR: &str = "collector-Qq08-He=lm";

/// One event goes every way.
fn configuration(mail: &MailServer, bus: &NatsServer, sink: &Stand) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
access = "open"

[telemetry]
log.level = "trace"
[telemetry.otlp]
endpoint = "{sink}"
headers = {{ authorization = "${{secret:collector}}" }}
interval = "1s"
timeout = "1s"

[mail.office]
host = "localhost"
port = {port}
from = "office@acme.example"
ca-file = "ca.pem"
username = "office"
password = "${{secret:relay}}"

[nats.bus]
servers = ["{bus}"]
user = "sangam"
password = "${{secret:bus}}"

[webhooks.partner]
url = "{sink}/told"
types = ["told"]
allow-private-addresses = ["127.0.0.0/8"]
secret = "${{secret:partner}}"
retry = {{ initial = "50ms", factor = 1, jitter = 0 }}

[[routes]]
name = "tell"
on = {{ type = "told" }}
[[routes.steps]]
name = "tell"
uses = "sangam.webhook"
with = {{ to = "*" }}

[[routes]]
name = "letter"
on = {{ type = "told" }}
[[routes.steps]]
name = "mail"
uses = "sangam.mail"
with = {{ to = "ann@acme.example", subject = "Told", text = "Dear Ann" }}
retry = {{ max-attempts = 100, initial = "100ms", factor = 1, jitter = 0 }}

[[routes]]
name = "pass-on"
on = {{ type = "told" }}
[[routes.steps]]
name = "publish"
uses = "sangam.publish"
with = {{ server = "bus", subject = "out.told", data = {{ n = 1 }} }}
retry = {{ max-attempts = 100, initial = "100ms", factor = 1, jitter = 0 }}
"#,
        sink = sink.url(),
        port = mail.port,
        bus = bus.url(),
    )
}

/// A collector's answer that gives back what it was sent.
fn echo() -> FaultAct {
    let body = json!({ "you sent": COLLECTOR }).to_string();
    FaultAct::Status { status: 400, headers: [("x-echo".to_owned(), COLLECTOR.to_owned())].into(), body }
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await? {
        ensure!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// Every run of the event has been tried.
async fn tried(host: &Host, eid: &str) -> anyhow::Result<bool> {
    let document = host.client.event(eid).await?;
    let runs = document["runs"].as_array().cloned().unwrap_or_default();
    let is_tried = |run: &Value| run["steps"][0]["attempts"][0]["outcome"].is_string();
    Ok(runs.len() == 3 && runs.iter().all(is_tried))
}

#[tokio::test]
async fn what_the_host_itself_sends_with_is_nowhere_but_where_it_belongs() -> anyhow::Result<()> {
    if !MailServer::is_there()? || !NatsServer::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let mut mail = MailServer::start(json!({ "tls": "starttls", "user": "office", "password": RELAY })).await?;
    let login = format!("authorization {{ users = [ {{ user: \"sangam\", password: {BUS:?} }} ] }}");
    let bus = NatsServer::start(&login).await?;
    let options = async_nats::ConnectOptions::with_user_and_password("sangam".into(), BUS.into());
    NatsServer::stream(&bus.client(options).await?, "OUT", "out").await?;
    let folder = HostFolder::new("")?;
    std::fs::write(folder.path().join("ca.pem"), &mail.authority)?;
    folder.configure(&configuration(&mail, &bus, &sink))?;
    // 36 bytes: nothing is to be filled up.
    let partner = format!("whsec_{}", String::from_utf8(base64(PARTNER_KEY.as_bytes()))?);
    let mut searched = Searched {
        needles: [
            ("relay's password", RELAY),
            ("start of the relay's password", &RELAY[..10]),
            ("relay's password before", RELAY_BEFORE),
            ("broker's password", BUS),
            ("broker's password before", BUS_BEFORE),
            ("subscriber's secret", &partner),
            ("subscriber's key", PARTNER_KEY),
            ("collector's header", COLLECTOR),
        ]
        .map(|(name, value)| Needle::new(name, value))
        .into(),
        haystack: Vec::new(),
    };
    for (name, value) in [("relay", RELAY_BEFORE), ("bus", BUS_BEFORE), ("partner", partner.as_str()), ("collector", COLLECTOR)] {
        let set = searched.verb(&folder, &["secret", "set", name], value)?;
        ensure!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }
    // The relay and the broker refuse the login, the subscriber and the collector give back what they were sent or know.
    let known = json!({ "you know": [partner, partner.rsplit('_').next()] }).to_string();
    sink.fault(Fault::once(
        "/told",
        FaultAct::Status { status: 400, headers: [("x-echo".to_owned(), partner.clone())].into(), body: known },
    ));
    for signal in ["traces", "metrics", "logs"] {
        sink.fault(Fault { times: 2, ..Fault::once(format!("/v1/{signal}"), echo()) });
    }
    let host = folder.start_with(&[("SANGAM_LOG", "trace")]).await?;
    let refused = host.client.send(&event("1", "told", json!({ "n": 1 }))).await?;
    if let Err(error) = until("a way was not tried", async || tried(&host, &refused).await).await {
        anyhow::bail!("{error}: {:#}", host.client.event(&refused).await?);
    }
    // Both are well with another one.
    folder.secret("relay", RELAY)?;
    folder.secret("bus", BUS)?;
    // One that takes a mail may repeat what it was logged in with, too, and more than is kept.
    let reply = format!("250 2.0.0 Ok {RELAY}, {} {RELAY}", "queued ".repeat(64));
    mail.order(json!({ "answer": reply })).await?;
    let well = host.client.send(&event("2", "told", json!({ "n": 2 }))).await?;
    host.client.until(&well, "succeeded").await?;
    // What the subscriber refused comes again.
    let told = || sink.requests().iter().filter(|request| request.path == "/told").count();
    until("the subscriber was not told of both", async || Ok(told() >= 3)).await?;
    let shown = |path: &str, name: &str| {
        let requests = sink.requests();
        requests.iter().rfind(|request| request.path == path).and_then(|request| request.headers.get(name).cloned())
    };
    ensure!(shown("/told", "webhook-signature").is_some(), "the subscriber's secret was used");
    until("the collector was not asked", async || Ok(shown("/v1/traces", "authorization").as_deref() == Some(COLLECTOR))).await?;

    for path in [
        "/metrics",
        "/v1/overview",
        "/v1/flow",
        "/v1/webhooks",
        "/v1/routes",
        "/v1/routes/letter",
        "/v1/plugins/sangam",
        "/v1/system",
        "/v1/revisions",
        "/v1/audit?limit=1000",
        "/asyncapi.json",
        "/v1/events?limit=100",
        "/v1/dead-letters",
    ] {
        let answer = searched.ask(&host, Method::GET, path, &[], "").await?;
        ensure!(answer.status == 200, "{path}: {}", answer.text);
    }
    let events = host.client.get("/v1/events?limit=100").await?.json;
    for event in events["events"].as_array().into_iter().flatten() {
        searched.ask(&host, Method::GET, &format!("/v1/events/{}", event["eid"].as_str().unwrap_or_default()), &[], "").await?;
    }
    searched.ask(&host, Method::POST, "/v1/webhooks/partner/test", &[("content-type", "application/json")], "{}").await?;
    let dry = json!({ "dry_run": true, "reads": "live", "from": "start" }).to_string();
    searched.ask(&host, Method::POST, &format!("/v1/events/{well}/replay"), &[("content-type", "application/json")], &dry).await?;
    for verb in [&["check"][..], &["audit", "export"], &["secret", "list"]] {
        searched.verb(&folder, verb, "")?;
    }
    // What the collector was told, without the header that it is told with.
    for request in sink.requests().iter().filter(|request| request.path.starts_with("/v1/")) {
        searched.add("what the collector was sent", request.body.clone());
    }
    ensure!(host.terminate().await? == Some(0), "it stops in good order");
    files(folder.path(), &["sangam.toml"], &mut searched.haystack)?;
    for (table, rows) in Hand::into(&folder).await?.dump().await? {
        searched.add(&format!("table {table}"), rows);
    }
    ensure!(searched.haystack.iter().any(|(place, bytes)| place.ends_with("host.log") && bytes.len() > 10_000), "the host told little");
    let found = searched.found();
    assert!(found.is_empty(), "{} secrets found:\n{}", found.len(), found.join("\n"));
    Ok(())
}
