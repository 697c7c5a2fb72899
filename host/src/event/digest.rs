//! What tells two events of the same (`source`, `id`) apart.

use serde::Serialize;
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
                let mut text = Vec::new();
                write_canonical(value, &mut text);
                part(b'j', &text);
            }
            Data::Binary(bytes) => part(b'b', bytes),
        }
        hash.finalize().into()
    }
}

/// JSON without spaces, members sorted by key, whichever order serde_json is built to keep.
fn write_canonical(value: &Value, text: &mut Vec<u8>) {
    match value {
        Value::Array(items) => {
            text.push(b'[');
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_canonical(item, text);
            }
            text.push(b']');
        }
        Value::Object(members) => {
            let mut sorted: Vec<_> = members.iter().collect();
            sorted.sort_by_key(|(key, _)| *key);
            text.push(b'{');
            for (at, (key, value)) in sorted.into_iter().enumerate() {
                if at > 0 {
                    text.push(b',');
                }
                write_plain(key, text);
                text.push(b':');
                write_canonical(value, text);
            }
            text.push(b'}');
        }
        scalar => write_plain(scalar, text),
    }
}

fn write_plain<T: Serialize + ?Sized>(value: &T, text: &mut Vec<u8>) {
    serde_json::to_writer(text, value).expect("a scalar is JSON, and memory takes it");
}
