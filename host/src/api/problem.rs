//! Errors as problem documents (RFC 9457).

use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

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
}

impl Problem {
    /// With a status and a sentence on what was wrong and what to do.
    pub fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), members: Map::new(), retry_after: None }
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
        tracing::error!(error = telemetry::chain(&error), "the store did not answer a request");
        Problem::unavailable("the store can't be asked now", Duration::from_secs(1))
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
        members.insert("title".to_owned(), json!(self.status.canonical_reason().unwrap_or("Error")));
        members.insert("status".to_owned(), json!(self.status.as_u16()));
        members.insert("detail".to_owned(), json!(self.detail));
        let mut response = (self.status, Value::Object(members).to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
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

pub(super) async fn method_not_allowed(request: Request) -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, format!("{} is not answered at {}", request.method(), request.uri().path()))
}

/// Turns plain-text errors, such as those of axum's extractors, into problem documents.
pub(super) async fn explain(request: Request, next: Next) -> Response {
    let response = next.run(request).await;
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
