//! The rate that an administrator set for a plugin: a token bucket that makes requests wait for their turn.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::request::HttpError;
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

    /// Takes a turn and waits for it. Turns are handed out in the order of the calls; one that would come too late is not taken.
    pub(super) async fn wait(&self, at_most: Duration) -> Result<(), HttpError> {
        let turn = {
            let mut full_at = self.full_at.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
            let now = Instant::now();
            let full = (*full_at).max(now) + self.each;
            let turn = full.checked_sub(self.burst).map_or(now, |turn| turn.max(now));
            let after = turn.saturating_duration_since(now);
            if after >= at_most {
                return Err(HttpError::Unavailable {
                    why: "the plugin's rate-limit leaves no turn within the call's time".to_owned(),
                    after,
                });
            }
            *full_at = full;
            turn
        };
        tokio::time::sleep_until(turn).await;
        Ok(())
    }
}
