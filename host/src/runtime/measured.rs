//! What this host has measured of its store, kept for those who ask: measuring all of a large store takes a while.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use crate::store::{Store, StoreError, StoreSize};

/// How long a measurement is believed.
const BELIEVED: Duration = Duration::from_secs(60);
/// Measuring may take one part in so many of the time.
const SHARE: u32 = 20;

/// What retention removed in one pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pruned {
    /// When it had gone through the store.
    pub at: Timestamp,
    /// Events, with their runs.
    pub events: u64,
    /// Components that no revision needs.
    pub components: u64,
}

/// The last measurements.
#[derive(Debug, Default)]
pub struct Measured {
    pruned: Mutex<Option<Pruned>>,
    size: tokio::sync::Mutex<Option<Size>>,
}

#[derive(Debug)]
struct Size {
    at: Timestamp,
    ended: Instant,
    took: Duration,
    size: Arc<StoreSize>,
}

impl Measured {
    /// Retention has gone through the store.
    pub fn pruned(&self, pruned: Pruned) {
        *self.pruned.lock().unwrap_or_else(PoisonError::into_inner) = Some(pruned);
    }

    /// Its last pass, since this host started.
    pub fn last_pruned(&self) -> Option<Pruned> {
        *self.pruned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The size of the store with all its parts, and when that was measured: now, unless it was a moment ago.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be asked.
    pub async fn size(&self, store: &Store, now: Timestamp) -> Result<(Timestamp, Arc<StoreSize>), StoreError> {
        // Who asks meanwhile waits for the same measurement.
        let mut known = self.size.lock().await;
        if let Some(known) = known.as_ref().filter(|known| known.ended.elapsed() < BELIEVED.max(known.took * SHARE)) {
            return Ok((known.at, known.size.clone()));
        }
        let began = Instant::now();
        let size = Arc::new(store.size().await?);
        *known = Some(Size { at: now, ended: Instant::now(), took: began.elapsed(), size: size.clone() });
        Ok((now, size))
    }
}
