//! The only SQL. One file per table or statement family; everything here takes and gives domain types.
//!
//! Writers share transactions: every write is a closure handed to one [`writer`], which runs all that wait in one
//! transaction and answers them after the flush to disk. Readers have connections of their own (WAL).
//!
//! Statements are written once for SQLite and PostgreSQL ([`sql`]); where the dialects differ, the statement says so beside it. With PostgreSQL
//! several hosts share a store: [`terms`] says what a write needs then.

mod accept;
mod audit;
mod backup;
mod batch;
mod batch_over;
mod canary;
mod cause;
mod checkpoint;
mod claim;
mod consent;
mod dead_letter;
mod doubt;
mod effect;
mod erasure;
mod figures;
mod file;
mod flush;
mod health;
mod host;
mod job;
mod joint;
mod key_value;
mod limit;
mod listener;
mod look;
mod migration;
mod order;
mod personal;
mod query;
mod receive;
mod recorded;
mod registry;
mod replay;
mod retention;
mod row;
mod run;
mod sealed;
mod secret;
mod session;
mod set_aside;
mod size;
mod source;
mod source_order;
mod sql;
mod subscriber;
mod terms;
#[cfg(test)]
mod tests;
mod undo;
mod verify;
mod voice;
mod wait;
mod wal;
mod writer;

pub use accept::{Accepted, FirstLease, NewEvent, NewRun, Taker};
pub use audit::AuditFilter;
pub use backup::BackupError;
pub use batch::{BatchEnd, BatchMember, IDENTITY as BATCH_IDENTITY, KIND as BATCH, MemberEnd, NewBatch, OpenBatch, Resumed};
pub use canary::CanaryRollback;
pub use cause::{CauseRow, DeadRun, NewCause};
pub use claim::{ClaimedRun, OpenRuns};
pub use consent::ConsentRow;
pub use dead_letter::{DeadLetter, DeadLetterFilter, DeadLetterPage};
pub use doubt::{Decision, DecisionRefused, DoubtId};
pub use effect::{AttemptPlace, EffectId, EffectRow, EffectState, Intent, JournalSnapshot, Opening, Recording};
pub use erasure::{Erasure, ErasureFigures};
pub use figures::DeadOfAction;
pub use health::{HealthRow, Turn};
pub use host::HostRow;
pub use job::Receipt;
pub use key_value::{Claim, KeyRead, KeySettlement, SeenValue, key_size};
pub use limit::BreakerRow;
pub use listener::{Heard, Listener};
pub use look::Schema;
pub use order::{Cancelled, KeyHolder};
pub use personal::{Identity, KeyRow, ReadRow, Rewritten, Scan, ScanPlace, Window};
pub use query::{AttemptRow, EventFilter, EventPage, EventRow, RunRow, StepRow};
pub use recorded::RecordedRead;
pub use registry::RevisionRow;
pub use replay::{NewReplay, ReplayRefused};
pub use retention::{Over, OverBefore, PrunedUpTo};
pub use run::{AttemptEnd, RunSettlement, Settling, StepValue, Woken};
pub use sealed::{FINGERPRINT, Sealed};
pub use secret::{ApiTokenRow, CredentialRow, SecretInfo};
pub use session::SessionRow;
pub use set_aside::{NewSetAside, SetAsideKind, SetAsideRow};
pub use size::StoreSize;
pub use source::{Gathered, Lane, SourceRow, SourceSettlement, SourceSpec, SourceState};
pub use source_order::NewBackfill;
pub use subscriber::SubscriberRow;
pub use terms::Signal;
pub use undo::UndoMaterial;
pub use verify::Damage;
pub use wait::{Arrival, Candidate, LookBack, Matched, NewWait, PastEvent, WaitMaterial, WaitShown};

use std::path::Path;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqlitePoolOptions;
use tokio::sync::Notify;

use crate::crash::Crash;
use crate::live::Feed;
use file::FileOptions;
use flush::Flush;
use sql::{Dialect, Pool};
use voice::Voice;
use writer::{Target, Writer};

/// How many connections read at the same time.
const READERS: u32 = 4;
/// The same for a server, where each read is a journey.
const SERVER_READERS: u32 = 8;
/// How long a read waits for a connection.
const ACQUIRE: Duration = Duration::from_secs(5);
/// How long a statement waits for a lock that another process holds, such as a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a host tries to get the lock of its file, and how long it waits between.
const LOCK_TRIES: u32 = 4;
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// Bytes that the log of a file keeps after it was brought back into the database.
const JOURNAL_SIZE: &str = "67108864";
/// Commits are durable, or are not (sqlite.org/pragma.html#pragma_synchronous).
const FULL: &str = "full";
const OFF: &str = "off";

/// Why the store could not do it. All but [`StoreError::Invalid`] may work later.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database refused or could not be reached.
    #[error("the store could not {doing}")]
    Database {
        /// What was tried.
        doing: &'static str,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// The database can't be opened.
    #[error("can't open the store at {url}")]
    Open {
        /// Without a password.
        url: String,
        /// Why not.
        #[source]
        source: sqlx::Error,
    },
    /// Migrations did not run.
    #[error("can't bring the store to this version's schema")]
    Migrate(#[source] sqlx::migrate::MigrateError),
    /// A later version has used it. Nothing was changed.
    #[error(
        "the store was last used by a newer version of Sangam: its schema has step {0}, which this program does not know; \
         start that version, or restore the backup from before the upgrade (docs/upgrade.md)"
    )]
    Newer(i64),
    /// Another host has this file.
    #[error("{0} is in use by another sangam host; one SQLite file serves one host")]
    Locked(String),
    /// What is stored does not have the form this version wrote.
    #[error("the store holds {what} that this version can't read: {why}")]
    Invalid {
        /// The thing.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The lease ended and another worker has the run.
    #[error("the run was taken over by another worker")]
    Fenced,
    /// A key was claimed or changed by another step since it was read.
    #[error("key {0:?} is claimed or was changed by another step")]
    KeyConflict(String),
    /// The step's writes don't fit into the plugin's key-value space.
    #[error("the key-value space of plugin {plugin} is full: it would take {would} bytes of {most} (limits.key-value-size)")]
    KeySpaceFull {
        /// Whose space.
        plugin: String,
        /// Bytes with the writes.
        would: u64,
        /// Bytes that it may take.
        most: u64,
    },
    /// Somebody else holds the database, such as a backup, or it can't be reached.
    #[error("the store can't be written now: {0}")]
    Unavailable(String),
    /// The store is closing.
    #[error("the store is shutting down")]
    Closed,
    /// What was written is sealed or signed with a key that no longer counts.
    #[error("the sealing key of the store was changed meanwhile")]
    OtherKey,
    /// An act can't be put on record.
    #[error("the audit log can't be written or verified without the sealing key")]
    NoKey,
}

impl StoreError {
    fn doing(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
        move |source| StoreError::Database { doing, source }
    }

    /// The same may work later, when the database is back.
    pub fn is_passing(&self) -> bool {
        matches!(self, StoreError::Database { .. } | StoreError::Unavailable(_))
    }

    /// The connection is of no more use.
    fn is_lost(&self) -> bool {
        match self {
            StoreError::Database { source: sqlx::Error::Database(error), .. } => {
                // Class 08 is about connections, 57P about servers that shut down, 25P02 and 25P03 about transactions given up.
                error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P") || code.starts_with("25P"))
            }
            StoreError::Database { source, .. } => !matches!(source, sqlx::Error::RowNotFound | sqlx::Error::ColumnDecode { .. }),
            _ => false,
        }
    }

    /// Another process has the file.
    fn is_busy(&self) -> bool {
        let StoreError::Database { source: sqlx::Error::Database(error), .. } = self else { return false };
        // The lower eight bits of an extended result code are the code (sqlite.org/rescode.html); 5 is SQLITE_BUSY.
        error.code().and_then(|code| code.parse::<u32>().ok()).is_some_and(|code| code & 0xff == 5)
    }

    /// Somebody held a lock for too long.
    fn is_lock_timeout(&self) -> bool {
        matches!(self, StoreError::Database { source: sqlx::Error::Database(error), .. } if error.code().as_deref() == Some("55P03"))
    }

    fn invalid(what: &'static str, why: impl ToString) -> StoreError {
        StoreError::Invalid { what, why: why.to_string() }
    }
}

/// The store. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Store {
    readers: Pool,
    writer: Writer,
    signer: audit::Signer,
    arrived: Arc<Notify>,
    feed: Arc<Feed>,
    /// Connection for what the other hosts are told; nobody waits for its disk.
    voice: Option<Arc<Voice>>,
}

impl Store {
    /// Told when this host has taken in events, or a step began to wait for some.
    pub fn arrived(&self) -> &Notify {
        &self.arrived
    }

    /// What became durable, as it does.
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// Opens the database at `sqlite://PATH` or `postgres://…` for a host: brings the schema up to date. A file is made where there is
    /// none, and a lock keeps a second host off it; a server serves several hosts.
    ///
    /// # Errors
    /// [`StoreError::Open`], [`StoreError::Migrate`], [`StoreError::Newer`], [`StoreError::Locked`].
    pub async fn open(url: &str) -> Result<Store, StoreError> {
        Store::open_armed(url, Crash::default()).await
    }

    /// The same for a host that a tester may have killed at a crash point.
    pub async fn open_armed(url: &str, crash: Crash) -> Result<Store, StoreError> {
        Store::connect(url, true, crash).await
    }

    /// Opens the database beside a running host, for the verbs that look after secrets, tokens and the store itself.
    pub async fn open_beside(url: &str) -> Result<Store, StoreError> {
        Store::connect(url, false, Crash::default()).await
    }

    /// The same, for a verb that a tester may have killed at a crash point.
    pub async fn open_beside_armed(url: &str, crash: Crash) -> Result<Store, StoreError> {
        Store::connect(url, false, crash).await
    }

    /// A database for what need not outlast this process: nothing waits for the disk.
    pub async fn open_in_passing(url: &str) -> Result<Store, StoreError> {
        Store::connect_file(url, true, OFF, Crash::default()).await
    }

    async fn connect(url: &str, host: bool, crash: Crash) -> Result<Store, StoreError> {
        if is_server(url) { Store::connect_server(url, crash).await } else { Store::connect_file(url, host, FULL, crash).await }
    }

    async fn connect_file(url: &str, host: bool, synchronous: &'static str, crash: Crash) -> Result<Store, StoreError> {
        let open = |source| StoreError::Open { url: url.to_owned(), source };
        let options = FileOptions::of_url(url)
            .map_err(open)?
            .busy_timeout(BUSY_TIMEOUT)
            // Only a new file can be told so: pages that pruning frees are given back bit by bit.
            .pragma("auto_vacuum", "incremental")
            .pragma("journal_mode", "wal")
            .pragma("synchronous", synchronous)
            .pragma("foreign_keys", "on")
            .pragma("journal_size_limit", JOURNAL_SIZE)
            .pragma("temp_store", "memory")
            // What is removed or written over is gone from its page. Pages that get free keep theirs until they are used again or given back: to
            // write over those would cost a write each. An erasure gives them back.
            .pragma("secure_delete", "fast")
            // A host brings the log back into the database beside its commits; others every 16 MiB rather than every 4.
            .pragma("wal_autocheckpoint", if host { checkpoint::TOO_LONG } else { "4000" });
        let path = options.path();
        if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            std::fs::create_dir_all(folder).map_err(|error| open(sqlx::Error::Io(error)))?;
        }
        private_file(path).map_err(|error| open(sqlx::Error::Io(error)))?;
        let lock = if host { Some(lock_file(path).await?) } else { None };
        // The writer comes first, alone: two connections that both turn a new file to WAL get in each other's way.
        let feed: Arc<Feed> = Arc::default();
        let target = match synchronous {
            FULL if host => Target::Flushed(options.clone(), Flush::by(std::fs::File::sync_data)),
            _ => Target::Sqlite(options.clone()),
        };
        let writer = Writer::start(target, lock, crash, feed.clone()).await.map_err(open)?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .min_connections(0)
            .idle_timeout(None)
            .max_lifetime(None)
            .connect_with(options.sqlx())
            .await
            .map_err(open)?;
        migration::run_sqlite(&readers).await?;
        let (signer, arrived) = (audit::Signer::default(), Arc::default());
        Ok(Store { readers: Pool::Sqlite(readers), writer, signer, arrived, feed, voice: None })
    }

    async fn connect_server(url: &str, crash: Crash) -> Result<Store, StoreError> {
        let open = |source| StoreError::Open { url: without_password(url), source };
        let options = PgConnectOptions::from_str(url)
            .map_err(open)?
            .application_name("sangam")
            // A host that is stopped in the middle of a transaction must not hold the others up.
            .options([("idle_in_transaction_session_timeout", "10s"), ("synchronous_commit", "on")]);
        // Not for the readers, which migrate too: another host's migration may take its time.
        let writing = options.clone().options([("lock_timeout", "20s")]);
        let voice = Voice::new(options.clone());
        let readers = PgPoolOptions::new()
            .max_connections(SERVER_READERS)
            .min_connections(0)
            .acquire_timeout(ACQUIRE)
            .connect_with(options)
            .await
            .map_err(open)?;
        migration::run_postgres(&readers).await?;
        let feed: Arc<Feed> = Arc::default();
        let writer = Writer::start(Target::Postgres(Box::new(writing)), None, crash, feed.clone()).await.map_err(open)?;
        let (signer, arrived) = (audit::Signer::default(), Arc::default());
        Ok(Store { readers: Pool::Postgres(readers), writer, signer, arrived, feed, voice: Some(Arc::new(voice)) })
    }

    /// Whether several hosts may share it.
    pub fn is_shared(&self) -> bool {
        self.readers.dialect() == Dialect::Postgres
    }

    fn dialect(&self) -> Dialect {
        self.readers.dialect()
    }

    /// Where this host is to be killed. It travels with the store: there is a point wherever something becomes durable.
    pub fn crash(&self) -> &Crash {
        self.writer.crash()
    }

    /// Waits for the writes under way, then closes.
    pub async fn close(self) {
        self.writer.close().await;
        self.readers.close().await;
    }

    /// Whether a write can be made durable now: for `/readyz`.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        self.meta_put("ready", b"1").await
    }
}

/// Whether a URL is that of a server, which several hosts may share.
pub fn is_server(url: &str) -> bool {
    url.starts_with("postgres://") || url.starts_with("postgresql://")
}

/// A URL as it may be shown.
fn without_password(url: &str) -> String {
    let Ok(mut url) = url::Url::parse(url) else { return "postgres://…".to_owned() };
    if url.password().is_some() {
        // Fails only for URLs without a host, which have no password either.
        let _ = url.set_password(Some("…"));
    }
    url.to_string()
}

/// Makes the database file readable for its owner only: it holds events in clear text. SQLite gives its log the same mode.
fn private_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    std::fs::File::options().create(true).append(true).mode(0o600).open(path).map(drop)
}

/// Takes an advisory lock beside the database; held as long as the returned file is open.
async fn lock_file(database: &Path) -> Result<std::fs::File, StoreError> {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    let failed = |error| StoreError::Open { url: database.display().to_string(), source: sqlx::Error::Io(error) };
    let file = std::fs::File::options().create(true).truncate(false).write(true).open(&path).map_err(failed)?;
    for _ in 0..LOCK_TRIES {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // Perhaps somebody only looks whether there is a host ([`Store::has_host`]).
            Err(std::fs::TryLockError::WouldBlock) => tokio::time::sleep(LOCK_PAUSE).await,
            Err(std::fs::TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    Err(StoreError::Locked(database.display().to_string()))
}

/// As stored.
fn millis(time: Timestamp) -> i64 {
    time.as_millisecond()
}

/// From the store.
fn timestamp(millis: i64) -> Result<Timestamp, StoreError> {
    Timestamp::from_millisecond(millis).map_err(|error| StoreError::invalid("a time", error))
}

fn optional_timestamp(millis: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
    millis.map(timestamp).transpose()
}
