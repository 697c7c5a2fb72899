//! A webhook's body as JSON: what its media type says, or what the administrator says it is.
//!
//! Pure: bytes in, a value out. Everything is bounded in size by the body itself, and in depth by what events and expressions can hold.

mod form;
mod xml;

use axum::body::Bytes;
use serde_json::Value;

use crate::config::BodyForm;
use crate::event::{Event, EventError, ReadError};

/// Most fields of a form.
const MAX_FIELDS: usize = 1000;
/// Levels within one another in XML. Attributes and texts lie one deeper; [`crate::event::MAX_DATA_DEPTH`] has room for both.
const MAX_XML_DEPTH: usize = 50;

/// What a delivery says.
#[derive(Debug, Clone, PartialEq)]
pub enum Content {
    /// Anything but CloudEvents, as JSON. An empty body is null.
    Data(Value),
    /// CloudEvents, in the order of the batch.
    Events(Vec<Event>),
}

/// Why a body can't be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// Its media type is none that is understood.
    #[error("the body is {0:?}, which a source does not understand; if it is one of the forms that it does, say which with `body`")]
    MediaType(String),
    /// It is not the JSON that it should be.
    #[error("the body is not JSON: {0}")]
    Json(String),
    /// It is not text.
    #[error("the body is not text in UTF-8")]
    Text,
    /// It is no form.
    #[error("the body is not a form: {0}")]
    Form(String),
    /// A form with too many fields.
    #[error("the form has more than {MAX_FIELDS} fields")]
    Fields,
    /// A file in a form.
    #[error("the file in field {field:?} of the form is larger than {most} bytes (max-file-size of the source)")]
    File {
        /// Name of the field.
        field: String,
        /// The bound.
        most: usize,
    },
    /// It is not XML, or more of it than is taken.
    #[error("the body is not XML that can be taken: {0}")]
    Xml(String),
    /// It is no CloudEvent.
    #[error("the body is not a CloudEvent: {0}")]
    Event(EventError),
    /// One of a batch is none.
    #[error("event {0} of the batch is not a CloudEvent: {1}")]
    Batch(usize, EventError),
    /// The source takes CloudEvents only.
    #[error("the delivery is not a CloudEvent, and the source takes nothing else (body = \"cloudevents\")")]
    NotAnEvent,
}

/// Reads a body. `headers` in lower case; those of CloudEvents in binary mode are among them.
///
/// # Errors
/// What is wrong with it, without its content.
pub async fn read(form: BodyForm, headers: &[(String, String)], body: Bytes, max_file_size: usize) -> Result<Content, BodyError> {
    let header = |wanted: &str| headers.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let kind = header("content-type").unwrap_or("");
    let media = kind.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if matches!(form, BodyForm::Auto | BodyForm::CloudEvents) {
        if let Some(events) = cloud_events(&media, headers, &body)? {
            return Ok(Content::Events(events));
        }
        if form == BodyForm::CloudEvents {
            return Err(BodyError::NotAnEvent);
        }
    }
    if body.is_empty() {
        return Ok(Content::Data(Value::Null));
    }
    let form = match form {
        BodyForm::Auto => of_media(&media)?,
        said => said,
    };
    let data = match form {
        BodyForm::Form => form::urlencoded(&body)?,
        BodyForm::Multipart => form::multipart(kind, body, max_file_size).await?,
        BodyForm::Xml => xml::read(text(&body)?)?,
        BodyForm::Text => Value::String(text(&body)?.to_owned()),
        BodyForm::Json | BodyForm::Auto | BodyForm::CloudEvents => json(&body)?,
    };
    Ok(Content::Data(data))
}

/// The query of a URL, like a form.
///
/// # Errors
/// [`BodyError::Fields`].
pub fn query(text: &str) -> Result<Value, BodyError> {
    form::urlencoded(text.as_bytes())
}

fn of_media(media: &str) -> Result<BodyForm, BodyError> {
    let subtype = media.split_once('/').map_or("", |(_, subtype)| subtype);
    match media {
        "application/x-www-form-urlencoded" => Ok(BodyForm::Form),
        "multipart/form-data" => Ok(BodyForm::Multipart),
        // Many senders of JSON say nothing.
        "" => Ok(BodyForm::Json),
        _ if subtype == "json" || subtype.ends_with("+json") => Ok(BodyForm::Json),
        _ if subtype == "xml" || subtype.ends_with("+xml") => Ok(BodyForm::Xml),
        _ if media.starts_with("text/") => Ok(BodyForm::Text),
        _ => Err(BodyError::MediaType(media.to_owned())),
    }
}

/// The events, where the delivery is in one of the three content modes (HTTP protocol binding 1.0.2, section 3).
fn cloud_events(media: &str, headers: &[(String, String)], body: &[u8]) -> Result<Option<Vec<Event>>, BodyError> {
    match media {
        "application/cloudevents+json" => Event::read(without_mark(body)).map(|event| Some(vec![event])).map_err(unread),
        "application/cloudevents-batch+json" => Event::read_batch(without_mark(body)).map(Some).map_err(unread),
        _ if headers.iter().any(|(name, _)| name == "ce-specversion") => {
            let pairs = headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes()));
            Event::from_binary(pairs, body).map(|event| Some(vec![event])).map_err(BodyError::Event)
        }
        _ => Ok(None),
    }
}

fn unread(error: ReadError) -> BodyError {
    match error {
        ReadError::Json(error) => BodyError::Json(plain(&error)),
        ReadError::Event(error) => BodyError::Event(error),
        ReadError::Batch(errors) => {
            let (index, error) = errors.into_iter().next().unwrap_or((0, EventError::NotABatch));
            BodyError::Batch(index, error)
        }
    }
}

fn json(body: &[u8]) -> Result<Value, BodyError> {
    serde_json::from_slice(without_mark(body)).map_err(|error| BodyError::Json(plain(&error)))
}

/// Some senders begin with a byte order mark, which RFC 8259 lets readers pass over.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

/// What serde says, without a piece of the body that it may quote.
fn plain(error: &serde_json::Error) -> String {
    let what = match error.classify() {
        serde_json::error::Category::Eof => "it ends too early",
        _ => "it can't be read",
    };
    format!("{what} at line {} column {}", error.line(), error.column())
}

fn text(body: &[u8]) -> Result<&str, BodyError> {
    std::str::from_utf8(without_mark(body)).map_err(|_| BodyError::Text)
}

/// Puts a value among others of the same name: the first stands by itself, more of them make a list.
fn put(members: &mut serde_json::Map<String, Value>, lists: &mut std::collections::HashSet<String>, name: String, value: Value) {
    match members.get_mut(&name) {
        None => drop(members.insert(name, value)),
        // A value may be a list of its own: what is known of the name decides.
        Some(Value::Array(list)) if lists.contains(&name) => list.push(value),
        Some(first) => {
            let list = Value::Array(vec![first.take(), value]);
            *first = list;
            lists.insert(name);
        }
    }
}

#[cfg(test)]
mod tests;
