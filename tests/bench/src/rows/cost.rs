//! Processor time of one event, the host's own and the kernel's for it: a figure that a busy machine bends less than a rate.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use super::chain::{self, Journal, Pumps};
use super::{About, Row, Running, When};
use crate::figures::Rounds;
use crate::line::{DURABLE, Line};
use crate::peer::{self, Found};
use crate::program::Program;
use crate::pump::{Pump, Pumped};
use crate::sinks::Sinks;
use crate::{Bench, Effort};

/// The row `cost`.
pub(super) struct Cost;

impl Row for Cost {
    fn about(&self) -> About {
        About {
            name: "cost",
            what: "processor time of one event through one step and through three",
            goal: "none: what it costs",
            reference: "the same pipeline in Go (net/http), not sandboxed; nothing durable",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::go().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let go = peer::go()?;
            let mut lines = Vec::new();
            for steps in [1, chain::STEPS] {
                lines.push(measure(self.about(), bench.effort, &go, steps).await?);
            }
            Ok(lines)
        })
    }
}

/// Pumps for that long: what was sent, and microseconds of the program's processor time an event.
pub(super) async fn pumped(pump: &Pump, program: &Program, time: std::time::Duration) -> anyhow::Result<(Pumped, f64)> {
    let before = program.processor()?;
    let pumped = pump.closed(time).await?;
    let spent = program.processor()? - before;
    let events = pumped.ways.len().max(1) as f64;
    Ok((pumped, spent / events * 1e6))
}

async fn measure(about: About, effort: Effort, go: &Found<Command>, steps: usize) -> anyhow::Result<Line> {
    let sinks = Arc::new(Sinks::start(steps).await?);
    let folder = tempfile::tempdir()?;
    let mut line = Line::new(&format!("{} of {steps} steps", about.name), about.goal, DURABLE);
    let host = chain::host(&folder.path().join("host"), &sinks, Journal::Kept).await?;
    let (first, second) = references(folder.path(), go, &sinks).await?;
    let label = match go {
        Ok(_) => about.reference,
        Err(missing) => {
            line.notes.push(missing.to_string());
            "the host itself"
        }
    };
    let pumps = Pumps::new(&sinks);
    let mut all = Pumped::default();
    for program in [&host, &first, &second] {
        all.add(pumps.at(program.address).closed(effort.time / 4).await?);
    }
    let mut rounds = Rounds::default();
    for _ in 0..effort.rounds {
        let mut costs = Vec::new();
        for program in [&first, &host, &second] {
            let (pumped, cost) = pumped(&pumps.at(program.address), program, effort.time).await?;
            all.add(pumped);
            costs.push(cost);
        }
        rounds.add(costs[0], costs[1], costs[2]);
    }
    host.stop().await?;
    line.compare(&rounds, label, "µs");
    let count = sinks.count(&all.accepted)?;
    line.notes.push(format!("user and system time of the process, children aside; {count}"));
    line.void_if(count.fault().or(all.fault()));
    Ok(line)
}

/// Two of the pipelines in Go; without Go two more hosts, so that there is an A/A pair at least.
async fn references(folder: &Path, go: &Found<Command>, sinks: &Sinks) -> anyhow::Result<(Program, Program)> {
    match go {
        Ok(program) => {
            let start = || Program::start(peer::to(program, sinks), folder);
            Ok((start().await?, start().await?))
        }
        Err(_) => {
            let host = |name: &str| folder.join(name);
            Ok((chain::host(&host("first"), sinks, Journal::Kept).await?, chain::host(&host("second"), sinks, Journal::Kept).await?))
        }
    }
}
