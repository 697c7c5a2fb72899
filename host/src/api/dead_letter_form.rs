//! The forms of what is answered on dead letters, replays and decisions.
#![expect(dead_code, reason = "forms: nothing is made of them but the document of the API")]

use schemars::JsonSchema;
use serde_json::Value;

use super::event_form::{EffectDocument, EffectState, Failure, LogLine};
use super::shown::Time;

/// A run that failed for good.
#[derive(Debug, JsonSchema)]
pub(super) struct DeadLetterForm {
    eid: String,
    run: String,
    route: String,
    /// The event's type, source and id.
    #[serde(rename = "type")]
    kind_of_event: String,
    source: String,
    id: String,
    /// Where it failed.
    step: Option<String>,
    plugin: Option<String>,
    action: Option<String>,
    /// What kind of failure it was.
    kind: Option<String>,
    /// Names what those that died of the same share.
    cause: Option<String>,
    reason: Option<String>,
    died_at: Time,
    erased_at: Option<Time>,
}

/// Dead letters, the latest first.
#[derive(Debug, JsonSchema)]
pub(super) struct DeadLetterList {
    dead_letters: Vec<DeadLetterForm>,
    next_cursor: Option<String>,
}

/// A run that was added.
#[derive(Debug, JsonSchema)]
pub(super) struct AddedRun {
    run: String,
    replay_of: String,
    route: String,
    revision: i64,
}

/// What a replay added, or what a dry run would do.
#[derive(Debug, JsonSchema)]
#[serde(untagged)]
pub(super) enum Replayed {
    Added(AddedRuns),
    DryRun(DryRunAnswer),
}

/// Runs that a replay added.
#[derive(Debug, JsonSchema)]
pub(super) struct AddedRuns {
    replays: Vec<AddedRun>,
}

/// A dry run.
#[derive(Debug, JsonSchema)]
pub(super) struct DryRunAnswer {
    dry_run: DryRunDocument,
}

/// What a replay would do.
#[derive(Debug, JsonSchema)]
pub(super) struct DryRunDocument {
    eid: String,
    /// How reads were answered.
    reads: crate::worker::ReadsFrom,
    runs: Vec<ImaginedRun>,
}

/// A run that was not added.
#[derive(Debug, JsonSchema)]
pub(super) struct ImaginedRun {
    replay_of: String,
    route: String,
    revision: i64,
    root: String,
    steps: Vec<ImaginedStep>,
}

/// A step as far as it came.
#[derive(Debug, JsonSchema)]
pub(super) struct ImaginedStep {
    name: String,
    uses: String,
    /// `succeeded`, `skipped`, `failed`, `stopped` before a write or a wait, `not-reached`.
    status: String,
    /// It keeps the output that it had.
    kept: bool,
    input: Value,
    output: Value,
    error: Option<Failure>,
    effects: Vec<EffectDocument>,
    /// The first write that nothing answers.
    would_send: Option<WouldSend>,
    /// Against what was sent then.
    difference: Option<Difference>,
    events: Vec<WouldBringIn>,
    logs: Vec<LogLine>,
}

/// A request that was not sent.
#[derive(Debug, JsonSchema)]
pub(super) struct WouldSend {
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Value,
    name: Option<String>,
    key: Option<String>,
}

/// What would be sent against what was.
#[derive(Debug, JsonSchema)]
pub(super) struct Difference {
    against: SentThen,
    changes: Vec<DifferentPart>,
    more_changes: u64,
}

/// The write that was sent.
#[derive(Debug, JsonSchema)]
pub(super) struct SentThen {
    run: String,
    attempt: u32,
    sent_at: Time,
    state: EffectState,
    status: Option<u16>,
    key: String,
}

/// A part that is different; a side that has nothing there is left out.
#[derive(Debug, JsonSchema)]
pub(super) struct DifferentPart {
    /// `method`, `url`, `header` or `body`.
    part: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    then: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<Value>,
}

/// An event that a step would bring in.
#[derive(Debug, JsonSchema)]
pub(super) struct WouldBringIn {
    event: Value,
    routes: Vec<String>,
}

/// What a replay of many did.
#[derive(Debug, JsonSchema)]
pub(super) struct BulkReplayed {
    replays: Vec<AddedRun>,
    refused: Vec<RefusedReplay>,
    /// Whether there are more: ask again with the cursor.
    more: bool,
    next_cursor: Option<String>,
}

/// A dead letter that could not be replayed.
#[derive(Debug, JsonSchema)]
pub(super) struct RefusedReplay {
    run: String,
    eid: String,
    detail: String,
}

/// What was cancelled.
#[derive(Debug, JsonSchema)]
pub(super) struct CancelledRuns {
    cancelled: Vec<String>,
    /// Dead runs that gave up the order key that they kept.
    released: Vec<String>,
}

/// A write that was decided on.
#[derive(Debug, JsonSchema)]
pub(super) struct DecidedWrite {
    run: String,
    step: String,
    seq: u32,
    key: String,
    /// Writes of the step that are still to be decided on.
    left: u64,
}
