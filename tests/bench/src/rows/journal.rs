//! What the journal costs: the chain of three steps with it, beside the same host and chain with `journal = false`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::chain::{IN_FLIGHT, Journal, Pump, Pumped, STEPS, configuration};
use crate::Effort;
use crate::figures::{Rounds, median};
use crate::program::Program;
use crate::report::{DURABLE, Figure, Met, Row};
use crate::sinks::{Count, Sinks};

pub(super) async fn measure(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let sinks = Arc::new(Sinks::start(STEPS).await?);
    let next = Arc::new(AtomicU64::new(1));
    let folder = tempfile::tempdir()?;
    let host = |name: &str, journal: Journal| start(folder.path().join(name), &sinks, journal);
    let (first, with, second) = (host("first", Journal::Off)?, host("with", Journal::Kept)?, host("second", Journal::Off)?);
    let (first, with, second) = (Program::host(&first).await?, Program::host(&with).await?, Program::host(&second).await?);
    let pump = |address: SocketAddr, time: Duration| Pump { address, sinks: sinks.clone(), next: next.clone() }.pump(time);

    let mut all = Pumped::default();
    for program in [&first, &with, &second] {
        all.add(pump(program.address, effort.time / 4).await?);
    }
    let (mut rounds, mut ways, mut ways_without) = (Rounds::default(), Vec::new(), Vec::new());
    for round in 1..=effort.rounds {
        for (program, rates) in [(&first, &mut rounds.before), (&with, &mut rounds.subject), (&second, &mut rounds.after)] {
            let pumped = pump(program.address, effort.time).await?;
            rates.push(pumped.rate());
            let journalled = program.address == with.address;
            if journalled { &mut ways } else { &mut ways_without }.extend_from_slice(&pumped.ways);
            all.add(pumped);
        }
        eprintln!("   round {round} of {}", effort.rounds);
    }
    for program in [first, with, second] {
        program.stop().await?;
    }

    let mut row = Row::new("journal", "none", DURABLE);
    row.value = Some(Figure::new("", rounds.value(), "events/s"));
    row.reference = Some(Figure::new("the same chain with journal = false", rounds.reference(), "events/s"));
    row.ratio = Some(rounds.ratio());
    row.against_itself = Some(rounds.against_itself());
    row.more.push(Figure::new("from sending to the last sink, median", median(&ways), "ms"));
    row.more.push(Figure::new("without the journal, median", median(&ways_without), "ms"));
    let count = sinks.count(&all.accepted)?;
    row.notes.push(format!(
        "{IN_FLIGHT} in flight, {STEPS} http steps; of {} accepted events at {STEPS} sinks, by key: {} lost, {} doubled, {} sent again",
        all.accepted.len(),
        count.lost,
        count.doubled,
        count.resent
    ));
    if count != Count::default() || all.gone > 0 || all.refused > 0 {
        row.met = Met::Void(format!("{count:?}, {} given up, {} refused", all.gone, all.refused));
    }
    Ok(vec![row])
}

fn start(home: std::path::PathBuf, sinks: &Sinks, journal: Journal) -> anyhow::Result<std::path::PathBuf> {
    std::fs::create_dir(&home)?;
    std::fs::write(home.join("sangam.toml"), configuration(&sinks.addresses, journal))?;
    Ok(home)
}
