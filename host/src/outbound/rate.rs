//! The rate that an administrator set for a plugin: a token bucket that makes requests wait for their turn.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::config::RateLimit;

#[derive(Debug)]
pub(super) struct RateLimiter {
    burst: Duration,
    each: Duration,
    /// When the bucket would be full again.
    full_at: Mutex<Instant>,
}

impl RateLimiter {
    pub(super) fn new(limit: RateLimit) -> RateLimiter {
        let each = limit.per / limit.requests.max(1);
        RateLimiter { burst: limit.per, each, full_at: Mutex::new(Instant::now()) }
    }

    /// Takes a turn and waits for it. Turns are handed out in the order of the calls.
    pub(super) async fn wait(&self) {
        let turn = {
            let mut full_at = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let now = Instant::now();
            *full_at = (*full_at).max(now) + self.each;
            full_at.checked_sub(self.burst).map_or(now, |turn| turn.max(now))
        };
        tokio::time::sleep_until(turn).await;
    }
}
