//! A configuration is applied whole, as a numbered revision, or refused whole.

use std::sync::Arc;

use super::{Revision, Runtime, revision};
use crate::audit::{Action, By};
use crate::config::{self, Loaded, Problems};
use crate::crash::Point;
use crate::registry::{Progress, Sources, Supply};
use crate::store::StoreError;
use crate::telemetry;

/// Why a host does not start, or does not take a new configuration. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// The file has mistakes.
    #[error("{0}")]
    Problems(Problems),
    /// A part does not start.
    #[error("{0}")]
    Start(String),
    /// The store can't be used.
    #[error("the store can't be used")]
    Store(#[from] StoreError),
    /// A stored revision can't be built on this host.
    #[error("revision {number} can't run on this host: {why}")]
    Revision {
        /// Its number.
        number: i64,
        /// Why not.
        why: String,
    },
}

impl ApplyError {
    /// A part does not start, with all that led to it.
    pub(super) fn start(error: impl std::error::Error) -> ApplyError {
        ApplyError::Start(telemetry::chain(&error))
    }
}

impl From<Problems> for ApplyError {
    fn from(problems: Problems) -> ApplyError {
        ApplyError::Problems(problems)
    }
}

/// A configuration file that was applied.
#[derive(Debug)]
pub struct Applied {
    /// Number of its revision.
    pub number: i64,
    /// What is allowed in it but probably not meant.
    pub warnings: Vec<config::Problem>,
}

/// When a configuration is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The host starts: a file that is an earlier revision does not undo a later one.
    AtStart,
    /// Somebody asked for it.
    Reload,
}

impl Runtime {
    /// Builds the revision completely before anything changes.
    pub(super) async fn apply(&self, loaded: Loaded, when: When, by: &By) -> Result<Applied, ApplyError> {
        let supply = Arc::new(Supply::of(&loaded)?);
        let progress: Progress = Arc::new(|what: &str, bytes: u64| tracing::info!(bytes, "{what}"));
        let sources = Sources::new(&loaded.config, Some(self.vault.clone()), progress);
        let components = revision::fetch(&loaded, &sources, &supply).await?;
        let revision = revision::build(&self.engine, &loaded, components, Some(&supply)).await?;
        let digest = revision.digest(&loaded);
        let latest = self.store.revision(None).await?;
        let number = match latest {
            Some(latest) if latest.digest == digest => latest.number,
            Some(latest) if when == When::AtStart && self.store.revision_with(&digest).await?.is_some() => {
                tracing::warn!(
                    revision = latest.number,
                    "the configuration file is an earlier revision; the host runs the latest one (`POST /v1/reload` goes back to the file)"
                );
                let revision = self.stored_revision(latest.number, &supply).await?;
                self.install(revision).await?;
                self.set_supply(supply);
                return Ok(Applied { number: latest.number, warnings: Vec::new() });
            }
            _ => {
                let components = revision.component_digests();
                let bytes = revision.component_bytes();
                let content = loaded.revision_content().to_string();
                let act = by.did(Action::ConfigurationApplied, self.config_file.display().to_string());
                let number = self.store.revise(content, digest, components, bytes, act, self.clock.now()).await?;
                self.store.crash().at(Point::Revised);
                number
            }
        };
        let warnings = revision.warnings.clone();
        self.install(Revision { number, ..revision }).await?;
        self.set_supply(supply);
        Ok(Applied { number, warnings })
    }

    pub(super) fn supply(&self) -> Arc<Supply> {
        self.supply.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    fn set_supply(&self, supply: Arc<Supply>) {
        // Earlier revisions are judged anew: a key may be revoked that signed something of them.
        self.revisions.forget();
        *self.supply.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = supply;
    }
}

/// What is allowed in a file but probably not meant.
pub(super) fn warn(loaded: &Loaded) {
    for problem in &loaded.warnings {
        tracing::warn!(file = loaded.file, line = problem.line, "{}", problem.message);
    }
}
