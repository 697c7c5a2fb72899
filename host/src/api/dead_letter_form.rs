//! What is answered on dead letters, replays and decisions.

use schemars::JsonSchema;
use serde::Serialize;

use super::shown::Time;

/// A run that failed for good.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeadLetter {
    pub(super) eid: String,
    pub(super) run: String,
    pub(super) route: String,
    /// The event's type, source and id.
    #[serde(rename = "type")]
    pub(super) event_type: String,
    pub(super) source: String,
    pub(super) id: String,
    /// Where it failed.
    pub(super) step: Option<String>,
    pub(super) plugin: Option<String>,
    pub(super) action: Option<String>,
    /// What kind of failure it was.
    pub(super) kind: Option<String>,
    /// Names what those that died of the same share.
    pub(super) cause: Option<String>,
    pub(super) reason: Option<String>,
    pub(super) died_at: Time,
    pub(super) erased_at: Option<Time>,
}

/// Dead letters, the latest first.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DeadLetterList {
    pub(super) dead_letters: Vec<DeadLetter>,
    pub(super) next_cursor: Option<String>,
}

/// A run that was added.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AddedRun {
    pub(super) run: String,
    pub(super) replay_of: String,
    pub(super) route: String,
    pub(super) revision: i64,
}

/// Runs that a replay added.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct AddedRuns {
    pub(super) replays: Vec<AddedRun>,
}

/// What a replay of many did.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct BulkReplayed {
    pub(super) replays: Vec<AddedRun>,
    pub(super) refused: Vec<RefusedReplay>,
    /// Whether there are more: ask again with the cursor.
    pub(super) more: bool,
    pub(super) next_cursor: Option<String>,
}

/// A dead letter that could not be replayed.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct RefusedReplay {
    pub(super) run: String,
    pub(super) eid: String,
    pub(super) detail: String,
}

/// What was cancelled.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CancelledRuns {
    pub(super) cancelled: Vec<String>,
    /// Dead runs that gave up the order key that they kept.
    pub(super) released: Vec<String>,
}

/// A write that was decided on.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct DecidedWrite {
    pub(super) run: String,
    pub(super) step: String,
    pub(super) seq: u32,
    pub(super) key: String,
    /// Writes of the step that are still to be decided on.
    pub(super) left: usize,
}
