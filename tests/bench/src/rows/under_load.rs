//! Latency at half and at nine tenths of the highest rate, what happens past it, and how soon it is over.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use super::{About, Row, Running, When, until};
use crate::configuration::one_step;
use crate::figures::{AgainstItself, median, quantile};
use crate::line::{DURABLE, Figure, Line, Met};
use crate::program::Program;
use crate::pump::{Pump, Pumped};
use crate::sinks::Sinks;
use crate::stored::Stored;
use crate::{Bench, Effort};

/// Events on their way at the same time, to find the highest rate.
const IN_FLIGHT: usize = 64;
/// Shares of the highest rate.
const SHARES: [f64; 2] = [0.5, 0.9];
/// More than it can do.
const PAST: f64 = 1.5;
/// Type of the events.
const KIND: &str = "bench.load";
/// Longest time to work off what was accepted past the highest rate.
const LONGEST_RECOVERY: Duration = Duration::from_secs(60);
/// At once means: the backlog is gone within the time it took to pile up.
const GOAL_RECOVERY: f64 = 1.0;

/// The row `load`.
pub(super) struct UnderLoad;

impl Row for UnderLoad {
    fn about(&self) -> About {
        About {
            name: "load",
            what: "latency at 50 % and 90 % of the highest rate, behaviour past it, recovery",
            goal: "past the highest rate: refuse, recover at once",
            reference: "the same host idle; for the recovery, the time of the overload",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let sinks = Arc::new(Sinks::start(1).await?);
    let folder = tempfile::tempdir()?;
    one_step(KIND, sinks.addresses[0]).save(folder.path())?;
    let host = Program::host(folder.path()).await?;
    let next = Arc::new(AtomicU64::new(1));
    let pump = |in_flight| Pump { to: vec![host.address], kind: KIND, in_flight, sinks: sinks.clone(), last: 0, next: next.clone() };
    let mut all = Pumped::default();

    all.add(pump(IN_FLIGHT).closed(effort.time / 4).await?);
    let mut rates = Vec::new();
    for _ in 0..effort.rounds {
        let highest = pump(IN_FLIGHT).closed(effort.time).await?;
        rates.push(highest.rate());
        all.add(highest);
    }
    let highest = median(&rates);
    // One event at a time: the host has nothing else to do.
    let idle = pump(1).closed(effort.time).await?;
    let idle_ways = idle.ways();
    all.add(idle);

    let mut lines = Vec::new();
    for share in SHARES {
        let (mut middles, mut tails, mut ways) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..2 * effort.rounds.div_ceil(2) {
            let pumped = pump(IN_FLIGHT).open(highest * share, effort.time).await?;
            let (middle, tail) = pumped.ways();
            middles.push(middle);
            tails.push(tail);
            ways.extend_from_slice(&pumped.ways);
            all.add(pumped);
        }
        for (name, values, point, idle) in [("p50", &middles, 0.5, idle_ways.0), ("p99", &tails, 0.99, idle_ways.1)] {
            let mut line = Line::new(&format!("{} {:.0} % {name}", about.name, share * 100.0), "-", DURABLE);
            let value = quantile(&ways, point);
            line.value = Some(Figure::new("", value, "ms"));
            line.reference = Some(Figure::new("one event at a time", idle, "ms"));
            line.ratio = Some(value / idle);
            let every = |from: usize| values.iter().skip(from).step_by(2).copied().collect::<Vec<f64>>();
            line.against_itself = Some(AgainstItself::of(&every(0), &every(1)));
            line.notes.push(format!(
                "{:.0} events a second, sent on time whatever is answered; highest rate {highest:.0} with {IN_FLIGHT} in flight; from sending to \
                 the sink; A/A: every other portion",
                highest * share
            ));
            lines.push(line);
        }
    }
    lines.push(past(about, &host, &sinks, &pump(IN_FLIGHT), highest, effort, &mut all).await?);
    host.stop().await?;
    let fault = sinks.count(&all.accepted)?.fault();
    let (succeeded, runs) = Stored::open(folder.path()).await?.runs("succeeded").await?;
    for line in &mut lines {
        line.void_if(fault.clone());
        line.void_if((succeeded != runs).then(|| format!("{succeeded} of {runs} runs succeeded")));
    }
    Ok(lines)
}

/// More than the highest rate for a while, then nothing: what is accepted arrives, and the host is as quick as before.
async fn past(
    about: About,
    host: &Program,
    sinks: &Sinks,
    pump: &Pump,
    highest: f64,
    effort: Effort,
    all: &mut Pumped,
) -> anyhow::Result<Line> {
    let before = pump.open(highest * SHARES[0], effort.time).await?;
    let started = Instant::now();
    let overload = pump.open(highest * PAST, 2 * effort.time).await?;
    let sending = 2 * effort.time;
    // The pump has waited for everything that was accepted.
    let recovery = started.elapsed().saturating_sub(sending);
    let arrived = sinks.arrived();
    until("the host is idle after an overload", LONGEST_RECOVERY, async || Ok(sinks.arrived() == arrived)).await?;
    let after = pump.open(highest * SHARES[0], effort.time).await?;
    let mut line = Line::new(&format!("{} past it", about.name), about.goal, DURABLE);
    line.value = Some(Figure::new("", recovery.as_secs_f64() * 1e3, "ms"));
    line.reference = Some(Figure::new("the overload", sending.as_secs_f64() * 1e3, "ms"));
    let ratio = recovery.as_secs_f64() / sending.as_secs_f64();
    line.ratio = Some(ratio);
    let pair = AgainstItself::of(&[before.ways().0], &[after.ways().0]);
    line.met = Met::judge(GOAL_RECOVERY / ratio.max(0.01), 0.0);
    line.against_itself = Some(pair);
    let sent = overload.accepted.len() as u64 + overload.refused;
    line.more.push(Figure::new("asked for", highest * PAST, "events/s"));
    line.more.push(Figure::new("answered", sent as f64 / (sending + recovery.min(sending)).as_secs_f64(), "events/s"));
    line.more.push(Figure::new("refused (503 or 429, to be tried again)", overload.refused as f64, "events"));
    line.more.push(Figure::new("accepted, from sending to the sink, median", overload.ways().0, "ms"));
    line.more.push(Figure::new("accepted, from sending to the sink, 99th percentile", overload.ways().1, "ms"));
    line.more.push(Figure::new("memory after it", host.resident()?, "MiB"));
    line.notes
        .push("from the end of the overload to the last of what was accepted; A/A: median at half the rate, before and after".to_owned());
    line.void_if((overload.gone > 0).then(|| format!("{} accepted events did not arrive in time", overload.gone)));
    for pumped in [before, overload, after] {
        all.add(pumped);
    }
    Ok(line)
}
