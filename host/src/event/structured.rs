//! The JSON event format: one object for attributes and data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use super::attributes::Attributes;
use super::{Data, Event, EventError};

impl Event {
    /// Reads a structured event (`application/cloudevents+json`).
    pub fn from_structured(value: Value) -> Result<Self, EventError> {
        let Value::Object(mut members) = value else { return Err(EventError::NotAnObject) };
        let (data, base64) = (members.remove("data"), members.remove("data_base64"));
        let mut attributes = Attributes::default();
        for (name, value) in members {
            attributes.set(&name, value)?;
        }
        let data = match (data, base64) {
            (Some(_), Some(_)) => return Err(EventError::BothData),
            (Some(data), None) => Data::Json(data),
            (None, Some(Value::String(text))) => Data::Binary(STANDARD.decode(text).map_err(|_| EventError::Base64)?),
            (None, Some(_)) => return Err(EventError::Base64),
            (None, None) => Data::None,
        };
        attributes.finish(data)
    }

    /// Writes it as a structured event. Reading that gives the same event.
    pub fn to_structured(&self) -> Value {
        serde_json::to_value(Structured(self)).expect("an event is JSON")
    }

    /// The text of [`Event::to_structured`].
    pub fn to_text(&self) -> String {
        serde_json::to_string(&Structured(self)).expect("an event is JSON")
    }
}

struct Structured<'e>(&'e Event);

impl Serialize for Structured<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let event = self.0;
        let mut members = serializer.serialize_map(None)?;
        members.serialize_entry("specversion", "1.0")?;
        members.serialize_entry("id", &event.id)?;
        members.serialize_entry("source", &event.source)?;
        members.serialize_entry("type", &event.event_type)?;
        let optional = [
            ("subject", &event.subject),
            ("time", &event.time),
            ("datacontenttype", &event.datacontenttype),
            ("dataschema", &event.dataschema),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                members.serialize_entry(name, value)?;
            }
        }
        for (name, value) in &event.extensions {
            members.serialize_entry(name, value)?;
        }
        match &event.data {
            Data::None => {}
            Data::Json(data) => members.serialize_entry("data", data)?,
            Data::Binary(bytes) => members.serialize_entry("data_base64", &STANDARD.encode(bytes))?,
        }
        members.end()
    }
}
