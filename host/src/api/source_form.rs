//! The forms of sources, of what they set aside and of what is ordered of them.
#![expect(dead_code, reason = "forms: nothing is made of them but the document of the API")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::shown::Time;

/// Sources as they are configured, and how they are doing.
#[derive(Debug, JsonSchema)]
pub(super) struct SourceList {
    sources: Vec<SourceForm>,
}

/// One source. What its type does not have is left out.
#[derive(Debug, JsonSchema)]
pub(super) struct SourceForm {
    name: String,
    /// `webhook`, `poll`, `schedule` or `nats`.
    #[serde(rename = "type")]
    kind: String,
    /// The `source` of its events.
    source: String,
    event_type: Value,
    uses: Option<String>,
    stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<HookForm>,
    /// Of this host, since it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    counts: Option<ArrivalCounts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    consumer: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    servers: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_message_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    redelivered: Option<u64>,
    #[serde(flatten)]
    turns: Turns,
    /// How many records it has set aside.
    set_aside: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    every_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    set_aside_most: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    backfill: Option<BackfillForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time_zone: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upcoming: Option<Vec<Time>>,
    /// Where it has come to; for who sees all.
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    /// Its last turn.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Map<String, Value>>,
}

/// How its turns go.
#[derive(Debug, JsonSchema)]
pub(super) struct Turns {
    /// `active`, `paused`, `waiting`, `stopped`, `done`, `cancelled`; of a NATS source `connecting`, `receiving`, `failed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u64>,
    #[serde(rename = "turns", skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reached_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<TurnFailure>,
}

/// Why the last turn that failed did.
#[derive(Debug, JsonSchema)]
pub(super) struct TurnFailure {
    at: Time,
    kind: Option<String>,
    reason: Option<String>,
}

/// An earlier time that is read.
#[derive(Debug, JsonSchema)]
pub(super) struct BackfillForm {
    from: Option<Time>,
    to: Option<Time>,
    began_at: Time,
    finished_at: Option<Time>,
    set_aside: u64,
    /// From 0 to 1.
    progress: Option<f64>,
    #[serde(flatten)]
    turns: Turns,
    #[serde(skip_serializing_if = "Option::is_none")]
    cursor: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Map<String, Value>>,
}

/// What vendors send to.
#[derive(Debug, JsonSchema)]
pub(super) struct HookForm {
    url: Option<String>,
    path: String,
    verify: String,
    methods: Vec<String>,
    max_size: u64,
    /// `keep` or `refuse`.
    on_unreadable: String,
    handshake: Option<String>,
}

/// What came in.
#[derive(Debug, JsonSchema)]
pub(super) struct ArrivalCounts {
    deliveries: u64,
    events: u64,
    duplicates: u64,
    set_aside: u64,
    /// By reason.
    refused: BTreeMap<String, u64>,
    last_delivery_at: Option<Time>,
    last_refused_at: Option<Time>,
}

/// What a source has set aside.
#[derive(Debug, JsonSchema)]
pub(super) struct SetAsideList {
    set_aside: Vec<SetAsideForm>,
    next_cursor: Option<String>,
}

/// One record, event or body.
#[derive(Debug, JsonSchema)]
pub(super) struct SetAsideForm {
    id: String,
    kind: String,
    reason: String,
    times: u64,
    first_at: Time,
    last_at: Time,
    /// Whether it is tried again with the next turn.
    retry: bool,
    /// Bytes.
    size: u64,
    /// JSON or text; hidden from who does not see all.
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data_base64: Option<String>,
}

/// The state that was ordered.
#[derive(Debug, JsonSchema)]
pub(super) struct SourceOrdered {
    /// `active`, `paused` or `cancelled`.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    was_paused: Option<bool>,
}

/// A backfill that began.
#[derive(Debug, JsonSchema)]
pub(super) struct BackfillBegun {
    from: Time,
    to: Time,
}

/// What became of what was set aside.
#[derive(Debug, JsonSchema)]
pub(super) struct RetriedSetAside {
    accepted: u64,
    duplicates: u64,
    still_set_aside: u64,
    /// Records that the next turn reads again.
    to_be_read_again: u64,
}

/// How much was let go.
#[derive(Debug, JsonSchema)]
pub(super) struct DiscardedSetAside {
    discarded: u64,
}
