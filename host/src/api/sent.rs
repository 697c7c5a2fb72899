//! What comes in by `POST /v1/events` and what is answered, as forms.

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

use super::event_form::EventDocument;
use crate::event::Event;
use crate::store::Accepted;

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
pub struct Taken<'a> {
    accepted: Vec<TakenEvent<'a>>,
}

/// One of them.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TakenEvent<'a> {
    /// The id that the host gave it; of a duplicate that of the first.
    eid: &'a str,
    id: &'a str,
    source: &'a str,
    /// Whether the same source and id was sent before.
    duplicate: bool,
    /// Whether it said something else then.
    differs: bool,
}

/// Events whose runs have all ended, with their documents.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Ended<'a> {
    accepted: Vec<TakenEvent<'a>>,
    /// Of a duplicate that is no longer kept there is none.
    #[schemars(with = "Vec<EventDocument>")]
    events: Vec<Value>,
}

impl<'a> Taken<'a> {
    /// What became of each event, in their order.
    pub fn of(events: &'a [Event], accepted: &'a [Accepted]) -> Taken<'a> {
        let one = |(event, outcome): (&'a Event, &'a Accepted)| TakenEvent {
            eid: &outcome.eid,
            id: &event.id,
            source: &event.source,
            duplicate: outcome.duplicate,
            differs: outcome.differs,
        };
        Taken { accepted: events.iter().zip(accepted).map(one).collect() }
    }

    /// With the events' documents.
    pub fn ended(self, events: Vec<Value>) -> Ended<'a> {
        Ended { accepted: self.accepted, events }
    }
}
