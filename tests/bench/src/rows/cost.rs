//! Processor time of one event, the host's own and the kernel's for it: a figure that a busy machine bends less than a rate.

use std::ops::Range;
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

/// Rounds of a reference, a subject and a reference again, each a program with the pump to it.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// Microseconds of processor time an event.
    pub(super) costs: Rounds,
    /// Events a second.
    pub(super) rates: Rounds,
    /// What was sent to the references.
    pub(super) theirs: Pumped,
    /// What was sent to the subject.
    pub(super) ours: Pumped,
}

impl Turns {
    /// Pumps through each in turn, after a warm-up that does not count.
    pub(super) async fn take(programs: [(&Program, Pump); 3], effort: Effort) -> anyhow::Result<Turns> {
        let mut turns = Turns::default();
        for round in 0..=effort.rounds {
            let mut measured = Vec::new();
            for (index, (program, pump)) in programs.iter().enumerate() {
                let before = program.processor()?;
                let pumped = pump.closed(if round == 0 { effort.time / 4 } else { effort.time }).await?;
                let spent = program.processor()? - before;
                measured.push((spent / pumped.ways.len().max(1) as f64 * 1e6, pumped.rate()));
                if index == 1 { &mut turns.ours } else { &mut turns.theirs }.add(pumped);
            }
            if round > 0 {
                turns.costs.add(measured[0].0, measured[1].0, measured[2].0);
                turns.rates.add(measured[0].1, measured[1].1, measured[2].1);
                eprintln!("   round {round} of {}", effort.rounds);
            }
        }
        Ok(turns)
    }

    /// Why the figures count for nothing: what of each event should have arrived at these sinks did not, or not once.
    pub(super) fn fault(&self, sinks: &Sinks, which: Range<usize>) -> anyhow::Result<Option<String>> {
        let theirs = sinks.count_at(which.clone(), &self.theirs.accepted)?.fault().or(self.theirs.fault());
        let ours = sinks.count_at(which, &self.ours.accepted)?.fault().or(self.ours.fault());
        Ok(ours.or(theirs.map(|fault| format!("the reference: {fault}"))))
    }
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
    let programs = [&first, &host, &second].map(|program| (program, pumps.at(program.address)));
    let turns = Turns::take(programs, effort).await?;
    host.stop().await?;
    line.compare(&turns.costs, label, "µs");
    line.notes.push(format!("user and system time of the process, children aside; {}", sinks.count(&turns.ours.accepted)?));
    line.void_if(turns.fault(&sinks, 0..steps)?);
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
