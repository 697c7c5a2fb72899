//! What an event costs a host that has grown: with 1,000 routes, with 200 plugins, with millions of stored events; beside one with 1, 1 and none.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;

use super::cost::Turns;
use super::{About, Row, Running, When, start};
use crate::Bench;
use crate::configuration::{Configuration, one_step};
use crate::event::{self, BATCH};
use crate::figures::AgainstItself;
use crate::line::{DURABLE, Figure, Line};
use crate::load::Connection;
use crate::program::Program;
use crate::pump::Pump;
use crate::sinks::Sinks;
use crate::stored::Stored;

/// At most so many times the cost.
const GOAL: f64 = 1.2;
/// Events on their way at the same time.
const IN_FLIGHT: usize = 32;
/// Type of the events.
const KIND: &str = "bench.growth";
/// Different components among the plugins, unless all are: compiling 200 takes minutes.
const COMPONENTS: usize = 8;
/// Events of a batch that fills a store.
const FILL: u64 = 500;
/// Connections that fill it.
const FILLERS: u64 = 4;

/// The row `routes`.
pub(super) struct Routes;
/// The row `plugins`.
pub(super) struct Plugins;
/// The row `stored`.
pub(super) struct StoredEvents;

impl Row for Routes {
    fn about(&self) -> About {
        About {
            name: "routes",
            what: "cost of an event with 1,000 routes, one of which wants it",
            goal: "<= 1.2 of 1 route",
            reference: "the same host with 1 route",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let sinks = Arc::new(Sinks::start(1).await?);
            let sink = sinks.addresses[0];
            let many = (1..bench.routes()).fold(one_step(KIND, sink), |configuration, index| {
                configuration.route(&format!("other{index}"), &format!("bench.other{index}"), "").step("send", "http", sink, "", &[])
            });
            let mut line = compare(self.about(), bench, &sinks, &many, &one_step(KIND, sink), 0).await?;
            line.notes.push(format!("{} routes", bench.routes()));
            Ok(vec![line])
        })
    }
}

impl Row for Plugins {
    fn about(&self) -> About {
        About {
            name: "plugins",
            what: "cost of an event with 200 plugins",
            goal: "<= 1.2 of 1 plugin",
            reference: "the same host with 1 plugin",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let sinks = Arc::new(Sinks::start(1).await?);
            let sink = sinks.addresses[0];
            let components = tempfile::tempdir()?;
            let different = if bench.full { bench.plugins() } else { COMPONENTS.min(bench.plugins()) };
            let bytes = std::fs::read(sangam_tests::plugin("http"))?;
            let file = |index: usize| components.path().join(format!("p{index}.wasm"));
            for index in 0..different {
                let mut component = bytes.clone();
                component.extend(start::custom_section(&index.to_string()));
                std::fs::write(file(index), component)?;
            }
            let many = (1..bench.plugins()).fold(one_step(KIND, sink), |configuration, index| {
                configuration.plugin(&format!("p{index}"), &file(index % different).display().to_string(), sink, "")
            });
            let mut line = compare(self.about(), bench, &sinks, &many, &one_step(KIND, sink), 0).await?;
            line.notes.push(format!("{} plugins of {different} different components", bench.plugins()));
            Ok(vec![line])
        })
    }
}

impl Row for StoredEvents {
    fn about(&self) -> About {
        About {
            name: "stored",
            what: "cost of an event with millions of events in the store, and start and query there",
            goal: "<= 1.2 of an empty store",
            reference: "the same host with an empty store",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let sinks = Arc::new(Sinks::start(1).await?);
            let configuration = one_step(KIND, sinks.addresses[0]);
            let mut line = compare(self.about(), bench, &sinks, &configuration, &configuration, bench.stored()).await?;
            line.notes.push(format!("{} events in the store", bench.stored()));
            Ok(vec![line])
        })
    }
}

/// A host with a configuration, and its folder.
struct Subject {
    folder: tempfile::TempDir,
    host: Program,
}

impl Subject {
    async fn start(configuration: &Configuration) -> anyhow::Result<Subject> {
        let folder = tempfile::tempdir()?;
        configuration.save(folder.path())?;
        let host = Program::host(folder.path()).await?;
        Ok(Subject { folder, host })
    }

    /// Stops it and starts it again: its start is that of a host with this store.
    async fn restart(self) -> anyhow::Result<Subject> {
        self.host.stop().await?;
        let host = Program::host(self.folder.path()).await?;
        Ok(Subject { host, ..self })
    }
}

async fn compare(
    about: About,
    bench: &Bench,
    sinks: &Arc<Sinks>,
    large: &Configuration,
    small: &Configuration,
    stored: u64,
) -> anyhow::Result<Line> {
    let effort = bench.effort;
    let (first, second) = (Subject::start(small).await?, Subject::start(small).await?);
    // The first start compiles; what is measured is one from the cache.
    let large = Subject::start(large).await?;
    fill(&large.host, stored).await?;
    let (first, second, large) = (first.restart().await?, second.restart().await?, large.restart().await?);
    let next = Arc::new(AtomicU64::new(1));
    let pump = |subject: &Subject| Pump {
        to: vec![subject.host.address],
        kind: KIND,
        in_flight: IN_FLIGHT,
        sinks: sinks.clone(),
        last: 0,
        next: next.clone(),
    };
    let programs = [&first, &large, &second].map(|subject| (&subject.host, pump(subject)));
    let turns = Turns::take(programs, effort).await?;
    let mut line = Line::new(about.name, about.goal, DURABLE);
    line.compare(&turns.costs, about.reference, "µs");
    line.at_most(GOAL);
    line.more.push(Figure::new("its rate", turns.rates.value(), "events/s"));
    line.more.push(Figure::new("rate over that of the reference", turns.rates.ratio(), "times"));
    let AgainstItself { low, high, .. } = turns.rates.against_itself();
    line.notes.push(format!("processor time of an event, {IN_FLIGHT} in flight; A/A of the rates {low:.2}..{high:.2}"));
    for (label, subject) in [("large", &large), ("small", &first)] {
        line.more.push(Figure::new(format!("start of the {label} one, warm cache"), subject.host.took.as_secs_f64() * 1e3, "ms"));
        line.more.push(Figure::new(format!("memory of the {label} one, after the load"), subject.host.resident()?, "MiB"));
        line.more.push(Figure::new(format!("newest 50 events of the {label} one over the API"), page(&subject.host).await?, "ms"));
    }
    let stored_bytes = size(&large.folder.path().join("data"))?;
    line.more.push(Figure::new("store of the large one", stored_bytes as f64 / f64::from(1 << 20), "MiB"));
    for subject in [first, second] {
        subject.host.stop().await?;
    }
    large.host.stop().await?;
    let kept = Stored::open(large.folder.path()).await?.events().await?;
    ensure!(kept >= stored, "{kept} events are in the store, of {stored} that it was filled with");
    line.notes.push(sinks.count(&turns.ours.accepted)?.to_string());
    line.void_if(turns.fault(sinks, 0..1)?);
    Ok(line)
}

/// Brings in so many events that no route wants.
async fn fill(host: &Program, events: u64) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let next = Arc::new(AtomicU64::new(0));
    for _ in 0..if events == 0 { 0 } else { FILLERS } {
        let (next, mut connection) = (next.clone(), Connection::open(host.address).await?);
        tasks.spawn(async move {
            loop {
                let first = next.fetch_add(FILL, std::sync::atomic::Ordering::Relaxed);
                if first >= events {
                    return Ok::<_, anyhow::Error>(());
                }
                // Above every serial number of the pump.
                let body = Bytes::from(event::batch("bench.kept", (1 << 40) + first, FILL.min(events - first)));
                loop {
                    let (status, answer) = connection.post("/v1/events", BATCH, body.clone()).await?;
                    if status.is_success() {
                        break;
                    }
                    ensure!(status.as_u16() == 429 || status.as_u16() == 503, "{status}: {}", String::from_utf8_lossy(&answer));
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    Ok(())
}

/// Milliseconds of a page of the list of events, the median of some.
async fn page(host: &Program) -> anyhow::Result<f64> {
    let mut connection = Connection::open(host.address).await?;
    let mut times = Vec::new();
    for _ in 0..5 {
        let started = std::time::Instant::now();
        let (status, answer) = connection.get("/v1/events?limit=50").await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        times.push(started.elapsed().as_secs_f64() * 1e3);
    }
    Ok(crate::figures::median(&times))
}

fn size(folder: &Path) -> anyhow::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("sangam.db") {
            bytes += entry.metadata()?.len();
        }
    }
    Ok(bytes)
}
