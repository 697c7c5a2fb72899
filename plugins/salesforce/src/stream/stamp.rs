//! Moments as Salesforce writes them.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// `2026-11-28T10:00:00.000+0000`, or RFC 3339 with any offset, as RFC 3339 in UTC with milliseconds: the form that SOQL takes too, and that is ordered as
/// text. What is no moment stays as it is.
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

fn read(text: &str) -> Option<DateTime<Utc>> {
    let offset = |text: &str| DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z"));
    offset(text).ok().map(|moment| moment.to_utc())
}

fn write(moment: DateTime<Utc>) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_both_forms_and_written_in_one() {
        assert_eq!(utc("2026-11-28T10:00:00.000+0000"), "2026-11-28T10:00:00.000Z");
        assert_eq!(utc("2026-11-28T11:30:00+01:30"), "2026-11-28T10:00:00.000Z");
        assert_eq!(utc("soon"), "soon");
        assert_eq!(before("2026-11-28T10:00:00.000Z", 61), "2026-11-28T09:58:59.000Z");
        assert!(later("2026-11-28T10:00:00.000+0000", "2026-11-28T10:00:00Z"));
        assert!(!later("2026-11-28T09:59:59.999+0000", "2026-11-28T10:00:00Z"));
    }
}
