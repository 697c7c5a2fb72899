//! API tokens, made and revoked over the API. A token's text is in the answer to the request that made it, and nowhere else.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Problem;
use super::order::Order;
use super::shown::{Created, Time};
use crate::access::Caller;
use crate::audit::Action;
use crate::credentials::{Permission, Role, allows, api_token};
use crate::runtime::Runtime;
use crate::store::ApiTokenRow;

/// Longest name, in characters.
const MOST_NAME: usize = 100;

/// Body of `POST /v1/tokens`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "TokenOrder")]
pub(super) struct Wish {
    /// Who or what will use it; must be there.
    name: Option<String>,
    /// `admin`, `operator`, `sender` or `viewer`; must be there.
    role: Option<String>,
    /// It also sees fields that are marked as personal data.
    #[serde(default)]
    personal: bool,
    /// Of a sender: sources of the events that it may send, with `*`; none: all.
    #[serde(default)]
    sources: Vec<String>,
    /// Such as `30d`, or `never`; a year for senders and 90 days for others unless said.
    expires: Option<String>,
}

/// API tokens.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Tokens")]
pub(super) struct Tokens {
    tokens: Vec<Shown>,
    /// Always null: they are few.
    next_cursor: Option<String>,
}

/// A token, without its text.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct Shown {
    id: String,
    name: String,
    role: &'static str,
    /// It sees fields that are marked as personal data.
    personal: bool,
    /// Sources of the events that it may send; none: all.
    sources: Vec<String>,
    created_at: Time,
    /// Null: never.
    expires_at: Option<Time>,
    /// To about half a minute.
    last_used_at: Option<Time>,
    revoked_at: Option<Time>,
    /// `active`, `expired` or `revoked`.
    state: &'static str,
    /// The one that asks.
    own: bool,
}

/// A token that was just made.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "NewToken")]
pub(super) struct New {
    /// Its text, shown here and never again.
    token: String,
    #[serde(flatten)]
    shown: Shown,
}

/// All tokens, and those that were revoked within 90 days; never a text.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>, Extension(caller): Extension<Caller>) -> Result<Json<Tokens>, Problem> {
    let now = runtime.clock.now();
    let tokens = runtime.store.token_list().await?.iter().map(|row| shown(row, &caller, now)).collect();
    Ok(Json(Tokens { tokens, next_cursor: None }))
}

fn shown(row: &ApiTokenRow, caller: &Caller, now: Timestamp) -> Shown {
    Shown {
        id: row.id.clone(),
        name: row.name.clone(),
        role: row.role.as_str(),
        personal: row.personal || allows(row.role, Permission::Personal),
        sources: row.sources.iter().map(ToString::to_string).collect(),
        created_at: row.created_at.into(),
        expires_at: row.expires_at.map(Time::from),
        last_used_at: row.used_at.map(Time::from),
        revoked_at: row.revoked_at.map(Time::from),
        state: row.state(now),
        own: caller.id() == Some(row.id.as_str()),
    }
}

/// Makes a token, as `sangam token create` does. Nobody makes one that may do what they may not.
pub(super) async fn create(
    State(runtime): State<Arc<Runtime>>,
    Extension(caller): Extension<Caller>,
    Order(wish): Order<Wish>,
) -> Result<Created<New>, Problem> {
    let name = wish.name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Problem::bad_request("\"name\" is missing: who or what will use the token"))?;
    if name.chars().count() > MOST_NAME || name.chars().any(char::is_control) {
        return Err(Problem::bad_request(format!("\"name\" is a line of at most {MOST_NAME} characters")));
    }
    let role = wish.role.as_deref().ok_or_else(|| Problem::bad_request("\"role\" is missing: admin, operator, sender or viewer"))?;
    let role: Role = role.parse().map_err(|error: api_token::UnknownRole| Problem::bad_request(format!("\"role\": {error}")))?;
    let more = |permission: &Permission| {
        let has = allows(role, *permission) || (*permission == Permission::Personal && wish.personal);
        has && !caller.may(*permission)
    };
    if let Some(more) = Permission::ALL.iter().find(|permission| more(permission)) {
        let why = format!("the token could do more than you may ({}): choose a smaller role, or leave \"personal\" out", more.as_str());
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let sources = api_token::sources(role, &wish.sources).map_err(|why| Problem::bad_request(format!("\"sources\": {why}")))?;
    let now = runtime.clock.now();
    let expires =
        api_token::expiry(role, wish.expires.as_deref(), now).map_err(|why| Problem::bad_request(format!("\"expires\": {why}")))?;
    let (text, mut row) = api_token::issue(name, role, sources, now, expires);
    row.personal = wish.personal;
    let act = caller
        .by()
        .did(Action::TokenCreated, row.id.as_str())
        .with("name", name)
        .with("role", role.as_str())
        .with("personal", row.personal)
        .with("expires_at", row.expires_at.map(|at| at.to_string()));
    runtime.store.token_insert(row.clone(), act).await?;
    Ok(Created(New { token: text.expose().to_owned(), shown: shown(&row, &caller, now) }))
}

/// Revokes a token, at once and on all hosts of the store. One's own, too: the answer says so, and is the last one to it.
pub(super) async fn revoke(
    State(runtime): State<Arc<Runtime>>,
    Extension(caller): Extension<Caller>,
    Path(id): Path<String>,
) -> Result<Json<Shown>, Problem> {
    let known = runtime.store.token(&id).await?;
    let known = known.ok_or_else(|| Problem::not_found(format!("there is no token {id:?}; GET /v1/tokens lists them")))?;
    let now = runtime.clock.now();
    let act = caller.by().did(Action::TokenRevoked, id.as_str()).with("name", known.name.as_str());
    if !runtime.store.token_revoke(&id, act, now).await? {
        return Err(Problem::conflict(format!("token {:?} ({id}) was revoked before", known.name)));
    }
    Ok(Json(shown(&ApiTokenRow { revoked_at: Some(now), ..known }, &caller, now)))
}
