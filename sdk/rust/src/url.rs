use std::fmt::{self, Display};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// All but the unreserved characters of RFC 3986, so that a value is safe in a segment, a query and a form alike.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Encodes a value for one segment of a path: `format!("{base}/contacts/{}", encode(&email))`.
///
/// `.` and `..` come out unchanged, since no encoding keeps a server from resolving them: check ids that could be those.
pub fn encode(segment: impl Display) -> impl Display {
    Encoded(segment.to_string())
}

struct Encoded(String);

impl Display for Encoded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        utf8_percent_encode(&self.0, RESERVED).fmt(f)
    }
}

/// Adds `name=value` to a query or form.
pub(crate) fn push_pair(text: &mut String, name: &str, value: &str) {
    text.extend(utf8_percent_encode(name, RESERVED));
    text.push('=');
    text.extend(utf8_percent_encode(value, RESERVED));
}

/// A URL for people: without its query, which may hold personal data.
pub(crate) fn without_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}
