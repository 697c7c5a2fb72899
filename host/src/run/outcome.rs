//! How one attempt ended, as the state machine sees it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::step::HeldEffect;
use super::wait::Wait;

/// How an attempt ended, or why there was none.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// Done.
    Succeeded,
    /// Done in its last round, and what it was repeated for did not come.
    Exhausted,
    /// Nothing to do before a time or an event: instead of an attempt, or between two rounds.
    Waits(Wait),
    /// The step's `when` said no.
    Skipped,
    /// Not done.
    Failed(StepFailure),
    /// Not done, and these writes of the step are in doubt. Only `on-doubt = "hold"` makes a difference of it.
    InDoubt(StepFailure, Vec<HeldEffect>),
}

impl Outcome {
    /// Nothing was done, and nothing could be for the moment: for lack of room or because a system asks for patience.
    pub fn has_to_wait(&self) -> bool {
        matches!(self, Outcome::Failed(failure) if matches!(failure.kind, FailureKind::Busy | FailureKind::RateLimited))
    }
}

/// Answers: again, or never? And who has to do something?
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The plugin asks for another try. Uses an attempt.
    Retry,
    /// The system asks for patience. Uses none.
    RateLimited,
    /// The credential was refused. Renewed once, then the step is paused. Uses none.
    Unauthorized,
    /// The plugin says that trying again can't help.
    Rejected,
    /// The plugin trapped, or was stopped at a limit. Uses an attempt.
    Trap,
    /// The attempt took too long. Uses an attempt.
    Timeout,
    /// The host went away in the middle. Uses an attempt, so that a run that brings hosts down ends.
    Interrupted,
    /// What it read was changed or claimed by another step. Uses none.
    Conflict,
    /// The host has no room for it now: breaker open, rate limit of the plugin, all instances taken. Uses none.
    Busy,
    /// The input does not match the action's schema.
    InvalidInput,
    /// The plugin's output is not what it declared.
    InvalidOutput,
    /// An expression failed.
    Expression,
    /// On this attempt the plugin wrote something else than before.
    Diverged,
    /// The plugin or action is not there.
    Unavailable,
}

impl FailureKind {
    /// No step's policy can mend it: the run is dead.
    pub fn is_fatal(self) -> bool {
        matches!(self, FailureKind::Expression | FailureKind::Diverged | FailureKind::Unavailable)
    }

    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::Retry => "retry",
            FailureKind::RateLimited => "rate-limited",
            FailureKind::Unauthorized => "unauthorized",
            FailureKind::Rejected => "rejected",
            FailureKind::Trap => "trap",
            FailureKind::Timeout => "timeout",
            FailureKind::Interrupted => "interrupted",
            FailureKind::Conflict => "conflict",
            FailureKind::Busy => "busy",
            FailureKind::InvalidInput => "invalid-input",
            FailureKind::InvalidOutput => "invalid-output",
            FailureKind::Expression => "expression",
            FailureKind::Diverged => "diverged",
            FailureKind::Unavailable => "unavailable",
        }
    }
}

/// A failure as kept and shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepFailure {
    /// What kind.
    pub kind: FailureKind,
    /// One sentence.
    pub reason: String,
    /// The plugin's wish for the next try.
    #[serde(skip)]
    pub after: Option<Duration>,
    /// Whatever helps to understand it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}

impl StepFailure {
    /// A failure without details.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> StepFailure {
        StepFailure { kind, reason: reason.into(), after: None, details: None }
    }
}
