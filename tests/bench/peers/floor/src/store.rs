//! The file: one thread that writes, and takes all that wait into one transaction. Whoever wrote is answered after the flush.
//!
//! The fewest tables and indexes from which a program that was killed could go on: events whose run has not ended, the intents of these, and
//! which of them have an outcome. There is one index, by the identity of events; everything else is found by number.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use rusqlite::{Connection, Statement, params};
use tokio::sync::{mpsc, oneshot};

/// Most writes in one transaction, and most that wait: as the host has them.
const MOST_TOGETHER: usize = 512;
const QUEUE: usize = 4096;

/// As `host/src/store` opens its file, pragma by pragma.
const PRAGMAS: &str = "
    pragma auto_vacuum = incremental;
    pragma journal_mode = wal;
    pragma synchronous = full;
    pragma foreign_keys = on;
    pragma journal_size_limit = 67108864;
    pragma temp_store = memory;
    pragma secure_delete = fast;
    pragma wal_autocheckpoint = 4000;
";
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// An event's number is its run's. A request's number is its run's times eight, and its step.
const TABLES: &str = "
    create table event (number integer primary key, source text not null, id text not null, body text not null, unique (source, id));
    create table intent (number integer primary key, key text not null, request text not null);
    create table outcome (number integer primary key, status integer not null, response text not null);
    create table ended (run integer primary key);
";
/// Most steps of a run.
pub const MOST_STEPS: usize = 8;

/// Handle of the writing thread. It ends when the last of these is gone.
#[derive(Clone)]
pub struct Store {
    queue: mpsc::Sender<Job>,
    figures: Arc<Figures>,
}

/// An event to be kept, with the first request of its run.
pub struct NewEvent {
    pub source: String,
    pub id: String,
    pub body: Bytes,
    pub intent: Option<Intent>,
}

/// A request that is about to leave.
#[derive(Clone)]
pub struct Intent {
    /// The same whenever it leaves.
    pub key: String,
    pub body: Bytes,
}

/// What an accepted event begins with: number of the run, and its first request, which may leave now. None: it was known.
pub type First = Option<(i64, Option<Intent>)>;

/// The answer to a request, and what comes of it: the next one, or the end.
pub struct Outcome {
    pub run: i64,
    pub step: usize,
    pub status: u16,
    pub response: Bytes,
    pub next: Option<Intent>,
}

enum Job {
    Accept(Vec<NewEvent>, oneshot::Sender<Vec<First>>),
    Settle(Outcome, oneshot::Sender<Option<Intent>>),
}

/// Who is answered what, after the flush.
enum Answer {
    Accepted(oneshot::Sender<Vec<First>>, Vec<First>),
    Settled(oneshot::Sender<Option<Intent>>, Option<Intent>),
}

#[derive(Default)]
struct Figures {
    events: AtomicU64,
    transactions: AtomicU64,
}

/// A new file, and the thread that writes it.
pub fn open(file: &Path) -> anyhow::Result<(Store, JoinHandle<anyhow::Result<()>>)> {
    let connection = Connection::open(file).with_context(|| format!("opening {}", file.display()))?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(PRAGMAS)?;
    connection.execute_batch(TABLES)?;
    let (queue, jobs) = mpsc::channel(QUEUE);
    let store = Store { queue, figures: Arc::default() };
    let figures = store.figures.clone();
    let writer = std::thread::Builder::new().name("writer".to_owned()).spawn(move || {
        let written = write(&connection, jobs, &figures);
        if let Err(error) = &written {
            eprintln!("writing: {error:#}");
        }
        written
    })?;
    Ok((store, writer))
}

impl Store {
    /// Keeps events: those that are not known yet.
    pub async fn accept(&self, events: Vec<NewEvent>) -> anyhow::Result<Vec<First>> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Accept(events, reply)).await.ok().context("the writer is gone")?;
        Ok(answer.await?)
    }

    /// Keeps an outcome and the next intent, which it gives back, or the run's end.
    pub async fn settle(&self, outcome: Outcome) -> anyhow::Result<Option<Intent>> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Settle(outcome, reply)).await.ok().context("the writer is gone")?;
        Ok(answer.await?)
    }

    /// How many events were kept, and how many transactions there were.
    pub fn figures(&self) -> (u64, u64) {
        (self.figures.events.load(Ordering::Relaxed), self.figures.transactions.load(Ordering::Relaxed))
    }
}

fn write(connection: &Connection, mut jobs: mpsc::Receiver<Job>, figures: &Figures) -> anyhow::Result<()> {
    let mut statements = Statements::prepare(connection)?;
    let mut answers = Vec::with_capacity(MOST_TOGETHER);
    while let Some(first) = jobs.blocking_recv() {
        statements.begin.execute([])?;
        let mut next = Some(first);
        while let Some(job) = next {
            answers.push(statements.apply(job)?);
            next = if answers.len() < MOST_TOGETHER { jobs.try_recv().ok() } else { None };
        }
        statements.commit.execute([])?;
        figures.transactions.fetch_add(1, Ordering::Relaxed);
        for answer in answers.drain(..) {
            answer.give(figures);
        }
    }
    Ok(())
}

/// All there are, prepared once.
struct Statements<'a> {
    connection: &'a Connection,
    begin: Statement<'a>,
    commit: Statement<'a>,
    event: Statement<'a>,
    intent: Statement<'a>,
    outcome: Statement<'a>,
    end: Statement<'a>,
}

impl<'a> Statements<'a> {
    fn prepare(connection: &'a Connection) -> rusqlite::Result<Statements<'a>> {
        let event = "insert into event (source, id, body) values (?, ?, ?) on conflict (source, id) do nothing";
        Ok(Statements {
            connection,
            begin: connection.prepare("begin immediate")?,
            commit: connection.prepare("commit")?,
            event: connection.prepare(event)?,
            intent: connection.prepare("insert into intent (number, key, request) values (?, ?, ?)")?,
            outcome: connection.prepare("insert into outcome (number, status, response) values (?, ?, ?)")?,
            end: connection.prepare("insert into ended (run) values (?)")?,
        })
    }

    fn apply(&mut self, job: Job) -> anyhow::Result<Answer> {
        match job {
            Job::Accept(events, reply) => {
                let firsts = events.into_iter().map(|event| self.insert(event)).collect::<anyhow::Result<_>>()?;
                Ok(Answer::Accepted(reply, firsts))
            }
            Job::Settle(Outcome { run, step, status, response, next }, reply) => {
                self.outcome.execute(params![number(run, step), status, std::str::from_utf8(&response)?])?;
                match &next {
                    Some(intent) => self.intend(number(run, step + 1), intent)?,
                    None => drop(self.end.execute([run])?),
                }
                Ok(Answer::Settled(reply, next))
            }
        }
    }

    fn insert(&mut self, event: NewEvent) -> anyhow::Result<First> {
        if self.event.execute(params![event.source, event.id, std::str::from_utf8(&event.body)?])? == 0 {
            return Ok(None);
        }
        let run = self.connection.last_insert_rowid();
        if let Some(intent) = &event.intent {
            self.intend(number(run, 0), intent)?;
        }
        Ok(Some((run, event.intent)))
    }

    fn intend(&mut self, number: i64, intent: &Intent) -> anyhow::Result<()> {
        self.intent.execute(params![number, intent.key, std::str::from_utf8(&intent.body)?])?;
        Ok(())
    }
}

/// Of a request. Neighbours in time are neighbours in the file.
fn number(run: i64, step: usize) -> i64 {
    run * MOST_STEPS as i64 + step as i64
}

impl Answer {
    /// Whoever asked may have gone; what was written stays.
    fn give(self, figures: &Figures) {
        match self {
            Answer::Accepted(reply, firsts) => {
                figures.events.fetch_add(firsts.iter().flatten().count() as u64, Ordering::Relaxed);
                drop(reply.send(firsts));
            }
            Answer::Settled(reply, next) => drop(reply.send(next)),
        }
    }
}
