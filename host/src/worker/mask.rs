//! Takes credentials out of what a plugin says of itself. It was given none; what a system told it in pieces it may have put together.

use serde_json::Value;

use crate::attempt::LogLine;
use crate::credentials::Broker;
use crate::run::StepFailure;

/// Masks credentials in a failure.
pub fn failure(broker: &Broker, failure: &mut StepFailure) {
    broker.redact_text(&mut failure.reason);
    if let Some(details) = &mut failure.details {
        value(broker, details);
    }
}

/// Masks credentials in lines of a log.
pub fn log(broker: &Broker, lines: &mut [LogLine]) {
    for line in lines {
        broker.redact_text(&mut line.message);
        line.fields.values_mut().for_each(|field| value(broker, field));
    }
}

fn value(broker: &Broker, held: &mut Value) {
    match held {
        Value::String(text) => broker.redact_text(text),
        Value::Array(items) => items.iter_mut().for_each(|item| value(broker, item)),
        Value::Object(members) => members.values_mut().for_each(|member| value(broker, member)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
