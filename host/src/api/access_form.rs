//! The audit log and erasures, as they are answered.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::shown::Time;
use crate::audit::Record;
use crate::store::Erasure;

/// The audit log.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditList {
    pub(super) entries: Vec<AuditEntry>,
    pub(super) next_cursor: Option<String>,
}

/// Who did what; each entry holds the hash of the one before.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AuditEntry {
    /// From 1, without gaps.
    seq: i64,
    at: Time,
    actor: AuditActor,
    /// The address that it came from.
    from: String,
    /// One of `GET /v1/audit/actions`.
    action: String,
    /// What it was done to.
    object: String,
    details: Map<String, Value>,
    /// Hash of the entry before, SHA-256 in hexadecimal digits.
    previous: String,
    /// Of its canonical JSON (RFC 8785) without `hash` and `signature`.
    hash: String,
    /// Ed25519, of the hash.
    signature: String,
}

/// Who did it.
#[derive(Debug, Serialize, JsonSchema)]
struct AuditActor {
    kind: String,
    id: String,
    name: String,
}

impl From<Record> for AuditEntry {
    fn from(record: Record) -> AuditEntry {
        AuditEntry {
            seq: record.seq,
            at: record.at.into(),
            actor: AuditActor { kind: record.actor_kind, id: record.actor_id, name: record.actor_name },
            from: record.from,
            action: record.action,
            object: record.object,
            details: record.details,
            previous: record.previous,
            hash: record.hash,
            signature: record.signature,
        }
    }
}

/// What was and is erased.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ErasureList {
    pub(super) erasures: Vec<ErasureForm>,
}

/// One erasure.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Erasure")]
pub(super) struct ErasureForm {
    id: String,
    /// A digest of whose data it is.
    subject: String,
    /// `looking`, `waiting` (for runs to end), `done`.
    state: String,
    requested_at: Time,
    finished_at: Option<Time>,
    /// Events up to this time were looked at.
    up_to: Option<Time>,
    /// Events looked at.
    scanned: u64,
    /// Events of which something was erased.
    events: u64,
    /// Places in them.
    places: u64,
    /// Keys of plugins whose value was erased, or that were removed.
    key_values: u64,
    /// Identities of events that stay until they are forgotten.
    identities: u64,
    /// Things that were set aside and named the person: they are gone.
    set_aside: u64,
    /// Events whose runs have to end first.
    waiting: u64,
    /// What people should know of its end, or of what it waits for.
    note: Option<String>,
    /// Of these events; of one erasure alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits_for: Option<Vec<String>>,
}

impl From<Erasure> for ErasureForm {
    fn from(erasure: Erasure) -> ErasureForm {
        let figures = erasure.figures;
        ErasureForm {
            id: erasure.id,
            subject: erasure.subject,
            state: erasure.state,
            requested_at: erasure.requested_at.into(),
            finished_at: erasure.finished_at.map(Time::from),
            up_to: erasure.place.map(|(time, _)| time.into()),
            scanned: figures.scanned,
            events: figures.events,
            places: figures.places,
            key_values: figures.key_values,
            identities: figures.identities,
            set_aside: figures.set_aside,
            waiting: erasure.waits,
            note: erasure.note,
            waits_for: None,
        }
    }
}

/// A line of a search.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: each line is made while it is read")]
pub(super) struct DataLine {
    /// `event`, `key-value`, `identity`, `set-aside`, `progress`, `end` or `error`.
    kind: String,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}
