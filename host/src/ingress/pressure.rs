//! Room for a request before its body is read.

use axum::http::{HeaderMap, header};

use crate::api::Problem;
use crate::runtime::{Admission, Runtime};

/// Room for a request with events, or why there is none; the room is the handler's to give back.
pub fn admit(runtime: &Runtime, headers: &HeaderMap) -> Result<Admission, Problem> {
    let largest = runtime.server.max_event_size;
    let length = headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // A body that does not say how long it is may be as long as one may be; a longer one is cut off there.
    Ok(runtime.pressure.admit(length.unwrap_or(largest).min(largest))?)
}
