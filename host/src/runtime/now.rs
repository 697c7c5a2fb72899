//! How the host is doing now: what the store is asked for a moment ago, and what is counted as it happens.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::Runtime;
use crate::store::{DeadOfAction, StoreError};
use crate::telemetry;

/// How often what happened is counted.
const COUNT: Duration = Duration::from_millis(250);
/// How often the backlog is noted for the charts.
const NOTE: Duration = Duration::from_secs(5);
/// How long a count of the store is believed.
const BELIEVED: Duration = Duration::from_secs(1);
/// Counting may take one part in so many of the time: a long backlog is counted less often.
const SHARE: u32 = 20;

/// What the store holds now.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Runs that have not ended: route, status, number.
    pub open: Vec<(String, String, u64)>,
    /// Dead letters.
    pub dead_letters: u64,
    /// Since when the longest due run waits.
    pub oldest_due: Option<Timestamp>,
}

impl Counts {
    /// How many have not ended.
    pub fn backlog(&self) -> u64 {
        self.open.iter().map(|(.., count)| count).sum()
    }

    /// How many have that status.
    pub fn of(&self, status: &str) -> u64 {
        self.open.iter().filter(|(_, is, _)| is == status).map(|(.., count)| count).sum()
    }
}

/// Runs that have not ended and the steps at which they wait, of one moment, so that a route has as many as its steps.
#[derive(Debug)]
pub struct OpenRuns(Vec<(String, String, Option<String>, u64)>);

impl OpenRuns {
    /// How many of a route have that status.
    pub fn of(&self, route: &str, status: &str) -> u64 {
        self.0.iter().filter(|(of, is, step, _)| of == route && is == status && step.is_none()).map(|(.., count)| count).sum()
    }

    /// How many wait at that step.
    pub fn at(&self, route: &str, step: &str) -> u64 {
        self.0.iter().find(|(of, _, name, _)| of == route && name.as_deref() == Some(step)).map_or(0, |(.., count)| *count)
    }
}

/// When something was counted, how long that took, and the count.
type Last<T> = (Instant, Duration, Arc<T>);

/// The last counts.
#[derive(Debug, Default)]
pub struct Counted {
    counts: tokio::sync::Mutex<Option<Last<Counts>>>,
    /// By how many seconds were looked back.
    dead: tokio::sync::Mutex<BTreeMap<i64, Last<Vec<DeadOfAction>>>>,
    open: tokio::sync::Mutex<Option<Last<OpenRuns>>>,
}

/// What was counted, if that is still to be believed.
fn believed<T>(last: &Last<T>) -> Option<Arc<T>> {
    let (at, took, count) = last;
    (at.elapsed() < BELIEVED.max(*took * SHARE)).then(|| count.clone())
}

impl Runtime {
    /// What the store holds, as it was a moment ago.
    pub async fn counts(&self) -> Result<Arc<Counts>, StoreError> {
        // Who comes while it is being counted gets that count.
        let mut last = self.counted.counts.lock().await;
        if let Some(counts) = last.as_ref().and_then(believed) {
            return Ok(counts);
        }
        let begun = Instant::now();
        let now = self.clock.now();
        let open = self.store.open_runs().await?;
        let dead_letters = self.store.dead_letter_count().await?;
        // A run under way is due at the end of its lease, which lies ahead.
        let oldest_due = self.store.due_routes().await?.into_iter().map(|(_, due)| due).min().filter(|due| *due <= now);
        let counts = Arc::new(Counts { open, dead_letters, oldest_due });
        *last = Some((Instant::now(), begun.elapsed(), counts.clone()));
        Ok(counts)
    }

    /// Runs that have not ended and the steps at which they wait, as it was a moment ago.
    pub async fn open_runs(&self) -> Result<Arc<OpenRuns>, StoreError> {
        let mut last = self.counted.open.lock().await;
        if let Some(open) = last.as_ref().and_then(believed) {
            return Ok(open);
        }
        let begun = Instant::now();
        let open = Arc::new(OpenRuns(self.store.open_runs_and_steps().await?));
        *last = Some((Instant::now(), begun.elapsed(), open.clone()));
        Ok(open)
    }

    /// Dead letters of the last so many seconds by the action that failed, as it was a moment ago.
    pub async fn dead_by_action(&self, seconds: i64) -> Result<Arc<Vec<DeadOfAction>>, StoreError> {
        let mut last = self.counted.dead.lock().await;
        last.retain(|_, last| believed(last).is_some());
        if let Some(dead) = last.get(&seconds).and_then(believed) {
            return Ok(dead);
        }
        let begun = Instant::now();
        let since = self.clock.now() - jiff::SignedDuration::from_secs(seconds);
        let dead = Arc::new(self.store.dead_by_action(since).await?);
        last.insert(seconds, (Instant::now(), begun.elapsed(), dead.clone()));
        Ok(dead)
    }
}

/// Counts what happens until the host stops.
pub async fn count(runtime: Arc<Runtime>) {
    let mut count = tokio::time::interval(COUNT);
    let mut note = tokio::time::interval(NOTE);
    for timer in [&mut count, &mut note] {
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    }
    loop {
        tokio::select! {
            () = runtime.stopping.cancelled() => return,
            _ = count.tick() => runtime.series.catch_up(runtime.clock.now()),
            _ = note.tick() => match runtime.counts().await {
                Ok(counts) => runtime.series.backlog(runtime.clock.now(), counts.backlog()),
                Err(error) => tracing::warn!(error = telemetry::chain(&error), "the backlog could not be counted"),
            },
        }
    }
}
