//! What came in at sources since this host began: counts, for those who look, and refusals, for the audit log.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use serde_json::{Map, Value, json};

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// It is durable.
    Taken {
        /// Events that were new.
        events: usize,
        /// Events that were known.
        duplicates: usize,
        /// Events among them that may not come in.
        set_aside: usize,
    },
    /// It could not be read and was set aside whole.
    SetAside,
    /// It was refused, for one of a few reasons.
    Refused(&'static str),
}

/// Arrived by source. Only sources that are configured are counted, so that nobody outside can make it grow.
#[derive(Debug, Default)]
pub struct Arrivals(Mutex<BTreeMap<String, Arrived>>);

/// What has come in at one source.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Arrived {
    /// When a delivery was taken last.
    pub last_taken_at: Option<Timestamp>,
    /// When one was refused last.
    pub last_refused_at: Option<Timestamp>,
    /// Deliveries that were taken.
    pub deliveries: u64,
    /// Events in them that were new.
    pub events: u64,
    /// Events that were known.
    pub duplicates: u64,
    /// Events and bodies that were set aside.
    pub set_aside: u64,
    /// Deliveries that were refused, by reason.
    pub refused: BTreeMap<&'static str, u64>,
    /// Refused since that was put on record.
    unrecorded: BTreeMap<&'static str, u64>,
}

impl Arrivals {
    /// One more.
    pub fn note(&self, source: &str, arrival: Arrival, now: Timestamp) {
        let mut all = self.lock();
        let counts = all.entry(source.to_owned()).or_default();
        match arrival {
            Arrival::Taken { events, duplicates, set_aside } => {
                counts.deliveries += 1;
                counts.events += events as u64;
                counts.duplicates += duplicates as u64;
                counts.set_aside += set_aside as u64;
                counts.last_taken_at = Some(now);
            }
            Arrival::SetAside => {
                counts.deliveries += 1;
                counts.set_aside += 1;
                counts.last_taken_at = Some(now);
            }
            Arrival::Refused(reason) => {
                *counts.refused.entry(reason).or_default() += 1;
                *counts.unrecorded.entry(reason).or_default() += 1;
                counts.last_refused_at = Some(now);
            }
        }
    }

    /// The counts of a source.
    pub fn of(&self, source: &str) -> Arrived {
        self.lock().get(source).cloned().unwrap_or_default()
    }

    /// What was refused since the last time, by source.
    pub(super) fn take_refused(&self) -> Vec<(String, Map<String, Value>)> {
        let mut all = self.lock();
        let taken = all.iter_mut().filter(|(_, counts)| !counts.unrecorded.is_empty()).map(|(source, counts)| {
            let reasons = std::mem::take(&mut counts.unrecorded);
            (source.clone(), reasons.into_iter().map(|(reason, count)| (reason.to_owned(), json!(count))).collect())
        });
        taken.collect()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Arrived>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
