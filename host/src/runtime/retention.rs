//! Removes what is over, as the configuration says how long it is kept.

use std::sync::Arc;
use std::time::Instant;

use jiff::SignedDuration;

use super::{Pruned, Runtime};
use crate::config::{Retention, Route};
use crate::store::{Over, OverBefore, StoreError};

impl Runtime {
    /// One pass over the store. After each bite it rests as long as the bite took, so that those who work get at least half of the store's time.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let before = |retention: Retention| match retention {
            Retention::For(age) => SignedDuration::try_from(age).ok().and_then(|age| now.checked_sub(age).ok()),
            Retention::Forever => None,
        };
        let store = &self.store_config;
        // As it is configured now, whatever configuration a run was accepted on: a shorter time counts at once.
        let present = self.present();
        let own = present.revision.config.routes.iter().filter(|route| route.retention.is_some() || route.dead_letter_retention.is_some());
        let of_route = |route: &Arc<Route>| {
            let ended = before(route.retention.unwrap_or(store.retention));
            let dead = before(route.dead_letter_retention.unwrap_or(store.dead_letter_retention));
            (route.name.clone(), OverBefore { ended, dead })
        };
        let over = Over {
            usual: OverBefore { ended: before(store.retention), dead: before(store.dead_letter_retention) },
            routes: own.map(of_route).collect(),
        };
        let mut removed = 0;
        let mut after = None;
        loop {
            let began = Instant::now();
            let (events, next) = self.store.prune_events(over.clone(), after).await?;
            removed += events;
            let Some(next) = next.filter(|_| !self.stopping.is_cancelled()) else { break };
            after = Some(next);
            tokio::time::sleep(began.elapsed()).await;
        }
        // Those that somebody waited for when a run in them was removed.
        self.store.prune_batches().await?;
        loop {
            let began = Instant::now();
            if !self.store.prune_identities(now).await? || self.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        loop {
            let began = Instant::now();
            if !self.store.prune_recorded(now).await? || self.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        if let Some(dead) = before(store.dead_letter_retention) {
            loop {
                let began = Instant::now();
                if !self.store.prune_set_aside(dead).await? || self.stopping.is_cancelled() {
                    break;
                }
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        let components = self.store.prune_components().await?;
        loop {
            let began = Instant::now();
            if !self.store.give_back().await? || self.stopping.is_cancelled() {
                break;
            }
            tokio::time::sleep(began.elapsed()).await;
        }
        self.measured.pruned(Pruned { at: self.clock.now(), events: removed, components });
        if removed + components > 0 {
            tracing::info!(events = removed, components, "what is over was removed");
        }
        Ok(())
    }
}
