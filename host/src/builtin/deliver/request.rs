//! A delivery as a request: what is posted to an endpoint, and what is shown of it.

use http::{HeaderMap, HeaderName, HeaderValue};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::keys::Keys;
use super::signature;
use crate::config::{Subscriber, SubscriberFormat};
use crate::credentials::{Hidden, Patterns};
use crate::event::Event;
use crate::outbound::{HttpError, MAX_ANSWER, Response};
use crate::runtime::Runtime;
use crate::telemetry;

/// Names and values.
type Headers = Vec<(String, String)>;

/// What a delivery says, as the event that it is has it.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// `webhook-id`: the same over all attempts, and for every endpoint of one step.
    pub id: String,
    /// Type of the event.
    pub event_type: String,
    /// Source of the event.
    pub source: String,
    /// What it is about.
    pub subject: Option<String>,
    /// When it happened: RFC 3339.
    pub time: String,
    /// What it says.
    pub data: Value,
}

/// A request that is ready to leave.
#[derive(Debug)]
pub struct Ready {
    /// All headers, secret ones among them.
    pub headers: HeaderMap,
    /// Those that people may see.
    pub shown: Vec<(String, Vec<u8>)>,
    /// The body.
    pub body: Vec<u8>,
    /// What it was signed with, and what its headers hold.
    pub hidden: Hidden,
}

impl Ready {
    /// What an endpoint says, without the secrets that it was sent or knows: it may repeat them.
    pub fn masked(hidden: &Hidden, result: Result<Response, HttpError>) -> Result<Response, HttpError> {
        let patterns = Patterns::new([hidden]);
        result.map(|Response { status, headers, body }| Response {
            status,
            headers: headers.into_iter().map(|(name, value)| (name, patterns.redact(&value).into_owned())).collect(),
            // No more than the start of an answer is read, which may end within a secret.
            body: if body.len() < MAX_ANSWER { patterns.redact(&body) } else { patterns.redact_start(&body) }.into_owned(),
        })
    }
}

impl Delivery {
    /// As an event's data.
    pub fn to_value(&self) -> Value {
        json!({
            "id": self.id, "type": self.event_type, "source": self.source, "subject": self.subject, "time": self.time, "data": self.data,
        })
    }

    /// Out of an event's data; the schema of the action has judged it.
    pub fn of_value(value: &Value) -> Delivery {
        let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
        Delivery {
            id: text("id"),
            event_type: text("type"),
            source: text("source"),
            subject: value["subject"].as_str().map(str::to_owned),
            time: text("time"),
            data: value["data"].clone(),
        }
    }

    fn event(&self) -> Result<Event, String> {
        let mut members = Map::new();
        for (name, value) in
            [("specversion", "1.0"), ("id", &self.id), ("source", &self.source), ("type", &self.event_type), ("time", &self.time)]
        {
            members.insert(name.to_owned(), json!(value));
        }
        if let Some(subject) = &self.subject {
            members.insert("subject".to_owned(), json!(subject));
        }
        members.insert("datacontenttype".to_owned(), json!("application/json"));
        members.insert("data".to_owned(), self.data.clone());
        Event::from_structured(Value::Object(members)).map_err(|error| format!("this is no CloudEvent: {error}"))
    }

    /// The body and the headers that say what it is.
    fn body(&self, format: SubscriberFormat) -> Result<(Headers, Vec<u8>), String> {
        let kind = |media: &str| vec![("content-type".to_owned(), media.to_owned())];
        Ok(match format {
            SubscriberFormat::StandardWebhooks => {
                let body = json!({ "type": self.event_type, "timestamp": self.time, "data": self.data });
                (kind("application/json"), body.to_string().into_bytes())
            }
            SubscriberFormat::CloudEvents => (kind("application/cloudevents+json; charset=utf-8"), self.event()?.to_text().into_bytes()),
            SubscriberFormat::CloudEventsBinary => self.event()?.to_binary(),
        })
    }

    /// Makes the request, signed as of now.
    ///
    /// # Errors
    /// Which secret can't be had or used; what can't be a header.
    pub async fn ready(&self, runtime: &Runtime, subscriber: &Subscriber, now: Timestamp) -> Result<Ready, String> {
        let (mut pairs, body) = self.body(subscriber.format)?;
        pairs.push(("webhook-id".to_owned(), self.id.clone()));
        let timestamp = now.as_second();
        pairs.push(("webhook-timestamp".to_owned(), timestamp.to_string()));
        let Keys { secrets, key, mut hidden } = Keys::of(&runtime.vault, subscriber, now).await?;
        let shown: Vec<(String, Vec<u8>)> = pairs.iter().map(|(name, value)| (name.clone(), value.clone().into_bytes())).collect();
        if !secrets.is_empty() || key.is_some() {
            pairs.push(("webhook-signature".to_owned(), signature::signatures(&secrets, key.as_ref(), &self.id, timestamp, &body)));
        }
        for (name, reference) in &subscriber.headers {
            let value = runtime.vault.resolve(reference).await.map_err(|error| telemetry::chain(&error))?;
            pairs.push((name.clone(), value.expose().to_owned()));
            hidden.header(&value);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let wrong = || format!("header {name:?} can't be sent: its value has characters that no header carries");
            let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?;
            headers.insert(key, HeaderValue::from_str(&value).map_err(|_| wrong())?);
        }
        Ok(Ready { headers, shown, body, hidden })
    }
}
