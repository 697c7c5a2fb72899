//! `/composite`: up to 25 calls in one, later ones using what earlier ones answered.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::collection;
use super::refusal::Refusal;
use super::rest::{self, Call, Desk, Reply};

/// Most calls in one.
const MAX_CALLS: usize = 25;

/// One call of a composite request.
struct Part {
    method: String,
    url: String,
    name: String,
    body: Option<Value>,
}

/// Answers a composite request.
pub fn answer(desk: &mut Desk, call: &Call<'_>) -> Result<Reply, Refusal> {
    let mut fields = call.fields()?;
    let all_or_none = fields.get("allOrNone") == Some(&Value::Bool(true));
    let Some(Value::Array(parts)) = fields.remove("compositeRequest") else {
        return Err(Refusal::json("compositeRequest is required and must be an array"));
    };
    if parts.len() > MAX_CALLS {
        let message = format!("The number of subrequests in a composite request can't exceed {MAX_CALLS}.");
        return Err(Refusal::bad("LIMIT_EXCEEDED", message));
    }
    let parts = parts.into_iter().map(part).collect::<Result<Vec<Part>, Refusal>>()?;
    for (position, part) in parts.iter().enumerate() {
        if parts[..position].iter().any(|before| before.name == part.name) {
            let message = format!("Duplicate referenceId: {}", part.name);
            return Err(Refusal::bad("INVALID_INPUT", message));
        }
    }

    let before = all_or_none.then(|| desk.org.clone());
    let mut answers: BTreeMap<String, Value> = BTreeMap::new();
    let mut replies: Vec<Reply> = Vec::new();
    let mut halted = false;
    for part in &parts {
        let reply = if halted { halt() } else { act(desk, call, part, &answers, all_or_none).unwrap_or_else(Reply::from) };
        let failed = reply.status.as_u16() >= 300 || reply.body.as_ref().is_some_and(collection::failed);
        if !failed {
            answers.insert(part.name.clone(), reply.body.clone().unwrap_or_default());
        }
        if let (false, true, Some(before)) = (halted, failed, &before) {
            halted = true;
            desk.org = before.clone();
            replies.fill_with(halt);
        }
        replies.push(reply);
    }
    let replies: Vec<Value> = replies.into_iter().zip(parts).map(|(reply, part)| shown(reply, part.name)).collect();
    Ok(Reply::ok(json!({ "compositeResponse": replies })))
}

fn part(part: Value) -> Result<Part, Refusal> {
    let text = |name: &str| match part.get(name) {
        Some(Value::String(text)) => Ok(text.clone()),
        _ => Err(Refusal::json(format!("Missing required field: {name}"))),
    };
    let name = text("referenceId")?;
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        let message = "Provided referenceId must start with a letter or a number, and it can contain only letters, \
                       numbers and underscores";
        return Err(Refusal::bad("INVALID_INPUT", format!("{message}: {name}")));
    }
    Ok(Part { method: text("method")?, url: text("url")?, name, body: part.get("body").cloned() })
}

fn act(desk: &mut Desk, call: &Call<'_>, part: &Part, answers: &BTreeMap<String, Value>, all_or_none: bool) -> Result<Reply, Refusal> {
    let Value::String(url) = filled(&part.url, answers)? else {
        return Err(Refusal::not_found());
    };
    let body = match &part.body {
        Some(body) => Ok(filled_in(body, answers)?),
        None => Err(Refusal::json("The HTTP entity body is required, but this request has no entity body.")),
    };
    let inner = Call::new(&part.method, &url, body, call.page, call.now).ok_or_else(Refusal::not_found)?;
    let path: Vec<&str> = inner.path.iter().map(String::as_str).collect();
    if path.first() == Some(&"composite") && path.get(1) != Some(&"sobjects") {
        return Err(Refusal::bad("INVALID_INPUT", "A composite request can't be nested in a composite request"));
    }
    rest::answer(desk, &Call { all_or_none, ..inner })
}

fn halt() -> Reply {
    Refusal::bad("PROCESSING_HALTED", "The transaction was rolled back since another operation in the same transaction failed.").into()
}

fn shown(reply: Reply, name: String) -> Value {
    let mut headers = Map::new();
    if let Some(location) = reply.location {
        headers.insert("Location".into(), location.into());
    }
    let status: StatusCode = reply.status;
    json!({
        "body": reply.body, "httpHeaders": headers, "httpStatusCode": status.as_u16(), "referenceId": name,
    })
}

/// A body in which all texts are filled.
fn filled_in(body: &Value, answers: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
    match body {
        Value::String(text) => filled(text, answers),
        Value::Array(items) => items.iter().map(|item| filled_in(item, answers)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| Ok((name.clone(), filled_in(value, answers)?)));
            Ok(Value::Object(fields.collect::<Result<_, Refusal>>()?))
        }
        other => Ok(other.clone()),
    }
}

/// A text with what its references, `@{name.path}`, stand for. One that is nothing but a reference takes its type.
fn filled(text: &str, answers: &BTreeMap<String, Value>) -> Result<Value, Refusal> {
    let mut done = String::new();
    let mut rest = text;
    while let Some((before, (reference, after))) = rest.split_once("@{").and_then(|(before, after)| Some((before, after.split_once('}')?)))
    {
        let value = referred(reference, answers)?;
        if reference.len() + 3 == text.len() {
            return Ok(value.clone());
        }
        done.push_str(before);
        match value {
            Value::String(value) => done.push_str(value),
            other => done.push_str(&other.to_string()),
        }
        rest = after;
    }
    done.push_str(rest);
    Ok(Value::String(done))
}

/// The value at a reference such as `ref.id`, `ref[0].id` or `ref.records[0].Id`.
fn referred<'a>(reference: &str, answers: &'a BTreeMap<String, Value>) -> Result<&'a Value, Refusal> {
    let path = reference.replace('[', ".").replace(']', "");
    let mut steps = path.split('.');
    let name = steps.next().unwrap_or_default();
    let found = steps.try_fold(answers.get(name).unwrap_or(&Value::Null), |value, step| match value {
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        other => other.get(step),
    });
    found.filter(|value| !value.is_null()).ok_or_else(|| {
        let message = format!("Invalid reference specified. No value for {reference} found in {name}");
        Refusal::bad("PROCESSING_HALTED", message)
    })
}
