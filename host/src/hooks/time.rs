//! When a delivery was signed.

use std::time::Duration;

use jiff::Timestamp;

use super::Refused;
use crate::config::HookTime;

/// Reads a time.
pub(super) fn read(text: &str, form: HookTime) -> Option<Timestamp> {
    // `+5` and ` 5` are numbers to a parser, and not what was signed.
    let digits = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit());
    match form {
        HookTime::Seconds => digits.then(|| text.parse().ok()).flatten().and_then(|second| Timestamp::from_second(second).ok()),
        HookTime::Milliseconds => digits.then(|| text.parse().ok()).flatten().and_then(|ms| Timestamp::from_millisecond(ms).ok()),
        HookTime::Rfc3339 => text.parse().ok(),
    }
}

/// Whether it is near enough to now.
pub(super) fn near(signed: Timestamp, now: Timestamp, tolerance: Duration) -> Result<(), Refused> {
    let seconds = now.duration_since(signed).as_secs();
    let most = i64::try_from(tolerance.as_secs()).unwrap_or(i64::MAX);
    if seconds > most {
        Err(Refused::Old { seconds })
    } else if seconds < -most {
        Err(Refused::Early { seconds: -seconds })
    } else {
        Ok(())
    }
}
