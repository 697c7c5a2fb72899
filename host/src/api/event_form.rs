//! The form of the event document, and of an event in a list. `document.rs` makes them as JSON, since what is hidden from somebody is hidden in
//! JSON; every answer that the tests see is held against these.
#![expect(dead_code, reason = "forms: nothing is made of them but the document of the API")]

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::shown::Time;

/// An event with its runs, their steps, attempts and effects.
#[derive(Debug, JsonSchema)]
pub(super) struct EventDocument {
    /// A UUIDv7.
    eid: String,
    /// The CloudEvent in structured form.
    event: Map<String, Value>,
    status: EventStatus,
    /// What it waits for, or why it is as it is.
    status_reason: Option<String>,
    /// Where it came from, if a run of another event brought it in.
    cause: Option<Cause>,
    received_at: Time,
    /// When what it held was erased.
    erased_at: Option<Time>,
    runs: Vec<RunDocument>,
}

/// An event as lists show it: without steps.
#[derive(Debug, JsonSchema)]
pub(super) struct EventSummary {
    /// A UUIDv7.
    eid: String,
    /// The CloudEvent in structured form.
    event: Map<String, Value>,
    status: EventStatus,
    status_reason: Option<String>,
    cause: Option<Cause>,
    received_at: Time,
    erased_at: Option<Time>,
    runs: Vec<RunSummary>,
}

/// Events, newest first.
#[derive(Debug, JsonSchema)]
pub(super) struct EventList {
    events: Vec<EventSummary>,
    /// For the next page; null: there is none.
    next_cursor: Option<String>,
}

/// Of all runs that count: `running` while any has not ended, else `waiting`, else `pending`; then `dead`, `cancelled`, `succeeded`.
#[derive(Debug, JsonSchema)]
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
pub(super) enum RunStatus {
    Pending,
    Running,
    Waiting,
    Succeeded,
    Dead,
    Cancelled,
}

/// The step that brought an event in.
#[derive(Debug, JsonSchema)]
pub(super) struct Cause {
    eid: String,
    run: String,
    step: String,
}

/// The run whose end another waits for, since both have one order key.
#[derive(Debug, JsonSchema)]
pub(super) struct KeyHolder {
    run: String,
    eid: String,
    status: RunStatus,
}

/// A run in a list.
#[derive(Debug, JsonSchema)]
pub(super) struct RunSummary {
    id: String,
    route: String,
    status: RunStatus,
    status_reason: Option<String>,
    /// The run that it is a replay of.
    replay_of: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_behind: Option<KeyHolder>,
}

/// A run with its steps.
#[derive(Debug, JsonSchema)]
pub(super) struct RunDocument {
    id: String,
    route: String,
    status: RunStatus,
    status_reason: Option<String>,
    /// The configuration that it runs on.
    revision: i64,
    /// The first run of its line: keys of effects derive from it.
    root: String,
    replay_of: Option<String>,
    /// Whether all that had to be undone was; null: nothing had.
    undone: Option<bool>,
    /// Runs of the route with the same key go one after another.
    order_key: Option<String>,
    created_at: Time,
    ended_at: Option<Time>,
    next_attempt_at: Option<Time>,
    /// The run that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    waits_behind: Option<KeyHolder>,
    /// How many wait for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    waiting_behind: Option<u64>,
    /// Whether it keeps its key though it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    keeps_key: Option<bool>,
    steps: Vec<StepDocument>,
}

/// Of a step or an undo.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum StepStatusForm {
    Pending,
    Running,
    Waiting,
    Succeeded,
    Skipped,
    Failed,
    Undoing,
    Undone,
    UndoFailed,
}

/// A step.
#[derive(Debug, JsonSchema)]
pub(super) struct StepDocument {
    name: String,
    /// `plugin.action`.
    uses: String,
    status: StepStatusForm,
    input: Value,
    output: Value,
    error: Option<Failure>,
    next_attempt_at: Option<Time>,
    /// Writes in doubt that a person has to decide on.
    held: Vec<HeldWrite>,
    waits: Option<Waits>,
    /// From 1, where it repeats.
    round: u32,
    rounds: Option<u32>,
    /// What it was repeated for did not come.
    exhausted: bool,
    /// The event that ended its wait or its rounds.
    stopped_by: Value,
    /// The step that undoes it; `{status: "none"}` where there is none though one was needed.
    undo: Value,
    attempts: Vec<AttemptDocument>,
}

/// Why something failed.
#[derive(Debug, JsonSchema)]
pub(super) struct Failure {
    kind: String,
    /// One sentence.
    reason: String,
    /// Whatever helps to understand it.
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Value>,
}

/// A write in doubt.
#[derive(Debug, JsonSchema)]
pub(super) struct HeldWrite {
    seq: u32,
    attempt: u32,
    run: String,
    name: Option<String>,
    key: String,
    method: String,
    url: String,
}

/// What a step waits for by design.
#[derive(Debug, JsonSchema)]
pub(super) struct Waits {
    since: Time,
    until: Option<Time>,
    /// Types of events that end it.
    events: Option<Vec<String>>,
    /// `end` of a wait, `round`, or `start`.
    #[serde(rename = "for")]
    what: String,
    /// The condition on the event.
    #[serde(rename = "where", skip_serializing_if = "Option::is_none")]
    condition: Option<Value>,
    /// How often the condition could not be asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    where_failed_for: Option<Value>,
}

/// One try of a step.
#[derive(Debug, JsonSchema)]
pub(super) struct AttemptDocument {
    /// From 1.
    number: u32,
    started_at: Time,
    /// Null while it is under way.
    duration_ms: Option<i64>,
    outcome: Option<String>,
    error: Option<Failure>,
    logs: Vec<LogLine>,
    effects: Vec<EffectDocument>,
    /// Of the component that ran.
    digest: Option<String>,
}

/// What a plugin logged.
#[derive(Debug, JsonSchema)]
pub(super) struct LogLine {
    level: String,
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fields: Option<Map<String, Value>>,
}

/// Where a write is.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum EffectState {
    Intent,
    Done,
    Failed,
    InDoubt,
}

/// A request or a key-value write of an attempt.
#[derive(Debug, JsonSchema)]
pub(super) struct EffectDocument {
    /// Its place in the attempt.
    seq: u32,
    /// `http`, `key-value`, `mail`, `publish` or `webhook`.
    kind: String,
    name: Option<String>,
    /// The idempotency key of a write.
    key: Option<String>,
    method: String,
    url: String,
    /// Of the answer.
    status: Option<u16>,
    state: EffectState,
    duration_ms: Option<i64>,
    /// Answered from the journal: nothing was sent.
    replayed: bool,
    /// Why there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// An earlier attempt wrote it, and this one succeeded without asking for it again.
    #[serde(skip_serializing_if = "Option::is_none")]
    unrepeated: Option<bool>,
    /// The answer to the read is kept for dry runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    recorded: Option<bool>,
    /// Not carried out.
    #[serde(skip_serializing_if = "Option::is_none")]
    dropped: Option<bool>,
    /// Of a body too large to keep.
    #[serde(skip_serializing_if = "Option::is_none")]
    body_digest: Option<String>,
    /// What a person said of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
}
