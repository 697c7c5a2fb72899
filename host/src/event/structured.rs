//! The JSON event format: one object for attributes and data.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserialize as _, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use super::attributes::Attributes;
use super::json::{self, Json, Name};
use super::{Data, Event, EventError, MAX_BATCH, ReadError};

impl Event {
    /// Reads the text of a structured event (`application/cloudevents+json`).
    ///
    /// # Errors
    /// [`ReadError::Json`] and [`ReadError::Event`].
    pub fn read(text: &[u8]) -> Result<Event, ReadError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let event = Envelope.deserialize(&mut reader)?;
        reader.end()?;
        event.map_err(ReadError::Event)
    }

    /// Reads the text of a batch (`application/cloudevents-batch+json`).
    ///
    /// # Errors
    /// [`ReadError::Json`], and [`ReadError::Batch`] with every item that is no event.
    pub fn read_batch(text: &[u8]) -> Result<Vec<Event>, ReadError> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        if text.trim_ascii_start().first() != Some(&b'[') {
            IgnoredAny::deserialize(&mut reader)?;
            reader.end()?;
            return Err(ReadError::Batch(vec![(0, EventError::NotABatch)]));
        }
        let events = reader.deserialize_seq(Batch)?;
        reader.end()?;
        events.map_err(ReadError::Batch)
    }

    /// A structured event as a tree.
    ///
    /// # Errors
    /// Why it is none.
    pub fn from_structured(value: Value) -> Result<Self, EventError> {
        let Value::Object(mut members) = value else { return Err(EventError::NotAnObject) };
        let (data, base64) = (members.remove("data"), members.remove("data_base64"));
        let mut attributes = Attributes::default();
        for (name, value) in members {
            attributes.set(&name, value)?;
        }
        attributes.finish(one_of(data.as_ref().map(Json::try_from).transpose()?, base64)?)
    }

    /// Writes it as a structured event. Reading that gives the same event.
    pub fn to_structured(&self) -> Value {
        let mut value = serde_json::to_value(Structured(self)).expect("an event is JSON");
        if let Data::Json(data) = &self.data {
            value["data"] = data.to_value();
        }
        value
    }

    /// The text of [`Event::to_structured`].
    pub fn to_text(&self) -> String {
        let data = if let Data::Json(data) = &self.data { Some(data.as_str()) } else { None };
        let mut text = Vec::with_capacity(512 + data.map_or(0, str::len));
        serde_json::to_writer(&mut text, &Structured(self)).expect("an event is JSON");
        if let Some(data) = data {
            // An object that has members.
            text.pop();
            [r#","data":"#, data, "}"].iter().for_each(|part| text.extend_from_slice(part.as_bytes()));
        }
        String::from_utf8(text).expect("JSON is UTF-8")
    }
}

/// `data` or `data_base64`.
fn one_of(data: Option<Json>, base64: Option<Value>) -> Result<Data, EventError> {
    match (data, base64) {
        (Some(_), Some(_)) => Err(EventError::BothData),
        (Some(data), None) => Ok(Data::Json(data)),
        (None, Some(Value::String(text))) => STANDARD.decode(text).map(Data::Binary).map_err(|_| EventError::Base64),
        (None, Some(_)) => Err(EventError::Base64),
        (None, None) => Ok(Data::None),
    }
}

/// Reads an event, or why it is none, and in any case to its end: other events may follow.
struct Envelope;

impl<'de> DeserializeSeed<'de> for Envelope {
    type Value = Result<Event, EventError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Envelope {
    type Value = Result<Event, EventError>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a CloudEvent")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<Self::Value, E> {
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Err(EventError::NotAnObject))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Self::Value, A::Error> {
        let mut members_read = Members::default();
        while let Some(name) = members.next_key_seed(Name)? {
            if name == json::NUMBER {
                json::ignore(members, Some(name))?;
                return Ok(Err(EventError::NotAnObject));
            }
            if let Err(error) = members_read.read(&name, &mut members)? {
                while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                return Ok(Err(error));
            }
        }
        Ok(members_read.finish())
    }
}

/// What was read of an event.
#[derive(Default)]
struct Members {
    attributes: Attributes,
    data: Option<Json>,
    base64: Option<Value>,
}

impl Members {
    /// Reads the member of that name.
    fn read<'de, A: MapAccess<'de>>(&mut self, name: &str, members: &mut A) -> Result<Result<(), EventError>, A::Error> {
        let is_there = match name {
            "data" => match members.next_value_seed(json::Reading)? {
                Ok(data) => self.data.replace(data).is_some(),
                Err(error) => return Ok(Err(error)),
            },
            "data_base64" => self.base64.replace(members.next_value()?).is_some(),
            _ => return Ok(self.attributes.set(name, members.next_value()?)),
        };
        Ok(if is_there { Err(EventError::Repeated(name.to_owned())) } else { Ok(()) })
    }

    fn finish(self) -> Result<Event, EventError> {
        self.attributes.finish(one_of(self.data, self.base64)?)
    }
}

/// Reads the events of a batch, or every item that is none, by position.
struct Batch;

impl<'de> Visitor<'de> for Batch {
    type Value = Result<Vec<Event>, Vec<(usize, EventError)>>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a batch of CloudEvents")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Self::Value, A::Error> {
        let (mut events, mut errors) = (Vec::new(), Vec::new());
        for index in 0..MAX_BATCH {
            match items.next_element_seed(Envelope)? {
                Some(Ok(event)) => events.push(event),
                Some(Err(error)) => errors.push((index, error)),
                None => return Ok(if errors.is_empty() { Ok(events) } else { Err(errors) }),
            }
        }
        let mut is_longer = false;
        while items.next_element::<IgnoredAny>()?.is_some() {
            is_longer = true;
        }
        match errors.is_empty() {
            _ if is_longer => Ok(Err(vec![(MAX_BATCH, EventError::BatchTooLong)])),
            true => Ok(Ok(events)),
            false => Ok(Err(errors)),
        }
    }
}

/// An event without data that is JSON: its text is at hand.
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
        if let Data::Binary(bytes) = &event.data {
            members.serialize_entry("data_base64", &STANDARD.encode(bytes))?;
        }
        members.end()
    }
}
