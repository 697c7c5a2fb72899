//! Steps that wait: for a time, for an event, for their next round. Nothing of the run is running meanwhile, and no time counts.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RunState, StepState, StepStatus, Task};
use crate::config::Route;

/// What a step waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wait {
    /// Since when.
    pub since: Timestamp,
    /// Until when at the latest; `None`: until one of its events comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Types of the events of which one may end it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub events: Vec<String>,
    /// What its time leads to. An event always ends the step.
    pub what: WaitFor,
    /// Why, where the step's own words say it better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What the end of a waiting time leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum WaitFor {
    /// The step is done: it was a wait.
    End,
    /// The next round of the step.
    Round,
    /// The step, which may not begin before.
    Start,
}

impl Wait {
    /// For people: the rest of a sentence that begins with the step.
    fn told(&self, step: &StepState) -> String {
        if let Some(reason) = &self.reason {
            return reason.clone();
        }
        let until = self.until.map(|until| format!(" until {until}")).unwrap_or_default();
        let events = match self.events.as_slice() {
            [] => String::new(),
            types => format!("an event {}", types.join(" or ")),
        };
        match (self.what, self.events.is_empty()) {
            (WaitFor::Round, true) => format!("round {} of it comes{}", step.round + 2, until.replace(" until ", " at ")),
            (WaitFor::Round, false) => {
                format!("round {} of it comes{}, unless {events} does", step.round + 2, until.replace(" until ", " at "))
            }
            (_, true) => format!("waits{until}"),
            (_, false) => format!("waits for {events}{until}"),
        }
    }
}

impl StepState {
    /// Whether it waits by its own design: for a time, an event or its next round.
    pub fn is_asleep(&self) -> bool {
        self.status == StepStatus::Waiting && self.wait.is_some()
    }

    /// Why it waits, for people.
    pub(super) fn why_asleep(&self) -> Option<String> {
        self.wait.as_ref().filter(|_| self.is_asleep()).map(|wait| format!("step {}: {}", self.name, wait.told(self)))
    }

    /// How many rounds of it are over.
    pub fn rounds(&self) -> u32 {
        match self.status {
            StepStatus::Succeeded => self.round + 1,
            StepStatus::Waiting if self.wait.as_ref().is_some_and(|wait| wait.what == WaitFor::Round) => self.round + 1,
            _ => self.round,
        }
    }

    /// It waits from now on.
    pub(super) fn sleep(&mut self, mut wait: Wait) {
        // In whole milliseconds, as the store keeps times: it must not be woken before.
        wait.since = whole(wait.since);
        wait.until = wait.until.map(whole);
        self.status = StepStatus::Waiting;
        self.due = None;
        self.error = None;
        self.wait = Some(wait);
    }

    /// A new round begins.
    pub(super) fn next_round(&mut self) {
        self.round += 1;
        self.used = 0;
        self.patience = 0;
        self.renewed = false;
        self.error = None;
    }
}

impl RunState {
    /// Steps whose waiting time is over.
    pub fn awake(&self, now: Timestamp) -> Vec<Task> {
        let over =
            |state: &StepState| state.is_asleep() && state.wait.as_ref().and_then(|wait| wait.until).is_some_and(|until| until <= now);
        self.tasks().filter(|(_, state)| over(state)).map(|(task, _)| task).collect()
    }

    /// Whether a step waits for an event.
    pub fn awaits_event(&self) -> bool {
        self.tasks().any(|(_, state)| state.is_asleep() && state.wait.as_ref().is_some_and(|wait| !wait.events.is_empty()))
    }

    /// When the first of them wakes by itself.
    pub fn wakes_at(&self) -> Option<Timestamp> {
        self.tasks().filter(|(_, state)| state.is_asleep()).filter_map(|(_, state)| state.wait.as_ref()?.until).min()
    }

    /// The time of a step is over: it may start, or its next round may. `false`: that time is the end of the step, which then has an output.
    pub fn wake(&mut self, route: &Route, task: Task) -> bool {
        let Some(state) = self.task_mut(task).filter(|state| state.is_asleep()) else { return false };
        let what = state.wait.as_ref().map(|wait| wait.what);
        match what {
            Some(WaitFor::Round) => state.next_round(),
            Some(WaitFor::Start) => {}
            Some(WaitFor::End) | None => return false,
        }
        state.resume();
        if what == Some(WaitFor::Round) {
            for &look in looks(route, task.index()) {
                // Before each further round they look again.
                if matches!(self.steps[look].status, StepStatus::Succeeded | StepStatus::Skipped | StepStatus::Failed) {
                    self.steps[look].next_round();
                    self.steps[look].ended = None;
                    self.steps[look].resume();
                }
            }
        }
        true
    }

    /// An event has ended the repetition of a step.
    pub fn stopped_by(&mut self, task: Task, event: Value) {
        if let Some(state) = self.task_mut(task) {
            state.stopped_by = Some(event);
        }
    }
}

fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

/// The steps that are done anew before each further round of a step.
fn looks(route: &Route, step: usize) -> &[usize] {
    route.steps[step].repeat.as_ref().map_or(&[], |repeat| &repeat.look)
}
