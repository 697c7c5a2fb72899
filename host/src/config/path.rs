//! Patterns for the paths of requests, and for requests as `METHOD /path`.
//!
//! A path means what the system behind it makes of it: it may decode it once or twice, drop what follows a semicolon, take a backslash
//! for a slash. So whatever could mean another place than it says matches no wildcard.

use std::borrow::Cow;
use std::fmt;

use percent_encoding::percent_decode_str;
use url::Url;

use super::model::{PathPattern, RequestPattern};

/// How often a segment is decoded in looking for what it hides; one that still changes then is not taken for plain.
const DECODINGS: usize = 4;

impl PathPattern {
    /// Reads `/path`, `*` standing for one segment, a last `**` for the rest.
    ///
    /// # Errors
    ///
    /// What is wrong, to be told after what was read.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        let path = text.strip_prefix('/').ok_or("the path begins with a slash")?;
        if path.contains(['?', '#', ' ']) {
            return Err("the path has no query, fragment or space");
        }
        if path.split('/').any(|segment| segment != "*" && segment != "**" && !segment.is_empty() && !is_plain(segment)) {
            return Err("a segment that steps upwards or hides a slash matches nothing");
        }
        // Written as requests are: what is not ASCII percent-encoded.
        let url = Url::parse(&format!("http://host/{path}")).map_err(|_| "the path is not one of a URL")?;
        let segments: Vec<String> = url.path()[1..].split('/').map(|segment| spelled(segment).into_owned()).collect();
        let (last, before) = segments.split_last().ok_or("the path is missing")?;
        if before.iter().any(|segment| segment.contains("**")) || (last.contains("**") && last != "**") {
            return Err("`**` stands only alone and at the end");
        }
        if segments.iter().any(|segment| segment.contains('*') && !segment.trim_matches('*').is_empty()) {
            return Err("`*` stands for a whole segment");
        }
        Ok(Self { segments })
    }

    /// Whether it covers a path, which begins with a slash and has no query. What could lead elsewhere (a step upwards, an encoded slash,
    /// an empty segment) never matches a wildcard.
    pub fn matches(&self, path: &str) -> bool {
        let Some(path) = path.strip_prefix('/') else {
            return false;
        };
        let mut segments = path.split('/').peekable();
        for pattern in &self.segments {
            if pattern == "**" {
                while let Some(segment) = segments.next() {
                    // The slash at the end of a path is no segment.
                    if !(is_plain(segment) || segment.is_empty() && segments.peek().is_none()) {
                        return false;
                    }
                }
                return true;
            }
            let matched = segments.next().is_some_and(|segment| match pattern.as_str() {
                "*" => is_plain(segment),
                literal => literal == spelled(segment),
            });
            if !matched {
                return false;
            }
        }
        segments.next().is_none()
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.segments.join("/"))
    }
}

impl RequestPattern {
    /// Reads `METHOD /path`, `*` standing for one segment, a last `**` for the rest.
    ///
    /// # Errors
    ///
    /// What is wrong and how to write it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("`{text}` is not a request pattern: {why}, such as \"POST /crm/*/search\"");
        let (method, path) = text.split_once(' ').ok_or_else(|| wrong("write the method, a space and the path"))?;
        if !is_method(method) {
            return Err(wrong("the method comes first, in capitals"));
        }
        Ok(Self { method: method.to_owned(), path: PathPattern::parse(path).map_err(wrong)? })
    }

    /// Whether it covers a request. `path` begins with a slash and has no query.
    pub fn matches(&self, method: &str, path: &str) -> bool {
        method == self.method && self.path.matches(path)
    }
}

impl fmt::Display for RequestPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

/// Whether a text is a method as patterns have it.
pub(super) fn is_method(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_uppercase())
}

/// A segment with the digits of its percent-encodings in capitals, which change nothing about what it means.
fn spelled(segment: &str) -> Cow<'_, str> {
    if !segment.contains('%') {
        return segment.into();
    }
    let mut spelled = String::with_capacity(segment.len());
    let mut left = 0;
    for c in segment.chars() {
        if left > 0 {
            left -= 1;
            spelled.push(c.to_ascii_uppercase());
        } else {
            left = if c == '%' { 2 } else { 0 };
            spelled.push(c);
        }
    }
    spelled.into()
}

/// Whether a segment names one thing below the segment before it, whoever decodes it and however often.
fn is_plain(segment: &str) -> bool {
    let mut now = segment.to_owned();
    for _ in 0..DECODINGS {
        // A parameter of the segment, as servlet containers have them, is dropped by them before they look for steps upwards.
        let name = now.split(';').next().unwrap_or_default();
        let only_dots = name.chars().all(|c| c == '.' || c == ' ');
        if only_dots || now.contains(|c: char| c == '/' || c == '\\' || c.is_control()) {
            return false;
        }
        let Ok(next) = percent_decode_str(&now).decode_utf8().map(Cow::into_owned) else {
            return false;
        };
        if next == now {
            return true;
        }
        now = next;
    }
    false
}
