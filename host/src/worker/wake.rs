//! Steps that wait by design: how they fall asleep, what wakes them, and the rounds of repeated ones.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::drive::{Driver, Leaves, Settled};
use super::step::{StepEnd, StepInputs};
use super::{own, scope};
use crate::builtin;
use crate::config::Repeat;
use crate::run::{FailureKind, Outcome, StepFailure, StepStatus, Task, Wait, WaitFor};
use crate::store::{AttemptEnd, Matched, StepValue, StoreError};

/// How often a run that is under way looks whether an event has come for a step that waits beside.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

impl Driver {
    /// Ends the waits whose event has come or whose time is over.
    pub(super) async fn wake(&mut self) -> Result<Settled, StoreError> {
        let now = self.runtime.clock.now();
        if self.may_be_told() {
            for matched in self.runtime.store.matched(&self.run.id).await? {
                let task = self.state.named(&matched.step);
                let Some(task) = task.filter(|&task| self.state.task(task).is_some_and(|state| state.is_asleep())) else { continue };
                if Box::pin(self.event_came(task, matched, now)).await? == Settled::Over {
                    return Ok(Settled::Over);
                }
            }
        }
        let mut begins = false;
        for task in self.state.awake(now) {
            let Some(state) = self.state.task(task) else { continue };
            let (name, is_round) = (state.name.clone(), state.wait.as_ref().is_some_and(|wait| wait.what == WaitFor::Round));
            if self.state.wake(&self.route, task) {
                begins = true;
                if !is_round {
                    continue;
                }
                // Made anew, of what is so now.
                self.inputs.remove(&name);
                for look in self.repeat(task).map(|repeat| repeat.look.clone()).unwrap_or_default() {
                    self.inputs.remove(&self.route.steps[look].name);
                }
            } else if Box::pin(self.time_over(task, now)).await? == Settled::Over {
                return Ok(Settled::Over);
            }
        }
        if begins {
            // Whoever takes the run over in the middle of a round must not take it for the one before.
            self.make_durable(self.settlement(Leaves::default(), "running")).await?;
        }
        Ok(Settled::Goes)
    }

    /// Returns when it is worth looking again.
    pub(super) async fn something_to_wake(&self) {
        let look = self.may_be_told().then(|| crate::clock::later(self.runtime.clock.now(), LOOK));
        match self.state.wakes_at().into_iter().chain(look).min() {
            Some(next) => self.runtime.clock.sleep_until(next).await,
            None => std::future::pending().await,
        }
    }

    /// Whether an event may come for a step that is asleep.
    fn may_be_told(&self) -> bool {
        // One that is repeated until an event comes may wait for another reason, such as quiet hours.
        let repeats = |task| self.repeat(task).is_some_and(|repeat| repeat.event.is_some());
        self.state
            .tasks()
            .any(|(task, state)| state.is_asleep() && (repeats(task) || state.wait.as_ref().is_some_and(|wait| !wait.events.is_empty())))
    }

    /// Names of the steps that are asleep.
    pub(super) fn asleep(&self) -> Vec<String> {
        self.state.tasks().filter(|(_, state)| state.is_asleep()).map(|(_, state)| state.name.clone()).collect()
    }

    fn repeat(&self, task: Task) -> Option<Arc<Repeat>> {
        match task {
            Task::Step(index) => self.route.steps[index].repeat.clone(),
            Task::Undo(_) => None,
        }
    }

    /// The event that a step waits for is there.
    async fn event_came(&mut self, task: Task, matched: Matched, now: Timestamp) -> Result<Settled, StoreError> {
        let event: Value =
            serde_json::from_str(&matched.body).map_err(|error| StoreError::Invalid { what: "an event", why: error.to_string() })?;
        let waited = self.state.task(task).and_then(|state| state.wait.as_ref()).map(|wait| wait.what);
        if waited == Some(WaitFor::End) {
            return self.wait_ended(task, json!({ "event": event }), now).await;
        }
        // Between two rounds: the last one's output stays.
        self.state.stopped_by(task, told(&matched.eid, &event));
        self.apply(task, Outcome::Succeeded, now);
        let leaves = Leaves { waits_over: Some(matched.step), ..Leaves::default() };
        self.went_on = true;
        self.settle_task(leaves, now).await
    }

    async fn time_over(&mut self, task: Task, now: Timestamp) -> Result<Settled, StoreError> {
        let wait = self.state.task(task).and_then(|state| state.wait.clone());
        let output = match wait {
            Some(wait) if wait.events.is_empty() => json!({ "until": wait.until.map(|until| until.to_string()) }),
            _ => json!({ "timed_out": true }),
        };
        self.wait_ended(task, output, now).await
    }

    /// A `sangam.wait` has its output. Its one attempt is the whole wait.
    async fn wait_ended(&mut self, task: Task, output: Value, now: Timestamp) -> Result<Settled, StoreError> {
        let Some(state) = self.state.task(task) else { return Ok(Settled::Goes) };
        let (name, number, round) = (state.name.clone(), state.tries, state.round);
        let since = state.wait.as_ref().map_or(now, |wait| wait.since);
        let asked = &self.route.steps[task.index()];
        let attempt = AttemptEnd {
            step: name.clone(),
            plugin: asked.plugin.clone(),
            action: asked.action.clone(),
            number,
            started_at: since,
            duration_ms: i64::try_from(now.duration_since(since).as_millis()).unwrap_or(i64::MAX).max(0),
            outcome: "succeeded".to_owned(),
            error: None,
            logs: "[]".to_owned(),
            effects: "[]".to_owned(),
            reads: None,
            digest: None,
        };
        let mut end = StepEnd::without_call(Outcome::Succeeded);
        end.attempt = Some(attempt);
        end.value = Some(StepValue { name, round, input: None, output: Some(output.to_string()), ended: true, clock_start: Some(since) });
        end.output = Some(Arc::new(output));
        self.task_ended(task, end).await
    }

    /// A step has succeeded: a repeated one has done a round, and may have another before it.
    pub(super) async fn round_ended(&mut self, task: Task, end: &mut StepEnd, now: Timestamp) -> Result<Outcome, StoreError> {
        let Some(repeat) = self.repeat(task) else { return Ok(Outcome::Succeeded) };
        let Some(state) = self.state.task(task) else { return Ok(Outcome::Succeeded) };
        let (name, round) = (state.name.clone(), state.round);
        // Asked before the round, and true then: nothing was done.
        let Some(output) = end.output.clone() else { return Ok(Outcome::Succeeded) };
        if let Some(until) = &repeat.until {
            let inputs = self.step_inputs(&name);
            let over = scope::is_over(&self.runtime.evaluator, until, &self.run.id, &inputs, &output, round).await;
            match over {
                Ok(true) => return Ok(Outcome::Succeeded),
                Ok(false) => {}
                Err(why) => {
                    let failure = StepFailure::new(FailureKind::Expression, why);
                    if let Some(attempt) = &mut end.attempt {
                        failure.kind.as_str().clone_into(&mut attempt.outcome);
                        attempt.error = serde_json::to_string(&failure).ok();
                    }
                    return Ok(Outcome::Failed(failure));
                }
            }
        }
        if let Some(matched) = self.came_for(&name, &repeat).await? {
            let event = serde_json::from_str(&matched.body).unwrap_or(Value::Null);
            self.state.stopped_by(task, told(&matched.eid, &event));
            return Ok(Outcome::Succeeded);
        }
        if round + 1 >= repeat.max {
            return Ok(Outcome::Exhausted);
        }
        let events = match &repeat.event {
            None => Vec::new(),
            Some(event) => {
                let mut inputs = self.step_inputs(&name);
                inputs.outputs.insert(name.clone(), output);
                let known = scope::known(&self.run.id, &inputs);
                end.awaits = own::awaits(&self.route.steps[task.index()], event, &self.runtime.random_secret, &known);
                event.types.clone()
            }
        };
        let until = Some(crate::clock::later(now, repeat.every));
        Ok(Outcome::Waits(Wait { since: now, until, events, what: WaitFor::Round, reason: None }))
    }

    /// The event that ends a repetition, if it came while a round was under way.
    async fn came_for(&self, step: &str, repeat: &Repeat) -> Result<Option<Matched>, StoreError> {
        if repeat.event.is_none() {
            return Ok(None);
        }
        Ok(self.runtime.store.matched(&self.run.id).await?.into_iter().find(|matched| matched.step == step))
    }

    /// The name of a step that waited for an event, and does so no more.
    pub(super) fn waits_over(&self, task: Task) -> Option<String> {
        let Task::Step(index) = task else { return None };
        let step = &self.route.steps[index];
        let waited = step.repeat.as_ref().is_some_and(|repeat| repeat.event.is_some())
            || (step.plugin == builtin::NAME && step.action == builtin::WAIT);
        let over = matches!(self.status(task), StepStatus::Succeeded | StepStatus::Failed | StepStatus::Skipped);
        (waited && over).then(|| step.name.clone())
    }

    /// What expressions of a step see now.
    pub(super) fn step_inputs(&self, step: &str) -> StepInputs {
        StepInputs {
            event: self.event.clone(),
            event_text: self.event_text.clone(),
            seen: self.seen.clone(),
            steps: self.state.steps.clone(),
            outputs: self.outputs.clone(),
            stored: self.inputs.get(step).cloned(),
        }
    }

    /// The run leaves its worker until a time or an event. Unless its route says otherwise, it gives up its order key.
    pub(super) async fn fall_asleep(&mut self, reason: String, now: Timestamp) -> Result<(), StoreError> {
        self.state.waiting_since = Some(now);
        let mut settlement = self.settlement(Leaves::default(), "waiting");
        settlement.status_reason = Some(reason);
        settlement.due_at = self.state.wakes_at();
        settlement.waits_for = Some(if self.state.awaits_event() { "event" } else { "time" });
        settlement.left = Some((now, self.asleep()));
        settlement.away = self.run.order_key.is_some() && !self.route.order_while_waiting;
        self.make_durable(settlement).await?;
        self.runtime.due.notify_one();
        Ok(())
    }
}

/// An event as `stopped_by` and people are told of it.
fn told(eid: &str, event: &Value) -> Value {
    json!({ "eid": eid, "source": event["source"], "id": event["id"], "type": event["type"] })
}
