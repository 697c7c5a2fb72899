//! Several hosts on one PostgreSQL: one, two and four, with sinks that are slow and with sinks that are fast.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use anyhow::ensure;
use sangam_tests::postgres;

use super::{About, Row, Running, When};
use crate::configuration::one_step;
use crate::figures::Rounds;
use crate::line::{DURABLE_POSTGRES, Figure, Line};
use crate::peer;
use crate::program::Program;
use crate::pump::{Pump, Pumped};
use crate::sinks::{Manner, Sinks};
use crate::{Bench, Effort};

/// At least so many times the work of one, with four where sinks are slow.
const GOAL: f64 = 3.0;
/// How slow a slow sink is: with 64 calls at the same time a host gets 128 answers a second.
const SLOW: Duration = Duration::from_millis(500);
/// Type of the events.
const KIND: &str = "bench.hosts";
/// Events on their way at the same time, for each host: more than its plugin takes.
const IN_FLIGHT: usize = 96;
/// Most rounds: each starts eight hosts.
const ROUNDS: usize = 2;
/// Shortest measurement: a slow answer must be a small part of it.
const SHORTEST: Duration = Duration::from_secs(2);

/// The row `hosts`.
pub(super) struct Hosts;

impl Row for Hosts {
    fn about(&self) -> About {
        About {
            name: "hosts",
            what: "2 and 4 hosts on one PostgreSQL, with slow and with fast sinks",
            goal: "4 hosts >= 3 times 1 where sinks are slow",
            reference: "1 host on the same PostgreSQL",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    if let Err(missing) = peer::pgbench()? {
        return Ok(vec![Line::without_reference(about.name, about.goal, DURABLE_POSTGRES, &missing)]);
    }
    let mut lines = Vec::new();
    // Of compiled code, for all of them: what is measured is not compiling.
    let cache = tempfile::tempdir()?;
    for (sinks, manner) in [("slow sinks", Manner::Slow(SLOW)), ("fast sinks", Manner::Prompt)] {
        lines.extend(sizes(about, effort, (sinks, manner), cache.path()).await?);
    }
    Ok(lines)
}

async fn sizes(about: About, effort: Effort, (name, manner): (&str, Manner), cache: &Path) -> anyhow::Result<Vec<Line>> {
    let scene = Scene { manner, effort, cache };
    let (mut two, mut four) = (Rounds::default(), Rounds::default());
    let mut events = 0;
    let rounds = effort.rounds.min(ROUNDS);
    for round in 1..=rounds {
        let before = scene.rate(1, &mut events).await?;
        let (with_two, with_four) = (scene.rate(2, &mut events).await?, scene.rate(4, &mut events).await?);
        let after = scene.rate(1, &mut events).await?;
        two.add(before, with_two, after);
        four.add(before, with_four, after);
        eprintln!("   {name}: round {round} of {rounds}");
    }
    let lines = [(2, two), (4, four)].into_iter().map(|(hosts, rounds)| {
        let is_goal = hosts == 4 && manner != Manner::Prompt;
        let goal = if is_goal { ">= 3.0 of 1 host" } else { "-" };
        let mut line = Line::new(&format!("{} {hosts}, {name}", about.name), goal, DURABLE_POSTGRES);
        line.compare(&rounds, about.reference, "events/s");
        if is_goal {
            line.at_least(GOAL);
        }
        if let Manner::Slow(time) = manner {
            line.notes.push(format!("each sink answers after {time:?}; 64 calls at the same time on each host"));
        }
        line.more.push(Figure::new("events of all sizes, each once at its sink", events as f64, "events"));
        line
    });
    Ok(lines.collect())
}

/// What hosts of any number share.
struct Scene<'a> {
    manner: Manner,
    effort: Effort,
    cache: &'a Path,
}

impl Scene<'_> {
    /// Events a second of so many hosts on a database of their own.
    async fn rate(&self, hosts: usize, events: &mut u64) -> anyhow::Result<f64> {
        let sinks = Arc::new(Sinks::with(&[self.manner]).await?);
        let database = postgres::database()?;
        let cache = format!("\n[engine]\ncache = {:?}\n", self.cache.display().to_string());
        let configuration = one_step(KIND, sinks.addresses[0]).text(&cache).on_postgres(&database.url());
        let mut running: Vec<(Program, tempfile::TempDir)> = Vec::new();
        for _ in 0..hosts {
            let folder = tempfile::tempdir()?;
            configuration.save(folder.path())?;
            // All have the key of the first: they read each other's secrets.
            if let Some((_, first)) = running.first() {
                copy_key(first.path(), folder.path())?;
            }
            running.push((Program::host(folder.path()).await?, folder));
        }
        let pump = Pump {
            to: running.iter().map(|(host, _)| host.address).collect(),
            kind: KIND,
            in_flight: IN_FLIGHT * hosts,
            sinks: sinks.clone(),
            last: 0,
            next: Arc::new(AtomicU64::new(1)),
        };
        let mut all = Pumped::default();
        let time = self.effort.time.max(SHORTEST);
        all.add(pump.closed(time / 4).await?);
        let measured = pump.closed(time).await?;
        let rate = measured.rate();
        all.add(measured);
        for (host, _) in running {
            host.stop().await?;
        }
        let count = sinks.count(&all.accepted)?;
        let fault = count.fault().or(all.fault());
        ensure!(fault.is_none(), "{hosts} hosts: {}", fault.unwrap_or_default());
        let open = database.ask("select count(*) from run where status <> 'succeeded'")?;
        ensure!(open == "0", "{hosts} hosts left {open} runs that did not succeed");
        *events += count.events;
        Ok(rate)
    }
}

/// The file that `sangam up` makes where there is none.
fn copy_key(from: &Path, to: &Path) -> anyhow::Result<()> {
    let key = from.join("sangam.key");
    if key.is_file() {
        std::fs::copy(key, to.join("sangam.key"))?;
    }
    Ok(())
}
