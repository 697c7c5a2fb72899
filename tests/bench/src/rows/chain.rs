//! The whole way: one event through three steps to three sinks, durable, beside a pipeline in Go that is neither durable nor sandboxed.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use http::StatusCode;
use tokio::task::JoinSet;

use crate::Effort;
use crate::event::{self, STRUCTURED};
use crate::figures::{AgainstItself, Rounds, median, millis, quantile};
use crate::load::Connection;
use crate::program::Program;
use crate::report::{DURABLE, Figure, Met, NOT_DURABLE, Row};
use crate::sinks::{Count, Sinks};
use crate::stored::Stored;

/// Events on their way at the same time.
pub(super) const IN_FLIGHT: usize = 32;
/// Steps, and sinks.
pub(super) const STEPS: usize = 3;
/// Longest wait for an event at the last sink: longer than the first retries.
const LONGEST_WAY: Duration = Duration::from_secs(20);
/// At least the rate of the Go pipeline.
const GOAL: f64 = 1.0;

pub(super) async fn measure(effort: Effort) -> anyhow::Result<Vec<Row>> {
    let sinks = Arc::new(Sinks::start(STEPS).await?);
    let next = Arc::new(AtomicU64::new(1));
    let folder = tempfile::tempdir()?;
    let pipelines = match pipeline(folder.path())? {
        Some(program) => {
            let start = || Program::start(with_sinks(&program, &sinks), folder.path());
            Some((start().await?, start().await?))
        }
        None => None,
    };
    let home = folder.path().join("host");
    std::fs::create_dir(&home)?;
    std::fs::write(home.join("sangam.toml"), configuration(&sinks.addresses, Journal::Kept))?;
    let host = Program::host(&home).await?;
    let pump = |address: SocketAddr, time: Duration| Pump { address, sinks: sinks.clone(), next: next.clone() }.pump(time);

    let mut ours = Pumped::default();
    ours.add(pump(host.address, effort.time / 4).await?);
    if let Some((first, second)) = &pipelines {
        pump(first.address, effort.time / 4).await?;
        pump(second.address, effort.time / 4).await?;
    }
    let (mut ways, mut theirs) = (Vec::new(), Pumped::default());
    let (mut rounds, mut again) = (Rounds::default(), Vec::new());
    for round in 1..=effort.rounds {
        match &pipelines {
            Some((first, second)) => {
                let before = pump(first.address, effort.time).await?;
                let subject = pump(host.address, effort.time).await?;
                let after = pump(second.address, effort.time).await?;
                rounds.before.push(before.rate());
                rounds.subject.push(subject.rate());
                rounds.after.push(after.rate());
                ways.extend_from_slice(&subject.ways);
                ours.add(subject);
                theirs.add(before);
                theirs.add(after);
            }
            None => {
                for rates in [&mut rounds.subject, &mut again] {
                    let subject = pump(host.address, effort.time).await?;
                    rates.push(subject.rate());
                    ways.extend_from_slice(&subject.ways);
                    ours.add(subject);
                }
            }
        }
        eprintln!("   round {round} of {}", effort.rounds);
    }
    host.stop().await?;
    let (succeeded, runs) = Stored::open(&home).await?.runs("succeeded").await?;

    let mut row = Row::new("chain", ">= 1.0 of Go, not durable", DURABLE);
    row.value = Some(Figure::new("", rounds.value(), "events/s"));
    row.more.push(Figure::new("from sending to the last sink, median", median(&ways), "ms"));
    row.more.push(Figure::new("from sending to the last sink, 99th percentile", quantile(&ways, 0.99), "ms"));
    if pipelines.is_some() {
        let against_itself = rounds.against_itself();
        row.met = Met::judge(rounds.ratio() / GOAL, against_itself.noise());
        row.ratio = Some(rounds.ratio());
        row.against_itself = Some(against_itself);
        row.reference = Some(Figure::new(
            format!("pipeline in Go (net/http), not sandboxed; durability: {NOT_DURABLE}"),
            rounds.reference(),
            "events/s",
        ));
        row.more.push(Figure::new("Go, from sending to the last sink, median", median(&theirs.ways), "ms"));
        row.more.push(Figure::new("Go, from sending to the last sink, 99th percentile", quantile(&theirs.ways, 0.99), "ms"));
        let count = sinks.count(&theirs.accepted)?;
        let well = count == Count::default() && theirs.gone == 0 && theirs.refused == 0 && !theirs.accepted.is_empty();
        ensure!(well, "the Go pipeline did not do its work: {count:?}, {} gone, {} refused", theirs.gone, theirs.refused);
    } else {
        row.against_itself = Some(AgainstItself::of(&rounds.subject, &again));
        row.notes.push("no `go` here, so there is no reference; A/A is the host itself".to_owned());
    }
    let count = sinks.count(&ours.accepted)?;
    let events = ours.accepted.len() as u64;
    row.notes.push(format!(
        "{IN_FLIGHT} in flight, {STEPS} http steps; of {events} accepted events at {STEPS} sinks, by key: {} lost, {} doubled, {} sent again; {succeeded} of {runs} runs succeeded",
        count.lost, count.doubled, count.resent
    ));
    row.notes.push("Node-RED and n8n (goals: ten and fifty times) are not run here".to_owned());
    if count != Count::default() || ours.gone > 0 || ours.refused > 0 || succeeded != runs || runs != events {
        row.met = Met::Void(format!(
            "{count:?}, {} given up after {LONGEST_WAY:?}, {} refused, {succeeded} of {runs} runs succeeded for {events} events",
            ours.gone, ours.refused
        ));
    }
    Ok(vec![row])
}

/// Whether the steps' writes are journalled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Journal {
    /// As they are unless somebody says otherwise.
    Kept,
    /// `journal = false`
    Off,
}

/// A host with one plugin for each sink.
pub(super) fn configuration(sinks: &[SocketAddr], journal: Journal) -> String {
    let mut text = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n".to_owned();
    for (index, sink) in sinks.iter().enumerate() {
        text.push_str(&format!(
            "\n[plugins.system{index}]\ncomponent = \"builtin:http\"\nconcurrency = 64\nallow-hosts = [\"http://{sink}\"]\n\
             allow-private-addresses = [\"127.0.0.1/32\"]\n"
        ));
    }
    text.push_str("\n[[routes]]\nname = \"chain\"\non = { type = \"bench.chain\" }\n");
    let options = if journal == Journal::Off { "journal = false\n" } else { "" };
    for (index, sink) in sinks.iter().enumerate() {
        // Each step takes something of the event, and all but the first something of the step before.
        let before = match index.checked_sub(1) {
            Some(before) => format!(".steps.step{before}.output.body.id"),
            None => ".event.data.job_id".to_owned(),
        };
        text.push_str(&format!(
            "\n[[routes.steps]]\nname = \"step{index}\"\nuses = \"system{index}.request\"\n{options}[routes.steps.with]\nmethod = \"POST\"\n\
             url = \"http://{sink}/\"\n[routes.steps.with.body]\nevent = \"${{ .event.id }}\"\nbefore = \"${{ {before} }}\"\n\
             text = \"Job ${{ .event.data.job_id }} for ${{ .event.data.customer.name }}: ${{ .event.data.notes }}\"\n"
        ));
    }
    text
}

/// Builds the Go pipeline, if there is Go.
fn pipeline(folder: &Path) -> anyhow::Result<Option<Command>> {
    if Command::new("go").arg("version").output().is_ok_and(|output| output.status.success()) {
        eprintln!("   building the pipeline in Go");
        let program = folder.join("pipeline");
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/peers/pipeline.go");
        let mut build = Command::new("go");
        build.args(["build", "-o"]).arg(&program).arg(source).env("GO111MODULE", "off").env("CGO_ENABLED", "0");
        let built = build.output().context("running go build")?;
        ensure!(built.status.success(), "the Go pipeline does not build: {}", String::from_utf8_lossy(&built.stderr));
        return Ok(Some(Command::new(program)));
    }
    Ok(None)
}

fn with_sinks(program: &Command, sinks: &Sinks) -> Command {
    let mut command = Command::new(program.get_program());
    command.args(sinks.addresses.iter().map(|sink| format!("http://{sink}/")));
    command
}

/// Sends events so that a fixed number is on its way.
pub(super) struct Pump {
    pub(super) address: SocketAddr,
    pub(super) sinks: Arc<Sinks>,
    pub(super) next: Arc<AtomicU64>,
}

/// What was sent, and how it went.
#[derive(Debug, Default)]
pub(super) struct Pumped {
    pub(super) accepted: Vec<u64>,
    /// Milliseconds from sending to the last sink.
    pub(super) ways: Vec<f64>,
    pub(super) refused: u64,
    /// Accepted, and not at the last sink in time.
    pub(super) gone: u64,
    time: Duration,
}

impl Pumped {
    /// Events a second that arrived at the last sink.
    pub(super) fn rate(&self) -> f64 {
        self.ways.len() as f64 / self.time.as_secs_f64()
    }

    pub(super) fn add(&mut self, other: Pumped) {
        self.accepted.extend(other.accepted);
        self.ways.extend(other.ways);
        self.refused += other.refused;
        self.gone += other.gone;
        self.time += other.time;
    }
}

impl Pump {
    pub(super) async fn pump(self, time: Duration) -> anyhow::Result<Pumped> {
        let pump = Arc::new(self);
        let mut connections = Vec::with_capacity(IN_FLIGHT);
        for _ in 0..IN_FLIGHT {
            connections.push(Connection::open(pump.address).await?);
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let pump = pump.clone();
            tasks.spawn(async move {
                let mut pumped = Pumped::default();
                while started.elapsed() < time {
                    pump.one(&mut connection, &mut pumped).await?;
                }
                Ok::<_, anyhow::Error>(pumped)
            });
        }
        let mut all = Pumped::default();
        while let Some(pumped) = tasks.join_next().await {
            all.add(pumped.context("a connection's task broke")??);
        }
        all.time = started.elapsed();
        Ok(all)
    }

    async fn one(&self, connection: &mut Connection, pumped: &mut Pumped) -> anyhow::Result<()> {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        let arrived = self.sinks.expect(serial, STEPS - 1);
        let body = Bytes::from(event::structured("bench.chain", serial));
        let sent = Instant::now();
        let (status, _) = connection.post("/v1/events", STRUCTURED, body).await?;
        if status != StatusCode::ACCEPTED {
            pumped.refused += 1;
            return Ok(());
        }
        pumped.accepted.push(serial);
        match tokio::time::timeout(LONGEST_WAY, arrived).await {
            Ok(Ok(at)) => pumped.ways.push(millis(at.duration_since(sent))),
            _ => pumped.gone += 1,
        }
        Ok(())
    }
}
