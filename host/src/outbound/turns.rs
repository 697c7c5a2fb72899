//! Turns of a rate that is no plugin's: what the host itself sends by, shared by all hosts on the store like a plugin's.

use std::time::Duration;

use super::rate::RateLimiter;
use super::request::HttpError;
use super::shared::Shared;
use crate::config::RateLimit;
use crate::store::Store;

/// A rate under a name. No plugin has a slash in its name, so `mail/office` is nobody's else.
#[derive(Debug)]
pub(crate) struct Turns {
    limiter: RateLimiter,
    shared: Option<Shared>,
}

impl Turns {
    pub(crate) fn new(name: &str, limit: RateLimit, store: &Store) -> Turns {
        Turns { limiter: RateLimiter::new(limit), shared: Shared::new(name, store) }
    }

    /// The rate that it hands out.
    pub(crate) fn limit(&self) -> RateLimit {
        self.limiter.limit
    }

    /// Waits for a turn; `Err`: after how long there would be one.
    pub(crate) async fn wait(&self, at_most: Duration) -> Result<(), Duration> {
        match self.limiter.wait(at_most, self.shared.as_ref()).await {
            Ok(()) => Ok(()),
            Err(HttpError::Unavailable { after, .. }) => Err(after),
            Err(_) => Err(at_most),
        }
    }
}
