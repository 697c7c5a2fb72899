//! Who asks, told to them.

use axum::Extension;
use serde_json::json;

use super::access_form::Me;
use super::shown::Shown;
use crate::access::{Caller, Who};
use crate::credentials::Permission;

pub(super) async fn me(Extension(caller): Extension<Caller>) -> Shown<Me> {
    let (kind, name, subject) = match &caller.who {
        Who::Anyone => ("anyone", None, None),
        Who::Token { name, .. } => ("token", Some(name), None),
        Who::Person { name, subject, .. } => ("person", Some(name), Some(subject)),
    };
    Shown::as_form(json!({
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
