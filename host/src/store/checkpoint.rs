//! Brings the log of a file back into the database, beside the writer.
//!
//! A commit appends to the log. Left to itself, SQLite copies the log into the database within the commit that finds it long: whoever waits for that one waits
//! for thousands of pages, and for their flush. Here another connection copies them while the writer goes on. What was appended meanwhile the writer copies
//! itself, between two transactions: only a log of which nothing is left begins anew, and it is little.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::file::FileOptions;
use super::sql::{Connection, sql};

/// Pages in the log, of 4 KiB each, from which on they are copied.
const LONG: i64 = 4000;
/// Pages that are left to the writer.
const FEW: i64 = 500;
/// Most passes beside the writer before it gets what is left, however much that is.
const PASSES: u32 = 3;
/// Pages in the log from which on a commit copies them after all: the one beside it does not get on.
pub(super) const TOO_LONG: &str = "32000";
/// Between two looks at the log, while something is written.
const PAUSE: Duration = Duration::from_millis(50);
/// After one that failed.
const FAILED: Duration = Duration::from_secs(5);

/// What the writer tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Progress {
    wrote: Arc<Notify>,
    over: CancellationToken,
    held: Arc<AtomicBool>,
}

impl Progress {
    /// A transaction was committed.
    pub(super) fn wrote(&self) {
        self.wrote.notify_one();
    }

    /// What holds it up while it is set: a log that has a gap on the disk must not be copied.
    pub(super) fn held(&self) -> &Arc<AtomicBool> {
        &self.held
    }

    /// There will be no more once this is dropped.
    pub(super) fn until(&self) -> DropGuard {
        self.over.clone().drop_guard()
    }
}

/// Copies until the writer is gone. `finish`: has it copy what is left.
pub(super) async fn work(options: FileOptions, progress: Progress, finish: impl AsyncFn()) {
    let mut connection = None;
    let writes = async || {
        progress.wrote.notified().await;
        tokio::time::sleep(PAUSE).await;
    };
    while progress.over.run_until_cancelled(writes()).await.is_some() {
        if progress.held.load(Ordering::Acquire) {
            continue;
        }
        // One that has begun comes to its end: the file is closed then.
        let options = options.clone();
        let pass = move || Handle::current().block_on(shorten(connection, &options));
        let Ok((open, is_long)) = tokio::task::spawn_blocking(pass).await else {
            tracing::error!(
                "copying the database's log into it broke an invariant; until this host is started anew commits do it, and take longer"
            );
            return;
        };
        connection = open;
        match is_long {
            Ok(true) => finish().await,
            Ok(false) => {}
            Err(error) => {
                tracing::warn!(
                    error = crate::telemetry::chain(&error),
                    "the database's log could not be copied into it; this host tries again"
                );
                connection = None;
                progress.over.run_until_cancelled(tokio::time::sleep(FAILED)).await;
            }
        }
    }
    if let Some(connection) = connection {
        connection.close().await;
    }
}

/// Copies a log that is long; says whether it was. Waits for the disk: not on one of the runtime's threads.
async fn shorten(connection: Option<Connection>, options: &FileOptions) -> (Option<Connection>, Result<bool, sqlx::Error>) {
    let mut connection = match connection.map_or_else(|| Connection::to_file(options), Ok) {
        Ok(connection) => connection,
        Err(error) => return (None, Err(error)),
    };
    let is_long = copy_long(&mut connection).await;
    (Some(connection), is_long)
}

async fn copy_long(connection: &mut Connection) -> Result<bool, sqlx::Error> {
    if left(connection).await? < LONG {
        return Ok(false);
    }
    for _ in 0..PASSES {
        copy(connection).await?;
        if left(connection).await? <= FEW {
            break;
        }
    }
    Ok(true)
}

/// Pages in the log that are not in the database.
async fn left(connection: &mut Connection) -> Result<i64, sqlx::Error> {
    let row = sql("pragma wal_checkpoint(noop)").fetch_one(connection).await?;
    Ok(row.get::<i64>(1) - row.get::<i64>(2))
}

/// Pages in the log.
pub(super) async fn pages(connection: &mut Connection) -> Result<u64, sqlx::Error> {
    let row = sql("pragma wal_checkpoint(noop)").fetch_one(connection).await?;
    Ok(u64::try_from(row.get::<i64>(1)).unwrap_or(0))
}

/// Copies what nobody reads from the log any more; waits for nobody.
pub(super) async fn copy(connection: &mut Connection) -> Result<(), sqlx::Error> {
    sql("pragma wal_checkpoint(passive)").fetch_all(connection).await.map(drop)
}
