//! The audit log, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::runtime::Runtime;
use crate::store::AuditFilter;

/// Entries on a page without `limit`.
const PAGE: u32 = 100;
/// Most entries on a page.
const MOST: u32 = 1000;

/// Query of `GET /v1/audit`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    actor: Option<String>,
    action: Option<String>,
    object: Option<String>,
    since: Option<String>,
    until: Option<String>,
    limit: Option<u32>,
    cursor: Option<i64>,
}

pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<Value>, Problem> {
    let time = |name: &str, text: Option<String>| {
        let parsed = text.map(|text| text.parse::<Timestamp>()).transpose();
        parsed.map_err(|error| Problem::bad_request(format!("{name}: {error}; write a time as 2026-03-01T10:00:00Z")))
    };
    let filter = AuditFilter {
        actor: asked.actor,
        action: asked.action,
        object: asked.object,
        since: time("since", asked.since)?,
        until: time("until", asked.until)?,
        before: asked.cursor,
        limit: asked.limit.unwrap_or(PAGE).clamp(1, MOST),
    };
    let (records, more) = runtime.store.audit_page(&filter).await?;
    let next = records.last().filter(|_| more).map(|record| record.seq.to_string());
    let entries: Vec<Value> = records.iter().map(|record| record.document()).collect();
    Ok(Json(json!({ "entries": entries, "next_cursor": next })))
}
