//! A text within texts: as it is, or as addresses, forms and JSON write it.

use std::ops::Range;

/// Escapes that a text may be written in.
const PERCENT: u8 = b'%';
const BACKSLASH: u8 = b'\\';

/// The ways in which a text may stand in stored bytes, for a first look by the database: raw, in JSON (also with all beyond ASCII escaped), in a
/// form, in an address.
pub fn forms(text: &str) -> Vec<String> {
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let ascii = json.chars().fold(String::new(), |mut ascii, character| {
        if character.is_ascii() {
            ascii.push(character);
        } else {
            let mut units = [0; 2];
            for unit in character.encode_utf16(&mut units) {
                ascii.push_str(&format!("\\u{unit:04x}"));
            }
        }
        ascii
    });
    let form: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
    let path = form.replace('+', "%20");
    // What stands for itself in an address by most programs, though a form escapes it.
    let loose = path.replace("%40", "@").replace("%3A", ":").replace("%2B", "+");
    let mut forms = vec![text.to_owned()];
    for other in [json, ascii, form, path, loose] {
        if !forms.contains(&other) {
            forms.push(other);
        }
    }
    forms
}

/// A text to look for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Needle {
    text: String,
    /// Capitals don't count: a mail address.
    any_case: bool,
}

impl Needle {
    pub(super) fn new(text: String) -> Needle {
        Needle { any_case: text.contains('@'), text }
    }

    pub(super) fn len(&self) -> usize {
        self.text.len()
    }

    /// Where it stands in a text, in order and apart. `words`: not within a longer word.
    pub(super) fn ranges(&self, bytes: &[u8], words: bool) -> Vec<Range<usize>> {
        let mut found = self.found(bytes, None, words);
        for escape in [PERCENT, BACKSLASH] {
            if bytes.contains(&escape) || (escape == PERCENT && bytes.contains(&b'+')) {
                let (read, places) = unescaped(bytes, escape);
                found.extend(self.found(&read, Some(&places), words));
            }
        }
        found.sort_by_key(|range| (range.start, usize::MAX - range.end));
        let mut apart: Vec<Range<usize>> = Vec::new();
        for range in found {
            match apart.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => apart.push(range),
            }
        }
        apart
    }

    fn found(&self, bytes: &[u8], places: Option<&[usize]>, words: bool) -> Vec<Range<usize>> {
        let needle = self.text.as_bytes();
        let same = |a: u8, b: u8| if self.any_case { a.eq_ignore_ascii_case(&b) } else { a == b };
        let of_word = |byte: u8| byte.is_ascii_alphanumeric() || byte >= 0x80;
        let mut found = Vec::new();
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= needle.len() && !needle.is_empty()) {
            let Some(first) = rest[..=rest.len() - needle.len()].iter().position(|byte| same(*byte, needle[0])) else { break };
            let start = at + first;
            let end = start + needle.len();
            at = start + 1;
            if !bytes[start..end].iter().zip(needle).all(|(a, b)| same(*a, *b)) {
                continue;
            }
            let joined = |inner: u8, outer: Option<&u8>| of_word(inner) && outer.is_some_and(|outer| of_word(*outer));
            let before = start.checked_sub(1).and_then(|before| bytes.get(before));
            if words && (joined(needle[0], before) || joined(needle[needle.len() - 1], bytes.get(end))) {
                continue;
            }
            found.push(places.map_or(start..end, |places| places[start]..places[end]));
            at = end;
        }
        found
    }
}

/// The bytes with escapes of one kind read, and where each of them began; the last place is the end.
fn unescaped(bytes: &[u8], escape: u8) -> (Vec<u8>, Vec<usize>) {
    let (mut read, mut places) = (Vec::with_capacity(bytes.len()), Vec::with_capacity(bytes.len() + 1));
    let mut at = 0;
    while at < bytes.len() {
        let (meant, length) = match bytes[at] {
            b'+' if escape == PERCENT => (vec![b' '], 1),
            byte if byte == escape => one(&bytes[at..], escape).unwrap_or((vec![byte], 1)),
            byte => (vec![byte], 1),
        };
        places.extend(std::iter::repeat_n(at, meant.len()));
        read.extend(meant);
        at += length;
    }
    places.push(bytes.len());
    (read, places)
}

/// What the escape at the start means, and how long it is.
fn one(bytes: &[u8], escape: u8) -> Option<(Vec<u8>, usize)> {
    let number = |from: usize, digits: usize| {
        let text = std::str::from_utf8(bytes.get(from..from + digits)?).ok()?;
        u32::from_str_radix(text, 16).ok().filter(|_| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    if escape == PERCENT {
        return Some((vec![u8::try_from(number(1, 2)?).ok()?], 3));
    }
    let utf8 = |number: u32| char::from_u32(number).map(|character| character.to_string().into_bytes());
    match bytes.get(1)? {
        b'u' => match number(2, 4)? {
            high @ 0xd800..=0xdbff if bytes.get(6..8) == Some(b"\\u") => {
                let low = number(8, 4)?.checked_sub(0xdc00)?;
                Some((utf8(0x10000 + ((high - 0xd800) << 10) + low)?, 12))
            }
            single => Some((utf8(single)?, 6)),
        },
        b'n' => Some((vec![b'\n'], 2)),
        b't' => Some((vec![b'\t'], 2)),
        b'r' => Some((vec![b'\r'], 2)),
        other => Some((vec![*other], 2)),
    }
}
