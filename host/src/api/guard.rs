//! Who may ask: tokens, sessions, roles, and how often somebody may be wrong.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Request;
use axum::http::{Extensions, HeaderMap, Method, StatusCode, header};
use bytes::BytesMut;
use futures::StreamExt as _;
use serde_json::json;
use tokio::time::timeout;

use super::routes::Needs;
use super::{Problem, Sees, cookie, site};
use crate::access::{Attempts, Caller, Who, client_address, session};
use crate::config::Access;
use crate::credentials::api_token::{self, TokenError};
use crate::credentials::{Permission, Role, allows};
use crate::runtime::Runtime;
use crate::server::Peer;

/// What a page of the host's sends with requests that change something. A form can't, and a script elsewhere would have to ask first.
const OWN_PAGE: &str = "sangam-request";

/// Bytes beyond what is taken that are read for the sake of an answer.
const MOST_SURPLUS: usize = 8 << 20;

/// Lets a request through whose sender may do what it asks for. Handlers find the [`Caller`] among its extensions.
pub(super) async fn authorize(runtime: &Runtime, needs: Needs, request: &mut Request) -> Result<(), Problem> {
    let caller = caller(runtime, request.method(), request.headers(), request.extensions()).await?;
    if let Needs::A(permission) = needs
        && !caller.may(permission)
    {
        runtime.refusals.requests.note(Some(caller.address));
        return Err(not_included(&caller, permission));
    }
    let extensions = request.extensions_mut();
    extensions.insert(if caller.may(Permission::Personal) { Sees::All(Arc::new(caller.by())) } else { Sees::Unmarked });
    // For handlers whose acts are put on record.
    extensions.insert(caller.by());
    extensions.insert(caller);
    Ok(())
}

fn not_included(caller: &Caller, permission: Permission) -> Problem {
    let whose = if matches!(caller.who, Who::Token { .. }) { "the token's role" } else { "your role" };
    let why = format!("{whose} {} does not include this ({})", caller.role.as_str(), permission.as_str());
    Problem::new(StatusCode::FORBIDDEN, why)
}

/// Who asks.
async fn caller(runtime: &Runtime, method: &Method, headers: &HeaderMap, extensions: &Extensions) -> Result<Caller, Problem> {
    let address = address_of(runtime, headers, extensions);
    if runtime.server.access == Access::Open {
        return Ok(Caller { who: Who::Anyone, role: Role::Admin, personal: true, address, expires_at: None, sources: Vec::new() });
    }
    if let Some(token) = bearer(headers) {
        return by_token(runtime, token, address).await;
    }
    if let Some(cookie) = cookie::session(headers, &runtime.server)
        && runtime.gate.login.is_some()
    {
        return by_session(runtime, cookie, address, method, headers).await;
    }
    let how = match runtime.gate.login {
        Some(_) => "log in at /login, or send an API token as `Authorization: Bearer …`; `sangam token create` makes one",
        None => "send an API token as `Authorization: Bearer …`; `sangam token create` makes one",
    };
    runtime.refusals.requests.note(Some(address));
    Err(unknown(runtime, how))
}

/// 401. Where people log in, the member `login` says so, for the console.
fn unknown(runtime: &Runtime, why: impl Into<String>) -> Problem {
    let problem = Problem::new(StatusCode::UNAUTHORIZED, why);
    if runtime.gate.login.is_some() { problem.with("login", json!("/login")) } else { problem }
}

/// Whether somebody who was let in still would be: what answers for long asks from time to time. Does not count as a use. While the store can't be
/// asked nobody is turned away.
pub(super) async fn is_still_let_in(runtime: &Runtime, headers: &HeaderMap, permission: Permission) -> bool {
    let now = runtime.clock.now();
    if runtime.server.access == Access::Open {
        return true;
    }
    if let Some(token) = bearer(headers) {
        return match api_token::verify(&runtime.store, token, now).await {
            Ok(row) => allows(row.role, permission),
            Err(TokenError::Store(_)) => true,
            Err(_) => false,
        };
    }
    let (Some(login), Some(cookie)) = (&runtime.gate.login, cookie::session(headers, &runtime.server)) else { return false };
    match session::verify(&runtime.store, cookie, login.config(), now).await {
        Ok(row) => row.is_some_and(|row| allows(row.role, permission)),
        Err(_) => true,
    }
}

async fn by_token(runtime: &Runtime, token: &str, address: IpAddr) -> Result<Caller, Problem> {
    let (now, gate) = (runtime.clock.now(), &runtime.gate);
    let digest = api_token::digest(token);
    // A token that was good before is looked up whatever others have tried from its address.
    if !gate.uses.knows(&digest) {
        wait(&gate.guesses, address, now)?;
    }
    match api_token::verify(&runtime.store, token, now).await {
        Ok(row) => {
            gate.uses.token(digest, &row.id, now);
            let who = Who::Token { id: row.id, name: row.name };
            let (role, personal) = (row.role, row.personal);
            Ok(Caller { who, role, personal, address, expires_at: row.expires_at, sources: row.sources })
        }
        Err(TokenError::Store(error)) => Err(Problem::from(error)),
        Err(refused) => {
            gate.guesses.failed(address, now);
            runtime.refusals.requests.note(Some(address));
            Err(unknown(runtime, refused.to_string()))
        }
    }
}

async fn by_session(runtime: &Runtime, text: &str, address: IpAddr, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
    let (now, gate) = (runtime.clock.now(), &runtime.gate);
    let Some(login) = &gate.login else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "nobody can log in at this host"));
    };
    let digest = session::digest(text);
    if !gate.uses.knows(&digest) {
        wait(&gate.guesses, address, now)?;
    }
    let Some(row) = session::verify(&runtime.store, text, login.config(), now).await? else {
        gate.guesses.failed(address, now);
        runtime.refusals.requests.note(Some(address));
        return Err(unknown(runtime, "you are not logged in any more: log in at /login"));
    };
    gate.uses.session(digest, &row.id, now);
    if !site::is_safe(method) {
        is_of_our_page(headers)?;
    }
    let who = Who::Person { session: row.id, subject: row.subject, name: row.name };
    Ok(Caller { who, role: row.role, personal: false, address, expires_at: Some(row.expires_at), sources: Vec::new() })
}

/// A browser sends the cookie by itself: what changes something must come from a page of ours. [`site::Site::check`] has seen to it that an `Origin`,
/// if there is one, is our own.
fn is_of_our_page(headers: &HeaderMap) -> Result<(), Problem> {
    let is_same_origin = headers.contains_key(header::ORIGIN) || headers.get("sec-fetch-site").is_some_and(|value| value == "same-origin");
    if is_same_origin && headers.contains_key(OWN_PAGE) {
        return Ok(());
    }
    let why =
        "who is logged in changes something only from the host's own pages: they send their `Origin` and the header `Sangam-Request: 1`";
    Err(Problem::new(StatusCode::FORBIDDEN, why))
}

/// Refuses somebody who has been wrong too often, for a while.
///
/// # Errors
/// 429 with how long.
pub fn wait(attempts: &Attempts, address: IpAddr, now: jiff::Timestamp) -> Result<(), Problem> {
    match attempts.wait(address, now) {
        None => Ok(()),
        Some(left) => {
            let seconds = left.as_secs() + 1;
            let why = format!("too many failed attempts from {address}: wait {seconds} s");
            Err(Problem::too_much(&why, Duration::from_secs(seconds)))
        }
    }
}

/// The address that a request comes from.
pub fn address_of(runtime: &Runtime, headers: &HeaderMap, extensions: &Extensions) -> IpAddr {
    // Every request of a listener carries its peer.
    let connection = extensions.get::<Peer>().map_or(Ipv4Addr::UNSPECIFIED.into(), |peer| peer.address.ip());
    client_address(connection, headers, &runtime.server.connections)
}

fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// How much body, in which time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Body {
    pub(super) most: usize,
    pub(super) time: Duration,
}

/// Reads the whole body before the handler runs: a slow one holds nothing but its own connection, and that not for long.
pub(super) async fn whole_body(bounds: Body, request: Request) -> Result<Request, Problem> {
    let (parts, body) = request.into_parts();
    let body = read_whole(body, bounds.most, bounds.time, "server.max-event-size").await?;
    Ok(Request::from_parts(parts, body.into()))
}

/// Reads a whole body within a time. `option`: what bounds its size.
///
/// # Errors
/// 413, 408, 400.
pub async fn read_whole(body: axum::body::Body, most: usize, time: Duration, option: &str) -> Result<Bytes, Problem> {
    match timeout(time, read(body, most)).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            let why = format!("the body is larger than the host takes ({option})");
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, why))
        }
        Ok(Err(_)) => Err(Problem::bad_request("the body is not whole")),
        Err(_) => {
            let why = format!("the body did not come within {} s (server.body-timeout)", time.as_secs());
            Err(Problem::new(StatusCode::REQUEST_TIMEOUT, why))
        }
    }
}

/// A body; `None`: it is too large. The rest of such a one is read and thrown away, within bounds: who still sends when the connection ends never
/// sees the answer.
async fn read(body: axum::body::Body, most: usize) -> Result<Option<Bytes>, axum::Error> {
    let mut stream = body.into_data_stream();
    let (mut bytes, mut surplus) = (BytesMut::new(), 0);
    while let Some(chunk) = stream.next().await {
        let chunk = chunk?;
        if surplus == 0 && bytes.len() + chunk.len() <= most {
            bytes.extend_from_slice(&chunk);
            continue;
        }
        bytes = BytesMut::new();
        surplus += chunk.len();
        if surplus > MOST_SURPLUS {
            break;
        }
    }
    Ok((surplus == 0).then(|| bytes.freeze()))
}

/// Refuses events whose sources a caller may not send: the whole request, with each one's place.
pub fn check_sources<'e>(caller: &Caller, sources: impl Iterator<Item = &'e str>) -> Result<(), Problem> {
    let refused: Vec<(usize, &str)> = sources.enumerate().filter(|(_, source)| !caller.may_send_as(source)).collect();
    let Some((_, first)) = refused.first() else { return Ok(()) };
    let allowed: Vec<String> = caller.sources.iter().map(ToString::to_string).collect();
    let why = |source: &str| format!("the token may not send events with source {source:?}, only with {}", allowed.join(", "));
    let errors: Vec<_> = refused.iter().map(|(index, source)| json!({ "index": index, "detail": why(source) })).collect();
    Err(Problem::new(StatusCode::FORBIDDEN, format!("{}; nothing was taken in", why(first))).with("errors", json!(errors)))
}
