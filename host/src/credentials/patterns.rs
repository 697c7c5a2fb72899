//! Finds values in bytes, in a time that grows with the bytes, however many the values are, how long, and how alike.
//!
//! A value is looked for by its last bytes. Where those stand, all of it is compared at once with what stands before them: by a digest of both, that of
//! the text being a difference of two sums (Rabin and Karp). Digests that agree by chance mask innocent bytes, once in 2^60 comparisons or so; a value is
//! never missed. What is kept of values is wiped when it is dropped, except for a table of bits that says which last bytes there may be.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::HashSet;
use std::sync::Arc;

use zeroize::{Zeroize, Zeroizing};

use super::escape;
use super::hidden::Hidden;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"[redacted]";
/// Shorter values are left alone, in bytes: they would shred innocent text and are no secrets worth the name.
pub(super) const SHORTEST: usize = 6;
/// Of a value that is cut off so many bytes are known again.
const SHORTEST_START: usize = 2;
/// Takes the last [`SHORTEST`] bytes.
const LAST: u64 = (1 << (8 * SHORTEST)) - 1;
/// Digests are taken modulo this prime, 2^61 - 1, …
const PRIME: u64 = (1 << 61) - 1;
/// … in powers of this. Whoever knows it, and not the value, can't make bytes that are taken for one.
const BASE: u64 = 0x0b5e_4c1d_93a7_f26b;
/// Bits of the table for each value, of which one is set: so few places of a text are looked at twice.
const BITS: usize = 64;
/// Most bits, as a power of two: the table stays in the processor's cache.
const MOST_BITS: u32 = 20;

/// A value in all its [spellings](escape::spellings), ready to be looked for.
pub(super) struct Spelled(Vec<Spelling>);

struct Spelling {
    bytes: Zeroizing<Vec<u8>>,
    end: Zeroizing<End>,
}

/// How a spelling ends, and all of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct End {
    last: u64,
    length: usize,
    digest: u64,
    /// [`BASE`] to the power of the length.
    power: u64,
}

/// A set of values to look for.
#[derive(Default)]
pub struct Patterns {
    values: Vec<Arc<Spelled>>,
    /// Those with the same last bytes lie side by side, the longest first.
    ends: Zeroizing<Vec<End>>,
    /// A bit for each of the last bytes: most of a text is passed over by it alone.
    marks: Vec<u64>,
    /// Of a mark: what is left of its 64 bits.
    shift: u32,
    /// Length of the longest.
    longest: usize,
}

impl Zeroize for End {
    fn zeroize(&mut self) {
        for number in [&mut self.last, &mut self.digest, &mut self.power] {
            number.zeroize();
        }
        self.length.zeroize();
    }
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patterns(…)")
    }
}

impl Spelled {
    pub(super) fn new(hidden: &Hidden) -> Spelled {
        let values = hidden.values().filter(|value| value.len() >= SHORTEST);
        let mut spellings: Vec<_> = values.flat_map(escape::spellings).filter(|bytes| bytes.len() >= SHORTEST).collect();
        spellings.sort_unstable_by(|one, other| one.as_slice().cmp(other));
        spellings.dedup();
        let spelling = |bytes: Zeroizing<Vec<u8>>| {
            let last = number(&bytes[bytes.len() - SHORTEST..]);
            let (digest, power) = bytes.iter().fold((0, 1), |(digest, power), byte| (with(digest, *byte), times(power, BASE)));
            Spelling { end: Zeroizing::new(End { last, length: bytes.len(), digest, power }), bytes }
        };
        Spelled(spellings.into_iter().map(spelling).collect())
    }
}

impl Patterns {
    /// All spellings of all these values.
    pub fn new<'a>(hidden: impl IntoIterator<Item = &'a Hidden>) -> Self {
        Self::of(hidden.into_iter().map(|hidden| Arc::new(Spelled::new(hidden))).collect())
    }

    pub(super) fn of(values: Vec<Arc<Spelled>>) -> Self {
        let mut ends = Zeroizing::new(Vec::with_capacity(values.iter().map(|value| value.0.len()).sum()));
        ends.extend(values.iter().flat_map(|value| &value.0).map(|spelling| *spelling.end));
        ends.sort_unstable_by_key(|end| (end.last, Reverse(end.length), end.digest));
        ends.dedup();
        let bits = (ends.len() * BITS).next_power_of_two().ilog2().clamp(BITS.ilog2(), MOST_BITS);
        let longest = ends.iter().map(|end| end.length).max().unwrap_or(0);
        let mut patterns = Self { values, ends, marks: vec![0; (1 << bits) / 64], shift: 64 - bits, longest };
        for at in 0..patterns.ends.len() {
            let (word, bit) = patterns.mark(patterns.ends[at].last);
            patterns.marks[word] |= bit;
        }
        patterns
    }

    /// `bytes` with every value masked; borrowed where there was none.
    pub fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        masked(bytes, &self.found(bytes))
    }

    /// The same of the start of something longer, where a value may be cut off at the end: what is left of it is masked, too.
    pub fn redact_start<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut found = self.found(bytes);
        match self.begun(bytes) {
            0 => {}
            length => add(&mut found, bytes.len() - length, bytes.len()),
        }
        masked(bytes, &found)
    }

    /// Where values are, from and to. Those that run into each other are one: of none a part is left.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        if self.ends.is_empty() {
            return found;
        }
        let mut sums = Sums::default();
        let mut last = 0;
        for (at, byte) in bytes.iter().enumerate() {
            last = (last << 8 | u64::from(*byte)) & LAST;
            let (word, bit) = self.mark(last);
            if self.marks[word] & bit != 0
                && let Some(length) = self.ends_at(last, &bytes[..=at], &mut sums)
            {
                add(&mut found, at + 1 - length, at + 1);
            }
        }
        found
    }

    /// Length of the longest value that `bytes` end with, whose last ones are known.
    fn ends_at(&self, last: u64, bytes: &[u8], sums: &mut Sums) -> Option<usize> {
        let from = self.ends.partition_point(|end| end.last < last);
        let mut rest = self.ends.get(from..)?;
        while let Some(end) = rest.first().filter(|end| end.last == last) {
            let alike = rest.partition_point(|other| (other.last, Reverse(other.length)) <= (last, Reverse(end.length)));
            let (same, shorter) = rest.split_at(alike);
            if let Some(digest) = sums.digest(bytes, end)
                && same.binary_search_by_key(&digest, |end| end.digest).is_ok()
            {
                return Some(end.length);
            }
            rest = shorter;
        }
        None
    }

    /// How many bytes at the end are how a longer value begins.
    fn begun(&self, bytes: &[u8]) -> usize {
        let tail = &bytes[bytes.len().saturating_sub(self.longest.saturating_sub(1))..];
        // Most values have not even their first bytes in it.
        let starts: HashSet<u64> = tail.windows(SHORTEST).map(number).collect();
        let begun = |spelling: &Spelling| {
            if starts.contains(&number(&spelling.bytes[..SHORTEST])) {
                return overlap(&spelling.bytes, tail);
            }
            (SHORTEST_START..SHORTEST).rev().find(|length| tail.ends_with(&spelling.bytes[..*length])).unwrap_or(0)
        };
        let longest = self.values.iter().flat_map(|value| &value.0).map(begun).max().unwrap_or(0);
        if longest < SHORTEST_START { 0 } else { longest }
    }

    /// Where the bit of such last bytes is.
    fn mark(&self, last: u64) -> (usize, u64) {
        let mark = last.wrapping_mul(BASE << 1 | 1).unbounded_shr(self.shift);
        ((mark / 64) as usize, 1 << (mark % 64))
    }
}

/// The sums that digests of a text's parts are differences of: after no byte, after the first one, and so on as far as they were needed.
#[derive(Default)]
struct Sums(Vec<u64>);

impl Sums {
    /// Digest of the last bytes, as many as that value has.
    fn digest(&mut self, bytes: &[u8], end: &End) -> Option<u64> {
        let from = bytes.len().checked_sub(end.length)?;
        let sums = &mut self.0;
        let mut sum = sums.last().copied().unwrap_or(0);
        if sums.is_empty() {
            sums.push(sum);
        }
        for byte in &bytes[sums.len() - 1..] {
            sum = with(sum, *byte);
            sums.push(sum);
        }
        Some((sums[bytes.len()] + PRIME - times(sums[from], end.power)) % PRIME)
    }
}

/// A digest, with one byte more. No byte counts as none.
fn with(digest: u64, byte: u8) -> u64 {
    (times(digest, BASE) + u64::from(byte) + 1) % PRIME
}

fn times(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let sum = (product & u128::from(PRIME)) as u64 + (product >> 61) as u64;
    if sum >= PRIME { sum - PRIME } else { sum }
}

/// As many bytes as are looked for.
fn number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// How many of the first bytes of a value, not all, a text ends with (Knuth, Morris and Pratt).
fn overlap(value: &[u8], text: &[u8]) -> usize {
    let most = text.len().min(value.len() - 1);
    let value = &value[..most];
    // Of so many first bytes: how many, not all, stand at their end as well.
    let mut again = vec![0; most];
    let mut length = 0;
    for at in 1..most {
        while length > 0 && value[at] != value[length] {
            length = again[length - 1];
        }
        length += usize::from(value[at] == value[length]);
        again[at] = length;
    }
    length = 0;
    for byte in &text[text.len() - most..] {
        while length > 0 && *byte != value[length] {
            length = again[length - 1];
        }
        length += usize::from(*byte == value[length]);
    }
    length
}

/// Adds what ends after all that is there.
fn add(found: &mut Vec<(usize, usize)>, mut from: usize, to: usize) {
    while let Some((before, _)) = found.pop_if(|(_, end)| from < *end) {
        from = from.min(before);
    }
    found.push((from, to));
}

fn masked<'a>(bytes: &'a [u8], found: &[(usize, usize)]) -> Cow<'a, [u8]> {
    if found.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut out = Vec::new();
    let mut copied = 0;
    for (from, to) in found {
        out.extend_from_slice(&bytes[copied..*from]);
        out.extend_from_slice(MASK);
        copied = *to;
    }
    out.extend_from_slice(&bytes[copied..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Secret;

    fn hidden(values: &[&str]) -> Hidden {
        values.iter().map(|text| Secret::new((*text).to_owned())).collect::<Vec<_>>().iter().collect()
    }

    fn text(bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes).into_owned()
    }

    #[test]
    fn every_spelling_is_masked_and_the_longest_value_first() {
        let patterns = Patterns::new([&hidden(&["s3cr3t-abc", "s3cr3t-abc-def", "a/b\"c+d", "tiny"])]);
        for (given, expected) in [
            ("nothing here", "nothing here"),
            ("s3cr3t-abc", "[redacted]"),
            ("x s3cr3t-abc-def y s3cr3t-abc", "x [redacted] y [redacted]"),
            ("s3cr3t-abs3cr3t-abc", "s3cr3t-ab[redacted]"),
            ("?token=a%2Fb%22c%2Bd&x", "?token=[redacted]&x"),
            (r#"{"t":"a/b\"c+d"}"#, r#"{"t":"[redacted]"}"#),
            (r#"{"t":"a\/b\"c+d"}"#, r#"{"t":"[redacted]"}"#),
            ("?token=a%2fb%22c%2bd&x", "?token=[redacted]&x"),
            ("<p>a/b&quot;c+d</p>", "<p>[redacted]</p>"),
            ("612f6222632b64", "[redacted]"),
            // `user:s3cr3t-abc` in base64: what the user's name decides stays.
            ("Basic dXNlcjpzM2NyM3QtYWJj", "Basic dXNlcjp[redacted]"),
            ("tiny stays", "tiny stays"),
            ("", ""),
        ] {
            assert_eq!(text(&patterns.redact(given.as_bytes())), expected);
        }
        assert!(matches!(patterns.redact(b"untouched"), Cow::Borrowed(_)));
    }

    #[test]
    fn of_values_that_run_into_each_other_no_part_is_left() {
        let patterns = Patterns::new([&hidden(&["prod-key", "key-83748374", "one-two-three-one", "  spaced-out\n"])]);
        for (given, expected) in [
            ("prod-key-83748374 key-83748374", "[redacted] [redacted]"),
            ("one-two-three-one-two-three-one", "[redacted]"),
            ("prod-keyprod-key", "[redacted][redacted]"),
            // A header's value loses the white space around it.
            ("X-Key: spaced-out;", "X-Key: [redacted];"),
        ] {
            assert_eq!(text(&patterns.redact(given.as_bytes())), expected);
        }
    }

    #[test]
    fn of_a_value_that_is_cut_off_no_part_is_left() {
        let patterns = Patterns::new([&hidden(&["s3cr3t-abc-def", "abc-defghi"])]);
        for (given, expected) in [
            ("it was s3cr3t-a", "it was [redacted]"),
            ("it was s3cr3t-abc-def", "it was [redacted]"),
            ("s3cr3t-abc-defgh", "[redacted]"),
            ("it was so", "it was so"),
            ("s3", "[redacted]"),
            ("", ""),
        ] {
            assert_eq!(text(&patterns.redact_start(given.as_bytes())), expected);
        }
        assert_eq!(text(&patterns.redact(b"it was s3cr3t-a")), "it was s3cr3t-a");
    }

    #[test]
    fn a_key_is_masked_as_the_bytes_that_it_stands_for() {
        let mut keys = Hidden::default();
        let (readable, binary) = (b"the key/of a subscriber?>".as_slice(), [0xfb, 0xff, 0xfe, 0x00, 0x10, 0x83, 0xa1, 0xb2].as_slice());
        // base64 of those.
        keys.key(&Secret::new("whsec_dGhlIGtleS9vZiBhIHN1YnNjcmliZXI/Pg==".into()), readable);
        keys.key(&Secret::new("FBFFFE001083A1B2".into()), binary);
        keys.key(&Secret::new("c2hvcnQ=".into()), b"short");
        let patterns = Patterns::new([&keys]);
        for (given, expected) in [
            ("whsec_dGhlIGtleS9vZiBhIHN1YnNjcmliZXI/Pg==", "[redacted]"),
            ("dGhlIGtleS9vZiBhIHN1YnNjcmliZXI/Pg==", "[redacted]"),
            ("dGhlIGtleS9vZiBhIHN1YnNjcmliZXI_Pg", "[redacted]"),
            ("the key/of a subscriber?>", "[redacted]"),
            (r#"{"key":"the key\/of a subscriber?>"}"#, r#"{"key":"[redacted]"}"#),
            (r#"{"key":"the key/of a subscriber?\u003e"}"#, r#"{"key":"[redacted]"}"#),
            ("the%20key%2Fof%20a%20subscriber%3F%3E", "[redacted]"),
            ("746865206b65792f6f66206120737562736372696265723f3e", "[redacted]"),
            ("fbfffe001083a1b2 FBFFFE001083A1B2", "[redacted] [redacted]"),
            ("+//+ABCDobI= -__-ABCDobI", "[redacted] [redacted]"),
            ("short c2hvcnQ= 73686f7274", "short [redacted] 73686f7274"),
        ] {
            assert_eq!(text(&patterns.redact(given.as_bytes())), expected);
        }
        assert_eq!(text(&patterns.redact(&[b"<", binary, b">"].concat())), "<[redacted]>");
    }

    /// Letters that are mostly alike, so that values lie within each other, and begin again within themselves.
    fn alike(random: &mut u64, length: usize) -> Vec<u8> {
        let letter = |_| {
            *random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if random.wrapping_shr(60) < 3 { b'b' } else { b'a' }
        };
        (0..length).map(letter).collect()
    }

    #[test]
    fn what_is_found_is_what_a_look_at_every_place_finds() {
        let mut random = 7;
        for round in 0..300 {
            let values: Vec<String> = (0..4).map(|n| text(&alike(&mut random, 6 + (round * 7 + n * 5) % 40))).collect();
            let hidden = hidden(&values.iter().map(String::as_str).collect::<Vec<_>>());
            let spellings: Vec<_> = hidden.values().flat_map(escape::spellings).collect();
            let patterns = Patterns::new([&hidden]);
            let given = [alike(&mut random, round % 90), b" ".repeat(round % 2), alike(&mut random, round % 61)].concat();
            let mut covered = vec![false; given.len()];
            for spelling in &spellings {
                for at in 0..given.len() {
                    if given[at..].starts_with(spelling) {
                        covered[at..at + spelling.len()].fill(true);
                    }
                }
            }
            let cover = |found: &[(usize, usize)]| {
                let is_in = |at: &usize| found.iter().any(|(from, to)| (*from..*to).contains(at));
                (0..given.len()).map(|at| is_in(&at)).collect::<Vec<_>>()
            };
            assert_eq!(cover(&patterns.found(&given)), covered, "{values:?} in {}", text(&given));
            let begins = |at: &usize| {
                given.len() - at >= SHORTEST_START && spellings.iter().any(|s| s.len() > given.len() - at && s.starts_with(&given[*at..]))
            };
            let begun = (0..given.len()).find(begins).map_or(0, |at| given.len() - at);
            assert_eq!(patterns.begun(&given), begun, "{values:?} in {}", text(&given));
        }
    }

    #[test]
    fn a_text_that_nearly_is_long_values_everywhere_takes_no_longer() {
        let mut values: Vec<String> = (0..12).map(|more| format!("{}b", "a".repeat((30 << 10) + more))).collect();
        values.push(format!("b{}", "a".repeat(30 << 10)));
        let patterns = Patterns::new([&hidden(&values.iter().map(String::as_str).collect::<Vec<_>>())]);
        let given = vec![b'a'; 4 << 20];
        let begun = std::time::Instant::now();
        let masked = patterns.redact_start(&given);
        // A second or so, where nothing is optimised; half a minute or more where each place is compared with each value.
        assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
        assert_eq!(masked.len(), given.len() - (30 << 10) - 11 + MASK.len(), "its end is how the longest begins");
    }
}
