//! Placeholders: a plugin writes `{{credential:NAME}}` where its vendor wants the secret, and the host fills it in on
//! the way out. Pure.
//!
//! The text is the same on every attempt, so that journal and keys, which see the request before it is filled in, know
//! a write again also after the secret was changed. Text of an event may hold a placeholder too: hence the declared
//! places, and hence one that stands twice in them is refused rather than filled in.

use bytes::Bytes;
use http::{HeaderValue, header};
use serde_json::Value;

use super::escape;
use super::outgoing::Outgoing;
use super::secret::Secret;
use crate::config::Place;

/// The text that a plugin writes for the credential of that name.
pub(super) fn placeholder(credential: &str) -> String {
    format!("{{{{credential:{credential}}}}}")
}

/// Fills the secret in, escaped as its place wants it. `false` where there is no placeholder in the declared places.
///
/// # Errors
/// Why the request is not to be sent. It is unchanged then.
pub(super) fn fill(request: &mut Outgoing, credential: &str, value: &Secret, places: &[Place]) -> Result<bool, &'static str> {
    let mut filling = Filling { placeholder: placeholder(credential), value, count: 0 };
    let mut filled = request.clone();
    for place in places {
        match place {
            Place::Path => filling.path(&mut filled)?,
            Place::Query(name) => filling.query(&mut filled, name.as_deref()),
            Place::Body(name) => filling.body(&mut filled, name.as_deref())?,
            Place::Header(name) => filling.header(&mut filled, name)?,
        }
    }
    match filling.count {
        0 => Ok(false),
        1 => {
            *request = filled;
            Ok(true)
        }
        _ => Err(
            "its placeholder stands in the request more than once; it is filled in once, so that text of others which holds it gets nothing",
        ),
    }
}

struct Filling<'a> {
    placeholder: String,
    value: &'a Secret,
    count: usize,
}

impl Filling<'_> {
    fn path(&mut self, request: &mut Outgoing) -> Result<(), &'static str> {
        let Some(path) = self.replace(request.url.path(), escape::percent) else { return Ok(()) };
        let is_dots = |segment: &str| matches!(segment.to_ascii_lowercase().replace("%2e", ".").as_str(), "." | "..");
        if path.split('/').any(is_dots) {
            return Err("its value is no segment of a path");
        }
        request.url.set_path(&path);
        Ok(())
    }

    fn query(&mut self, request: &mut Outgoing, name: Option<&str>) {
        let Some(query) = request.url.query() else { return };
        if let Some(filled) = self.pairs(query, name, escape::percent) {
            request.url.set_query(Some(&filled));
        }
    }

    fn header(&mut self, request: &mut Outgoing, name: &str) -> Result<(), &'static str> {
        for (known, value) in &mut request.headers {
            if known.as_str() != name {
                continue;
            }
            let Ok(text) = value.to_str() else { continue };
            if let Some(filled) = self.replace_plain(text, |secret| zeroize::Zeroizing::new(secret.to_owned())) {
                let mut filled = HeaderValue::from_str(&filled).map_err(|_| "its value has characters that no header carries")?;
                filled.set_sensitive(true);
                *value = filled;
            }
        }
        Ok(())
    }

    fn body(&mut self, request: &mut Outgoing, name: Option<&str>) -> Result<(), &'static str> {
        let Ok(text) = std::str::from_utf8(&request.body) else { return Ok(()) };
        let kind = request.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        let is = |word: &str| kind.ends_with(&format!("/{word}")) || kind.ends_with(&format!("+{word}"));
        let filled = if kind == "application/x-www-form-urlencoded" {
            self.pairs(text, name, escape::form)
        } else if is("json") {
            match name {
                Some(name) => self.member(text, name),
                None => self.replace_plain(text, escape::json),
            }
        } else if is("xml") && name.is_none() {
            self.replace_plain(text, escape::xml)
        } else if text.contains(&self.placeholder) {
            return Err(
                "its placeholder stands in a body that is neither JSON, a form nor XML by its content-type, and can't be escaped there",
            );
        } else {
            None
        };
        if let Some(filled) = filled {
            request.body = Bytes::from(filled);
        }
        Ok(())
    }

    /// In the values of `name=value&…`: of all names, or of one.
    fn pairs(&mut self, text: &str, name: Option<&str>, escaped: fn(&str) -> zeroize::Zeroizing<String>) -> Option<String> {
        let mut any = false;
        let pairs: Vec<String> = text
            .split('&')
            .map(|pair| {
                let Some((key, value)) = pair.split_once('=').filter(|(key, _)| name.is_none_or(|name| escape::decoded(key) == name))
                else {
                    return pair.to_owned();
                };
                match self.replace(value, escaped) {
                    Some(value) => {
                        any = true;
                        format!("{key}={value}")
                    }
                    None => pair.to_owned(),
                }
            })
            .collect();
        any.then(|| pairs.join("&"))
    }

    /// In one member of a JSON document: of the outermost object, or by pointer (RFC 6901).
    fn member(&mut self, text: &str, name: &str) -> Option<String> {
        if !text.contains(&self.placeholder) {
            return None;
        }
        let mut document: Value = serde_json::from_str(text).ok()?;
        let member = if name.starts_with('/') { document.pointer_mut(name) } else { document.get_mut(name) };
        let Some(Value::String(held)) = member else { return None };
        *held = self.replace_plain(held, |secret| zeroize::Zeroizing::new(secret.to_owned()))?;
        Some(document.to_string())
    }

    fn replace_plain(&mut self, text: &str, escaped: fn(&str) -> zeroize::Zeroizing<String>) -> Option<String> {
        let count = text.matches(&self.placeholder).count();
        self.count += count;
        (count > 0).then(|| text.replace(&self.placeholder, &escaped(self.value.expose())))
    }

    /// Where any character may be percent-encoded, as in a URL.
    fn replace(&mut self, text: &str, escaped: fn(&str) -> zeroize::Zeroizing<String>) -> Option<String> {
        let mut out = String::new();
        let mut rest = text;
        let before = self.count;
        while let Some(at) = rest.find(['{', '%']) {
            let (head, tail) = rest.split_at(at);
            out.push_str(head);
            match length_at(tail, &self.placeholder) {
                Some(length) => {
                    self.count += 1;
                    out.push_str(&escaped(self.value.expose()));
                    rest = &tail[length..];
                }
                None => {
                    out.push_str(&tail[..1]);
                    rest = &tail[1..];
                }
            }
        }
        out.push_str(rest);
        (self.count > before).then_some(out)
    }
}

/// Length of the spelling of `wanted` that `text` begins with.
fn length_at(text: &str, wanted: &str) -> Option<usize> {
    let text = text.as_bytes();
    let mut at = 0;
    for byte in wanted.bytes() {
        let escape = text.get(at..at + 3).filter(|escape| escape[0] == b'%').and_then(|escape| std::str::from_utf8(&escape[1..]).ok());
        if text.get(at) == Some(&byte) {
            at += 1;
        } else if escape.and_then(|digits| u8::from_str_radix(digits, 16).ok()) == Some(byte) {
            at += 3;
        } else {
            return None;
        }
    }
    Some(at)
}

#[cfg(test)]
mod tests;
