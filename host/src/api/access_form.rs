//! The forms of the audit log and of a person's data.
#![expect(dead_code, reason = "forms: nothing is made of them but the document of the API")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::shown::Time;

/// The audit log.
#[derive(Debug, JsonSchema)]
pub(super) struct AuditList {
    entries: Vec<AuditEntry>,
    next_cursor: Option<String>,
}

/// Who did what; each entry holds the hash of the one before.
#[derive(Debug, JsonSchema)]
pub(super) struct AuditEntry {
    seq: i64,
    at: Time,
    actor: AuditActor,
    /// The address that it came from.
    from: String,
    action: String,
    object: String,
    details: Map<String, Value>,
    previous: String,
    hash: String,
    signature: String,
}

/// Who did it.
#[derive(Debug, JsonSchema)]
pub(super) struct AuditActor {
    kind: String,
    id: String,
    name: String,
}

/// What was and is erased.
#[derive(Debug, JsonSchema)]
pub(super) struct ErasureList {
    erasures: Vec<ErasureForm>,
}

/// One erasure.
#[derive(Debug, JsonSchema)]
pub(super) struct ErasureForm {
    id: String,
    /// A digest of whose data it is.
    subject: String,
    state: String,
    requested_at: Time,
    finished_at: Option<Time>,
    /// Events up to this time were looked at.
    up_to: Option<Time>,
    scanned: u64,
    events: u64,
    places: u64,
    key_values: u64,
    identities: u64,
    /// Things that were set aside and named the person: they are gone.
    set_aside: u64,
    /// Events whose runs have to end first.
    waiting: u64,
    note: Option<String>,
    /// Of these events; of one erasure alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_for: Option<Vec<String>>,
}

/// A line of a search.
#[derive(Debug, JsonSchema)]
pub(super) struct DataLine {
    /// `event`, `key-value`, `identity`, `set-aside`, `progress`, `end` or `error`.
    kind: String,
    #[serde(flatten)]
    more: BTreeMap<String, Value>,
}
