//! What tells two events of the same (`source`, `id`) apart.

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Data, Event};

impl Event {
    /// SHA-256 of what the event says: type, subject, schema and data. A sender that tries again may well give it
    /// another time, other trace headers or another spelling of the content type; the order of members in `data` does
    /// not count, the digits of its numbers do.
    pub fn digest(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut part = |tag: u8, bytes: &[u8]| {
            // Tag and length keep neighbours apart.
            hash.update([tag]);
            hash.update((bytes.len() as u64).to_be_bytes());
            hash.update(bytes);
        };
        part(b't', self.event_type.as_bytes());
        if let Some(subject) = &self.subject {
            part(b's', subject.as_bytes());
        }
        if let Some(schema) = &self.dataschema {
            part(b'm', schema.as_bytes());
        }
        match &self.data {
            Data::None => {}
            Data::Json(value) => {
                let mut text = String::new();
                write_canonical(value, &mut text);
                part(b'j', text.as_bytes());
            }
            Data::Binary(bytes) => part(b'b', bytes),
        }
        hash.finalize().into()
    }
}

/// JSON without spaces, members sorted by key, whichever order serde_json is built to keep.
fn write_canonical(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_canonical(item, text);
            }
            text.push(']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            text.push('{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                text.push_str(&Value::String(key.clone()).to_string());
                text.push(':');
                write_canonical(value, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}
