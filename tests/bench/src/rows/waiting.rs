//! Runs that wait for a sink that is dead, and what an event to another one costs beside them.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;

use super::cost::Turns;
use super::{About, Row, Running, When, until};
use crate::Bench;
use crate::configuration::{Configuration, HTTP, WIDE};
use crate::event::{self, BATCH};
use crate::line::{DURABLE, Figure, Line};
use crate::load::Connection;
use crate::program::Program;
use crate::pump::Pump;
use crate::sinks::{Manner, Sinks};
use crate::stored::Stored;

/// At most so many times the cost: as for everything that grows.
const GOAL: f64 = 1.2;
/// Events on their way at the same time.
const IN_FLIGHT: usize = 32;
/// Type of the events to the live sink.
const KIND: &str = "bench.live";
/// Events of a batch that goes to the dead one.
const FILL: u64 = 500;
/// A host at rest uses less of a core than that.
const REST: f64 = 0.1;
/// Longest time until all runs have met the dead sink or its breaker.
const SETTLE: Duration = Duration::from_secs(600);

/// The row `waiting`.
pub(super) struct Waiting;

impl Row for Waiting {
    fn about(&self) -> About {
        About {
            name: "waiting",
            what: "cost of an event while 100,000 runs wait for one dead sink",
            goal: "<= 1.2 of none waiting",
            reference: "the same host without waiting runs",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench))
    }
}

/// Tries again later than anything here takes, and leaves the dead sink alone after ten failures: what remains is the waiting.
fn configuration(sinks: &Sinks) -> Configuration {
    let [live, dead] = [sinks.addresses[0], sinks.addresses[1]];
    Configuration::new()
        .plugin("live", HTTP, live, WIDE)
        .route("live", KIND, "")
        .step("send", "live", live, "", &[])
        .plugin("dead", HTTP, dead, "breaker = { failures = 10, cooldown = \"1h\" }\n")
        .route("dead", "bench.dead", "")
        .step("send", "dead", dead, "retry = { initial = \"3h\", max = \"6h\" }\n", &[])
}

async fn measure(about: About, bench: &Bench) -> anyhow::Result<Vec<Line>> {
    let effort = bench.effort;
    let sinks = Arc::new(Sinks::with(&[Manner::Prompt, Manner::Dead]).await?);
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let mut hosts = Vec::new();
    for folder in &folders {
        configuration(&sinks).save(folder.path())?;
        hosts.push(Program::host(folder.path()).await?);
    }
    let filled = std::time::Instant::now();
    fill(&hosts[1], bench.waiting()).await?;
    until("the runs to the dead sink wait", SETTLE, async || rests(&hosts[1]).await).await?;
    let filled = filled.elapsed();
    let next = Arc::new(AtomicU64::new(1));
    let pump = |host: &Program| Pump {
        to: vec![host.address],
        kind: KIND,
        in_flight: IN_FLIGHT,
        sinks: sinks.clone(),
        last: 0,
        next: next.clone(),
    };
    let programs = [&hosts[0], &hosts[1], &hosts[2]].map(|host| (host, pump(host)));
    let turns = Turns::take(programs, effort).await?;
    let memory = hosts[1].resident()?;
    for host in hosts {
        host.stop().await?;
    }
    let mut stored = Stored::open(folders[1].path()).await?;
    let (succeeded, runs) = stored.runs("succeeded").await?;

    let mut line = Line::new(about.name, about.goal, DURABLE);
    line.compare(&turns.costs, about.reference, "µs");
    line.at_most(GOAL);
    line.more.push(Figure::new("rate over that of the reference", turns.rates.ratio(), "times"));
    line.more.push(Figure::new("until all of them waited", filled.as_secs_f64(), "s"));
    line.more.push(Figure::new("memory after it", memory, "MiB"));
    let count = sinks.count_at(0..1, &turns.ours.accepted)?;
    line.notes.push(format!("{} runs wait; processor time of an event to a live sink; {count}", runs - succeeded));
    line.void_if(turns.fault(&sinks, 0..1)?);
    let lost = bench.waiting().abs_diff(runs - succeeded);
    line.void_if((lost > 0).then(|| format!("{} runs wait in the store and not {}", runs - succeeded, bench.waiting())));
    Ok(vec![line])
}

async fn fill(host: &Program, events: u64) -> anyhow::Result<()> {
    let mut connection = Connection::open(host.address).await?;
    for first in (0..events).step_by(usize::try_from(FILL)?) {
        // Above every serial number of the pump.
        let body = Bytes::from(event::batch("bench.dead", (1 << 40) + first, FILL.min(events - first)));
        let (status, answer) = connection.post("/v1/events", BATCH, body).await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
    }
    Ok(())
}

/// Whether a host has nothing to do: it uses hardly any processor time for a while.
async fn rests(host: &Program) -> anyhow::Result<bool> {
    let before = host.processor().context("the host runs")?;
    let looked = Duration::from_millis(500);
    tokio::time::sleep(looked).await;
    Ok(host.processor()? - before < REST * looked.as_secs_f64())
}
