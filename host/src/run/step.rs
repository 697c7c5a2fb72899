//! One step of a run, and the undo of one: what a try leads to.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::outcome::{FailureKind, Outcome, StepFailure};
use super::retry;
use super::wait::Wait;
use crate::config::{OnDoubt, Step};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StepStatus {
    /// Not started, or to be tried again.
    Pending,
    /// An attempt is under way.
    Running,
    /// Paused until a person or an administrator does something.
    Waiting,
    /// Done.
    Succeeded,
    /// Its `when` said no.
    Skipped,
    /// It will not be tried again.
    Failed,
    /// Its undo has begun.
    Undoing,
    /// What it did is undone.
    Undone,
    /// Its undo will not be tried again in this run.
    UndoFailed,
}

impl StepStatus {
    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            StepStatus::Pending => "pending",
            StepStatus::Running => "running",
            StepStatus::Waiting => "waiting",
            StepStatus::Succeeded => "succeeded",
            StepStatus::Skipped => "skipped",
            StepStatus::Failed => "failed",
            StepStatus::Undoing => "undoing",
            StepStatus::Undone => "undone",
            StepStatus::UndoFailed => "undo-failed",
        }
    }
}

/// A write in doubt that a person must judge before its step goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldEffect {
    /// Its place in the attempt that sent it last.
    pub seq: u32,
    /// That attempt.
    pub attempt: u32,
    /// Method and address, and its name if it has one.
    pub what: String,
}

/// One step of a run; or, as [`StepState::undo`], the undo of one, which is never undone itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Its name in the route; of an undo `NAME/undo`.
    pub name: String,
    /// `plugin.action`.
    pub uses: String,
    /// Where it is.
    pub status: StepStatus,
    /// Attempts made, of whatever outcome: numbers them.
    pub tries: u32,
    /// Attempts that count against the policy.
    pub used: u32,
    /// Failures in a row that ask for patience, for their own backoff.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub patience: u32,
    /// Not before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// Of the last attempt that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<StepFailure>,
    /// The credential was refused and renewed once; a second refusal pauses the step.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub renewed: bool,
    /// Its round, from 0.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub round: u32,
    /// It waits for a time, an event or its next round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wait: Option<Wait>,
    /// It was repeated as often as it may be, and what it was repeated for did not come.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exhausted: bool,
    /// The event that ended its repetition: `{eid, source, id, type}`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_by: Option<Value>,
    /// It waits for a person who decides on these.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<HeldEffect>,
    /// Its place among the steps of the run that have succeeded or failed, from 1: the undo goes the other way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<u32>,
    /// Its undo, once that is decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<Box<StepState>>,
    /// The run was undone, and this has effects that stay: its action declares no undo action.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stays: bool,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// What a try leads to, beyond the step itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Consequence {
    /// Nothing.
    None,
    /// The whole run can't go on.
    Fatal,
}

impl StepState {
    /// A step that has not begun.
    pub(super) fn new(step: &Step) -> StepState {
        StepState::named(step.name.clone(), format!("{}.{}", step.plugin, step.action))
    }

    /// An undo that has not begun. Its attempts are numbered on from those of an earlier one in the run.
    pub(super) fn undo_of(step: &Step, action: &str, before: Option<&StepState>) -> StepState {
        let tries = before.map_or(0, |before| before.tries);
        StepState { tries, ..StepState::named(undo_name(&step.name), format!("{}.{action}", step.plugin)) }
    }

    fn named(name: String, uses: String) -> StepState {
        StepState {
            name,
            uses,
            status: StepStatus::Pending,
            tries: 0,
            used: 0,
            patience: 0,
            due: None,
            error: None,
            renewed: false,
            round: 0,
            wait: None,
            exhausted: false,
            stopped_by: None,
            held: Vec::new(),
            ended: None,
            undo: None,
            stays: false,
        }
    }

    /// The undo action of [`StepState::undo`].
    pub fn action(&self) -> &str {
        self.uses.split_once('.').map_or("", |(_, action)| action)
    }

    /// Whether it waits, but not for a person's decision: for a credential.
    pub fn is_paused(&self) -> bool {
        self.status == StepStatus::Waiting && self.held.is_empty() && self.wait.is_none()
    }

    /// Whether an outcome can be taken in: it has not succeeded, failed or been skipped.
    pub(super) fn is_open(&self) -> bool {
        matches!(self.status, StepStatus::Pending | StepStatus::Running | StepStatus::Waiting)
    }

    /// An attempt begins. Gives its number.
    pub(super) fn begin(&mut self) -> u32 {
        self.status = StepStatus::Running;
        self.tries += 1;
        self.due = None;
        self.tries
    }

    /// Paused no more: to be tried (again) now.
    pub(super) fn resume(&mut self) {
        self.held.clear();
        self.wait = None;
        self.status = StepStatus::Pending;
        self.due = None;
    }

    /// Takes in how a try ended.
    pub(super) fn tried(&mut self, policy: &Step, outcome: Outcome, now: Timestamp, jitter: f64) -> Consequence {
        let (failure, doubts) = match outcome {
            Outcome::Succeeded => {
                self.status = StepStatus::Succeeded;
                self.wait = None;
                self.error = None;
                return Consequence::None;
            }
            Outcome::Exhausted => {
                self.status = StepStatus::Succeeded;
                self.wait = None;
                self.error = None;
                self.exhausted = true;
                return Consequence::None;
            }
            Outcome::Waits(wait) => {
                self.sleep(wait);
                return Consequence::None;
            }
            Outcome::Skipped => {
                self.status = StepStatus::Skipped;
                return Consequence::None;
            }
            Outcome::Failed(failure) => (failure, Vec::new()),
            Outcome::InDoubt(failure, doubts) => (failure, doubts),
        };
        self.wait = None;
        // A refusal after anything else is a new one: the credential may be renewed again.
        let renewed = std::mem::replace(&mut self.renewed, false);
        let mut consequence = Consequence::None;
        match failure.kind {
            FailureKind::Retry | FailureKind::Trap | FailureKind::Timeout | FailureKind::Interrupted => {
                self.used += 1;
                self.patience = 0;
                if self.used >= policy.retry.max_attempts {
                    self.status = StepStatus::Failed;
                } else {
                    self.status = StepStatus::Pending;
                    self.due = Some(retry::again_at(&policy.retry, self.used, failure.after, now, jitter));
                }
            }
            FailureKind::RateLimited => {
                self.status = StepStatus::Pending;
                self.patience += 1;
                self.due = Some(retry::patient(&policy.retry, self.patience, failure.after, now, jitter));
            }
            FailureKind::Conflict | FailureKind::Busy => {
                self.status = StepStatus::Pending;
                self.patience += 1;
                self.due = Some(retry::soon(self.patience, failure.after, now, jitter));
            }
            FailureKind::Unauthorized if !renewed => {
                self.renewed = true;
                self.status = StepStatus::Pending;
                self.due = Some(now);
            }
            FailureKind::Unauthorized => self.status = StepStatus::Waiting,
            FailureKind::Rejected | FailureKind::InvalidInput | FailureKind::InvalidOutput => self.status = StepStatus::Failed,
            FailureKind::Expression | FailureKind::Diverged | FailureKind::Unavailable => {
                self.status = StepStatus::Failed;
                consequence = Consequence::Fatal;
            }
        }
        // Whatever its policy says: first a person tells what is so, and that is worth another try.
        if policy.on_doubt == OnDoubt::Hold && !doubts.is_empty() && consequence == Consequence::None {
            self.status = StepStatus::Waiting;
            self.due = None;
            self.held = doubts;
        }
        self.error = Some(failure);
        consequence
    }

    /// Why it waits or failed, for people.
    pub fn why(&self) -> String {
        if let Some(first) = self.held.first() {
            let more = match self.held.len() - 1 {
                0 => String::new(),
                more => format!(", and on {more} more"),
            };
            return format!(
                "step {} is held: nobody knows whether {} was done (effect {} of attempt {}); look there, then decide on it{more} with \
                 `sangam events decide`",
                self.name, first.what, first.seq, first.attempt
            );
        }
        if let Some(why) = self.why_asleep() {
            return why;
        }
        let error = self.error.as_ref();
        let reason = error.map_or("", |error| error.reason.as_str());
        match self.status {
            StepStatus::Waiting => format!("step {} waits: {reason}", self.name),
            _ => format!("step {}: {}: {reason}", self.name, error.map_or("failed", |error| error.kind.as_str())),
        }
    }
}

/// The name of the step that undoes another.
pub fn undo_name(step: &str) -> String {
    format!("{step}/undo")
}
