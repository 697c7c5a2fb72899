//! A NATS message as a delivery: which event it is, and what expressions see of it. Pure.
//!
//! CloudEvents come as the NATS binding has them: structured, the whole event in the payload, or binary, its attributes in headers `ce-…`.

use async_nats::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Map, Value, json};

use crate::config::NatsBody;
use crate::event::{Event, ReadError};
use crate::ingress::shape::Delivered;

/// Bytes of header names and values that are read.
const MAX_HEADERS: usize = 64 << 10;
/// What its sender knows a message by.
const MESSAGE_ID: &str = "nats-msg-id";

/// A message of a stream.
#[derive(Debug, Clone)]
pub(super) struct Taken<'m> {
    /// The stream that keeps it.
    pub(super) stream: &'m str,
    /// Its number there.
    pub(super) sequence: u64,
    /// When the stream took it: RFC 3339.
    pub(super) published: String,
    /// How often it was delivered, this time included.
    pub(super) deliveries: i64,
    /// Its subject.
    pub(super) subject: &'m str,
    /// Its headers.
    pub(super) headers: Option<&'m HeaderMap>,
    /// Its payload.
    pub(super) payload: &'m [u8],
}

/// The same without its payload, as it is kept beside a message that was set aside.
pub(super) fn context(taken: &Taken<'_>) -> Value {
    json!({
        "stream": taken.stream,
        "sequence": taken.sequence,
        "time": taken.published,
        "subject": taken.subject,
        "headers": headers(taken.headers),
    })
}

/// What a message is.
///
/// # Errors
/// Why it is not what `body` says.
pub(super) fn delivered(taken: &Taken<'_>, body: NatsBody) -> Result<Delivered, String> {
    let headers = headers(taken.headers);
    let event = match body {
        NatsBody::Auto => cloud_event(taken, &headers)?,
        NatsBody::CloudEvents => {
            let event = cloud_event(taken, &headers)?;
            // A structured event needs no header that says so.
            Some(event.map_or_else(|| structured(taken.payload), Ok)?)
        }
        NatsBody::Json | NatsBody::Text => None,
    };
    let data = match (&event, body) {
        (Some(event), _) => event.to_structured().get("data").cloned().unwrap_or(Value::Null),
        (None, NatsBody::Text) => {
            let text = std::str::from_utf8(taken.payload).map_err(|_| "the payload is not text in UTF-8 (`body = \"text\"`)".to_owned())?;
            json!(text)
        }
        (None, _) if taken.payload.is_empty() => Value::Null,
        (None, _) => serde_json::from_slice(taken.payload).map_err(|error| format!("the payload is not JSON: {error}"))?,
    };
    let mut scope = Map::new();
    scope.insert("body".to_owned(), if event.is_some() { event_value(event.as_ref()) } else { data.clone() });
    scope.insert("headers".to_owned(), Value::Object(headers.clone()));
    scope.insert("subject".to_owned(), json!(taken.subject));
    scope.insert("stream".to_owned(), json!(taken.stream));
    scope.insert("sequence".to_owned(), json!(taken.sequence));
    scope.insert("time".to_owned(), json!(taken.published));
    scope.insert("deliveries".to_owned(), json!(taken.deliveries));
    Ok(Delivered { scope, id: id(taken, &headers, event.as_ref()), data, event, size: taken.payload.len() })
}

fn event_value(event: Option<&Event>) -> Value {
    event.map_or(Value::Null, Event::to_structured)
}

/// What an event is known by, so that a message that comes again is the same event. A CloudEvent's `id` is unique within its own source alone, of
/// which several may share a stream; a sequence begins anew where a stream is made anew, so the time stands beside it.
fn id(taken: &Taken<'_>, headers: &Map<String, Value>, event: Option<&Event>) -> String {
    if let Some(event) = event {
        return format!("{}#{}", event.source, event.id);
    }
    match headers.get(MESSAGE_ID).and_then(Value::as_str).filter(|id| !id.is_empty()) {
        Some(id) => id.to_owned(),
        None => format!("{}/{}/{}", taken.stream, taken.sequence, taken.published),
    }
}

/// The event that a message says it is; `None`: it says nothing of the kind.
fn cloud_event(taken: &Taken<'_>, headers: &Map<String, Value>) -> Result<Option<Event>, String> {
    let header = |name: &str| headers.get(name).and_then(Value::as_str);
    let media = header("content-type").unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if media == "application/cloudevents+json" {
        return structured(taken.payload).map(Some);
    }
    if header("ce-specversion").is_none() && header("ce-id").is_none() {
        return Ok(None);
    }
    let pairs = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.as_str()?.as_bytes())));
    Event::from_binary(pairs, taken.payload).map(Some).map_err(|error| format!("this is no CloudEvent: {error}"))
}

fn structured(payload: &[u8]) -> Result<Event, String> {
    Event::read(payload).map_err(|error| match error {
        ReadError::Json(error) => format!("the payload is not JSON: {error}"),
        ReadError::Event(error) => format!("this is no CloudEvent: {error}"),
        ReadError::Batch(_) => "this is no CloudEvent".to_owned(),
    })
}

/// Headers as [`context`] kept them.
pub(super) fn headers_of(kept: &Value) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in kept.as_object().into_iter().flatten() {
        if let (Ok(name), Some(Ok(value))) = (name.parse::<HeaderName>(), value.as_str().map(str::parse::<HeaderValue>)) {
            headers.insert(name, value);
        }
    }
    headers
}

/// Names in lower case, each with its first value; what is too long is left out.
fn headers(headers: Option<&HeaderMap>) -> Map<String, Value> {
    let mut left = MAX_HEADERS;
    let mut map = Map::new();
    for (name, values) in headers.into_iter().flat_map(HeaderMap::iter) {
        let name = name.to_string().to_ascii_lowercase();
        let Some(value) = values.first() else { continue };
        let size = name.len() + value.as_str().len();
        if size <= left {
            left -= size;
            map.insert(name, json!(value.as_str()));
        }
    }
    map
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken<'m>(headers: Option<&'m HeaderMap>, payload: &'m [u8]) -> Taken<'m> {
        let published = "2026-11-28T10:00:00Z".to_owned();
        Taken { stream: "S", sequence: 7, published, deliveries: 1, subject: "jobs.completed", headers, payload }
    }

    fn with(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, *value);
        }
        headers
    }

    #[test]
    fn a_message_is_known_by_its_sender_s_id_or_by_where_the_stream_keeps_it() {
        let plain = delivered(&taken(None, b"{\"a\":10.10}"), NatsBody::Auto).expect("JSON");
        assert_eq!((plain.id.as_str(), plain.data.to_string().as_str()), ("S/7/2026-11-28T10:00:00Z", "{\"a\":10.10}"));
        let headers = with(&[("Nats-Msg-Id", "job-1")]);
        assert_eq!(delivered(&taken(Some(&headers), b"1"), NatsBody::Auto).expect("JSON").id, "job-1");
    }

    #[test]
    fn cloud_events_come_structured_and_binary() {
        let headers = with(&[
            ("ce-specversion", "1.0"),
            ("ce-id", "1"),
            ("CE-Source", "/fsm"),
            ("ce-type", "job.completed"),
            ("Content-Type", "application/json"),
        ]);
        let binary = delivered(&taken(Some(&headers), b"{\"x\":1}"), NatsBody::Auto).expect("an event");
        assert_eq!((binary.id.as_str(), binary.data.to_string().as_str()), ("/fsm#1", "{\"x\":1}"));
        let whole = br#"{"specversion":"1.0","id":"1","source":"/fsm","type":"job.completed","data":{"x":1}}"#;
        let said = with(&[("content-type", "application/cloudevents+json; charset=utf-8")]);
        let structured = delivered(&taken(Some(&said), whole), NatsBody::Auto).expect("an event");
        assert_eq!(structured.event, binary.event.map(|event| Event { datacontenttype: None, ..event }));
        // Without the header only `body` says so.
        assert!(delivered(&taken(None, whole), NatsBody::Auto).expect("JSON").event.is_none());
        assert!(delivered(&taken(None, whole), NatsBody::CloudEvents).expect("an event").event.is_some());
    }

    #[test]
    fn what_is_not_as_it_should_be_says_why() {
        for (payload, body, said) in [
            (&b"no json"[..], NatsBody::Auto, "not JSON"),
            (b"\xff\xfe", NatsBody::Text, "not text"),
            (b"{\"id\":\"1\"}", NatsBody::CloudEvents, "no CloudEvent"),
        ] {
            let why = delivered(&taken(None, payload), body).expect_err(said);
            assert!(why.contains(said), "{why}");
        }
        let half = with(&[("ce-id", "1")]);
        assert!(delivered(&taken(Some(&half), b"{}"), NatsBody::Auto).expect_err("half an event").contains("missing"));
    }
}
