//! Attributes, one by one, from wherever they come.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;

use super::{Data, Event, EventError, MAX_ATTRIBUTE, MAX_EXTENSION_NAME, MAX_EXTENSIONS};

/// An event that is being read.
#[derive(Default)]
pub(super) struct Attributes {
    specversion: Option<String>,
    id: Option<String>,
    source: Option<String>,
    event_type: Option<String>,
    subject: Option<String>,
    time: Option<String>,
    datacontenttype: Option<String>,
    dataschema: Option<String>,
    extensions: BTreeMap<String, Value>,
}

impl Attributes {
    /// Takes one attribute. A null is an attribute that is absent (JSON event format, section 2.2).
    pub(super) fn set(&mut self, name: &str, value: Value) -> Result<(), EventError> {
        if value.is_null() {
            return Ok(());
        }
        let slot = match name {
            "specversion" => &mut self.specversion,
            "id" => &mut self.id,
            "source" => &mut self.source,
            "type" => &mut self.event_type,
            "subject" => &mut self.subject,
            "time" => &mut self.time,
            "datacontenttype" => &mut self.datacontenttype,
            "dataschema" => &mut self.dataschema,
            _ => return self.extend(name, value),
        };
        let Value::String(text) = value else {
            return Err(EventError::Type { name: name.to_owned(), expected: "a string" });
        };
        check_text(name, &text)?;
        if slot.replace(text).is_some() {
            return Err(EventError::Repeated(name.to_owned()));
        }
        Ok(())
    }

    fn extend(&mut self, name: &str, value: Value) -> Result<(), EventError> {
        let plain = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
        // `data` would be taken for the data when the event is written.
        if !plain || name.is_empty() || name.len() > MAX_EXTENSION_NAME || name == "data" {
            let shown = name.chars().take(MAX_EXTENSION_NAME).collect();
            return Err(EventError::Name(shown));
        }
        match &value {
            Value::Bool(_) => {}
            Value::String(text) if text.is_empty() => {}
            Value::String(text) => check_text(name, text)?,
            // CloudEvents has integers of 32 bits only.
            Value::Number(number) if number.as_i64().is_some_and(|it| i32::try_from(it).is_ok()) => {}
            _ => {
                let expected = "a string, a boolean or an integer of 32 bits";
                return Err(EventError::Type { name: name.to_owned(), expected });
            }
        }
        if self.extensions.insert(name.to_owned(), value).is_some() {
            return Err(EventError::Repeated(name.to_owned()));
        }
        if self.extensions.len() > MAX_EXTENSIONS {
            return Err(EventError::TooManyExtensions);
        }
        Ok(())
    }

    pub(super) fn datacontenttype(&self) -> Option<&str> {
        self.datacontenttype.as_deref()
    }

    /// The event, if nothing is missing.
    pub(super) fn finish(self, data: Data) -> Result<Event, EventError> {
        let specversion = self.specversion.ok_or(EventError::Missing("specversion"))?;
        if specversion != "1.0" {
            return Err(EventError::Version(specversion));
        }
        if let Some(time) = &self.time
            && !is_rfc3339(time)
        {
            let expected = "a time like 2026-01-31T23:59:59Z (RFC 3339)";
            return Err(EventError::Type { name: "time".to_owned(), expected });
        }
        Ok(Event {
            id: self.id.ok_or(EventError::Missing("id"))?,
            source: self.source.ok_or(EventError::Missing("source"))?,
            event_type: self.event_type.ok_or(EventError::Missing("type"))?,
            subject: self.subject,
            time: self.time,
            datacontenttype: self.datacontenttype,
            dataschema: self.dataschema,
            extensions: self.extensions,
            data,
        })
    }
}

fn check_text(name: &str, text: &str) -> Result<(), EventError> {
    if text.is_empty() {
        return Err(EventError::Empty(name.to_owned()));
    }
    if text.len() > MAX_ATTRIBUTE {
        return Err(EventError::TooLong(name.to_owned()));
    }
    // Section 3.1 of the specification. They would not survive a header, either.
    if text.chars().any(char::is_control) {
        let expected = "free of control characters";
        return Err(EventError::Type { name: name.to_owned(), expected });
    }
    Ok(())
}

/// jiff reads more of ISO 8601 than RFC 3339 has: other separators, and offsets, seconds or hyphens left out.
fn is_rfc3339(time: &str) -> bool {
    let shape = |pattern: &str, text: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(byte, pattern)| match pattern {
                b'0' => byte.is_ascii_digit(),
                b'T' => matches!(byte, b'T' | b't' | b' '),
                other => byte == other,
            })
    };
    let Some((date_time, rest)) = time.split_at_checked(19) else {
        return false;
    };
    let offset = rest.trim_start_matches(|char: char| char == '.' || char.is_ascii_digit());
    let offset_shaped = matches!(offset, "Z" | "z") || shape("+00:00", offset) || shape("-00:00", offset);
    shape("0000-00-00T00:00:00", date_time) && offset_shaped && time.parse::<Timestamp>().is_ok()
}

/// Whether data of this media type is JSON. Without one it is (JSON event format, section 3.1).
pub(super) fn is_json(content_type: Option<&str>) -> bool {
    let Some(content_type) = content_type else {
        return true;
    };
    let media = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media.split_once('/').is_some_and(|(_, subtype)| subtype == "json" || subtype.ends_with("+json"))
}
