//! What expressions of a step see.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};

use super::step::StepInputs;
use crate::mapping::{EvalError, Evaluator, Expr, Overrun, Plain, Scope, TooDeep, member};
use crate::run::StepState;

/// How often an expression is asked again that ran out of time.
const AGAIN: u32 = 5;
/// Pause before that.
const AGAIN_AFTER: Duration = Duration::from_millis(300);

/// What expressions of all steps of a run see: made when the first one is interpreted.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen(Arc<Mutex<Made>>);

#[derive(Debug, Default)]
struct Made {
    scope: Option<Scope>,
    /// Whether it can be made, once somebody has asked.
    admits: Option<Result<(), TooDeep>>,
}

impl Seen {
    /// `.event`, `.run.id`.
    fn of(&self, run: &str, event: &Value) -> Result<Scope, TooDeep> {
        let mut made = self.made();
        if let Some(scope) = &made.scope {
            return Ok(scope.clone());
        }
        let mut scope = Scope::new();
        scope.set(&["event"], event)?;
        scope.set(&["run", "id"], &json!(run))?;
        Ok(made.scope.insert(scope).clone())
    }

    /// Whether that can be made.
    fn admits(&self, event: &Value) -> Result<(), TooDeep> {
        *self.made().admits.get_or_insert_with(|| Scope::admits(1, event))
    }

    fn made(&self) -> MutexGuard<'_, Made> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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

/// What a path of names leads to in what [`of`] gives; `None`: that is more than is looked up here.
pub(super) fn found<'i>(run: &str, inputs: &'i StepInputs, path: &[String]) -> Option<Cow<'i, Value>> {
    match path {
        [first, names @ ..] if first == "event" => member(&inputs.event, names).map(Cow::Borrowed),
        [first, second] if first == "run" && second == "id" => Some(Cow::Owned(json!(run))),
        [first, step, third, names @ ..] if first == "steps" && third == "output" => {
            let output = inputs.outputs.get(step).filter(|_| inputs.steps.iter().any(|state| state.name == *step));
            output.map_or(Some(Cow::Owned(Value::Null)), |output| member(output, names).map(Cow::Borrowed))
        }
        _ => None,
    }
}

/// Whether [`of`] could be made.
pub(super) fn admits(inputs: &StepInputs) -> Result<(), TooDeep> {
    inputs.seen.admits(&inputs.event)?;
    inputs.steps.iter().try_for_each(|state| {
        inputs.outputs.get(&state.name).map_or(Ok(()), |output| Scope::admits(3, output))?;
        let details = state.error.as_ref().and_then(|error| error.details.as_ref());
        details.map_or(Ok(()), |details| Scope::admits(4, details))
    })
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::value::to_raw_value;

    use super::*;
    use crate::mapping::{Limits, Lookup, Template, evaluate};
    use crate::run::{FailureKind, StepFailure};

    /// A step whose only step before has this output.
    fn inputs(event: Value, output: &Value) -> StepInputs {
        let case = json!({ "name": "case", "uses": "crm.resolve", "status": "succeeded", "tries": 1, "used": 1 });
        let outputs = [("case", output), ("case/undo", output)].map(|(name, output)| (name.to_owned(), Arc::new(output.clone())));
        StepInputs {
            event_text: to_raw_value(&event).expect("JSON").into(),
            event: Arc::new(event),
            seen: Seen::default(),
            steps: vec![serde_json::from_value(case).expect("a step")],
            outputs: BTreeMap::from(outputs),
            stored: None,
        }
    }

    /// What a template gives, by the interpreter and looked up; `None`: it is not looked up.
    fn both(template: &Template, inputs: &StepInputs) -> Option<[Result<Value, String>; 2]> {
        let find = |path: &[String]| found("r", inputs, path);
        let found = template.looked_up(&mut Lookup::new(&find))?;
        Some([interpreted(template, inputs), admits(inputs).map(|()| found).map_err(|error| error.to_string())])
    }

    fn interpreted(template: &Template, inputs: &StepInputs) -> Result<Value, String> {
        let value =
            |scope: Scope| evaluate(&Limits::default(), |session| session.template(template, &scope)).map_err(|error| error.to_string());
        of("r", inputs).map_err(|error| error.to_string()).and_then(value)
    }

    #[test]
    fn what_paths_of_names_lead_to_is_what_the_interpreter_finds() {
        let event: Value = serde_json::from_str(
            r#"{ "id": "e", "data": { "big": 12345678901234567890123, "exact": 10.10, "none": null, "list": [1, { "a": 2 }], "name": "Ada", "of": { "a": 1 }, "yes": true, "no": false } }"#,
        )
        .expect("JSON");
        let inputs = inputs(event, &json!({ "id": 5, "body": { "id": "x", "parts": [] } }));
        for seen in [
            "${ .event }",
            "${ .event.id }",
            "${ .event.data }",
            "${ .event.data.big } and ${ .event.data.exact }",
            "${ .event.data.exact }",
            "${ .event.data.none.deeper }",
            "${ .event.data.list }",
            "${ .event.data.of.a }, ${ .event.data.of.b }, ${ .event.data.yes }, ${ .event.data.no }",
            "${ .event.missing.altogether }: ${ .event.data.name }",
            "${ .run.id }",
            "${ .steps.case.output }",
            "${ .steps.case.output.body.id } ${ .steps.case.output.id }",
            "${ .steps.other.output.id }",
            "${ .steps.\"case/undo\".output.id }",
            "no expression",
        ] {
            let template = Template::compile(&json!({ "text": seen, "beside": { "name": "${ .event.data.name }" } })).expect("a template");
            let [interpreted, found] = both(&template, &inputs).unwrap_or_else(|| panic!("{seen} is not looked up"));
            assert_eq!(found, interpreted, "{seen}");
        }
        for other in [
            "${ .steps }",
            "${ .steps.case.status }",
            "${ .run }",
            "${ . }",
            "${ .round }",
            "${ .event.data.list[0] }",
            "${ .event | .id }",
            "${ .event.data.list.name }",
            "${ .event.data.name.first }",
            "${ .event.data.name.first? }",
            "${ .steps.case.output.id.deeper }",
            "the whole: ${ .event.data.of }",
        ] {
            let template = Template::compile(&json!(other)).expect("a template");
            assert_eq!(both(&template, &inputs), None, "{other}");
        }
    }

    #[test]
    fn what_is_nested_too_deeply_is_refused_even_where_nobody_looks() {
        let nested = |levels: usize| (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]));
        let template = Template::compile(&json!("${ .event.id }")).expect("a template");
        for (event, output) in [(Limits::DEPTH - 2, 1), (Limits::DEPTH - 1, 1), (1, Limits::DEPTH - 3), (1, Limits::DEPTH - 2)] {
            let inputs = inputs(json!({ "id": "e", "data": nested(event) }), &nested(output));
            let [interpreted, found] = both(&template, &inputs).expect("it is looked up");
            assert_eq!(found, interpreted, "{event} {output}");
        }
        for (details, fits) in [(Limits::DEPTH - 4, true), (Limits::DEPTH - 3, false)] {
            let mut inputs = inputs(json!({ "id": "e" }), &json!(1));
            let failure = StepFailure::new(FailureKind::Rejected, "why");
            inputs.steps[0].error = Some(StepFailure { details: Some(nested(details)), ..failure });
            let [interpreted, found] = both(&template, &inputs).expect("it is looked up");
            assert_eq!((found.is_ok(), &found), (fits, &interpreted), "{details}");
        }
    }

    #[test]
    fn what_is_long_is_left_to_the_interpreter() {
        let length = |length: usize| inputs(json!({ "id": "e", "data": "a".repeat(length) }), &json!(1));
        for template in ["${ .event.data }", "text: ${ .event.data }", "${ .event }"] {
            let template = Template::compile(&json!({ "is": template })).expect("a template");
            assert!(both(&template, &length(1000)).is_some_and(|[interpreted, found]| interpreted == found));
            assert_eq!(both(&template, &length(20_000)), None);
        }
        let when = Expr::compile(".event.data").expect("an expression");
        for (bytes, truth) in [(1000, Some(true)), (20_000, None)] {
            let inputs = length(bytes);
            let find = |path: &[String]| found("r", &inputs, path);
            assert_eq!(Lookup::new(&find).truth(&when), truth);
        }
    }
}
