//! Moments as HubSpot writes them: RFC 3339, and in filters milliseconds since 1970.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment for a filter; what is no moment stays as it is.
pub fn milliseconds(text: &str) -> String {
    read(text).map_or_else(|| text.to_owned(), |moment| moment.timestamp_millis().to_string())
}

/// Milliseconds since 1970 as RFC 3339.
pub fn of_milliseconds(milliseconds: i64) -> Option<String> {
    DateTime::from_timestamp_millis(milliseconds).map(write)
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

fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

fn write(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_compared_and_moved() {
        assert_eq!(milliseconds("1970-01-01T00:01:00Z"), "60000");
        assert_eq!(of_milliseconds(60_000).as_deref(), Some("1970-01-01T00:01:00.000Z"));
        assert_eq!(before("2026-11-28T10:00:00.500Z", 61), "2026-11-28T09:58:59.500Z");
        assert!(later("2026-11-28T10:00:00Z", "2026-11-28T10:00:00.000Z"));
        assert!(after("2026-11-28T10:00:00Z", None) && !after("2026-11-28T10:00:00Z", Some("2026-11-28T10:00:00Z")));
    }
}
