//! The whole way: one event through three steps to three sinks, durable, beside a pipeline in Go that is neither durable nor sandboxed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::ensure;

use super::{About, Row, Running, When};
use crate::configuration::{Configuration, HTTP, WIDE};
use crate::figures::{AgainstItself, Rounds, median, quantile};
use crate::line::{DURABLE, Figure, Line, NOT_DURABLE};
use crate::peer::{self, Found};
use crate::program::Program;
use crate::pump::{Pump, Pumped};
use crate::sinks::Sinks;
use crate::stored::Stored;
use crate::{Bench, Effort};

/// Events on their way at the same time.
const IN_FLIGHT: usize = 32;
/// Steps, and sinks.
pub(super) const STEPS: usize = 3;
/// At least the rate of the Go pipeline.
const GOAL: f64 = 1.0;

/// The row `chain`.
pub(super) struct Chain;

impl Row for Chain {
    fn about(&self) -> About {
        About {
            name: "chain",
            what: "one event through three steps to three HTTP sinks, durable",
            goal: ">= 1.0 of Go, not durable",
            reference: "a pipeline in Go (net/http) with the same requests, not sandboxed; nothing durable",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::go().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move { beside(self.about(), bench.effort, peer::go()?, GOAL).await })
    }
}

/// The chain beside a pipeline of somebody else. Without one it is measured alone.
pub(super) async fn beside(about: About, effort: Effort, pipeline: Found<Command>, goal: f64) -> anyhow::Result<Vec<Line>> {
    let sinks = Arc::new(Sinks::start(STEPS).await?);
    let folder = tempfile::tempdir()?;
    let mut line = Line::new(about.name, about.goal, DURABLE);
    let peers = match pipeline {
        Ok(program) => {
            let start = || Program::start(peer::to(&program, &sinks), folder.path());
            Some((start().await?, start().await?))
        }
        Err(missing) => {
            line.notes.push(missing.to_string());
            None
        }
    };
    let host = host(&folder.path().join("host"), &sinks, Journal::Kept).await?;
    let pump = Pumps::new(&sinks);
    let (mut ours, mut theirs) = (Pumped::default(), Pumped::default());
    let (mut rounds, mut again) = (Rounds::default(), Vec::new());
    // Warm before the first that counts.
    ours.add(pump.at(host.address).closed(effort.time / 4).await?);
    if let Some((first, second)) = &peers {
        theirs.add(pump.at(first.address).closed(effort.time / 4).await?);
        theirs.add(pump.at(second.address).closed(effort.time / 4).await?);
    }
    let mut ways = Vec::new();
    for round in 1..=effort.rounds {
        let before = match &peers {
            Some((first, _)) => Some(pump.at(first.address).closed(effort.time).await?),
            None => None,
        };
        let subject = pump.at(host.address).closed(effort.time).await?;
        let after = pump.at(peers.as_ref().map_or(host.address, |(_, second)| second.address)).closed(effort.time).await?;
        ways.extend_from_slice(&subject.ways);
        match before {
            Some(before) => {
                rounds.add(before.rate(), subject.rate(), after.rate());
                theirs.add(before);
                theirs.add(after);
            }
            None => {
                rounds.subject.push(subject.rate());
                again.push(after.rate());
                ours.add(after);
            }
        }
        ours.add(subject);
        eprintln!("   round {round} of {}", effort.rounds);
    }
    host.stop().await?;
    let (succeeded, runs) = Stored::open(&folder.path().join("host")).await?.runs("succeeded").await?;

    if peers.is_some() {
        line.compare(&rounds, format!("{}; durability: {NOT_DURABLE}", about.reference), "events/s");
        line.at_least(goal);
        line.more.push(Figure::new("the reference, from sending to the last sink, median", median(&theirs.ways), "ms"));
        line.more.push(Figure::new("the reference, from sending to the last sink, 99th percentile", quantile(&theirs.ways, 0.99), "ms"));
        let fault = sinks.count(&theirs.accepted)?.fault().or(theirs.fault());
        ensure!(fault.is_none(), "the reference did not do its work: {}", fault.unwrap_or_default());
    } else {
        line.value = Some(Figure::new("", rounds.value(), "events/s"));
        line.against_itself = Some(AgainstItself::of(&rounds.subject, &again));
        line.notes.push("A/A is the host itself".to_owned());
    }
    line.more.push(Figure::new("from sending to the last sink, median", median(&ways), "ms"));
    line.more.push(Figure::new("from sending to the last sink, 99th percentile", quantile(&ways, 0.99), "ms"));
    let count = sinks.count(&ours.accepted)?;
    line.notes.push(format!("{IN_FLIGHT} in flight, {STEPS} http steps; {count}; {succeeded} of {runs} runs succeeded"));
    line.void_if(count.fault().or(ours.fault()));
    if succeeded != runs || runs != count.events {
        line.void_if(Some(format!("{succeeded} of {runs} runs succeeded for {} events", count.events)));
    }
    Ok(vec![line])
}

/// Whether the steps' writes are journalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Journal {
    /// As they are unless somebody says otherwise.
    Kept,
    /// `journal = false`
    Off,
}

/// A host with the chain, in a folder that is made.
pub(super) async fn host(home: &Path, sinks: &Sinks, journal: Journal) -> anyhow::Result<Program> {
    std::fs::create_dir(home)?;
    configuration(&sinks.addresses, journal).save(home)?;
    Program::host(home).await
}

/// One plugin for each sink, and one route.
pub(super) fn configuration(sinks: &[SocketAddr], journal: Journal) -> Configuration {
    let plugins = sinks
        .iter()
        .enumerate()
        .fold(Configuration::new(), |configuration, (index, sink)| configuration.plugin(&format!("system{index}"), HTTP, *sink, WIDE));
    let options = if journal == Journal::Off { "journal = false\n" } else { "" };
    sinks.iter().enumerate().fold(plugins.route("chain", KIND, ""), |configuration, (index, sink)| {
        // Each step takes something of the event, and all but the first something of the step before.
        let before = match index.checked_sub(1) {
            Some(before) => format!("${{ .steps.step{before}.output.body.id }}"),
            None => "${ .event.data.job_id }".to_owned(),
        };
        let text = "Job ${ .event.data.job_id } for ${ .event.data.customer.name }: ${ .event.data.notes }";
        configuration.step(&format!("step{index}"), &format!("system{index}"), *sink, options, &[("before", &before), ("text", text)])
    })
}

/// Type of the events.
const KIND: &str = "bench.chain";

/// Pumps whose events are numbered through.
pub(super) struct Pumps {
    sinks: Arc<Sinks>,
    next: Arc<AtomicU64>,
}

impl Pumps {
    pub(super) fn new(sinks: &Arc<Sinks>) -> Pumps {
        Pumps { sinks: sinks.clone(), next: Arc::new(AtomicU64::new(1)) }
    }

    /// Events through the chain of a host or of a peer.
    pub(super) fn at(&self, address: SocketAddr) -> Pump {
        Pump {
            to: vec![address],
            kind: KIND,
            in_flight: IN_FLIGHT,
            sinks: self.sinks.clone(),
            last: self.sinks.addresses.len() - 1,
            next: self.next.clone(),
        }
    }
}
