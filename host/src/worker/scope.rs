//! What expressions of a step see.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::step::StepInputs;
use crate::mapping::{EvalError, Evaluator, Expr, Overrun, Plain, Scope, TooDeep};
use crate::run::StepState;

/// How often an expression is asked again that ran out of time.
const AGAIN: u32 = 5;
/// Pause before that.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What expressions of all steps of a run see: made when the first one is evaluated.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Option<Scope>>>);

impl Seen {
    /// `.event`, `.run.id`.
    fn of(&self, run: &str, event: &Value) -> Result<Scope, TooDeep> {
        let mut made = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(scope) = &*made {
            return Ok(scope.clone());
        }
        let mut scope = Scope::new();
        scope.set(&["event"], event)?;
        scope.set(&["run", "id"], &json!(run))?;
        Ok(made.insert(scope).clone())
    }
}

/// `.event`, `.run.id`, `.steps`.
pub(super) fn of(run: &str, inputs: &StepInputs) -> Result<Scope, TooDeep> {
    let mut scope = inputs.seen.of(run, &inputs.event)?;
    scope.set(&["steps"], &json!({}))?;
    for state in &inputs.steps {
        scope.set(&["steps", state.name.as_str()], &step(state))?;
        if let Some(output) = inputs.outputs.get(&state.name) {
            scope.set(&["steps", state.name.as_str(), "output"], output)?;
        }
    }
    Ok(scope)
}

/// `.steps.NAME`, without its output.
pub(super) fn step(state: &StepState) -> Value {
    let error = state.error.as_ref();
    let error = error.map(|error| json!({ "kind": error.kind.as_str(), "reason": error.reason, "details": error.details }));
    let mut shown = json!({ "status": state.status.as_str(), "error": error, "output": null });
    if state.rounds() > 1 || state.exhausted || state.stopped_by.is_some() || state.round > 0 {
        shown["rounds"] = json!(state.rounds());
        shown["exhausted"] = json!(state.exhausted);
        shown["stopped_by"] = json!(state.stopped_by);
    }
    shown
}

/// What a run knows while it waits: `{run: {id, event}, steps}`.
pub(super) fn known(run: &str, inputs: &StepInputs) -> Value {
    let mut steps = serde_json::Map::new();
    for state in &inputs.steps {
        let mut shown = step(state);
        if let Some(output) = inputs.outputs.get(&state.name) {
            shown["output"] = (**output).clone();
        }
        steps.insert(state.name.clone(), shown);
    }
    json!({ "run": { "id": run, "event": *inputs.event }, "steps": steps })
}

/// Whether an expression is true. One that is stopped for its time, or for want of a thread, is asked again a few times: that says something of a busy
/// machine, and what hangs on the answer is not asked twice.
///
/// # Errors
/// Why there is no answer.
pub(super) async fn truth(evaluator: &Evaluator, expression: &Arc<Expr>, scope: &Arc<Scope>) -> Result<bool, EvalError> {
    let mut times = 0;
    loop {
        let (expression, scope) = (expression.clone(), scope.clone());
        let plain = Plain::of(&scope).expr(Some(&expression));
        match evaluator.run_as(plain, move |session| session.truth(&expression, &scope)).await {
            Err(EvalError::Overrun(Overrun::Time) | EvalError::Thread(_)) if times < AGAIN => {
                times += 1;
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            answer => return answer,
        }
    }
}

/// Whether the `until` of a repeated step is true after its round `round`.
///
/// # Errors
/// Why it failed.
pub(super) async fn is_over(
    evaluator: &Evaluator,
    until: &Arc<Expr>,
    run: &str,
    inputs: &StepInputs,
    output: &Value,
    round: u32,
) -> Result<bool, String> {
    let scope = of(run, inputs).and_then(|mut scope| {
        scope.set(&["output"], output)?;
        scope.set(&["round"], &json!(round))?;
        Ok(scope)
    });
    let scope = scope.map_err(|error| error.to_string())?;
    let over = truth(evaluator, until, &Arc::new(scope)).await;
    over.map_err(|error| format!("`until` failed: {}", crate::telemetry::chain(&error)))
}
