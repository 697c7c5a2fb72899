//! GraphQL operations, and what Jobber's refusals mean.
//!
//! Jobber gives each account a bucket of points that refills by the second; an operation that costs more than is left is answered `THROTTLED`, with the figures to compute
//! the wait from. Beside that 2,500 requests in five minutes, answered 429.

use sangam_sdk::{Write, prelude::*};

use crate::config::Config;

/// How long to wait where Jobber does not say: its window of requests is five minutes.
const WINDOW: Duration = Duration::from_secs(60);

/// Asks for something.
pub fn query(config: &Config, document: &str, variables: Value) -> Result<Value, Failure> {
    send(config, request(config).read_only(), document, variables)
}

/// Writes something, by the one field that the operation has; gives that field's payload.
pub fn mutate(config: &Config, name: impl Into<String>, document: &str, field: &str, variables: Value) -> Result<Value, Failure> {
    let mut data = send(config, request(config).name(name), document, variables)?;
    let payload = taken(&mut data, &format!("/{field}"));
    let errors: Vec<String> = payload["userErrors"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|error| {
            let path: Vec<&str> = error["path"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
            format!("{} ({})", error["message"].as_str().unwrap_or("no reason"), path.join("."))
        })
        .collect();
    if !errors.is_empty() {
        return Err(Failure::rejected(format!("Jobber refused `{field}`: {}", errors.join("; "))).details(payload["userErrors"].clone()));
    }
    if !payload.is_object() {
        return Err(Failure::rejected(format!("Jobber answered `{field}` with no payload")));
    }
    Ok(payload)
}

fn request(config: &Config) -> Write {
    Write::new("POST", format!("{}/api/graphql", config.base_url.trim_end_matches('/')))
}

fn send(config: &Config, request: Request, document: &str, variables: Value) -> Result<Value, Failure> {
    let request = request.header("X-JOBBER-GRAPHQL-VERSION", &config.version);
    let response = request.json(&json!({ "query": document, "variables": variables })).send()?;
    let response = response.explained().map_err(|failure| match failure.kind {
        FailureKind::RateLimited => {
            let after = failure.after.unwrap_or(WINDOW);
            failure.after(after)
        }
        _ => failure,
    })?;
    let mut answer: Value = response.json()?;
    if let Some(errors) = answer["errors"].as_array().filter(|errors| !errors.is_empty()) {
        return Err(refused(errors, &answer["extensions"]["cost"]));
    }
    match taken(&mut answer, "/data") {
        Value::Object(data) => Ok(Value::Object(data)),
        _ => Err(Failure::rejected("Jobber answered without data").response(&response)),
    }
}

/// What the errors of an operation mean.
fn refused(errors: &[Value], cost: &Value) -> Failure {
    let code = |error: &Value| error["extensions"]["code"].as_str().unwrap_or_default().to_owned();
    let messages: Vec<_> = errors.iter().filter_map(|error| error["message"].as_str()).collect();
    let message = messages.join("; ");
    let details = json!({ "errors": errors, "cost": cost });
    if errors.iter().any(|error| code(error) == "THROTTLED") {
        return Failure::rate_limited(format!("Jobber asks for patience: {message}")).after(refill(cost)).details(details);
    }
    let failure = if errors.iter().any(|error| matches!(code(error).as_str(), "UNAUTHENTICATED" | "INVALID_TOKEN")) {
        Failure::unauthorized(format!("Jobber refused the token: {message}"))
    } else if errors.iter().any(|error| matches!(code(error).as_str(), "INTERNAL_SERVER_ERROR" | "TIMEOUT")) {
        Failure::retry(format!("Jobber failed: {message}"))
    } else {
        Failure::rejected(format!("Jobber refused: {message}"))
    };
    failure.details(details)
}

/// When there are points enough for the operation.
fn refill(cost: &Value) -> Duration {
    let number = |value: &Value| value.as_f64();
    let throttle = &cost["throttleStatus"];
    let wanted = number(&cost["requestedQueryCost"]).zip(number(&throttle["currentlyAvailable"])).zip(number(&throttle["restoreRate"]));
    match wanted {
        Some(((wanted, available), rate)) if rate > 0.0 => {
            Duration::from_secs(((wanted - available) / rate).ceil().clamp(1.0, 300.0) as u64)
        }
        _ => WINDOW,
    }
}

/// A part of an answer, taken out of it; null where it is not there. Unlike an index it panics at no answer, whatever its shape.
pub fn taken(answer: &mut Value, pointer: &str) -> Value {
    answer.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// A text that is not empty.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_is_computed_from_the_figures() {
        let cost = |wanted: u32, available: u32| json!({ "requestedQueryCost": wanted, "throttleStatus": { "currentlyAvailable": available, "restoreRate": 500 } });
        assert_eq!(refill(&cost(6000, 1000)), Duration::from_secs(10));
        assert_eq!(refill(&cost(1001, 1000)), Duration::from_secs(1));
        assert_eq!(refill(&json!({})), WINDOW);
    }

    #[test]
    fn codes_decide_whether_to_try_again() {
        for (code, kind) in [
            ("THROTTLED", FailureKind::RateLimited),
            ("UNAUTHENTICATED", FailureKind::Unauthorized),
            ("INTERNAL_SERVER_ERROR", FailureKind::Retry),
            ("undefinedField", FailureKind::Rejected),
        ] {
            assert_eq!(refused(&[json!({ "message": "No.", "extensions": { "code": code } })], &Value::Null).kind, kind, "{code}");
        }
    }
}
