//! One connection that writes, and shares its transactions among all who wait (group commit).
//!
//! A flush to disk costs the same for one row as for a thousand. So the writer takes whatever has queued up while
//! the last flush was under way, runs it in one transaction, and answers everyone after the commit. With nobody waiting
//! a write is committed at once: batching adds no delay.
//!
//! A write that fails must not take the others with it: then the transaction is rolled back and each write is made
//! again in a transaction of its own. So a write may run twice, and must depend on the database only.

use std::fs::File;
use std::sync::Arc;

use futures::future::BoxFuture;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use super::StoreError;
use super::accept::{self, Accepted, NewEvent};

/// Most writes in one transaction. Measured (quality.md): beyond some 500 rows nothing is gained.
const MAX_BATCH: usize = 512;
/// Most writes that wait; beyond it a writer waits for room.
const QUEUE: usize = 4096;

/// Handle of the writing task.
#[derive(Debug, Clone)]
pub(super) struct Writer {
    queue: mpsc::Sender<Job>,
    task: Arc<std::sync::Mutex<Option<JoinHandle<()>>>>,
}

enum Job {
    /// Events taken in; all that wait are inserted together.
    Accept {
        events: Vec<NewEvent>,
        reply: oneshot::Sender<Result<Vec<Accepted>, StoreError>>,
    },
    /// Any other write.
    Write(Box<dyn Write>),
    Close,
}

/// A write that can be applied again after a rollback.
trait Write: Send {
    fn apply<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), StoreError>>;
    fn reply(self: Box<Self>, result: Result<(), StoreError>);
}

struct Closure<F, R> {
    apply: F,
    output: Option<R>,
    reply: oneshot::Sender<Result<R, StoreError>>,
}

impl<F, R> Write for Closure<F, R>
where
    F: for<'c> FnMut(&'c mut SqliteConnection) -> BoxFuture<'c, Result<R, StoreError>> + Send,
    R: Send,
{
    fn apply<'c>(&'c mut self, connection: &'c mut SqliteConnection) -> BoxFuture<'c, Result<(), StoreError>> {
        Box::pin(async move {
            self.output = None;
            self.output = Some((self.apply)(connection).await?);
            Ok(())
        })
    }

    fn reply(self: Box<Self>, result: Result<(), StoreError>) {
        let Closure { output, reply, .. } = *self;
        let result = result.map(|()| output.expect("a write that was applied has an output"));
        // The asker may have gone away; the write is done all the same.
        let _ = reply.send(result);
    }
}

/// A write on its way: awaited by who needs it durable, dropped by who only needs it in order.
pub(super) struct Pending<R>(oneshot::Receiver<Result<R, StoreError>>);

impl<R> Pending<R> {
    pub(super) async fn durable(self) -> Result<R, StoreError> {
        self.0.await.unwrap_or(Err(StoreError::Closed))
    }
}

impl Writer {
    pub(super) async fn start(options: &SqliteConnectOptions, lock: Option<File>) -> Result<Writer, sqlx::Error> {
        let connection = options.connect().await?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        let task = tokio::spawn(async move {
            // The lock lives as long as the connection that writes.
            let _lock = lock;
            work(connection, jobs).await;
        });
        Ok(Writer { queue, task: Arc::new(std::sync::Mutex::new(Some(task))) })
    }

    pub(super) async fn close(&self) {
        let _ = self.queue.send(Job::Close).await;
        let task = self.task.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
        if let Some(task) = task {
            let _ = task.await;
        }
    }

    pub(super) async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(Job::Accept { events, reply }).await.map_err(|_| StoreError::Closed)?;
        Pending(answer).durable().await
    }

    /// Queues a write; it is applied in the order of the calls. The returned value waits for the flush.
    pub(super) async fn queue<F, R>(&self, apply: F) -> Result<Pending<R>, StoreError>
    where
        F: for<'c> FnMut(&'c mut SqliteConnection) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let write = Closure { apply, output: None, reply };
        self.queue.send(Job::Write(Box::new(write))).await.map_err(|_| StoreError::Closed)?;
        Ok(Pending(answer))
    }

    /// Makes a write durable.
    pub(super) async fn write<F, R>(&self, apply: F) -> Result<R, StoreError>
    where
        F: for<'c> FnMut(&'c mut SqliteConnection) -> BoxFuture<'c, Result<R, StoreError>> + Send + 'static,
        R: Send + 'static,
    {
        self.queue(apply).await?.durable().await
    }
}

async fn work(mut connection: SqliteConnection, mut jobs: mpsc::Receiver<Job>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        if jobs.recv_many(&mut batch, MAX_BATCH).await == 0 {
            break;
        }
        let close = batch.iter().any(|job| matches!(job, Job::Close));
        let jobs_now: Vec<Job> = batch.drain(..).filter(|job| !matches!(job, Job::Close)).collect();
        serve(&mut connection, jobs_now).await;
        if close {
            break;
        }
    }
    // Everyone who still waits learns that the store is closed by the dropped channel.
    let _ = connection.close().await;
}

/// Applies jobs together; where that fails, each on its own, so that one that can't be applied takes no other with it.
async fn serve(connection: &mut SqliteConnection, mut jobs: Vec<Job>) {
    match together(connection, &mut jobs).await {
        Ok(accepted) => answer(jobs, accepted),
        // Somebody else has the database: that would be so for each of them, after another wait each.
        Err(Failed::Begin(error)) => {
            let why = crate::telemetry::chain(&error);
            for job in jobs {
                refuse(job, StoreError::Busy(why.clone()));
            }
        }
        Err(Failed::Write(_)) if jobs.len() > 1 => {
            for mut job in jobs {
                match together(connection, std::slice::from_mut(&mut job)).await {
                    Ok(accepted) => answer(vec![job], accepted),
                    Err(Failed::Begin(error) | Failed::Write(error)) => refuse(job, error),
                }
            }
        }
        Err(Failed::Write(error)) => {
            if let Some(job) = jobs.pop() {
                refuse(job, error);
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

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Failed {
        Failed::Write(error)
    }
}

/// Applies all jobs in one transaction. The outcomes of `Accept` jobs come back in order.
async fn together(connection: &mut SqliteConnection, jobs: &mut [Job]) -> Result<Vec<Vec<Accepted>>, Failed> {
    let mut transaction =
        connection.begin_with("begin immediate").await.map_err(StoreError::doing("begin a transaction")).map_err(Failed::Begin)?;
    let mut accepted = Vec::new();
    let mut index = 0;
    while index < jobs.len() {
        match &mut jobs[index] {
            Job::Accept { .. } => {
                // Neighbouring intakes become one multi-row insert; order against other writes is kept.
                let run = jobs[index..].iter().take_while(|job| matches!(job, Job::Accept { .. })).count();
                let groups: Vec<&[NewEvent]> = jobs[index..index + run]
                    .iter()
                    .map(|job| match job {
                        Job::Accept { events, .. } => events.as_slice(),
                        Job::Write(_) | Job::Close => unreachable!("only intakes were counted"),
                    })
                    .collect();
                accepted.extend(accept::insert(&mut transaction, &groups).await?);
                index += run;
            }
            Job::Write(write) => {
                write.apply(&mut transaction).await?;
                index += 1;
            }
            Job::Close => index += 1,
        }
    }
    transaction.commit().await.map_err(StoreError::doing("commit"))?;
    Ok(accepted)
}

fn answer(jobs: Vec<Job>, accepted: Vec<Vec<Accepted>>) {
    let mut accepted = accepted.into_iter();
    for job in jobs {
        match job {
            Job::Accept { reply, .. } => {
                let outcome = accepted.next().expect("every intake has an outcome");
                let _ = reply.send(Ok(outcome));
            }
            Job::Write(write) => write.reply(Ok(())),
            Job::Close => {}
        }
    }
}

fn refuse(job: Job, error: StoreError) {
    match job {
        Job::Accept { reply, .. } => {
            let _ = reply.send(Err(error));
        }
        Job::Write(write) => write.reply(Err(error)),
        Job::Close => {}
    }
}
