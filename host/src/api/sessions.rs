//! People who are logged in, seen and logged out by an administrator.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::shown::Time;
use crate::access::{Caller, session};
use crate::audit::Action;
use crate::runtime::Runtime;
use crate::store::SessionRow;

/// People who are logged in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Sessions")]
pub(super) struct Sessions {
    sessions: Vec<Shown>,
    /// Always null: they are few.
    next_cursor: Option<String>,
}

/// Somebody who is logged in.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Session")]
pub(super) struct Shown {
    id: String,
    name: String,
    /// What the provider calls them for good.
    subject: String,
    /// The provider.
    issuer: String,
    role: &'static str,
    created_at: Time,
    /// To about half a minute.
    seen_at: Time,
    expires_at: Time,
    /// The one that asks.
    own: bool,
}

/// Who is logged in.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Extension(caller): Extension<Caller>) -> Result<Json<Sessions>, Problem> {
    let now = runtime.clock.now();
    let mut rows = runtime.store.session_list().await?;
    if let Some(oidc) = &runtime.server.oidc {
        rows.retain(|row| !session::is_over(row, oidc.session_idle, now));
    }
    let sessions = rows.iter().map(|row| shown(row, &caller)).collect();
    Ok(Json(Sessions { sessions, next_cursor: None }))
}

fn shown(row: &SessionRow, caller: &Caller) -> Shown {
    Shown {
        id: row.id.clone(),
        name: row.name.clone(),
        subject: row.subject.clone(),
        issuer: row.issuer.clone(),
        role: row.role.as_str(),
        created_at: row.created_at.into(),
        seen_at: row.seen_at.into(),
        expires_at: row.expires_at.into(),
        own: caller.id() == Some(row.id.as_str()),
    }
}

/// Logs somebody out, at once and on all hosts of the store. They may log in again, if their provider lets them.
pub(super) async fn revoke(
    State(runtime): State<Arc<Runtime>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let gone = || Problem::not_found(format!("there is no session {id:?}; GET /v1/sessions lists who is logged in"));
    let rows = runtime.store.session_list().await?;
    let row = rows.iter().find(|row| row.id == id).ok_or_else(gone)?;
    let act = caller.by().did(Action::Logout, id.as_str()).with("person", row.name.as_str());
    if !runtime.store.session_revoke(&id, act, runtime.clock.now()).await? {
        return Err(gone());
    }
    Ok(Json(shown(row, &caller)))
}
