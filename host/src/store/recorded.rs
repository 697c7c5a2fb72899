//! Answers to reads, kept with their attempt for dry runs, and removed by age.

use std::collections::HashMap;

use super::row::Row;
use super::run::AttemptEnd;
use super::sql::{Connection, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis};
use jiff::Timestamp;

/// Rows removed in one transaction.
const PRUNE_ROWS: i64 = 500;

/// The answer to a read.
#[derive(Debug, Clone)]
pub struct RecordedRead {
    /// What it is known by in its attempt: a digest of method, URL and body, and the ordinal among equals.
    pub identity: String,
    /// HTTP method.
    pub method: String,
    /// URL, without credentials.
    pub url: String,
    /// HTTP status.
    pub status: u16,
    /// JSON list of pairs.
    pub headers: String,
    /// Whole.
    pub body: Vec<u8>,
}

impl Store {
    /// What is kept of a step's reads in its line, by identity: of each the latest.
    pub async fn recorded_reads(&self, root: &str, step: &str, now: Timestamp) -> Result<HashMap<String, RecordedRead>, StoreError> {
        let rows = sql("select identity, method, url, recorded_read.status as status, response_headers, response_body from recorded_read \
             join run on run.id = recorded_read.run where run.root = ? and step = ? and kept_until > ? order by run.seq, attempt")
        .bind(root)
        .bind(step)
        .bind(millis(now))
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("read recorded answers"))?;
        Ok(rows.iter().map(recorded_read).map(|read| (read.identity.clone(), read)).collect())
    }

    /// Removes one portion of the answers that are too old. Says whether there is more.
    pub async fn prune_recorded(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let done = sql("delete from recorded_read where (run, step, attempt, identity) in \
                         (select run, step, attempt, identity from recorded_read where kept_until <= ? limit ?)")
                    .bind(millis(now))
                    .bind(PRUNE_ROWS)
                    .execute(connection)
                    .await
                    .map_err(StoreError::doing("prune recorded answers"))?;
                    Ok(done >= PRUNE_ROWS as u64)
                })
            })
            .await
    }
}

/// Keeps an attempt's answers.
pub(super) async fn keep(
    connection: &mut Connection,
    run: &str,
    attempt: &AttemptEnd,
    reads: &[RecordedRead],
    until: Timestamp,
) -> Result<(), StoreError> {
    for read in reads {
        sql("insert into recorded_read (run, step, attempt, identity, method, url, status, response_headers, response_body, kept_until) \
             values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing")
        .bind(run)
        .bind(&attempt.step)
        .bind(attempt.number)
        .bind(&read.identity)
        .bind(&read.method)
        .bind(&read.url)
        .bind(read.status)
        .bind(&read.headers)
        .bind(&read.body)
        .bind(millis(until))
        .execute(&mut *connection)
        .await
        .map_err(StoreError::doing("keep answers to reads"))?;
    }
    Ok(())
}

/// From a row of `recorded_read`.
pub(super) fn recorded_read(row: &Row) -> RecordedRead {
    RecordedRead {
        identity: row.get("identity"),
        method: row.get("method"),
        url: row.get("url"),
        status: row.get("status"),
        headers: row.get("response_headers"),
        body: row.get("response_body"),
    }
}
