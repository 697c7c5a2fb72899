//! The vendor's error body.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};
use uuid::Uuid;

/// Why a request was not done.
#[derive(Debug, Clone)]
pub(super) struct Refusal {
    status: StatusCode,
    category: &'static str,
    message: String,
    /// Further fields of the body: `errors`, `context`, `policyName`, …
    more: Map<String, Value>,
}

impl Refusal {
    pub(super) fn new(status: StatusCode, category: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status, category, message: message.into(), more: Map::new() }
    }

    /// 400 `VALIDATION_ERROR`.
    pub(super) fn invalid(message: impl Into<String>) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, "VALIDATION_ERROR", message)
    }

    /// 404 for a record.
    pub(super) fn not_found(id: &str) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found").context("id", [id])
    }

    /// Whether it says that something isn't there.
    pub(super) fn is_not_found(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    /// 404 for a path that the vendor doesn't have.
    pub(super) fn no_such_path() -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, "OBJECT_NOT_FOUND", "resource not found")
    }

    /// Adds to `context`, whose values are lists of texts.
    pub(super) fn context<T: Into<String>>(mut self, key: &str, values: impl IntoIterator<Item = T>) -> Refusal {
        let values: Vec<String> = values.into_iter().map(Into::into).collect();
        let context = self.more.entry("context").or_insert_with(|| json!({}));
        context[key] = json!(values);
        self
    }

    /// Sets a further field of the body.
    pub(super) fn with(mut self, key: &str, value: Value) -> Refusal {
        self.more.insert(key.to_owned(), value);
        self
    }

    /// As one entry of `errors` in a 207.
    pub(super) fn entry(&self) -> Value {
        let field = |name: &str, empty: Value| self.more.get(name).cloned().unwrap_or(empty);
        json!({
            "status": "error",
            "category": self.category,
            "message": self.message,
            "context": field("context", json!({})),
            "errors": field("errors", json!([])),
            "links": {},
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let mut body = self.more;
        body.insert("status".to_owned(), json!("error"));
        body.insert("message".to_owned(), json!(self.message));
        body.insert("correlationId".to_owned(), json!(Uuid::new_v4()));
        body.insert("category".to_owned(), json!(self.category));
        (self.status, Json(body)).into_response()
    }
}
