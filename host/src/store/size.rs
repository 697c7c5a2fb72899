//! How large the store is, and with what.

use jiff::Timestamp;

use super::sql::{Dialect, sql};
use super::{Store, StoreError, optional_timestamp};

/// The size of a store.
#[derive(Debug, Clone)]
pub struct StoreSize {
    /// Of everything, bytes.
    pub bytes: u64,
    /// Of that free for new rows; a server does not say.
    pub free_bytes: Option<u64>,
    /// Table, rows, bytes with its indexes; the largest first.
    pub tables: Vec<(String, u64, u64)>,
    /// Runs that have not ended.
    pub open_runs: u64,
    /// Dead letters.
    pub dead_letters: u64,
    /// When the oldest event came.
    pub oldest_event: Option<Timestamp>,
}

impl Store {
    /// Bytes of the whole store, and of these free for new rows, where that is known. Cheap: it asks the database, which keeps count.
    pub async fn bytes(&self) -> Result<(u64, Option<u64>), StoreError> {
        let doing = || StoreError::doing("measure the store");
        match self.dialect() {
            Dialect::Sqlite => {
                let page: i64 = sql("pragma page_size").scalar(&self.readers).await.map_err(doing())?;
                let pages: i64 = sql("pragma page_count").scalar(&self.readers).await.map_err(doing())?;
                let free: i64 = sql("pragma freelist_count").scalar(&self.readers).await.map_err(doing())?;
                Ok((unsigned(page * pages), Some(unsigned(page * free))))
            }
            Dialect::Postgres => {
                let bytes: i64 = sql("select pg_database_size(current_database())").scalar(&self.readers).await.map_err(doing())?;
                Ok((unsigned(bytes), None))
            }
        }
    }

    /// Dead letters, counted in their index.
    pub async fn dead_letter_count(&self) -> Result<u64, StoreError> {
        let count: i64 = sql("select count(*) from run where status = 'dead' and superseded = 0")
            .scalar(&self.readers)
            .await
            .map_err(StoreError::doing("count dead letters"))?;
        Ok(unsigned(count))
    }

    /// What the writer counts.
    pub fn writer_figures(&self) -> &crate::telemetry::WriterFigures {
        self.writer.figures()
    }

    /// Writes that wait for the writer.
    pub fn writes_waiting(&self) -> usize {
        self.writer.waiting()
    }

    /// Measures the store. Reads all of it: not for every minute.
    pub async fn size(&self) -> Result<StoreSize, StoreError> {
        let doing = || StoreError::doing("measure the store");
        let tables = match self.dialect() {
            Dialect::Sqlite => {
                "select tbl_name, cast(sum(pgsize) as bigint) from dbstat join sqlite_schema on sqlite_schema.name = dbstat.name \
                 where tbl_name not like 'sqlite_%' and tbl_name not like '\\_%' escape '\\' group by tbl_name order by 2 desc"
            }
            Dialect::Postgres => {
                "select cast(relname as text), pg_total_relation_size(oid) from pg_class where relkind = 'r' \
                 and relnamespace = cast(current_schema() as regnamespace) and relname not like '\\_%' order by 2 desc"
            }
        };
        let mut sizes = Vec::new();
        for row in sql(tables).fetch_all(&self.readers).await.map_err(doing())? {
            let name: String = row.get(0);
            let rows = self.rows_of(&name).await?;
            sizes.push((name, rows, unsigned(row.get(1))));
        }
        let (bytes, free_bytes) = self.bytes().await?;
        let open: i64 = sql("select count(*) from run where ended_at is null").scalar(&self.readers).await.map_err(doing())?;
        let dead: i64 =
            sql("select count(*) from run where status = 'dead' and superseded = 0").scalar(&self.readers).await.map_err(doing())?;
        let oldest: Option<i64> =
            sql("select received_at from event order by eid limit 1").scalar_optional(&self.readers).await.map_err(doing())?;
        Ok(StoreSize {
            bytes,
            free_bytes,
            tables: sizes,
            open_runs: unsigned(open),
            dead_letters: unsigned(dead),
            oldest_event: optional_timestamp(oldest)?,
        })
    }

    async fn rows_of(&self, table: &str) -> Result<u64, StoreError> {
        let Some(count) = COUNTS.iter().find(|(name, _)| *name == table).map(|(_, count)| *count) else { return Ok(0) };
        let rows: i64 = sql(count).scalar(&self.readers).await.map_err(StoreError::doing("count rows"))?;
        Ok(unsigned(rows))
    }
}

macro_rules! counts {
    ($($table:literal),*) => { &[$(($table, concat!("select count(*) from ", $table))),*] };
}

/// A statement's text is ours alone: no name that comes from the database gets into one.
const COUNTS: &[(&str, &str)] = counts!(
    "event",
    "run",
    "step",
    "attempt",
    "effect",
    "line_step",
    "seen",
    "key_value",
    "key_claim",
    "revision",
    "component",
    "secret",
    "credential",
    "api_token",
    "meta",
    "host",
    "erasure",
    "source",
    "set_aside",
    "audit",
    "session",
    "wait",
    "recorded_read",
    "subscriber"
);

fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
