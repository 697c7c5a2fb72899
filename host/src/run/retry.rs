//! When to try again.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::config::Retry;

/// First delay after a conflict or a lack of room: such things pass quickly.
const SOON_FIRST: Duration = Duration::from_millis(50);
/// Longest such delay.
const SOON_MAX: Duration = Duration::from_secs(5);

/// Shortest pause before a system that asked for patience is tried again: such failures use up no attempt, so nothing else ends a series of
/// them that a policy without delays makes.
const PATIENCE: Duration = Duration::from_millis(100);

/// After failure number `failures` in a row that asks for patience: as the policy says, and never at once.
pub(crate) fn patient(policy: &Retry, failures: u32, after: Option<Duration>, now: Timestamp, jitter: f64) -> Timestamp {
    again_at(policy, failures, after, now, jitter).max(at(now, PATIENCE.as_secs_f64()))
}

/// After failure number `failures` (from 1): `initial * factor^(failures-1)`, at most `max`, spread by ±`jitter`; never before what the
/// system asked for.
pub(crate) fn again_at(policy: &Retry, failures: u32, after: Option<Duration>, now: Timestamp, jitter: f64) -> Timestamp {
    let exponent = i32::try_from(failures.saturating_sub(1)).unwrap_or(i32::MAX);
    let plain = (policy.initial.as_secs_f64() * policy.factor.powi(exponent)).min(policy.max.as_secs_f64());
    let spread = plain * (1.0 + policy.jitter * (2.0 * jitter - 1.0));
    // Many runs hear the same wish at the same time: they come back one after another.
    let wished = after.map_or(0.0, |after| after.as_secs_f64() * (1.0 + policy.jitter * jitter));
    at(now, spread.max(wished))
}

/// Shortly, for what uses up no attempt and waits for another run rather than for a system. Where there is a time before which it can't be
/// (a breaker is open until then), shortly after that: thousands may wait for the same moment, and the first of them finds out for all.
pub(crate) fn soon(times: u32, after: Option<Duration>, now: Timestamp, jitter: f64) -> Timestamp {
    let plain = SOON_FIRST.as_secs_f64() * 2_f64.powi(i32::try_from(times.saturating_sub(1)).unwrap_or(i32::MAX));
    let spread = plain.min(SOON_MAX.as_secs_f64()) * (0.5 + jitter);
    at(now, after.map_or(0.0, |after| after.as_secs_f64()) + spread)
}

fn at(now: Timestamp, seconds: f64) -> Timestamp {
    let delay = SignedDuration::try_from_secs_f64(seconds).unwrap_or(SignedDuration::MAX);
    now.checked_add(delay).unwrap_or(Timestamp::MAX)
}
