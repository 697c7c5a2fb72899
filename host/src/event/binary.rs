//! The HTTP protocol binding's binary mode: attributes in headers, data in the body.

use serde_json::Value;

use super::attributes::{Attributes, is_json};
use super::{Data, Event, EventError, Json};

/// What headers of attributes begin with.
const PREFIX: &str = "ce-";

impl Event {
    /// Reads an event from headers and a body. The body is JSON if `content-type` says so, else text if it is UTF-8,
    /// else bytes; an empty one is no data. Headers without `ce-` are passed over. Every value is a string.
    pub fn from_binary<'a>(headers: impl IntoIterator<Item = (&'a str, &'a [u8])>, body: &[u8]) -> Result<Self, EventError> {
        let mut attributes = Attributes::default();
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            let name = match name.strip_prefix(PREFIX) {
                // It is the header `content-type` that says this.
                Some("datacontenttype") => continue,
                Some(attribute) => attribute,
                None if name == "content-type" => "datacontenttype",
                None => continue,
            };
            let text = decode(value).ok_or_else(|| EventError::Type { name: name.to_owned(), expected: "UTF-8, percent-encoded" })?;
            attributes.set(name, Value::String(text))?;
        }
        let data = if body.is_empty() {
            Data::None
        } else if is_json(attributes.datacontenttype()) {
            Data::Json(Json::read(body).map_err(|error| EventError::Json(error.to_string()))??)
        } else {
            match std::str::from_utf8(body) {
                Ok(text) => Data::Json(Json::of_text(text)),
                Err(_) => Data::Binary(body.to_vec()),
            }
        };
        attributes.finish(data)
    }
}

/// Undoes the percent-encoding of section 3.1.3.2. A `%` without two digits stands for itself, as senders that encode
/// nothing write it.
fn decode(value: &[u8]) -> Option<String> {
    let digit = |byte: &u8| char::from(*byte).to_digit(16);
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, tail @ ..] = rest {
        rest = tail;
        let encoded = match (first, tail) {
            (b'%', [high, low, ..]) => digit(high).zip(digit(low)),
            _ => None,
        };
        match encoded {
            Some((high, low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &tail[2..];
            }
            None => bytes.push(*first),
        }
    }
    String::from_utf8(bytes).ok()
}

impl Event {
    /// Writes it in binary mode: headers, `content-type` among them, and the body. Reading that gives the same event, its extensions as strings.
    pub fn to_binary(&self) -> (Vec<(String, String)>, Vec<u8>) {
        let mut headers = vec![(format!("{PREFIX}specversion"), "1.0".to_owned())];
        let mut set = |name: &str, value: &str| headers.push((format!("{PREFIX}{name}"), encode(value)));
        set("id", &self.id);
        set("source", &self.source);
        set("type", &self.event_type);
        for (name, value) in [("subject", &self.subject), ("time", &self.time), ("dataschema", &self.dataschema)] {
            if let Some(value) = value {
                set(name, value);
            }
        }
        for (name, value) in &self.extensions {
            match value {
                Value::String(text) => set(name, text),
                other => set(name, &other.to_string()),
            }
        }
        let media = self.datacontenttype.clone();
        let (media, body) = match &self.data {
            Data::None => (media, Vec::new()),
            Data::Binary(bytes) => (media, bytes.clone()),
            Data::Json(data) => match data.to_value() {
                // Text of a media type that is not JSON is the body itself.
                Value::String(text) if media.is_some() && !is_json(media.as_deref()) => (media, text.into_bytes()),
                _ => (Some(media.unwrap_or_else(|| "application/json".to_owned())), data.as_str().as_bytes().to_vec()),
            },
        };
        if let Some(media) = media {
            headers.push(("content-type".to_owned(), media));
        }
        (headers, body)
    }
}

/// Percent-encodes what section 3.1.3.2 wants encoded: spaces, quotes, percent signs, and all that is not printable ASCII.
fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b' ' | b'"' | b'%' | 0..=0x1f | 0x7f.. => text.push_str(&format!("%{byte:02X}")),
            plain => text.push(char::from(plain)),
        }
    }
    text
}
