//! What comes in by `POST /v1/events` and what is answered, as forms.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::event_form::EventDocument;

/// An event as somebody sends it.
pub(super) const EXAMPLE: &str = r#"{"specversion":"1.0","id":"4711","source":"/field-service/berlin","type":"job.completed","time":"2026-11-02T08:00:00Z","data":{"job_id":"J-4711","case_id":"500","notes":"Filter changed"}}"#;

/// A CloudEvent 1.0 in structured JSON. Further members are extension attributes.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is a form: events are read by `event::Event`, which keeps their digits")]
pub(super) struct SentEvent {
    /// 1.0.
    specversion: String,
    /// Tells it from the others of its source.
    #[schemars(length(min = 1, max = 1024))]
    id: String,
    /// A URI reference.
    #[schemars(length(min = 1, max = 1024))]
    source: String,
    /// What happened.
    #[serde(rename = "type")]
    #[schemars(length(min = 1, max = 1024))]
    kind: String,
    /// What it is about.
    subject: Option<String>,
    /// When it happened, RFC 3339.
    #[schemars(extend("format" = "date-time"))]
    time: Option<String>,
    /// The media type of the data.
    datacontenttype: Option<String>,
    /// A URI of the data's schema.
    dataschema: Option<String>,
    /// JSON.
    data: Option<Value>,
    /// Bytes, instead of `data`.
    data_base64: Option<String>,
}

/// Events that are durable.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Taken {
    pub(crate) accepted: Vec<TakenEvent>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct TakenEvent {
    /// The id that the host gave it; of a duplicate that of the first.
    pub(crate) eid: String,
    pub(crate) id: String,
    pub(crate) source: String,
    /// Whether the same source and id was sent before.
    pub(crate) duplicate: bool,
    /// Whether it said something else then.
    pub(crate) differs: bool,
}

/// Events whose runs have all ended, with their documents.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "it is a form")]
pub(super) struct Ended {
    accepted: Vec<TakenEvent>,
    /// Of a duplicate that is no longer kept there is none.
    events: Vec<EventDocument>,
}
