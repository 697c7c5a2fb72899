//! One connection that writes, and shares its transactions among all who wait (group commit).
//!
//! A flush to disk costs the same for one row as for a thousand. So the writer takes whatever has queued up while
//! the last transaction was under way, runs it in one, and everyone is answered after the flush: by a server's commit, or that of a file's log
//! ([`flush`](super::flush)), beside which the next transaction is written. With nobody waiting a write is committed at once; only where many runs write does
//! the writer of a file leave them a moment to gather ([`pause`]).
//!
//! A write that fails must not take the others with it: then the transaction is rolled back and each write is made
//! again in a transaction of its own. So a write may run twice, and must depend on the database only.
//!
//! A connection that is lost takes the writes of its transaction with it: they are refused, and the next ones get a new connection. Whether a commit
//! that was under way took place nobody knows then; whoever asked asks again, and finds out by identity, fence or version.

use std::fs::File;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use sqlx::postgres::PgConnectOptions;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};

use super::StoreError;
use super::accept::{Accepted, Intake, NewEvent, Rows, Taken};
use super::checkpoint;
use super::file::FileOptions;
use super::flush::{Committed, Flush, Flusher};
use super::job::{self, Closure, Job, Pending};
use super::joint::{Group, Joint};
use super::sql::{Connection, Dialect, sql};
use super::terms::Terms;
use super::wal::{self, log_of};
use crate::crash::{Crash, Point};
use crate::live::{Feed, News};
use crate::telemetry::WriterFigures;

/// Most writes in one transaction. Measured (quality.md): beyond some 500 rows nothing is gained.
const MAX_BATCH: usize = 512;
/// Most writes that wait; beyond it a writer waits for room.
const QUEUE: usize = 4096;
/// How long a new connection may take.
const CONNECT: Duration = Duration::from_secs(5);
/// How long one transaction may take before its connection is given up: a server that went away silently answers nothing.
const TRANSACTION: Duration = Duration::from_secs(30);

/// Writes of runs in a transaction from which on the writer of a file waits for more.
const MANY: u32 = 4;
/// With so many it waits as long as the transaction took. Measured (`cost`, `load`): to wait longer saves no more processor time, and events of a host that is
/// asked for half of what it can do take longer.
const AS_LONG: u32 = 6;
/// Longest wait for more writes.
const LONGEST_PAUSE: Duration = Duration::from_millis(2);

/// Where the writer connects to.
#[derive(Debug, Clone)]
pub(super) enum Target {
    /// A file, which SQLite makes durable as its options say.
    Sqlite(FileOptions),
    /// A file of which the log is flushed beside the commits.
    Flushed(FileOptions, Flush),
    /// A server.
    Postgres(Box<PgConnectOptions>),
}

/// Handle of the writing task.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
    crash: Crash,
    /// Says when it has closed its connection.
    end: Arc<std::sync::Mutex<Option<oneshot::Receiver<()>>>>,
    dialect: Dialect,
    /// Process of the server that serves the writer; 0: none.
    backend: Arc<AtomicU32>,
    figures: WriterFigures,
}

impl Writer {
    /// Connects and starts. `lock` is held as long as the writer works; `feed` gets what becomes durable.
    pub(super) async fn start(target: Target, lock: Option<File>, crash: Crash, feed: Arc<Feed>) -> Result<Writer, sqlx::Error> {
        let backend = Arc::default();
        let figures = WriterFigures::default();
        let progress = checkpoint::Progress::default();
        let flusher = match &target {
            Target::Flushed(_, flush) => {
                Some(Flusher::start(flush.clone(), progress.held().clone(), feed.clone(), figures.clone()).map_err(sqlx::Error::Io)?)
            }
            Target::Sqlite(_) | Target::Postgres(_) => None,
        };
        let mut link = Link {
            target,
            connection: None,
            flusher,
            log: None,
            backend: Arc::clone(&backend),
            crash: crash.clone(),
            feed,
            figures: figures.clone(),
            progress: progress.clone(),
        };
        link.connected().await?;
        let dialect = match &link.target {
            Target::Sqlite(_) | Target::Flushed(..) => Dialect::Sqlite,
            Target::Postgres(_) => Dialect::Postgres,
        };
        let (queue, jobs) = mpsc::channel(QUEUE);
        let checkpoints = match &link.target {
            // Others leave it to SQLite.
            Target::Sqlite(options) | Target::Flushed(options, _) if lock.is_some() => {
                let (options, queue) = (options.clone(), queue.downgrade());
                let finish = async move || {
                    if let Some(queue) = queue.upgrade() {
                        // Gone: so is the writer.
                        let _ = queue.send(Job::Checkpoint).await;
                    }
                };
                Some(tokio::spawn(checkpoint::work(options, progress.clone(), finish)))
            }
            Target::Sqlite(_) | Target::Flushed(..) | Target::Postgres(_) => None,
        };
        let (ended, end) = oneshot::channel();
        let working = async move {
            let under_way = progress.until();
            let connection = work(link, jobs).await;
            drop(under_way);
            if let Some(checkpoints) = checkpoints {
                let _ = checkpoints.await;
            }
            // The last one that closes empties the log.
            if let Some(connection) = connection {
                connection.close().await;
            }
            drop(lock);
            let _ = ended.send(());
        };
        match dialect {
            Dialect::Sqlite => on_a_thread(working).map_err(sqlx::Error::Io)?,
            Dialect::Postgres => drop(tokio::spawn(working)),
        }
        Ok(Writer { queue, crash, end: Arc::new(std::sync::Mutex::new(Some(end))), dialect, backend, figures })
    }

    /// Where this host is to be killed.
    pub(super) fn crash(&self) -> &Crash {
        &self.crash
    }

    /// Which process of the server gives our own signals; 0: none.
    pub(super) fn backend(&self) -> u32 {
        self.backend.load(Ordering::Relaxed)
    }

    /// What it counts.
    pub(super) fn figures(&self) -> &WriterFigures {
        &self.figures
    }

    /// Writes that wait.
    pub(super) fn waiting(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    pub(super) async fn close(&self) {
        let _ = self.queue.send(Job::Close).await;
        let end = self.end.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(end) = end {
            let _ = end.await;
        }
    }

    pub(super) async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let (reply, answer) = oneshot::channel();
        // Nobody else takes locks on a file, and there may be thousands of events.
        let terms = if self.dialect == Dialect::Postgres { Terms::none().events(&events) } else { Terms::none() };
        let terms = terms.point(Point::Accepting);
        let rows = Rows::of(&events);
        self.queue.send(Job::Accept { events, rows, terms, reply }).await.map_err(|_| StoreError::Closed)?;
        Pending(answer).durable().await
    }

    /// Queues a write that shares its statements with others; it is applied in the order of the calls. The returned value waits for the flush.
    pub(super) async fn join(&self, terms: Terms, write: Joint) -> Result<Pending<()>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Joint { write, terms, reply }).await.map_err(|_| StoreError::Closed)?;
        Ok(Pending(answer))
    }

    /// Queues a write; it is applied in the order of the calls. The returned value waits for the flush.
    pub(super) async fn queue<F, R>(&self, terms: Terms, apply: F) -> Result<Pending<R>, StoreError>
    where
        F: for<'c> FnMut(&'c mut Connection) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let write = Box::new(Closure { apply, output: None, reply });
        self.queue.send(Job::Write { write, terms }).await.map_err(|_| StoreError::Closed)?;
        Ok(Pending(answer))
    }

    /// Makes a write durable.
    pub(super) async fn write<F, R>(&self, terms: Terms, apply: F) -> Result<R, StoreError>
    where
        F: for<'c> FnMut(&'c mut Connection) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        self.queue(terms, apply).await?.durable().await
    }
}

/// Works on a thread of its own: SQLite runs where it is asked and waits for the disk there, and all who write wait for it. It is not to hold up those who read
/// events and call plugins, nor to stand in a queue behind them. What a server answers comes to the runtime's threads anyway.
fn on_a_thread(working: impl Future<Output = ()> + Send + 'static) -> std::io::Result<()> {
    let runtime = Handle::current();
    std::thread::Builder::new().name("writer".to_owned()).spawn(move || runtime.block_on(working)).map(drop)
}

/// The connection that writes, made anew when it was lost.
struct Link {
    target: Target,
    connection: Option<Connection>,
    /// Flushes the log that the connection writes to.
    flusher: Option<Flusher>,
    log: Option<Arc<File>>,
    backend: Arc<AtomicU32>,
    crash: Crash,
    feed: Arc<Feed>,
    figures: WriterFigures,
    progress: checkpoint::Progress,
}

impl Link {
    async fn connected(&mut self) -> Result<&mut Connection, sqlx::Error> {
        if self.connection.is_none() {
            let connecting = async {
                Ok::<_, sqlx::Error>(match &self.target {
                    Target::Sqlite(options) => Connection::to_file(options)?,
                    Target::Flushed(options, _) => Connection::to_file(&options.clone().pragma("synchronous", "normal"))?,
                    Target::Postgres(options) => Connection::to_server(options).await?,
                })
            };
            let timeout = |_| sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "no connection within 5 s"));
            let mut connection = tokio::time::timeout(CONNECT, connecting).await.map_err(timeout)??;
            if connection.dialect() == Dialect::Postgres {
                let backend: i32 = sql("select pg_backend_pid()").scalar(&mut connection).await?;
                self.backend.store(u32::try_from(backend).unwrap_or(0), Ordering::Relaxed);
            }
            if let Target::Flushed(options, _) = &self.target {
                // The log is there from the first read on, and as long as the connection is.
                sql("select count(*) from sqlite_schema").fetch_all(&mut connection).await?;
                self.log = Some(Arc::new(File::open(log_of(options.path())).map_err(sqlx::Error::Io)?));
            }
            self.connection = Some(connection);
        }
        let connection = self.connection.as_mut().expect("a connection was just made");
        if let (Target::Flushed(options, _), Some(flusher)) = (&self.target, self.flusher.as_ref().filter(|flusher| flusher.has_failed())) {
            let (log, pages) = (log_of(options.path()), checkpoint::pages(connection).await?);
            // Nobody else adds to it meanwhile, or has it begin anew.
            sql("begin immediate").execute(&mut *connection).await?;
            let written = tokio::task::spawn_blocking(move || wal::write_again(&log, pages)).await;
            sql("rollback").execute(&mut *connection).await?;
            written.map_err(std::io::Error::other).flatten().map_err(sqlx::Error::Io)?;
            flusher.healed();
        }
        Ok(connection)
    }

    /// It works on a thread of its own ([`on_a_thread`]).
    fn has_a_thread(&self) -> bool {
        matches!(self.target, Target::Sqlite(_) | Target::Flushed(..))
    }

    /// Waits until another transaction may be written beside those that are on their way to the disk.
    async fn has_room(&mut self) {
        if let Some(flusher) = &self.flusher {
            drop(flusher.place().await);
        }
    }

    /// Waits for what is on its way to the disk, and says whether the log is whole there, as far as is known.
    async fn ends_whole(&mut self) -> bool {
        let Some(flusher) = &self.flusher else { return true };
        flusher.idle().await;
        !flusher.has_failed() || self.connected().await.is_ok()
    }

    /// These were committed: runs that were leased with their acceptance begin, and who asked is answered once that is durable.
    async fn committed(&mut self, jobs: Vec<Job>, (taken, news, began): Done) {
        match (&self.flusher, &self.log) {
            (Some(flusher), Some(log)) => {
                let begun = job::begin(&jobs, &taken);
                let place = flusher.place().await;
                flusher.flush(Committed { jobs, taken, begun, news, began }, log.clone(), place);
            }
            _ => {
                self.figures.commits.observe(began.elapsed().as_secs_f64());
                // Here rather than by who asked, who may have gone away.
                job::hand_over(&jobs, &taken, None);
                job::answer(jobs, taken, news, &self.feed);
            }
        }
    }
}

/// Gives the connection back at the end.
async fn work(mut link: Link, mut jobs: mpsc::Receiver<Job>) -> Option<Connection> {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        link.has_room().await;
        if jobs.recv_many(&mut batch, MAX_BATCH).await == 0 {
            break;
        }
        let close = batch.iter().any(|job| matches!(job, Job::Close));
        let checkpoint = batch.iter().any(|job| matches!(job, Job::Checkpoint));
        let jobs_now: Vec<Job> = batch.drain(..).filter(|job| !matches!(job, Job::Checkpoint | Job::Close)).collect();
        if !jobs_now.is_empty() {
            let (writes, began) = (writes_of_runs(&jobs_now), Instant::now());
            serve(&mut link, jobs_now).await;
            link.progress.wrote();
            if link.has_a_thread() {
                std::thread::sleep(pause(writes, began.elapsed()));
            }
        }
        if checkpoint && let Some(connection) = &mut link.connection {
            // What fails here is tried again with the next one.
            let _ = checkpoint::copy(connection).await;
        }
        if close {
            break;
        }
    }
    let whole = link.ends_whole().await;
    if let Some(flusher) = link.flusher {
        flusher.close().await;
    }
    if !whole {
        // SQLite copies the log when its last connection closes, and looks at no checksum: what the disk has lost would get into the database. While
        // this one is open none is the last, and whoever opens the file next reads its log as far as it is whole.
        std::mem::forget(link.connection.take());
    }
    // Everyone who still waits learns that the store is closed by the dropped channel.
    link.connection
}

/// Writes of runs in a transaction, unless most of it is something else.
fn writes_of_runs(jobs: &[Job]) -> u32 {
    let writes = jobs.iter().filter(|job| matches!(job, Job::Joint { .. })).count();
    if 2 * writes > jobs.len() { u32::try_from(writes).unwrap_or(u32::MAX) } else { 0 }
}

/// How long the writer of a file waits for more writes of runs after a transaction that had so many of them. A dozen together cost little more than one: each
/// table has its statement, and rows that come together share their pages. So the more there were, the longer it leaves the next ones to gather; where
/// few are on their way nothing waits. Not for intakes: who sends events has them answered before it sends more.
fn pause(writes: u32, took: Duration) -> Duration {
    if writes < MANY { Duration::ZERO } else { (took * writes / AS_LONG).min(LONGEST_PAUSE) }
}

/// Applies jobs together; where that fails, each on its own, so that one that can't be applied takes no other with it.
async fn serve(link: &mut Link, mut jobs: Vec<Job>) {
    match together(link, &mut jobs).await {
        Ok(done) => link.committed(jobs, done).await,
        // Somebody else has the database, or it can't be reached: that would be so for each of them, after another wait each.
        Err(Failed::Begin(error)) => job::refuse_all(jobs, &error),
        Err(Failed::Write(_)) if jobs.len() > 1 && link.connection.is_some() => {
            let mut jobs = jobs.into_iter();
            while let Some(mut job) = jobs.next() {
                match together(link, std::slice::from_mut(&mut job)).await {
                    Ok(done) => link.committed(vec![job], done).await,
                    // It would be so for each of those that follow, after another wait each.
                    Err(Failed::Begin(error) | Failed::Write(error)) if link.connection.is_none() || error.is_lock_timeout() => {
                        job::refuse(job, StoreError::Unavailable(crate::telemetry::chain(&error)));
                        return job::refuse_all(jobs.collect(), &error);
                    }
                    Err(Failed::Begin(error) | Failed::Write(error)) => job::refuse(job, error),
                }
            }
        }
        Err(Failed::Write(error)) if jobs.len() > 1 => job::refuse_all(jobs, &error),
        Err(Failed::Write(error)) => {
            if let Some(job) = jobs.pop() {
                job::refuse(job, error);
            }
        }
    }
}

/// Where a transaction failed.
enum Failed {
    /// It did not begin.
    Begin(StoreError),
    /// A write, or the commit.
    Write(StoreError),
}

/// Applies all jobs in one transaction. What became of `Accept` jobs comes back in their order. A connection that may be broken is dropped.
async fn together(link: &mut Link, jobs: &mut [Job]) -> Result<Done, Failed> {
    let begin = |source| Failed::Begin(StoreError::Database { doing: "begin a transaction", source });
    let crash = link.crash.clone();
    let (began, writes) = (Instant::now(), jobs.len());
    let connection = link.connected().await.map_err(begin)?;
    let done = tokio::time::timeout(TRANSACTION, transaction(connection, jobs, &crash)).await;
    let done = done.unwrap_or_else(|_| {
        let source = sqlx::Error::Io(std::io::Error::new(std::io::ErrorKind::TimedOut, "the database did not answer within 30 s"));
        Err(Failed::Write(StoreError::Database { doing: "write", source }))
    });
    let usable = match &done {
        Ok(_) => true,
        // Another process has the file; the connection to it is as good as before.
        Err(Failed::Begin(error)) => connection.dialect() == Dialect::Sqlite && error.is_busy(),
        // One that can't even roll back is of no use, and one that was broken off in the middle of an answer neither.
        Err(Failed::Write(error)) => {
            !error.is_lost() && tokio::time::timeout(CONNECT, connection.rollback()).await.is_ok_and(|undone| undone.is_ok())
        }
    };
    if done.is_ok() {
        link.figures.writes.observe(writes as f64);
    } else if !matches!(done, Err(Failed::Write(StoreError::Fenced))) {
        link.figures.failures.inc();
    }
    if !usable {
        link.connection = None;
    }
    done.map(|(taken, news)| (taken, news, began))
}

/// What became of intakes, what the transaction changed, and when it began.
type Done = (Vec<Arc<Taken>>, Vec<News>, Instant);

async fn transaction(connection: &mut Connection, jobs: &mut [Job], crash: &Crash) -> Result<(Vec<Arc<Taken>>, Vec<News>), Failed> {
    connection.begin().await.map_err(|source| Failed::Begin(StoreError::Database { doing: "begin a transaction", source }))?;
    let shared = connection.dialect() == Dialect::Postgres;
    let failed = |doing| move |source| Failed::Write(StoreError::Database { doing, source });
    let terms: Vec<Terms> = if shared { jobs.iter().filter_map(Job::terms).cloned().collect() } else { Vec::new() };
    if shared {
        Terms::take_locks(connection, &terms).await.map_err(failed("lock"))?;
    }
    let taken = apply(connection, jobs, crash).await.map_err(Failed::Write)?;
    if shared {
        Terms::give_signals(connection, &terms).await.map_err(failed("notify the other hosts"))?;
    }
    connection.commit().await.map_err(failed("commit"))?;
    Ok((taken, connection.take_news()))
}

async fn apply(connection: &mut Connection, jobs: &mut [Job], crash: &Crash) -> Result<Vec<Arc<Taken>>, StoreError> {
    let mut taken = Vec::new();
    let mut index = 0;
    while index < jobs.len() {
        match &mut jobs[index] {
            Job::Accept { .. } | Job::Joint { .. } => {
                // What can be written together is; order against other writes is kept.
                let mut group = Group::default();
                let mut count = 0;
                for job in &jobs[index..] {
                    let joins = match job {
                        Job::Accept { events, rows, .. } => group.take_in(Intake { events, rows }),
                        Job::Joint { write, .. } => group.join(write),
                        Job::Write { .. } | Job::Checkpoint | Job::Close => false,
                    };
                    if !joins {
                        break;
                    }
                    count += 1;
                }
                let intakes = group.intakes();
                taken.extend(std::iter::repeat_n(Arc::new(group.write(connection, crash).await?), intakes));
                jobs[index..index + count].iter().filter_map(Job::terms).for_each(|terms| terms.pass(crash));
                index += count;
            }
            Job::Write { write, terms } => {
                write.apply(connection).await?;
                terms.pass(crash);
                index += 1;
            }
            Job::Checkpoint | Job::Close => index += 1,
        }
    }
    Ok(taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_writes_of_runs_wait_for_no_others_and_many_for_a_moment() {
        let took = Duration::from_micros(300);
        assert_eq!((pause(0, took), pause(MANY - 1, took)), (Duration::ZERO, Duration::ZERO));
        assert_eq!((pause(AS_LONG, took), pause(4 * AS_LONG, took)), (took, 4 * took));
        assert_eq!(pause(u32::MAX, Duration::from_secs(1)), LONGEST_PAUSE);
    }
}
