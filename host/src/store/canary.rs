//! Canaries that were rolled back: durable, so that neither a restart nor another host starts them again.

use jiff::Timestamp;

use super::sql::sql;
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, timestamp};
use crate::audit::Act;

/// The end of a canary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CanaryRollback {
    /// The plugin.
    pub plugin: String,
    /// What the configuration said, and both components, as a digest.
    pub trial: String,
    /// The canary's component.
    pub digest: String,
    /// When.
    pub at: Timestamp,
    /// One sentence with figures.
    pub reason: String,
}

impl Store {
    /// Makes the end of a canary durable, puts it on record, and tells the other hosts.
    pub async fn roll_back_canary(&self, rollback: CanaryRollback, act: Act) -> Result<(), StoreError> {
        let note = self.note(act, rollback.at)?;
        self.writer
            .write(Terms::none().audit().signal(Signal::Limits), move |connection| {
                let (rollback, note) = (rollback.clone(), note.clone());
                Box::pin(async move {
                    let done = sql("insert into canary_rollback (trial, plugin, digest, rolled_back_at, reason) values (?, ?, ?, ?, ?) \
                         on conflict (trial) do nothing")
                    .bind(rollback.trial)
                    .bind(rollback.plugin)
                    .bind(rollback.digest)
                    .bind(millis(rollback.at))
                    .bind(rollback.reason)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("roll back a canary"))?;
                    // Another host may have been first.
                    if done > 0 { note.append(connection).await } else { Ok(()) }
                })
            })
            .await
    }

    /// All that were rolled back and are still configured.
    pub async fn canary_rollbacks(&self) -> Result<Vec<CanaryRollback>, StoreError> {
        let rows = sql("select trial, plugin, digest, rolled_back_at, reason from canary_rollback")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("look for canaries"))?;
        rows.iter()
            .map(|row| {
                Ok(CanaryRollback {
                    plugin: row.get("plugin"),
                    trial: row.get("trial"),
                    digest: row.get("digest"),
                    at: timestamp(row.get("rolled_back_at"))?,
                    reason: row.get("reason"),
                })
            })
            .collect()
    }

    /// Forgets those that a configuration no longer has: if they come back, they start anew.
    pub async fn forget_canaries(&self, configured: Vec<String>) -> Result<(), StoreError> {
        // Mostly there is nothing to forget: then nothing is written.
        if self.canary_rollbacks().await?.iter().all(|rollback| configured.contains(&rollback.trial)) {
            return Ok(());
        }
        self.writer
            .write(Terms::none(), move |connection| {
                let configured = configured.clone();
                Box::pin(async move {
                    let mut forget = sql("delete from canary_rollback");
                    if !configured.is_empty() {
                        forget.push(" where trial not in ").push_list(configured);
                    }
                    forget.execute(connection).await.map_err(StoreError::doing("forget canaries"))?;
                    Ok(())
                })
            })
            .await
    }
}
