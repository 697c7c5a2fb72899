//! `POST /hooks/{source}`: deliveries of webhooks, from the first byte to the sender's answer.
//!
//! A delivery is verified over the bytes as they came, turned into events, made durable, and answered, in that order. What was verified and can't be
//! turned into events is set aside with its reason, so that an administrator can mend an expression and have it tried again: nothing that a sender was
//! told had arrived is lost.

mod answer;
mod delivery;
mod handshake;
mod mtls;
mod receive;
mod verification;

pub use self::delivery::Delivery;

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_LENGTH;
use axum::http::request::Parts;
use axum::response::Response;
use jiff::Timestamp;
use serde_json::Value;

use self::answer::Answered;
use self::verification::NotVerified;
use super::echoes;
use super::events::trace_of;
use super::shape::Unreadable;
use crate::api::{Problem, read_whole};
use crate::config::{OnUnreadable, Source, SourceKind, Webhook};
use crate::crash::Point;
use crate::event::Event;
use crate::runtime::{Arrival, Intake, IntakeError, Runtime, came_with};
use crate::store::{Accepted, KeySettlement, NewEvent, NewSetAside, SetAsideKind, SetAsideRow, StoreError};
use crate::telemetry::{self, TraceContext};

/// What the path of every webhook begins with.
pub const PREFIX: &str = "/hooks/";

/// How often a plugin is called anew since another delivery has changed what it had read.
const MAX_CONFLICTS: u32 = 5;
const NOT_WRITTEN: &str = "the store can't be written now; nothing was taken in";

/// Takes a delivery in.
pub async fn hook(State(runtime): State<Arc<Runtime>>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let source = source_of(&runtime, parts.uri.path())?;
    let SourceKind::Webhook(webhook) = &source.kind else {
        return Err(nothing_here(parts.uri.path()));
    };
    if let Some(response) = handshake::before_body(&runtime, &source, webhook, &parts).await? {
        return Ok(response);
    }
    if !webhook.methods.iter().any(|method| parts.method == method.as_str()) {
        let why = format!("source {} takes {}, not {}", source.name, webhook.methods.join(" and "), parts.method);
        return Err(Problem::not_allowed(why, &webhook.methods.join(", ")));
    }
    if runtime.stopping.is_cancelled() {
        return Err(Problem::unavailable("the host is shutting down", Duration::from_secs(5)));
    }
    let hook = Hook { runtime: &runtime, source: &source, webhook };
    hook.take(parts, body).await
}

/// The source that a path names, whatever follows its name.
fn source_of(runtime: &Runtime, path: &str) -> Result<Arc<Source>, Problem> {
    let name = path.strip_prefix(PREFIX).and_then(|rest| rest.split('/').next()).unwrap_or_default();
    runtime.present().revision.source(name).cloned().ok_or_else(|| nothing_here(path))
}

/// The same for a name that no source has and one of another type: whoever guesses names learns nothing.
fn nothing_here(path: &str) -> Problem {
    Problem::not_found(format!("there is nothing at {path}"))
}

/// One source, as deliveries meet it.
struct Hook<'a> {
    runtime: &'a Arc<Runtime>,
    source: &'a Arc<Source>,
    webhook: &'a Webhook,
}

/// What a delivery was turned into, ready to be stored, and what its sender gets.
struct Made {
    events: Vec<NewEvent>,
    /// Events among them that may not come in, each with its reason.
    set_aside: Vec<NewSetAside>,
    keys: Option<KeySettlement>,
    answer: Answered,
}

/// Why a delivery was not turned into events, or those not kept.
enum NotMade {
    /// It can't be: now and whenever it comes again.
    Unreadable(Unreadable),
    /// It may be later: the sender is told to come again.
    Later(Problem),
}

impl Hook<'_> {
    async fn take(&self, parts: Parts, body: Body) -> Result<Response, Problem> {
        let runtime = self.runtime;
        let largest = self.webhook.max_size.unwrap_or(runtime.server.max_event_size);
        let length = parts.headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
        // More than there is room for at all could never come in.
        let room = length.unwrap_or(largest).min(largest).min(runtime.server.max_intake_memory);
        let mut admission = runtime.pressure.admit(room)?;
        let bound =
            if self.webhook.max_size.is_some() { "max-size of the source" } else { "server.max-event-size, or max-size of the source" };
        let body = read_whole(body, largest, runtime.server.connections.body_timeout, bound).await?;
        admission.fit(body.len());
        let now = runtime.clock.now();
        let verified = match verification::verify(runtime, self.source, self.webhook, &parts, &body, now).await {
            Ok(verified) => verified,
            Err(NotVerified::Refused(reason)) => return Err(self.refused(reason, now)),
            Err(NotVerified::TooOften(problem)) => {
                self.refused("too-often", now);
                return Err(problem);
            }
            Err(NotVerified::Unable(why)) => {
                tracing::error!(source = self.source.name, why, "deliveries can't be verified");
                return Err(Problem::unavailable("deliveries can't be verified now", Duration::from_secs(30)));
            }
        };
        if let Some(response) = handshake::in_body(self.webhook, &body) {
            return Ok(response);
        }
        runtime.pressure.check(&runtime.store).await?;
        let delivery = Delivery::of(&parts, verified.body.clone().unwrap_or(body), &verified);
        let response = match self.deliver(&delivery, trace_of(&parts.headers).as_ref()).await {
            Ok((answer, accepted, set_aside)) => {
                let duplicates = accepted.iter().filter(|accepted| accepted.duplicate).count();
                let arrival = Arrival::Taken { events: accepted.len() - duplicates, duplicates, set_aside };
                runtime.arrivals.note(&self.source.name, arrival, now);
                runtime.metrics.delivery(&self.source.name, "taken");
                runtime.series.delivery(now, &self.source.name, "taken");
                answer.response()
            }
            Err(NotMade::Later(problem)) => {
                runtime.metrics.delivery(&self.source.name, "put-off");
                runtime.series.delivery(now, &self.source.name, "put-off");
                return Err(problem);
            }
            Err(NotMade::Unreadable(why)) => self.unreadable(&delivery, why, now).await?,
        };
        drop(admission);
        Ok(response)
    }

    /// The sender learns nothing of the reason: it may be somebody who looks for one that lets them in.
    fn refused(&self, reason: &'static str, now: Timestamp) -> Problem {
        self.runtime.arrivals.note(&self.source.name, Arrival::Refused(reason), now);
        self.runtime.metrics.delivery(&self.source.name, "refused");
        self.runtime.series.delivery(now, &self.source.name, "refused");
        tracing::debug!(source = self.source.name, reason, "a delivery was refused");
        Problem::new(StatusCode::UNAUTHORIZED, "the delivery could not be verified")
    }

    /// Turns a delivery into events and makes those durable. Gives the answer, what became of the events, and how many were set aside.
    async fn deliver(&self, delivery: &Delivery, trace: Option<&TraceContext>) -> Result<(Answered, Vec<Accepted>, usize), NotMade> {
        let mut attempts = 1;
        // However often it is made anew, its sender waits once.
        let until = Instant::now() + echoes::SENDER;
        loop {
            let Made { mut events, set_aside, keys, answer } = self.make(delivery, until).await?;
            came_with(&mut events, trace);
            let aside = set_aside.len();
            match keep(self.runtime, self.source, events, set_aside, keys).await {
                Ok(accepted) => return Ok((answer, accepted, aside)),
                // Another delivery has changed what the plugin had read.
                Err(NotKept::Conflict) if attempts < MAX_CONFLICTS => attempts += 1,
                Err(NotKept::Conflict) => {
                    let why = "other deliveries of this source are being taken in";
                    return Err(NotMade::Later(Problem::unavailable(why, Duration::from_secs(1))));
                }
                Err(NotKept::Pressed(problem)) => return Err(NotMade::Later(problem)),
            }
        }
    }

    /// Turns a delivery into events, and those into rows. A plugin's steps that are writing are waited for until `until`.
    async fn make(&self, delivery: &Delivery, until: Instant) -> Result<Made, NotMade> {
        if let Some(stream) = &self.webhook.plugin {
            return receive::receive(self.runtime, self.source, stream, delivery, until).await;
        }
        let events = delivery.events(self.runtime, self.source, self.webhook).await.map_err(NotMade::Unreadable)?;
        let events = prepared(self.runtime, events).await.map_err(NotMade::Unreadable)?;
        Ok(Made { events, set_aside: Vec::new(), keys: None, answer: Answered::of(&self.webhook.answer) })
    }

    /// A delivery that was verified and says nothing that is understood.
    async fn unreadable(&self, delivery: &Delivery, why: Unreadable, now: Timestamp) -> Result<Response, Problem> {
        if self.webhook.on_unreadable == OnUnreadable::Refuse {
            self.runtime.arrivals.note(&self.source.name, Arrival::Refused("unreadable"), now);
            self.runtime.metrics.delivery(&self.source.name, "refused");
            self.runtime.series.delivery(now, &self.source.name, "refused");
            return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the delivery is refused: {why}")));
        }
        let kept = NewSetAside::new(&self.source.name, SetAsideKind::Body, delivery.body.to_vec(), why.0, now)
            .context(delivery.context())
            .known_by(delivery.identity());
        let written = self.runtime.store.set_aside(vec![kept]).await;
        self.runtime.pressure.wrote(written.is_ok());
        written.map_err(|error| {
            tracing::error!(error = telemetry::chain(&error), source = self.source.name, "a delivery could not be set aside");
            Problem::unavailable(NOT_WRITTEN, Duration::from_secs(1))
        })?;
        self.runtime.arrivals.note(&self.source.name, Arrival::SetAside, now);
        self.runtime.metrics.delivery(&self.source.name, "set-aside");
        self.runtime.series.delivery(now, &self.source.name, "set-aside");
        tracing::warn!(source = self.source.name, "a delivery could not be read and was set aside: `sangam sources show` says why");
        // A plugin that could not read it has no answer for it.
        Ok(Answered::of(&self.webhook.answer).response())
    }
}

/// Rows for events. One whose schema it does not fit makes the whole delivery unreadable.
async fn prepared(runtime: &Runtime, events: Vec<Event>) -> Result<Vec<NewEvent>, Unreadable> {
    let is_single = events.len() == 1;
    let prepared = Intake::new(runtime).prepare_batch(&events).await;
    let unreadable = |(position, prepared): (usize, Result<NewEvent, IntakeError>)| {
        prepared.map_err(|error| match is_single {
            true => Unreadable(error.to_string()),
            false => Unreadable(format!("event {position} of the delivery: {error}")),
        })
    };
    prepared.into_iter().enumerate().map(unreadable).collect()
}

/// Why events are not in the store.
enum NotKept {
    /// What the plugin had read has changed: it is called again.
    Conflict,
    /// There is no room, or no store. The sender is told to come again.
    Pressed(Problem),
}

/// Makes events durable, together with the key-value writes of the plugin that made them and with what of them may not come in.
async fn keep(
    runtime: &Runtime,
    source: &Source,
    rows: Vec<NewEvent>,
    set_aside: Vec<NewSetAside>,
    keys: Option<KeySettlement>,
) -> Result<Vec<Accepted>, NotKept> {
    let dead: Vec<Vec<String>> =
        rows.iter().map(|row| row.runs.iter().filter(|run| run.dead.is_some()).map(|run| run.route.clone()).collect()).collect();
    let runs = rows.iter().flat_map(|row| &row.runs).filter(|run| run.dead.is_none()).count();
    let reservation =
        runtime.pressure.reserve(&runtime.store, runs as u64).await.map_err(|pressed| NotKept::Pressed(Problem::from(pressed)))?;
    let came = runtime.came(&rows);
    let accepted = match (keys, set_aside.is_empty()) {
        (None, true) if rows.is_empty() => Ok(Vec::new()),
        // Events alone share their transaction with those of others.
        (None, true) => runtime.take_in(rows).await,
        (keys, _) => {
            let accepted = runtime.store.receive(rows, set_aside, keys).await;
            runtime.due.notify_one();
            accepted
        }
    };
    let accepted = match accepted {
        Err(StoreError::KeyConflict(_)) => return Err(NotKept::Conflict),
        Err(full @ StoreError::KeySpaceFull { .. }) => {
            tracing::error!(error = telemetry::chain(&full), source = source.name, "a delivery could not be taken in");
            return Err(NotKept::Pressed(Problem::unavailable(NOT_WRITTEN, Duration::from_secs(60))));
        }
        other => other,
    };
    runtime.pressure.wrote(accepted.is_ok());
    let accepted = accepted.map_err(|error| {
        tracing::error!(error = telemetry::chain(&error), source = source.name, "a delivery could not be taken in");
        NotKept::Pressed(Problem::unavailable(NOT_WRITTEN, Duration::from_secs(1)))
    })?;
    reservation.durable();
    runtime.store.crash().at(Point::Accepted);
    runtime.took_in(&came, &accepted, Some("/hooks/{source}"));
    let uri = source.uri();
    for (outcome, dead) in accepted.iter().zip(dead) {
        runtime.metrics.accepted(&uri, outcome.duplicate);
        for route in dead.iter().filter(|_| !outcome.duplicate) {
            runtime.metrics.run_ended(route, "dead");
        }
    }
    Ok(accepted)
}

/// Tries a delivery again that was set aside, with the present configuration of its source, and takes in what it is turned into.
///
/// # Errors
/// Why it still can't be read, or not now.
pub async fn retry_body(runtime: &Arc<Runtime>, source: &Arc<Source>, row: &SetAsideRow) -> Result<Vec<Accepted>, String> {
    let SourceKind::Webhook(webhook) = &source.kind else {
        return Err(format!("source {} is no webhook any more", source.name));
    };
    let delivery = Delivery::kept(row)?;
    match (Hook { runtime, source, webhook }).deliver(&delivery, None).await {
        Ok((_, accepted, _)) => Ok(accepted),
        Err(NotMade::Unreadable(why)) => Err(why.0),
        Err(NotMade::Later(problem)) => Err(problem.detail().to_owned()),
    }
}

/// What of a context is text, for those who look at it.
fn member<'c>(context: &'c Value, name: &str) -> Option<&'c str> {
    context.get(name).and_then(Value::as_str)
}
