//! Rate limits and the headers that tell of them.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::json;

use super::refusal::Refusal;
use crate::quota::Quota;

const TEN_SECONDS: Duration = Duration::from_secs(10);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Told in the headers while no limit is set: what a Professional portal has.
const USUAL_TEN_SECONDLY: u32 = 190;
const USUAL_DAILY: u32 = 650_000;

/// The portal's counters.
pub(super) struct Limits {
    ten_secondly: Quota,
    secondly: Quota,
    daily: Quota,
}

impl Limits {
    pub(super) fn new() -> Limits {
        Limits { ten_secondly: Quota::unlimited(TEN_SECONDS), secondly: Quota::unlimited(SECOND), daily: Quota::unlimited(DAY) }
    }

    pub(super) fn ten_secondly(&mut self, limit: Option<u32>) {
        self.ten_secondly.allow(limit, TEN_SECONDS);
    }

    pub(super) fn secondly(&mut self, limit: Option<u32>) {
        self.secondly.allow(limit, SECOND);
    }

    pub(super) fn daily(&mut self, limit: Option<u32>) {
        self.daily.allow(limit, DAY);
    }

    /// Counts a request. Search is exempt from the ten-second window and has its own.
    pub(super) fn take(&mut self, search: bool, now: Instant) -> Result<(), Refusal> {
        self.daily.take(now).map_err(|_| exceeded("DAILY", "daily"))?;
        if search {
            self.secondly.take(now).map_err(|_| exceeded("SECONDLY", "secondly"))
        } else {
            self.ten_secondly.take(now).map_err(|_| exceeded("TEN_SECONDLY_ROLLING", "ten_secondly_rolling"))
        }
    }

    /// Writes the headers; HubSpot leaves them out of search's answers.
    pub(super) fn tell(&self, headers: &mut HeaderMap) {
        let max = self.ten_secondly.limit().unwrap_or(USUAL_TEN_SECONDLY);
        let daily = self.daily.limit().unwrap_or(USUAL_DAILY);
        let told = [
            ("x-hubspot-ratelimit-max", max),
            ("x-hubspot-ratelimit-remaining", max.saturating_sub(self.ten_secondly.used())),
            ("x-hubspot-ratelimit-interval-milliseconds", 10_000),
            ("x-hubspot-ratelimit-daily", daily),
            ("x-hubspot-ratelimit-daily-remaining", daily.saturating_sub(self.daily.used())),
        ];
        for (name, value) in told {
            headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
        }
    }
}

fn exceeded(policy: &str, word: &str) -> Refusal {
    Refusal::new(StatusCode::TOO_MANY_REQUESTS, "RATE_LIMITS", format!("You have reached your {word} limit."))
        .with("errorType", json!("RATE_LIMIT"))
        .with("policyName", json!(policy))
}
