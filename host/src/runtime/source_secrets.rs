//! Secrets of sources, as they were a moment ago: a delivery must not cost a look into the store, and a changed secret counts soon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::Runtime;
use crate::config::{Reference, Source};
use crate::credentials::{Secret, SecretError};

/// How long they are believed. Whoever changes a secret waits so long at most; a reload counts at once.
const BELIEVED: Duration = Duration::from_secs(5);

/// By the source's name.
#[derive(Debug, Default)]
pub struct SourceSecrets(Mutex<BTreeMap<String, Known>>);

#[derive(Debug, Clone)]
struct Known {
    of: Arc<Source>,
    at: Instant,
    secrets: Arc<Vec<Secret>>,
}

impl SourceSecrets {
    /// What the references of a source stand for, in their order.
    ///
    /// # Errors
    /// One of them stands for nothing, or the store can't be asked.
    pub async fn of(&self, runtime: &Runtime, source: &Arc<Source>, references: &[&Reference]) -> Result<Arc<Vec<Secret>>, SecretError> {
        if references.is_empty() {
            return Ok(Arc::default());
        }
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&source.name).cloned();
        if let Some(known) = known.filter(|known| Arc::ptr_eq(&known.of, source) && known.at.elapsed() < BELIEVED) {
            return Ok(known.secrets);
        }
        let mut secrets = Vec::with_capacity(references.len());
        for reference in references {
            secrets.push(runtime.vault.resolve(reference).await?);
        }
        let secrets = Arc::new(secrets);
        let known = Known { of: source.clone(), at: Instant::now(), secrets: secrets.clone() };
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(source.name.clone(), known);
        Ok(secrets)
    }
}
