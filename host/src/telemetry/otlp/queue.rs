//! What waits for the collector: bounded. Who puts something in never waits; what has no room is counted and gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Most that is sent at once: OpenTelemetry's own default.
const BATCH: usize = 512;
/// How long a batch is gathered.
const GATHER: Duration = Duration::from_secs(1);

/// What became of what was to be sent.
#[derive(Debug, Default)]
pub struct Counts {
    /// Taken by the collector.
    pub exported: AtomicU64,
    /// Not taken, after everything that was tried.
    pub failed: AtomicU64,
    /// No room in the queue.
    pub dropped: AtomicU64,
    is_failing: AtomicBool,
}

impl Counts {
    /// Counts a batch, and says in the log when that changes for better or worse.
    pub(super) fn note(&self, signal: &'static str, many: usize, result: Result<(), String>) {
        let many = many as u64;
        match result {
            Ok(()) => {
                self.exported.fetch_add(many, Ordering::Relaxed);
                if self.is_failing.swap(false, Ordering::Relaxed) {
                    tracing::info!(signal, "the collector takes telemetry again");
                }
            }
            Err(error) => {
                self.failed.fetch_add(many, Ordering::Relaxed);
                if !self.is_failing.swap(true, Ordering::Relaxed) {
                    tracing::warn!(signal, error, "the collector does not take telemetry; runs go on without it");
                }
            }
        }
    }
}

/// The end into which things are put. Cheap to clone.
#[derive(Debug)]
pub(super) struct Queue<T> {
    sender: mpsc::Sender<T>,
    counts: Arc<Counts>,
}

impl<T> Clone for Queue<T> {
    fn clone(&self) -> Queue<T> {
        Queue { sender: self.sender.clone(), counts: self.counts.clone() }
    }
}

impl<T> Queue<T> {
    pub(super) fn new(most: usize, counts: Arc<Counts>) -> (Queue<T>, mpsc::Receiver<T>) {
        let (sender, receiver) = mpsc::channel(most);
        (Queue { sender, counts }, receiver)
    }

    /// Puts it in, or counts it as gone.
    pub(super) fn put(&self, item: T) {
        if self.sender.try_send(item).is_err() {
            self.counts.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Sends what comes, in batches, until it is told to stop: then what is there, and no more.
pub(super) async fn work<T>(mut queue: mpsc::Receiver<T>, stop: CancellationToken, mut export: impl AsyncFnMut(Vec<T>)) {
    let mut batch = Vec::new();
    while !stop.is_cancelled() {
        tokio::select! {
            taken = queue.recv_many(&mut batch, BATCH) => if taken == 0 { return },
            () = stop.cancelled() => break,
        }
        let gathered = tokio::time::sleep(GATHER);
        tokio::pin!(gathered);
        while batch.len() < BATCH {
            let room = BATCH - batch.len();
            tokio::select! {
                taken = queue.recv_many(&mut batch, room) => if taken == 0 { break },
                () = &mut gathered => break,
                () = stop.cancelled() => break,
            }
        }
        export(std::mem::take(&mut batch)).await;
    }
    queue.close();
    while queue.recv_many(&mut batch, BATCH).await > 0 {
        export(std::mem::take(&mut batch)).await;
    }
}
