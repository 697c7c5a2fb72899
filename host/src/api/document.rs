//! The event document: an event with its runs, their steps, attempts and effects.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Problem;
use super::redaction::{Redaction, Sees};
use crate::config::Route;
use crate::run::{RunState, StepState, StepStatus, Wait, WaitFor};
use crate::runtime::Runtime;
use crate::store::{AttemptRow, EffectRow, EventRow, RunRow, StepRow};

/// The whole document of an event, as somebody sees it.
pub async fn event_document(runtime: &Runtime, eid: &str, sees: &Sees) -> Result<Value, Problem> {
    let event = runtime.store.event(eid).await?.ok_or_else(|| Problem::not_found(format!("there is no event {eid}")))?;
    let runs = runtime.store.runs(eid).await?;
    let mut document = whole_document(runtime, &event, &runs).await?;
    redacted(&Redaction::of(runtime, &document["event"], &runs, sees).await?, &mut document);
    Ok(document)
}

/// The same with nothing hidden.
pub(super) async fn whole_document(runtime: &Runtime, event: &EventRow, runs: &[RunRow]) -> Result<Value, Problem> {
    let mut document = summary(event, runs);
    let mut shown = Vec::new();
    for run in runs {
        let route = runtime.revision(run.revision).await.ok().and_then(|revision| revision.route(&run.route).cloned());
        let steps = runtime.store.steps(&run.id).await?;
        let attempts = runtime.store.attempts(&run.id).await?;
        let effects = runtime.store.effects_of(&run.id).await?;
        let mut json = run_json(run, route.as_deref(), &steps, &attempts, &effects);
        queue(runtime, run, &mut json).await?;
        held(runtime, run, &mut json).await?;
        waits(runtime, run, &mut json).await?;
        shown.push(json);
    }
    document["runs"] = Value::Array(shown);
    explain(&mut document);
    Ok(document)
}

/// Who holds the order key that a run waits for, and how many wait behind one that holds its own.
pub(super) async fn queue(runtime: &Runtime, run: &RunRow, json: &mut Value) -> Result<(), Problem> {
    if run.is_queued() {
        if let Some(holder) = runtime.store.key_holder(&run.id).await? {
            json["status_reason"] = json!(format!("waits behind run {} of event {}, which is {}", holder.run, holder.eid, holder.status));
            json["waits_behind"] = json!({ "run": holder.run, "eid": holder.eid, "status": holder.status });
        }
    } else if run.order_key.is_some() && (run.ended_at.is_none() || run.keeps_key()) {
        json["waiting_behind"] = json!(runtime.store.waiting_behind(&run.id).await?);
        json["keeps_key"] = json!(run.keeps_key());
    }
    Ok(())
}

/// The writes that a person has to decide on, with each step or undo that is held for them.
async fn held(runtime: &Runtime, run: &RunRow, json: &mut Value) -> Result<(), Problem> {
    for step in json["steps"].as_array_mut().into_iter().flatten() {
        step["held"] = held_of(runtime, run, step).await?;
        if step["undo"]["name"].is_string() {
            step["undo"]["held"] = held_of(runtime, run, &step["undo"]).await?;
        }
    }
    Ok(())
}

/// What the steps of a run that wait for an event wait for.
async fn waits(runtime: &Runtime, run: &RunRow, json: &mut Value) -> Result<(), Problem> {
    if run.ended_at.is_some() || !json["steps"].as_array().into_iter().flatten().any(|step| step["waits"]["events"].is_array()) {
        return Ok(());
    }
    let waits = runtime.store.waits(&run.id).await?;
    for step in json["steps"].as_array_mut().into_iter().flatten() {
        let own = waits.iter().find(|wait| step["name"] == wait.step.as_str());
        if let (Some(wait), true) = (own, step["waits"].is_object()) {
            step["waits"]["where"] = json!(wait.condition);
            step["waits"]["where_failed_for"] = json!(wait.failed);
        }
    }
    Ok(())
}

async fn held_of(runtime: &Runtime, run: &RunRow, task: &Value) -> Result<Value, Problem> {
    if task["held"] != true || run.ended_at.is_some() {
        return Ok(json!([]));
    }
    let doubts = runtime.store.doubts(&run.root, task["name"].as_str().unwrap_or("")).await?;
    let shown = doubts.iter().map(|effect| {
        json!({
            "seq": effect.seq,
            "attempt": effect.attempt,
            "run": effect.run,
            "name": effect.name,
            "key": effect.key,
            "method": effect.method,
            "url": effect.url,
        })
    });
    Ok(shown.collect())
}

/// An event that is pending says what its runs wait for.
pub(super) fn explain(document: &mut Value) {
    if document["status"] == "pending" && document["status_reason"].is_null() {
        let run =
            document["runs"].as_array().into_iter().flatten().find(|run| run["status"] == "pending" && run["status_reason"].is_string());
        if let Some(run) = run {
            let reason = format!("{}: {}", run["route"].as_str().unwrap_or(""), run["status_reason"].as_str().unwrap_or(""));
            document["status_reason"] = json!(reason);
        }
    }
}

/// Hides in an event's document or summary what its routes hide; its identity stays.
pub(super) fn redacted(redaction: &Redaction, document: &mut Value) {
    redaction.hide_in_event(&mut document["event"]);
    redaction.hide(&mut document["status_reason"]);
    redaction.hide_in_document(&mut document["runs"]);
}

/// An event as lists show it: without steps.
pub(super) fn summary(event: &EventRow, runs: &[RunRow]) -> Value {
    let body: Value = serde_json::from_str(&event.body).unwrap_or(Value::Null);
    let cause: Option<Value> = event.cause.as_deref().and_then(|cause| serde_json::from_str(cause).ok());
    let (status, reason) = event_status(runs);
    let runs: Vec<Value> = runs
        .iter()
        .map(|run| json!({ "id": run.id, "route": run.route, "status": run.status, "status_reason": run.status_reason, "replay_of": run.replay_of }))
        .collect();
    json!({
        "eid": event.eid,
        "event": body,
        "status": status,
        "status_reason": reason,
        "cause": cause,
        "received_at": event.received_at.to_string(),
        "erased_at": event.erased_at.map(|time| time.to_string()),
        "runs": runs,
    })
}

/// `unrouted`; while any run has not ended `running`, else `waiting`, else `pending`; then `dead`, `cancelled`, `succeeded`. Of every line the newest
/// run counts.
fn event_status(runs: &[RunRow]) -> (&'static str, Option<String>) {
    let newest: Vec<&RunRow> = runs.iter().filter(|run| !run.superseded).collect();
    if newest.is_empty() {
        return ("unrouted", Some("no route wants it".to_owned()));
    }
    for status in ["running", "waiting", "pending", "dead", "cancelled"] {
        if let Some(run) = newest.iter().find(|run| run.status == status) {
            return (status, run.status_reason.as_ref().map(|reason| format!("{}: {reason}", run.route)));
        }
    }
    ("succeeded", None)
}

fn run_json(run: &RunRow, route: Option<&Route>, steps: &[StepRow], attempts: &[AttemptRow], effects: &[EffectRow]) -> Value {
    let state: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    let state = state.or_else(|| route.map(|route| RunState::new(route, run.created_at)));
    let inputs: BTreeMap<&str, &StepRow> = steps.iter().map(|step| (step.name.as_str(), step)).collect();
    let states = state.map(|state| state.steps).unwrap_or_default();
    let shown: Vec<Value> = states
        .iter()
        .map(|step| {
            let mut shown = step_json(step, &inputs, run, attempts, effects);
            shown["undo"] = match &step.undo {
                Some(undo) => step_json(undo, &inputs, run, attempts, effects),
                None if step.stays => {
                    json!({ "status": "none", "error": { "kind": "unavailable", "reason": format!("{} declares no undo action; its effects stay", step.uses), "details": null } })
                }
                None => Value::Null,
            };
            shown
        })
        .collect();
    let next = (run.status == "pending").then_some(run.due_at).flatten();
    json!({
        "id": run.id,
        "route": run.route,
        "status": run.status,
        "status_reason": run.status_reason,
        "revision": run.revision,
        "root": run.root,
        "replay_of": run.replay_of,
        "undone": run.undone,
        "order_key": run.order_key,
        "created_at": run.created_at.to_string(),
        "ended_at": run.ended_at.map(|time| time.to_string()),
        "next_attempt_at": next.map(|time| time.to_string()),
        "steps": shown,
    })
}

/// A step, or the undo of one.
fn step_json(step: &StepState, rows: &BTreeMap<&str, &StepRow>, run: &RunRow, attempts: &[AttemptRow], effects: &[EffectRow]) -> Value {
    let parsed = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    let row = rows.get(step.name.as_str());
    let attempts: Vec<Value> =
        attempts.iter().filter(|attempt| attempt.step == step.name).map(|attempt| attempt_json(attempt, effects)).collect();
    // The state is settled after an attempt: one that has a record without an outcome is under way.
    let under_way = run.status == "running" && attempts.last().is_some_and(|attempt| attempt["outcome"].is_null());
    let status = if under_way { StepStatus::Running } else { step.status };
    json!({
        "name": step.name,
        "uses": step.uses,
        "status": status.as_str(),
        "input": parsed(row.and_then(|row| row.input.as_ref())),
        "output": parsed(row.and_then(|row| row.output.as_ref())),
        "error": step.error.as_ref().map(|error| json!({ "kind": error.kind.as_str(), "reason": error.reason, "details": error.details })),
        "next_attempt_at": step.due.filter(|_| step.status == StepStatus::Pending).map(|due| due.to_string()),
        "held": !step.held.is_empty(),
        "waits": step.wait.as_ref().filter(|_| step.is_asleep()).map(wait_json),
        "round": step.round,
        "rounds": step.rounds(),
        "exhausted": step.exhausted,
        "stopped_by": step.stopped_by,
        "undo": null,
        "attempts": attempts,
    })
}

/// What a step waits for by design.
fn wait_json(wait: &Wait) -> Value {
    json!({
        "since": wait.since.to_string(),
        "until": wait.until.map(|until| until.to_string()),
        "events": (!wait.events.is_empty()).then_some(&wait.events),
        "for": match wait.what {
            WaitFor::End => "end",
            WaitFor::Round => "round",
            WaitFor::Start => "start",
        },
    })
}

fn attempt_json(attempt: &AttemptRow, effects: &[EffectRow]) -> Value {
    let parsed = |text: Option<&String>| text.and_then(|text| serde_json::from_str::<Value>(text).ok());
    // Before its end an attempt has no record of its own: then the journal knows its writes.
    let rows: Vec<&EffectRow> = effects
        .iter()
        .filter(|effect| effect.id.step == attempt.step && effect.attempt == attempt.number && effect.run == attempt.run)
        .collect();
    let mut shown =
        parsed(attempt.effects.as_ref()).unwrap_or_else(|| Value::Array(rows.iter().map(|row| crate::worker::shown_row(row)).collect()));
    for effect in shown.as_array_mut().into_iter().flatten() {
        if let Some(row) = rows.iter().find(|row| row.decided.is_some() && effect["seq"] == row.seq) {
            effect["decided"] = json!(row.decided);
        }
    }
    json!({
        "number": attempt.number,
        "started_at": attempt.started_at.to_string(),
        "duration_ms": attempt.duration_ms,
        "outcome": attempt.outcome,
        "error": parsed(attempt.error.as_ref()),
        "logs": parsed(attempt.logs.as_ref()).unwrap_or_else(|| json!([])),
        "effects": shown,
        "digest": attempt.digest,
    })
}
