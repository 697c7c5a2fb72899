//! An expression or a template on what somebody says it would see.

use std::ops::Range;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::mapping::{EvalError, Expr, Scope, Template};
use crate::runtime::{Runtime, order_key};

/// What is asked for.
#[derive(Debug, Clone)]
pub enum Asked {
    /// The value of an expression.
    Expression(String),
    /// Whether a `when` says yes.
    When(String),
    /// The key that an `order-by` gives.
    OrderBy(String),
    /// The value of JSON with `${ … }` in its strings.
    Template(Value),
}

/// What came of it.
#[derive(Debug, Clone)]
pub struct Tested {
    /// Its value.
    pub value: Value,
    /// Of a `when`: whether the event or step is wanted.
    pub truth: Option<bool>,
    /// Of an `order-by`: its key; none where events have no order among one another.
    pub order_key: Option<String>,
    /// What it does although it was probably not meant.
    pub warnings: Vec<String>,
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// It does not compile; otherwise it failed on this sample.
    pub compiles: bool,
    /// JSON pointer to the string of a template.
    pub pointer: String,
    /// Where in the text, from 1; none of a failure.
    pub place: Option<Place>,
    /// What is wrong.
    pub message: String,
}

/// A place in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    /// Characters that are meant, at least 1.
    pub length: usize,
}

/// What runs: compiled.
enum Ready {
    Expression(Arc<Expr>),
    Template(Arc<Template>),
}

/// Tests it. `sees`: `event`, `steps`, `run` and whatever else stands at the top where the expression is to be used.
///
/// # Errors
/// Why there is no value, and where in the text.
pub async fn test(runtime: &Runtime, asked: &Asked, sees: &Map<String, Value>) -> Result<Tested, Trouble> {
    let ready = compiled(asked)?;
    let failed = |message: String| Trouble { compiles: true, pointer: String::new(), place: None, message };
    let scope = Arc::new(scope(sees).map_err(failed)?);
    let value = match ready {
        Ready::Expression(expr) => runtime.evaluator.expr(expr, scope).await,
        Ready::Template(template) => runtime.evaluator.template(template, scope).await,
    };
    let value = value.map_err(|error: EvalError| failed(crate::telemetry::chain(&error)))?;
    let mut tested = Tested { truth: None, order_key: None, warnings: Vec::new(), value };
    match asked {
        Asked::When(text) => {
            tested.truth = Some(!matches!(tested.value, Value::Null | Value::Bool(false)));
            if !tested.value.is_boolean() {
                tested.warnings.push("its value is neither true nor false: all but null and false count as yes, 0 and \"\" too".to_owned());
            }
            warn_of_steps(text, sees, &mut tested.warnings);
        }
        Asked::OrderBy(text) => {
            tested.order_key = order_key(&tested.value).map_err(failed)?;
            if tested.order_key.is_none() {
                tested.warnings.push("its value is null: such events have no order among one another".to_owned());
            }
            warn_of_steps(text, sees, &mut tested.warnings);
        }
        Asked::Expression(_) | Asked::Template(_) => {}
    }
    Ok(tested)
}

/// A route's own expressions are asked before any step has run.
fn warn_of_steps(text: &str, sees: &Map<String, Value>, warnings: &mut Vec<String>) {
    if text.contains(".steps") && !sees.contains_key("steps") {
        warnings.push("no step has run yet when a route asks this: .steps is empty then".to_owned());
    }
}

fn compiled(asked: &Asked) -> Result<Ready, Trouble> {
    let text = match asked {
        Asked::Expression(text) | Asked::When(text) | Asked::OrderBy(text) => text,
        Asked::Template(value) => {
            return Template::compile(value).map(|template| Ready::Template(Arc::new(template))).map_err(|errors| {
                let Some(error) = errors.into_iter().next() else {
                    return Trouble { compiles: false, pointer: String::new(), place: None, message: "it does not compile".to_owned() };
                };
                let text = value.pointer(&error.pointer).and_then(Value::as_str).unwrap_or_default();
                Trouble { compiles: false, place: Some(place(text, &error.range)), pointer: error.pointer, message: error.message }
            });
        }
    };
    let refused = |range: &Range<usize>, message: String| Trouble {
        compiles: false,
        pointer: String::new(),
        place: Some(place(text, range)),
        message,
    };
    if let Some(inner) = text.trim().strip_prefix("${").and_then(|rest| rest.strip_suffix('}')) {
        let message = format!("an expression as a whole needs no ${{ … }}: write {}", inner.trim());
        return Err(refused(&(0..text.len()), message));
    }
    Expr::compile(text).map(|expr| Ready::Expression(Arc::new(expr))).map_err(|error| refused(&error.range, error.message))
}

fn place(text: &str, range: &Range<usize>) -> Place {
    let start = text.floor_char_boundary(range.start);
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let meant = text.get(start..text.floor_char_boundary(range.end.max(start))).unwrap_or_default();
    Place {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        length: meant.lines().next().unwrap_or_default().chars().count().max(1),
    }
}

/// What a run would show: a step of which only the output is told has succeeded.
fn scope(sees: &Map<String, Value>) -> Result<Scope, String> {
    let mut scope = Scope::new();
    for (name, value) in sees {
        let mut value = value.clone();
        if name == "steps" {
            for step in value.as_object_mut().into_iter().flat_map(Map::values_mut).filter_map(Value::as_object_mut) {
                for (member, usual) in [("status", json!("succeeded")), ("error", Value::Null), ("output", Value::Null)] {
                    step.entry(member).or_insert(usual);
                }
            }
        }
        scope.set(&[name], &value).map_err(|error| error.to_string())?;
    }
    for (name, usual) in [("steps", json!({})), ("run", json!({ "id": "00000000-0000-7000-8000-000000000000" }))] {
        if !sees.contains_key(name) {
            scope.set(&[name], &usual).map_err(|error| error.to_string())?;
        }
    }
    Ok(scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_in_lines_and_characters() {
        let text = "a\n  é | bad";
        let at = text.find("bad").expect("it is there");
        assert_eq!(place(text, &(at..at + 3)), Place { line: 2, column: 7, length: 3 });
        assert_eq!(place("", &(0..0)), Place { line: 1, column: 1, length: 1 });
        assert_eq!(place("x", &(9..12)), Place { line: 1, column: 2, length: 1 });
    }
}
