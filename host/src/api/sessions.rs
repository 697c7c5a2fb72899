//! People who are logged in, seen and logged out by an administrator.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::Problem;
use crate::access::{Caller, session};
use crate::audit::Action;
use crate::runtime::Runtime;
use crate::store::SessionRow;

/// Who is logged in.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Extension(caller): Extension<Caller>) -> Result<Json<Value>, Problem> {
    let now = runtime.clock.now();
    let mut rows = runtime.store.session_list().await?;
    if let Some(oidc) = &runtime.server.oidc {
        rows.retain(|row| !session::is_over(row, oidc.session_idle, now));
    }
    let sessions: Vec<Value> = rows.iter().map(|row| shown(row, &caller)).collect();
    Ok(Json(json!({ "sessions": sessions, "next_cursor": null })))
}

fn shown(row: &SessionRow, caller: &Caller) -> Value {
    json!({
        "id": row.id,
        "name": row.name,
        "subject": row.subject,
        "issuer": row.issuer,
        "role": row.role.as_str(),
        "created_at": row.created_at.to_string(),
        "seen_at": row.seen_at.to_string(),
        "expires_at": row.expires_at.to_string(),
        "own": caller.id() == Some(row.id.as_str()),
    })
}

/// Logs somebody out, at once and on all hosts of the store. They may log in again, if their provider lets them.
pub(super) async fn revoke(
    State(runtime): State<Arc<Runtime>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let gone = || Problem::not_found(format!("there is no session {id:?}; GET /v1/sessions lists who is logged in"));
    let rows = runtime.store.session_list().await?;
    let row = rows.iter().find(|row| row.id == id).ok_or_else(gone)?;
    let act = caller.by().did(Action::Logout, id.as_str()).with("person", row.name.as_str());
    if !runtime.store.session_revoke(&id, act, runtime.clock.now()).await? {
        return Err(gone());
    }
    Ok(Json(shown(row, &caller)))
}
