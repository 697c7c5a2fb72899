//! The run as a state machine: pure. (state, what happened, policy, now) gives the next state; nothing here does I/O,
//! reads a clock or draws a random number.
//!
//! A run is its steps. [`RunState::ready`] says which steps may start, [`RunState::apply`] takes in how one ended, and
//! [`RunState::verdict`] says what becomes of the run. Invariants:
//!
//! - A step starts only when every step it needs has been met (succeeded, skipped, or failed with `continue`).
//! - A met or failed step never starts again.
//! - A run ends only when no step is running.
//! - A run is `succeeded` only when every step has been met.

mod canary;
mod outcome;
mod retry;
#[cfg(test)]
mod tests;

pub use canary::{LEAST_CALLS, Window, failed, takes_part};
pub use outcome::{FailureKind, Outcome, StepFailure};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{OnFailure, Route};

/// Where a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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
        }
    }
}

/// One step of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct StepState {
    /// Its name in the route.
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
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// All a run remembers besides its steps' inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// In the order of the route.
    pub steps: Vec<StepState>,
    /// When the run is given up; moves by the time spent waiting.
    pub deadline: Timestamp,
    /// Since when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Something that no step's policy can mend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fatal: Option<String>,
}

/// What becomes of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Steps are running or may start now.
    Working,
    /// Nothing to do until then.
    Later(Timestamp),
    /// Nothing to do until somebody does something: why.
    Waiting(String),
    /// Over.
    Succeeded,
    /// Over: why.
    Dead(String),
}

impl RunState {
    /// A run that has not begun.
    pub fn new(route: &Route, deadline: Timestamp) -> RunState {
        let steps = route
            .steps
            .iter()
            .map(|step| StepState {
                name: step.name.clone(),
                uses: format!("{}.{}", step.plugin, step.action),
                status: StepStatus::Pending,
                tries: 0,
                used: 0,
                patience: 0,
                due: None,
                error: None,
                renewed: false,
            })
            .collect();
        RunState { steps, deadline, waiting_since: None, fatal: None }
    }

    /// A replay that keeps the outputs of the steps that succeeded, on a route that may have changed since.
    /// Gives the state and the names of the steps kept.
    pub fn resume(&self, route: &Route, deadline: Timestamp) -> (RunState, Vec<String>) {
        let mut state = RunState::new(route, deadline);
        let mut kept = Vec::new();
        for step in &mut state.steps {
            let before = self.steps.iter().find(|before| before.name == step.name);
            if let Some(before) = before.filter(|before| before.status == StepStatus::Succeeded) {
                step.status = StepStatus::Succeeded;
                step.tries = 0;
                step.uses.clone_from(&before.uses);
                kept.push(step.name.clone());
            }
        }
        (state, kept)
    }

    /// The state at the moment a worker claims the run: steps that were running belonged to a worker that is gone, and time
    /// spent waiting does not count against the deadline. Gives the indexes of the interrupted steps.
    pub fn claimed(&mut self, now: Timestamp) -> Vec<usize> {
        if let Some(since) = self.waiting_since.take() {
            let waited = now.duration_since(since).max(jiff::SignedDuration::ZERO);
            self.deadline = self.deadline.checked_add(waited).unwrap_or(Timestamp::MAX);
        }
        let mut interrupted = Vec::new();
        for (index, step) in self.steps.iter_mut().enumerate() {
            match step.status {
                StepStatus::Running => interrupted.push(index),
                StepStatus::Waiting => step.status = StepStatus::Pending,
                StepStatus::Pending | StepStatus::Succeeded | StepStatus::Skipped | StepStatus::Failed => {}
            }
        }
        interrupted
    }

    /// Steps that may start now.
    pub fn ready(&self, route: &Route, now: Timestamp) -> Vec<usize> {
        if self.fatal.is_some() || now >= self.deadline {
            return Vec::new();
        }
        (0..self.steps.len()).filter(|&index| self.can_start(route, index) && self.steps[index].due.is_none_or(|due| due <= now)).collect()
    }

    /// An attempt begins. Gives its number.
    pub fn start(&mut self, step: usize) -> u32 {
        let step = &mut self.steps[step];
        step.status = StepStatus::Running;
        step.tries += 1;
        step.due = None;
        step.tries
    }

    /// Takes in how an attempt (or the decision not to make one) ended. `jitter` is uniform in 0..1.
    pub fn apply(&mut self, route: &Route, step: usize, outcome: Outcome, now: Timestamp, jitter: f64) {
        let policy = &route.steps[step];
        let state = &mut self.steps[step];
        match outcome {
            Outcome::Succeeded => {
                state.status = StepStatus::Succeeded;
                state.error = None;
            }
            Outcome::Skipped => state.status = StepStatus::Skipped,
            Outcome::Failed(failure) => {
                // A refusal after anything else is a new one: the credential may be renewed again.
                let renewed = std::mem::replace(&mut state.renewed, false);
                match failure.kind {
                    FailureKind::Retry | FailureKind::Trap | FailureKind::Timeout | FailureKind::Interrupted => {
                        state.used += 1;
                        state.patience = 0;
                        if state.used >= policy.retry.max_attempts {
                            state.status = StepStatus::Failed;
                        } else {
                            state.status = StepStatus::Pending;
                            state.due = Some(retry::again_at(&policy.retry, state.used, failure.after, now, jitter));
                        }
                    }
                    FailureKind::RateLimited => {
                        state.status = StepStatus::Pending;
                        state.patience += 1;
                        state.due = Some(retry::again_at(&policy.retry, state.patience, failure.after, now, jitter));
                    }
                    FailureKind::Conflict | FailureKind::Busy => {
                        state.status = StepStatus::Pending;
                        state.patience += 1;
                        state.due = Some(retry::soon(state.patience, failure.after, now, jitter));
                    }
                    FailureKind::Unauthorized if !renewed => {
                        state.renewed = true;
                        state.status = StepStatus::Pending;
                        state.due = Some(now);
                    }
                    FailureKind::Unauthorized => state.status = StepStatus::Waiting,
                    FailureKind::Rejected | FailureKind::InvalidInput | FailureKind::InvalidOutput => state.status = StepStatus::Failed,
                    FailureKind::Expression | FailureKind::Diverged | FailureKind::Unavailable => {
                        state.status = StepStatus::Failed;
                        self.fatal = Some(format!("step {}: {}", policy.name, failure.reason));
                    }
                }
                self.steps[step].error = Some(failure);
            }
        }
    }

    /// What becomes of the run now.
    pub fn verdict(&self, route: &Route, now: Timestamp) -> Verdict {
        if self.steps.iter().any(|step| step.status == StepStatus::Running) {
            return Verdict::Working;
        }
        if let Some(reason) = &self.fatal {
            return Verdict::Dead(reason.clone());
        }
        if (0..self.steps.len()).all(|index| self.met(route, index)) {
            return Verdict::Succeeded;
        }
        let startable: Vec<&StepState> =
            (0..self.steps.len()).filter(|&index| self.can_start(route, index)).map(|index| &self.steps[index]).collect();
        if !startable.is_empty() {
            let due = startable.iter().map(|step| step.due.unwrap_or(now)).min().unwrap_or(now);
            return if now >= self.deadline {
                Verdict::Dead("the run's deadline has passed".to_owned())
            } else if due <= now {
                Verdict::Working
            } else {
                // Never sleeps past the deadline.
                Verdict::Later(due.min(self.deadline))
            };
        }
        if let Some(step) = self.steps.iter().find(|step| step.status == StepStatus::Waiting) {
            let why = step.error.as_ref().map_or("", |error| error.reason.as_str());
            return Verdict::Waiting(format!("step {} waits: {why}", step.name));
        }
        let failed = self.steps.iter().find(|step| step.status == StepStatus::Failed);
        let reason = failed.map_or_else(
            || "no step can start".to_owned(),
            |step| {
                let error = step.error.as_ref();
                let kind = error.map_or("failed", |error| error.kind.as_str());
                format!("step {}: {kind}: {}", step.name, error.map_or("", |error| error.reason.as_str()))
            },
        );
        Verdict::Dead(reason)
    }

    /// Why the run waits for a time: the failures of the steps that are to be tried again.
    pub fn again_because(&self) -> Option<String> {
        let again = self.steps.iter().filter(|step| step.status == StepStatus::Pending && step.due.is_some());
        let reasons: Vec<String> = again
            .filter_map(|step| step.error.as_ref().map(|error| format!("step {}: {}: {}", step.name, error.kind.as_str(), error.reason)))
            .collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Whether the steps that need it may go on.
    fn met(&self, route: &Route, index: usize) -> bool {
        match self.steps[index].status {
            StepStatus::Succeeded | StepStatus::Skipped => true,
            StepStatus::Failed => route.steps[index].on_failure == OnFailure::Continue,
            StepStatus::Pending | StepStatus::Running | StepStatus::Waiting => false,
        }
    }

    fn can_start(&self, route: &Route, index: usize) -> bool {
        self.steps[index].status == StepStatus::Pending && route.steps[index].needs.iter().all(|&need| self.met(route, need))
    }
}
