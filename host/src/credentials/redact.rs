//! Takes secret values out of bytes that leave the host's own hands: answers to plugins, logs, error texts.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::error::VendorAnswer;
use super::escape;
use super::hidden::Hidden;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"[redacted]";
/// Shorter values are left alone, in bytes: they would shred innocent text and are no secrets worth the name.
pub(super) const SHORTEST: usize = 6;
/// Words of 64 bits for all that two bytes may be.
const STARTS: usize = (1 << 16) / 64;

/// A set of values to look for, each in all its [spellings](escape::spellings).
#[derive(Default)]
pub struct Patterns {
    /// By the first two bytes, so that many values cost little more than few; the longest first, so that a value that begins with another is found
    /// whole.
    by_start: HashMap<[u8; 2], Vec<Zeroizing<Vec<u8>>>>,
    /// A bit for each two bytes, set where there are any: most of a text is passed over by it alone.
    starts: Vec<u64>,
    /// Length of the longest.
    longest: usize,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patterns(…)")
    }
}

impl Patterns {
    /// All spellings of all these values.
    pub fn new<'a>(hidden: impl IntoIterator<Item = &'a Hidden>) -> Self {
        let mut by_start = HashMap::<[u8; 2], Vec<Zeroizing<Vec<u8>>>>::new();
        let values = hidden.into_iter().flat_map(Hidden::values).filter(|value| value.len() >= SHORTEST);
        for spelling in values.flat_map(escape::spellings) {
            if let Some(start) = spelling.first_chunk::<2>() {
                let list = by_start.entry(*start).or_default();
                if !list.contains(&spelling) {
                    list.push(spelling);
                }
            }
        }
        for list in by_start.values_mut() {
            list.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        }
        let mut starts = vec![0; STARTS];
        by_start.keys().map(|start| bit(*start)).for_each(|(word, bit)| starts[word] |= bit);
        let longest = by_start.values().flatten().map(|spelling| spelling.len()).max().unwrap_or(0);
        Self { by_start, starts, longest }
    }

    /// `bytes` with every value masked; borrowed where there was none.
    pub fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        masked(bytes, &self.found(bytes))
    }

    /// The same of the start of something longer, where a value may be cut off at the end: what is left of it is masked, too.
    pub fn redact_start<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut found = self.found(bytes);
        let begun = (bytes.len().saturating_sub(self.longest)..bytes.len()).find(|at| self.begins(&bytes[*at..]));
        if let Some(at) = begun {
            found.retain(|(from, _)| *from < at);
            add(&mut found, at, bytes.len());
        }
        masked(bytes, &found)
    }

    /// Where values are, from and to. Those that run into each other are one: of none a part is left.
    fn found(&self, bytes: &[u8]) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        if self.by_start.is_empty() {
            return found;
        }
        for (at, start) in bytes.windows(2).enumerate() {
            let (word, bit) = bit([start[0], start[1]]);
            if self.starts[word] & bit != 0
                && let Some(length) = self.at(&bytes[at..])
            {
                add(&mut found, at, at + length);
            }
        }
        found
    }

    /// Length of the value that `bytes` begins with.
    fn at(&self, bytes: &[u8]) -> Option<usize> {
        let list = self.by_start.get(bytes.first_chunk::<2>()?)?;
        list.iter().find(|spelling| bytes.starts_with(spelling)).map(|spelling| spelling.len())
    }

    /// Whether `bytes` are how a longer value begins.
    fn begins(&self, bytes: &[u8]) -> bool {
        let list = bytes.first_chunk::<2>().and_then(|start| self.by_start.get(start));
        list.is_some_and(|list| list.iter().any(|spelling| spelling.starts_with(bytes)))
    }
}

/// Where a start's bit is.
fn bit(start: [u8; 2]) -> (usize, u64) {
    let start = u16::from_be_bytes(start);
    (usize::from(start / 64), 1 << (start % 64))
}

/// Adds what begins after, or within, all that is there.
fn add(found: &mut Vec<(usize, usize)>, from: usize, to: usize) {
    match found.last_mut() {
        Some((_, end)) if from < *end => *end = to.max(*end),
        _ => found.push((from, to)),
    }
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

/// Whose values are looked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Owner {
    /// Of `[credentials.NAME]`.
    Credential(String),
    /// Of a source that verifies with them.
    Source(String),
    /// Of `[webhooks.NAME]`.
    Subscriber(String),
}

/// The values in use now, by their owner.
#[derive(Default)]
pub(super) struct Redactor {
    values: Mutex<BTreeMap<Owner, Hidden>>,
    patterns: RwLock<Arc<Patterns>>,
}

impl Redactor {
    /// Replaces the values of one credential.
    pub(super) fn set(&self, credential: &str, hidden: Hidden) {
        self.change(|values| {
            values.insert(Owner::Credential(credential.to_owned()), hidden);
            true
        });
    }

    /// Keeps the values of these credentials only, and of those who have none.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.change(|values| {
            values.retain(|owner, _| if let Owner::Credential(name) = owner { keep(name) } else { true });
            true
        });
    }

    /// Replaces the values of all that are no credentials.
    pub(super) fn set_others(&self, others: Vec<(Owner, Hidden)>) {
        self.change(|values| {
            let (credentials, before): (BTreeMap<_, _>, BTreeMap<_, _>) =
                std::mem::take(values).into_iter().partition(|(owner, _)| matches!(owner, Owner::Credential(_)));
            let others: BTreeMap<Owner, Hidden> = others.into_iter().collect();
            let differs = others != before;
            *values = credentials;
            values.extend(others);
            differs
        });
    }

    pub(super) fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.patterns().redact(bytes)
    }

    pub(super) fn redact_start<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        self.patterns().redact_start(bytes)
    }

    /// A vendor's words, without the values of any credential: a system may know and repeat more than its own.
    pub(super) fn words(&self, answer: VendorAnswer) -> VendorAnswer {
        let clean = |text: Option<String>| text.map(|text| String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned());
        VendorAnswer { status: answer.status, error: clean(answer.error), description: clean(answer.description) }
    }

    fn patterns(&self) -> Arc<Patterns> {
        self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// `change` says whether anything is another.
    fn change(&self, change: impl FnOnce(&mut BTreeMap<Owner, Hidden>) -> bool) {
        // Held until the patterns are in place, so that of two changes the later one stays.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        if change(&mut values) {
            let patterns = Arc::new(Patterns::new(values.values()));
            *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = patterns;
        }
    }
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
    fn values_of_a_credential_are_replaced_and_forgotten() {
        let redactor = Redactor::default();
        redactor.set("a", hidden(&["first-value"]));
        redactor.set("b", hidden(&["other-value"]));
        redactor.set("a", hidden(&["second-value"]));
        assert_eq!(&*redactor.redact(b"first-value second-value other-value"), b"first-value [redacted] [redacted]");
        redactor.retain(|credential| credential == "a");
        assert_eq!(&*redactor.redact(b"second-value other-value"), b"[redacted] other-value");
    }

    #[test]
    fn values_of_others_stay_when_credentials_come_and_go() {
        let redactor = Redactor::default();
        redactor.set("a", hidden(&["first-value"]));
        redactor.set_others(vec![
            (Owner::Source("a".into()), hidden(&["source-value"])),
            (Owner::Subscriber("a".into()), hidden(&["endpoint-value"])),
        ]);
        redactor.retain(|_| false);
        assert_eq!(&*redactor.redact(b"first-value source-value endpoint-value"), b"first-value [redacted] [redacted]");
        redactor.set("a", hidden(&["first-value"]));
        redactor.set_others(vec![(Owner::Source("a".into()), hidden(&["source-value"]))]);
        assert_eq!(&*redactor.redact(b"first-value source-value endpoint-value"), b"[redacted] [redacted] endpoint-value");
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
}
