//! Moments as QuickBooks writes them: RFC 3339 with the offset of somebody's time zone.

use std::time::SystemTime;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment in UTC; what is no moment stays as it is.
pub fn utc(text: &str) -> String {
    read(text).map_or_else(|| text.to_owned(), write)
}

/// A moment so many seconds before another.
pub fn before(text: &str, seconds: u32) -> String {
    let moved = read(text).and_then(|moment| moment.checked_sub_signed(TimeDelta::seconds(seconds.into())));
    moved.map_or_else(|| text.to_owned(), write)
}

/// Whether a moment is not before another.
pub fn later(text: &str, than: &str) -> bool {
    read(text) >= read(than)
}

/// Whether a moment is after another; one is after none.
pub fn after(text: &str, than: Option<&str>) -> bool {
    read(text) > than.and_then(read)
}

/// Order of moments.
pub fn order(one: &str, other: &str) -> std::cmp::Ordering {
    read(one).cmp(&read(other))
}

/// The present moment.
pub fn now() -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
    DateTime::from_timestamp(now, 0).map_or_else(String::new, write)
}

/// Whether a moment is more than so many days ago.
pub fn older_than_days(text: &str, days: i64) -> bool {
    let now = DateTime::<Utc>::from_timestamp_millis(
        SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_millis()).unwrap_or(i64::MAX)),
    );
    let edge = now.and_then(|now| now.checked_sub_signed(TimeDelta::days(days)));
    read(text).zip(edge).is_none_or(|(moment, edge)| moment < edge)
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    // The former webhooks write the offset without its colon.
    let read = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%z"));
    read.ok().map(|moment| moment.to_utc())
}

fn write(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_all_offsets_are_compared() {
        assert_eq!(utc("2026-11-28T02:00:00-08:00"), "2026-11-28T10:00:00Z");
        assert_eq!(utc("2015-10-05T14:42:19-0700"), "2015-10-05T21:42:19Z");
        assert_eq!(before("2026-11-28T02:00:00-08:00", 30), "2026-11-28T09:59:30Z");
        assert!(later("2026-11-28T02:00:00-08:00", "2026-11-28T10:00:00Z"));
        assert!(after("2026-11-28T10:00:01Z", Some("2026-11-28T02:00:00-08:00")));
        assert!(older_than_days("2015-10-05T14:42:19-07:00", 29) && older_than_days("soon", 29));
        assert!(!older_than_days("2999-01-01T00:00:00Z", 29));
    }
}
