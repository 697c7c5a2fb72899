//! The event document, and an event in a list, as they are answered. `document.rs` makes them; what is hidden from somebody is hidden in their JSON.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::shown::{Stored, Time};
use crate::attempt::ShownEffect;
use crate::run::{StepFailure, StepStatus, WaitFor};

/// An event with its runs, their steps, attempts and effects.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventDocument {
    #[serde(flatten)]
    pub(super) event: ShownEvent,
    pub(super) runs: Vec<RunDocument>,
}

/// An event as lists show it: without steps.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventSummary {
    #[serde(flatten)]
    pub(super) event: ShownEvent,
    pub(super) runs: Vec<RunSummary>,
}

/// An event without its runs.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ShownEvent {
    /// A UUIDv7.
    pub(super) eid: String,
    /// The CloudEvent in structured form.
    pub(super) event: Map<String, Value>,
    pub(super) status: EventStatus,
    /// What it waits for, or why it is as it is.
    pub(super) status_reason: Option<String>,
    /// Where it came from, if a run of another event brought it in.
    pub(super) cause: Option<Cause>,
    pub(super) received_at: Time,
    /// When what it held was erased.
    pub(super) erased_at: Option<Time>,
}

/// Events, newest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct EventList {
    pub(super) events: Vec<Stored<EventSummary>>,
    /// For the next page; null: there is none.
    pub(super) next_cursor: Option<String>,
}

/// Of all runs that count: `running` while any has not ended, else `waiting`, else `pending`; then `dead`, `cancelled`, `succeeded`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum EventStatus {
    Unrouted,
    Running,
    Waiting,
    Pending,
    Dead,
    Cancelled,
    Succeeded,
}

/// Of one run.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a form: the store keeps it as text")]
pub(super) enum RunStatus {
    Pending,
    Running,
    Waiting,
    Succeeded,
    Dead,
    Cancelled,
}

/// The step that brought an event in.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub(super) struct Cause {
    eid: String,
    run: String,
    step: String,
}

/// The run whose end another waits for, since both have one order key.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct KeyHolder {
    pub(super) run: String,
    pub(super) eid: String,
    #[schemars(with = "RunStatus")]
    pub(super) status: String,
}

/// A run in a list.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunSummary {
    pub(super) id: String,
    pub(super) route: String,
    #[schemars(with = "RunStatus")]
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    /// The run that it is a replay of.
    pub(super) replay_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits_behind: Option<KeyHolder>,
}

/// A run with its steps.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RunDocument {
    pub(super) id: String,
    pub(super) route: String,
    #[schemars(with = "RunStatus")]
    pub(super) status: String,
    pub(super) status_reason: Option<String>,
    /// The configuration that it runs on.
    pub(super) revision: i64,
    /// The first run of its line: keys of effects derive from it.
    pub(super) root: String,
    pub(super) replay_of: Option<String>,
    /// Whether all that had to be undone was; null: nothing had.
    pub(super) undone: Option<bool>,
    /// Runs of the route with the same key go one after another.
    pub(super) order_key: Option<String>,
    pub(super) created_at: Time,
    pub(super) ended_at: Option<Time>,
    pub(super) next_attempt_at: Option<Time>,
    /// The run that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waits_behind: Option<KeyHolder>,
    /// How many wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) waiting_behind: Option<u64>,
    /// Whether it keeps its key though it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) keeps_key: Option<bool>,
    pub(super) steps: Vec<StepDocument>,
}

/// A step, or the undo of one.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct StepDocument {
    pub(super) name: String,
    /// `plugin.action`.
    pub(super) uses: String,
    pub(super) status: StepStatus,
    pub(super) input: Value,
    pub(super) output: Value,
    pub(super) error: Option<Failure>,
    pub(super) next_attempt_at: Option<Time>,
    /// Writes in doubt that a person has to decide on.
    pub(super) held: Vec<HeldWrite>,
    pub(super) waits: Option<Waits>,
    /// From 0, where it repeats.
    pub(super) round: u32,
    /// Rounds that are done.
    pub(super) rounds: u32,
    /// What it was repeated for did not come.
    pub(super) exhausted: bool,
    /// The event that ended its wait or its rounds: `{eid, source, id, type}`.
    pub(super) stopped_by: Option<Value>,
    /// What undoes it; null: nothing is to be undone.
    pub(super) undo: Option<Undo>,
    pub(super) attempts: Vec<AttemptDocument>,
}

/// The undo of a step.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Undo {
    /// A step of its own.
    Step(Box<StepDocument>),
    /// There is none, though one was needed.
    Missing(MissingUndo),
}

/// What a step did stays: its plugin declares no action that undoes it.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct MissingUndo {
    /// `none`.
    pub(super) status: &'static str,
    pub(super) error: Failure,
}

/// Why something failed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Failure {
    pub(super) kind: &'static str,
    /// One sentence.
    pub(super) reason: String,
    /// Whatever helps to understand it.
    pub(super) details: Option<Value>,
}

impl From<&StepFailure> for Failure {
    fn from(failure: &StepFailure) -> Failure {
        Failure { kind: failure.kind.as_str(), reason: failure.reason.clone(), details: failure.details.clone() }
    }
}

/// A write in doubt.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct HeldWrite {
    pub(super) seq: u32,
    pub(super) attempt: u32,
    pub(super) run: String,
    pub(super) name: Option<String>,
    pub(super) key: String,
    pub(super) method: String,
    pub(super) url: String,
}

/// What a step waits for by design.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Waits {
    pub(super) since: Time,
    pub(super) until: Option<Time>,
    /// Types of events that end it.
    pub(super) events: Option<Vec<String>>,
    /// What its time leads to.
    #[serde(rename = "for")]
    pub(super) leads_to: WaitFor,
    /// The condition on the event; of a step that waits for one.
    #[serde(flatten)]
    pub(super) condition: Option<Condition>,
}

/// A condition on an event that is waited for.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Condition {
    /// An expression.
    #[serde(rename = "where")]
    pub(super) expression: Option<String>,
    /// The last event for which it could not be asked.
    pub(super) where_failed_for: Option<String>,
}

/// One try of a step.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AttemptDocument {
    /// From 1.
    pub(super) number: u32,
    pub(super) started_at: Time,
    /// Null while it is under way.
    pub(super) duration_ms: Option<i64>,
    pub(super) outcome: Option<String>,
    pub(super) error: Stored<Option<AttemptFailure>>,
    pub(super) logs: Stored<Vec<LogLine>>,
    pub(super) effects: Stored<Vec<EffectDocument>>,
    /// Of the component that ran.
    pub(super) digest: Option<String>,
}

/// Why an attempt failed.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the store keeps it as JSON")]
pub(super) struct AttemptFailure {
    kind: String,
    /// One sentence.
    reason: String,
    /// Whatever helps to understand it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// What a plugin logged.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the store keeps it as JSON")]
pub(super) struct LogLine {
    level: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Map<String, Value>>,
}

/// A request or a key-value write of an attempt.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the store keeps it as JSON")]
pub(super) struct EffectDocument {
    #[serde(flatten)]
    effect: ShownEffect,
    /// What a person said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
}
