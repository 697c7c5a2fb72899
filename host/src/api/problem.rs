//! Errors as problem documents (RFC 9457).
//!
//! `type` is `about:blank`: the status says all that a program needs to choose what to do (section 4.2.1), `detail` tells people. `instance` is of this
//! one refusal, and stands in the log beside the cause where that is the host's.

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use super::mistakes::Mistake;
use crate::runtime::Pressed;
use crate::store::StoreError;
use crate::telemetry;

/// Bytes of an extractor's own message that are kept.
const MAX_MESSAGE: usize = 4 << 10;

/// An error answer.
#[derive(Debug)]
pub struct Problem {
    status: StatusCode,
    detail: String,
    members: Map<String, Value>,
    retry_after: Option<Duration>,
    /// Methods that are answered where another was asked.
    allow: Option<String>,
    instance: Uuid,
}

/// A problem document as it is answered.
#[derive(Debug, JsonSchema)]
#[schemars(rename = "Problem")]
#[expect(dead_code, reason = "it is a form: members are added to it as a problem needs them")]
pub(super) struct ProblemDocument {
    /// `about:blank`: the status says what kind it is.
    #[serde(rename = "type")]
    kind: String,
    /// The status in words.
    title: String,
    /// The status again.
    status: u16,
    /// What was wrong, where, and what to do.
    detail: String,
    /// `urn:uuid:…` of this one refusal.
    instance: String,
    /// Of a batch: each event that is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<RefusedEvent>,
    /// Of a text of configuration: each mistake in it, warnings among them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Mistake>,
}

/// An event that is refused, by its place.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is a form")]
pub(super) struct RefusedEvent {
    /// From 0.
    index: u32,
    /// What was wrong with it.
    detail: String,
    /// JSON pointer to the place in it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pointer: Option<String>,
}

impl Problem {
    /// With a status and a sentence on what was wrong and what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), members: Map::new(), retry_after: None, allow: None, instance: Uuid::now_v7() }
    }

    /// 400.
    pub fn bad_request(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404.
    pub fn not_found(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, detail)
    }

    /// 409.
    pub fn conflict(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::CONFLICT, detail)
    }

    /// 503 with `Retry-After`.
    pub fn unavailable(detail: &str, retry_after: Duration) -> Problem {
        Problem { retry_after: Some(retry_after), ..Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail) }
    }

    /// 429 with `Retry-After`.
    pub fn too_much(detail: &str, retry_after: Duration) -> Problem {
        Problem { retry_after: Some(retry_after), ..Problem::new(StatusCode::TOO_MANY_REQUESTS, detail) }
    }

    /// 405 with `Allow`.
    pub fn not_allowed(detail: impl Into<String>, methods: &str) -> Problem {
        Problem { allow: Some(methods.to_owned()), ..Problem::new(StatusCode::METHOD_NOT_ALLOWED, detail) }
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What was wrong.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// With another member (RFC 9457 section 3.2).
    pub fn with(mut self, name: &str, value: Value) -> Problem {
        self.members.insert(name.to_owned(), value);
        self
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        let problem = Problem::unavailable("the store can't be asked now", Duration::from_secs(1));
        tracing::error!(error = telemetry::chain(&error), instance = %problem.instance, "the store did not answer a request");
        problem
    }
}

impl From<Pressed> for Problem {
    fn from(pressed: Pressed) -> Problem {
        match pressed {
            Pressed::TooMuch(why) => Problem::too_much(&why, Duration::from_secs(1)),
            Pressed::Unavailable(why, after) => Problem::unavailable(&why, after),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut members = self.members;
        members.insert("type".to_owned(), json!("about:blank"));
        members.insert("instance".to_owned(), json!(self.instance.urn().to_string()));
        members.insert("title".to_owned(), json!(self.status.canonical_reason().unwrap_or("Error")));
        members.insert("status".to_owned(), json!(self.status.as_u16()));
        members.insert("detail".to_owned(), json!(self.detail));
        let mut response = (self.status, Value::Object(members).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if let Some(allow) = self.allow.and_then(|methods| HeaderValue::try_from(methods).ok()) {
            headers.insert(header::ALLOW, allow);
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// Marks an answer that is not the host's own, such as that of a plugin to its vendor: its words stay as they are.
#[derive(Debug, Clone, Copy)]
pub struct AsItIs;

pub(super) async fn not_found(request: Request) -> Problem {
    Problem::not_found(format!("there is nothing at {}", request.uri().path()))
}

/// A method that a path does not have; `OPTIONS` asks which it has. A browser that asks on behalf of a page elsewhere whether that may ask is told no.
pub(super) fn method_not_allowed(request: &Request, methods: &str) -> Response {
    if request.method() == Method::OPTIONS && !request.headers().contains_key(header::ORIGIN) {
        return (StatusCode::NO_CONTENT, [(header::ALLOW, methods)]).into_response();
    }
    let why = format!("{} is not answered at {}, only {methods}", request.method(), request.uri().path());
    Problem::not_allowed(why, methods).into_response()
}

/// Turns plain-text errors, such as those of axum's extractors, into problem documents.
pub(super) async fn explained(response: Response) -> Response {
    let status = response.status();
    let is_ours = response.headers().get(header::CONTENT_TYPE).is_some_and(|value| value.as_bytes().ends_with(b"json"));
    let is_ours = is_ours || response.extensions().get::<AsItIs>().is_some();
    if is_ours || !(status.is_client_error() || status.is_server_error()) {
        return response;
    }
    let (parts, body): (_, Body) = response.into_parts();
    let message = to_bytes(body, MAX_MESSAGE).await.unwrap_or_default();
    let mut detail = String::from_utf8_lossy(&message).into_owned();
    if status == StatusCode::PAYLOAD_TOO_LARGE {
        detail = "the body is larger than the host takes (server.max-event-size)".to_owned();
    }
    let mut problem = Problem::new(status, detail).into_response();
    for (name, value) in parts.headers {
        if let Some(name) = name
            && name != header::CONTENT_TYPE
            && name != header::CONTENT_LENGTH
        {
            problem.headers_mut().insert(name, value);
        }
    }
    problem
}
