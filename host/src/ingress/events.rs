//! `POST /v1/events`.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::content;
use crate::access::Caller;
use crate::api::{Problem, Sees, Taken, check_sources, event_document};
use crate::crash::Point;
use crate::runtime::{Admission, Intake, IntakeError, Runtime, came_with};
use crate::store::Accepted;
use crate::telemetry::{self, TraceContext};

/// Longest `?wait`.
const MAX_WAIT: Duration = Duration::from_secs(60);

/// Query of `POST /v1/events`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Wait {
    /// How long to wait until all runs have ended, such as `5s`; at most 60 s.
    wait: Option<String>,
}

/// Takes events in; answers when they are durable, or, with `?wait`, when their runs have ended.
pub async fn post_events(
    State(runtime): State<Arc<Runtime>>,
    Extension(admission): Extension<Admission>,
    Extension(caller): Extension<Caller>,
    Extension(sees): Extension<Sees>,
    Query(query): Query<Wait>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Problem> {
    let wait = query.wait.as_deref().map(wait_time).transpose()?;
    if runtime.stopping.is_cancelled() {
        return Err(Problem::unavailable("the host is shutting down", Duration::from_secs(5)));
    }
    runtime.pressure.check(&runtime.store).await?;
    let events = content::events(&headers, &body)?;
    check_sources(&caller, events.iter().map(|event| event.source.as_str()))?;
    let intake = Intake::new(&runtime);
    let mut rows = Vec::with_capacity(events.len());
    let mut unfit = Vec::new();
    for (index, prepared) in intake.prepare_batch(&events).await.into_iter().enumerate() {
        match prepared {
            Ok(row) => rows.push(row),
            Err(error @ IntakeError::Unfit { .. }) => unfit.push((index, error)),
            Err(error) => return Err(Problem::bad_request(error.to_string())),
        }
    }
    if !unfit.is_empty() {
        return Err(refused(&unfit, events.len()));
    }
    came_with(&mut rows, trace_of(&headers).as_ref());
    let came = runtime.came(&rows);
    let dead: Vec<Vec<String>> =
        rows.iter().map(|row| row.runs.iter().filter(|run| run.dead.is_some()).map(|run| run.route.clone()).collect()).collect();
    let runs = rows.iter().flat_map(|row| &row.runs).filter(|run| run.dead.is_none()).count();
    let reservation = runtime.pressure.reserve(&runtime.store, runs as u64).await?;
    let accepted = runtime.take_in(rows).await;
    runtime.pressure.wrote(accepted.is_ok());
    let accepted = accepted.map_err(|error| {
        tracing::error!(error = telemetry::chain(&error), "events could not be taken in");
        Problem::unavailable("the store can't be written now; nothing was taken in", Duration::from_secs(1))
    })?;
    reservation.durable();
    drop(admission);
    runtime.store.crash().at(Point::Accepted);
    for ((event, outcome), dead) in events.iter().zip(&accepted).zip(dead) {
        runtime.metrics.accepted(&event.source, outcome.duplicate);
        for route in dead.iter().filter(|_| !outcome.duplicate) {
            runtime.metrics.run_ended(route, "dead");
        }
    }
    runtime.took_in(&came, &accepted, Some("/v1/events"));
    let answer = Taken::of(&events, &accepted);
    if let Some(wait) = wait
        && all_ended(&runtime, &accepted, wait).await?
    {
        let mut documents = Vec::new();
        for outcome in &accepted {
            // A duplicate may be of an event that is remembered, but no longer kept.
            if runtime.store.event(&outcome.eid).await?.is_some() {
                documents.push(event_document(&runtime, &outcome.eid, &sees).await?);
            }
        }
        return Ok(Json(answer.ended(documents)).into_response());
    }
    let location = accepted.first().map(|first| format!("/v1/events/{}", first.eid)).unwrap_or_default();
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], Json(answer)).into_response())
}

/// Where in a trace a request says that it stands.
pub(super) fn trace_of(headers: &HeaderMap) -> Option<TraceContext> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    TraceContext::parse(text("traceparent")?, text("tracestate"))
}

/// Events that are not as their schemas want them, and with them the whole batch.
fn refused(unfit: &[(usize, IntakeError)], of: usize) -> Problem {
    let detail = match unfit {
        [(_, error)] if of == 1 => format!("the event is refused: {error}"),
        [(index, error)] => format!("event {index} of the batch is refused, and with it the whole batch: {error}"),
        more => format!("{} events of the batch are refused, and with them the whole batch", more.len()),
    };
    let error = |(index, error): &(usize, IntakeError)| {
        let pointer = match error {
            IntakeError::Unfit { pointer, .. } => format!("/data{pointer}"),
            IntakeError::TooManyHops => String::new(),
        };
        json!({ "index": index, "pointer": pointer, "detail": error.to_string() })
    };
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail).with("errors", unfit.iter().map(error).collect())
}

fn wait_time(text: &str) -> Result<Duration, Problem> {
    let wait = crate::config::parse_duration(text).map_err(|error| Problem::bad_request(format!("wait: {error}")))?;
    Ok(wait.min(MAX_WAIT))
}

/// Waits until all runs of the events have ended; says whether they have.
async fn all_ended(runtime: &Runtime, accepted: &[Accepted], wait: Duration) -> Result<bool, Problem> {
    let eids: Vec<String> = accepted.iter().map(|outcome| outcome.eid.clone()).collect();
    let mut ended = runtime.ended.subscribe();
    let until = tokio::time::Instant::now() + wait;
    loop {
        if runtime.store.all_ended(&eids).await? {
            return Ok(true);
        }
        tokio::select! {
            // Closed only with the runtime, which this request holds.
            _ = ended.changed() => {}
            // Whoever waits learns where to look later.
            () = runtime.stopping.cancelled() => return Ok(false),
            () = tokio::time::sleep_until(until) => return Ok(runtime.store.all_ended(&eids).await?),
        }
    }
}
