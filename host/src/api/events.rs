//! Events and dead letters, read.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Problem;
use super::cursor::{Listing, TimeAnd};
use super::document::{event_document, redacted, summary};
use super::event_form::{EventDocument, EventList};
use super::redaction::{Redaction, Sees};
use super::shown::{Shown, Stored};
use crate::run::Death;
use crate::runtime::Runtime;
use crate::store::EventFilter;

/// Events of a page unless asked otherwise.
const PAGE: u32 = 50;
/// Most events of a page.
const MAX_PAGE: u32 = 500;

/// Query of `GET /v1/events`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    /// `unrouted`, `running`, `waiting`, `pending`, `dead`, `cancelled` or `succeeded`; several with commas: any of them.
    status: Option<String>,
    /// The whole type; several with commas: any of them.
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The whole source.
    source: Option<String>,
    /// The id that its sender gave it.
    id: Option<String>,
    /// The whole subject.
    subject: Option<String>,
    /// A route that has a run of it; several with commas: any of them.
    route: Option<String>,
    /// A plugin that a route of one of its runs uses now, or that failed in one.
    plugin: Option<String>,
    /// The order key of one of its runs.
    order_key: Option<String>,
    /// Kind of failure that a dead letter of it died of.
    failure: Option<String>,
    /// Received at this time or later.
    since: Option<String>,
    /// Received before this time.
    until: Option<String>,
    /// Text that it says somewhere.
    q: Option<String>,
    /// How many at most: 50 unless said, 500 at most.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where the last page ended (`next_cursor`).
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

/// Events. To somebody who does not see all fields `q` is what is said by those that are seen: each page then looks through so many events, and how many
/// it found tells nothing of the others.
pub(super) async fn list(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Query(query): Query<List>,
) -> Result<Json<EventList>, Problem> {
    const STATUSES: &[&str] = &["unrouted", "running", "waiting", "pending", "dead", "cancelled", "succeeded"];
    let statuses = several(query.status.as_deref());
    if let Some(status) = statuses.iter().find(|status| !STATUSES.contains(&status.as_str())) {
        return Err(Problem::bad_request(format!("status {status:?} is none of {}", STATUSES.join(", "))));
    }
    if let Some(kind) = query.failure.as_deref().filter(|kind| !Death::kinds().any(|known| known == *kind)) {
        let known: Vec<&str> = Death::kinds().collect();
        return Err(Problem::bad_request(format!("failure {kind:?} is none of {}", known.join(", "))));
    }
    if (query.subject.is_some() || query.order_key.is_some()) && !sees.may_search(&runtime).await? {
        let why = "\"subject\" and \"order_key\" would look into fields that are hidden from you: choose by type, source, id, route, status or time";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let listing = Listing::new("events", &query);
    let after = listing.place(query.cursor.as_deref())?.map(|TimeAnd(time, eid)| (time, eid));
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let (text, seen_text) = if query.q.is_none() || sees.may_search(&runtime).await? { (query.q, None) } else { (None, query.q) };
    let filter = EventFilter {
        status: statuses,
        kind: several_or_one(query.kind),
        source: query.source,
        id: query.id,
        subject: query.subject,
        route: several(query.route.as_deref()),
        plugin: query.plugin.map(|plugin| (plugin.clone(), routes_of(&runtime, &plugin))),
        order_key: query.order_key,
        failure: query.failure,
        since: query.since.as_deref().map(|text| time("since", text)).transpose()?,
        until: query.until.as_deref().map(|text| time("until", text)).transpose()?,
        text,
        limit: if seen_text.is_some() { MAX_PAGE } else { limit },
        after,
    };
    let page = runtime.store.events(&filter).await?;
    let mut events = Vec::with_capacity(page.events.len().min(limit as usize));
    let mut last = None;
    for (event, runs) in &page.events {
        if events.len() == limit as usize {
            break;
        }
        last = Some(event);
        let mut shown = json!(summary(&runtime, event, runs).await?);
        let redaction = Redaction::of(&runtime, &shown["event"], runs, &sees).await?;
        redacted(&redaction, &mut shown);
        let is_found = |text: &String| *text == event.eid || shown["event"].to_string().contains(text.as_str());
        if seen_text.as_ref().is_none_or(is_found) {
            events.push(Stored::new(shown));
        }
    }
    let looked_at_all = !page.more && last.map(|event| &event.eid) == page.events.last().map(|(event, _)| &event.eid);
    let next_cursor = last.filter(|_| !looked_at_all).map(|event| listing.cursor(TimeAnd(event.received_at, &event.eid)));
    Ok(Json(EventList { events, next_cursor }))
}

/// Values that are separated by commas: any of them.
fn several(text: Option<&str>) -> Vec<String> {
    text.into_iter().flat_map(|text| text.split(',')).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned).collect()
}

/// The same where a value may have a comma of its own.
fn several_or_one(text: Option<String>) -> Vec<String> {
    let mut values = several(text.as_deref());
    if values.len() > 1 {
        values.extend(text);
    }
    values
}

/// Routes that use a plugin now.
fn routes_of(runtime: &Runtime, plugin: &str) -> Vec<String> {
    let present = runtime.present();
    let routes = present.revision.config.routes.iter().filter(|route| route.steps.iter().any(|step| step.plugin == plugin));
    routes.map(|route| route.name.clone()).collect()
}

pub(super) async fn show(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Path(eid): Path<String>,
) -> Result<Shown<EventDocument>, Problem> {
    event_document(&runtime, &eid, &sees).await.map(Shown::as_form)
}

pub(super) fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("{name}: {text:?} is not an RFC 3339 time such as 2026-11-02T08:00:00Z")))
}
