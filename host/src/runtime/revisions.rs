//! Revisions by number: runs end on the one that they were accepted on, also when another is configured by now.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use super::{ApplyError, Revision, Runtime, revision};
use crate::config::{self, Outside};
use crate::registry::{Component, Supply};
use crate::telemetry;

/// Revisions kept ready besides the present one.
const MAX_REVISIONS: usize = 4;

/// Earlier revisions that runs still ask for.
#[derive(Debug, Default)]
pub(super) struct Revisions {
    ready: Mutex<BTreeMap<i64, Arc<Revision>>>,
    loading: tokio::sync::Mutex<()>,
}

impl Revisions {
    fn get(&self, number: i64) -> Option<Arc<Revision>> {
        self.lock().get(&number).cloned()
    }

    fn keep(&self, revision: Arc<Revision>) {
        let mut ready = self.lock();
        // Each holds components and perhaps instances: the oldest make room, and are loaded again if they are asked for.
        while ready.len() >= MAX_REVISIONS {
            ready.pop_first();
        }
        ready.insert(revision.number, revision);
    }

    /// Whoever asks for one has it loaded anew.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Arc<Revision>>> {
        self.ready.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl Runtime {
    /// The configuration that a run was accepted on.
    pub async fn revision(&self, number: i64) -> Result<Arc<Revision>, ApplyError> {
        let present = self.present();
        if present.revision.number == number {
            return Ok(present.revision.clone());
        }
        if let Some(ready) = self.revisions.get(number) {
            return Ok(ready);
        }
        // One at a time: a backlog on an earlier revision asks for it many times at once.
        let _one_at_a_time = self.revisions.loading.lock().await;
        if let Some(ready) = self.revisions.get(number) {
            return Ok(ready);
        }
        let revision = Arc::new(self.stored_revision(number, &self.supply()).await?);
        self.revisions.keep(revision.clone());
        Ok(revision)
    }

    /// Builds a revision anew of what the store has of it.
    pub(super) async fn stored_revision(&self, number: i64, supply: &Supply) -> Result<Revision, ApplyError> {
        let failed = |why: String| ApplyError::Revision { number, why };
        let row = self.store.revision(Some(number)).await?.ok_or_else(|| failed("it is not in the store".to_owned()))?;
        let content = serde_json::from_str(&row.content).map_err(|error| failed(error.to_string()))?;
        let base = self.present().revision.config.base.clone();
        let loaded = config::parse_revision(&content, &base, &Outside::process()).map_err(|problems| failed(problems.to_string()))?;
        let digests: BTreeMap<String, String> = serde_json::from_str(&row.components).map_err(|error| failed(error.to_string()))?;
        let mut components = BTreeMap::new();
        for (plugin, digest) in digests {
            let bytes = self.store.component(&digest).await?.ok_or_else(|| failed(format!("component {digest} is not in the store")))?;
            let component = Component::new(bytes).map_err(|error| failed(telemetry::chain(&error)))?;
            if component.digest != digest {
                return Err(failed(format!("what the store has as component {digest} is another one ({})", component.digest)));
            }
            supply.trusted(&loaded.config, &plugin, &component).map_err(|error| failed(format!("plugin {plugin}: {error}")))?;
            components.insert(plugin, component);
        }
        let revision = revision::build(&self.engine, &loaded, components, None).await.map_err(|error| failed(error.to_string()))?;
        Ok(Revision { number, ..revision })
    }
}
