//! Spellings of a secret: how it is written where it belongs, and how it may come back.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

/// Shortest piece of base64 that is looked for: shorter ones are found in any text.
const SHORTEST_BASE64: usize = 8;

/// Percent-encoded, everything but the unreserved characters of RFC 3986 section 2.3.
pub(super) fn percent(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 3));
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push_str(&hex(&[byte]).to_ascii_uppercase());
        }
    }
    out
}

/// As a value of `application/x-www-form-urlencoded`.
pub(super) fn form(text: &str) -> Zeroizing<String> {
    Zeroizing::new(url::form_urlencoded::byte_serialize(text.as_bytes()).collect())
}

/// As the inside of a JSON string.
pub(super) fn json(text: &str) -> Zeroizing<String> {
    let quoted = Zeroizing::new(serde_json::Value::from(text).to_string());
    Zeroizing::new(quoted[1..quoted.len() - 1].to_owned())
}

/// As text of XML or HTML.
pub(super) fn xml(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * 2));
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            other => out.push(other),
        }
    }
    out
}

/// A percent-encoded name as it is meant; `+` is a space.
pub(super) fn decoded(text: &str) -> String {
    url::form_urlencoded::parse(text.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default()
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// All the spellings in which a system may send a value back: as it is, hexadecimal, in base64 alone and wherever in a longer text it begins, and, where
/// it is text, [as text](texts).
pub(super) fn spellings(value: &[u8]) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = |text: String| Zeroizing::new(text.into_bytes());
    let mut all = vec![Zeroizing::new(value.to_vec()), bytes(hex(value)), bytes(hex(value).to_ascii_uppercase())];
    all.extend(std::str::from_utf8(value).map(texts).unwrap_or_default());
    for (padded, bare) in [(&STANDARD, &STANDARD_NO_PAD), (&URL_SAFE, &URL_SAFE_NO_PAD)] {
        all.extend([bytes(padded.encode(value)), bytes(bare.encode(value))]);
        all.extend((0..3).filter_map(|before| base64_within(value, before, bare)));
    }
    all
}

/// A text in URLs, forms, JSON of several dialects, and HTML.
fn texts(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let bytes = |text: &str| Zeroizing::new(text.as_bytes().to_vec());
    let lower = |text: &str| bytes(&lower_escapes(text));
    let (percent, form, json) = (percent(text), form(text), json(text));
    let spaced = form.replace('+', "%20");
    vec![
        bytes(&form),
        lower(&form),
        bytes(&spaced),
        lower(&spaced),
        bytes(&percent),
        lower(&percent),
        bytes(&json),
        // PHP escapes slashes, Go what means something in HTML.
        bytes(&json.replace('/', "\\/")),
        bytes(&json.replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")),
        bytes(&xml(text)),
        bytes(&text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&#34;").replace('\'', "&#39;")),
    ]
}

/// The characters of base64 that the value alone decides, where `before` bytes (modulo 3) stand in front of it.
fn base64_within(value: &[u8], before: usize, engine: &impl Engine) -> Option<Zeroizing<Vec<u8>>> {
    let padded = Zeroizing::new([&[0, 0, 0][..before], value].concat());
    let encoded = Zeroizing::new(engine.encode(&*padded));
    let first = (before * 8).div_ceil(6);
    let end = padded.len() * 8 / 6;
    let piece = encoded.as_bytes().get(first..end).filter(|piece| piece.len() >= SHORTEST_BASE64)?;
    Some(Zeroizing::new(piece.to_vec()))
}

/// `%2F` as `%2f`.
fn lower_escapes(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    let mut digits = 0;
    for c in text.chars() {
        out.push(if digits > 0 { c.to_ascii_lowercase() } else { c });
        digits = if c == '%' { 2 } else { digits.max(1) - 1 };
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_place_has_its_own_escapes() {
        let text = "a/b\"c+d &<é";
        assert_eq!(percent(text).as_str(), "a%2Fb%22c%2Bd%20%26%3C%C3%A9");
        assert_eq!(form(text).as_str(), "a%2Fb%22c%2Bd+%26%3C%C3%A9");
        assert_eq!(json(text).as_str(), "a/b\\\"c+d &<é");
        assert_eq!(xml(text).as_str(), "a/b&quot;c+d &amp;&lt;é");
        assert_eq!(lower_escapes("a%2FB%C3%A9Z").as_str(), "a%2fB%c3%a9Z");
        assert_eq!(decoded("k%65y=x"), "key");
    }

    #[test]
    fn base64_of_any_text_with_the_value_in_it_holds_one_of_its_spellings() {
        let value = "s3cr3t-value/1";
        let spellings = spellings(value.as_bytes());
        for before in ["", "u", "us", "use", "user:", "Bearer "] {
            for after in ["", ":", "\n!", "abc"] {
                for engine in [&STANDARD, &URL_SAFE] {
                    let text = engine.encode(format!("{before}{value}{after}"));
                    assert!(spellings.iter().any(|s| text.as_bytes().windows(s.len()).any(|w| w == s.as_slice())), "{text}");
                }
            }
        }
    }
}
