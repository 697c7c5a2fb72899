//! The JSON event format: one object for attributes and data.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::attributes::Attributes;
use super::{Data, Event, EventError};

impl Event {
    /// Reads a structured event (`application/cloudevents+json`).
    pub fn from_structured(value: &Value) -> Result<Self, EventError> {
        let members = value.as_object().ok_or(EventError::NotAnObject)?;
        let mut attributes = Attributes::default();
        for (name, value) in members {
            if name != "data" && name != "data_base64" {
                attributes.set(name, value)?;
            }
        }
        let data = match (members.get("data"), members.get("data_base64")) {
            (Some(_), Some(_)) => return Err(EventError::BothData),
            (Some(data), None) => Data::Json(data.clone()),
            (None, Some(Value::String(text))) => Data::Binary(STANDARD.decode(text).map_err(|_| EventError::Base64)?),
            (None, Some(_)) => return Err(EventError::Base64),
            (None, None) => Data::None,
        };
        attributes.finish(data)
    }

    /// Writes it as a structured event. Reading that gives the same event.
    pub fn to_structured(&self) -> Value {
        let mut members = Map::new();
        let mut set = |name: &str, value: Value| members.insert(name.to_owned(), value);
        set("specversion", "1.0".into());
        set("id", self.id.as_str().into());
        set("source", self.source.as_str().into());
        set("type", self.event_type.as_str().into());
        let optional = [
            ("subject", &self.subject),
            ("time", &self.time),
            ("datacontenttype", &self.datacontenttype),
            ("dataschema", &self.dataschema),
        ];
        for (name, value) in optional {
            if let Some(value) = value {
                set(name, value.as_str().into());
            }
        }
        for (name, value) in &self.extensions {
            set(name, value.clone());
        }
        match &self.data {
            Data::None => {}
            Data::Json(data) => _ = set("data", data.clone()),
            Data::Binary(bytes) => _ = set("data_base64", STANDARD.encode(bytes).into()),
        }
        Value::Object(members)
    }
}
