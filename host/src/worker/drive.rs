//! One run, from claim to settlement.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use opentelemetry::context::FutureExt as _;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::outputs;
use super::scope::Seen;
use super::step::{StepCall, StepEnd};
use super::traced::Places;
use crate::config::Route;
use crate::crash::Point;
use crate::event::Event;
use crate::run::{FailureKind, Outcome, RunState, StepFailure, StepStatus, Task, Verdict};
use crate::runtime::{Cause, Revision, Runtime};
use crate::store::{
    AttemptEnd, ClaimedRun, KeySettlement, NewEvent, NewWait, Receipt, Recording, RunSettlement, Settling, StepValue, StoreError,
};
use crate::telemetry::{self, TraceContext};

/// Pause between two tries to make a settlement durable.
const SETTLE_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Drives a run as far as it goes now. Says whether it went on: no if all it found was that it has to wait. `taken_in`: whether its acceptance is durable;
/// `None`: it is.
pub(super) async fn drive(runtime: &Arc<Runtime>, run: ClaimedRun, taken_in: Option<Receipt>) -> bool {
    let id = run.id.clone();
    match Driver::begin(runtime, run, taken_in).await {
        Ok(Some(mut driver)) => {
            // Lines that are logged on the way say of which trace.
            let context = telemetry::within(&driver.place);
            driver.go().with_context(context).await;
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

/// A run under way.
pub(super) struct Driver {
    pub(super) runtime: Arc<Runtime>,
    pub(super) run: Arc<ClaimedRun>,
    pub(super) revision: Arc<Revision>,
    pub(super) route: Arc<Route>,
    pub(super) state: RunState,
    pub(super) event: Arc<Value>,
    /// The same as text.
    pub(super) event_text: Arc<RawValue>,
    /// What expressions of all its steps see.
    pub(super) seen: Seen,
    /// Where in a trace it stands.
    pub(super) place: TraceContext,
    /// By the name of the step or undo.
    pub(super) inputs: BTreeMap<String, String>,
    pub(super) outputs: BTreeMap<String, Arc<Value>>,
    /// Changes of credentials when the first step was paused for one.
    pub(super) paused_at: Option<u64>,
    /// A step of it ended otherwise than by having to wait.
    pub(super) went_on: bool,
    /// Its acceptance is on its way to the store: as long as that is not durable, nothing of it leaves, and it makes nothing durable.
    pub(super) taken_in: Option<Receipt>,
    /// The end of a step that is on its way to the store, and outcomes of its writes. What this run makes durable later comes after it.
    pub(super) settling: Option<(Settling, Vec<Recording>)>,
}

/// What a try leaves behind, made durable with the state that it leads to.
#[derive(Debug, Clone, Default)]
pub(super) struct Leaves {
    pub(super) attempt: Option<AttemptEnd>,
    pub(super) value: Option<StepValue>,
    pub(super) keys: Option<KeySettlement>,
    pub(super) emitted: Vec<NewEvent>,
    /// Events that the step waits for from now on.
    pub(super) awaits: Vec<NewWait>,
    /// A step that waits for none any more.
    pub(super) waits_over: Option<String>,
    /// The step that is undone now.
    pub(super) undone: Option<String>,
}

/// Whether a run goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Settled {
    Goes,
    Over,
}

impl Driver {
    async fn go(&mut self) {
        let gone = self.go_on().await;
        if matches!(&gone, Err(error) if !matches!(error, StoreError::Fenced)) {
            // What is known is kept, whatever could not be asked.
            let _ = self.settled().await;
        }
        match gone {
            Ok(()) => {}
            Err(StoreError::Fenced) => {
                tracing::warn!(run = self.run.id, "the run was taken over or cancelled meanwhile; this outcome is discarded");
            }
            Err(error) => {
                let error = telemetry::chain(&error);
                tracing::error!(run = self.run.id, error, "what became of a run could not be made durable; it is claimed again");
            }
        }
    }

    async fn go_on(&mut self) -> Result<(), StoreError> {
        if !self.is_journalled() {
            self.settled().await?;
        }
        loop {
            if self.work().await? == Settled::Over {
                return Ok(());
            }
            // What is decided now is decided on what the store has.
            self.settled().await?;
            // Nothing is running: the run turns back, waits for its time, or ended without a step's doing.
            let now = self.runtime.clock.now();
            match self.state.verdict(&self.route, now) {
                Verdict::Undo(_) if !self.runtime.stopping.is_cancelled() => Box::pin(self.turn_back(now)).await?,
                verdict => return Box::pin(self.let_go(verdict, now)).await,
            }
        }
    }

    /// Starts what may start, until nothing of the run is running.
    async fn work(&mut self) -> Result<Settled, StoreError> {
        let mut running = FuturesUnordered::new();
        loop {
            if self.wake().await? == Settled::Over {
                return Ok(Settled::Over);
            }
            let now = self.runtime.clock.now();
            if !self.runtime.stopping.is_cancelled() {
                for task in self.state.ready(&self.route, now) {
                    let call = self.call(task, now).await?;
                    // By its pointer: it is several KiB, is moved otherwise, and an empty place of its size made beside it.
                    running.push(Box::pin(async move { (task, call.run().await) }));
                }
            }
            let next = tokio::select! {
                end = running.next() => end,
                // What other steps wait for may come meanwhile.
                () = self.something_to_wake(), if !running.is_empty() => continue,
                // Tried again at once, not when the next step has ended.
                () = self.end_refused(), if !running.is_empty() => {
                    self.settled().await?;
                    continue;
                }
            };
            let Some((task, end)) = next else { return Ok(Settled::Goes) };
            self.runtime.store.crash().at(Point::Returned);
            if self.task_ended(task, end).await? == Settled::Over {
                return Ok(Settled::Over);
            }
        }
    }

    async fn call(&mut self, task: Task, now: Timestamp) -> Result<StepCall, StoreError> {
        if matches!(task, Task::Undo(_)) || self.state.task(task).is_some_and(|state| state.tries > 0 || state.round > 0) {
            // It is given what was kept of it before.
            self.settled().await?;
        }
        let step = self.step_of(task).await?;
        let number = self.state.start(&self.route, task, now).expect("what is ready can start");
        let inputs = self.step_inputs(&step.name);
        let round = self.state.task(task).map_or(0, |state| state.round);
        Ok(StepCall {
            runtime: self.runtime.clone(),
            revision: self.revision.clone(),
            run: self.run.clone(),
            deadline: self.state.deadline,
            fresh: self.run.is_fresh() && number == 1,
            places: Places::of(self.place.clone(), &step.name, round, number),
            round,
            step,
            number,
            inputs,
            behind: self.settling.as_ref().map(|(settling, _)| settling.receipt()).or_else(|| self.taken_in.clone()),
        })
    }

    /// Takes in how a step or undo ended, and makes it durable.
    pub(super) async fn task_ended(&mut self, task: Task, mut end: StepEnd) -> Result<Settled, StoreError> {
        let now = self.runtime.clock.now();
        // Only what a key-value space refuses is taken back.
        let may_be_refused = end.keys.as_ref().is_some_and(|keys| !keys.unclaimed.is_empty() || !keys.writes.is_empty());
        let before = may_be_refused.then(|| (self.state.clone(), end.attempt.clone(), end.value.clone()));
        self.went_on |= !end.outcome.has_to_wait();
        let step = self.route.steps[task.index()].name.clone();
        let name = self.state.task(task).map_or_else(|| step.clone(), |state| state.name.clone());
        if let Some(input) = end.value.as_ref().and_then(|value| value.input.clone()) {
            self.inputs.insert(name.clone(), input);
        }
        if end.cannot_renew
            && let Some(state) = self.state.task_mut(task)
        {
            state.renewed = true;
        }
        if matches!(end.outcome, Outcome::Failed(_)) {
            // What is in doubt is about to be asked.
            self.confirm(std::mem::take(&mut end.recordings)).await;
        }
        let outcome = match end.outcome.clone() {
            Outcome::Failed(failure) if end.attempt.is_some() => self.judged(task, failure).await?,
            Outcome::Succeeded => self.round_ended(task, &mut end, now).await?,
            other => other,
        };
        self.apply(task, outcome, now);
        if self.status(task) == StepStatus::Waiting && !self.is_held(task) {
            self.paused_at = self.paused_at.or(Some(end.credential_changes));
        }
        let failed = self.status(task) == StepStatus::Failed;
        let plugin = &self.route.steps[task.index()].plugin;
        self.runtime.judge_component(plugin, end.component.as_deref(), &end.outcome, failed).await;
        let leaves = Leaves {
            attempt: end.attempt,
            value: end.value.map(|value| StepValue { ended: self.ended_with(task, &value), ..value }),
            keys: end.keys,
            emitted: end.emitted,
            waits_over: self.waits_over(task),
            awaits: end.awaits,
            undone: (matches!(task, Task::Undo(_)) && self.status(task) == StepStatus::Succeeded).then_some(step),
        };
        let settled = self.settle_task(leaves, now).await;
        match &mut self.settling {
            Some((_, recordings)) => recordings.extend(end.recordings),
            None => self.confirm(end.recordings).await,
        }
        match (settled, before) {
            (Err(refused @ (StoreError::KeyConflict(_) | StoreError::KeySpaceFull { .. })), Some((state, attempt, value))) => {
                // Nothing of it took effect here. What the step read has changed under it: it is done again. Others took the room that it
                // had when it wrote: a person has to make some.
                self.state = state;
                let failure = match refused {
                    StoreError::KeyConflict(key) => {
                        StepFailure::new(FailureKind::Conflict, format!("key {key:?} was changed or claimed by another step"))
                    }
                    full => StepFailure::new(FailureKind::Rejected, full.to_string()),
                };
                let attempt = attempt.map(|attempt| AttemptEnd {
                    effects: outputs::without_key_values(&attempt.effects, &failure.reason),
                    outcome: failure.kind.as_str().to_owned(),
                    error: serde_json::to_string(&failure).ok(),
                    ..attempt
                });
                let outcome = self.judged(task, failure).await?;
                self.apply(task, outcome, now);
                let ended = self.status(task) == StepStatus::Failed;
                let value = value.map(|value| StepValue { output: None, ended, ..value });
                Box::pin(self.settle_task(Leaves { attempt, value, ..Leaves::default() }, now)).await
            }
            (settled, _) => {
                if let (Ok(_), Some(output)) = (&settled, end.output) {
                    self.outputs.insert(name, output);
                }
                settled
            }
        }
    }

    /// Outcomes were queued before: those that were lost with a connection are recorded again.
    async fn confirm(&self, recordings: Vec<Recording>) {
        for recording in recordings {
            if let Err(error) = self.runtime.store.confirm(recording).await {
                let error = telemetry::chain(&error);
                tracing::warn!(run = self.run.id, error, "the outcome of a write is not recorded; it counts as in doubt");
            }
        }
    }

    pub(super) fn status(&self, task: Task) -> StepStatus {
        self.state.task(task).map_or(StepStatus::Pending, |state| state.status)
    }

    fn ended_with(&self, task: Task, value: &StepValue) -> bool {
        value.output.is_some() || self.status(task) == StepStatus::Failed
    }

    pub(super) fn apply(&mut self, task: Task, outcome: Outcome, now: Timestamp) {
        // Uniform in 0..1, from the random bits of a UUID.
        let jitter = (uuid::Uuid::new_v4().as_u128() >> 75) as u32 as f64 / f64::from(u32::MAX);
        if let Err(illegal) = self.state.apply(&self.route, task, outcome, now, jitter) {
            tracing::error!(run = self.run.id, %illegal, "an outcome that can't be was left out");
        }
    }

    pub(super) async fn settle_task(&mut self, leaves: Leaves, now: Timestamp) -> Result<Settled, StoreError> {
        let emits = !leaves.emitted.is_empty();
        let came = self.runtime.came(&leaves.emitted);
        let verdict = self.state.verdict(&self.route, now);
        let settled = match verdict {
            Verdict::Succeeded => {
                self.settle_succeeded(leaves, now).await?;
                Settled::Over
            }
            Verdict::Dead(reason) => {
                Box::pin(self.settle_dead(leaves, reason, now)).await?;
                Settled::Over
            }
            Verdict::Working | Verdict::Later(_) | Verdict::Asleep(_) | Verdict::Waiting(_) | Verdict::Undo(_) => {
                self.settle_in_turn(self.settlement(leaves, "running")).await?;
                Settled::Goes
            }
        };
        self.runtime.brought_in(&came);
        if emits {
            self.runtime.due.notify_one();
        }
        Ok(settled)
    }

    async fn settle_succeeded(&mut self, leaves: Leaves, now: Timestamp) -> Result<(), StoreError> {
        let mut settlement = self.settlement(leaves, "succeeded");
        settlement.ended_at = Some(now);
        self.make_durable(settlement).await?;
        self.record_run("succeeded", None, now);
        self.ended("succeeded");
        Ok(())
    }

    async fn settle_dead(&mut self, leaves: Leaves, reason: String, now: Timestamp) -> Result<(), StoreError> {
        self.state.waiting_since = None;
        let mut settlement = self.settlement(leaves, "dead");
        settlement.status_reason = Some(reason);
        settlement.ended_at = Some(now);
        let death = self.state.death(&self.route);
        settlement.cause = Some(death.cause(&self.run.route, &self.event));
        settlement.death = Some(death.clone());
        self.make_durable(settlement).await?;
        // Not the reason: it is a plugin's text, and says what an event says. No erasure reaches a log.
        let plugin = death.plugin.as_deref().unwrap_or_default();
        tracing::warn!(run = self.run.id, route = self.run.route, eid = self.run.eid, kind = death.kind, plugin, "a run is dead");
        self.record_run("dead", Some(death.kind), now);
        self.ended("dead");
        Ok(())
    }

    /// The run leaves this worker: until its time, until something happens, or for good.
    async fn let_go(&mut self, verdict: Verdict, now: Timestamp) -> Result<(), StoreError> {
        let mut settlement = self.settlement(Leaves::default(), "pending");
        match verdict {
            // The host stops: whoever claims it next goes on at once.
            Verdict::Working | Verdict::Undo(_) => settlement.due_at = Some(now),
            Verdict::Later(due) => {
                settlement.due_at = Some(due);
                settlement.status_reason = self.state.again_because();
                settlement.left = Some((now, self.asleep()));
            }
            Verdict::Asleep(reason) => return self.fall_asleep(reason, now).await,
            Verdict::Waiting(reason) => return self.wait(reason, now).await,
            Verdict::Succeeded => return self.settle_succeeded(Leaves::default(), now).await,
            Verdict::Dead(reason) => return Box::pin(self.settle_dead(Leaves::default(), reason, now)).await,
        }
        self.make_durable(settlement).await?;
        // The timer must learn of a time that may come before the one it waits for.
        self.runtime.due.notify_one();
        Ok(())
    }

    pub(super) fn settlement(&self, leaves: Leaves, status: &'static str) -> RunSettlement {
        RunSettlement {
            id: uuid::Uuid::new_v4().to_string(),
            again: false,
            run: self.run.id.clone(),
            root: self.run.root.clone(),
            eid: self.run.eid.clone(),
            route: self.run.route.clone(),
            created_at: self.run.created_at,
            at: self.runtime.clock.now(),
            order_key: self.run.order_key.clone(),
            fence: self.run.fence,
            status,
            status_reason: None,
            death: None,
            cause: None,
            waits_for: None,
            state: serde_json::to_string(&self.state).expect("the state of a run is plain data"),
            deadline_at: self.state.deadline,
            undone: self.state.undone(),
            due_at: None,
            ended_at: None,
            attempts: leaves.attempt.into_iter().collect(),
            steps: leaves.value.into_iter().collect(),
            keys: leaves.keys,
            emitted: leaves.emitted,
            waits: leaves.awaits,
            waits_over: leaves.waits_over,
            left: None,
            away: false,
            turns_back: false,
            step_undone: leaves.undone,
        }
    }

    /// A step has ended, and the run goes on: what follows begins at once. No write of it gets ahead of this: its intent is queued behind, and it leaves when
    /// both are durable. Where a step's writes are not journalled, this is waited for.
    async fn settle_in_turn(&mut self, settlement: RunSettlement) -> Result<(), StoreError> {
        self.settled().await?;
        let settlement = Arc::new(settlement);
        if !self.is_journalled() {
            return self.make_durable(settlement).await;
        }
        match self.runtime.store.settle_in_turn(settlement).await {
            Ok(settling) => {
                self.settling = Some((settling, Vec::new()));
                Ok(())
            }
            Err(settlement) => self.make_durable(settlement).await,
        }
    }

    /// All that its steps write is: before it leaves, what the run stands on is found to be durable.
    fn is_journalled(&self) -> bool {
        self.route.steps.iter().all(|step| step.journal.kept)
    }

    /// Returns when the end of a step that is on its way to the store could not be made durable.
    async fn end_refused(&self) {
        if let Some((settling, _)) = &self.settling
            && settling.receipt().await.is_err()
        {
            return;
        }
        std::future::pending().await
    }

    /// Returns when the run, and the step of it that ended last, are durable.
    async fn settled(&mut self) -> Result<(), StoreError> {
        if let Some(taken_in) = self.taken_in.take() {
            // Its sender was told to try again. If it is in the store all the same, its lease ends, and the run is claimed. Steps that had begun have ended by
            // themselves: broken off, they could leave an intent that looks as if its write had left.
            taken_in
                .await
                .map_err(|error| StoreError::Unavailable(format!("its event was not made durable: {}", telemetry::chain(&*error))))?;
        }
        let Some((settling, recordings)) = self.settling.take() else { return Ok(()) };
        let settled = match settling.durable().await {
            Err((error, settlement)) if error.is_passing() && !self.runtime.abandon.is_cancelled() => {
                self.pause_after(&error).await;
                self.keep_settling(RunSettlement { again: true, ..RunSettlement::clone(&settlement) }).await
            }
            Err((error, _)) => Err(error),
            Ok(()) => {
                self.runtime.store.crash().at(Point::Settled);
                Ok(())
            }
        };
        self.confirm(recordings).await;
        settled
    }

    /// Makes a settlement durable, however long the store is away: what is known now would otherwise be found out again, at the systems' cost. If
    /// another worker takes the run over meanwhile, the fence says so.
    pub(super) async fn make_durable(&mut self, settlement: impl Into<Arc<RunSettlement>>) -> Result<(), StoreError> {
        self.settled().await?;
        self.keep_settling(settlement).await
    }

    async fn keep_settling(&self, settlement: impl Into<Arc<RunSettlement>>) -> Result<(), StoreError> {
        let mut settlement = settlement.into();
        loop {
            match self.runtime.store.settle(settlement.clone()).await {
                Err(error) if error.is_passing() && !self.runtime.abandon.is_cancelled() => {
                    self.pause_after(&error).await;
                    Arc::make_mut(&mut settlement).again = true;
                }
                Ok(()) => {
                    self.runtime.store.crash().at(Point::Settled);
                    return Ok(());
                }
                refused => return refused,
            }
        }
    }

    /// A settlement failed for a while: says so, and waits before the next try.
    async fn pause_after(&self, error: &StoreError) {
        tracing::warn!(run = self.run.id, error = telemetry::chain(error), "an outcome could not be made durable; trying again");
        tokio::select! {
            () = tokio::time::sleep(SETTLE_PAUSE) => {}
            () = self.runtime.abandon.cancelled() => {}
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

/// Events that a step brought in, ready to be stored; or why they can't be.
pub(super) async fn emitted(
    runtime: &Runtime,
    run: &ClaimedRun,
    step: &str,
    trace: &TraceContext,
    plugin: &crate::config::Plugin,
    step_key: &str,
    texts: &[String],
) -> Result<Vec<NewEvent>, String> {
    let cause = Cause { eid: run.eid.clone(), run: run.id.clone(), step: step.to_owned(), hops: run.hops, trace: Some(trace.clone()) };
    let intake = crate::runtime::Intake::new(runtime);
    let mut events = Vec::with_capacity(texts.len());
    for (index, text) in texts.iter().enumerate() {
        let mut value: Value = serde_json::from_str(text).map_err(|error| format!("event {index} it brought in is not JSON: {error}"))?;
        let Some(members) = value.as_object_mut() else { return Err(format!("event {index} it brought in is not an object")) };
        members.insert("specversion".to_owned(), json!("1.0"));
        members.insert("source".to_owned(), json!(format!("/plugins/{}", plugin.name)));
        members.entry("id").or_insert_with(|| json!(format!("{step_key}/{index}")));
        let event = Event::from_structured(value).map_err(|error| format!("event {index} it brought in is no CloudEvent: {error}"))?;
        event.check_emitted().map_err(|error| format!("event {index} it brought in is refused: {error}"))?;
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
