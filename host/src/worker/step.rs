//! One attempt at one step: input, call, and what its end means.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use opentelemetry::context::FutureExt as _;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use tokio::sync::SemaphorePermit;

use super::scope::{self, Seen};
use super::together::{Turn, Way};
use super::traced::{self, EndedCall, Places};
use super::{credential, drive, mask, outputs};
use crate::attempt::{Abilities, Attempt, AttemptId, AttemptLimits, AttemptRecord, Conduct, NewAttempt, ShownEffect};
use crate::builtin;
use crate::config::{self, OnDoubt, Step};
use crate::engine::{Call, CallEnd};
use crate::mapping::{Expr, Lookup, Plain, Scope, Template};
use crate::run::{FailureKind, Outcome, StepFailure, StepState, Wait, WaitFor};
use crate::runtime::{Coming, LoadedPlugin, PresentPlugin, Revision, Runtime};
use crate::schema::Schema;
use crate::store::{AttemptEnd, ClaimedRun, JournalSnapshot, KeySettlement, NewEvent, NewWait, Receipt, Recording, StepValue, StoreError};
use crate::telemetry::{self, TraceContext};

/// How long an attempt waits for one of its plugin's slots before it makes room for other runs.
pub(super) const SLOT_WAIT: Duration = Duration::from_millis(500);
/// Input of which the schema is checked on the spot; larger ones off the async threads.
const SMALL_INPUT: usize = 16 << 10;

/// All a step needs to be tried.
pub(super) struct StepCall {
    pub(super) runtime: Arc<Runtime>,
    pub(super) revision: Arc<Revision>,
    pub(super) run: Arc<ClaimedRun>,
    pub(super) deadline: Timestamp,
    /// Nothing can be in the journal for it.
    pub(super) fresh: bool,
    pub(super) step: Step,
    /// Its round, from 0.
    pub(super) round: u32,
    pub(super) number: u32,
    pub(super) inputs: StepInputs,
    /// The run's acceptance, or the end of the step before, where it is on its way to the store.
    pub(super) behind: Option<Receipt>,
    /// Where in a trace it stands.
    pub(super) places: Places,
}

/// An attempt that reached its action: what came of it.
pub(super) struct Ended<'a> {
    pub(super) record: &'a mut AttemptRecord,
    pub(super) failure: Option<StepFailure>,
    /// As text, and parsed.
    pub(super) output: Option<(String, Arc<Value>)>,
    pub(super) emitted: Vec<NewEvent>,
    pub(super) took: Duration,
}

/// What expressions of the step see, and its input where it was made before.
pub(super) struct StepInputs {
    pub(super) event: Arc<Value>,
    /// The same as text.
    pub(super) event_text: Arc<RawValue>,
    pub(super) seen: Seen,
    pub(super) steps: Vec<StepState>,
    pub(super) outputs: BTreeMap<String, Arc<Value>>,
    pub(super) stored: Option<String>,
}

/// How a try ended, and what of it becomes durable.
pub(super) struct StepEnd {
    pub(super) outcome: Outcome,
    pub(super) attempt: Option<AttemptEnd>,
    /// Digest of the component that was called, or whose schema refused the input.
    pub(super) component: Option<String>,
    pub(super) value: Option<StepValue>,
    pub(super) output: Option<Arc<Value>>,
    pub(super) keys: Option<KeySettlement>,
    pub(super) emitted: Vec<NewEvent>,
    /// Events that it waits for from now on.
    pub(super) awaits: Vec<NewWait>,
    /// The credential was refused and there is nothing newer.
    pub(super) cannot_renew: bool,
    /// Changes of credentials when the attempt began.
    pub(super) credential_changes: u64,
    /// Outcomes of its writes that may not be durable yet.
    pub(super) recordings: Vec<Recording>,
}

impl StepEnd {
    pub(super) fn without_call(outcome: Outcome) -> StepEnd {
        StepEnd {
            outcome,
            attempt: None,
            component: None,
            value: None,
            output: None,
            keys: None,
            emitted: Vec::new(),
            awaits: Vec::new(),
            cannot_renew: false,
            credential_changes: 0,
            recordings: Vec::new(),
        }
    }

    /// Nothing is to be done before a time: the step is not tried, and its input not made.
    pub(super) fn waits(now: Timestamp, until: Timestamp, reason: String) -> StepEnd {
        let wait = Wait { since: now, until: Some(until), events: Vec::new(), what: WaitFor::Start, reason: Some(reason) };
        StepEnd::without_call(Outcome::Waits(wait))
    }

    pub(super) fn failed(kind: FailureKind, reason: impl Into<String>) -> StepEnd {
        StepEnd::without_call(Outcome::Failed(StepFailure::new(kind, reason)))
    }
}

impl StepCall {
    pub(super) async fn run(self) -> StepEnd {
        let started = Instant::now();
        let started_at = self.runtime.clock.now();
        let credential_changes = *self.runtime.broker.changes().borrow();
        let context = telemetry::within(&self.places.attempt);
        let coming = self.may_go_together().then(|| self.runtime.gathering.coming(&self.step.plugin, &self.step.action));
        let mut end = self.tried(started_at, coming).with_context(context).await;
        end.credential_changes = credential_changes;
        // An attempt that never reached its plugin leaves a trace too; one that found no room does not, or waiting would fill the store.
        if let (Outcome::Failed(failure), None) = (&end.outcome, &end.attempt)
            && failure.kind != FailureKind::Busy
        {
            end.attempt = Some(AttemptEnd {
                step: self.step.name.clone(),
                plugin: self.step.plugin.clone(),
                action: self.step.action.clone(),
                number: self.number,
                started_at,
                duration_ms: millis(started.elapsed()),
                outcome: failure.kind.as_str().to_owned(),
                error: serde_json::to_string(failure).ok(),
                logs: "[]".to_owned(),
                effects: "[]".to_owned(),
                reads: None,
                digest: end.component.clone(),
            });
        }
        if let Some(attempt) = &end.attempt {
            let seconds = started.elapsed().as_secs_f64();
            let call_seconds = attempt.duration_ms as f64 / 1000.0;
            self.runtime.metrics.attempt_ended(&self.step.plugin, &self.step.action, &attempt.outcome, seconds, call_seconds);
        }
        self.record_attempt(&end, started_at, started.elapsed());
        end
    }

    /// `coming`: it is on its way to an action that takes several runs at once.
    async fn tried(&self, started_at: Timestamp, coming: Option<Coming<'_>>) -> StepEnd {
        if self.round > 0 && self.inputs.stored.is_none() {
            match self.is_over().await {
                Ok(false) => {}
                // The last round's output stays.
                Ok(true) => return StepEnd::without_call(Outcome::Succeeded),
                Err(reason) => return StepEnd::failed(FailureKind::Expression, reason),
            }
        }
        let input = match self.input().await {
            Ok(Some(input)) => input,
            Ok(None) => return StepEnd::without_call(Outcome::Skipped),
            Err(reason) => return StepEnd::failed(FailureKind::Expression, reason),
        };
        // Only now: a step that is skipped need not wait for the morning. What it would have been given is made anew then.
        if let Some(ends) = self.step.quiet.as_ref().and_then(|quiet| quiet.ends(started_at)) {
            let reason =
                format!("step {} does not begin in quiet hours: they end at {}", self.step.name, ends.strftime("%Y-%m-%d %H:%M %Z"));
            return StepEnd::waits(started_at, ends.timestamp(), reason);
        }
        if self.step.plugin == builtin::NAME {
            return Box::pin(self.tried_own(input, started_at)).await;
        }
        let Some(plugin) = self.revision.plugins.get(&self.step.plugin) else {
            return StepEnd::failed(FailureKind::Unavailable, format!("plugin {:?} is not in the run's configuration", self.step.plugin));
        };
        let present = self.runtime.present();
        let Some(grants) = present.plugins.get(&self.step.plugin) else {
            let reason = format!("the present configuration no longer has plugin {:?}", self.step.plugin);
            return StepEnd::failed(FailureKind::Unavailable, reason);
        };
        let plugin = grants.component(plugin, &self.run.root);
        if let Err(failure) = self.check(plugin, &input).await {
            let mut end = StepEnd::without_call(Outcome::Failed(failure));
            end.component = Some(plugin.component.digest.clone());
            end.value = Some(self.refused_value(input));
            return end;
        }
        let snapshot = match self.snapshot().await {
            Ok(snapshot) => snapshot,
            Err(error) => return StepEnd::failed(FailureKind::Busy, telemetry::chain(&error)),
        };
        let way = Way { plugin, present: grants, snapshot: &snapshot, started_at };
        let (slot, under_way) = match self.gathered(&way, &input, coming).await {
            Turn::Ended(end) => return *end,
            Turn::Alone(Some((slot, under_way))) => (slot, Some(under_way)),
            Turn::Alone(None) => match self.slot(grants).await {
                Ok(slot) => (slot, None),
                Err(end) => return *end,
            },
        };
        let end = self.call(plugin, grants, input, snapshot, started_at).await;
        drop(under_way);
        drop(slot);
        end
    }

    /// One of the plugin's calls at the same time; or that there was none within a while.
    pub(super) async fn slot<'p>(&self, present: &'p PresentPlugin) -> Result<SemaphorePermit<'p>, Box<StepEnd>> {
        match tokio::time::timeout(SLOT_WAIT, present.slots.acquire()).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => {
                let why = format!("plugin {} has all its {} calls under way (concurrency)", self.step.plugin, present.config.concurrency);
                Err(Box::new(StepEnd::failed(FailureKind::Busy, why)))
            }
        }
    }

    /// What the line's journal has of the step.
    async fn snapshot(&self) -> Result<JournalSnapshot, StoreError> {
        if self.fresh {
            return Ok(JournalSnapshot::default());
        }
        self.runtime.store.journal(&self.run.root, &self.run.id, &self.step.name, self.round, &self.step.plugin).await
    }

    pub(super) fn attempt_id(&self, plugin: &LoadedPlugin) -> AttemptId {
        AttemptId {
            run: self.run.id.clone(),
            root: self.run.root.clone(),
            fence: self.run.fence,
            step: self.step.name.clone(),
            round: self.round,
            number: self.number,
            plugin: self.step.plugin.clone(),
            component: plugin.component.digest.clone(),
        }
    }

    /// What is kept of an input that never reached its action.
    pub(super) fn refused_value(&self, input: String) -> StepValue {
        StepValue { name: self.step.name.clone(), round: self.round, input: Some(input), output: None, ended: true, clock_start: None }
    }

    /// The step's input as JSON text: as stored, or computed now. `None`: the step is skipped.
    pub(super) async fn input(&self) -> Result<Option<String>, String> {
        if let Some(stored) = &self.inputs.stored {
            return Ok(Some(stored.clone()));
        }
        if self.step.when.is_none() && self.step.with.is_none() {
            let data = self.inputs.event.get("data").cloned().unwrap_or(Value::Null);
            return Ok(Some(data.to_string()));
        }
        // Whether it is wanted at all was asked before its first round.
        let when = self.step.when.clone().filter(|_| self.round == 0);
        let with = self.step.with.clone();
        if let Some(input) = self.looked_up(when.as_deref(), with.as_deref())? {
            return Ok(input.map(|input| input.to_string()));
        }
        let scope = self.scope()?;
        let event = self.inputs.event.clone();
        let plain = Plain::of(&scope).expr(when.as_ref()).template(with.as_ref());
        let computed = self
            .runtime
            .evaluator
            .run_as(plain, move |session| {
                if let Some(when) = &when {
                    match session.truth(when, &scope) {
                        Ok(true) => {}
                        Ok(false) => return Ok(Ok(None)),
                        Err(error) => return Ok(Err(format!("`when` failed: {error}"))),
                    }
                }
                let input = match &with {
                    None => Ok(event.get("data").cloned().unwrap_or(Value::Null)),
                    Some(with) => session.template(with, &scope).map_err(|error| format!("`with` failed: {error}")),
                };
                Ok(input.map(Some))
            })
            .await;
        match computed {
            Ok(Ok(input)) => Ok(input.map(|input| input.to_string())),
            Ok(Err(reason)) => Err(reason),
            Err(error) => Err(telemetry::chain(&error)),
        }
    }

    /// The input where all that its expressions do is to name something, as most do: no interpreter is asked for it. `None`: one does more, or its data is
    /// not what it expects. `Some(None)`: the step is skipped.
    fn looked_up(&self, when: Option<&Expr>, with: Option<&Template>) -> Result<Option<Option<Value>>, String> {
        let Some(with) = with.filter(|_| self.step.repeat.is_none()) else { return Ok(None) };
        scope::admits(&self.inputs).map_err(|error| error.to_string())?;
        let find = |path: &[String]| scope::found(&self.run.id, &self.inputs, path);
        let mut lookup = Lookup::new(&find);
        Ok(match when.map(|when| lookup.truth(when)) {
            Some(None) => None,
            Some(Some(false)) => Some(None),
            None | Some(Some(true)) => with.looked_up(&mut lookup).map(Some),
        })
    }

    fn scope(&self) -> Result<Scope, String> {
        let mut scope = scope::of(&self.run.id, &self.inputs).map_err(|error| error.to_string())?;
        if self.step.repeat.is_some() {
            scope.set(&["round"], &json!(self.round)).map_err(|error| error.to_string())?;
        }
        Ok(scope)
    }

    /// Whether what a step is repeated for has come, asked before a further round.
    async fn is_over(&self) -> Result<bool, String> {
        let Some(until) = self.step.repeat.as_ref().and_then(|repeat| repeat.until.clone()) else { return Ok(false) };
        let output = self.inputs.outputs.get(&self.step.name).cloned().unwrap_or_default();
        scope::is_over(&self.runtime.evaluator, &until, &self.run.id, &self.inputs, &output, self.round - 1).await
    }

    pub(super) async fn check(&self, plugin: &LoadedPlugin, input: &str) -> Result<(), StepFailure> {
        let Some(action) = plugin.actions.get(&self.step.action) else {
            let reason = format!("plugin {:?} has no action {:?}", self.step.plugin, self.step.action);
            return Err(StepFailure::new(FailureKind::Unavailable, reason));
        };
        self.fits(&action.input, input).await
    }

    /// Holds an input against the schema of its action.
    pub(super) async fn fits(&self, schema: &Arc<Schema>, input: &str) -> Result<(), StepFailure> {
        let check = |schema: &Schema, text: &str| match serde_json::from_str(text) {
            Ok(value) => schema.check(&value),
            Err(error) => vec![crate::schema::Violation { pointer: String::new(), message: error.to_string() }],
        };
        let violations = if input.len() <= SMALL_INPUT {
            check(schema, input)
        } else {
            let (schema, text) = (schema.clone(), input.to_owned());
            tokio::task::spawn_blocking(move || check(&schema, &text)).await.unwrap_or_default()
        };
        let Some(first) = violations.first() else { return Ok(()) };
        let place = if first.pointer.is_empty() { "the input" } else { first.pointer.as_str() };
        let mut failure = StepFailure::new(
            FailureKind::InvalidInput,
            format!("the input does not fit {}.{}: {place}: {}", self.step.plugin, self.step.action, first.message),
        );
        let list: Vec<Value> =
            violations.iter().map(|violation| json!({ "pointer": violation.pointer, "message": violation.message })).collect();
        failure.details = Some(json!({ "violations": list }));
        Err(failure)
    }

    async fn call(
        &self,
        plugin: &LoadedPlugin,
        present: &PresentPlugin,
        input: String,
        snapshot: JournalSnapshot,
        started_at: Timestamp,
    ) -> StepEnd {
        let started = Instant::now();
        let limits = self.limits(&present.config, started_at);
        let trace = &self.places.call;
        let attempt = Attempt::new(NewAttempt {
            id: self.attempt_id(plugin),
            abilities: Abilities::Act,
            conduct: Conduct::Real { journal: self.step.journal.kept, record_reads: self.step.journal.record_reads.is_some() },
            holds: self.step.on_doubt == OnDoubt::Hold,
            limits: AttemptLimits::new(&limits, started),
            input: input.clone(),
            started_at,
            store: self.runtime.store.clone(),
            outbound: Some(present.outbound.clone()),
            snapshot,
            random_secret: self.runtime.random_secret,
            behind: self.behind.clone(),
            cancel: self.runtime.abandon.clone(),
            trace: self.attempt_trace(trace),
        });
        let step_key = attempt.step_key();
        let context = self.context(attempt.surroundings().clock.after(limits.time), &step_key, plugin, trace);
        let call = Call::Invoke { action: self.step.action.clone(), input, context };
        let (began, at) = (Instant::now(), self.runtime.clock.now());
        let mut end = self.runtime.engine.call(&plugin.code, &limits, present.config.instances, attempt, call).await;
        self.note_call(plugin, present, &mut end, (at, began.elapsed()));
        self.judged(end, present, &plugin.component.digest, &step_key, &limits, started.elapsed()).await
    }

    /// Counts a call that ended, and its requests, and gives them to whoever traces.
    pub(super) fn note_call(
        &self,
        plugin: &LoadedPlugin,
        present: &PresentPlugin,
        end: &mut CallEnd,
        (began, took): (Timestamp, Duration),
    ) {
        present.used.note(end, took);
        self.runtime.metrics.call_used(&self.step.plugin, end.cpu.as_secs_f64());
        let ended = EndedCall {
            context: &self.places.call,
            began,
            took,
            version: &plugin.descriptor.version,
            digest: &plugin.component.digest,
            cpu: end.cpu,
            http_calls: end.record.effects.iter().filter(|effect| effect.kind == "http" && !effect.replayed).count(),
            error: traced::error_of(&end.outcome),
        };
        self.record_call(&ended, std::mem::take(&mut end.record.sent));
        for effect in end.record.effects.iter().filter(|effect| effect.kind == "http" && !effect.replayed) {
            let host = effect.host();
            self.runtime.metrics.request_sent(&self.step.plugin, &host, effect.status);
            self.runtime.series.request_sent(self.runtime.clock.now(), &self.step.plugin, &host, effect.status);
        }
    }

    /// The smallest of what plugin, step and run allow.
    pub(super) fn limits(&self, plugin: &config::Plugin, now: Timestamp) -> config::Limits {
        let left = Duration::try_from(self.deadline.duration_since(now)).unwrap_or(Duration::ZERO).max(Duration::from_millis(1));
        config::Limits { time: plugin.limits.time.min(self.step.timeout).min(left), ..plugin.limits }
    }

    /// Which of them the time is.
    pub(super) fn time_limit(&self, plugin: &config::Plugin, limits: &config::Limits) -> &'static str {
        if limits.time == plugin.limits.time {
            "limits.time"
        } else if limits.time == self.step.timeout {
            "the step's timeout"
        } else {
            "the run's deadline"
        }
    }

    pub(super) fn context(&self, deadline: Timestamp, step_key: &str, plugin: &LoadedPlugin, trace: &TraceContext) -> String {
        let uses = format!("{}.{}", self.step.plugin, self.step.action);
        let context = CallContext {
            attempt: self.number,
            configuration: &plugin.config.config,
            deadline: deadline.to_string(),
            event: &self.inputs.event_text,
            idempotency_key: step_key,
            run: ContextRun { id: &self.run.id, root: &self.run.root, route: &self.run.route },
            step: ContextStep { name: &self.step.name, round: self.round, uses },
            traceparent: trace.traceparent(),
        };
        serde_json::to_string(&context).expect("a context is plain data")
    }

    pub(super) async fn judged(
        &self,
        call: CallEnd,
        present: &PresentPlugin,
        component: &str,
        step_key: &str,
        limits: &config::Limits,
        took: Duration,
    ) -> StepEnd {
        let CallEnd { outcome, mut record, .. } = call;
        let mut emitted = Vec::new();
        let mut output = None;
        let failure = match outputs::answer(outcome, limits, self.time_limit(&present.config, limits)) {
            Ok((data, events)) => match self.output(&data, limits.output_size) {
                Ok(value) => {
                    let place = &self.places.attempt;
                    match drive::emitted(&self.runtime, &self.run, &self.step.name, place, &present.config, step_key, &events).await {
                        Ok(events) => {
                            emitted = events;
                            output = Some((data, Arc::new(value)));
                            None
                        }
                        Err(reason) => Some(StepFailure::new(FailureKind::InvalidOutput, reason)),
                    }
                }
                Err(reason) => Some(StepFailure::new(FailureKind::InvalidOutput, reason)),
            },
            Err(failure) => Some(failure),
        };
        let (failure, cannot_renew) = credential::looked_at(&self.runtime, failure, &record).await;
        let ended = Ended { record: &mut record, failure, output, emitted, took };
        StepEnd { component: Some(component.to_owned()), cannot_renew, ..self.kept(ended, Some(component)) }
    }

    /// What is kept of an attempt that reached its action.
    pub(super) fn kept(&self, ended: Ended<'_>, component: Option<&str>) -> StepEnd {
        let Ended { record, mut failure, mut output, mut emitted, took } = ended;
        // An attempt that failed may just not have come so far.
        if failure.is_none() {
            failure = outputs::unrepeated(self.step.journal.on_unrepeated, record).or_else(|| outputs::held(record));
            record.effects.append(&mut record.unrepeated);
        }
        if failure.is_some() {
            ShownEffect::drop_key_values(
                &mut record.effects,
                "key-value writes take effect with the success of the step, and this attempt failed",
            );
        }
        if let Some(failure) = &mut failure {
            mask::failure(&self.runtime.broker, failure);
        }
        mask::log(&self.runtime.broker, &mut record.log);
        if self.runtime.log_style.plugins {
            traced::log_lines(&self.run, &self.step, self.number, &record.log);
        }
        let kept_until = self.step.journal.record_reads.map(|age| crate::clock::later(self.runtime.clock.now(), age));
        let attempt = AttemptEnd {
            step: self.step.name.clone(),
            plugin: self.step.plugin.clone(),
            action: self.step.action.clone(),
            number: self.number,
            started_at: record.started_at,
            duration_ms: millis(took),
            outcome: failure.as_ref().map_or("succeeded", |failure| failure.kind.as_str()).to_owned(),
            error: failure.as_ref().and_then(|failure| serde_json::to_string(failure).ok()),
            logs: serde_json::to_string(&record.log).unwrap_or_else(|_| "[]".to_owned()),
            effects: serde_json::to_string(&record.effects).unwrap_or_else(|_| "[]".to_owned()),
            reads: kept_until.map(|until| (std::mem::take(&mut record.reads), until)),
            digest: component.map(str::to_owned),
        };
        if failure.is_some() {
            // With `on-unrepeated = "stop"` or `on-doubt = "hold"` an output does not make it a success.
            output = None;
            emitted.clear();
        }
        let (text, parsed) = output.map_or((None, None), |(text, value)| (Some(text), Some(value)));
        let value = StepValue {
            name: self.step.name.clone(),
            round: self.round,
            input: Some(std::mem::take(&mut record.input)),
            output: text,
            ended: false,
            clock_start: Some(record.clock_start),
        };
        StepEnd {
            keys: failure.is_none().then(|| record.keys.clone()),
            outcome: failure.map_or(Outcome::Succeeded, Outcome::Failed),
            attempt: Some(attempt),
            component: None,
            value: Some(value),
            output: parsed,
            emitted,
            awaits: Vec::new(),
            cannot_renew: false,
            credential_changes: 0,
            recordings: std::mem::take(&mut record.recordings),
        }
    }

    pub(super) fn output(&self, data: &str, most: usize) -> Result<Value, String> {
        if data.len() > most {
            return Err(format!("its output has {} bytes; at most {most} (limits.output-size)", data.len()));
        }
        serde_json::from_str(data).map_err(|error| format!("its output is not JSON: {error}"))
    }
}

/// What a plugin is told beside its input: see `context.schema.json`. Written as it stands: the event may be large, and is neither copied for it nor put
/// into words again.
#[derive(Serialize)]
struct CallContext<'a, C> {
    attempt: u32,
    configuration: &'a C,
    deadline: String,
    event: &'a RawValue,
    idempotency_key: &'a str,
    run: ContextRun<'a>,
    step: ContextStep<'a>,
    traceparent: String,
}

#[derive(Serialize)]
struct ContextRun<'a> {
    id: &'a str,
    root: &'a str,
    route: &'a str,
}

#[derive(Serialize)]
struct ContextStep<'a> {
    name: &'a str,
    round: u32,
    uses: String,
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
