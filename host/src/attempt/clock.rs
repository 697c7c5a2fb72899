//! The clock that a plugin sees: it starts when the step's input was first stored, moves a little with each reading and with each sleep,
//! and so shows the same times on every attempt.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// How far a reading moves the clock.
const TICK: Duration = Duration::from_micros(1);

/// Cheap to clone; clones move together.
#[derive(Debug, Clone)]
pub struct VirtualClock {
    start: Timestamp,
    /// Nanoseconds since `start`.
    elapsed: Arc<AtomicU64>,
}

impl VirtualClock {
    /// A clock that starts at a time.
    pub fn new(start: Timestamp) -> VirtualClock {
        VirtualClock { start, elapsed: Arc::default() }
    }

    /// Where it started.
    pub fn start(&self) -> Timestamp {
        self.start
    }

    /// Nanoseconds since the start; moves the clock.
    pub fn monotonic(&self) -> u64 {
        let tick = u64::try_from(TICK.as_nanos()).unwrap_or(1);
        self.elapsed.fetch_add(tick, Ordering::Relaxed) + tick
    }

    /// Time since the epoch; moves the clock.
    pub fn wall(&self) -> Duration {
        let elapsed = Duration::from_nanos(self.monotonic());
        let start = self.start.duration_since(Timestamp::UNIX_EPOCH).max(SignedDuration::ZERO);
        start.unsigned_abs().saturating_add(elapsed)
    }

    /// A sleep that took place.
    pub fn advance(&self, by: Duration) {
        self.elapsed.fetch_add(u64::try_from(by.as_nanos()).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// The time on this clock after a while, without moving it: for the deadline in the context.
    pub fn after(&self, while_: Duration) -> Timestamp {
        let elapsed = Duration::from_nanos(self.elapsed.load(Ordering::Relaxed)).saturating_add(while_);
        SignedDuration::try_from(elapsed).ok().and_then(|elapsed| self.start.checked_add(elapsed).ok()).unwrap_or(Timestamp::MAX)
    }
}
