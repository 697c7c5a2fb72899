//! The test's own calls to a stand, over HTTP. They are neither recorded nor subject to faults.
//!
//! | call | what |
//! |---|---|
//! | `GET /__stand/state` | the system's state |
//! | `GET /__stand/requests` | the requests recorded |
//! | `GET /__stand/faults` | the faults still to come |
//! | `POST /__stand/faults` | adds a [`Fault`]; 204 |
//! | `POST /__stand/settings` | `{name: value, …}`; 204, or 400 with the reason |
//! | `POST /__stand/reset` | seeded state, no faults, no requests; 204 |

use axum::Json;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::fault::Fault;
use crate::stand::Shared;

/// The paths that no vendor has.
pub(crate) const PREFIX: &str = "/__stand/";

/// Answers a call below [`PREFIX`].
pub(crate) fn answer(shared: &Shared, head: &Parts, body: &[u8]) -> Response {
    let call = head.uri.path().strip_prefix(PREFIX).unwrap_or_default();
    match (&head.method, call) {
        (&Method::GET, "state") => Json(shared.system.state()).into_response(),
        (&Method::GET, "requests") => Json(shared.requests()).into_response(),
        (&Method::GET, "faults") => Json(shared.faults().pending().to_vec()).into_response(),
        (&Method::POST, "faults") => match serde_json::from_slice::<Fault>(body) {
            Ok(fault) => {
                shared.faults().add(fault);
                StatusCode::NO_CONTENT.into_response()
            }
            Err(error) => refused(&error.to_string()),
        },
        (&Method::POST, "settings") => match settings(shared, body) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(reason) => refused(&reason),
        },
        (&Method::POST, "reset") => {
            shared.reset();
            StatusCode::NO_CONTENT.into_response()
        }
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

fn settings(shared: &Shared, body: &[u8]) -> Result<(), String> {
    let settings: Map<String, Value> = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    settings.into_iter().try_for_each(|(name, value)| shared.system.set(&name, value))
}

fn refused(reason: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "error": reason }))).into_response()
}
