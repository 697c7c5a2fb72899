//! How endpoints of webhooks are doing, as the hosts on the store agree.

use jiff::Timestamp;

use super::row::Row;
use super::sql::sql;
use super::terms::Terms;
use super::{Store, StoreError, millis, optional_timestamp, timestamp};
use crate::audit::Act;

/// What success is written down how often, at most: an endpoint that does well costs no write for each delivery.
const WELL: i64 = 10_000;

/// What is known of an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SubscriberRow {
    /// Its name.
    pub name: String,
    /// Failures in a row.
    pub failures: u32,
    /// Since when it has been failing.
    pub failing_since: Option<Timestamp>,
    /// When it last took something, to some seconds.
    pub last_success_at: Option<Timestamp>,
    /// When it last did not.
    pub last_failure_at: Option<Timestamp>,
    /// Why not.
    pub reason: Option<String>,
    /// Since when nothing is sent to it.
    pub disabled_at: Option<Timestamp>,
    /// When it was last disabled or enabled.
    pub turned_at: Timestamp,
    /// Counts both.
    pub number: i64,
    /// Number of the last of them whose event is in the store.
    pub told: i64,
}

impl Store {
    /// All that is known.
    pub async fn subscribers(&self) -> Result<Vec<SubscriberRow>, StoreError> {
        let rows =
            sql("select name, failures, failing_since, last_success_at, last_failure_at, reason, disabled_at, turned_at, number, told \
             from subscriber order by name")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read how webhooks are doing"))?;
        rows.iter().map(subscriber).collect()
    }

    /// What is known of one.
    pub async fn subscriber(&self, name: &str) -> Result<Option<SubscriberRow>, StoreError> {
        let row =
            sql("select name, failures, failing_since, last_success_at, last_failure_at, reason, disabled_at, turned_at, number, told \
             from subscriber where name = ?")
            .bind(name)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read how a webhook is doing"))?;
        row.as_ref().map(subscriber).transpose()
    }

    /// It did not take a delivery. One that has been failing since `limit` or earlier is disabled with that.
    pub async fn subscriber_failed(
        &self,
        name: &str,
        reason: &str,
        limit: Option<Timestamp>,
        at: Timestamp,
    ) -> Result<SubscriberRow, StoreError> {
        let (name, reason) = (name.to_owned(), reason.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (name, reason) = (name.clone(), reason.clone());
                Box::pin(async move {
                    // `limit` is no later than `at`, and reached at once by one that does not exist yet only where both are the same.
                    let row = sql(
                        "insert into subscriber (name, failures, failing_since, last_failure_at, reason, disabled_at, turned_at, number, told) \
                         values (?1, 1, ?2, ?2, ?3, case when ?4 = ?2 then ?2 end, ?2, case when ?4 = ?2 then 1 else 0 end, 0) \
                         on conflict (name) do update set failures = subscriber.failures + 1, \
                         failing_since = coalesce(subscriber.failing_since, ?2), last_failure_at = ?2, reason = ?3, \
                         disabled_at = case when subscriber.disabled_at is null and coalesce(subscriber.failing_since, ?2) <= ?4 \
                         then ?2 else subscriber.disabled_at end, \
                         turned_at = case when subscriber.disabled_at is null and coalesce(subscriber.failing_since, ?2) <= ?4 \
                         then ?2 else subscriber.turned_at end, \
                         number = subscriber.number + case when subscriber.disabled_at is null \
                         and coalesce(subscriber.failing_since, ?2) <= ?4 then 1 else 0 end \
                         returning name, failures, failing_since, last_success_at, last_failure_at, reason, \
                         disabled_at, turned_at, number, told",
                    )
                        .bind(&name)
                        .bind(millis(at))
                        .bind(&reason)
                        // Before all times: never.
                        .bind(limit.map_or(i64::MIN, millis))
                        .fetch_one(connection)
                        .await
                        .map_err(StoreError::doing("note that a webhook failed"))?;
                    subscriber(&row)
                })
            })
            .await
    }

    /// It took a delivery.
    pub async fn subscriber_worked(&self, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let known = self.subscriber(name).await?;
        let lately =
            |row: &SubscriberRow| row.failing_since.is_none() && row.last_success_at.is_some_and(|last| millis(at) - millis(last) < WELL);
        if known.as_ref().is_some_and(lately) {
            return Ok(());
        }
        let name = name.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let name = name.clone();
                Box::pin(async move {
                    sql("insert into subscriber (name, failures, last_success_at, turned_at, number, told) values (?1, 0, ?2, ?2, 0, 0) \
                         on conflict (name) do update set failures = 0, failing_since = null, last_success_at = ?2, reason = null")
                    .bind(&name)
                    .bind(millis(at))
                    .execute(connection)
                    .await
                    .map_err(StoreError::doing("note that a webhook works"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Sends to it again, and puts that on record. `None`: it was not disabled.
    pub async fn subscriber_enable(&self, name: &str, act: Act, at: Timestamp) -> Result<Option<SubscriberRow>, StoreError> {
        let (name, note) = (name.to_owned(), self.note(act, at)?);
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (name, note) = (name.clone(), note.clone());
                Box::pin(async move {
                    let row =
                        sql("update subscriber set failures = 0, failing_since = null, reason = null, disabled_at = null, turned_at = ?, \
                         number = number + 1 where name = ? and disabled_at is not null returning name, failures, failing_since, \
                         last_success_at, last_failure_at, reason, disabled_at, turned_at, number, told")
                        .bind(millis(at))
                        .bind(&name)
                        .fetch_optional(&mut *connection)
                        .await
                        .map_err(StoreError::doing("enable a webhook"))?;
                    if row.is_some() {
                        note.append(connection).await?;
                    }
                    row.as_ref().map(subscriber).transpose()
                })
            })
            .await
    }

    /// The event of that turn is in the store.
    pub async fn subscriber_told(&self, name: &str, number: i64) -> Result<(), StoreError> {
        self.told("update subscriber set told = ?1 where name = ?2 and told < ?1", name, number).await
    }
}

fn subscriber(row: &Row) -> Result<SubscriberRow, StoreError> {
    Ok(SubscriberRow {
        name: row.get(0),
        failures: u32::try_from(row.get::<i64>(1)).unwrap_or(u32::MAX),
        failing_since: optional_timestamp(row.get(2))?,
        last_success_at: optional_timestamp(row.get(3))?,
        last_failure_at: optional_timestamp(row.get(4))?,
        reason: row.get(5),
        disabled_at: optional_timestamp(row.get(6))?,
        turned_at: timestamp(row.get(7))?,
        number: row.get(8),
        told: row.get(9),
    })
}
