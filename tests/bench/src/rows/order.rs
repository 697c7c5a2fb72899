//! Many order keys at once: every run of a key waits for the one before it, and order holds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::ensure;
use bytes::Bytes;
use serde_json::json;

use super::{About, Row, Running, When, until};
use crate::Bench;
use crate::configuration::{Configuration, HTTP, WIDE};
use crate::event::BATCH;
use crate::figures::Rounds;
use crate::line::{DURABLE, Figure, Line};
use crate::load::Connection;
use crate::program::Program;
use crate::sinks::Sinks;
use crate::stored::Stored;

/// At most so many times the cost: as for everything that grows.
const GOAL: f64 = 1.2;
/// Most events that are second of their key.
const MOST_SECONDS: u64 = 50_000;
/// Events of a batch.
const FILL: u64 = 500;
/// Longest time for all of a round.
const LONGEST: Duration = Duration::from_secs(3600);
/// Most rounds: each runs until everything has arrived.
const ROUNDS: usize = 2;

/// The row `order`.
pub(super) struct Order;

impl Row for Order {
    fn about(&self) -> About {
        About {
            name: "order",
            what: "cost of an event with up to a million `order-by` keys alive, every key in order",
            goal: "<= 1.2 of no order",
            reference: "the same host without order-by",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench))
    }
}

fn configuration(sinks: &Sinks, options: &str) -> Configuration {
    let sink = sinks.addresses[0];
    Configuration::with_server("max-backlog = 10_000_000\n").plugin("http", HTTP, sink, WIDE).route("order", "bench.order", options).step(
        "send",
        "http",
        sink,
        "",
        &[("order", "${ .event.data.key }")],
    )
}

/// A host whose events have keys, with or without order among them.
struct Subject {
    folder: tempfile::TempDir,
    host: Program,
    sinks: Sinks,
    accepted: Vec<u64>,
}

impl Subject {
    async fn start(options: &str) -> anyhow::Result<Subject> {
        let (folder, sinks) = (tempfile::tempdir()?, Sinks::start(1).await?);
        configuration(&sinks, options).save(folder.path())?;
        Ok(Subject { host: Program::host(folder.path()).await?, folder, sinks, accepted: Vec::new() })
    }

    /// One event of every key, and a second one of some; microseconds of processor time an event, and events a second, until all have arrived.
    async fn round(&mut self, next: &AtomicU64, keys: u64) -> anyhow::Result<(f64, f64)> {
        let events = keys + keys.min(MOST_SECONDS);
        let (before, started) = (self.host.processor()?, Instant::now());
        let mut connection = Connection::open(self.host.address).await?;
        for first in (0..events).step_by(usize::try_from(FILL)?) {
            let batch: Vec<serde_json::Value> = (first..events.min(first + FILL))
                .map(|index| {
                    let serial = next.fetch_add(1, Ordering::Relaxed);
                    self.accepted.push(serial);
                    json!({
                        "specversion": "1.0", "id": serial.to_string(), "source": "/bench", "type": "bench.order",
                        "data": { "key": format!("K-{}", index % keys) },
                    })
                })
                .collect();
            let (status, answer) = connection.post("/v1/events", BATCH, Bytes::from(serde_json::to_vec(&batch)?)).await?;
            ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        }
        until("all events of the keys have arrived", LONGEST, async || Ok(self.sinks.arrived() >= self.accepted.len())).await?;
        let cost = (self.host.processor()? - before) / events as f64 * 1e6;
        Ok((cost, events as f64 / started.elapsed().as_secs_f64()))
    }
}

async fn measure(about: About, bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let keys = bench.keys();
    let (mut first, mut second) = (Subject::start("").await?, Subject::start("").await?);
    let mut ordered = Subject::start("order-by = \".event.data.key\"\n").await?;
    let next = AtomicU64::new(1);
    let (mut costs, mut rates) = (Rounds::default(), Rounds::default());
    let rounds = if bench.full { 1 } else { ROUNDS };
    for round in 1..=rounds {
        let before = first.round(&next, keys).await?;
        let subject = ordered.round(&next, keys).await?;
        let after = second.round(&next, keys).await?;
        costs.add(before.0, subject.0, after.0);
        rates.add(before.1, subject.1, after.1);
        eprintln!("   round {round} of {rounds}");
    }
    let memory = ordered.host.resident()?;
    for subject in [first, second] {
        subject.host.stop().await?;
    }
    ordered.host.stop().await?;
    let (succeeded, runs) = Stored::open(ordered.folder.path()).await?.runs("succeeded").await?;
    let mut line = Line::new(about.name, about.goal, DURABLE);
    line.compare(&costs, about.reference, "µs");
    line.at_most(GOAL);
    line.more.push(Figure::new("rate", rates.value(), "events/s"));
    line.more.push(Figure::new("rate over that of the reference", rates.ratio(), "times"));
    line.more.push(Figure::new("memory after it", memory, "MiB"));
    let count = ordered.sinks.count(&ordered.accepted)?;
    line.notes.push(format!("{keys} keys a round; processor time of an event, from the first batch to the last arrival; {count}"));
    line.void_if(count.fault());
    line.void_if((succeeded != runs).then(|| format!("{succeeded} of {runs} runs succeeded")));
    Ok(vec![line])
}
