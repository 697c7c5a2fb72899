//! The store looked at and left alone: no file made, no migration run, nothing written. Beside a running host, or without one.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::SqlitePoolOptions;

use super::file::FileOptions;
use super::sql::{Dialect, Pool, sql};
use super::wal::log_of;
use super::writer::{Target, Writer};
use super::{BUSY_TIMEOUT, Store, StoreError, audit, is_server, migration, timestamp, without_password};
use crate::crash::Crash;
use crate::live::Feed;

/// Connections of somebody who only looks.
const READERS: u32 = 3;
/// How long such a connection may take.
const ACQUIRE: Duration = Duration::from_secs(5);
/// Most findings of a quick check of the file.
const MOST_SAID: &str = "pragma quick_check(20)";

/// The steps of the schema: those that a store has, against those that this program knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schema {
    /// The last step that the store has; 0: none, it was never used.
    pub has: i64,
    /// The last step that this program knows.
    pub known: i64,
    /// A step that it does not know.
    pub unknown: Option<i64>,
    /// How many steps a start of this program would take.
    pub missing: usize,
    /// A step that began and did not end.
    pub unfinished: Option<i64>,
}

impl Store {
    /// Opens a database for looking only. Whatever would write through it fails.
    ///
    /// # Errors
    /// [`StoreError::Open`]: also where there is no file.
    pub async fn look(url: &str) -> Result<Store, StoreError> {
        let open = |source| StoreError::Open { url: without_password(url), source };
        let feed: Arc<Feed> = Arc::default();
        let (readers, target) = if is_server(url) {
            let options = PgConnectOptions::from_str(url)
                .map_err(open)?
                .application_name("sangam doctor")
                .options([("default_transaction_read_only", "on"), ("idle_in_transaction_session_timeout", "10s")]);
            let readers = PgPoolOptions::new().max_connections(READERS).min_connections(0).acquire_timeout(ACQUIRE);
            let readers = readers.connect_with(options.clone()).await.map_err(open)?;
            (Pool::Postgres(readers), Target::Postgres(Box::new(options)))
        } else {
            let options = FileOptions::of_url(url).map_err(open)?.read_only().busy_timeout(BUSY_TIMEOUT).pragma("temp_store", "memory");
            // Without a log beside it nobody has it open, and all of it is in the file: then no log needs to be made to read it.
            let has_log = log_of(options.path()).exists();
            let options = if has_log { options } else { options.immutable() };
            let readers = SqlitePoolOptions::new().max_connections(READERS).min_connections(0);
            let readers = readers.connect_with(options.sqlx()).await.map_err(open)?;
            (Pool::Sqlite(readers), Target::Sqlite(options))
        };
        let writer = Writer::start(target, None, Crash::default(), feed.clone()).await.map_err(open)?;
        let (signer, arrived) = (audit::Signer::default(), Arc::default());
        Ok(Store { readers, writer, signer, arrived, feed, voice: None })
    }

    /// How far its schema is.
    pub async fn schema(&self) -> Result<Schema, StoreError> {
        let doing = || StoreError::doing("look at its schema");
        let there = match self.dialect() {
            Dialect::Sqlite => sql("select count(*) from sqlite_schema where name = '_sqlx_migrations'"),
            Dialect::Postgres => sql("select count(*) from pg_class where oid = to_regclass('_sqlx_migrations')"),
        };
        let there: i64 = there.scalar(&self.readers).await.map_err(doing())?;
        let (mut steps, mut unfinished) = (Vec::new(), None);
        if there > 0 {
            let rows = sql("select version, case when success then 1 else 0 end from _sqlx_migrations order by version");
            for row in rows.fetch_all(&self.readers).await.map_err(doing())? {
                steps.push(row.get::<i64>(0));
                unfinished = unfinished.or((row.get::<i64>(1) == 0).then_some(row.get::<i64>(0)));
            }
        }
        let known: Vec<i64> = migration::steps().collect();
        Ok(Schema {
            has: steps.last().copied().unwrap_or(0),
            known: known.last().copied().unwrap_or(0),
            unknown: steps.iter().find(|step| !known.contains(step)).copied(),
            missing: known.iter().filter(|step| !steps.contains(step)).count(),
            unfinished,
        })
    }

    /// A quick look for damage: pages and their order of a file; a server's own count of pages whose checksum was wrong. What is wrong, in the
    /// database's words.
    pub async fn quick_check(&self) -> Result<Vec<String>, StoreError> {
        match self.dialect() {
            Dialect::Sqlite => {
                let said: Vec<String> = sql(MOST_SAID).scalars(&self.readers).await.map_err(StoreError::doing("check its file"))?;
                Ok(said.into_iter().filter(|line| line != "ok").collect())
            }
            Dialect::Postgres => {
                let failures: i64 =
                    sql("select coalesce(max(checksum_failures), 0) from pg_stat_database where datname = current_database()")
                        .scalar(&self.readers)
                        .await
                        .map_err(StoreError::doing("ask for damaged pages"))?;
                Ok((failures > 0).then(|| format!("the server has met {failures} pages whose checksum was wrong")).into_iter().collect())
            }
        }
    }

    /// Why a server would take no write; `None`: it would, or it is a file.
    pub async fn refuses_writes(&self) -> Result<Option<&'static str>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let doing = || StoreError::doing("ask whether it can be written");
        let standby: i64 =
            sql("select case when pg_is_in_recovery() then cast(1 as bigint) else 0 end").scalar(&self.readers).await.map_err(doing())?;
        if standby > 0 {
            return Ok(Some("the server is a standby, which can only be read"));
        }
        // Our own sessions are read-only by our own wish; what the database sets for others is asked for.
        let reading: i64 =
            sql("select count(*) from pg_db_role_setting join pg_database on pg_database.oid = setdatabase or setdatabase = 0 \
             left join pg_roles on pg_roles.oid = setrole \
             where (setdatabase = 0 or datname = current_database()) and (setrole = 0 or rolname = current_user) \
             and 'default_transaction_read_only=on' = any (setconfig) and datname = current_database()")
            .scalar(&self.readers)
            .await
            .map_err(doing())?;
        if reading > 0 {
            return Ok(Some("its database is set to read-only (default_transaction_read_only)"));
        }
        let may: i64 =
            sql("select count(*) from pg_class where relnamespace = cast(current_schema() as regnamespace) and relname = 'event' \
             and not (has_table_privilege(oid, 'insert') and has_table_privilege(oid, 'update') and has_table_privilege(oid, 'delete'))")
            .scalar(&self.readers)
            .await
            .map_err(doing())?;
        Ok((may > 0).then_some("its user may not write to its tables"))
    }

    /// What time the database has; `None`: it has this machine's.
    pub async fn time(&self) -> Result<Option<Timestamp>, StoreError> {
        if self.dialect() == Dialect::Sqlite {
            return Ok(None);
        }
        let now: i64 = sql("select cast(extract(epoch from clock_timestamp()) * 1000 as bigint)")
            .scalar(&self.readers)
            .await
            .map_err(StoreError::doing("ask for its time"))?;
        timestamp(now).map(Some)
    }

    /// When the newest event came in.
    pub async fn newest_event(&self) -> Result<Option<Timestamp>, StoreError> {
        let newest: Option<i64> = sql("select received_at from event order by eid desc limit 1")
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look for the newest event"))?;
        super::optional_timestamp(newest)
    }

    /// Whether a host has that file now; `None`: its lock can't be looked at.
    pub fn has_host(database: &Path) -> Option<bool> {
        let file = match File::open(beside(database, ".lock")) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(false),
            Err(_) => return None,
        };
        // Given back at once: a host that starts in this very moment tries again.
        match file.try_lock_shared() {
            Ok(()) => Some(false),
            Err(std::fs::TryLockError::WouldBlock) => Some(true),
            Err(std::fs::TryLockError::Error(_)) => None,
        }
    }
}

/// A file beside a database.
fn beside(database: &Path, ending: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(ending);
    PathBuf::from(path)
}
