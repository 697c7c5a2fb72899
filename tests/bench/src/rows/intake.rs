//! Durable intake over HTTP: single events beside a bare server, batches beside bulk transactions.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use http::StatusCode;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use sqlx::{Connection as _, QueryBuilder, Sqlite};

use super::{About, Row, Running, When};
use crate::event::{self, BATCH, STRUCTURED};
use crate::figures::{Rounds, median};
use crate::line::{DURABLE, Figure, Line};
use crate::load::{Answered, Connection, Load};
use crate::program::Program;
use crate::stored::Stored;
use crate::{Bench, Effort};

/// Connections that send single events.
const CONNECTIONS: usize = 64;
/// Connections that send batches.
const BATCH_CONNECTIONS: usize = 8;
/// Events of a batch.
const BATCH_EVENTS: u64 = 100;
/// Rows of a bulk transaction.
const BULK_ROWS: u64 = 500;
/// Most rows of one bulk measurement, whatever its time.
const MOST_ROWS: u64 = 5_000_000;
/// At least this share of the reference's rate.
const GOAL: f64 = 0.5;

/// A host with a plugin and a route, none of whose events are sent: intake alone.
const CONFIGURATION: &str = r#"
[server]
listen = "127.0.0.1:0"
access = "open"

[plugins.http]
component = "builtin:http"
allow-hosts = ["http://127.0.0.1:9"]

[[routes]]
name = "other"
on   = { type = "other" }
[[routes.steps]]
name = "send"
uses = "http.request"
with = { method = "POST", url = "http://127.0.0.1:9/" }
"#;

/// The row `intake`.
pub(super) struct Intake;

impl Row for Intake {
    fn about(&self) -> About {
        About {
            name: "intake",
            what: "single events over HTTP on 64 connections, each answered after a flush",
            goal: ">= 0.5 of bare axum",
            reference: "a bare axum handler that reads the same body and answers 202, in another process; nothing durable",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(single(self.about(), bench.effort))
    }
}

/// The row `batch`.
pub(super) struct Batch;

impl Row for Batch {
    fn about(&self) -> About {
        About {
            name: "batch",
            what: "batches of 100 events over HTTP, made durable",
            goal: ">= 0.5 of bulk SQLite",
            reference: "bulk transactions of 500 such rows through SQLite",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(batch(self.about(), bench.effort))
    }
}

async fn single(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let (first, second) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let first = Bare::start(first.path()).await?;
    let second = Bare::start(second.path()).await?;
    let load = single_events();
    let mut intake = Subject::host(load.clone()).await?;
    let flush = crate::machine::flush(intake.folder.path())?;
    let warm_up = effort.time / 4;
    first.rate(&load, warm_up).await?;
    intake.rate(warm_up).await?;
    second.rate(&load, warm_up).await?;
    let mut rounds = Rounds::default();
    for round in 1..=effort.rounds {
        rounds.add(first.rate(&load, effort.time).await?, intake.rate(effort.time).await?, second.rate(&load, effort.time).await?);
        eprintln!("   round {round} of {}", effort.rounds);
    }
    let mut row = row(about, &rounds, about.reference);
    let (count, fault) = intake.finish().await?;
    row.notes.push(count);
    row.void_if(fault);
    row.notes.push(format!("{CONNECTIONS} connections, {} bytes an event, no route wants them", one(1).len()));
    row.notes.push(format!(
        "a flush takes {flush:.0} µs here; {CONNECTIONS} connections that each wait for one can't get more than {:.0} answers a second",
        CONNECTIONS as f64 / flush * 1e6
    ));
    Ok(vec![row])
}

async fn batch(about: About, effort: Effort) -> anyhow::Result<Vec<Line>> {
    let folder = tempfile::tempdir()?;
    let mut first = Bulk::open(&folder.path().join("first.db")).await?;
    let mut second = Bulk::open(&folder.path().join("second.db")).await?;
    let mut intake = Subject::host(batches()).await?;
    let warm_up = effort.time / 4;
    first.rate(warm_up, Statement::ManyRows).await?;
    intake.rate(warm_up).await?;
    second.rate(warm_up, Statement::ManyRows).await?;
    let (mut rounds, mut by_row) = (Rounds::default(), Vec::new());
    for round in 1..=effort.rounds {
        rounds.before.push(first.rate(effort.time, Statement::ManyRows).await?);
        rounds.subject.push(intake.rate(effort.time).await?);
        rounds.after.push(second.rate(effort.time, Statement::ManyRows).await?);
        by_row.push(first.rate(effort.time / 2, Statement::OneRow).await?);
        eprintln!("   round {round} of {}", effort.rounds);
    }
    first.check().await?;
    second.check().await?;
    let label = format!(
        "one statement in each of the transactions of {BULK_ROWS} such rows with a unique key through sqlx; SQLite WAL, synchronous=FULL"
    );
    let mut row = row(about, &rounds, &label);
    row.more.push(Figure::new("the reference with a statement for each row", median(&by_row), "/s"));
    let (count, fault) = intake.finish().await?;
    row.notes.push(count);
    row.void_if(fault);
    row.notes.push(format!("batches of {BATCH_EVENTS} on {BATCH_CONNECTIONS} connections, no route wants them"));
    Ok(vec![row])
}

/// Single events, numbered through.
pub(super) fn single_events() -> Load {
    Load { connections: CONNECTIONS, content_type: STRUCTURED, events: 1, body: one, next: Arc::new(AtomicU64::new(1)) }
}

/// The same in batches.
pub(super) fn batches() -> Load {
    let next = Arc::new(AtomicU64::new(1));
    Load { connections: BATCH_CONNECTIONS, content_type: BATCH, events: BATCH_EVENTS, body: hundred, next }
}

fn one(serial: u64) -> String {
    event::structured("bench.intake", serial)
}

fn hundred(serial: u64) -> String {
    event::batch("bench.intake", serial, BATCH_EVENTS)
}

fn row(about: About, rounds: &Rounds, label: &str) -> Line {
    let mut row = Line::new(about.name, about.goal, DURABLE);
    row.compare(rounds, label, "events/s");
    row.at_least(GOAL);
    row
}

/// A program and everything it said it has.
pub(super) struct Subject {
    folder: tempfile::TempDir,
    pub(super) program: Program,
    /// Where it has its events, in the folder.
    store: PathBuf,
    load: Load,
    accepted: Vec<u64>,
    refused: u64,
    /// While it was asked.
    pub(super) time: Duration,
    /// Processor seconds of its start.
    start: f64,
}

impl Subject {
    /// The host.
    pub(super) async fn host(load: Load) -> anyhow::Result<Subject> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("sangam.toml"), CONFIGURATION)?;
        let program = Program::host(folder.path()).await?;
        Subject::of(folder, program, "data/sangam.db", load)
    }

    /// Any that has its events in this file of the folder.
    pub(super) fn of(folder: tempfile::TempDir, program: Program, store: &str, load: Load) -> anyhow::Result<Subject> {
        let (store, start) = (folder.path().join(store), program.processor()?);
        Ok(Subject { folder, program, store, load, accepted: Vec::new(), refused: 0, time: Duration::ZERO, start })
    }

    /// Events a second.
    pub(super) async fn rate(&mut self, time: Duration) -> anyhow::Result<f64> {
        let answered = self.load.send(self.program.address, time).await?;
        self.refused += answered.refused;
        self.time += answered.time;
        let rate = events_a_second(&answered, self.load.events);
        self.accepted.extend(answered.accepted);
        Ok(rate)
    }

    /// Microseconds of processor time for each event that it has answered with 202.
    pub(super) fn cost(&self) -> anyhow::Result<f64> {
        self.program.cost_since(self.start, self.accepted.len() as u64 * self.load.events)
    }

    /// Sends the first request once more: it is to be answered, and to change nothing.
    pub(super) async fn send_again(&self) -> anyhow::Result<()> {
        let &first = self.accepted.first().context("something was accepted")?;
        let body = (self.load.body)(first).into();
        let (status, _) = Connection::open(self.program.address).await?.post("/v1/events", self.load.content_type, body).await?;
        ensure!(status == StatusCode::ACCEPTED, "an event that is known is answered with {status}");
        Ok(())
    }

    /// Counts where it matters: in the store. Says what there is, and why that is not what was answered.
    pub(super) async fn finish(self) -> anyhow::Result<(String, Option<String>)> {
        self.program.stop().await?;
        let stored = Stored::file(&self.store).await?.serials().await?;
        let answered = self.accepted.len() as u64 * self.load.events;
        let serials = self.accepted.iter().flat_map(|&first| first..first + self.load.events);
        let lost = serials.filter(|serial| !stored.contains(serial)).count();
        let refused = self.refused;
        let count =
            format!("{answered} events answered with 202, {} in the store, {lost} of them lost; {refused} requests refused", stored.len());
        let fault = if lost > 0 {
            Some(format!("{lost} events were answered with 202 and are not in the store"))
        } else if refused > 0 {
            Some(format!("{refused} requests were refused, so that the rate is of something else"))
        } else if stored.len() as u64 != answered {
            Some(format!("{} events are in the store and {answered} were answered with 202", stored.len()))
        } else {
            None
        };
        Ok((count, fault))
    }
}

fn events_a_second(answered: &Answered, events: u64) -> f64 {
    (answered.accepted.len() as u64 * events) as f64 / answered.time.as_secs_f64()
}

/// The bare server, counted at its own end.
pub(super) struct Bare(Program);

impl Bare {
    pub(super) async fn start(folder: &Path) -> anyhow::Result<Bare> {
        Ok(Bare(Program::bare(folder).await?))
    }

    pub(super) async fn rate(&self, load: &Load, time: Duration) -> anyhow::Result<f64> {
        let before = self.count().await?;
        let answered = load.send(self.0.address, time).await?;
        let (counted, said) = (self.count().await? - before, answered.accepted.len() as u64);
        ensure!(counted == said && answered.refused == 0, "the bare server read {counted} bodies and answered {said}");
        Ok(events_a_second(&answered, 1))
    }

    async fn count(&self) -> anyhow::Result<u64> {
        let (_, body) = Connection::open(self.0.address).await?.get("/count").await?;
        std::str::from_utf8(&body)?.parse().context("the bare server counts")
    }
}

/// How rows get into a transaction.
#[derive(Debug, Clone, Copy)]
pub(super) enum Statement {
    /// All at once: the fastest there is.
    ManyRows,
    /// One by one, with a prepared statement.
    OneRow,
}

/// A database of its own, as safe as the host's, written as fast as can be.
pub(super) struct Bulk {
    connection: SqliteConnection,
    rows: u64,
}

impl Bulk {
    pub(super) async fn open(file: &Path) -> anyhow::Result<Bulk> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .pragma("wal_autocheckpoint", "4000");
        let mut connection = SqliteConnection::connect_with(&options).await?;
        sqlx::query("create table event (id text primary key, body text not null)").execute(&mut connection).await?;
        Ok(Bulk { connection, rows: 0 })
    }

    pub(super) async fn rate(&mut self, time: Duration, statement: Statement) -> anyhow::Result<f64> {
        let started = Instant::now();
        let mut rows = 0;
        while started.elapsed() < time && rows < MOST_ROWS {
            let first = self.rows;
            let mut transaction = self.connection.begin().await?;
            match statement {
                Statement::ManyRows => {
                    let mut query = QueryBuilder::<Sqlite>::new("insert into event (id, body) ");
                    query.push_values(first..first + BULK_ROWS, |mut row, serial| {
                        row.push_bind(serial.to_string()).push_bind(one(serial));
                    });
                    query.build().execute(&mut *transaction).await?;
                }
                Statement::OneRow => {
                    for serial in first..first + BULK_ROWS {
                        let insert = sqlx::query("insert into event (id, body) values (?, ?)");
                        insert.bind(serial.to_string()).bind(one(serial)).execute(&mut *transaction).await?;
                    }
                }
            }
            transaction.commit().await?;
            self.rows += BULK_ROWS;
            rows += BULK_ROWS;
        }
        Ok(rows as f64 / started.elapsed().as_secs_f64())
    }

    pub(super) async fn check(&mut self) -> anyhow::Result<()> {
        let rows: i64 = sqlx::query_scalar("select count(*) from event").fetch_one(&mut self.connection).await?;
        ensure!(u64::try_from(rows)? == self.rows, "the bulk database has {rows} rows of {}", self.rows);
        Ok(())
    }
}
