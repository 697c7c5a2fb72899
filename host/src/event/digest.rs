//! What tells two events of the same (`source`, `id`) apart.

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
            Data::Json(data) => part(b'j', data.as_str().as_bytes()),
            Data::Binary(bytes) => part(b'b', bytes),
        }
        hash.finalize().into()
    }
}
