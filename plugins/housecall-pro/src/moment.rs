//! Moments.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};

/// A moment so many seconds before another.
pub fn before(text: &str, seconds: u32) -> String {
    let moved = read(text).and_then(|moment| moment.checked_sub_signed(TimeDelta::seconds(seconds.into())));
    moved.map_or_else(|| text.to_owned(), |moment| moment.to_rfc3339_opts(SecondsFormat::AutoSi, true))
}

/// Whether a moment is not before another.
pub fn not_before(text: &str, than: &str) -> bool {
    read(text) >= read(than)
}

fn read(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|moment| moment.to_utc())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_moved_and_compared() {
        assert_eq!(before("2026-12-01T00:00:30Z", 60), "2026-11-30T23:59:30Z");
        assert!(
            not_before("2026-12-01T01:00:00+01:00", "2026-12-01T00:00:00Z")
                && !not_before("2026-12-01T00:00:00+01:00", "2026-12-01T00:00:00Z")
        );
    }
}
