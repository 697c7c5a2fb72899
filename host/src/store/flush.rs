//! Flushes the log of a file beside the commits: while one transaction is on its way to the disk, the next is written.
//!
//! SQLite flushes within a commit, and the connection waits for the disk as long as it takes. Here a commit only writes to the log
//! (`synchronous=NORMAL`, sqlite.org/pragma.html#pragma_synchronous), and a thread flushes it: once for all transactions that have been committed until then.
//! Nobody is answered, and nothing is told, before that. The log is read up to its first damage after a power cut, so what is durable is
//! always everything up to some commit, and what was answered is in it. Copying the log into the database, which SQLite does by itself or
//! [`checkpoint`](super::checkpoint) has it do, flushes the log first.
//!
//! Readers may see what is not durable yet. Whatever follows from it leaves the host behind a write of its own, and that is durable later.

use std::fmt;
use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::StoreError;
use super::accept::Taken;
use super::job::{self, Begun, Job};
use crate::live::{Feed, News};
use crate::telemetry::WriterFigures;

/// Transactions that are committed and not flushed: one that is being flushed, and the next. With more of them the groups that share a transaction would
/// get smaller, for nothing: the disk takes one flush at a time.
const AT_ONCE: u32 = 2;

/// A transaction that is committed, and those who wait for it.
pub(super) struct Committed {
    /// What was written.
    pub(super) jobs: Vec<Job>,
    /// What became of the intakes among it, in order.
    pub(super) taken: Vec<Arc<Taken>>,
    /// Runs have begun with the intakes.
    pub(super) begun: Option<Begun>,
    /// What it changed.
    pub(super) news: Vec<News>,
    /// When it began.
    pub(super) began: Instant,
}

/// What makes a log durable.
type SyncData = dyn Fn(&File) -> io::Result<()> + Send + Sync;

/// Makes a log durable: [`File::sync_data`], or what a test puts in its place.
#[derive(Clone)]
pub(super) struct Flush(Arc<SyncData>);

impl Flush {
    /// By this function, which is given the log.
    pub(super) fn by(flush: impl Fn(&File) -> io::Result<()> + Send + Sync + 'static) -> Flush {
        Flush(Arc::new(flush))
    }
}

impl fmt::Debug for Flush {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Flush")
    }
}

/// A transaction, the log that it was written to, and its place.
type Handed = (Committed, Arc<File>, OwnedSemaphorePermit);

/// Handle of the thread that flushes.
pub(super) struct Flusher {
    hand: mpsc::Sender<Handed>,
    places: Arc<Semaphore>,
    failed: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Flusher {
    /// Starts it. `failed` is set while a flush has failed; `feed` gets what became durable.
    pub(super) fn start(flush: Flush, failed: Arc<AtomicBool>, feed: Arc<Feed>, figures: WriterFigures) -> io::Result<Flusher> {
        let (hand, handed) = mpsc::channel();
        let work = Work { flush, failed: failed.clone(), feed, figures };
        let thread = thread::Builder::new().name("flush".to_owned()).spawn(move || work.until_closed(&handed))?;
        Ok(Flusher { hand, places: Arc::new(Semaphore::new(AT_ONCE as usize)), failed, thread })
    }

    /// A place for a transaction, as soon as there is one.
    pub(super) async fn place(&self) -> OwnedSemaphorePermit {
        self.places.clone().acquire_owned().await.expect("the places are never closed")
    }

    /// Returns when nothing is on its way to the disk.
    pub(super) async fn idle(&self) {
        drop(self.places.acquire_many(AT_ONCE).await.expect("the places are never closed"));
    }

    /// Has a transaction flushed, and those answered who wait for it.
    pub(super) fn flush(&self, committed: Committed, log: Arc<File>, place: OwnedSemaphorePermit) {
        if let Err(mpsc::SendError((committed, ..))) = self.hand.send((committed, log, place)) {
            job::refuse_all(committed.jobs, &StoreError::Unavailable("the thread that flushes is gone".to_owned()));
        }
    }

    /// A flush has failed. The system may say of the next one that all is well although it has given up what that one was about: nothing counts
    /// as durable before all of the log was written again.
    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire)
    }

    /// All of the log was written again, and flushed.
    pub(super) fn healed(&self) {
        self.failed.store(false, Ordering::Release);
    }

    /// Flushes what is left, and ends.
    pub(super) async fn close(self) {
        let Flusher { hand, thread, .. } = self;
        drop(hand);
        let _ = tokio::task::spawn_blocking(move || thread.join()).await;
    }
}

/// What the thread has.
struct Work {
    flush: Flush,
    failed: Arc<AtomicBool>,
    feed: Arc<Feed>,
    figures: WriterFigures,
}

impl Work {
    fn until_closed(self, handed: &mpsc::Receiver<Handed>) {
        while let Ok(first) = handed.recv() {
            let group: Vec<Handed> = std::iter::once(first).chain(handed.try_iter()).collect();
            let flushed = self.flush(&group);
            if let Err(why) = &flushed {
                tracing::error!(error = crate::telemetry::chain(why), "what was written to the database's log could not be made durable");
            }
            // Their places are free before they are answered: who writes need not wait for that.
            let group: Vec<Committed> = group.into_iter().map(|(committed, ..)| committed).collect();
            for Committed { jobs, taken, begun, news, began } in group {
                match &flushed {
                    Ok(()) => {
                        self.figures.commits.observe(began.elapsed().as_secs_f64());
                        if let Some(begun) = begun {
                            let _ = begun.send(Ok(()));
                        }
                        job::answer(jobs, taken, news, &self.feed);
                    }
                    Err(why) => {
                        self.figures.failures.inc();
                        if let Some(begun) = begun {
                            let _ = begun.send(Err(StoreError::Unavailable(crate::telemetry::chain(why))));
                        }
                        job::refuse_all(jobs, why);
                    }
                }
            }
        }
    }

    fn flush(&self, group: &[Handed]) -> Result<(), StoreError> {
        let unflushed = |why: String| StoreError::Unavailable(format!("its log could not be flushed: {why}"));
        if self.failed.load(Ordering::Acquire) {
            return Err(unflushed("a flush before this one has failed".to_owned()));
        }
        // Another log only where the connection is another.
        for logs in group.chunk_by(|(_, one, _), (_, other, _)| Arc::ptr_eq(one, other)) {
            if let Err(error) = (self.flush.0)(&logs[0].1) {
                self.failed.store(true, Ordering::Release);
                return Err(unflushed(error.to_string()));
            }
        }
        Ok(())
    }
}
