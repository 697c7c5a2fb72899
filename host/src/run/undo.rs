//! The way back: finished steps undone in reverse order; and a replay's first duty, to undo what an earlier run could not.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::outcome::{FailureKind, Outcome, StepFailure};
use super::step::StepState;
use super::{Illegal, RunState, StepStatus, Verdict};
use crate::config::{OnFailure, Route};

/// Which way a run goes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Course {
    /// Along its route.
    #[default]
    Forward,
    /// A replay: first it undoes what an earlier run of its line could not, then it goes forward.
    Clearing,
    /// Back. It ends dead, for this reason.
    Undoing(String),
}

impl Course {
    pub(super) fn is_forward(&self) -> bool {
        *self == Course::Forward
    }
}

/// What is known of a step when an undo is decided.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct UndoFacts {
    /// The action that undoes it, where its plugin declares one.
    pub action: Option<String>,
    /// It has effects in its line that are not undone: writes done or in doubt, key-value writes that took effect.
    pub effects: bool,
}

impl RunState {
    /// Why the run is to be undone, if it is: a step with `on-failure = "undo"` has failed, or the deadline passed before it.
    pub(super) fn undo_decided(&self, route: &Route, now: Timestamp) -> Option<String> {
        if !self.course.is_forward() {
            return None;
        }
        let undoes = |index: usize| route.steps[index].on_failure == OnFailure::Undo;
        if let Some(step) = self.steps.iter().enumerate().find(|(index, step)| step.status == StepStatus::Failed && undoes(*index)) {
            return Some(step.1.why());
        }
        let overtaken = self.fatal.is_none()
            && now >= self.deadline
            && (0..self.steps.len()).any(|index| undoes(index) && (self.can_start(route, index) || self.steps[index].is_asleep()));
        overtaken.then(|| super::DEADLINE.to_owned())
    }

    /// Turns the run back. `facts` of each step; `deadline` of the undo, which the run's own does not cut off.
    ///
    /// # Errors
    /// [`Illegal::NotDecided`]: [`RunState::verdict`] does not say so.
    pub fn begin_undo(&mut self, route: &Route, facts: &[UndoFacts], now: Timestamp, deadline: Timestamp) -> Result<(), Illegal> {
        let Verdict::Undo(reason) = self.verdict(route, now) else { return Err(Illegal::NotDecided) };
        for (index, step) in self.steps.iter_mut().enumerate() {
            let known = facts.get(index).cloned().unwrap_or_default();
            if step.status == StepStatus::Waiting {
                // What it waited for does not matter any more.
                step.resume();
            }
            if step.status != StepStatus::Succeeded && !known.effects {
                continue;
            }
            match &known.action {
                Some(action) => {
                    let undo = StepState::undo_of(&route.steps[index], action, step.undo.as_deref());
                    step.undo = Some(Box::new(undo));
                }
                None => step.stays = known.effects,
            }
        }
        self.course = Course::Undoing(reason);
        self.deadline = deadline;
        self.waiting_since = None;
        Ok(())
    }

    /// The undo whose turn it is: one after another, those that ended last first, and none before the undos of steps that need its step.
    pub(super) fn next_undo(&self, route: &Route) -> Option<usize> {
        if self.course.is_forward() {
            return None;
        }
        let unfinished = |index: usize| self.steps[index].undo.as_ref().is_some_and(|undo| undo.is_open());
        let open: Vec<usize> = (0..self.steps.len()).filter(|&index| unfinished(index)).collect();
        let needed = |index: usize| open.iter().any(|&other| other != index && route.needs(other, index));
        // What has not ended was under way last.
        open.iter().copied().filter(|&index| !needed(index)).max_by_key(|&index| (self.steps[index].ended.unwrap_or(u32::MAX), index))
    }

    /// Takes in how an undo's try ended.
    pub(super) fn undo_tried(&mut self, route: &Route, index: usize, outcome: Outcome, now: Timestamp, jitter: f64) {
        let step = &mut self.steps[index];
        let Some(undo) = step.undo.as_mut() else { return };
        undo.tried(&route.steps[index], outcome, now, jitter);
        step.status = match undo.status {
            StepStatus::Succeeded | StepStatus::Skipped => StepStatus::Undone,
            StepStatus::Failed => StepStatus::UndoFailed,
            _ => StepStatus::Undoing,
        };
        self.cleared(route);
    }

    /// A replay whose duty is done goes forward; what is undone now is to be done afresh.
    fn cleared(&mut self, route: &Route) {
        if self.course != Course::Clearing || self.next_undo(route).is_some() {
            return;
        }
        if self.steps.iter().any(|step| step.status == StepStatus::UndoFailed) {
            return;
        }
        for (step, known) in self.steps.iter_mut().zip(&route.steps).filter(|(step, _)| step.status == StepStatus::Undone) {
            let undo = step.undo.take();
            *step = StepState { undo, ..StepState::new(known) };
        }
        self.course = Course::Forward;
    }

    /// Undos that the deadline has overtaken have failed. Those that wait for somebody have time.
    pub(super) fn overtaken(&mut self, route: &Route, now: Timestamp) {
        while now >= self.deadline
            && let Some(index) = self.next_undo(route)
        {
            let Some(undo) = self.steps[index].undo.as_mut().filter(|undo| undo.status == StepStatus::Pending) else { return };
            undo.status = StepStatus::Failed;
            undo.error = Some(StepFailure::new(FailureKind::Timeout, "the deadline of the undo has passed"));
            self.steps[index].status = StepStatus::UndoFailed;
        }
    }

    /// What becomes of a run that does not go forward; nothing of it is running.
    pub(super) fn undo_verdict(&self, route: &Route, now: Timestamp) -> Verdict {
        let Some(index) = self.next_undo(route) else {
            return Verdict::Dead(self.undo_reason());
        };
        let Some(undo) = &self.steps[index].undo else { return Verdict::Working };
        if undo.status == StepStatus::Waiting {
            return Verdict::Waiting(undo.why());
        }
        match undo.due.filter(|due| *due > now) {
            Some(due) => Verdict::Later(due.min(self.deadline)),
            None => Verdict::Working,
        }
    }

    /// Whether the undo is complete; `None`: the run does not go back.
    pub fn undone(&self) -> Option<bool> {
        match self.course {
            Course::Forward => None,
            Course::Clearing => Some(false),
            Course::Undoing(_) => Some(
                self.steps.iter().all(|step| !step.stays && step.undo.as_ref().is_none_or(|undo| undo.status == StepStatus::Succeeded)),
            ),
        }
    }

    fn undo_reason(&self) -> String {
        let mut text = match &self.course {
            Course::Undoing(reason) => format!("{reason}; "),
            _ => String::new(),
        };
        let mut left: Vec<String> = Vec::new();
        for step in &self.steps {
            if let Some(undo) = step.undo.as_ref().filter(|_| step.status == StepStatus::UndoFailed) {
                left.push(undo.why());
            } else if step.stays {
                left.push(format!("step {} has effects, and {} declares no undo action", step.name, step.uses));
            }
        }
        if left.is_empty() {
            text.push_str("undone");
        } else {
            text.push_str("not all undone: ");
            text.push_str(&left.join("; "));
        }
        text
    }
}
