//! Takes secret values out of bytes that leave the host's own hands: answers to plugins, logs, error texts.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use zeroize::Zeroizing;

use super::error::VendorAnswer;
use super::escape;
use super::secret::Secret;

/// What stands in the place of a secret.
pub const MASK: &[u8] = b"[redacted]";
/// Shorter values are left alone, in bytes: they would shred innocent text and are no secrets worth the name.
pub(super) const SHORTEST: usize = 6;

/// A set of values to look for, each in all its [spellings](escape::spellings).
#[derive(Default)]
pub(super) struct Patterns {
    /// By first byte; the longest first, so that a value that begins with another is taken out whole.
    by_first: BTreeMap<u8, Vec<Zeroizing<Vec<u8>>>>,
}

impl std::fmt::Debug for Patterns {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Patterns(…)")
    }
}

impl Patterns {
    pub(super) fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut by_first = BTreeMap::<u8, Vec<Zeroizing<Vec<u8>>>>::new();
        let spellings = secrets.into_iter().map(Secret::expose).filter(|text| text.len() >= SHORTEST).flat_map(escape::spellings);
        for spelling in spellings {
            if let Some(&first) = spelling.first() {
                let list = by_first.entry(first).or_default();
                if !list.contains(&spelling) {
                    list.push(spelling);
                }
            }
        }
        for list in by_first.values_mut() {
            list.sort_by_key(|spelling| std::cmp::Reverse(spelling.len()));
        }
        Self { by_first }
    }

    /// `bytes` with every value masked; borrowed where there was none.
    pub(super) fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut candidates = [false; 256];
        self.by_first.keys().for_each(|&first| candidates[usize::from(first)] = true);
        let mut out = Vec::new();
        let (mut copied, mut at) = (0, 0);
        while at < bytes.len() {
            let found = candidates[usize::from(bytes[at])].then(|| self.at(&bytes[at..])).flatten();
            match found {
                Some(length) => {
                    out.extend_from_slice(&bytes[copied..at]);
                    out.extend_from_slice(MASK);
                    at += length;
                    copied = at;
                }
                None => at += 1,
            }
        }
        if copied == 0 {
            return Cow::Borrowed(bytes);
        }
        out.extend_from_slice(&bytes[copied..]);
        Cow::Owned(out)
    }

    /// Length of the value that `bytes` begins with.
    fn at(&self, bytes: &[u8]) -> Option<usize> {
        let list = self.by_first.get(bytes.first()?)?;
        list.iter().find(|spelling| bytes.starts_with(spelling)).map(|spelling| spelling.len())
    }
}

/// `bytes` with these values masked, in every usual spelling, and with each also what follows its prefix, as in `Bearer …` and `whsec_…`.
pub fn redact_with<'a>(secrets: &[Secret], bytes: &'a [u8]) -> Cow<'a, [u8]> {
    let bare = secrets.iter().filter_map(|secret| secret.expose().rsplit_once([' ', '_'])).map(|(_, rest)| Secret::new(rest.to_owned()));
    let bare: Vec<Secret> = bare.collect();
    Patterns::new(secrets.iter().chain(&bare)).redact(bytes)
}

/// The values in use now, by credential.
#[derive(Default)]
pub(super) struct Redactor {
    values: Mutex<BTreeMap<String, Vec<Secret>>>,
    patterns: RwLock<Arc<Patterns>>,
}

impl Redactor {
    /// Replaces the values of one credential.
    pub(super) fn set(&self, credential: &str, secrets: Vec<Secret>) {
        self.change(|values| {
            values.insert(credential.to_owned(), secrets);
        });
    }

    /// Keeps the values of these credentials only.
    pub(super) fn retain(&self, keep: impl Fn(&str) -> bool) {
        self.change(|values| values.retain(|credential, _| keep(credential)));
    }

    pub(super) fn redact<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let patterns = self.patterns.read().unwrap_or_else(PoisonError::into_inner).clone();
        patterns.redact(bytes)
    }

    /// A vendor's words, without the values of any credential: a system may know and repeat more than its own.
    pub(super) fn words(&self, answer: VendorAnswer) -> VendorAnswer {
        let clean = |text: Option<String>| text.map(|text| String::from_utf8_lossy(&self.redact(text.as_bytes())).into_owned());
        VendorAnswer { status: answer.status, error: clean(answer.error), description: clean(answer.description) }
    }

    fn change(&self, change: impl FnOnce(&mut BTreeMap<String, Vec<Secret>>)) {
        // Held until the patterns are in place, so that of two changes the later one stays.
        let mut values = self.values.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut values);
        let patterns = Arc::new(Patterns::new(values.values().flatten()));
        *self.patterns.write().unwrap_or_else(PoisonError::into_inner) = patterns;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_spelling_is_masked_and_the_longest_value_first() {
        let secrets = ["s3cr3t-abc", "s3cr3t-abc-def", "a/b\"c+d", "tiny"].map(|text| Secret::new(text.into()));
        let patterns = Patterns::new(&secrets);
        for (text, expected) in [
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
            assert_eq!(String::from_utf8_lossy(&patterns.redact(text.as_bytes())), expected);
        }
        assert!(matches!(patterns.redact(b"untouched"), Cow::Borrowed(_)));
    }

    #[test]
    fn values_of_a_credential_are_replaced_and_forgotten() {
        let redactor = Redactor::default();
        redactor.set("a", vec![Secret::new("first-value".into())]);
        redactor.set("b", vec![Secret::new("other-value".into())]);
        redactor.set("a", vec![Secret::new("second-value".into())]);
        assert_eq!(&*redactor.redact(b"first-value second-value other-value"), b"first-value [redacted] [redacted]");
        redactor.retain(|credential| credential == "a");
        assert_eq!(&*redactor.redact(b"second-value other-value"), b"[redacted] other-value");
    }
}
