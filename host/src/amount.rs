//! Amounts in the words of people.

/// Bytes: `1.5 GiB`.
pub fn size(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", UNITS[unit]) }
}

/// A span of time: its largest unit.
pub fn span(seconds: i64) -> String {
    let (number, unit) = match seconds.unsigned_abs() {
        seconds @ 0..120 => (seconds, "second"),
        seconds @ 120..7200 => (seconds / 60, "minute"),
        seconds @ 7200..172_800 => (seconds / 3600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    if number == 1 { format!("1 {unit}") } else { format!("{number} {unit}s") }
}

/// A number of things, which have another name where there is one.
pub fn count(number: u64, one: &str, many: &str) -> String {
    if number == 1 { format!("1 {one}") } else { format!("{number} {many}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_unit_that_keeps_them_short() {
        assert_eq!(
            [0, 1023, 1024, 1536, 3 << 30, u64::MAX].map(size),
            ["0 B", "1023 B", "1.0 KiB", "1.5 KiB", "3.0 GiB", "16777216.0 TiB"]
        );
    }

    #[test]
    fn a_span_is_told_in_its_largest_unit() {
        let told = [0, 1, 119, 120, 7199, 7200, 172_799, 172_800, -3600].map(span);
        assert_eq!(
            told,
            ["0 seconds", "1 second", "119 seconds", "2 minutes", "119 minutes", "2 hours", "47 hours", "2 days", "60 minutes"]
        );
    }

    #[test]
    fn one_thing_is_told_as_one() {
        assert_eq!([0, 1, 2].map(|number| count(number, "run has", "runs have")), ["0 runs have", "1 run has", "2 runs have"]);
    }
}
