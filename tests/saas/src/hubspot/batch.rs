//! Batches of up to a hundred inputs.
//!
//! Without `objectWriteTraceId` a batch of writes is done whole or not at all; where every input has one, each stands for
//! itself and failures are listed in a 207, as are ids that are not there.

use std::collections::HashSet;

use axum::http::StatusCode;
use serde_json::{Value, json};

use super::kind::Kind;
use super::portal::{Portal, stamp};
use super::refusal::Refusal;

const MAX_INPUTS: usize = 100;

/// Successes and failures so far.
#[derive(Default)]
struct Outcome {
    results: Vec<Value>,
    errors: Vec<Value>,
}

/// Does a batch; answers status and body.
pub(super) fn batch(portal: &mut Portal, kind: Kind, verb: &str, body: &Value) -> Result<(StatusCode, Value), Refusal> {
    let inputs = body["inputs"].as_array().ok_or_else(|| Refusal::invalid("Invalid input JSON: inputs is not set"))?;
    if inputs.is_empty() || inputs.len() > MAX_INPUTS {
        return Err(Refusal::invalid(format!("The batch size of {} is not between 1 and {MAX_INPUTS}", inputs.len())));
    }
    let outcome = match verb {
        "create" => writes(portal, inputs, |portal, input| {
            let draft = portal.draft(kind, input)?;
            Ok(portal.create(draft).whole())
        })?,
        "update" => {
            distinct(inputs)?;
            let (known, missing) = split(portal, kind, inputs, None)?;
            let mut outcome = writes(portal, &known, |portal, input| update(portal, kind, input))?;
            outcome.errors.extend(absent(kind, &missing));
            outcome
        }
        "upsert" => {
            distinct(inputs)?;
            writes(portal, inputs, |portal, input| upsert(portal, kind, input))?
        }
        "read" => read(portal, kind, inputs, body)?,
        "archive" => {
            for id in inputs.iter().filter_map(|input| id_of(input)?.parse().ok()) {
                portal.archive(kind, id);
            }
            return Ok((StatusCode::NO_CONTENT, Value::Null));
        }
        _ => return Err(Refusal::no_such_path()),
    };
    let good = if verb == "create" { StatusCode::CREATED } else { StatusCode::OK };
    Ok(outcome.answer(good))
}

impl Outcome {
    fn answer(self, good: StatusCode) -> (StatusCode, Value) {
        let now = stamp(jiff::Timestamp::now());
        let mut body = json!({ "status": "COMPLETE", "results": self.results, "startedAt": now, "completedAt": now });
        if self.errors.is_empty() {
            return (good, body);
        }
        body["numErrors"] = json!(self.errors.len());
        body["errors"] = json!(self.errors);
        (StatusCode::MULTI_STATUS, body)
    }
}

/// Writes each input. A failure undoes the whole batch, unless every input can be told apart by its trace id.
fn writes(
    portal: &mut Portal,
    inputs: &[Value],
    mut write: impl FnMut(&mut Portal, &Value) -> Result<Value, Refusal>,
) -> Result<Outcome, Refusal> {
    let traced = inputs.iter().all(|input| input["objectWriteTraceId"].is_string());
    // A write that fails has changed nothing, so a single one needs no way back.
    let mut before = (!traced && inputs.len() > 1).then(|| portal.clone());
    let mut outcome = Outcome::default();
    for input in inputs {
        match write(portal, input) {
            Ok(mut result) => {
                if let Some(trace) = input["objectWriteTraceId"].as_str() {
                    result["objectWriteTraceId"] = json!(trace);
                }
                outcome.results.push(result);
            }
            Err(refusal) if traced => {
                let trace = input["objectWriteTraceId"].as_str().unwrap_or_default();
                outcome.errors.push(refusal.context("objectWriteTraceId", [trace]).entry());
            }
            Err(refusal) => {
                if let Some(before) = before.take() {
                    *portal = before;
                }
                return Err(refusal);
            }
        }
    }
    Ok(outcome)
}

fn update(portal: &mut Portal, kind: Kind, input: &Value) -> Result<Value, Refusal> {
    let id = portal.find(kind, &id_of(input).unwrap_or_default(), input["idProperty"].as_str())?.id;
    let values = portal.check_change(kind, id, input)?;
    Ok(portal.apply(kind, id, values).whole())
}

/// Updates the record that holds the value, or creates one with it.
fn upsert(portal: &mut Portal, kind: Kind, input: &Value) -> Result<Value, Refusal> {
    let id = id_of(input).ok_or_else(|| Refusal::invalid("Invalid input JSON: id is not set"))?;
    let found = match portal.find(kind, &id, input["idProperty"].as_str()) {
        Ok(record) => Some(record.id),
        Err(refusal) if refusal.is_not_found() => None,
        Err(refusal) => return Err(refusal),
    };
    let (mut result, new) = match (found, input["idProperty"].as_str()) {
        (Some(found), _) => {
            let values = portal.check_change(kind, found, input)?;
            (portal.apply(kind, found, values).whole(), false)
        }
        (None, None | Some("hs_object_id")) => return Err(Refusal::not_found(&id)),
        (None, Some(name)) => {
            let mut input = input.clone();
            if !input["properties"].is_object() {
                input["properties"] = json!({});
            }
            input["properties"][name] = json!(id);
            let draft = portal.draft(kind, &input)?;
            (portal.create(draft).whole(), true)
        }
    };
    result["new"] = json!(new);
    Ok(result)
}

fn read(portal: &Portal, kind: Kind, inputs: &[Value], body: &Value) -> Result<Outcome, Refusal> {
    let id_property = body["idProperty"].as_str();
    let asked: Vec<&str> = body["properties"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let (known, missing) = split(portal, kind, inputs, id_property)?;
    let mut outcome = Outcome::default();
    for input in &known {
        let record = portal.find(kind, &id_of(input).unwrap_or_default(), id_property)?;
        outcome.results.push(record.public(asked.iter().copied(), asked.is_empty()));
    }
    outcome.errors.extend(absent(kind, &missing));
    Ok(outcome)
}

/// Splits inputs into those whose record is there and the ids of the others.
fn split(portal: &Portal, kind: Kind, inputs: &[Value], id_property: Option<&str>) -> Result<(Vec<Value>, Vec<String>), Refusal> {
    let (mut known, mut missing) = (Vec::new(), Vec::new());
    for input in inputs {
        let id = id_of(input).ok_or_else(|| Refusal::invalid("Invalid input JSON: id is not set"))?;
        match portal.find(kind, &id, id_property.or(input["idProperty"].as_str())) {
            Ok(_) => known.push(input.clone()),
            Err(refusal) if refusal.is_not_found() => missing.push(id),
            Err(refusal) => return Err(refusal),
        }
    }
    Ok((known, missing))
}

/// The one error that stands for all ids that are not there.
fn absent(kind: Kind, ids: &[String]) -> Option<Value> {
    let message = format!("Could not get some {} objects, they may be deleted or not exist. Check that ids are valid.", kind.shouted());
    let refusal = Refusal::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", message);
    (!ids.is_empty()).then(|| refusal.context("ids", ids.iter().cloned()).entry())
}

fn distinct(inputs: &[Value]) -> Result<(), Refusal> {
    let mut seen = HashSet::new();
    for id in inputs.iter().filter_map(id_of) {
        if !seen.insert(id.to_lowercase()) {
            return Err(Refusal::invalid(format!("Duplicate IDs found in batch input: [{id}]. IDs must be unique")));
        }
    }
    Ok(())
}

fn id_of(input: &Value) -> Option<String> {
    match &input["id"] {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}
