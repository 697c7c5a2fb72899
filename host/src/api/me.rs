//! Who asks, told to them.

use axum::{Extension, Json};
use serde_json::{Value, json};

use crate::access::{Caller, Who};
use crate::credentials::Permission;

pub(super) async fn me(Extension(caller): Extension<Caller>) -> Json<Value> {
    let (kind, name, subject) = match &caller.who {
        Who::Anyone => ("anyone", None, None),
        Who::Token { name, .. } => ("token", Some(name), None),
        Who::Person { name, subject, .. } => ("person", Some(name), Some(subject)),
    };
    Json(json!({
        "kind": kind,
        "id": caller.id(),
        "name": name,
        "subject": subject,
        "role": caller.role.as_str(),
        "permissions": Permission::ALL.into_iter().filter(|permission| caller.may(*permission)).map(Permission::as_str).collect::<Vec<_>>(),
        "sources": caller.sources.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "expires_at": caller.expires_at.map(|at| at.to_string()),
    }))
}
