//! The two cookies: of a session, and of a login under way.
//!
//! `__Host-` makes browsers insist that a cookie came encrypted from this very host, so that no neighbour under the same domain can set one. On
//! plain HTTP, which only loopback serves to people, they would not keep it: there it has another name, by which it is never taken for the other.

use axum::http::{HeaderMap, HeaderValue, header};

use crate::config::Server;

/// Names with and without encryption.
const SESSION: [&str; 2] = ["__Host-sangam", "sangam"];
const LOGIN: [&str; 2] = ["__Host-sangam-login", "sangam-login"];

fn name(names: [&'static str; 2], server: &Server) -> &'static str {
    if server.is_https() { names[0] } else { names[1] }
}

/// The session that a request shows.
pub(super) fn session<'h>(headers: &'h HeaderMap, server: &Server) -> Option<&'h str> {
    find(headers, name(SESSION, server))
}

/// The login under way that a request shows.
pub(super) fn login<'h>(headers: &'h HeaderMap, server: &Server) -> Option<&'h str> {
    find(headers, name(LOGIN, server))
}

/// `None`: forgets it.
pub(super) fn set_session(server: &Server, value: Option<(&str, u64)>) -> HeaderValue {
    set(name(SESSION, server), server, value)
}

/// `None`: forgets it.
pub(super) fn set_login(server: &Server, value: Option<(&str, u64)>) -> HeaderValue {
    set(name(LOGIN, server), server, value)
}

/// A cookie that is there twice was set by two, and it can't be told who is who: it counts as none.
fn find<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut found =
        values.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('=')).filter(|(key, _)| *key == name);
    let first = found.next()?;
    found.next().is_none().then_some(first.1)
}

/// `SameSite=Lax`: sent when people come by a link, as from the provider, never with what a foreign page sends.
fn set(name: &str, server: &Server, value: Option<(&str, u64)>) -> HeaderValue {
    let (value, seconds) = value.unwrap_or(("", 0));
    let secure = if server.is_https() { "; Secure" } else { "" };
    let text = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut value = HeaderValue::from_str(&text).expect("base64url and names of ours fit into a header");
    value.set_sensitive(true);
    value
}
