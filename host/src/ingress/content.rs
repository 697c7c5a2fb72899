//! The three content modes of CloudEvents over HTTP (HTTP Protocol Binding 1.0.2, section 3).

use axum::http::{HeaderMap, StatusCode, header};
use serde_json::json;

use crate::api::Problem;
use crate::event::{Event, EventError, ReadError};

/// Reads the events of a request. Of a batch none is taken that says what only the host may.
pub(super) fn events(headers: &HeaderMap, body: &[u8]) -> Result<Vec<Event>, Problem> {
    let (events, is_batch) = read(headers, body)?;
    let reserved = events.iter().enumerate().filter_map(|(index, event)| event.check_sent().err().map(|error| (index, error)));
    let errors: Vec<(usize, EventError)> = reserved.collect();
    match errors.first() {
        None => Ok(events),
        Some(_) if is_batch => Err(batch_refused(&errors)),
        Some((_, error)) => Err(Problem::bad_request(error.to_string())),
    }
}

fn batch_refused(errors: &[(usize, EventError)]) -> Problem {
    let detail = match errors {
        [(index, error)] => format!("event {index} of the batch is refused, and with it the whole batch: {error}"),
        errors => format!("{} events of the batch are refused, and with them the whole batch", errors.len()),
    };
    let errors: Vec<_> = errors.iter().map(|(index, error)| json!({ "index": index, "detail": error.to_string() })).collect();
    Problem::bad_request(detail).with("errors", json!(errors))
}

/// The events, and whether they are a batch.
fn read(headers: &HeaderMap, body: &[u8]) -> Result<(Vec<Event>, bool), Problem> {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match media.as_str() {
        "application/cloudevents+json" => {
            let event = Event::read(body).map_err(|error| unread(&error))?;
            Ok((vec![event], false))
        }
        "application/cloudevents-batch+json" => Event::read_batch(body).map(|events| (events, true)).map_err(|error| unread(&error)),
        _ if headers.contains_key("ce-specversion") || headers.contains_key("ce-id") => {
            let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            let event = Event::from_binary(pairs, body).map_err(|error| Problem::bad_request(error.to_string()))?;
            Ok((vec![event], false))
        }
        other => Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!(
                "content type {other:?} carries no CloudEvent: send application/cloudevents+json, application/cloudevents-batch+json, or any type with ce-* headers"
            ),
        )),
    }
}

fn unread(error: &ReadError) -> Problem {
    match error {
        ReadError::Json(error) => Problem::bad_request(format!("the body is not JSON: {error}")),
        ReadError::Event(error) => Problem::bad_request(error.to_string()),
        ReadError::Batch(errors) => batch_refused(errors),
    }
}
