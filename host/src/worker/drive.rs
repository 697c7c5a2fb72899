//! One run, from claim to settlement.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::step::{StepCall, StepEnd, StepInputs};
use crate::config::Route;
use crate::crash::Point;
use crate::event::Event;
use crate::run::{FailureKind, Outcome, RunState, StepFailure, StepStatus, Verdict};
use crate::runtime::{Cause, Revision, Runtime};
use crate::store::{AttemptEnd, AttemptRow, ClaimedRun, KeySettlement, NewEvent, RunSettlement, StepValue, StoreError};
use crate::telemetry;

/// Pause between two tries to make a settlement durable.
const SETTLE_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Pause before a configuration that could not be loaded is tried again.
const REVISION_PAUSE: std::time::Duration = std::time::Duration::from_secs(15);

/// Drives a run as far as it goes now. Says whether it went on: no if all it found was that it has to wait.
pub(super) async fn drive(runtime: &Arc<Runtime>, run: ClaimedRun) -> bool {
    let id = run.id.clone();
    match Driver::begin(runtime, run).await {
        Ok(Some(mut driver)) => {
            driver.go().await;
            driver.went_on
        }
        // It waits for its revision.
        Ok(None) => false,
        // Without the store nothing can be said: the lease ends, and the run is claimed again.
        Err(error) => {
            tracing::error!(run = id, error = telemetry::chain(&error), "a run could not be begun");
            false
        }
    }
}

struct Driver {
    runtime: Arc<Runtime>,
    run: ClaimedRun,
    revision: Arc<Revision>,
    route: Arc<Route>,
    state: RunState,
    event: Arc<Value>,
    inputs: BTreeMap<String, String>,
    outputs: BTreeMap<String, Arc<Value>>,
    /// Changes of credentials when the first step was paused for one.
    paused_at: Option<u64>,
    /// A step of it ended otherwise than by having to wait.
    went_on: bool,
}

/// Whether a run goes on.
enum Settled {
    Goes,
    Over,
}

impl Driver {
    async fn begin(runtime: &Arc<Runtime>, run: ClaimedRun) -> Result<Option<Driver>, StoreError> {
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
        let event: Value =
            serde_json::from_str(&run.event).map_err(|error| StoreError::Invalid { what: "an event", why: error.to_string() })?;
        let (route, fatal) = match route {
            Some(route) => (route, None),
            None => (missing_route(&run.route), Some(format!("revision {} has no route {:?}", run.revision, run.route))),
        };
        let mut state = stored.unwrap_or_else(|| RunState::new(&route, run.deadline_at));
        if let Some(fatal) = fatal {
            state.steps.clear();
            state.fatal = Some(fatal);
        }
        let mut driver = Driver {
            runtime: runtime.clone(),
            route,
            state,
            event: Arc::new(event),
            inputs: BTreeMap::new(),
            outputs: BTreeMap::new(),
            revision,
            run,
            paused_at: None,
            went_on: false,
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
            if let Some(input) = step.input {
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
            let Some(index) = self.state.steps.iter().position(|step| step.name == attempt.step) else { continue };
            self.state.steps[index].tries = self.state.steps[index].tries.max(attempt.number);
            self.interrupted(index, attempt.number, attempt.started_at, now).await?;
        }
        // The others had not: nothing but the state, settled with another step's end, knows of them.
        for index in running {
            if self.state.steps[index].status == StepStatus::Running {
                self.interrupted(index, self.state.steps[index].tries, now, now).await?;
            }
        }
        Ok(())
    }

    async fn interrupted(&mut self, index: usize, number: u32, started_at: Timestamp, now: Timestamp) -> Result<(), StoreError> {
        let failure = StepFailure::new(FailureKind::Interrupted, "the host went away in the middle of this attempt");
        let error = serde_json::to_string(&failure).expect("a failure is plain data");
        self.apply(index, Outcome::Failed(failure), now);
        let step = self.state.steps[index].name.clone();
        let effects = self.runtime.store.effects_of(&self.run.id).await?;
        let effects: Vec<Value> =
            effects.iter().filter(|effect| effect.id.step == step && effect.attempt == number).map(super::outputs::shown_row).collect();
        let end = AttemptEnd {
            step,
            number,
            started_at,
            duration_ms: 0,
            outcome: FailureKind::Interrupted.as_str().to_owned(),
            error: Some(error),
            logs: "[]".to_owned(),
            effects: Value::Array(effects).to_string(),
            digest: None,
        };
        self.settle(Some(end), None, None, Vec::new(), "running", None).await?;
        self.runtime.store.crash().at(Point::Recovered);
        Ok(())
    }

    async fn go(&mut self) {
        let mut running = FuturesUnordered::new();
        loop {
            let stopping = self.runtime.stopping.is_cancelled();
            let now = self.runtime.clock.now();
            if !stopping {
                for index in self.state.ready(&self.route, now) {
                    let call = self.step(index);
                    running.push(async move { (index, call.run().await) });
                }
            }
            let Some((index, end)) = running.next().await else { break };
            self.runtime.store.crash().at(Point::Returned);
            match self.step_ended(index, end).await {
                Ok(Settled::Goes) => {}
                Ok(Settled::Over) => return,
                Err(StoreError::Fenced) => {
                    tracing::warn!(run = self.run.id, "the run was taken over or cancelled meanwhile; this outcome is discarded");
                    return;
                }
                Err(error) => {
                    tracing::error!(
                        run = self.run.id,
                        error = telemetry::chain(&error),
                        "an outcome could not be made durable; the run is claimed again"
                    );
                    return;
                }
            }
        }
        // Nothing is running: the run waits for its time, or ended without a step's doing.
        let now = self.runtime.clock.now();
        let verdict = self.state.verdict(&self.route, now);
        if let Err(error) = self.let_go(verdict, now).await {
            tracing::error!(run = self.run.id, error = telemetry::chain(&error), "a run could not be let go; it is claimed again");
        }
    }

    fn step(&mut self, index: usize) -> StepCall {
        let number = self.state.start(index);
        let step = self.route.steps[index].clone();
        let inputs = StepInputs {
            event: self.event.clone(),
            steps: self.state.steps.iter().map(|state| (state.name.clone(), state.status, state.error.clone())).collect(),
            outputs: self.outputs.clone(),
            stored: self.inputs.get(&step.name).cloned(),
        };
        StepCall {
            runtime: self.runtime.clone(),
            revision: self.revision.clone(),
            run: self.run.clone(),
            deadline: self.state.deadline,
            fresh: self.run.is_fresh() && number == 1,
            step,
            number,
            inputs,
        }
    }

    /// Takes in how a step ended, and makes it durable.
    async fn step_ended(&mut self, index: usize, end: StepEnd) -> Result<Settled, StoreError> {
        let now = self.runtime.clock.now();
        let before = self.state.clone();
        let name = self.route.steps[index].name.clone();
        self.went_on |= !end.outcome.has_to_wait();
        if let Some(input) = end.value.as_ref().and_then(|value| value.input.clone()) {
            self.inputs.insert(name.clone(), input);
        }
        if end.cannot_renew {
            self.state.steps[index].renewed = true;
        }
        self.apply(index, end.outcome.clone(), now);
        if self.state.steps[index].status == StepStatus::Waiting {
            self.paused_at = self.paused_at.or(Some(end.credential_changes));
        }
        let failed = self.state.steps[index].status == StepStatus::Failed;
        let component = end.attempt.as_ref().and_then(|attempt| attempt.digest.as_deref());
        self.runtime.judge_component(&self.route.steps[index].plugin, component, &end.outcome, failed).await;
        let value = end.value.clone().map(|value| StepValue { ended: value.output.is_some() || failed, ..value });
        match self.settle_step(end.attempt.clone(), value, end.keys.clone(), end.emitted, now).await {
            Err(StoreError::KeyConflict(key)) => {
                // What the step read has changed under it: it is done again, and nothing of it took effect here.
                self.state = before;
                let failure = StepFailure::new(FailureKind::Conflict, format!("key {key:?} was changed or claimed by another step"));
                let attempt = end.attempt.map(|attempt| AttemptEnd {
                    outcome: FailureKind::Conflict.as_str().to_owned(),
                    error: serde_json::to_string(&failure).ok(),
                    ..attempt
                });
                self.apply(index, Outcome::Failed(failure), now);
                let value = end.value.map(|value| StepValue { output: None, ended: false, ..value });
                self.settle_step(attempt, value, None, Vec::new(), now).await
            }
            other => {
                if let (Ok(_), Some(output)) = (&other, end.output) {
                    self.outputs.insert(name, output);
                }
                other
            }
        }
    }

    fn apply(&mut self, index: usize, outcome: Outcome, now: Timestamp) {
        // Uniform in 0..1, from the random bits of a UUID.
        let jitter = (uuid::Uuid::new_v4().as_u128() >> 75) as u32 as f64 / f64::from(u32::MAX);
        self.state.apply(&self.route, index, outcome, now, jitter);
    }

    async fn settle_step(
        &mut self,
        attempt: Option<AttemptEnd>,
        value: Option<StepValue>,
        keys: Option<KeySettlement>,
        emitted: Vec<NewEvent>,
        now: Timestamp,
    ) -> Result<Settled, StoreError> {
        let emits = !emitted.is_empty();
        let verdict = self.state.verdict(&self.route, now);
        let settled = match verdict {
            Verdict::Succeeded => {
                self.settle(attempt, value, keys, emitted, "succeeded", Some((None, Some(now)))).await?;
                self.ended("succeeded");
                Settled::Over
            }
            Verdict::Dead(reason) => {
                self.state.waiting_since = None;
                self.settle_dead(attempt, value, keys, emitted, reason, now).await?;
                Settled::Over
            }
            Verdict::Working | Verdict::Later(_) | Verdict::Waiting(_) => {
                self.settle(attempt, value, keys, emitted, "running", None).await?;
                Settled::Goes
            }
        };
        if emits {
            self.runtime.due.notify_one();
        }
        Ok(settled)
    }

    async fn settle_dead(
        &mut self,
        attempt: Option<AttemptEnd>,
        value: Option<StepValue>,
        keys: Option<KeySettlement>,
        emitted: Vec<NewEvent>,
        reason: String,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut settlement = self.settlement(attempt, value, keys, emitted, "dead");
        settlement.status_reason = Some(reason.clone());
        settlement.ended_at = Some(now);
        self.make_durable(settlement).await?;
        // What the route hides may stand in the reason.
        let reason = if self.route.redact.is_empty() { reason.as_str() } else { "see the event" };
        tracing::warn!(run = self.run.id, route = self.run.route, eid = self.run.eid, reason, "a run is dead");
        self.ended("dead");
        Ok(())
    }

    async fn settle(
        &mut self,
        attempt: Option<AttemptEnd>,
        value: Option<StepValue>,
        keys: Option<KeySettlement>,
        emitted: Vec<NewEvent>,
        status: &'static str,
        times: Option<(Option<Timestamp>, Option<Timestamp>)>,
    ) -> Result<(), StoreError> {
        let mut settlement = self.settlement(attempt, value, keys, emitted, status);
        if let Some((due_at, ended_at)) = times {
            settlement.due_at = due_at;
            settlement.ended_at = ended_at;
        }
        self.make_durable(settlement).await
    }

    /// The run leaves this worker: until its time, until something happens, or for good.
    async fn let_go(&mut self, verdict: Verdict, now: Timestamp) -> Result<(), StoreError> {
        let mut settlement = self.settlement(None, None, None, Vec::new(), "pending");
        match verdict {
            // The host stops: whoever claims it next goes on at once.
            Verdict::Working => settlement.due_at = Some(now),
            Verdict::Later(due) => {
                settlement.due_at = Some(due);
                settlement.status_reason = self.state.again_because();
            }
            Verdict::Waiting(reason) => {
                self.state.waiting_since = Some(now);
                settlement = self.settlement(None, None, None, Vec::new(), "waiting");
                settlement.status_reason = Some(reason);
                settlement.waits_for = Some("credential");
            }
            Verdict::Succeeded => {
                settlement.status = "succeeded";
                settlement.ended_at = Some(now);
                self.make_durable(settlement).await?;
                self.ended("succeeded");
                return Ok(());
            }
            Verdict::Dead(reason) => return self.settle_dead(None, None, None, Vec::new(), reason, now).await,
        }
        let waits = settlement.status == "waiting";
        self.make_durable(settlement).await?;
        // What it waits for may have happened while other steps were still running: then nobody else wakes it.
        if waits && self.paused_at.is_some_and(|paused_at| *self.runtime.broker.changes().borrow() != paused_at) {
            self.runtime.store.wake("credential", now).await?;
        }
        // The timer must learn of a time that may come before the one it waits for.
        self.runtime.due.notify_one();
        Ok(())
    }

    fn settlement(
        &self,
        attempt: Option<AttemptEnd>,
        value: Option<StepValue>,
        keys: Option<KeySettlement>,
        emitted: Vec<NewEvent>,
        status: &'static str,
    ) -> RunSettlement {
        RunSettlement {
            run: self.run.id.clone(),
            route: self.run.route.clone(),
            order_key: self.run.order_key.clone(),
            fence: self.run.fence,
            status,
            status_reason: None,
            waits_for: None,
            state: serde_json::to_string(&self.state).expect("the state of a run is plain data"),
            due_at: None,
            ended_at: None,
            attempts: attempt.into_iter().collect(),
            steps: value.into_iter().collect(),
            keys,
            emitted,
        }
    }

    async fn make_durable(&self, settlement: RunSettlement) -> Result<(), StoreError> {
        // For as long as the lease lasts without being renewed; after that it is left to end.
        let until = tokio::time::Instant::now() + self.runtime.server.lease * 2 / 3;
        loop {
            match self.runtime.store.settle(settlement.clone()).await {
                Err(error) if error.is_passing() && tokio::time::Instant::now() < until => {
                    tracing::warn!(
                        run = self.run.id,
                        error = telemetry::chain(&error),
                        "an outcome could not be made durable; trying again"
                    );
                    tokio::time::sleep(SETTLE_PAUSE).await;
                }
                Ok(()) => {
                    self.runtime.store.crash().at(Point::Settled);
                    return Ok(());
                }
                refused => return refused,
            }
        }
    }

    fn ended(&self, status: &str) {
        self.runtime.metrics.run_ended(&self.run.route, status);
        self.runtime.ended.send_modify(|count| *count += 1);
        if self.run.order_key.is_some() {
            // The next of its order is due now.
            self.runtime.due.notify_one();
        }
    }
}

/// A run whose revision this host can't load now waits for it, until its deadline.
async fn postpone(runtime: &Runtime, run: &ClaimedRun, why: &str) -> Result<(), StoreError> {
    let now = runtime.clock.now();
    let dead = now >= run.deadline_at;
    tracing::error!(run = run.id, revision = run.revision, why, "the configuration of a run can't be loaded");
    // Where several hosts share the store another may be able to: it is handed back at once, and left alone here for a while.
    let again = if runtime.store.is_shared() {
        runtime.unservable.add(run.revision, now);
        now
    } else {
        crate::clock::later(now, REVISION_PAUSE)
    };
    runtime.store.postpone(run, why, now, (!dead).then_some(again)).await?;
    if dead {
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
        deadline: std::time::Duration::ZERO,
        redact: Vec::new(),
        steps: Vec::new(),
    })
}

/// Events that a step brought in, ready to be stored; or why they can't be.
pub(super) async fn emitted(
    runtime: &Runtime,
    run: &ClaimedRun,
    step: &str,
    plugin: &crate::config::Plugin,
    step_key: &str,
    texts: &[String],
) -> Result<Vec<NewEvent>, String> {
    let cause = Cause { eid: run.eid.clone(), run: run.id.clone(), step: step.to_owned(), hops: run.hops };
    let intake = crate::runtime::Intake::new(runtime);
    let mut events = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let mut value: Value = serde_json::from_str(text).map_err(|error| format!("event {index} it brought in is not JSON: {error}"))?;
        let Some(members) = value.as_object_mut() else { return Err(format!("event {index} it brought in is not an object")) };
        members.insert("specversion".to_owned(), json!("1.0"));
        members.insert("source".to_owned(), json!(format!("/plugins/{}", plugin.name)));
        members.entry("id").or_insert_with(|| json!(format!("{step_key}/{index}")));
        let event = Event::from_structured(&value).map_err(|error| format!("event {index} it brought in is no CloudEvent: {error}"))?;
        if !plugin.grants.emits.iter().any(|pattern| pattern.matches(&event.event_type)) {
            return Err(format!(
                "it may not bring in events of type {:?}; the administrator can add the type to emits of this plugin",
                event.event_type
            ));
        }
        events.push(intake.prepare(&event, Some(&cause)).await.map_err(|error| error.to_string())?);
    }
    Ok(events)
}
