//! Canaries under way: how they do beside the component that most runs use, and their end when they fail too often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::{LoadedPlugin, PresentPlugin, Runtime};
use crate::audit::{Action, By};
use crate::config;
use crate::run::{self, Outcome};
use crate::store::{CanaryRollback, StoreError};
use crate::telemetry;

/// A canary of the present configuration.
#[derive(Debug)]
pub struct Trial {
    /// SHA-256 of what the plugin's section says about it and of both components: what was rolled back stays so until that changes.
    pub id: String,
    /// The canary's component.
    pub digest: String,
    /// What the administrator wrote.
    pub config: config::Canary,
    state: Mutex<TrialState>,
}

#[derive(Debug, Default)]
struct TrialState {
    canary: run::Window,
    stable: run::Window,
    rolled_back: Option<CanaryRollback>,
}

/// A canary as shown.
#[derive(Debug, Clone)]
pub struct TrialFigures {
    /// Calls of the canary on this host that are looked back on, and how many failed.
    pub canary: (usize, usize),
    /// The same of the stable component.
    pub stable: (usize, usize),
    /// It was rolled back.
    pub rolled_back: Option<CanaryRollback>,
}

impl Trial {
    fn new(plugin: &LoadedPlugin, canary: &LoadedPlugin, config: config::Canary) -> Trial {
        let mut hasher = Sha256::new();
        let (name, own) = (&plugin.config.name, plugin.config.config.to_string());
        let (share, rate) = (config.share.to_string(), config.max_error_rate.to_string());
        for part in [name.as_str(), &plugin.component.digest, &canary.component.digest, &share, &rate, &own] {
            hasher.update(part.len().to_be_bytes());
            hasher.update(part);
        }
        let id = hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Trial { id, digest: canary.component.digest.clone(), config, state: Mutex::default() }
    }

    /// How it does.
    pub fn figures(&self) -> TrialFigures {
        let state = self.lock();
        let figures = |window: &run::Window| (window.calls(), window.failures());
        TrialFigures { canary: figures(&state.canary), stable: figures(&state.stable), rolled_back: state.rolled_back.clone() }
    }

    /// One more call of a component; gives the end of the canary if this was one too many.
    fn note(&self, plugin: &str, digest: &str, failed: bool, now: Timestamp) -> Option<CanaryRollback> {
        let mut state = self.lock();
        if digest != self.digest {
            state.stable.note(failed);
            return None;
        }
        state.canary.note(failed);
        if state.rolled_back.is_some() || !state.canary.exceeds(self.config.max_error_rate) {
            return None;
        }
        let (calls, failures) = (state.canary.calls(), state.canary.failures());
        let (stable, stable_failures) = (state.stable.calls(), state.stable.failures());
        let rollback = CanaryRollback {
            plugin: plugin.to_owned(),
            trial: self.id.clone(),
            digest: self.digest.clone(),
            at: now,
            reason: format!(
                "{failures} of its last {calls} calls failed, more than max-error-rate = {} allows; of the other component's {stable_failures} of {stable}",
                self.config.max_error_rate
            ),
        };
        state.rolled_back = Some(rollback.clone());
        Some(rollback)
    }

    fn lock(&self) -> MutexGuard<'_, TrialState> {
        self.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}

impl PresentPlugin {
    /// The component that a line of runs uses: the canary, if it is among its share and the present configuration still has it.
    pub fn component<'a>(&self, loaded: &'a LoadedPlugin, root: &str) -> &'a LoadedPlugin {
        let (Some(trial), Some(canary)) = (&self.canary, &loaded.canary) else { return loaded };
        let takes_part = canary.component.digest == trial.digest
            && trial.lock().rolled_back.is_none()
            && run::takes_part(trial.config.share, root, &trial.digest);
        if takes_part { canary } else { loaded }
    }
}

impl Runtime {
    /// Takes in what an attempt says of its component, and ends a canary that fails too often: for all runs, on all hosts.
    pub async fn judge_component(&self, plugin: &str, digest: Option<&str>, outcome: &Outcome, ended: bool) {
        let present = self.present();
        let Some(trial) = present.plugins.get(plugin).and_then(|plugin| plugin.canary.as_ref()) else { return };
        let (Some(digest), Some(failed)) = (digest, run::failed(outcome, ended)) else { return };
        let Some(rollback) = trial.note(plugin, digest, failed, self.clock.now()) else { return };
        tracing::warn!(plugin, digest, reason = rollback.reason, "the canary is rolled back: all runs use the other component");
        self.metrics.canary_rolled_back(plugin);
        let by = By::host(&self.identity.name);
        let act = by.did(Action::CanaryRolledBack, plugin).with("digest", digest).with("reason", rollback.reason.as_str());
        if let Err(error) = self.store.roll_back_canary(rollback, act).await {
            // On this host it stays ended; another, or a restart, would have to find out again.
            tracing::error!(plugin, error = telemetry::chain(&error), "that a canary was rolled back could not be made durable");
        }
    }

    /// The canaries of plugins that are about to be installed, with what is known of them already.
    pub(super) async fn trials(&self, plugins: &BTreeMap<String, Arc<LoadedPlugin>>) -> Result<BTreeMap<String, Arc<Trial>>, StoreError> {
        let present = self.present();
        let mut trials = BTreeMap::new();
        for (name, plugin) in plugins {
            let (Some(canary), Some(config)) = (&plugin.canary, &plugin.config.canary) else { continue };
            let trial = Trial::new(plugin, canary, config.clone());
            let known = present.plugins.get(name).and_then(|plugin| plugin.canary.clone()).filter(|known| known.id == trial.id);
            trials.insert(name.clone(), known.unwrap_or_else(|| Arc::new(trial)));
        }
        self.store.forget_canaries(trials.values().map(|trial| trial.id.clone()).collect()).await?;
        learn(&trials, self.store.canary_rollbacks().await?);
        Ok(trials)
    }

    /// Learns which canaries other hosts have rolled back.
    pub async fn learn_canaries(&self) -> Result<(), StoreError> {
        let present = self.present();
        let trials = present.plugins.iter().filter_map(|(name, plugin)| Some((name.clone(), plugin.canary.clone()?))).collect();
        learn(&trials, self.store.canary_rollbacks().await?);
        Ok(())
    }
}

fn learn(trials: &BTreeMap<String, Arc<Trial>>, rollbacks: Vec<CanaryRollback>) {
    for rollback in rollbacks {
        if let Some(trial) = trials.values().find(|trial| trial.id == rollback.trial) {
            trial.lock().rolled_back.get_or_insert(rollback);
        }
    }
}
