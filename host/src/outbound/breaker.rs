//! A host that keeps failing is left alone for a while.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

use super::request::HttpError;
use crate::config;

/// Hosts remembered; beyond it the table starts afresh.
const MAX_HOSTS: usize = 1024;

#[derive(Debug)]
pub(super) struct Breaker {
    policy: config::Breaker,
    hosts: Mutex<HashMap<String, Host>>,
}

#[derive(Debug, Default)]
struct Host {
    failures: u32,
    open_until: Option<Instant>,
}

impl Breaker {
    pub(super) fn new(policy: config::Breaker) -> Breaker {
        Breaker { policy, hosts: Mutex::default() }
    }

    /// Whether requests may go to a host; after the cool-down one finds out.
    pub(super) fn check(&self, host: &str, now: Instant) -> Result<(), HttpError> {
        let mut hosts = self.hosts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let Some(state) = hosts.get_mut(host) else { return Ok(()) };
        match state.open_until {
            Some(until) if now < until => {
                let left = until - now;
                let why = format!(
                    "{host} failed {} times in a row and is left alone for another {} s (breaker)",
                    state.failures,
                    left.as_secs().max(1)
                );
                Err(HttpError::Unavailable { why, after: left })
            }
            Some(_) => {
                state.open_until = Some(now + self.policy.cooldown);
                Ok(())
            }
            None => Ok(()),
        }
    }

    pub(super) fn record(&self, host: &str, well: bool, now: Instant) {
        let mut hosts = self.hosts.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if well {
            hosts.remove(host);
            return;
        }
        if hosts.len() >= MAX_HOSTS {
            hosts.clear();
        }
        let state = hosts.entry(host.to_owned()).or_default();
        state.failures = state.failures.saturating_add(1);
        if state.failures >= self.policy.failures && state.open_until.is_none_or(|until| until <= now) {
            state.open_until = Some(now + self.policy.cooldown);
        }
    }
}
