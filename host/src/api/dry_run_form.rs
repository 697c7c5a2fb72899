//! A replay and a dry run, as they are answered. The worker makes the runs of a dry run as JSON, in which what is hidden from somebody is hidden.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::dead_letter_form::AddedRuns;
use super::event_form::{AttemptFailure, EffectDocument, LogLine};
use super::shown::{Stored, Time};
use crate::store::EffectState;
use crate::worker::ReadsFrom;

/// What a replay added, or what a dry run would do.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
pub(super) enum Replayed {
    Added(AddedRuns),
    DryRun(DryRunAnswer),
}

/// A dry run.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DryRunAnswer {
    pub(super) dry_run: DryRunDocument,
}

/// What a replay would do.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DryRunDocument {
    pub(super) eid: String,
    /// How reads were answered.
    pub(super) reads: ReadsFrom,
    pub(super) runs: Stored<Vec<ImaginedRun>>,
}

/// A run that was not added.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
pub(super) struct ImaginedRun {
    replay_of: String,
    route: String,
    revision: i64,
    root: String,
    steps: Vec<ImaginedStep>,
}

/// A step as far as it came.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
pub(super) struct ImaginedStep {
    name: String,
    uses: String,
    /// `succeeded`, `skipped`, `failed`, `stopped` before a write or a wait, `not-reached`.
    status: String,
    /// It keeps the output that it had.
    kept: bool,
    input: Value,
    output: Value,
    error: Option<AttemptFailure>,
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
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
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
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
pub(super) struct Difference {
    against: SentThen,
    changes: Vec<DifferentPart>,
    more_changes: u64,
}

/// The write that was sent.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
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
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
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
#[expect(dead_code, reason = "a form: the worker makes it as JSON")]
pub(super) struct WouldBringIn {
    event: Value,
    routes: Vec<String>,
}
