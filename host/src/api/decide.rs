//! A person says whether a write in doubt was done.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::Problem;
use super::dead_letter_form::DecidedWrite;
use super::order::Order;
use crate::audit::{Action, By};
use crate::run::RunState;
use crate::runtime::Runtime;
use crate::store::{Decision, DecisionRefused, DoubtId};

/// Body of the request.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WriteDecision")]
pub(super) struct Said {
    outcome: Outcome,
    /// Of what was done: what the system answered, which the journal answers from then on.
    response: Option<Response>,
    /// The attempt that sent it, where several did.
    attempt: Option<u32>,
    /// The key that it was shown with: refused if it has another by now.
    key: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[schemars(rename = "DecidedOutcome")]
enum Outcome {
    Done,
    NotDone,
}

/// What the system answered, or would have.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "DecidedResponse")]
struct Response {
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: Map<String, Value>,
    #[serde(default)]
    body: Value,
}

const fn ok() -> u16 {
    200
}

pub(super) async fn decide(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path((id, step, seq)): Path<(String, String, u32)>,
    Order(said): Order<Said>,
) -> Result<Json<DecidedWrite>, Problem> {
    let (attempt, key) = (said.attempt, said.key.clone());
    let decision = decision(said)?;
    let run = runtime.store.run(&id).await?.ok_or_else(|| Problem::not_found(format!("there is no run {id}")))?;
    if run.ended_at.is_some() {
        return Err(refused(&DecisionRefused::Ended(id)));
    }
    let state: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    let state = state.ok_or_else(|| Problem::conflict(format!("run {id} has not begun; none of its steps is held")))?;
    let known = state.named(&step).and_then(|task| state.task(task));
    let known = known.ok_or_else(|| Problem::not_found(format!("run {id} has no step {step:?}")))?;
    if known.held.is_empty() {
        return Err(Problem::conflict(format!("step {step} is {}, not held; there is nothing to decide", known.status.as_str())));
    }
    let doubt = DoubtId { run: id, root: run.root, step, seq, attempt, key };
    let outcome = if decision == Decision::NotDone { "not-done" } else { "done" };
    let act =
        by.did(Action::WriteDecided, doubt.run.as_str()).with("step", doubt.step.as_str()).with("effect", seq).with("outcome", outcome);
    let effect = runtime.store.decide(doubt.clone(), decision, act, runtime.clock.now()).await?.map_err(|refusal| refused(&refusal))?;
    tracing::info!(run = doubt.run, step = doubt.step, seq, state = effect.state.as_str(), "a person decided on a write in doubt");
    runtime.due.notify_one();
    let left = runtime.store.doubts(&doubt.root, &doubt.step).await?.len();
    Ok(Json(DecidedWrite { run: doubt.run, step: doubt.step, seq, key: effect.key, left }))
}

fn refused(refusal: &DecisionRefused) -> Problem {
    match refusal {
        DecisionRefused::Unknown { .. } => Problem::not_found(refusal.to_string()),
        _ => Problem::conflict(refusal.to_string()),
    }
}

fn decision(said: Said) -> Result<Decision, Problem> {
    let response = match (said.outcome, said.response) {
        (Outcome::NotDone, None) => return Ok(Decision::NotDone),
        (Outcome::NotDone, Some(_)) => return Err(Problem::bad_request("what was not done has no response")),
        (Outcome::Done, response) => response.unwrap_or(Response { status: ok(), headers: Map::new(), body: Value::Null }),
    };
    if !(200..400).contains(&response.status) {
        let why = format!(
            "response.status {} does not say that it was done; write one from 200 to 399, or the outcome not-done",
            response.status
        );
        return Err(Problem::bad_request(why));
    }
    let mut headers = Vec::new();
    for (name, value) in &response.headers {
        let value =
            value.as_str().ok_or_else(|| Problem::bad_request(format!("response.headers: the value of {name:?} is not a string")))?;
        headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let body = match response.body {
        Value::Null => Vec::new(),
        Value::String(text) => text.into_bytes(),
        other => other.to_string().into_bytes(),
    };
    Ok(Decision::Done { status: response.status, headers: serde_json::to_string(&headers).unwrap_or_default(), body })
}
