//! Errors as RFC 9457 problem details.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

/// Why a request isn't done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// HTTP status.
    pub status: StatusCode,
    /// Short, for people; the same for all problems of a kind.
    pub title: &'static str,
    /// What is wrong in this request.
    pub detail: String,
    /// Fields at fault and why; for 422.
    pub errors: Vec<(&'static str, String)>,
}

impl Problem {
    /// A problem that names no fields.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Problem {
        Problem { status, title, detail: detail.into(), errors: Vec::new() }
    }

    /// 404.
    pub fn not_found(what: &str) -> Problem {
        Problem::new(StatusCode::NOT_FOUND, "Not found", format!("there is no {what}"))
    }

    /// 400.
    pub fn malformed(detail: impl Into<String>) -> Problem {
        Problem::new(StatusCode::BAD_REQUEST, "Malformed request", detail)
    }

    /// 422 with the fields at fault.
    pub fn invalid(errors: Vec<(&'static str, String)>) -> Problem {
        let detail = "the entry has invalid fields";
        Problem { errors, ..Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid fields", detail) }
    }

    fn body(&self) -> Value {
        let mut body = json!({
            "type": format!("https://hr.example/problems/{}", self.title.to_lowercase().replace(' ', "-")),
            "title": self.title,
            "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if !self.errors.is_empty() {
            let error = |(field, detail): &(&str, String)| json!({ "pointer": format!("#/{field}"), "detail": detail });
            body["errors"] = self.errors.iter().map(error).collect();
        }
        body
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let media = HeaderValue::from_static("application/problem+json");
        (self.status, [(header::CONTENT_TYPE, media)], self.body().to_string()).into_response()
    }
}
