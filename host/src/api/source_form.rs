//! Sources, what they set aside and what is ordered of them, as they are answered.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Map, Value};

use super::shown::Time;
use crate::config::SourceKind;
use crate::nats::{Receives, Reception};
use crate::runtime::Arrived;
use crate::store::{SetAsideKind, SourceRow, SourceState};

/// Sources as they are configured, and how they are doing.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SourceList {
    pub(super) sources: Vec<SourceForm>,
}

/// One source. What its type does not have, or what is not known of it, is left out.
#[derive(Debug, Default, Serialize, JsonSchema)]
#[schemars(rename = "Source")]
pub(super) struct SourceForm {
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: SourceType,
    /// The `source` of its events.
    pub(super) source: String,
    /// The `type` of its events, where all have one.
    pub(super) event_type: Option<String>,
    /// The plugin that reads it.
    pub(super) uses: Option<String>,
    /// The plugin's stream, or that of the NATS server.
    pub(super) stream: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) webhook: Option<HookForm>,
    /// Of this host, since it began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<ArrivalCounts>,
    /// Of the NATS server.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) consumer: Option<String>,
    /// NATS servers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) servers: Option<Vec<String>>,
    /// When a message came last to this host.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last_message_at: Option<Time>,
    /// Since when this host does what `state` says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) since: Option<Time>,
    /// Messages that the NATS server has for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<u64>,
    /// Messages that the NATS server had sent more than once when this host began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) redelivered: Option<u64>,
    #[serde(flatten)]
    pub(super) turns: Turns,
    /// How many records, events and bodies it has set aside.
    pub(super) set_aside: u64,
    /// Milliseconds from the end of one poll to the next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) every_ms: Option<u64>,
    /// Most events of a page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) limit: Option<u32>,
    /// With so many records set aside it waits for somebody.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set_aside_most: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) backfill: Option<BackfillForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cron: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) time_zone: Option<String>,
    /// When it fires next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upcoming: Option<Vec<Time>>,
    /// Where it has come to; of one source alone, for who sees all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// Its last turn: `requests`, and `logs` for who sees all; of one source alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Map<String, Value>>,
}

/// Of which type a source is.
#[derive(Debug, Clone, Copy, Default, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceType {
    #[default]
    Webhook,
    Poll,
    Schedule,
    Nats,
}

impl From<&SourceKind> for SourceType {
    fn from(kind: &SourceKind) -> SourceType {
        match kind {
            SourceKind::Webhook(_) => SourceType::Webhook,
            SourceKind::Poll(_) => SourceType::Poll,
            SourceKind::Schedule(_) => SourceType::Schedule,
            SourceKind::Nats(_) => SourceType::Nats,
        }
    }
}

/// Where a source stands.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum SourceStanding {
    /// It has a next turn.
    Active,
    /// A person stopped it.
    Paused,
    /// For its credential to change; of a NATS source: for room at the host.
    Waiting,
    /// Trying again can't help, as its plugin says.
    Stopped,
    /// A backfill has come to its end.
    Done,
    /// A person gave a backfill up.
    Cancelled,
    /// A NATS source: messages come as they are there.
    Receiving,
    /// A NATS source: there is no connection yet, or none any more.
    Connecting,
    /// A NATS source: something is in the way; the host goes on trying.
    Interrupted,
}

impl From<SourceState> for SourceStanding {
    fn from(state: SourceState) -> SourceStanding {
        match state {
            SourceState::Active => SourceStanding::Active,
            SourceState::Paused => SourceStanding::Paused,
            SourceState::Waiting => SourceStanding::Waiting,
            SourceState::Stopped => SourceStanding::Stopped,
            SourceState::Done => SourceStanding::Done,
            SourceState::Cancelled => SourceStanding::Cancelled,
        }
    }
}

impl From<Receives> for SourceStanding {
    fn from(receives: Receives) -> SourceStanding {
        match receives {
            Receives::Receiving => SourceStanding::Receiving,
            Receives::Connecting => SourceStanding::Connecting,
            Receives::Waiting => SourceStanding::Waiting,
            Receives::Interrupted => SourceStanding::Interrupted,
        }
    }
}

impl SourceForm {
    /// Adds how it is doing on this host, of a NATS source.
    pub(super) fn add_reception(&mut self, reception: Reception) {
        self.turns.state = Some(reception.state.into());
        self.turns.reason = reception.reason;
        self.since = Some(reception.since.into());
        self.last_message_at = reception.last_message_at.map(Time::from);
        self.pending = reception.pending;
        self.redelivered = reception.redelivered;
    }
}

/// How its turns go.
#[derive(Debug, Default, Serialize, JsonSchema)]
pub(super) struct Turns {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) state: Option<SourceStanding>,
    /// Why it stands there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    /// When its next turn is due.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_at: Option<Time>,
    /// Which host has its turn now.
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    /// Since the last turn that went well.
    #[serde(skip_serializing_if = "Option::is_none")]
    failures: Option<u32>,
    /// Turns that went well.
    #[serde(rename = "turns", skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    /// Events that it has brought in.
    #[serde(skip_serializing_if = "Option::is_none")]
    events: Option<u64>,
    /// Events that it brought and that were known.
    #[serde(skip_serializing_if = "Option::is_none")]
    duplicates: Option<u64>,
    /// Time of the newest event that it brought.
    #[serde(skip_serializing_if = "Option::is_none")]
    reached_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_success_at: Option<Time>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_failure: Option<TurnFailure>,
}

impl From<&SourceRow> for Turns {
    fn from(row: &SourceRow) -> Turns {
        Turns {
            state: Some(row.state.into()),
            reason: row.reason.clone(),
            next_at: row.due_at.map(Time::from),
            host: row.lease.as_ref().map(|(host, _)| host.clone()),
            failures: Some(row.failures),
            count: Some(row.turns),
            events: Some(row.events),
            duplicates: Some(row.duplicates),
            reached_at: row.reached_at.map(Time::from),
            last_success_at: row.succeeded_at.map(Time::from),
            last_failure: row.failed.as_ref().map(|(at, failure)| TurnFailure::of(*at, failure)),
        }
    }
}

/// Why the last turn that failed did.
#[derive(Debug, Serialize, JsonSchema)]
struct TurnFailure {
    at: Time,
    kind: Option<String>,
    reason: Option<String>,
}

impl TurnFailure {
    /// `failure`: JSON, as the store keeps it.
    fn of(at: Timestamp, failure: &str) -> TurnFailure {
        let failure: Value = serde_json::from_str(failure).unwrap_or_default();
        let text = |name: &str| failure[name].as_str().map(str::to_owned);
        TurnFailure { at: at.into(), kind: text("kind"), reason: text("reason") }
    }
}

/// An earlier time that is read.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Backfill")]
pub(super) struct BackfillForm {
    pub(super) from: Option<Time>,
    pub(super) to: Option<Time>,
    pub(super) began_at: Time,
    pub(super) finished_at: Option<Time>,
    pub(super) set_aside: u64,
    /// How much of its time it has covered, from 0 to 1; null: nothing can be said yet.
    pub(super) progress: Option<f64>,
    #[serde(flatten)]
    pub(super) turns: Turns,
    /// Where it has come to; of one source alone, for who sees all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cursor: Option<String>,
    /// Its last turn: `requests`, and `logs` for who sees all; of one source alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) last: Option<Map<String, Value>>,
}

/// What vendors send to.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SourceWebhook")]
pub(super) struct HookForm {
    /// What to tell the vendor; null: `server.public-url` is not set.
    pub(super) url: Option<String>,
    pub(super) path: String,
    /// How it is known that a delivery is the vendor's.
    pub(super) verify: String,
    pub(super) methods: Vec<String>,
    /// Of a body, in bytes.
    pub(super) max_size: usize,
    pub(super) on_unreadable: Unreadable,
    pub(super) handshake: Option<Handshaken>,
}

/// What becomes of a body that nobody can read.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Unreadable {
    Keep,
    Refuse,
}

/// How a vendor makes sure that an address is meant for it.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Handshaken {
    Slack,
    Meta,
    #[serde(rename = "cloudevents")]
    CloudEvents,
    MicrosoftGraph,
}

/// What came in.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ArrivalCounts {
    deliveries: u64,
    events: u64,
    duplicates: u64,
    set_aside: u64,
    /// By reason.
    refused: BTreeMap<&'static str, u64>,
    last_delivery_at: Option<Time>,
    last_refused_at: Option<Time>,
}

impl From<Arrived> for ArrivalCounts {
    fn from(counts: Arrived) -> ArrivalCounts {
        ArrivalCounts {
            deliveries: counts.deliveries,
            events: counts.events,
            duplicates: counts.duplicates,
            set_aside: counts.set_aside,
            refused: counts.refused,
            last_delivery_at: counts.last_taken_at.map(Time::from),
            last_refused_at: counts.last_refused_at.map(Time::from),
        }
    }
}

/// What a source has set aside.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SetAsideList {
    pub(super) set_aside: Vec<SetAsideForm>,
    pub(super) next_cursor: Option<String>,
}

/// One record, event or body.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "SetAside")]
pub(super) struct SetAsideForm {
    pub(super) id: String,
    pub(super) kind: AsideKind,
    pub(super) reason: String,
    /// How often it came.
    pub(super) times: u32,
    pub(super) first_at: Time,
    pub(super) last_at: Time,
    /// Whether it is tried again with the next turn.
    pub(super) retry: bool,
    /// Bytes.
    pub(super) size: usize,
    /// JSON or text; hidden from who does not see all.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    /// What is no text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data_base64: Option<String>,
}

/// What was set aside.
#[derive(Debug, Clone, Copy, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "SetAsideKind")]
pub(super) enum AsideKind {
    /// What a plugin could not make into an event.
    Record,
    /// An event that may not come in.
    Event,
    /// A request or message that no expression could read.
    Body,
}

impl From<SetAsideKind> for AsideKind {
    fn from(kind: SetAsideKind) -> AsideKind {
        match kind {
            SetAsideKind::Record => AsideKind::Record,
            SetAsideKind::Event => AsideKind::Event,
            SetAsideKind::Body => AsideKind::Body,
        }
    }
}

/// The state that was ordered.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct SourceOrdered {
    pub(super) state: SourceStanding,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) was_paused: Option<bool>,
}

/// A backfill that began.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BackfillBegun {
    pub(super) from: Time,
    pub(super) to: Time,
}

/// What became of what was set aside.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RetriedSetAside {
    pub(super) accepted: u64,
    pub(super) duplicates: u64,
    pub(super) still_set_aside: u64,
    /// Records that the next turn reads again.
    pub(super) to_be_read_again: u64,
}

/// How much was let go.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DiscardedSetAside {
    pub(super) discarded: u64,
}
