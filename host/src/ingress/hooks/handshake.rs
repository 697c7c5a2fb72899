//! Handshakes: how a sender makes sure, before it sends anything, that this endpoint wants it.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use jiff::Timestamp;
use serde_json::Value;

use crate::api::Problem;
use crate::config::{Handshake, Source, Webhook};
use crate::credentials::Secret;
use crate::runtime::{Arrival, Runtime};

/// Longest text that is sent back as it came.
const MAX_CHALLENGE: usize = 1024;

/// Answers a handshake that needs no body. `None`: the request is none.
///
/// # Errors
/// It is one, and whoever asks may not send.
pub(super) async fn before_body(runtime: &Runtime, source: &Source, webhook: &Webhook, parts: &Parts) -> Result<Option<Response>, Problem> {
    match &webhook.handshake {
        Some(Handshake::Meta { token }) if parts.method == Method::GET && parameter(parts, "hub.mode").is_some() => {
            let token = runtime.vault.resolve(token).await.map_err(|error| {
                tracing::error!(source = source.name, error = crate::telemetry::chain(&error), "the token of a handshake can't be had");
                Problem::unavailable("the handshake can't be answered now", std::time::Duration::from_secs(30))
            })?;
            let said = Secret::new(parameter(parts, "hub.verify_token").unwrap_or_default());
            if parameter(parts, "hub.mode").as_deref() != Some("subscribe") || said != token {
                return Err(not_wanted(runtime, source, runtime.clock.now()));
            }
            challenge(parameter(parts, "hub.challenge")).map(Some)
        }
        Some(Handshake::CloudEvents { origins, rate }) if parts.method == Method::OPTIONS => {
            let asked = parts.headers.get("webhook-request-origin").and_then(|value| value.to_str().ok()).unwrap_or_default();
            let is_allowed = !asked.is_empty() && origins.iter().any(|origin| origin == "*" || origin.eq_ignore_ascii_case(asked));
            let Ok(origin) = HeaderValue::from_str(asked) else { return Err(not_wanted(runtime, source, runtime.clock.now())) };
            if !is_allowed {
                return Err(not_wanted(runtime, source, runtime.clock.now()));
            }
            let mut headers = HeaderMap::new();
            headers.insert("webhook-allowed-origin", origin);
            headers.insert("webhook-allowed-rate", rate.map_or(HeaderValue::from_static("*"), HeaderValue::from));
            let methods = HeaderValue::from_str(&webhook.methods.join(", "));
            headers.insert(header::ALLOW, methods.unwrap_or(HeaderValue::from_static("POST")));
            Ok(Some((StatusCode::OK, headers).into_response()))
        }
        Some(Handshake::MicrosoftGraph) if parameter(parts, "validationToken").is_some() => {
            challenge(parameter(parts, "validationToken")).map(Some)
        }
        _ => Ok(None),
    }
}

/// Answers a handshake that comes signed, like a delivery. `None`: the body is none.
pub(super) fn in_body(webhook: &Webhook, body: &[u8]) -> Option<Response> {
    if webhook.handshake != Some(Handshake::Slack) {
        return None;
    }
    let said: Value = serde_json::from_slice(body).ok()?;
    if said.get("type")?.as_str()? != "url_verification" {
        return None;
    }
    challenge(Some(said.get("challenge")?.as_str()?.to_owned())).ok()
}

fn parameter(parts: &Parts, name: &str) -> Option<String> {
    url::form_urlencoded::parse(parts.uri.query()?.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Sends a text back as it came: as text, which no browser takes for a page.
fn challenge(text: Option<String>) -> Result<Response, Problem> {
    match text {
        Some(text) if text.len() <= MAX_CHALLENGE && !text.chars().any(char::is_control) => {
            let headers = [(header::CONTENT_TYPE, "text/plain; charset=utf-8"), (header::X_CONTENT_TYPE_OPTIONS, "nosniff")];
            Ok((headers, text).into_response())
        }
        _ => Err(Problem::bad_request(format!("a handshake brings one line of at most {MAX_CHALLENGE} bytes"))),
    }
}

fn not_wanted(runtime: &Runtime, source: &Source, now: Timestamp) -> Problem {
    runtime.arrivals.note(&source.name, Arrival::Refused("handshake"), now);
    Problem::new(StatusCode::FORBIDDEN, "this endpoint does not know who asks")
}
