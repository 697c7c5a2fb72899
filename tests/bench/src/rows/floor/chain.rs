//! The chain: each event is durable before its 202, each intent before its request, each outcome before what follows.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::{Against, FILE, GOAL, flushes, start, written};
use crate::event::{self, STRUCTURED};
use crate::figures::{median, quantile};
use crate::line::{Figure, Line};
use crate::load::Connection;
use crate::peer::{self, Found};
use crate::program::Program;
use crate::pump::{Pump, Pumped};
use crate::rows::chain::{Journal, Pumps, STEPS, host};
use crate::rows::{About, Row, Running, When};
use crate::sinks::Sinks;
use crate::stored::Stored;
use crate::{Bench, Effort};

/// The row `chain-floor`.
pub(in crate::rows) struct Chain;

impl Row for Chain {
    fn about(&self) -> About {
        About {
            name: "chain-floor",
            what: "the chain beside the least that a durable pipeline must do",
            goal: GOAL,
            reference: "a program with the same requests, each flushed as an intent before it leaves, an outcome flushed with the next intent or \
                        the end, nothing sandboxed",
            when: When::Always,
        }
    }

    fn prepare(&self) -> anyhow::Result<()> {
        peer::floor()?;
        peer::go().map(drop)
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move { measure(self.about(), bench.effort, peer::go()?).await })
    }
}

async fn measure(about: About, effort: Effort, go: Found<Command>) -> anyhow::Result<Vec<Line>> {
    let sinks = Arc::new(Sinks::start(STEPS).await?);
    let folders = [tempfile::tempdir()?, tempfile::tempdir()?, tempfile::tempdir()?];
    let [first_home, second_home, other] = folders.each_ref().map(tempfile::TempDir::path);
    let pumps = Pumps::new(&sinks);
    let floor = tokio::task::spawn_blocking(peer::floor).await??;
    let urls: Vec<String> = sinks.addresses.iter().map(|sink| format!("http://{sink}/")).collect();
    let mut first = Measured::new(start(&floor, first_home, &urls).await?, &pumps)?;
    let mut second = Measured::new(start(&floor, second_home, &urls).await?, &pumps)?;
    let home = other.join("host");
    let mut host = Measured::new(host(&home, &sinks, Journal::Kept).await?, &pumps)?;
    let (mut beyond, mut missing) = (None, None);
    match go {
        Ok(go) => beyond = Some(Measured::new(Program::start(peer::to(&go, &sinks), other).await?, &pumps)?),
        Err(why) => missing = Some(why.to_string()),
    }
    for measured in [&mut first, &mut host, &mut second].into_iter().chain(&mut beyond) {
        measured.rate(effort.time / 4).await?;
    }
    let mut against = Against::default();
    for round in 1..=effort.rounds {
        against.rounds.add(first.rate(effort.time).await?, host.rate(effort.time).await?, second.rate(effort.time).await?);
        if let Some(go) = &mut beyond {
            against.beyond.push(go.rate(effort.time).await?);
        }
        eprintln!("   round {round} of {}", effort.rounds);
    }

    let mut line = against.line(about, "a pipeline in Go, nothing durable");
    line.notes.extend(missing);
    line.more.push(Figure::new("processor time of an event, the host", host.cost()?, "µs"));
    line.more.push(Figure::new("processor time of an event, the floor", first.cost()?, "µs"));
    let (events, transactions) = written(&first.program).await?;
    line.more.extend(flushes(events, transactions, first.pumped.time));
    for (name, measured) in [("the host", &host), ("the floor", &first)] {
        let ways = &measured.pumped.ways;
        line.more.push(Figure::new(format!("from sending to the last sink, {name}, median"), median(ways), "ms"));
        line.more.push(Figure::new(format!("from sending to the last sink, {name}, 99th percentile"), quantile(ways, 0.99), "ms"));
    }
    first.send_again().await?;
    for (floor, home) in [(first, first_home), (second, second_home)] {
        finish_floor(floor, home, &sinks).await.context("the reference did not do its work")?;
    }
    if let Some(go) = beyond {
        go.finish(&sinks).await.context("the pipeline in Go did not do its work")?;
    }
    let Measured { program, pump, pumped: ours, .. } = host;
    program.stop().await?;
    let (succeeded, runs) = Stored::open(&home).await?.runs("succeeded").await?;
    let count = sinks.count(&ours.accepted)?;
    line.notes.push(format!("{} in flight, {STEPS} http steps; {count}; {succeeded} of {runs} runs succeeded", pump.in_flight));
    line.void_if(count.fault().or(ours.fault()));
    if succeeded != runs || runs != count.events {
        line.void_if(Some(format!("{succeeded} of {runs} runs succeeded for {} events", count.events)));
    }
    Ok(vec![line])
}

/// A program with a pump to it, and all that was sent.
struct Measured {
    program: Program,
    pump: Pump,
    pumped: Pumped,
    /// Processor seconds of its start.
    start: f64,
}

impl Measured {
    fn new(program: Program, pumps: &Pumps) -> anyhow::Result<Measured> {
        Ok(Measured { pump: pumps.at(program.address), start: program.processor()?, program, pumped: Pumped::default() })
    }

    /// Events a second that arrived at the last sink.
    async fn rate(&mut self, time: Duration) -> anyhow::Result<f64> {
        let pumped = self.pump.closed(time).await?;
        let rate = pumped.rate();
        self.pumped.add(pumped);
        Ok(rate)
    }

    fn cost(&self) -> anyhow::Result<f64> {
        self.program.cost_since(self.start, self.pumped.accepted.len() as u64)
    }

    /// Sends the first event once more: it is to be answered, and to change nothing.
    async fn send_again(&self) -> anyhow::Result<()> {
        let &first = self.pumped.accepted.first().context("something was accepted")?;
        let body = event::structured(self.pump.kind, first).into();
        let (status, _) = Connection::open(self.program.address).await?.post("/v1/events", STRUCTURED, body).await?;
        ensure!(status.is_success(), "an event that is known is answered with {status}");
        Ok(())
    }

    /// Ends it. Each event was once at each sink. Says how many there were.
    async fn finish(self, sinks: &Sinks) -> anyhow::Result<u64> {
        self.program.stop().await?;
        let count = sinks.count(&self.pumped.accepted)?;
        let fault = count.fault().or(self.pumped.fault());
        ensure!(fault.is_none(), "{}", fault.unwrap_or_default());
        Ok(count.events)
    }
}

/// Ends the peer. It was once at each sink with each event, and has written all of it down.
async fn finish_floor(floor: Measured, home: &Path, sinks: &Sinks) -> anyhow::Result<()> {
    let events = floor.finish(sinks).await?;
    let mut stored = Stored::file(&home.join(FILE)).await?;
    let (kept, written) = (stored.events().await?, stored.floor().await?);
    let steps = events * STEPS as u64;
    ensure!(
        kept == events && written == [steps, steps, events],
        "it has {kept} events of {events}, and of {steps} requests and {events} runs {written:?} intents, outcomes and ends"
    );
    Ok(())
}
