//! Whether credentials are broken, as the hosts on the store agree.

use jiff::Timestamp;

use super::row::Row;
use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};
use crate::live::{CredentialChanged, News};

/// What is known of a credential that was broken at least once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HealthRow {
    /// Its name.
    pub name: String,
    /// Broken, or healed again.
    pub broken: bool,
    /// Counts its turns.
    pub number: i64,
    /// When it last turned.
    pub changed_at: Timestamp,
    /// Its type.
    pub kind: String,
    /// Why it broke.
    pub reason: Option<String>,
    /// Number of the last turn whose event is in the store.
    pub told: i64,
}

/// A credential breaks or heals.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Turn {
    /// Its name.
    pub name: String,
    /// Which of the two.
    pub broken: bool,
    /// When.
    pub at: Timestamp,
    /// Its type.
    pub kind: String,
    /// Why it broke.
    pub reason: Option<String>,
}

impl Store {
    /// All that is known.
    pub async fn credential_health(&self) -> Result<Vec<HealthRow>, StoreError> {
        let rows = sql("select name, broken, number, changed_at, kind, reason, told from credential_health order by name")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read how credentials are doing"))?;
        rows.iter().map(health).collect()
    }

    /// Notes a turn, if no other host has: `None` where the credential had turned already, or later, or its last turn is not told yet.
    pub async fn credential_turned(&self, turn: Turn) -> Result<Option<HealthRow>, StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let turn = turn.clone();
                Box::pin(async move {
                    // What was never broken does not heal.
                    let row = sql("insert into credential_health (name, broken, number, changed_at, kind, reason, told) \
                         select ?1, ?2, 1, ?3, ?4, ?5, 0 where ?2 = 1 or exists (select 1 from credential_health where name = ?1) \
                         on conflict (name) do update set broken = excluded.broken, number = credential_health.number + 1, \
                         changed_at = excluded.changed_at, kind = excluded.kind, reason = excluded.reason \
                         where credential_health.broken <> excluded.broken and credential_health.changed_at < excluded.changed_at \
                         and credential_health.told = credential_health.number \
                         returning name, broken, number, changed_at, kind, reason, told")
                    .bind(&turn.name)
                    .bind(i64::from(turn.broken))
                    .bind(millis(turn.at))
                    .bind(&turn.kind)
                    .bind(&turn.reason)
                    .fetch_optional(&mut *connection)
                    .await
                    .map_err(StoreError::doing("note how a credential is doing"))?;
                    if row.is_some() {
                        let state = if turn.broken { "broken" } else { "ok" }.to_owned();
                        connection.tell(News::Credential(CredentialChanged { name: turn.name.clone(), state, at: turn.at }));
                    }
                    row.as_ref().map(health).transpose()
                })
            })
            .await
    }

    /// The event of that turn is in the store.
    pub async fn credential_told(&self, name: &str, number: i64) -> Result<(), StoreError> {
        self.told("update credential_health set told = ?1 where name = ?2 and told < ?1", name, number).await
    }

    /// Notes that the event of a turn, of whatever has turned, is in the store: the statement gets its number and the name.
    pub(super) async fn told(&self, statement: &'static str, name: &str, number: i64) -> Result<(), StoreError> {
        let name = name.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let name = name.clone();
                Box::pin(async move {
                    sql(statement).bind(number).bind(name).execute(connection).await.map_err(StoreError::doing("note that it was told"))?;
                    Ok(())
                })
            })
            .await
    }
}

fn health(row: &Row) -> Result<HealthRow, StoreError> {
    Ok(HealthRow {
        name: row.get(0),
        broken: row.get::<i64>(1) != 0,
        number: row.get(2),
        changed_at: timestamp(row.get(3))?,
        kind: row.get(4),
        reason: row.get(5),
        told: row.get(6),
    })
}
