//! A run taken up: its revision, its state, and what its last worker left behind.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::Value;
use serde_json::value::RawValue;

use super::drive::{Driver, Leaves};
use super::scope::Seen;
use crate::config::Route;
use crate::crash::Point;
use crate::run::{Course, Death, FailureKind, RunState, StepFailure, StepStatus, Task};
use crate::runtime::Runtime;
use crate::store::{AttemptEnd, AttemptRow, ClaimedRun, Receipt, StoreError, Woken};
use crate::telemetry;

/// Pause before a configuration that could not be loaded is tried again.
const REVISION_PAUSE: std::time::Duration = std::time::Duration::from_secs(15);

impl Driver {
    pub(super) async fn begin(runtime: &Arc<Runtime>, run: ClaimedRun, taken_in: Option<Receipt>) -> Result<Option<Driver>, StoreError> {
        let revision = match runtime.revision(run.revision).await {
            Ok(revision) => revision,
            Err(error) => {
                postpone(runtime, &run, &telemetry::chain(&error)).await?;
                return Ok(None);
            }
        };
        let route = revision.route(&run.route).cloned();
        let stored: Option<RunState> = run
            .state
            .as_deref()
            .map(serde_json::from_str)
            .transpose()
            .map_err(|error| StoreError::Invalid { what: "the state of a run", why: error.to_string() })?;
        let (event, event_text) = event_of(&run)?;
        let (route, fatal) = match route {
            Some(route) => (route, None),
            None => (missing_route(&run.route), Some(format!("revision {} has no route {:?}", run.revision, run.route))),
        };
        let mut state = stored.unwrap_or_else(|| RunState::new(&route, run.deadline_at));
        if let Some(fatal) = fatal {
            state.steps.clear();
            state.course = Course::Forward;
            state.fatal = Some(fatal);
        }
        if run.is_away && !runtime.store.come_back(&run).await? {
            // Another run holds its order key.
            return Ok(None);
        }
        let mut driver = Driver {
            runtime: runtime.clone(),
            route,
            state,
            place: runtime.trace_of_run(&run).0,
            event,
            event_text,
            seen: Seen::default(),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            revision,
            run: Arc::new(run),
            paused_at: None,
            went_on: false,
            taken_in,
            settling: None,
        };
        driver.load_steps().await?;
        driver.recover().await?;
        Ok(Some(driver))
    }

    async fn load_steps(&mut self) -> Result<(), StoreError> {
        if self.run.is_fresh() {
            return Ok(());
        }
        for step in self.runtime.store.steps(&self.run.id).await? {
            // Between two rounds the last one's input stands there.
            let round = self.state.named(&step.name).and_then(|task| self.state.task(task)).map_or(0, |state| state.round);
            if let Some(input) = step.input.filter(|_| step.round == round) {
                self.inputs.insert(step.name.clone(), input);
            }
            if let Some(output) = step.output.as_deref().and_then(|output| serde_json::from_str(output).ok()) {
                self.outputs.insert(step.name, Arc::new(output));
            }
        }
        Ok(())
    }

    /// Steps that were under way when their worker went away count as interrupted.
    async fn recover(&mut self) -> Result<(), StoreError> {
        let now = self.runtime.clock.now();
        let running = self.state.claimed(now);
        let known = if self.run.fence > 1 { self.runtime.store.attempts(&self.run.id).await? } else { Vec::new() };
        // The journal says which attempts had begun to write; the state of the run is settled only after them.
        let open: Vec<AttemptRow> = known.into_iter().filter(|attempt| attempt.outcome.is_none()).collect();
        for attempt in &open {
            let Some(task) = self.state.named(&attempt.step) else { continue };
            if let Some(state) = self.state.task_mut(task) {
                state.tries = state.tries.max(attempt.number);
            }
            Box::pin(self.interrupted(task, attempt.number, attempt.started_at, now)).await?;
        }
        // The others had not: nothing but the state, settled with another step's end, knows of them.
        for task in running {
            let Some(state) = self.state.task(task).filter(|state| state.status == StepStatus::Running) else { continue };
            Box::pin(self.interrupted(task, state.tries, now, now)).await?;
        }
        self.look_at_held().await
    }

    async fn interrupted(&mut self, task: Task, number: u32, started_at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let Some(step) = self.state.task(task).map(|state| state.name.clone()) else { return Ok(()) };
        let failure = StepFailure::new(FailureKind::Interrupted, "the host went away in the middle of this attempt");
        let error = serde_json::to_string(&failure).expect("a failure is plain data");
        let outcome = self.judged(task, failure).await?;
        self.apply(task, outcome, now);
        let effects = self.runtime.store.effects_of(&self.run.id).await?;
        let effects: Vec<Value> =
            effects.iter().filter(|effect| effect.id.step == step && effect.attempt == number).map(super::outputs::shown_row).collect();
        let attempt = AttemptEnd {
            step,
            plugin: self.route.steps[task.index()].plugin.clone(),
            action: self.state.task(task).map(|state| state.action().to_owned()).unwrap_or_default(),
            number,
            started_at,
            duration_ms: 0,
            outcome: FailureKind::Interrupted.as_str().to_owned(),
            error: Some(error),
            logs: "[]".to_owned(),
            effects: Value::Array(effects).to_string(),
            reads: None,
            digest: None,
        };
        self.make_durable(self.settlement(Leaves { attempt: Some(attempt), ..Leaves::default() }, "running")).await?;
        self.runtime.store.crash().at(Point::Recovered);
        Ok(())
    }
}

/// The event of a run, and its text.
pub(super) fn event_of(run: &ClaimedRun) -> Result<(Arc<Value>, Arc<RawValue>), StoreError> {
    let invalid = |error: serde_json::Error| StoreError::Invalid { what: "an event", why: error.to_string() };
    let event: Value = serde_json::from_str(&run.event).map_err(invalid)?;
    let text: Box<RawValue> = serde_json::from_str(&run.event).map_err(invalid)?;
    Ok((Arc::new(event), text.into()))
}

/// A run whose revision this host can't load now waits for it, until its deadline.
async fn postpone(runtime: &Runtime, run: &ClaimedRun, why: &str) -> Result<(), StoreError> {
    let now = runtime.clock.now();
    // One that was woken from waiting has not been told yet that it has that much more time.
    let mut state: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    let woken = state.as_mut().filter(|state| state.waiting_since.is_some()).map(|state| {
        state.end_wait(now);
        Woken { state: serde_json::to_string(state).expect("the state of a run is plain data"), deadline_at: state.deadline }
    });
    let dead = now >= woken.as_ref().map_or(run.deadline_at, |woken| woken.deadline_at);
    tracing::error!(run = run.id, revision = run.revision, why, "the configuration of a run can't be loaded");
    // Where several hosts share the store another may be able to: it is handed back at once, and left alone here for a while.
    let again = if runtime.store.is_shared() {
        runtime.unservable.add(run.revision, now);
        now
    } else {
        crate::clock::later(now, REVISION_PAUSE)
    };
    runtime.store.postpone(run, why, woken, now, (!dead).then_some(again)).await?;
    if dead {
        super::traced::record_run(runtime, run, "dead", Some(Death::DEADLINE), now);
        runtime.metrics.run_ended(&run.route, "dead");
        runtime.ended.send_modify(|count| *count += 1);
    }
    Ok(())
}

/// Stands for a route that is not there: it has no steps, and the run ends.
fn missing_route(name: &str) -> Arc<Route> {
    Arc::new(Route {
        name: name.to_owned(),
        types: Vec::new(),
        sources: Vec::new(),
        when: None,
        order_by: None,
        order_on_dead: crate::config::OrderOnDead::Release,
        order_while_waiting: false,
        deadline: std::time::Duration::ZERO,
        redact: Vec::new(),
        retention: None,
        dead_letter_retention: None,
        steps: Vec::new(),
    })
}
