//! Requests allowed in a fixed window of time.

use std::time::{Duration, Instant};

/// A counter that starts again with each window. Without a limit it only counts.
#[derive(Debug)]
pub struct Quota {
    limit: Option<u32>,
    window: Duration,
    used: u32,
    since: Option<Instant>,
}

impl Quota {
    /// No limit, windows of the given length.
    pub const fn unlimited(window: Duration) -> Quota {
        Quota { limit: None, window, used: 0, since: None }
    }

    /// Sets the number of requests per window (`None`: no limit) and starts a new window at the next request.
    pub fn allow(&mut self, limit: Option<u32>, window: Duration) {
        *self = Quota { limit, window, used: 0, since: None };
    }

    /// Requests per window, where there is a limit.
    pub fn limit(&self) -> Option<u32> {
        self.limit
    }

    /// Requests taken in the present window.
    pub fn used(&self) -> u32 {
        self.used
    }

    /// Takes one request. `Err` is the time until the next window.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let since = *self.since.get_or_insert(now);
        let age = now.saturating_duration_since(since);
        if age >= self.window {
            self.since = Some(now);
            self.used = 0;
        }
        if self.limit.is_some_and(|limit| self.used >= limit) {
            return Err(self.window.saturating_sub(age));
        }
        self.used = self.used.saturating_add(1);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_window_allows_again() {
        let start = Instant::now();
        let mut quota = Quota::unlimited(Duration::from_secs(10));
        quota.allow(Some(2), Duration::from_secs(10));
        assert_eq!(quota.take(start), Ok(()));
        assert_eq!(quota.take(start + Duration::from_secs(4)), Ok(()));
        assert_eq!(quota.take(start + Duration::from_secs(4)), Err(Duration::from_secs(6)));
        assert_eq!(quota.take(start + Duration::from_secs(10)), Ok(()));
        assert_eq!(quota.used(), 1);
    }
}
