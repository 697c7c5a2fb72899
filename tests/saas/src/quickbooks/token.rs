//! Access tokens, and the refresh token that changes with every use.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use url::form_urlencoded;
use uuid::Uuid;

use super::answer::traced;
use super::fault::Fault;
use super::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN};

/// A refresh token lives a hundred days, counted from its issue.
const REFRESH_LIFE: Duration = Duration::from_secs(100 * 24 * 60 * 60);

/// One family of refresh tokens and the access tokens that it bought.
pub(super) struct Tokens {
    /// Life of access tokens to come. Intuit's own: one hour.
    pub(super) life: Duration,
    issued: HashMap<String, Instant>,
    /// Refresh tokens so far; the last one is good.
    refresh: Vec<String>,
    /// Set when an old refresh token was used again, or the family was given back: nothing is good any more.
    revoked: bool,
}

/// What becomes of a refresh.
enum Refresh {
    Rotated(String),
    Refused,
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens { life: Duration::from_secs(60 * 60), issued: HashMap::new(), refresh: vec![REFRESH_TOKEN.to_owned()], revoked: false }
    }

    /// Ends every access token issued so far.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        self.issued.values_mut().for_each(|end| *end = now.min(*end));
    }

    /// Lets a request in by its `Authorization` header.
    pub(super) fn check(&self, authorization: &str, now: Instant) -> Result<(), Fault> {
        let bearer = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = bearer else {
            return Err(Fault::not_authenticated("AuthenticationFailed: no bearer token"));
        };
        match self.issued.get(token) {
            Some(_) if self.revoked => Err(Fault::not_authenticated("Token revoked")),
            Some(end) if now < *end => Ok(()),
            Some(_) => Err(Fault::not_authenticated("Token expired")),
            None => Err(Fault::not_authenticated("Malformed bearer token")),
        }
    }

    /// The token endpoint.
    pub(super) fn grant(&mut self, authorization: &str, form: &[u8], now: Instant) -> Response {
        if !is_client(authorization) {
            return refused(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed");
        }
        let form: HashMap<_, _> = form_urlencoded::parse(form).collect();
        let field = |name: &str| form.get(name).map(AsRef::as_ref).unwrap_or_default();
        if field("grant_type") != "refresh_token" {
            return refused(StatusCode::BAD_REQUEST, "unsupported_grant_type", "only refresh_token is granted here");
        }
        let Refresh::Rotated(refresh_token) = self.rotate(field("refresh_token")) else {
            return refused(StatusCode::BAD_REQUEST, "invalid_grant", "Incorrect or invalid refresh token");
        };
        let access_token = format!("qbo-access-{}", Uuid::new_v4().simple());
        self.issued.insert(access_token.clone(), now + self.life);
        let body = json!({
            "token_type": "bearer",
            "access_token": access_token,
            "expires_in": self.life.as_secs(),
            "refresh_token": refresh_token,
            "x_refresh_token_expires_in": REFRESH_LIFE.as_secs(),
        });
        traced(Json(body).into_response())
    }

    /// The revocation endpoint: ends the family.
    pub(super) fn revoke(&mut self, authorization: &str, body: &[u8]) -> Response {
        if !is_client(authorization) {
            return refused(StatusCode::UNAUTHORIZED, "invalid_client", "client authentication failed");
        }
        let body: Value = serde_json::from_slice(body).unwrap_or_default();
        let token = body["token"].as_str().unwrap_or_default();
        if !self.refresh.iter().any(|known| known == token) && !self.issued.contains_key(token) {
            return refused(StatusCode::BAD_REQUEST, "invalid_request", "unknown token");
        }
        self.revoked = true;
        traced(StatusCode::OK.into_response())
    }

    /// The last token is exchanged. The one before it is refused; any older one, used again, ends the family.
    fn rotate(&mut self, presented: &str) -> Refresh {
        let last = self.refresh.len() - 1;
        match self.refresh.iter().position(|token| token == presented) {
            _ if self.revoked => Refresh::Refused,
            Some(at) if at == last => {
                let next = format!("qbo-refresh-{}", self.refresh.len() + 1);
                self.refresh.push(next.clone());
                Refresh::Rotated(next)
            }
            Some(at) => {
                self.revoked = at + 1 < last;
                Refresh::Refused
            }
            None => Refresh::Refused,
        }
    }

    /// For tests.
    pub(super) fn state(&self) -> Value {
        json!({
            "refresh_token": self.refresh.last(),
            "refreshes": self.refresh.len() - 1,
            "revoked": self.revoked,
        })
    }
}

fn is_client(authorization: &str) -> bool {
    let basic = authorization.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("basic"));
    basic.and_then(|(_, text)| STANDARD.decode(text).ok()) == Some(format!("{CLIENT_ID}:{CLIENT_SECRET}").into_bytes())
}

fn refused(status: StatusCode, error: &str, description: &str) -> Response {
    traced((status, Json(json!({ "error": error, "error_description": description }))).into_response())
}
