//! jq expressions and templates, on data of a sender's choice: an expression, a NUL, JSON. They end, within their budget, and break nothing.

#![no_main]

use libfuzzer_sys::fuzz_target;
use sangam::mapping::{EvalError, Expr, Limits, Scope, Template, evaluate};
use serde_json::Value;

/// Enough for what a run of a few bytes can want, and little enough for many runs a second.
const LIMITS: Limits = Limits { work: 1 << 20, value: 1 << 16, depth: 64, output: 1 << 16, time: Limits::TIME };

fuzz_target!(|input: &[u8]| {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (source, data) = text.split_once('\0').unwrap_or((text, "null"));
    let data = serde_json::from_str(data).unwrap_or(Value::Null);
    let Ok(scope) = Scope::from_json(&data) else { return };
    if let Ok(expr) = Expr::compile(source) {
        assert_eq!(expr.source(), source);
        ended(evaluate(&LIMITS, |session| session.expr(&expr, &scope)));
    }
    if let Ok(template) = Template::compile(&Value::from(source)) {
        ended(evaluate(&LIMITS, |session| session.template(&template, &scope)));
    }
});

fn ended(result: Result<Value, EvalError>) {
    match result {
        Ok(value) => assert!(value.to_string().len() <= LIMITS.output, "larger than an output may be"),
        Err(error) => assert!(!matches!(error, EvalError::Broken), "an expression broke the evaluator"),
    }
}
