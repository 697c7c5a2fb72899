//! The load: senders as good as can be asked for, and what their events ask of the host.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::Field;
use super::ledger::Meaning;
use crate::client::Client;
use crate::paths::guest;

/// Senders at the same time.
pub(super) const SENDERS: usize = 6;
/// Order keys of a sender; each is its own, so that the order of sending is the order of acceptance.
const KEYS: u64 = 3;
/// Key-value counters, which all senders contend for.
const COUNTERS: u64 = 4;
/// Effects still to come at which senders wait: beyond it lives would be spent on taking up the backlog alone.
const OUTSTANDING: usize = 150;
/// Pause of a sender whose host is gone or has too much to do.
const PAUSE: Duration = Duration::from_millis(5);
/// Longest time for one event to be accepted, and for the counters to be read.
const PATIENCE: Duration = Duration::from_secs(120);
/// Between two replays of the dead letters, in milliseconds.
const REPLAY: std::ops::Range<u64> = 100..1_000;

/// The routes. Attempts are for many kills, as each uses one.
pub(super) fn configuration(sink: &str) -> String {
    format!(
        r#"
[server]
listen = "127.0.0.1:0"
access = "open"
lease = "1s"

[plugins.s]
component = {scripted:?}
allow-hosts = ["{sink}"]
allow-private-addresses = ["127.0.0.0/8"]
emits = ["child"]
concurrency = 64

[[routes]]
name = "chain"
on = {{ type = "chain" }}
order-by = ".event.data.key"
[[routes.steps]]
name = "first"
uses = "s.run"
with = {{ lines = "${{ .event.data.first }}" }}
{RETRY}
[[routes.steps]]
name = "left"
uses = "s.run"
with = {{ lines = "${{ .event.data.left }}" }}
needs = ["first"]
{RETRY}
[[routes.steps]]
name = "right"
uses = "s.run"
with = {{ lines = "${{ .event.data.right }}" }}
needs = ["first"]
{RETRY}
[[routes.steps]]
name = "last"
uses = "s.run"
with = {{ lines = "${{ .event.data.last }}" }}
needs = ["left", "right"]
{RETRY}

[[routes]]
name = "simple"
on = {{ type = ["count", "child", "ask"] }}
[[routes.steps]]
name = "run"
uses = "s.run"
{RETRY}

[[routes]]
name = "frail"
on = {{ type = "frail" }}
[[routes.steps]]
name = "run"
uses = "s.run"
{RETRY}
"#,
        scripted = guest("scripted"),
    )
}

const RETRY: &str = r#"retry = { max-attempts = 1000, initial = "10ms", factor = 1, jitter = 0.5 }"#;

/// Sends events until it is calm, each until it is accepted.
pub(super) async fn send(field: Arc<Field>, sender: usize, mut rng: fastrand::Rng) -> anyhow::Result<()> {
    let mut numbers = BTreeMap::new();
    for number in 0.. {
        if field.calm.is_cancelled() {
            break;
        }
        let (event, meaning) = event(&field.url, sender, number, &mut numbers, &mut rng);
        while field.ledger.outstanding(field.sink.count()) > OUTSTANDING && !field.calm.is_cancelled() {
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::timeout(PATIENCE, until_accepted(&field, &event, rng.usize(..)))
            .await
            .context("an event was not accepted in time")??;
        field.ledger.accept(meaning);
    }
    Ok(())
}

/// Sends it again until it is answered with 202: what a sender who must lose nothing does. Anything but a refusal to be tried again is an error.
async fn until_accepted(field: &Field, event: &Value, first: usize) -> anyhow::Result<()> {
    for tried in 0.. {
        field.ledger.tried();
        if let Ok(answer) = field.hosts.of(first.wrapping_add(tried)).send_raw(event, "").await {
            if answer.status == 202 {
                ensure!(answer.json["accepted"][0]["differs"] == false, "a repeated event differs: {}", answer.text);
                return Ok(());
            }
            let again = matches!(answer.status, 429 | 503) && answer.header("retry-after").is_some();
            ensure!(again, "an event was refused: {} {}", answer.status, answer.text);
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// An event, and what it stands for.
fn event(sink: &str, sender: usize, number: u64, numbers: &mut BTreeMap<u64, u64>, rng: &mut fastrand::Rng) -> (Value, Meaning) {
    let id = format!("{sender}-{number}");
    let mut paths = Vec::new();
    let mut write = |path: String| {
        let line = json!({ "do": "write", "name": "w", "url": format!("{sink}{path}"), "body": { "id": id } });
        paths.push(path);
        line
    };
    let (kind, data, counter) = match rng.u8(0..10) {
        0..=4 => {
            let key = rng.u64(0..KEYS);
            let place = numbers.entry(key).and_modify(|last| *last += 1).or_insert(0);
            let mut at = |step: &str| write(format!("/chain/{sender}.{key}/{place}/{step}"));
            let mut last = stumbling(rng, at("last"));
            let (first, left, right) = (stumbling(rng, at("first")), stumbling(rng, at("left")), stumbling(rng, at("right")));
            if rng.bool() {
                let line = write(format!("/child/{id}"));
                last.push(json!({ "do": "emit", "key": "child", "body": { "lines": [line] } }));
            }
            ("chain", json!({ "key": format!("{sender}.{key}"), "first": first, "left": left, "right": right, "last": last }), None)
        }
        5..=7 => {
            let key = format!("counter/{}", rng.u64(0..COUNTERS));
            let mut lines = vec![json!({ "do": "increment", "key": key, "amount": 1 })];
            lines.extend(stumbling(rng, write(format!("/count/{id}"))));
            ("count", json!({ "lines": lines }), Some(key))
        }
        // Two writes, the second of which may be refused for good: a replay must not repeat the first.
        _ => {
            let mut lines = vec![write(format!("/frail/{id}/first"))];
            let mut second = write(format!("/frail/{id}/second"));
            second["name"] = json!("second");
            lines.push(second);
            ("frail", json!({ "lines": lines }), None)
        }
    };
    let event = json!({ "specversion": "1.0", "id": id, "source": "/campaign", "type": kind, "data": data });
    (event, Meaning { paths, counter })
}

/// A write, and now and then a failure or a trap after it on the first attempt: the next answers the write from the journal.
fn stumbling(rng: &mut fastrand::Rng, write: Value) -> Vec<Value> {
    let mut lines = vec![write];
    match rng.u8(0..12) {
        0 => lines.push(json!({ "do": "fail", "kind": "retry", "key": "stumbled", "on": [1] })),
        1 => lines.push(json!({ "do": "trap", "on": [1] })),
        2 => lines.push(json!({ "do": "sleep", "amount": 30, "on": [1] })),
        _ => {}
    }
    lines
}

/// A person who replays the dead letters now and then.
pub(super) async fn replay_the_dead(field: Arc<Field>, mut rng: fastrand::Rng) -> anyhow::Result<()> {
    loop {
        let pause = Duration::from_millis(rng.u64(REPLAY));
        tokio::select! {
            () = field.calm.cancelled() => return Ok(()),
            () = tokio::time::sleep(pause) => {}
        }
        // A host that is away just now is asked the next time.
        replay_once(&field.hosts.of(rng.usize(..))).await;
    }
}

/// Replays all dead letters; says whether the host has done so.
pub(super) async fn replay_once(client: &Client) -> bool {
    client.post("/v1/dead-letters/replay", &json!({})).await.is_ok_and(|answer| answer.status == 200)
}

/// The counters' values, as a plugin reads them.
pub(super) async fn counters(field: &Field) -> anyhow::Result<BTreeMap<String, i64>> {
    let keys: Vec<String> = (0..COUNTERS).map(|counter| format!("counter/{counter}")).collect();
    let lines: Vec<Value> = keys.iter().map(|key| json!({ "do": "get", "key": key })).collect();
    let event = json!({ "specversion": "1.0", "id": "ask", "source": "/campaign", "type": "ask", "data": { "lines": lines } });
    let document = tokio::time::timeout(PATIENCE, field.hosts.any().send_and_wait(&event)).await.context("reading the counters")??;
    let results = document["runs"][0]["steps"][0]["output"]["results"].as_array().cloned().unwrap_or_default();
    ensure!(results.len() == keys.len(), "the counters can't be read: {document:#}");
    let value = |result: &Value| result.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    Ok(keys.into_iter().zip(&results).map(|(key, result)| (key, value(result))).collect())
}
