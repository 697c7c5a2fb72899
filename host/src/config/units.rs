//! Durations (`"30s"`) and sizes (`"64MiB"`): strings with a unit.

use std::time::Duration;

/// Longest duration that can be written: a hundred years. Sums of two can't overflow a 64-bit count of milliseconds.
pub(super) const MAX_DURATION: Duration = Duration::from_secs(36_525 * 24 * 3600);

const DURATION_UNITS: [(&str, u64); 6] = [("ms", 1), ("s", 1_000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000), ("w", 604_800_000)];

const SIZE_UNITS: [(&str, u64); 7] =
    [("B", 1), ("KB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// Reads `"30s"`, `"1h30m"`, `"7d"`: whole numbers with units `ms s m h d w`, largest first.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("`{text}` is not a duration: write a number with one of ms, s, m, h, d, w, such as \"30s\"");
    let (mut rest, mut total, mut last_unit) = (text, 0_u64, u64::MAX);
    while !rest.is_empty() {
        let (number, after) = number(rest).ok_or_else(wrong)?;
        let unit_length = after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len());
        let (unit, tail) = after.split_at(unit_length);
        let factor = unit_factor(&DURATION_UNITS, unit).filter(|factor| *factor < last_unit).ok_or_else(wrong)?;
        total = number.checked_mul(factor).and_then(|part| total.checked_add(part)).ok_or_else(wrong)?;
        (rest, last_unit) = (tail, factor);
    }
    if text.is_empty() {
        return Err(wrong());
    }
    let value = Duration::from_millis(total);
    if value > MAX_DURATION {
        return Err(format!("`{text}` is longer than a hundred years"));
    }
    Ok(value)
}

/// Reads `"64MiB"`, in bytes: a whole number with one unit of `B KiB MiB GiB KB MB GB`.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let wrong = || format!("`{text}` is not a size: write a number with one of B, KiB, MiB, GiB, KB, MB, GB, such as \"64MiB\"");
    let (number, unit) = number(text).ok_or_else(wrong)?;
    let factor = unit_factor(&SIZE_UNITS, unit.trim_start()).ok_or_else(wrong)?;
    number.checked_mul(factor).filter(|bytes| *bytes <= i64::MAX as u64).ok_or_else(wrong)
}

/// Writes a duration the way it would be written in the file.
pub(super) fn duration_text(value: Duration) -> String {
    let millis = u64::try_from(value.as_millis()).unwrap_or(u64::MAX);
    if millis == 0 {
        return "0s".to_owned();
    }
    // Weeks are read but not written: people say "14d".
    let units = DURATION_UNITS.iter().take(5).rev();
    let (unit, factor) = units.copied().find(|(_, factor)| millis.is_multiple_of(*factor)).unwrap_or(("ms", 1));
    format!("{}{unit}", millis / factor)
}

/// Writes a size the way it would be written in the file.
pub(super) fn size_text(bytes: u64) -> String {
    let units = [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    let (unit, factor) = units.into_iter().find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor)).unwrap_or(("B", 1));
    format!("{}{unit}", bytes / factor)
}

fn number(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    Some((text[..digits].parse().ok()?, &text[digits..]))
}

fn unit_factor(units: &[(&str, u64)], unit: &str) -> Option<u64> {
    units.iter().find(|(name, _)| *name == unit).map(|(_, factor)| *factor)
}
