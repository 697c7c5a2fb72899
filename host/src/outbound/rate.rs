//! The rate that an administrator set for a plugin: a token bucket that makes requests wait for their turn.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::time::Instant;

use super::request::HttpError;
use super::shared::Shared;
use crate::config::RateLimit;

/// Hands out turns. Kept across reloads that don't change the rate.
#[derive(Debug)]
pub(super) struct RateLimiter {
    pub(super) limit: RateLimit,
    each: Duration,
    /// When the bucket would be full again.
    full_at: Mutex<Instant>,
    waiting: AtomicU32,
}

/// Use of a rate as shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateUse {
    /// Turns taken that the rate has not given back yet.
    pub used: u32,
    /// Requests that wait for their turn.
    pub waiting: u32,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> RateLimiter {
        RateLimiter { limit, each: limit.per / limit.requests.max(1), full_at: Mutex::new(Instant::now()), waiting: AtomicU32::new(0) }
    }

    /// Takes a turn and waits for it. Turns are handed out in the order of the calls; one that would come too late is not taken.
    pub(super) async fn wait(&self, at_most: Duration, shared: Option<&Shared>) -> Result<(), HttpError> {
        let _waiting = Waiting::new(&self.waiting);
        let shared = match shared {
            // While the store can't say, each host keeps to the rate by itself.
            Some(shared) => shared.turn(self.limit, at_most).await.ok(),
            None => None,
        };
        let turn = match shared {
            Some(turn) => turn.inspect(|turn| self.took(*turn)),
            None => self.turn(at_most),
        };
        let turn = turn.map_err(|after| HttpError::Unavailable {
            why: "the plugin's rate-limit leaves no turn within the call's time".to_owned(),
            after,
        })?;
        tokio::time::sleep_until(turn).await;
        Ok(())
    }

    /// This host's own next turn, or after how long it would come.
    fn turn(&self, at_most: Duration) -> Result<Instant, Duration> {
        let mut full_at = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let now = Instant::now();
        let full = (*full_at).max(now) + self.each;
        let turn = full.checked_sub(self.limit.per).map_or(now, |turn| turn.max(now));
        let after = turn.saturating_duration_since(now);
        if after >= at_most {
            return Err(after);
        }
        *full_at = full;
        Ok(turn)
    }

    /// A shared turn was taken: counted as used here too.
    fn took(&self, turn: Instant) {
        let mut full_at = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        *full_at = (*full_at).max(Instant::now()).max(turn) + self.each;
    }

    pub(super) fn usage(&self) -> RateUse {
        let full_at = *self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let left = full_at.saturating_duration_since(Instant::now());
        // Rounded up: a turn counts until it is wholly given back.
        let used = left.as_nanos().div_ceil(self.each.as_nanos().max(1));
        RateUse { used: u32::try_from(used).unwrap_or(u32::MAX), waiting: self.waiting.load(Ordering::Relaxed) }
    }
}

/// Counted as long as it lives, also when the call it belongs to is broken off.
struct Waiting<'a>(&'a AtomicU32);

impl Waiting<'_> {
    fn new(counter: &AtomicU32) -> Waiting<'_> {
        counter.fetch_add(1, Ordering::Relaxed);
        Waiting(counter)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
