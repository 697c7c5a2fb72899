//! From a CloudEvent to what is stored: identity, routes that want it, their order keys.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Revision, Runtime, trace_of_event};
use crate::config::{OrderOnDead, Route};
use crate::event::{Data, Event};
use crate::mapping::{EvalError, Plain, Scope};
use crate::router;
use crate::store::{NewEvent, NewRun};
use crate::telemetry::{self, TraceContext};

/// Most plugins in a chain of events that bring each other in.
pub const MAX_HOPS: u32 = 8;
/// Data of which the schema is checked on the spot; larger one off the async threads.
const SMALL_DATA: usize = 16 << 10;
/// Longest order key.
const MAX_ORDER_KEY: usize = 1024;

/// Where an event that a plugin brought in comes from.
#[derive(Debug, Clone)]
pub struct Cause {
    /// The event that led to it.
    pub eid: String,
    /// The run of that.
    pub run: String,
    /// The step of that.
    pub step: String,
    /// Hops of that event.
    pub hops: u32,
    /// Where in a trace the step's attempt stands.
    pub trace: Option<TraceContext>,
}

/// Turns events into rows.
#[derive(Debug)]
pub struct Intake<'a> {
    runtime: &'a Runtime,
    revision: Arc<Revision>,
}

/// Why an event can't be taken in.
#[derive(Debug, thiserror::Error)]
pub enum IntakeError {
    /// Its chain is too long.
    #[error("it is more than {MAX_HOPS} plugins away from an event of the outside")]
    TooManyHops,
    /// Its data is not as the schema of its type wants it (`[[events]]`).
    #[error("its data does not fit the schema of events of type {event_type:?}: {place}: {message}", place = place(pointer))]
    Unfit {
        /// Its type.
        event_type: String,
        /// Where in `data`, a JSON pointer.
        pointer: String,
        /// What is wrong there.
        message: String,
    },
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the data" } else { pointer }
}

impl<'a> Intake<'a> {
    /// For the present configuration.
    pub fn new(runtime: &'a Runtime) -> Intake<'a> {
        Intake { runtime, revision: runtime.present().revision.clone() }
    }

    /// Holds its data against the schemas of its type.
    ///
    /// # Errors
    /// [`IntakeError::Unfit`].
    pub async fn check(&self, event: &Event) -> Result<(), IntakeError> {
        let rules = self.revision.config.events.iter().filter(|rule| rule.is_about(&event.event_type, &event.source));
        let unfit = |pointer: String, message: String| IntakeError::Unfit { event_type: event.event_type.clone(), pointer, message };
        for schema in rules.filter_map(|rule| rule.schema.as_ref()) {
            let schema =
                schema.of(&event.event_type, event.dataschema.as_deref()).map_err(|error| unfit(String::new(), error.to_string()))?;
            let Some(schema) = schema else { continue };
            let data = match &event.data {
                Data::Json(data) => data.to_value(),
                Data::None => Value::Null,
                Data::Binary(_) => return Err(unfit(String::new(), "it is bytes, not JSON".to_owned())),
            };
            let is_small = serde_json::to_string(&data).is_ok_and(|text| text.len() <= SMALL_DATA);
            let violations =
                if is_small { Ok(schema.check(&data)) } else { tokio::task::spawn_blocking(move || schema.check(&data)).await };
            let violations = violations.map_err(|error| unfit(String::new(), format!("it could not be checked: {error}")))?;
            if let Some(first) = violations.into_iter().next() {
                return Err(unfit(first.pointer, first.message));
            }
        }
        Ok(())
    }

    /// What is to be stored for an event.
    pub async fn prepare(&self, event: &Event, cause: Option<&Cause>) -> Result<NewEvent, IntakeError> {
        let now = self.runtime.clock.now();
        self.prepare_as(self.runtime.eids.next(now), event, cause, now).await
    }

    /// What is to be stored for events that a sender gave together, or why not, for each.
    pub async fn prepare_batch(&self, events: &[Event]) -> Vec<Result<NewEvent, IntakeError>> {
        let now = self.runtime.clock.now();
        let mut prepared = Vec::with_capacity(events.len());
        for (event, eid) in events.iter().zip(self.runtime.eids.of_several(now, events.len())) {
            prepared.push(self.prepare_as(eid, event, None, now).await);
        }
        prepared
    }

    async fn prepare_as(&self, eid: Arc<str>, event: &Event, cause: Option<&Cause>, now: Timestamp) -> Result<NewEvent, IntakeError> {
        let hops = cause.map_or(0, |cause| cause.hops + 1);
        if hops > MAX_HOPS {
            return Err(IntakeError::TooManyHops);
        }
        self.check(event).await?;
        let mut runs = Vec::new();
        let wanting: Vec<&Arc<Route>> =
            self.revision.config.routes.iter().filter(|route| router::wants(route, &event.event_type, &event.source)).collect();
        let scope = if wanting.iter().any(|route| route.when.is_some() || route.order_by.is_some()) {
            let mut scope = Scope::new();
            Some(scope.set(&["event"], &event.to_structured()).map(|()| Arc::new(scope)))
        } else {
            None
        };
        for route in wanting {
            let judged = match &scope {
                Some(Ok(scope)) => judge(self.runtime, route, scope).await,
                // Nothing to evaluate, or nothing that can be: then only routes with expressions fail.
                None => Ok(Some(None)),
                Some(Err(_)) if route.when.is_none() && route.order_by.is_none() => Ok(Some(None)),
                Some(Err(error)) => Err(error.to_string()),
            };
            let (order_key, dead) = match judged {
                Ok(None) => continue,
                Ok(Some(order_key)) => (order_key, None),
                Err(reason) => (None, Some(reason)),
            };
            runs.push(NewRun {
                id: uuid::Uuid::now_v7().to_string(),
                route: route.name.clone(),
                revision: self.revision.number,
                order_key,
                order_hold: route.order_on_dead == OrderOnDead::Hold,
                deadline_at: later(now, route.deadline),
                dead,
                lease: None,
            });
        }
        Ok(NewEvent {
            eid,
            source: event.source.as_str().into(),
            id: event.id.as_str().into(),
            kind: event.event_type.as_str().into(),
            digest: event.digest(),
            body: event.to_text().into(),
            received_at: now,
            seen_until: later(now, self.runtime.store_config.dedup_window),
            hops,
            cause: cause.map(|cause| json!({ "eid": cause.eid, "run": cause.run, "step": cause.step }).to_string()),
            trace: match cause {
                Some(cause) => cause.trace.as_ref().filter(|trace| trace.is_known).map(TraceContext::kept),
                None => trace_of_event(event).map(|trace| trace.kept()),
            },
            runs,
        })
    }
}

/// Whether a route wants an event that was taken in before, and under which order key. `event`: structured JSON.
///
/// # Errors
/// Why its expressions failed.
pub async fn judge_again(runtime: &Runtime, route: &Arc<Route>, event: &str) -> Result<Option<Option<String>>, String> {
    if route.when.is_none() && route.order_by.is_none() {
        return Ok(Some(None));
    }
    let event: Value = serde_json::from_str(event).map_err(|error| error.to_string())?;
    let scope = Scope::from_json(&json!({ "event": event })).map_err(|error| error.to_string())?;
    judge(runtime, route, &Arc::new(scope)).await
}

/// Whether a route wants the event after all, and under which order key.
async fn judge(runtime: &Runtime, route: &Arc<Route>, scope: &Arc<Scope>) -> Result<Option<Option<String>>, String> {
    if route.when.is_none() && route.order_by.is_none() {
        return Ok(Some(None));
    }
    let plain = Plain::of(scope).expr(route.when.as_ref()).expr(route.order_by.as_ref());
    let (route, scope) = (route.clone(), scope.clone());
    let judged = runtime
        .evaluator
        .run_as(plain, move |session| {
            let what = |name: &'static str| move |error: EvalError| Ok::<_, EvalError>((name, telemetry::chain(&error)));
            if let Some(when) = &route.when {
                match session.truth(when, &scope) {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ok(None)),
                    Err(error) => return what("when")(error).map(Err),
                }
            }
            match route.order_by.as_ref().map(|order_by| session.expr(order_by, &scope)) {
                None => Ok(Ok(Some(None))),
                Some(Ok(key)) => Ok(Ok(Some(key_text(&key)))),
                Some(Err(error)) => what("order-by")(error).map(Err),
            }
        })
        .await;
    match judged {
        Ok(Ok(Some(Some(key)))) => checked(key).map(|key| Some(Some(key))),
        Ok(Ok(wanted)) => Ok(wanted),
        Ok(Err((name, why))) => Err(format!("the route's {name} failed: {why}")),
        Err(error) => Err(format!("the route's expressions failed: {}", telemetry::chain(&error))),
    }
}

/// The order key that the value of an `order-by` is; none is null's.
///
/// # Errors
/// Why it can't be one.
pub fn order_key(value: &Value) -> Result<Option<String>, String> {
    key_text(value).map(checked).transpose()
}

fn checked(key: String) -> Result<String, String> {
    if key.contains('\0') {
        return Err("order-by gave a key with a NUL character".to_owned());
    }
    if key.len() > MAX_ORDER_KEY {
        return Err(format!("order-by gave a key of more than {MAX_ORDER_KEY} bytes"));
    }
    Ok(key)
}

/// A string is its own key, anything else its JSON text; null is none.
fn key_text(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    }
}

fn later(time: Timestamp, by: std::time::Duration) -> Timestamp {
    jiff::SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
