//! Access tokens: the static one, and those that the refresh token buys.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use url::form_urlencoded;
use uuid::Uuid;

use super::refusal::Refusal;
use super::{CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, TOKEN};

/// Tokens issued so far, each with the moment it ends.
pub(super) struct Tokens {
    /// Life of those to come. HubSpot's own: 30 minutes.
    pub(super) life: Duration,
    issued: HashMap<String, Instant>,
}

impl Tokens {
    pub(super) fn new() -> Tokens {
        Tokens { life: Duration::from_secs(30 * 60), issued: HashMap::new() }
    }

    /// Ends every token issued so far.
    pub(super) fn expire(&mut self) {
        let now = Instant::now();
        self.issued.values_mut().for_each(|end| *end = now.min(*end));
    }

    /// Lets a request in by its `Authorization` header.
    pub(super) fn check(&self, authorization: Option<&str>, now: Instant) -> Result<(), Refusal> {
        let token = authorization.and_then(|value| value.split_once(' ')).filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let Some((_, token)) = token else {
            return Err(unauthorized(
                "INVALID_AUTHENTICATION",
                "Authentication credentials not found. This API supports OAuth 2.0 authentication and you can find more \
                 details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            ));
        };
        if token == TOKEN {
            return Ok(());
        }
        match self.issued.get(token) {
            Some(end) if now < *end => Ok(()),
            Some(end) => {
                let age = now.saturating_duration_since(*end);
                let since = Timestamp::now() - jiff::SignedDuration::try_from(age).unwrap_or_default();
                let message = format!("The OAuth token used to make this call expired {} second(s) ago.", age.as_secs());
                Err(unauthorized("EXPIRED_AUTHENTICATION", message).context("expire time", [since.to_string()]))
            }
            None => Err(unauthorized(
                "INVALID_AUTHENTICATION",
                "Authentication credentials are invalid. This API supports OAuth 2.0 authentication and you can find more \
                 details at https://developers.hubspot.com/docs/methods/auth/oauth-overview",
            )),
        }
    }

    /// The token endpoint: a refresh token for an access token.
    pub(super) fn grant(&mut self, form: &[u8], now: Instant) -> Response {
        let form: HashMap<_, _> = form_urlencoded::parse(form).collect();
        let field = |name: &str| form.get(name).map(AsRef::as_ref).unwrap_or_default();
        if field("grant_type") != "refresh_token" {
            return refused("BAD_GRANT_TYPE", "unsupported_grant_type", "missing or unknown grant type");
        }
        if field("client_id") != CLIENT_ID {
            return refused("BAD_CLIENT_ID", "invalid_client", "missing or unknown client id");
        }
        if field("client_secret") != CLIENT_SECRET {
            return refused("BAD_CLIENT_SECRET", "invalid_client", "missing or invalid client secret");
        }
        if field("refresh_token") != REFRESH_TOKEN {
            return refused("BAD_REFRESH_TOKEN", "invalid_grant", "missing or invalid refresh token");
        }
        let token = format!("hs-access-{}", Uuid::new_v4().simple());
        self.issued.insert(token.clone(), now + self.life);
        Json(json!({
            "token_type": "bearer",
            "refresh_token": REFRESH_TOKEN,
            "access_token": token,
            "expires_in": self.life.as_secs(),
        }))
        .into_response()
    }
}

fn unauthorized(category: &'static str, message: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::UNAUTHORIZED, category, message)
}

/// HubSpot names the reason in `status` (older) and in `error` (the OAuth way).
fn refused(status: &str, error: &str, message: &str) -> Response {
    let body = json!({
        "status": status,
        "message": message,
        "error": error,
        "error_description": message,
        "correlationId": Uuid::new_v4(),
    });
    (StatusCode::BAD_REQUEST, Json(body)).into_response()
}
