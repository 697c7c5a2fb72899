//! What nobody is to see of a secret: not only as it is written, but as what it is used as, which a system may repeat as well.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

use super::secret::Secret;

/// Shortest word of a header's value that is masked on its own, so that `Bearer` and `Token` are not.
const SHORTEST_WORD: usize = 8;
/// Shortest end of a word that is masked without its prefix: behind `sk_live_` stands a key, behind `customer_` a word that others use, too.
const SHORTEST_KEY: usize = 16;
/// Names in front of `=`, or their last words behind a `_`, whose value everybody may know and use.
const KNOWN: [&str; 16] = [
    "account",
    "algorithm",
    "charset",
    "client",
    "domain",
    "email",
    "method",
    "profile",
    "qop",
    "realm",
    "scope",
    "tenant",
    "type",
    "user",
    "username",
    "version",
];

/// Values to look for in what comes back. `Debug` shows nothing of them.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Hidden(Vec<Zeroizing<Vec<u8>>>);

impl Hidden {
    /// A secret as it is written. The white space around it does not always travel with it.
    pub fn secret(&mut self, secret: &Secret) {
        self.bytes(secret.expose().trim().as_bytes());
    }

    /// A key that is written in base64 or hexadecimal, and the bytes that it stands for.
    pub fn key(&mut self, written: &Secret, bytes: &[u8]) {
        self.secret(written);
        self.bytes(bytes);
    }

    /// A header's value: whole, without its scheme, each long word, what stands behind a name and `=`, a key without its prefix, and what the pair of
    /// `Basic` (RFC 7617) stands for.
    pub fn header(&mut self, value: &Secret) {
        self.secret(value);
        let text = value.expose().trim();
        if let Some((scheme, rest)) = text.split_once(' ') {
            let rest = rest.trim_start();
            self.bytes(rest.as_bytes());
            if scheme.eq_ignore_ascii_case("basic") {
                self.pair(rest);
            }
        }
        text.split_ascii_whitespace().for_each(|word| self.word(word));
        for (at, _) in text.match_indices('=') {
            let name = text[..at].trim_end().rsplit([' ', '\t', ',', ';', '&', '=']).next().unwrap_or_default();
            let last = name.rsplit('_').next().unwrap_or(name);
            if !KNOWN.iter().any(|known| last.eq_ignore_ascii_case(known)) {
                self.parameter(text[at + 1..].trim_start());
            }
        }
    }

    /// What begins behind `=`: what is quoted, or all as far as it may reach.
    fn parameter(&mut self, value: &str) {
        if let Some(quote @ ('"' | '\'')) = value.chars().next() {
            let inside = &value[1..];
            // Where the quote is not closed, a part of it was left out.
            self.word(inside.split(quote).next().unwrap_or(inside));
        } else {
            let word = value.split_ascii_whitespace().next().unwrap_or_default();
            self.word(word);
            self.word(word.split([',', ';', '&']).next().unwrap_or(word));
        }
    }

    /// A part of a header that is long enough to be a secret.
    fn word(&mut self, word: &str) {
        if word.len() < SHORTEST_WORD {
            return;
        }
        self.bytes(word.as_bytes());
        if let Some((_, key)) = word.rsplit_once('_').filter(|(_, key)| key.len() >= SHORTEST_KEY) {
            self.bytes(key.as_bytes());
        }
    }

    /// All that another one has.
    pub fn append(&mut self, mut other: Hidden) {
        self.0.append(&mut other.0);
    }

    /// Nothing is to be looked for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().map(|value| value.as_slice())
    }

    fn pair(&mut self, encoded: &str) {
        let Ok(pair) = STANDARD.decode(encoded).map(Zeroizing::new) else { return };
        self.bytes(&pair);
        if let Some(colon) = pair.iter().position(|byte| *byte == b':') {
            self.bytes(&pair[colon + 1..]);
        }
    }

    fn bytes(&mut self, value: &[u8]) {
        self.0.push(Zeroizing::new(value.to_vec()));
    }
}

impl<'a> FromIterator<&'a Secret> for Hidden {
    fn from_iter<T: IntoIterator<Item = &'a Secret>>(secrets: T) -> Self {
        let mut hidden = Self::default();
        secrets.into_iter().for_each(|secret| hidden.secret(secret));
        hidden
    }
}

impl std::fmt::Debug for Hidden {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hidden(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_header(value: &str) -> Vec<String> {
        let mut hidden = Hidden::default();
        hidden.header(&Secret::new(value.to_owned()));
        let mut values: Vec<String> = hidden.values().map(|value| String::from_utf8_lossy(value).into_owned()).collect();
        values.sort();
        values.dedup();
        values
    }

    #[test]
    fn of_a_header_the_words_the_key_behind_a_prefix_and_the_pair_are_hidden_and_no_common_word() {
        assert_eq!(of_header("Bearer abc_def_ghi"), ["Bearer abc_def_ghi", "abc_def_ghi"]);
        assert_eq!(of_header("sk_live_0123456789abcdef"), ["0123456789abcdef", "sk_live_0123456789abcdef"]);
        assert_eq!(of_header("acme_customer"), ["acme_customer"], "a word behind a prefix is no key");
        // `kim:hunter2-Kx`
        assert_eq!(
            of_header("basic a2ltOmh1bnRlcjItS3g="),
            ["a2ltOmh1bnRlcjItS3g=", "basic a2ltOmh1bnRlcjItS3g=", "hunter2-Kx", "kim:hunter2-Kx"]
        );
    }

    #[test]
    fn of_a_header_with_parameters_their_values_are_hidden_as_well() {
        for (header, values) in [
            (r#"Token token="hunter2-Kx.9", realm="api.acme.example""#, &["hunter2-Kx.9"][..]),
            ("Vendor key='two words of it'", &["two words of it"]),
            ("key=hunter2-Kx.9;charset=iso-8859-15", &["hunter2-Kx.9"]),
            ("id=short,secret = a,b;c&d=e-f-g-hi", &["a,b;c&d=e-f-g-hi", "e-f-g-hi"]),
            ("api_key=sk_live_0123456789abcdef", &["sk_live_0123456789abcdef", "0123456789abcdef"]),
            (r#"OAuth oauth_signature_method="HMAC-SHA1", oauth_token="hunter2-Kx.9""#, &["hunter2-Kx.9"]),
            (r#"Digest username="integration", Client="integration", response="hunter2-Kx.9""#, &["hunter2-Kx.9"]),
        ] {
            let hidden = of_header(header);
            for value in values {
                assert!(hidden.iter().any(|hidden| hidden == value), "{value} of {header}: {hidden:?}");
            }
            for word in ["api.acme.example", "iso-8859-15", "short", "HMAC-SHA1", "integration"] {
                assert!(!hidden.iter().any(|hidden| hidden == word), "{word} of {header}: {hidden:?}");
            }
        }
        // What fills base64 up is no value.
        assert_eq!(of_header("bm8gcGFpcg=="), ["bm8gcGFpcg=="]);
    }
}
