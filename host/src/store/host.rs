//! Hosts that share the store.

use jiff::Timestamp;

use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};

/// A host as it says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostRow {
    /// Given at start.
    pub id: String,
    /// Of the program.
    pub version: String,
    /// Configuration that new events get.
    pub revision: i64,
    /// Configurations it can't load.
    pub cannot_serve: Vec<i64>,
    /// When it started.
    pub started_at: Timestamp,
    /// When it was last heard of.
    pub seen_at: Timestamp,
}

impl Store {
    /// A sign of life. Forgets hosts that were last heard of before `gone_before`.
    pub async fn host_seen(&self, host: HostRow, gone_before: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let host = host.clone();
                Box::pin(async move {
                    let doing = || StoreError::doing("give a sign of life");
                    let cannot_serve = serde_json::to_string(&host.cannot_serve).expect("a list of numbers is JSON");
                    sql("insert into host (id, version, revision, cannot_serve, started_at, seen_at) values (?, ?, ?, ?, ?, ?) \
                         on conflict (id) do update set revision = excluded.revision, cannot_serve = excluded.cannot_serve, seen_at = excluded.seen_at")
                    .bind(host.id)
                    .bind(host.version)
                    .bind(host.revision)
                    .bind(cannot_serve)
                    .bind(millis(host.started_at))
                    .bind(millis(host.seen_at))
                    .execute(&mut *connection)
                    .await
                    .map_err(doing())?;
                    sql("delete from host where seen_at < ?").bind(millis(gone_before)).execute(connection).await.map_err(doing())?;
                    Ok(())
                })
            })
            .await
    }

    /// A host says that it stops.
    pub async fn host_gone(&self, id: &str) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let id = id.clone();
                Box::pin(async move {
                    sql("delete from host where id = ?").bind(id).execute(connection).await.map_err(StoreError::doing("say goodbye"))?;
                    Ok(())
                })
            })
            .await
    }

    /// All hosts known, the longest running first.
    pub async fn hosts(&self) -> Result<Vec<HostRow>, StoreError> {
        let rows = sql("select id, version, revision, cannot_serve, started_at, seen_at from host order by started_at, id")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("list hosts"))?;
        rows.iter()
            .map(|row| {
                Ok(HostRow {
                    id: row.get("id"),
                    version: row.get("version"),
                    revision: row.get("revision"),
                    cannot_serve: serde_json::from_str(&row.get::<String>("cannot_serve"))
                        .map_err(|error| StoreError::invalid("a host", error))?,
                    started_at: timestamp(row.get("started_at"))?,
                    seen_at: timestamp(row.get("seen_at"))?,
                })
            })
            .collect()
    }

    /// Configurations of runs that have been due since before a time.
    pub async fn revisions_due(&self, since: Timestamp) -> Result<Vec<i64>, StoreError> {
        sql("select distinct revision from run where due_at <= ? and status = 'pending' and ended_at is null")
            .bind(millis(since))
            .scalars(&self.readers)
            .await
            .map_err(StoreError::doing("look for runs that nobody takes"))
    }

    /// Says of the due runs of a configuration why nobody takes them.
    pub async fn explain_due(&self, revision: i64, why: &str, since: Timestamp) -> Result<(), StoreError> {
        let why = why.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let why = why.clone();
                Box::pin(async move {
                    // In place of what a single host said of itself.
                    sql("update run set status_reason = ?1 where revision = ?2 and due_at <= ?3 and status = 'pending' and ended_at is null \
                         and (status_reason is null or status_reason <> ?1)")
                        .bind(why)
                        .bind(revision)
                        .bind(millis(since))
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("say why runs wait"))?;
                    Ok(())
                })
            })
            .await
    }
}
