//! What comes in and who is told of it, in a browser: an earlier time read again, records set aside, a subscriber that was disabled.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::ensure;
use sangam_saas::feed::Feed;
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{BrowserTests, guest};
use serde_json::{Value, json};

use super::Watched;
use crate::scene::event;

/// A stream that is polled from noon of its first day on, and two subscribers.
const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
access = "open"

[plugins.s]
component = {component}
allow-hosts = ["{feed}"]
allow-private-addresses = ["127.0.0.0/8"]
emits = ["fed.*"]
config = { feed = "{feed}" }

[[sources]]
name = "in"
type = "poll"
uses = "s"
stream = "feed"
every = "1s"
limit = 20
since = "2026-01-01T05:00:00Z"
backfill-every = "100ms"
retry = { initial = "20ms", factor = 1, jitter = 0 }

[webhooks.gone]
url = "{sink}/gone"
allow-private-addresses = ["127.0.0.0/8"]
secret = "${secret:gone}"
disable-after = "1s"
retry = { max-attempts = 3, initial = "20ms", factor = 1, max = "20ms", jitter = 0 }

[webhooks.partner]
url = "{sink}/partner"
allow-private-addresses = ["127.0.0.0/8"]
secret = "${secret:partner}"

[[routes]]
name = "tell"
on = { type = "job.*" }
[[routes.steps]]
name = "tell"
uses = "sangam.webhook"
with = { to = "*" }
"#;
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn record(minute: u32) -> Value {
    json!({ "type": "fed.item", "id": format!("r{minute}"), "time": format!("2026-01-01T{:02}:{:02}:00Z", minute / 60, minute % 60), "data": { "n": minute } })
}

#[tokio::test]
async fn sources_and_subscribers_in_trouble_are_understood_and_handled() -> anyhow::Result<()> {
    let Some(browser) = BrowserTests::here()? else { return Ok(()) };
    let (feed, sink) = (Arc::new(Feed::new()), crate::scene::sink().await?);
    let system: Arc<dyn sangam_saas::System> = feed.clone();
    let stand = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), system).await?;
    (0..310).for_each(|minute| feed.add(record(minute)));
    // The one is mended by its owner; of the other nobody has use.
    feed.add(json!({ "type": "fed.item", "id": "bad", "bad": "it has no date", "data": { "n": "<b>310</b>" } }));
    feed.add(json!({ "type": "other.kind", "id": "ungranted", "data": { "n": 311 } }));
    sink.fault(Fault {
        times: 1_000_000,
        ..Fault::once("/gone", FaultAct::Status { status: 503, headers: [].into(), body: String::new() })
    });
    let text = CONFIGURATION
        .replace("{component}", &format!("{:?}", guest("scripted")))
        .replace("{feed}", &stand.url())
        .replace("{sink}", &sink.url());
    let watched = Watched::on(sink, &text, &[("gone", SECRET), ("partner", SECRET)]).await?;
    let rotated = watched.folder.run(&["webhooks", "rotate", "partner"], "")?;
    ensure!(rotated.status.success(), "{}", String::from_utf8_lossy(&rotated.stderr));
    watched.admin.send_and_wait(&event("e1", "job.completed", json!({ "number": 1 }))).await?;
    let (operator, viewer, sink) = (watched.token("operator")?, watched.token("viewer")?, watched.sink.url());
    let variables = [
        ("SANGAM_URL", watched.host.client.url.as_str()),
        ("SANGAM_TOKEN", &operator),
        ("SANGAM_VIEWER", &viewer),
        ("SANGAM_SINK", &sink),
        ("SANGAM_FEED", &stand.url()),
    ];
    browser.run("sources", &variables).await?;
    let mut gone = watched.sink.requests().into_iter().filter(|request| request.path == "/gone" && request.body.contains("\"number\":1"));
    assert!(gone.next_back().is_some_and(|request| request.status == Some(200)), "what it missed was told once it was enabled");
    Ok(())
}
