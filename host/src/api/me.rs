//! Who asks, told to them.

use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;

use super::shown::Time;
use crate::access::{Caller, Who};
use crate::credentials::Permission;

/// Who asks.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Me {
    kind: Kind,
    /// The token's or session's.
    id: Option<String>,
    name: Option<String>,
    /// At the identity provider.
    subject: Option<String>,
    role: &'static str,
    permissions: Vec<&'static str>,
    /// That a sender may send as; none: all.
    sources: Vec<String>,
    expires_at: Option<Time>,
}

/// What somebody has shown.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "CallerKind")]
enum Kind {
    /// Nothing: the host is open to all who reach it.
    Anyone,
    /// An API token.
    Token,
    /// The session of somebody who logged in.
    Person,
}

pub(super) async fn me(Extension(caller): Extension<Caller>) -> Json<Me> {
    let (kind, name, subject) = match &caller.who {
        Who::Anyone => (Kind::Anyone, None, None),
        Who::Token { name, .. } => (Kind::Token, Some(name), None),
        Who::Person { name, subject, .. } => (Kind::Person, Some(name), Some(subject)),
    };
    Json(Me {
        kind,
        id: caller.id().map(ToOwned::to_owned),
        name: name.cloned(),
        subject: subject.cloned(),
        role: caller.role.as_str(),
        permissions: Permission::ALL.into_iter().filter(|permission| caller.may(*permission)).map(Permission::as_str).collect(),
        sources: caller.sources.iter().map(ToString::to_string).collect(),
        expires_at: caller.expires_at.map(Time::from),
    })
}
