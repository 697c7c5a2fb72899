//! The event document: an event with its runs, their steps, attempts and effects.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::Problem;
use super::event_form::{
    AttemptDocument, Cause, Condition, EventDocument, EventStatus, EventSummary, Failure, HeldWrite, KeyHolder, MissingUndo, RunDocument,
    RunSummary, ShownEvent, StepDocument, Undo, Waits,
};
use super::redaction::{Redaction, Sees};
use super::shown::{Stored, Time};
use crate::config::Route;
use crate::run::{RunState, StepState, StepStatus};
use crate::runtime::Runtime;
use crate::store::{AttemptRow, EffectRow, EventRow, RunRow, StepRow, WaitShown};
use crate::worker::shown_row;

/// The whole document of an event, as somebody sees it.
pub async fn event_document(runtime: &Runtime, eid: &str, sees: &Sees) -> Result<Value, Problem> {
    let event = runtime.store.event(eid).await?.ok_or_else(|| Problem::not_found(format!("there is no event {eid}")))?;
    let runs = runtime.store.runs(eid).await?;
    let mut document = json!(whole_document(runtime, &event, &runs).await?);
    redacted(&Redaction::of(runtime, &document["event"], &runs, sees).await?, &mut document);
    Ok(document)
}

/// The same with nothing hidden.
pub(super) async fn whole_document(runtime: &Runtime, event: &EventRow, runs: &[RunRow]) -> Result<EventDocument, Problem> {
    let mut shown = Vec::with_capacity(runs.len());
    for run in runs {
        shown.push(run_document(runtime, run).await?);
    }
    let mut event = shown_event(event, runs);
    explain(&mut event, shown.iter().map(|run| (run.status.as_str(), run.route.as_str(), run.status_reason.as_deref())));
    Ok(EventDocument { event, runs: shown })
}

/// An event as lists show it: without steps.
pub(super) async fn summary(runtime: &Runtime, event: &EventRow, runs: &[RunRow]) -> Result<EventSummary, Problem> {
    let mut shown = Vec::with_capacity(runs.len());
    for run in runs {
        let waits_behind = if run.is_queued() { key_holder(runtime, run).await? } else { None };
        shown.push(RunSummary {
            id: run.id.clone(),
            route: run.route.clone(),
            status: run.status.clone(),
            status_reason: waits_behind.as_ref().map(behind).or_else(|| run.status_reason.clone()),
            replay_of: run.replay_of.clone(),
            waits_behind,
        });
    }
    let mut event = shown_event(event, runs);
    explain(&mut event, shown.iter().map(|run| (run.status.as_str(), run.route.as_str(), run.status_reason.as_deref())));
    Ok(EventSummary { event, runs: shown })
}

/// Hides in an event's document or summary what its routes hide; its identity stays.
pub(super) fn redacted(redaction: &Redaction, document: &mut Value) {
    redaction.hide_in_event(&mut document["event"]);
    redaction.hide(&mut document["status_reason"]);
    redaction.hide_in_document(&mut document["runs"]);
}

fn shown_event(event: &EventRow, runs: &[RunRow]) -> ShownEvent {
    let (status, status_reason) = event_status(runs);
    ShownEvent {
        eid: event.eid.clone(),
        event: serde_json::from_str(&event.body).unwrap_or_default(),
        status,
        status_reason,
        cause: event.cause.as_deref().and_then(|cause| serde_json::from_str::<Cause>(cause).ok()),
        received_at: event.received_at.into(),
        erased_at: event.erased_at.map(Time::from),
    }
}

/// An event that is pending says what its runs wait for.
fn explain<'r>(event: &mut ShownEvent, runs: impl Iterator<Item = (&'r str, &'r str, Option<&'r str>)>) {
    if event.status == EventStatus::Pending && event.status_reason.is_none() {
        let mut pending = runs.filter(|(status, ..)| *status == "pending");
        event.status_reason = pending.find_map(|(_, route, reason)| reason.map(|reason| format!("{route}: {reason}")));
    }
}

/// Of every line the newest run counts.
fn event_status(runs: &[RunRow]) -> (EventStatus, Option<String>) {
    const OF_RUNS: [(&str, EventStatus); 5] = [
        ("running", EventStatus::Running),
        ("waiting", EventStatus::Waiting),
        ("pending", EventStatus::Pending),
        ("dead", EventStatus::Dead),
        ("cancelled", EventStatus::Cancelled),
    ];
    let newest: Vec<&RunRow> = runs.iter().filter(|run| !run.superseded).collect();
    if newest.is_empty() {
        return (EventStatus::Unrouted, Some("no route wants it".to_owned()));
    }
    for (of_run, status) in OF_RUNS {
        if let Some(run) = newest.iter().find(|run| run.status == of_run) {
            return (status, run.status_reason.as_ref().map(|reason| format!("{}: {reason}", run.route)));
        }
    }
    (EventStatus::Succeeded, None)
}

/// Who holds the order key that a run waits for.
async fn key_holder(runtime: &Runtime, run: &RunRow) -> Result<Option<KeyHolder>, Problem> {
    let holder = runtime.store.key_holder(&run.id).await?;
    Ok(holder.map(|holder| KeyHolder { run: holder.run, eid: holder.eid, status: holder.status }))
}

fn behind(holder: &KeyHolder) -> String {
    format!("waits behind run {} of event {}, which is {}", holder.run, holder.eid, holder.status)
}

async fn run_document(runtime: &Runtime, run: &RunRow) -> Result<RunDocument, Problem> {
    let route = runtime.revision(run.revision).await.ok().and_then(|revision| revision.route(&run.route).cloned());
    let waits_behind = if run.is_queued() { key_holder(runtime, run).await? } else { None };
    let holds_key = !run.is_queued() && run.order_key.is_some() && (run.ended_at.is_none() || run.keeps_key());
    let waiting_behind = if holds_key { Some(runtime.store.waiting_behind(&run.id).await?) } else { None };
    let next = (run.status == "pending").then_some(run.due_at).flatten();
    Ok(RunDocument {
        id: run.id.clone(),
        route: run.route.clone(),
        status: run.status.clone(),
        status_reason: waits_behind.as_ref().map(behind).or_else(|| run.status_reason.clone()),
        revision: run.revision,
        root: run.root.clone(),
        replay_of: run.replay_of.clone(),
        undone: run.undone,
        order_key: run.order_key.clone(),
        created_at: run.created_at.into(),
        ended_at: run.ended_at.map(Time::from),
        next_attempt_at: next.map(Time::from),
        waits_behind,
        waiting_behind,
        keeps_key: holds_key.then(|| run.keeps_key()),
        steps: steps(runtime, run, route.as_deref()).await?,
    })
}

/// What is known of a run beside its state.
struct Known<'r> {
    run: &'r RunRow,
    rows: BTreeMap<String, StepRow>,
    attempts: Vec<AttemptRow>,
    effects: Vec<EffectRow>,
    /// Of steps that wait for an event.
    waits: Vec<WaitShown>,
}

async fn steps(runtime: &Runtime, run: &RunRow, route: Option<&Route>) -> Result<Vec<StepDocument>, Problem> {
    let state: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    let state = state.or_else(|| route.map(|route| RunState::new(route, run.created_at)));
    let states = state.map(|state| state.steps).unwrap_or_default();
    let is_awaited = |step: &StepState| step.is_asleep() && step.wait.as_ref().is_some_and(|wait| !wait.events.is_empty());
    let awaits = run.ended_at.is_none() && states.iter().any(is_awaited);
    let known = Known {
        run,
        rows: runtime.store.steps(&run.id).await?.into_iter().map(|step| (step.name.clone(), step)).collect(),
        attempts: runtime.store.attempts(&run.id).await?,
        effects: runtime.store.effects_of(&run.id).await?,
        waits: if awaits { runtime.store.waits(&run.id).await? } else { Vec::new() },
    };
    let mut shown = Vec::with_capacity(states.len());
    for step in &states {
        let undo = match &step.undo {
            Some(undo) => Some(Undo::Step(Box::new(known.step(undo, held(runtime, run, undo).await?, None)))),
            None if step.stays => {
                let reason = format!("{} declares no undo action; its effects stay", step.uses);
                Some(Undo::Missing(MissingUndo { status: "none", error: Failure { kind: "unavailable", reason, details: None } }))
            }
            None => None,
        };
        shown.push(known.step(step, held(runtime, run, step).await?, undo));
    }
    Ok(shown)
}

/// The writes that a person has to decide on.
async fn held(runtime: &Runtime, run: &RunRow, step: &StepState) -> Result<Vec<HeldWrite>, Problem> {
    if step.held.is_empty() || run.ended_at.is_some() {
        return Ok(Vec::new());
    }
    let doubts = runtime.store.doubts(&run.root, &step.name).await?.into_iter();
    let shown = doubts.map(|effect| HeldWrite {
        seq: effect.seq,
        attempt: effect.attempt,
        run: effect.run,
        name: effect.name,
        key: effect.key,
        method: effect.method,
        url: effect.url,
    });
    Ok(shown.collect())
}

fn parsed(text: Option<&String>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}

impl Known<'_> {
    /// A step, or the undo of one.
    fn step(&self, step: &StepState, held: Vec<HeldWrite>, undo: Option<Undo>) -> StepDocument {
        let row = self.rows.get(&step.name);
        let attempts: Vec<&AttemptRow> = self.attempts.iter().filter(|attempt| attempt.step == step.name).collect();
        // The state is settled after an attempt: one that has a record without an outcome is under way.
        let under_way = self.run.status == "running" && attempts.last().is_some_and(|attempt| attempt.outcome.is_none());
        let time = |time: Option<Timestamp>| time.map(Time::from);
        StepDocument {
            name: step.name.clone(),
            uses: step.uses.clone(),
            status: if under_way { StepStatus::Running } else { step.status },
            input: parsed(row.and_then(|row| row.input.as_ref())),
            output: parsed(row.and_then(|row| row.output.as_ref())),
            error: step.error.as_ref().map(Failure::from),
            next_attempt_at: time(step.due.filter(|_| step.status == StepStatus::Pending)),
            held,
            waits: self.waits(step),
            round: step.round,
            rounds: step.rounds(),
            exhausted: step.exhausted,
            stopped_by: step.stopped_by.clone(),
            undo,
            attempts: attempts.into_iter().map(|attempt| self.attempt(attempt)).collect(),
        }
    }

    /// What it waits for by design.
    fn waits(&self, step: &StepState) -> Option<Waits> {
        let wait = step.wait.as_ref().filter(|_| step.is_asleep())?;
        let own = self.waits.iter().find(|own| own.step == step.name);
        Some(Waits {
            since: wait.since.into(),
            until: wait.until.map(Time::from),
            events: (!wait.events.is_empty()).then(|| wait.events.clone()),
            leads_to: wait.what,
            condition: own.map(|own| Condition { expression: own.condition.clone(), where_failed_for: own.failed.clone() }),
        })
    }

    fn attempt(&self, attempt: &AttemptRow) -> AttemptDocument {
        // Before its end an attempt has no record of its own: then the journal knows its writes.
        let is_own = |effect: &&EffectRow| effect.id.step == attempt.step && effect.attempt == attempt.number && effect.run == attempt.run;
        let rows: Vec<&EffectRow> = self.effects.iter().filter(is_own).collect();
        let mut effects = match &attempt.effects {
            Some(effects) => parsed(Some(effects)),
            None => rows.iter().map(|row| shown_row(row)).collect(),
        };
        for effect in effects.as_array_mut().into_iter().flatten() {
            if let Some(row) = rows.iter().find(|row| row.decided.is_some() && effect["seq"] == row.seq) {
                effect["decided"] = json!(row.decided);
            }
        }
        let logs = attempt.logs.as_ref().map_or_else(|| json!([]), |logs| parsed(Some(logs)));
        AttemptDocument {
            number: attempt.number,
            started_at: attempt.started_at.into(),
            duration_ms: attempt.duration_ms,
            outcome: attempt.outcome.clone(),
            error: Stored::new(parsed(attempt.error.as_ref())),
            logs: Stored::new(logs),
            effects: Stored::new(effects),
            digest: attempt.digest.clone(),
        }
    }
}
