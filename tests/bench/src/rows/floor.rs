//! The host beside the least that a durable pipeline must do, natively (`peers/floor`): what durability alone leaves of the rates that goals
//! are compared with. Those are measured in the same rounds.

mod chain;

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::intake::{self, Bare, Bulk, Statement, Subject};
use super::{About, Row, Running, When};
use crate::figures::{Rounds, median};
use crate::line::{DURABLE, Figure, Line};
use crate::load::{Connection, Load};
use crate::peer;
use crate::program::Program;
use crate::{Bench, Effort};

pub(super) use chain::Chain;

/// Of each of these rows.
const GOAL: &str = "none: what durability alone costs";
/// In a folder of its own.
const FILE: &str = "floor.db";

/// The rows `intake-floor` and `batch-floor`.
#[derive(Debug, Clone, Copy)]
pub(super) enum Intake {
    /// On 64 connections.
    Single,
    /// Of 100.
    Batches,
}

impl Row for Intake {
    fn about(&self) -> About {
        let (name, what, reference) = match self {
            Intake::Single => (
                "intake-floor",
                "single events beside the least that durable intake must do",
                "an axum handler that parses the event and writes one row under one unique key, flushes shared, nothing sandboxed",
            ),
            Intake::Batches => (
                "batch-floor",
                "batches of 100 beside the least that durable intake must do",
                "an axum handler that parses the events and writes one row for each under one unique key, flushes shared, nothing sandboxed",
            ),
        };
        About { name, what, goal: GOAL, reference, when: When::Always }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::floor().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let folder = tempfile::tempdir()?;
            let (load, beyond) = match self {
                Intake::Single => (intake::single_events(), Beyond::Bare(Box::new(Bare::start(folder.path()).await?))),
                Intake::Batches => (intake::batches(), Beyond::Bulk(Bulk::open(&folder.path().join("bulk.db")).await?)),
            };
            measure(self.about(), bench.effort, load, beyond).await
        })
    }
}

/// What the goal of the row without a floor is compared with.
enum Beyond {
    Bare(Box<Bare>),
    Bulk(Bulk),
}

impl Beyond {
    async fn rate(&mut self, load: &Load, time: Duration) -> anyhow::Result<f64> {
        match self {
            Beyond::Bare(bare) => bare.rate(load, time).await,
            Beyond::Bulk(bulk) => bulk.rate(time, Statement::ManyRows).await,
        }
    }

    /// It did what it said.
    async fn check(&mut self) -> anyhow::Result<()> {
        match self {
            // It is counted in each round.
            Beyond::Bare(_) => Ok(()),
            Beyond::Bulk(bulk) => bulk.check().await,
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Beyond::Bare(_) => "a bare axum handler, nothing durable",
            Beyond::Bulk(_) => "bulk transactions through SQLite, nothing taken in",
        }
    }
}

async fn measure(about: About, effort: Effort, load: Load, mut beyond: Beyond) -> anyhow::Result<Vec<Line>> {
    let program = tokio::task::spawn_blocking(peer::floor).await??;
    let mut first = floor(&program, load.clone()).await?;
    let mut second = floor(&program, load.clone()).await?;
    let mut host = Subject::host(load.clone()).await?;
    let warm_up = effort.time / 4;
    for subject in [&mut first, &mut host, &mut second] {
        subject.rate(warm_up).await?;
    }
    beyond.rate(&load, warm_up).await?;
    let mut against = Against::default();
    for round in 1..=effort.rounds {
        let before = first.rate(effort.time).await?;
        let subject = host.rate(effort.time).await?;
        let after = second.rate(effort.time).await?;
        against.rounds.add(before, subject, after);
        against.beyond.push(beyond.rate(&load, effort.time).await?);
        eprintln!("   round {round} of {}", effort.rounds);
    }
    beyond.check().await?;
    let mut line = against.line(about, beyond.name());
    line.more.push(Figure::new("processor time of an event, the host", host.cost()?, "µs"));
    line.more.push(Figure::new("processor time of an event, the floor", first.cost()?, "µs"));
    let (events, transactions) = written(&first.program).await?;
    line.more.extend(flushes(events, transactions, first.time));
    // Both know what they have.
    for floor in [first, second] {
        floor.send_again().await?;
        let (_, fault) = floor.finish().await?;
        ensure!(fault.is_none(), "the reference did not do its work: {}", fault.unwrap_or_default());
    }
    let (count, fault) = host.finish().await?;
    line.notes.push(format!("{} connections, {} events a request; {count}", load.connections, load.events));
    line.void_if(fault);
    Ok(vec![line])
}

/// The peer as intake alone, in a folder of its own.
async fn floor(program: &Path, load: Load) -> anyhow::Result<Subject> {
    let folder = tempfile::tempdir()?;
    let program = start(program, folder.path(), &[]).await?;
    Subject::of(folder, program, FILE, load)
}

/// The peer with its file in that folder, and a step for each of these URLs.
async fn start(program: &Path, folder: &Path, sinks: &[String]) -> anyhow::Result<Program> {
    let mut command = Command::new(program);
    command.arg(folder.join(FILE)).args(sinks);
    Program::start(command, folder).await
}

/// Events that the peer has, and transactions in which it wrote all.
async fn written(floor: &Program) -> anyhow::Result<(u64, u64)> {
    let (_, body) = Connection::open(floor.address).await?.get("/count").await?;
    let text = std::str::from_utf8(&body)?;
    let (events, transactions) = text.split_once(' ').context("the floor counts")?;
    Ok((events.parse()?, transactions.parse()?))
}

/// How much it was that shared a flush.
fn flushes(events: u64, transactions: u64, time: Duration) -> [Figure; 2] {
    [
        Figure::new("the floor's flushes", transactions as f64 / time.as_secs_f64(), "/s"),
        Figure::new("for each flush of the floor", events as f64 / transactions as f64, "events"),
    ]
}

/// Rounds of floor, host, floor, and what is beyond durability in each.
#[derive(Default)]
struct Against {
    rounds: Rounds,
    beyond: Vec<f64>,
}

impl Against {
    fn line(&self, about: About, beyond: &str) -> Line {
        let mut line = Line::new(about.name, about.goal, DURABLE);
        line.compare(&self.rounds, format!("{}; {DURABLE}", about.reference), "events/s");
        line.share("the host's share of the floor's rate");
        if !self.beyond.is_empty() {
            line.more.push(Figure::new(beyond, median(&self.beyond), "events/s"));
            let floors = self.rounds.before.iter().zip(&self.rounds.after).map(|(before, after)| (before + after) / 2.0);
            let shares: Vec<f64> = floors.zip(&self.beyond).map(|(floor, beyond)| floor / beyond * 100.0).collect();
            line.more.push(Figure::new("the floor's share of that", median(&shares), "%"));
        }
        line
    }
}
