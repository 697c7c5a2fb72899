//! Breakers and rates that hosts share. On a store of one host nothing of this is used: its memory is enough.
//!
//! These are single statements on connections of their own, not writes of the shared transaction: a request that asks for its turn waits neither
//! for a flush nor for what others write.

use std::time::Duration;

use jiff::Timestamp;

use super::sql::sql;
use super::terms::{CHANNEL, Signal};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};

/// A breaker that is not closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerRow {
    /// The plugin.
    pub plugin: String,
    /// The host that is left alone.
    pub host: String,
    /// Failures in a row.
    pub failures: u32,
    /// When a probe may go.
    pub open_until: Timestamp,
    /// Until when the turn of a probe under way lasts.
    pub probe_until: Option<Timestamp>,
}

impl Store {
    /// Opens a breaker for all hosts.
    pub async fn open_breaker(&self, plugin: &str, host: &str, failures: u32, until: Timestamp) -> Result<(), StoreError> {
        sql("insert into breaker (plugin, host, failures, open_until) values (?, ?, ?, ?) on conflict (plugin, host) \
             do update set failures = excluded.failures, open_until = excluded.open_until, probe_until = null")
        .bind(plugin)
        .bind(host)
        .bind(failures)
        .bind(millis(until))
        .execute(&self.readers)
        .await
        .map_err(StoreError::doing("open a breaker"))?;
        self.tell_limits().await
    }

    /// Closes a breaker for all hosts.
    pub async fn close_breaker(&self, plugin: &str, host: &str) -> Result<(), StoreError> {
        sql("delete from breaker where plugin = ? and host = ?")
            .bind(plugin)
            .bind(host)
            .execute(&self.readers)
            .await
            .map_err(StoreError::doing("close a breaker"))?;
        self.tell_limits().await
    }

    /// Takes the turn of the one probe of all hosts, until `lease_until`. Says whether it was free.
    pub async fn take_probe(&self, plugin: &str, host: &str, now: Timestamp, lease_until: Timestamp) -> Result<bool, StoreError> {
        let taken = sql(
            "update breaker set probe_until = ? where plugin = ? and host = ? and open_until <= ? and (probe_until is null or probe_until <= ?)",
        )
        .bind(millis(lease_until))
        .bind(plugin)
        .bind(host)
        .bind(millis(now))
        .bind(millis(now))
        .execute(&self.readers)
        .await
        .map_err(StoreError::doing("take the turn of a probe"))?;
        Ok(taken > 0)
    }

    /// Gives the turn of a probe back.
    pub async fn release_probe(&self, plugin: &str, host: &str) -> Result<(), StoreError> {
        sql("update breaker set probe_until = null where plugin = ? and host = ?")
            .bind(plugin)
            .bind(host)
            .execute(&self.readers)
            .await
            .map_err(StoreError::doing("give the turn of a probe back"))?;
        Ok(())
    }

    /// All breakers that are not closed.
    pub async fn breakers(&self) -> Result<Vec<BreakerRow>, StoreError> {
        let rows = sql("select plugin, host, failures, open_until, probe_until from breaker")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("look at breakers"))?;
        rows.iter()
            .map(|row| {
                Ok(BreakerRow {
                    plugin: row.get("plugin"),
                    host: row.get("host"),
                    failures: row.get("failures"),
                    open_until: timestamp(row.get("open_until"))?,
                    probe_until: optional_timestamp(row.get("probe_until"))?,
                })
            })
            .collect()
    }

    /// Takes `turns` of a plugin's rate, unless the first would come only after `at_most`. Gives how long the bucket then takes to be full
    /// again, by the server's clock: hosts need not agree on the time.
    pub async fn take_turns(
        &self,
        plugin: &str,
        turns: u32,
        each: Duration,
        burst: Duration,
        at_most: Duration,
    ) -> Result<Option<Duration>, StoreError> {
        // PostgreSQL's words: only shared stores are asked.
        const NOW: &str = "(extract(epoch from clock_timestamp()) * 1000000)::bigint";
        let micros = |duration: Duration| i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4);
        let mut take = sql("insert into rate as present (plugin, full_at) values (");
        take.push_bind(plugin).push(", ").push(NOW).push(" + ").push_bind(micros(each * turns));
        take.push(") on conflict (plugin) do update set full_at = greatest(present.full_at, ").push(NOW).push(") + ");
        take.push_bind(micros(each * turns)).push(" where greatest(present.full_at, ").push(NOW).push(") - ").push(NOW).push(" + ");
        take.push_bind(micros(each)).push(" < ").push_bind(micros(burst).saturating_add(micros(at_most)));
        take.push(" returning full_at - ").push(NOW);
        let full: Option<i64> = take.scalar_optional(&self.readers).await.map_err(StoreError::doing("take turns of a rate"))?;
        Ok(full.map(|full| Duration::from_micros(u64::try_from(full).unwrap_or(0))))
    }

    async fn tell_limits(&self) -> Result<(), StoreError> {
        sql("select pg_notify(?, ?)")
            .bind(CHANNEL)
            .bind(Signal::Limits.as_str())
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("notify the other hosts"))?;
        Ok(())
    }
}
