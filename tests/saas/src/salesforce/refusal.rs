//! Errors in the vendor's words.

use axum::http::StatusCode;
use serde_json::{Value, json};

/// Why something isn't done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status where the whole request is refused.
    pub status: StatusCode,
    /// The vendor's code, such as `INVALID_FIELD`.
    pub code: &'static str,
    /// For people.
    pub message: String,
    /// The fields at fault, for the codes that name them.
    pub fields: Option<Vec<String>>,
}

impl Refusal {
    /// Answered with 400.
    pub fn bad(code: &'static str, message: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::BAD_REQUEST, code, message: message.into(), fields: None }
    }

    /// Answered with 400, and names a field.
    pub fn field(code: &'static str, message: impl Into<String>, field: &str) -> Refusal {
        Refusal { fields: Some(vec![field.to_owned()]), ..Refusal::bad(code, message) }
    }

    /// 404: no such object, record or path.
    pub fn not_found() -> Refusal {
        Refusal::missing("The requested resource does not exist")
    }

    /// 404: no such external id field, or no record under it.
    pub fn no_external_field(name: &str) -> Refusal {
        Refusal::missing(format!("Provided external ID field does not exist or is not accessible: {name}"))
    }

    /// 404 with other words.
    pub fn missing(message: impl Into<String>) -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, ..Refusal::bad("NOT_FOUND", message) }
    }

    /// The record was deleted.
    pub fn deleted() -> Refusal {
        Refusal { status: StatusCode::NOT_FOUND, ..Refusal::bad("ENTITY_IS_DELETED", "entity is deleted") }
    }

    /// 405.
    pub fn method(method: &str, allowed: &str) -> Refusal {
        let message = format!("HTTP Method '{method}' not allowed. Allowed are {allowed}");
        Refusal { status: StatusCode::METHOD_NOT_ALLOWED, ..Refusal::bad("METHOD_NOT_ALLOWED", message) }
    }

    /// The body is no JSON, or a value in it has the wrong type.
    pub fn json(message: impl Into<String>) -> Refusal {
        Refusal::bad("JSON_PARSER_ERROR", message)
    }

    /// No field of this name.
    pub fn no_column(name: &str, object: &str) -> Refusal {
        Refusal::bad("INVALID_FIELD", format!("No such column '{name}' on sobject of type {object}"))
    }

    /// As the only element of a REST answer.
    pub fn body(&self) -> Value {
        let mut error = json!({ "message": self.message, "errorCode": self.code });
        if let Some(fields) = &self.fields {
            error["fields"] = json!(fields);
        }
        json!([error])
    }

    /// As one record's result in a collection.
    pub fn result(&self) -> Value {
        let fields = self.fields.as_deref().unwrap_or_default();
        json!({
            "success": false,
            "errors": [{ "statusCode": self.code, "message": self.message, "fields": fields }],
        })
    }
}
