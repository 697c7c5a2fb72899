//! The run as a state machine: pure. (state, what happened, policy, now) gives the next state; nothing here does I/O,
//! reads a clock or draws a random number.
//!
//! A run is its steps. [`RunState::ready`] says what may start, [`RunState::start`] starts it, [`RunState::apply`] takes in how it ended, and
//! [`RunState::verdict`] says what becomes of the run. [`RunState::claimed`] takes it up after a pause or a crash, [`RunState::release`] lets
//! held steps go on once a person has decided, [`RunState::begin_undo`] turns it back, and [`RunState::resume`] makes a replay's state.
//! [`RunState::wake`] ends the time that a step waits for by design. What must not happen is an [`Illegal`], and changes nothing.
//!
//! Invariants, which `tests/property.rs` checks over random routes and histories:
//!
//! - A step starts only when every step it needs has been met (succeeded, skipped, or failed with `continue`).
//! - A met or failed step never starts again, unless it was undone.
//! - A run ends only when nothing of it is running, and then stays as it is.
//! - A run is `succeeded` only when every step has been met.
//! - An undo begins only when a step with `on-failure = "undo"` has failed (or the deadline passed before it), and nothing is running; once
//!   it is decided no step starts any more.
//! - Undos run one at a time, those first that ended last, each after the undos of all steps that need its step.
//! - A run that was undone is dead; it is `undone` only if each step with effects was.
//! - A held step does nothing until it is released; the time that a run waits does not count against its deadline.
//! - A step that waits for a time, an event or its next round does nothing until then. Rounds of a step come one after another, each counted once.
//! - A step whose undo was begun and not completed is undone before its replay starts anything else.

mod canary;
mod death;
mod outcome;
pub mod pattern;
mod quiet;
mod replay;
mod retry;
mod step;
#[cfg(test)]
mod tests;
mod undo;
mod wait;

pub use canary::{LEAST_CALLS, Window, failed, takes_part};
pub use death::Death;
pub use outcome::{FailureKind, Outcome, StepFailure};
pub use quiet::{Holiday, MOST_HOLIDAYS, Quiet};
pub use replay::From;
pub(crate) use retry::{again_at, patient, soon};
pub use step::{HeldEffect, StepState, StepStatus, undo_name};
pub use undo::{Course, UndoFacts};
pub use wait::{Wait, WaitFor};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::{OnFailure, Route};
use step::Consequence;

/// Why a run was given up by time.
const DEADLINE: &str = "the run's deadline has passed";

/// What can be tried: a step, or the undo of one. By index in the route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// The step.
    Step(usize),
    /// Its undo.
    Undo(usize),
}

impl Task {
    /// Index of the step in the route.
    pub fn index(self) -> usize {
        match self {
            Task::Step(index) | Task::Undo(index) => index,
        }
    }
}

/// What must not happen to a run. The state is as it was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Illegal {
    /// Started although it is not its turn.
    #[error("it is not the turn of {0}")]
    NotItsTurn(String),
    /// An outcome for what has ended.
    #[error("{0} has ended; another outcome can't be taken in")]
    Ended(String),
    /// An outcome for an undo that nobody decided on.
    #[error("{0} is not being undone")]
    NotUndoing(String),
    /// Released although it is not held.
    #[error("{0} is not held")]
    NotHeld(String),
    /// Turned back although nothing says so, or while something is running.
    #[error("no undo is decided")]
    NotDecided,
    /// What is half undone can't be undone.
    #[error("step {0} is not completely undone, and its action declares no undo action")]
    NoUndo(String),
}

/// All a run remembers besides its steps' inputs and outputs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunState {
    /// In the order of the route.
    pub steps: Vec<StepState>,
    /// When the run (or, on the way back, its undo) is given up; moves by the time spent waiting.
    pub deadline: Timestamp,
    /// Since when it waits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting_since: Option<Timestamp>,
    /// Something that no step's policy can mend.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fatal: Option<String>,
    /// Which way it goes.
    #[serde(default, skip_serializing_if = "Course::is_forward")]
    pub course: Course,
}

/// What becomes of a run.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Something is running or may start now.
    Working,
    /// Nothing to do until then.
    Later(Timestamp),
    /// Nothing to do until a time or an event that its steps wait for by design: why.
    Asleep(String),
    /// Nothing to do until somebody does something: why.
    Waiting(String),
    /// To be turned back with [`RunState::begin_undo`]: why.
    Undo(String),
    /// Over.
    Succeeded,
    /// Over: why.
    Dead(String),
}

impl RunState {
    /// A run that has not begun.
    pub fn new(route: &Route, deadline: Timestamp) -> RunState {
        let steps = route.steps.iter().map(StepState::new).collect();
        RunState { steps, deadline, waiting_since: None, fatal: None, course: Course::Forward }
    }

    /// The state of a task; `None`: nobody decided on this undo.
    pub fn task(&self, task: Task) -> Option<&StepState> {
        match task {
            Task::Step(index) => self.steps.get(index),
            Task::Undo(index) => self.steps.get(index)?.undo.as_deref(),
        }
    }

    /// The same, to be changed.
    pub fn task_mut(&mut self, task: Task) -> Option<&mut StepState> {
        match task {
            Task::Step(index) => self.steps.get_mut(index),
            Task::Undo(index) => self.steps.get_mut(index)?.undo.as_deref_mut(),
        }
    }

    /// All steps and undos, with their states.
    pub fn tasks(&self) -> impl Iterator<Item = (Task, &StepState)> {
        self.steps.iter().enumerate().flat_map(|(index, step)| {
            std::iter::once((Task::Step(index), step)).chain(step.undo.as_deref().map(|undo| (Task::Undo(index), undo)))
        })
    }

    /// The task of that name.
    pub fn named(&self, name: &str) -> Option<Task> {
        self.tasks().find(|(_, state)| state.name == name).map(|(task, _)| task)
    }

    /// The state at the moment a worker claims the run: what was running belonged to a worker that is gone, and time spent waiting does not
    /// count against the deadline. What waits for a credential is tried again; what a person has to decide on is not, and what waits by design has its own
    /// time. Gives what was interrupted.
    pub fn claimed(&mut self, now: Timestamp) -> Vec<Task> {
        self.end_wait(now);
        let tasks: Vec<Task> = self.tasks().map(|(task, _)| task).collect();
        let mut interrupted = Vec::new();
        for task in tasks {
            let Some(state) = self.task_mut(task) else { continue };
            match state.status {
                StepStatus::Running => interrupted.push(task),
                StepStatus::Waiting if state.is_paused() => state.status = StepStatus::Pending,
                _ => {}
            }
        }
        interrupted
    }

    /// Time counts again, and what has passed since it began to wait does not.
    pub fn end_wait(&mut self, now: Timestamp) {
        if let Some(since) = self.waiting_since.take() {
            let waited = now.duration_since(since).max(jiff::SignedDuration::ZERO);
            self.deadline = self.deadline.checked_add(waited).unwrap_or(Timestamp::MAX);
        }
    }

    /// What may start now.
    pub fn ready(&self, route: &Route, now: Timestamp) -> Vec<Task> {
        let given_up = self.fatal.is_some() && self.course.is_forward();
        if given_up || now >= self.deadline || self.undo_decided(route, now).is_some() {
            return Vec::new();
        }
        let due = |state: &StepState| state.status == StepStatus::Pending && state.due.is_none_or(|due| due <= now);
        if self.course.is_forward() {
            let steps = (0..self.steps.len()).filter(|&index| self.can_start(route, index) && due(&self.steps[index]));
            return steps.map(Task::Step).collect();
        }
        // One at a time: while it is running, or waits, there is no other.
        let next = self.next_undo(route).map(Task::Undo);
        next.into_iter().filter(|&task| self.task(task).is_some_and(due)).collect()
    }

    /// An attempt begins. Gives its number.
    ///
    /// # Errors
    /// [`Illegal::NotItsTurn`].
    pub fn start(&mut self, route: &Route, task: Task, now: Timestamp) -> Result<u32, Illegal> {
        if !self.ready(route, now).contains(&task) {
            return Err(Illegal::NotItsTurn(self.name(task)));
        }
        if let Task::Undo(index) = task {
            self.steps[index].status = StepStatus::Undoing;
        }
        self.task_mut(task).map(StepState::begin).ok_or_else(|| Illegal::NotItsTurn(self.name(task)))
    }

    /// Takes in how an attempt (or the decision not to make one) ended. `jitter` is uniform in 0..1.
    ///
    /// # Errors
    /// [`Illegal::Ended`], [`Illegal::NotUndoing`].
    pub fn apply(&mut self, route: &Route, task: Task, outcome: Outcome, now: Timestamp, jitter: f64) -> Result<(), Illegal> {
        let index = match task {
            Task::Step(index) => index,
            Task::Undo(index) => {
                let undo = self.task(task).filter(|_| !self.course.is_forward());
                let undo = undo.ok_or_else(|| Illegal::NotUndoing(self.name(Task::Step(index))))?;
                if !undo.is_open() {
                    return Err(Illegal::Ended(undo.name.clone()));
                }
                self.undo_tried(route, index, outcome, now, jitter);
                return Ok(());
            }
        };
        if !self.steps[index].is_open() || !self.course.is_forward() {
            return Err(Illegal::Ended(self.name(task)));
        }
        let place = self.steps.iter().filter_map(|step| step.ended).max().unwrap_or(0) + 1;
        let step = &mut self.steps[index];
        let consequence = step.tried(&route.steps[index], outcome, now, jitter);
        if matches!(step.status, StepStatus::Succeeded | StepStatus::Failed) {
            step.ended = Some(place);
        }
        if consequence == Consequence::Fatal {
            let why = step.error.as_ref().map_or("", |error| error.reason.as_str());
            self.fatal = Some(format!("step {}: {why}", step.name));
        }
        Ok(())
    }

    /// A step waits for a person who decides on its writes in doubt.
    ///
    /// # Errors
    /// [`Illegal::Ended`]: it will not be tried anyway.
    pub fn hold(&mut self, task: Task, effects: Vec<HeldEffect>) -> Result<(), Illegal> {
        let name = self.name(task);
        let state = self.task_mut(task).filter(|state| matches!(state.status, StepStatus::Pending | StepStatus::Waiting));
        let state = state.ok_or(Illegal::Ended(name))?;
        state.status = StepStatus::Waiting;
        state.held = effects;
        state.due = None;
        Ok(())
    }

    /// A held step goes on: everything in doubt was decided.
    ///
    /// # Errors
    /// [`Illegal::NotHeld`].
    pub fn release(&mut self, task: Task) -> Result<(), Illegal> {
        let name = self.name(task);
        let state = self.task_mut(task).filter(|state| state.status == StepStatus::Waiting && !state.held.is_empty());
        state.ok_or(Illegal::NotHeld(name))?.resume();
        Ok(())
    }

    /// What becomes of the run now. Undos that their deadline has overtaken are given up here.
    pub fn verdict(&mut self, route: &Route, now: Timestamp) -> Verdict {
        if self.tasks().any(|(_, state)| state.status == StepStatus::Running) {
            return Verdict::Working;
        }
        if !self.course.is_forward() {
            self.overtaken(route, now);
            return self.undo_verdict(route, now);
        }
        if let Some(reason) = self.undo_decided(route, now) {
            return Verdict::Undo(reason);
        }
        if let Some(reason) = &self.fatal {
            return Verdict::Dead(reason.clone());
        }
        if (0..self.steps.len()).all(|index| self.met(route, index)) {
            return Verdict::Succeeded;
        }
        if now < self.deadline && !self.awake(now).is_empty() {
            return Verdict::Working;
        }
        let startable: Vec<&StepState> =
            (0..self.steps.len()).filter(|&index| self.can_start(route, index)).map(|index| &self.steps[index]).collect();
        if !startable.is_empty() {
            let due = startable.iter().map(|step| step.due.unwrap_or(now)).min().unwrap_or(now);
            let due = self.wakes_at().map_or(due, |wakes| due.min(wakes));
            return if now >= self.deadline {
                Verdict::Dead(DEADLINE.to_owned())
            } else if due <= now {
                Verdict::Working
            } else {
                // Never sleeps past the deadline.
                Verdict::Later(due.min(self.deadline))
            };
        }
        let held = self.steps.iter().any(|step| step.status == StepStatus::Waiting && !step.is_asleep());
        let asleep: Vec<String> = self.steps.iter().filter_map(StepState::why_asleep).collect();
        if !held && !asleep.is_empty() {
            return if now >= self.deadline { Verdict::Dead(DEADLINE.to_owned()) } else { Verdict::Asleep(asleep.join("; ")) };
        }
        if let Some(step) = self.steps.iter().find(|step| step.status == StepStatus::Waiting && !step.is_asleep()) {
            return Verdict::Waiting(step.why());
        }
        let failed = self.steps.iter().find(|step| step.status == StepStatus::Failed);
        Verdict::Dead(failed.map_or_else(|| "no step can start".to_owned(), StepState::why))
    }

    /// Why the run waits for a time: the failures of the steps and undos that are to be tried again.
    pub fn again_because(&self) -> Option<String> {
        let again = self.tasks().map(|(_, state)| state).filter(|state| state.status == StepStatus::Pending && state.due.is_some());
        let reasons: Vec<String> = again.filter(|state| state.error.is_some()).map(StepState::why).collect();
        (!reasons.is_empty()).then(|| reasons.join("; "))
    }

    /// Whether the steps that need it may go on.
    fn met(&self, route: &Route, index: usize) -> bool {
        match self.steps[index].status {
            StepStatus::Succeeded | StepStatus::Skipped => true,
            StepStatus::Failed => route.steps[index].on_failure == OnFailure::Continue,
            StepStatus::Pending
            | StepStatus::Running
            | StepStatus::Waiting
            | StepStatus::Undoing
            | StepStatus::Undone
            | StepStatus::UndoFailed => false,
        }
    }

    fn can_start(&self, route: &Route, index: usize) -> bool {
        self.steps[index].status == StepStatus::Pending && route.steps[index].needs.iter().all(|&need| self.met(route, need))
    }

    fn name(&self, task: Task) -> String {
        let step = self.steps.get(task.index()).map_or("", |step| step.name.as_str());
        match task {
            Task::Step(_) => format!("step {step}"),
            Task::Undo(_) => format!("step {}", undo_name(step)),
        }
    }
}
