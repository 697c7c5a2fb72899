//! Removes what is over, as the configuration says how long it is kept.

use std::time::Instant;

use jiff::SignedDuration;

use super::Runtime;
use crate::config::Retention;
use crate::store::{Over, StoreError};

impl Runtime {
    /// One pass over the store. After each bite it rests as long as the bite took, so that those who work get at least half of the store's time.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = |retention: Retention| match retention {
            Retention::For(age) => SignedDuration::try_from(age).ok().and_then(|age| now.checked_sub(age).ok()),
            Retention::Forever => None,
        };
        let over =
            Over { ended_before: before(self.store_config.retention), dead_before: before(self.store_config.dead_letter_retention), now };
        let mut removed = 0;
        let mut after = None;
        loop {
            let began = Instant::now();
            let (events, next) = self.store.prune_events(over, after).await?;
            removed += events;
            let Some(next) = next.filter(|_| !self.stopping.is_cancelled()) else { break };
            after = Some(next);
            tokio::time::sleep(began.elapsed()).await;
        }
        loop {
            let began = Instant::now();
            if !self.store.prune_identities(now).await? || self.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        let components = self.store.prune_components().await?;
        loop {
            let began = Instant::now();
            if !self.store.give_back().await? || self.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        if removed + components > 0 {
            tracing::info!(events = removed, components, "what is over was removed");
        }
        Ok(())
    }
}
