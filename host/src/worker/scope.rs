//! What expressions of a step see.

use std::sync::Arc;

use serde_json::{Value, json};

use super::step::StepInputs;
use crate::mapping::{Evaluator, Expr, Scope, TooDeep};
use crate::run::StepState;

/// `.event`, `.run.id`, `.steps`.
pub(super) fn of(run: &str, inputs: &StepInputs) -> Result<Scope, TooDeep> {
    let mut scope = Scope::new();
    scope.set(&["event"], &inputs.event)?;
    scope.set(&["run", "id"], &json!(run))?;
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
    let until = until.clone();
    let over = evaluator.run(move |session| session.truth(&until, &scope)).await;
    over.map_err(|error| format!("`until` failed: {}", crate::telemetry::chain(&error)))
}
