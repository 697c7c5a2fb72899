//! What the journal costs: the chain of three steps with it, beside the same host and chain with `journal = false`.

use std::sync::Arc;

use super::chain::{Journal as Kept, Pumps, STEPS, host};
use super::{About, Row, Running, When};
use crate::figures::{Rounds, median};
use crate::line::{DURABLE, Figure, Line};
use crate::pump::Pumped;
use crate::sinks::Sinks;
use crate::{Bench, Effort};

/// The row `journal`.
pub(super) struct Journal;

impl Row for Journal {
    fn about(&self) -> About {
        About {
            name: "journal",
            what: "the chain with and without the journal of its writes",
            goal: "none: what it costs",
            reference: "the same chain with journal = false",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(self.about(), bench.effort))
    }
}

async fn measure(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let sinks = Arc::new(Sinks::start(STEPS).await?);
    let folder = tempfile::tempdir()?;
    let first = host(&folder.path().join("first"), &sinks, Kept::Off).await?;
    let with = host(&folder.path().join("with"), &sinks, Kept::Kept).await?;
    let second = host(&folder.path().join("second"), &sinks, Kept::Off).await?;
    let pump = Pumps::new(&sinks);
    let mut all = Pumped::default();
    for host in [&first, &with, &second] {
        all.add(pump.at(host.address).closed(effort.time / 4).await?);
    }
    let (mut rounds, mut ways, mut ways_without) = (Rounds::default(), Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        let before = pump.at(first.address).closed(effort.time).await?;
        let subject = pump.at(with.address).closed(effort.time).await?;
        let after = pump.at(second.address).closed(effort.time).await?;
        rounds.add(before.rate(), subject.rate(), after.rate());
        ways.extend_from_slice(&subject.ways);
        ways_without.extend([&before.ways[..], &after.ways[..]].concat());
        for pumped in [before, subject, after] {
            all.add(pumped);
        }
        eprintln!("   round {round} of {}", effort.rounds);
    }
    for host in [first, with, second] {
        host.stop().await?;
    }
    let mut line = Line::new(about.name, about.goal, DURABLE);
    line.compare(&rounds, about.reference, "events/s");
    line.more.push(Figure::new("from sending to the last sink, median", median(&ways), "ms"));
    line.more.push(Figure::new("without the journal, median", median(&ways_without), "ms"));
    let count = sinks.count(&all.accepted)?;
    line.notes.push(count.to_string());
    line.void_if(count.fault().or(all.fault()));
    Ok(vec![line])
}
