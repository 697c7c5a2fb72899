//! Room for a request before its body is read.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header;
use axum::middleware::Next;
use axum::response::Response;

use crate::api::Problem;
use crate::runtime::Runtime;

/// Lets a request with events in if there is room for its body; the room is the handler's to give back.
pub async fn admit(State(runtime): State<Arc<Runtime>>, mut request: Request, next: Next) -> Result<Response, Problem> {
    let largest = runtime.server.max_event_size;
    let length = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    // A body that does not say how long it is may be as long as one may be; a longer one is cut off there.
    let admission = runtime.pressure.admit(length.unwrap_or(largest).min(largest))?;
    request.extensions_mut().insert(admission);
    Ok(next.run(request).await)
}
