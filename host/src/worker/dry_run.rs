//! A replay tried without doing anything: the plugins run, reads are answered as they were or live, finished writes from the journal, and each
//! step ends at its first write without an answer, which is shown and not sent.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Instant;

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::difference::{counterpart, difference, shown_body};
use super::own::OwnCall;
use super::recover::event_of;
use super::scope::Seen;
use super::step::{SLOT_WAIT, StepCall, StepInputs};
use super::traced::Places;
use super::{drive, outputs, own, together};
use crate::attempt::{
    Abilities, Attempt, AttemptLimits, AttemptRecord, BatchWrite, Break, Conduct, DryStop, NewAttempt, Reads, Sample, WouldSend,
};
use crate::builtin::{self, Pause, Stop};
use crate::config::{Instances, Route, Step};
use crate::engine::{Call, CallOutcome};
use crate::run::{FailureKind, RunState, StepFailure, StepState, StepStatus, Task};
use crate::runtime::{LoadedPlugin, PresentPlugin, Revision, Runtime};
use crate::store::{ClaimedRun, EffectRow, EffectState, JournalSnapshot, NewEvent, Opening, StoreError};

/// How reads are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadsFrom {
    /// From what was kept of the line's attempts.
    #[default]
    Recorded,
    /// By asking.
    Live,
    /// Not at all: a step ends where it would ask.
    None,
}

/// What somebody who tries a route out says of the systems around it.
#[derive(Debug, Default)]
pub struct Given {
    /// What systems answer, to writes above all.
    pub answers: Arc<Vec<Sample>>,
    /// What steps give that end at something that was not sent or asked, by their names.
    pub outputs: BTreeMap<String, Value>,
}

/// How the steps are tried.
#[derive(Clone)]
struct Manner {
    line: String,
    reads: ReadsFrom,
    given: Option<Arc<Given>>,
}

/// What is to be tried.
pub struct DryRun {
    /// The run as it would be; it is never stored. Its root has the journal that writes are answered from.
    pub run: ClaimedRun,
    /// First run of the line that is replayed: has what was sent then, and recorded reads.
    pub line: String,
    /// The run that is replayed.
    pub of: String,
    /// What it would run on.
    pub revision: Arc<Revision>,
    /// Its route there.
    pub route: Arc<Route>,
    /// What it would start from.
    pub state: RunState,
    /// Steps whose output is kept.
    pub keep: Vec<String>,
    /// How reads are answered.
    pub reads: ReadsFrom,
    /// Of a try-out: it goes on behind what was not sent where that can be told. `None`: of a replay.
    pub given: Option<Arc<Given>>,
}

/// How far a step came.
struct Tried {
    status: StepStatus,
    error: Option<StepFailure>,
    output: Option<Arc<Value>>,
    shown: Map<String, Value>,
}

impl Tried {
    fn new(status: StepStatus, shown: &'static str) -> Tried {
        Tried { status, error: None, output: None, shown: Map::from_iter([("status".to_owned(), json!(shown))]) }
    }

    fn failed(failure: StepFailure) -> Tried {
        // Only what is certain to be final may count as met (`on-failure = "continue"`); what would be tried again leads nowhere here.
        let last = matches!(failure.kind, FailureKind::Rejected | FailureKind::InvalidInput | FailureKind::InvalidOutput);
        let mut tried = Tried::new(if last { StepStatus::Failed } else { StepStatus::Waiting }, "failed");
        tried.error = Some(failure);
        tried
    }

    fn with(mut self, name: &str, value: Value) -> Tried {
        self.shown.insert(name.to_owned(), value);
        self
    }
}

impl DryRun {
    /// Tries it, and gives what there is to see: the steps with input, output, effects, what would be sent, and log lines.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn run(mut self, runtime: &Arc<Runtime>) -> Result<Value, StoreError> {
        let event = event_of(&self.run)?;
        let mut outputs = self.kept_outputs(runtime).await?;
        let mut shown: HashMap<usize, Map<String, Value>> = HashMap::new();
        let mut running = FuturesUnordered::new();
        loop {
            let now = runtime.clock.now();
            let ready: Vec<Task> = self.state.ready(&self.route, now);
            // No undo is begun: what is half undone is shown as such.
            for task in ready.into_iter().filter(|task| matches!(task, Task::Step(_))) {
                let index = task.index();
                let number = self.state.start(&self.route, task, now).expect("what is ready can start");
                let call = self.step(runtime, index, number, &event, &outputs);
                let manner = Manner { line: self.line.clone(), reads: self.reads, given: self.given.clone() };
                running.push(async move { (index, call.try_dry(&manner).await) });
            }
            let Some((index, tried)) = running.next().await else { break };
            let tried = self.assumed(runtime, index, tried?);
            let step = &mut self.state.steps[index];
            step.status = tried.status;
            step.error = tried.error;
            if let Some(output) = tried.output {
                outputs.insert(step.name.clone(), output);
            }
            shown.insert(index, tried.shown);
        }
        let steps = (0..self.state.steps.len()).map(|index| self.step_json(index, shown.remove(&index), &outputs)).collect();
        Ok(json!({
            "replay_of": self.of,
            "route": self.run.route,
            "revision": self.run.revision,
            "root": self.run.root,
            "steps": Value::Array(steps),
        }))
    }

    /// A step of a try-out that ended at something that was not sent or asked goes on with the output that it was given, or, at a write, with the
    /// example of its action.
    fn assumed(&self, runtime: &Runtime, index: usize, tried: Tried) -> Tried {
        let Some(given) = self.given.as_ref().filter(|_| tried.shown.get("status") == Some(&json!("stopped"))) else { return tried };
        let step = &self.route.steps[index];
        let (output, from) = match given.outputs.get(&step.name) {
            Some(output) => (output.clone(), "given"),
            None if tried.shown.contains_key("would_send") => match self.example(runtime, step) {
                Some(example) => (example, "example"),
                None => return tried,
            },
            None => return tried,
        };
        let tried = Tried { status: StepStatus::Succeeded, output: Some(Arc::new(output)), ..tried };
        tried.with("status", json!("assumed")).with("output_from", json!(from))
    }

    /// What the action of a step says it may give.
    fn example(&self, runtime: &Runtime, step: &Step) -> Option<Value> {
        let actions = match self.revision.plugins.get(&step.plugin) {
            Some(plugin) => &plugin.descriptor.actions[..],
            None => runtime.builtin.actions(),
        };
        let output = &actions.iter().find(|action| action.name == step.action)?.output;
        output["examples"].get(0).or_else(|| output.get("example")).cloned()
    }

    async fn kept_outputs(&self, runtime: &Runtime) -> Result<BTreeMap<String, Arc<Value>>, StoreError> {
        let steps = runtime.store.steps(&self.of).await?;
        let kept = steps.into_iter().filter(|step| self.keep.contains(&step.name));
        Ok(kept.filter_map(|step| Some((step.name, Arc::new(serde_json::from_str(step.output.as_deref()?).ok()?)))).collect())
    }

    fn step(
        &self,
        runtime: &Arc<Runtime>,
        index: usize,
        number: u32,
        (event, event_text): &(Arc<Value>, Arc<RawValue>),
        outputs: &BTreeMap<String, Arc<Value>>,
    ) -> StepCall {
        let (name, round) = (&self.route.steps[index].name, self.state.steps[index].round);
        StepCall {
            places: Places::of(runtime.trace_of_run(&self.run).0, name, round, number),
            runtime: runtime.clone(),
            revision: self.revision.clone(),
            run: Arc::new(self.run.clone()),
            deadline: self.state.deadline,
            fresh: false,
            step: self.route.steps[index].clone(),
            round,
            number,
            inputs: StepInputs {
                event: event.clone(),
                event_text: event_text.clone(),
                seen: Seen::default(),
                steps: self.state.steps.clone(),
                outputs: outputs.clone(),
                stored: None,
            },
            behind: None,
        }
    }

    fn step_json(&self, index: usize, tried: Option<Map<String, Value>>, outputs: &BTreeMap<String, Arc<Value>>) -> Value {
        let state = &self.state.steps[index];
        let kept = self.keep.contains(&state.name);
        let mut step = json!({
            "name": state.name,
            "uses": state.uses,
            "status": if kept { "succeeded" } else { "not-reached" },
            "kept": kept,
            "input": null,
            "output": outputs.get(&state.name).map(|output| &**output),
            "error": state.error.as_ref().map(|error| json!({ "kind": error.kind.as_str(), "reason": error.reason, "details": error.details })),
            "effects": [],
            "would_send": null,
            "difference": null,
            "events": [],
            "logs": [],
        });
        if let Some((kind, reason)) = waits_for(state) {
            step["status"] = json!("stopped");
            step["error"] = json!({ "kind": kind, "reason": reason, "details": null });
        }
        for (name, value) in tried.into_iter().flatten() {
            step[name] = value;
        }
        step
    }
}

/// What stands before a step that a replay would not even start, and how it is called.
fn waits_for(step: &StepState) -> Option<(&'static str, String)> {
    if !step.held.is_empty() {
        return Some(("held", step.why()));
    }
    let why = || format!("a replay would first complete the undo of step {}, which a dry run does not try", step.name);
    step.undo.as_ref().map(|_| ("half-undone", why()))
}

impl StepCall {
    /// Tries the step without writing anything.
    async fn try_dry(&self, manner: &Manner) -> Result<Tried, StoreError> {
        let input = match self.input().await {
            Ok(Some(input)) => input,
            Ok(None) => return Ok(Tried::new(StepStatus::Skipped, "skipped")),
            Err(reason) => return Ok(Tried::failed(StepFailure::new(FailureKind::Expression, reason))),
        };
        let shown_input = serde_json::from_str(&input).unwrap_or(Value::Null);
        if self.step.plugin == builtin::NAME {
            return Ok(self.try_own_dry(input, manner).await?.with("input", shown_input));
        }
        let present = self.runtime.present();
        let (Some(plugin), Some(grants)) = (self.revision.plugins.get(&self.step.plugin), present.plugins.get(&self.step.plugin)) else {
            let reason = format!("plugin {:?} is not configured any more", self.step.plugin);
            return Ok(Tried::failed(StepFailure::new(FailureKind::Unavailable, reason)).with("input", shown_input));
        };
        let plugin = grants.component(plugin, &self.run.root);
        if let Err(failure) = self.check(plugin, &input).await {
            return Ok(Tried::failed(failure).with("input", shown_input));
        }
        let Ok(_slot) = tokio::time::timeout(SLOT_WAIT, grants.slots.acquire()).await else {
            let reason = format!("plugin {} has all its {} calls under way (concurrency)", self.step.plugin, grants.config.concurrency);
            return Ok(Tried::failed(StepFailure::new(FailureKind::Busy, reason)).with("input", shown_input));
        };
        Ok(self.call_dry(plugin, grants, input, manner).await?.with("input", shown_input))
    }

    async fn call_dry(&self, plugin: &LoadedPlugin, present: &PresentPlugin, input: String, manner: &Manner) -> Result<Tried, StoreError> {
        let store = &self.runtime.store;
        let started_at = self.runtime.clock.now();
        let id = self.attempt_id(plugin);
        // The claims of runs that have ended are over: a replay, and so this, reads present values.
        let line = &manner.line;
        let then = store.journal(line, &id.run, &id.step, id.round, &id.plugin).await?;
        let snapshot = if id.root == *line { then.clone() } else { JournalSnapshot::default() };
        if let Some(row) = BatchWrite::latest(&snapshot.effects).filter(|row| row.state != EffectState::Failed) {
            return Ok(self.dry_member(row, &input, present, started_at).await);
        }
        let reads = match manner.reads {
            ReadsFrom::Live => Reads::Live,
            ReadsFrom::None => Reads::Refused,
            ReadsFrom::Recorded => Reads::Recorded(store.recorded_reads(line, &id.step, started_at).await?),
        };
        let limits = self.limits(&present.config, started_at);
        let attempt = Attempt::new(NewAttempt {
            trace: None,
            id,
            abilities: Abilities::Act,
            conduct: Conduct::Dry(reads, manner.answers()),
            // It ends at its first write: there is nothing to send again.
            holds: false,
            limits: AttemptLimits::new(&limits, Instant::now()),
            input: input.clone(),
            started_at,
            store: store.clone(),
            outbound: Some(present.outbound.clone()),
            snapshot,
            random_secret: self.runtime.random_secret,
            behind: None,
            cancel: self.runtime.abandon.clone(),
        });
        let step_key = attempt.step_key();
        let context = self.context(attempt.surroundings().clock.after(limits.time), &step_key, plugin, &self.places.call);
        let call = Call::Invoke { action: self.step.action.clone(), input, context };
        // An instance that has seen old answers must not be reused for real calls, nor one that has seen real ones for this.
        let mut end = self.runtime.engine.call(&plugin.code, &limits, Instances::PerCall, attempt, call).await;
        let tried = match end.outcome {
            CallOutcome::Broken(Break::Dry(DryStop::Write(write))) => stopped(&write, &then),
            CallOutcome::Broken(Break::Dry(stop)) => {
                let kind = if matches!(stop, DryStop::NotAsked(_)) { "not-asked" } else { "not-recorded" };
                Tried::new(StepStatus::Waiting, "stopped")
                    .with("error", json!({ "kind": kind, "reason": stop.to_string(), "details": null }))
            }
            outcome => match outputs::answer(outcome, &limits, self.time_limit(&present.config, &limits)) {
                Err(failure) => Tried::failed(failure),
                Ok((data, events)) => match self.output(&data, limits.output_size) {
                    Err(reason) => Tried::failed(StepFailure::new(FailureKind::InvalidOutput, reason)),
                    Ok(output) => {
                        match drive::emitted(
                            &self.runtime,
                            &self.run,
                            &self.step.name,
                            &self.places.attempt,
                            &present.config,
                            &step_key,
                            &events,
                        )
                        .await
                        {
                            Err(reason) => Tried::failed(StepFailure::new(FailureKind::InvalidOutput, reason)),
                            Ok(events) => self.succeeded(&mut end.record, output, &events),
                        }
                    }
                },
            },
        };
        let tried = manner.writes(tried, &end.record);
        Ok(tried
            .with("effects", serde_json::to_value(&end.record.effects).unwrap_or_default())
            .with("logs", serde_json::to_value(&end.record.log).unwrap_or_default()))
    }

    /// A step that was done, or begun, in a batch with other runs: a replay would take its result, or do that batch again.
    async fn dry_member(&self, row: &EffectRow, input: &str, present: &PresentPlugin, started_at: Timestamp) -> Tried {
        if row.state != EffectState::Done {
            let reason =
                "the step is in doubt in a batch with other runs: a replay would do that same batch again, which a dry run does not try";
            let error = json!({ "kind": "batch-in-doubt", "reason": reason, "details": null });
            return Tried::new(StepStatus::Waiting, "stopped").with("error", error);
        }
        let opening = Opening {
            started_at,
            clock_start: started_at,
            input: input.to_owned(),
            plugin: self.step.plugin.clone(),
            reads: Vec::new(),
            digest: None,
        };
        let mut record = AttemptRecord::of_member(row, &opening, BatchWrite::shown(row, row.state, None, true));
        let CallOutcome::Output { data, events } = together::recorded(row) else { return Tried::new(StepStatus::Waiting, "stopped") };
        let output = match self.output(&data, present.config.limits.output_size) {
            Ok(output) => output,
            Err(reason) => return Tried::failed(StepFailure::new(FailureKind::InvalidOutput, reason)),
        };
        let emitted =
            drive::emitted(&self.runtime, &self.run, &self.step.name, &self.places.attempt, &present.config, &row.key, &events).await;
        let tried = match emitted {
            Err(reason) => Tried::failed(StepFailure::new(FailureKind::InvalidOutput, reason)),
            Ok(events) => self.succeeded(&mut record, output, &events),
        };
        tried.with("effects", serde_json::to_value(&record.effects).unwrap_or_default())
    }

    /// A step of the host's own: a wait is passed over, and anything else stops at its first write, as a plugin does.
    async fn try_own_dry(&self, input: String, manner: &Manner) -> Result<Tried, StoreError> {
        if let Err(failure) = self.fits_own(&input).await {
            return Ok(Tried::failed(failure));
        }
        let started_at = self.runtime.clock.now();
        if self.step.action == builtin::WAIT {
            let parsed = serde_json::from_str(&input).unwrap_or(Value::Null);
            return Ok(match Pause::of(&parsed, started_at) {
                Ok(_) => Tried::new(StepStatus::Waiting, "stopped")
                    .with("error", json!({ "kind": "waits", "reason": "the run would wait here", "details": null })),
                Err(why) => Tried::failed(StepFailure::new(FailureKind::InvalidInput, why)),
            });
        }
        let line = &manner.line;
        let then = self.runtime.store.journal(line, &self.run.id, &self.step.name, self.round, builtin::NAME).await?;
        let snapshot = if self.run.root == *line { then.clone() } else { JournalSnapshot::default() };
        let conduct = Conduct::Dry(Reads::Live, manner.answers());
        let OwnCall { result, mut record, emitted } = self.call_own(input, snapshot, conduct, started_at).await;
        let tried = match result {
            Ok(output) => self.succeeded(&mut record, output, &emitted),
            Err(Stop::Broken(Break::Dry(DryStop::Write(write)))) => stopped(&write, &then),
            Err(stop) => Tried::failed(own::failure(stop)),
        };
        let tried = manner.writes(tried, &record);
        Ok(tried
            .with("effects", serde_json::to_value(&record.effects).unwrap_or_default())
            .with("logs", serde_json::to_value(&record.log).unwrap_or_default()))
    }

    fn succeeded(&self, record: &mut AttemptRecord, output: Value, events: &[NewEvent]) -> Tried {
        let failure = outputs::unrepeated(self.step.journal.on_unrepeated, record);
        record.effects.append(&mut record.unrepeated);
        let mut tried = failure.map_or_else(|| Tried::new(StepStatus::Succeeded, "succeeded"), Tried::failed);
        if tried.status == StepStatus::Succeeded {
            tried.output = Some(Arc::new(output));
        }
        let shown = events.iter().map(|event| {
            let body: Value = serde_json::from_str(&event.body).unwrap_or_default();
            json!({ "event": body, "routes": event.runs.iter().map(|run| run.route.as_str()).collect::<Vec<_>>() })
        });
        let shown = Value::Array(shown.collect());
        tried.with("events", shown)
    }
}

impl Manner {
    fn answers(&self) -> Arc<Vec<Sample>> {
        self.given.as_ref().map(|given| given.answers.clone()).unwrap_or_default()
    }

    /// All writes of a step of a try-out, those that were given an answer with it.
    fn writes(&self, tried: Tried, record: &AttemptRecord) -> Tried {
        if self.given.is_none() {
            return tried;
        }
        let answered = record.sampled.iter().map(|sampled| {
            let mut write = request(&sampled.write);
            write["answer"] = json!({ "status": sampled.response.status, "body": shown_body(&sampled.response.body) });
            write
        });
        let last = tried.shown.get("would_send").cloned().map(|mut write| {
            write["answer"] = Value::Null;
            write
        });
        let writes = Value::Array(answered.chain(last).collect());
        tried.with("writes", writes)
    }
}

/// A write as people see it, without any credential.
fn request(write: &WouldSend) -> Value {
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    let headers: Vec<Value> = write.headers.iter().map(|(name, value)| json!([name, text(value)])).collect();
    json!({
        "method": write.method,
        "url": write.url,
        "headers": headers,
        "body": shown_body(&write.body),
        "name": write.name,
        "key": write.key,
    })
}

/// The first write without an answer, and how it differs from what was sent then.
fn stopped(write: &WouldSend, then: &JournalSnapshot) -> Tried {
    let difference = counterpart(write, &then.effects).map(|row| difference(row, write)).unwrap_or_default();
    let tried = match &write.diverged {
        Some(why) => Tried::failed(StepFailure::new(FailureKind::Diverged, why.clone())),
        None => Tried::new(StepStatus::Waiting, "stopped"),
    };
    tried.with("would_send", request(write)).with("difference", difference)
}
