//! Moments, and the local times that Jobber schedules by.

use chrono::{DateTime, NaiveDate, SecondsFormat, TimeDelta, Utc};
use sangam_sdk::prelude::*;

/// A moment for a schedule: date and time with their zone. UTC, so that it is the same moment whatever the account's own zone.
pub fn schedule(name: &str, text: &str) -> Result<Value, Failure> {
    let moment = read(text).ok_or_else(|| Failure::rejected(format!("`{name}` is no date and time with an offset: {text}")))?;
    Ok(json!({ "date": moment.format("%Y-%m-%d").to_string(), "time": moment.format("%H:%M:%S").to_string(), "timezone": "Etc/UTC" }))
}

/// Some hours after a moment.
pub fn later_by(text: &str, hours: i64) -> Option<String> {
    read(text)?.checked_add_signed(TimeDelta::hours(hours)).map(write)
}

/// A moment so many seconds before another.
pub fn before(text: &str, seconds: u32) -> String {
    let moved = read(text).and_then(|moment| moment.checked_sub_signed(TimeDelta::seconds(seconds.into())));
    moved.map_or_else(|| text.to_owned(), write)
}

/// Whether a moment is not before another.
pub fn not_before(text: &str, than: &str) -> bool {
    read(text) >= read(than)
}

/// A day.
pub fn day(name: &str, text: &str) -> Result<NaiveDate, Failure> {
    text.parse().map_err(|_| Failure::rejected(format!("`{name}` is not a day, YYYY-MM-DD: {text}")))
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

fn write(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_is_the_same_moment_everywhere() {
        let scheduled = schedule("start", "2026-12-01T09:00:00+01:00").expect("a moment");
        assert_eq!(scheduled, json!({ "date": "2026-12-01", "time": "08:00:00", "timezone": "Etc/UTC" }));
        assert_eq!(schedule("start", "soon").expect_err("none").reason, "`start` is no date and time with an offset: soon");
        assert_eq!(later_by("2026-12-01T23:00:00Z", 2).as_deref(), Some("2026-12-02T01:00:00Z"));
        assert_eq!(before("2026-12-01T00:00:30Z", 60), "2026-11-30T23:59:30Z");
    }
}
