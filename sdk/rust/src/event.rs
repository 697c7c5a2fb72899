use std::{collections::BTreeMap, fmt};

use serde::{
    Deserialize, Deserializer, Serialize,
    de::{DeserializeOwned, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};

use crate::{Failure, input};

/// An event that was accepted: a CloudEvent 1.0. Its data stay text until they are asked for.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Event {
    /// Unique within its source.
    pub id: String,
    /// Where it comes from.
    pub source: String,
    /// Such as `job.completed`; CloudEvents calls it `type`.
    pub kind: String,
    /// What it is about.
    pub subject: Option<String>,
    /// RFC 3339.
    pub time: Option<String>,
    /// All other attributes, `datacontenttype` among them.
    pub attributes: BTreeMap<String, Value>,
    data: Option<Box<RawValue>>,
}

impl Event {
    /// The event's data as a type of yours, or as [`Value`]. Without data it is JSON `null`.
    ///
    /// # Errors
    /// Rejected, with the path of the field that does not fit.
    pub fn data<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        input::parse(self.data.as_deref().map_or("null", RawValue::get), "event.data")
    }
}

// Not a derive with flatten: that would parse the data into a tree on every call.
impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a CloudEvent")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Event, A::Error> {
        let mut event = Event::default();
        while let Some(name) = members.next_key::<String>()? {
            match name.as_str() {
                "id" => event.id = members.next_value()?,
                "source" => event.source = members.next_value()?,
                "type" => event.kind = members.next_value()?,
                "subject" => event.subject = members.next_value()?,
                "time" => event.time = members.next_value()?,
                "data" => event.data = Some(members.next_value()?),
                _ => drop(event.attributes.insert(name, members.next_value()?)),
            }
        }
        Ok(event)
    }
}

/// An event to bring in. The host sets its `source`, and derives an `id` where an action gives none.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// # fn main() -> Result<(), Failure> {
/// let event = NewEvent::new("leave.approved", json!({ "employee": "17" }))?
///     .id("leave/4711/3")
///     .subject("employee/17")
///     .time("2026-11-02T08:00:00Z");
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct NewEvent(Map<String, Value>);

impl NewEvent {
    /// An event of that type with that data.
    ///
    /// # Errors
    /// Rejected if the data can't be JSON, such as a map whose keys are not text.
    pub fn new(kind: impl Into<String>, data: impl Serialize) -> Result<Self, Failure> {
        let data = serde_json::to_value(data)?;
        Ok(Self(Map::new()).attribute("type", kind.into()).attribute("data", data))
    }

    /// Unique within the source. In a stream take it from the record and its version, so that seeing it again brings in
    /// nothing twice.
    #[must_use]
    pub fn id(self, id: impl Into<String>) -> Self {
        self.attribute("id", id.into())
    }

    /// What the event is about.
    #[must_use]
    pub fn subject(self, subject: impl Into<String>) -> Self {
        self.attribute("subject", subject.into())
    }

    /// When it happened, RFC 3339.
    #[must_use]
    pub fn time(self, time: impl Into<String>) -> Self {
        self.attribute("time", time.into())
    }

    /// An extension attribute of CloudEvents: lower-case letters and digits.
    #[must_use]
    pub fn attribute(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.0.insert(name.to_owned(), value.into());
        self
    }

    pub(crate) fn into_text(mut self) -> String {
        self.0.entry("specversion").or_insert_with(|| "1.0".into());
        Value::Object(self.0).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn data_keep_their_digits_until_they_are_asked_for() {
        let text = r#"{"specversion":"1.0","id":"1","source":"/s","type":"t","subject":null,"x":7,"data":{"n":12345678901234567890123,"m":10.10}}"#;
        let event: Event = serde_json::from_str(text).expect("a CloudEvent");
        assert_eq!((event.id.as_str(), event.kind.as_str(), &event.subject), ("1", "t", &None));
        assert_eq!(event.attributes["x"], json!(7));
        assert_eq!(event.data::<Value>().expect("JSON").to_string(), r#"{"m":10.10,"n":12345678901234567890123}"#);
        let failure = event.data::<BTreeMap<String, u8>>().expect_err("too large");
        assert!(failure.reason.starts_with("event.data.n: "), "{}", failure.reason);
    }

    #[test]
    fn an_event_without_data_has_null() {
        let event: Event = serde_json::from_str(r#"{"id":"1","source":"/s","type":"t"}"#).expect("a CloudEvent");
        assert_eq!(event.data::<Value>(), Ok(Value::Null));
    }
}
