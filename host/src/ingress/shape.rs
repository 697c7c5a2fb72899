//! From a delivery to events: what `event-type`, `event` and `each` of a source make of it.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::config::{Shape, Source};
use crate::event::{Event, MAX_BATCH};
use crate::mapping::{Evaluator, Limits, Scope, Session};
use crate::telemetry;

/// Bytes of a delivery for which expressions have the room and time that they have in routes; a larger one has more in proportion.
const USUAL_SIZE: usize = 1 << 20;
/// Longest evaluation, however large the delivery.
const LONGEST: Duration = Duration::from_secs(5);

/// What came, as expressions see it, and what events have that they do not say.
#[derive(Debug, Clone)]
pub struct Delivered {
    /// What `.` is: `.body`, `.headers`, `.query`, `.path` of a webhook; `.item` and `.position` are added within `each`.
    pub scope: Map<String, Value>,
    /// The id of the delivery. Of one event the id itself; with `each` what stands before the position.
    pub id: String,
    /// The data, where neither `event` nor `each` says something else.
    pub data: Value,
    /// The CloudEvent that came, of which everything stays that is not said otherwise.
    pub event: Option<Event>,
    /// How large it was, bytes.
    pub size: usize,
}

/// Why a delivery is no event. A sentence for the administrator.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unreadable(pub String);

/// The events of a delivery, with the source's name as their source.
///
/// # Errors
/// What an expression could not make of it, or what is wrong with an event that it made.
pub async fn events(evaluator: &Evaluator, source: &Source, delivered: Delivered) -> Result<Vec<Event>, Unreadable> {
    let uri = source.uri();
    let shape = source.shape.clone();
    if shape.each.is_none() && shape.event.is_none() {
        // Nothing to evaluate.
        return event(&uri, &shape, &delivered, None, &delivered.data, &Value::Null).map(|event| vec![event]);
    }
    let evaluator = evaluator.with_limits(limits(delivered.size));
    let evaluated = evaluator.run(move |session| Ok(evaluate(session, &shape, delivered))).await;
    let (shape, delivered, made) = match evaluated {
        Ok(Ok(evaluated)) => evaluated,
        Ok(Err(why)) => return Err(Unreadable(why)),
        Err(error) => return Err(Unreadable(telemetry::chain(&error))),
    };
    let mut events = Vec::with_capacity(made.len());
    for (position, (item, said)) in made.iter().enumerate() {
        let position = shape.each.is_some().then_some(position);
        let made = event(&uri, &shape, &delivered, position, item, said);
        events.push(made.map_err(|error| at(position, error.0)).map_err(Unreadable)?);
    }
    Ok(events)
}

/// What an evaluation gives: for each event its item and what `event` says of it.
type Evaluated = (Shape, Delivered, Vec<(Value, Value)>);

fn evaluate(session: &Session, shape: &Shape, delivered: Delivered) -> Result<Evaluated, String> {
    let deep = |error: crate::mapping::TooDeep| error.to_string();
    let mut scope = Scope::from_json(&Value::Object(delivered.scope.clone())).map_err(deep)?;
    let items = match &shape.each {
        None => vec![delivered.data.clone()],
        Some(each) => match session.expr(each, &scope).map_err(|error| format!("`each` failed: {error}"))? {
            Value::Array(items) if items.len() > MAX_BATCH => {
                return Err(format!("`each` gave {} events; a delivery has at most {MAX_BATCH}", items.len()));
            }
            Value::Array(items) => items,
            _ => return Err("`each` gave no list".to_owned()),
        },
    };
    let mut made = Vec::with_capacity(items.len());
    for (position, item) in items.into_iter().enumerate() {
        let mut said = Value::Null;
        if let Some(template) = &shape.event {
            if shape.each.is_some() {
                scope.set(&["item"], &item).map_err(deep)?;
                scope.set(&["position"], &json!(position)).map_err(deep)?;
            }
            let position = shape.each.is_some().then_some(position);
            said = session.template(template, &scope).map_err(|error| at(position, format!("`event` failed: {error}")))?;
        }
        made.push((item, said));
    }
    Ok((shape.clone(), delivered, made))
}

/// A reason, with the place of the event among those of `each`.
fn at(position: Option<usize>, why: String) -> String {
    match position {
        Some(position) => format!("event {position} of the delivery: {why}"),
        None => why,
    }
}

/// One event. `said`: what `event` says of it, or null.
fn event(
    uri: &str,
    shape: &Shape,
    delivered: &Delivered,
    position: Option<usize>,
    item: &Value,
    said: &Value,
) -> Result<Event, Unreadable> {
    let mut members = match delivered.event.as_ref().map(Event::to_structured) {
        Some(Value::Object(members)) => members,
        _ => Map::new(),
    };
    members.insert("specversion".to_owned(), json!("1.0"));
    members.insert("source".to_owned(), json!(uri));
    let id = match position {
        Some(position) => format!("{}/{position}", delivered.id),
        None => delivered.id.clone(),
    };
    members.insert("id".to_owned(), json!(id));
    if let Some(kind) = &shape.event_type {
        members.insert("type".to_owned(), json!(kind));
    }
    for name in ["type", "id", "subject", "time"] {
        match said.get(name) {
            // What is not there is not said: the default stays.
            None | Some(Value::Null) => {}
            Some(Value::String(text)) if text.is_empty() => {}
            Some(Value::String(text)) => drop(members.insert(name.to_owned(), json!(text))),
            Some(Value::Number(number)) => drop(members.insert(name.to_owned(), json!(number.to_string()))),
            Some(_) => return Err(Unreadable(format!("the `{name}` of `event` is neither a text nor a number"))),
        }
    }
    let data = match said.get("data") {
        Some(data) => Some(data),
        None if position.is_some() || delivered.event.is_none() => Some(item),
        None => None,
    };
    if let Some(data) = data {
        // It is JSON now, whatever came.
        for name in ["data_base64", "datacontenttype", "dataschema"] {
            members.remove(name);
        }
        members.insert("data".to_owned(), data.clone());
    }
    if !members.contains_key("type") {
        return Err(Unreadable("nothing says of which type the event is: `type` of `event` gave null or nothing".to_owned()));
    }
    let event = Event::from_structured(Value::Object(members)).map_err(|error| Unreadable(error.to_string()))?;
    // Its source is the host's to give, and given.
    event.check_emitted().map_err(|error| Unreadable(error.to_string()))?;
    Ok(event)
}

/// More room for what an administrator lets be larger.
fn limits(size: usize) -> Limits {
    let usual = Limits::default();
    let times = size.div_ceil(USUAL_SIZE).max(1);
    Limits {
        work: usual.work.saturating_mul(times as u64),
        value: usual.value.saturating_mul(times),
        // What is made of a delivery may say some of it twice.
        output: usual.output.saturating_mul(times).saturating_mul(2),
        time: usual.time.saturating_mul(u32::try_from(times).unwrap_or(u32::MAX)).min(LONGEST.max(usual.time)),
        ..usual
    }
}

#[cfg(test)]
mod tests;
