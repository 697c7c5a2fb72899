//! The audit log, for administrators.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::access_form::{AuditEntry, AuditList};
use super::cursor::Listing;
use crate::audit::Action;
use crate::runtime::Runtime;
use crate::store::AuditFilter;

/// Entries on a page without `limit`.
const PAGE: u32 = 100;
/// Most entries on a page.
const MOST: u32 = 1000;

/// Query of `GET /v1/audit`.
#[derive(Debug, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "AuditQuery")]
pub(super) struct Asked {
    /// Name or id of who did it.
    actor: Option<String>,
    /// What was done.
    action: Option<String>,
    /// What it was done to.
    object: Option<String>,
    /// Done at this time or later.
    since: Option<String>,
    /// Done before this time.
    until: Option<String>,
    /// How many at most: 100 unless said, 1000 at most.
    #[serde(skip_serializing)]
    limit: Option<u32>,
    /// Where the last page ended (`next_cursor`).
    #[serde(skip_serializing)]
    cursor: Option<String>,
}

pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<AuditList>, Problem> {
    let listing = Listing::new("audit entries", &asked);
    let before = listing.place(asked.cursor.as_deref())?;
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
        before,
        limit: asked.limit.unwrap_or(PAGE).clamp(1, MOST),
    };
    let (records, more) = runtime.store.audit_page(&filter).await?;
    let next_cursor = records.last().filter(|_| more).map(|record| listing.cursor(record.seq));
    Ok(Json(AuditList { entries: records.into_iter().map(AuditEntry::from).collect(), next_cursor }))
}

/// What can be on the audit log.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "AuditActions")]
pub(super) struct Actions {
    /// In the order of the alphabet.
    actions: Vec<&'static str>,
}

/// What can be on the audit log, for those who choose among it.
pub(super) async fn actions() -> Json<Actions> {
    let mut actions: Vec<&str> = Action::ALL.iter().map(|action| action.as_str()).collect();
    actions.sort_unstable();
    Json(Actions { actions })
}
