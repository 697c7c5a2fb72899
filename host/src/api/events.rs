//! Events and dead letters, read.

use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use super::document::{event_document, explain, queue, redacted, summary};
use super::redaction::{Redaction, Sees};
use crate::runtime::Runtime;
use crate::store::EventFilter;

/// Events of a page unless asked otherwise.
const PAGE: u32 = 50;
/// Most events of a page.
const MAX_PAGE: u32 = 500;

/// Query of `GET /v1/events`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List {
    status: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    source: Option<String>,
    route: Option<String>,
    since: Option<String>,
    until: Option<String>,
    q: Option<String>,
    limit: Option<u32>,
    cursor: Option<String>,
}

/// Events. To somebody who does not see all fields `q` is what is said by those that are seen: each page then looks through so many events, and how many
/// it found tells nothing of the others.
pub(super) async fn list(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Query(query): Query<List>,
) -> Result<Json<Value>, Problem> {
    const STATUSES: &[&str] = &["unrouted", "running", "waiting", "pending", "dead", "cancelled", "succeeded"];
    if let Some(status) = query.status.as_deref().filter(|status| !STATUSES.contains(status)) {
        return Err(Problem::bad_request(format!("status {status:?} is none of {}", STATUSES.join(", "))));
    }
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let (text, seen_text) = if query.q.is_none() || sees.may_search(&runtime).await? { (query.q, None) } else { (None, query.q) };
    let filter = EventFilter {
        status: query.status,
        kind: query.kind,
        source: query.source,
        route: query.route,
        since: query.since.as_deref().map(|text| time("since", text)).transpose()?,
        until: query.until.as_deref().map(|text| time("until", text)).transpose()?,
        text,
        limit: if seen_text.is_some() { MAX_PAGE } else { limit },
        after: query.cursor.as_deref().map(decode_cursor).transpose()?,
    };
    let page = runtime.store.events(&filter).await?;
    let mut events = Vec::with_capacity(page.events.len().min(limit as usize));
    let mut last = None;
    for (event, runs) in &page.events {
        if events.len() == limit as usize {
            break;
        }
        last = Some(event);
        let mut shown = summary(event, runs);
        for (index, run) in runs.iter().enumerate().filter(|(_, run)| run.is_queued()) {
            queue(&runtime, run, &mut shown["runs"][index]).await?;
        }
        explain(&mut shown);
        let redaction = Redaction::of(&runtime, &shown["event"], runs, &sees).await?;
        redacted(&redaction, &mut shown);
        let is_found = |text: &String| *text == event.eid || shown["event"].to_string().contains(text.as_str());
        if seen_text.as_ref().is_none_or(is_found) {
            events.push(shown);
        }
    }
    let looked_at_all = !page.more && last.map(|event| &event.eid) == page.events.last().map(|(event, _)| &event.eid);
    let next = last.filter(|_| !looked_at_all).map(|event| encode_cursor(event.received_at, &event.eid));
    Ok(Json(json!({ "events": events, "next_cursor": next })))
}

pub(super) async fn show(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Path(eid): Path<String>,
) -> Result<Json<Value>, Problem> {
    event_document(&runtime, &eid, &sees).await.map(Json)
}

pub(super) fn time(name: &str, text: &str) -> Result<Timestamp, Problem> {
    text.parse().map_err(|_| Problem::bad_request(format!("{name}: {text:?} is not an RFC 3339 time such as 2026-11-02T08:00:00Z")))
}

/// Where a page ended: a time and what tells apart those of the same time.
pub(super) fn encode_cursor(time: Timestamp, id: impl std::fmt::Display) -> String {
    URL_SAFE_NO_PAD.encode(format!("{}/{id}", time.as_millisecond()))
}

pub(super) fn decode_cursor(cursor: &str) -> Result<(Timestamp, String), Problem> {
    let bad = || Problem::bad_request("the cursor is not one that this host gave");
    let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok()).ok_or_else(bad)?;
    let (millis, eid) = text.split_once('/').ok_or_else(bad)?;
    let time = millis.parse().ok().and_then(|millis| Timestamp::from_millisecond(millis).ok()).ok_or_else(bad)?;
    Ok((time, eid.to_owned()))
}
