//! JSON in one form of its text, made while it is read: what is stored, told apart and passed on is never built as a tree.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Number, Value};

use super::{EventError, MAX_DATA_DEPTH};

/// How serde_json gives a number that no integer is (feature `arbitrary_precision`), with its digits: as an object with this one member.
pub(super) const NUMBER: &str = "$serde_json::private::Number";
/// What begins the names that serde_json takes for something else than a name. Sorted to the front, they would be read as another value.
const RESERVED: &str = "$serde_json::private::";

/// JSON text without spaces, the members of objects sorted by name, of several with one name the last; numbers have the digits they came with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json(String);

impl Json {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A text as JSON.
    pub fn of_text(text: &str) -> Json {
        Json(Value::from(text).to_string())
    }

    /// The tree.
    pub fn to_value(&self) -> Value {
        serde_json::from_str(&self.0).expect("its text is JSON, not deep, and without names that mean something else")
    }

    /// Reads text that is JSON, or says why it can't be kept.
    pub(super) fn read(text: &[u8]) -> Result<Result<Json, EventError>, serde_json::Error> {
        let mut reader = serde_json::Deserializer::from_slice(text);
        let json = Reading.deserialize(&mut reader)?;
        reader.end()?;
        Ok(json)
    }
}

impl TryFrom<&Value> for Json {
    type Error = EventError;

    fn try_from(value: &Value) -> Result<Json, EventError> {
        check(value, MAX_DATA_DEPTH)?;
        // serde_json keeps members sorted, unless it is built to do otherwise: a test would tell.
        Ok(Json(value.to_string()))
    }
}

/// Whether a tree can be kept, and read again as the same. Recursion ends at `levels`.
fn check(value: &Value, levels: usize) -> Result<(), EventError> {
    let below = || levels.checked_sub(1).ok_or(EventError::TooDeep);
    match value {
        Value::Array(items) => {
            let levels = below()?;
            items.iter().try_for_each(|item| check(item, levels))
        }
        Value::Object(members) => {
            let levels = below()?;
            members.iter().try_for_each(|(name, member)| match name.starts_with(RESERVED) {
                true => Err(EventError::Member(name.clone())),
                false => check(member, levels),
            })
        }
        _ => Ok(()),
    }
}

/// Reads a value of a JSON text as [`Json`], or why it can't be kept, and in any case to its end.
pub(super) struct Reading;

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Result<Json, EventError>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        let mut writer = Writer { text: Vec::with_capacity(1024), fault: None };
        deserializer.deserialize_any(Node { writer: &mut writer, levels: MAX_DATA_DEPTH })?;
        match writer.fault {
            Some(fault) => Ok(Err(fault)),
            None => String::from_utf8(writer.text).map(|text| Ok(Json(text))).map_err(D::Error::custom),
        }
    }
}

struct Writer {
    text: Vec<u8>,
    /// Why it can't be kept.
    fault: Option<EventError>,
}

impl Writer {
    fn scalar<E: serde::de::Error>(&mut self, value: &(impl serde::Serialize + ?Sized)) -> Result<(), E> {
        serde_json::to_writer(&mut self.text, value).map_err(E::custom)
    }

    /// A string as it stands in the text that is read: one that is borrowed from it has no escapes, and needs none.
    fn quoted(&mut self, as_it_stands: &str) {
        self.text.push(b'"');
        self.text.extend_from_slice(as_it_stands.as_bytes());
        self.text.push(b'"');
    }

    /// Sorts the members of an object that were written from `start` on.
    fn sort(&mut self, start: usize, mut members: Vec<Member<'_>>) {
        // Stable: of one name the last stays last.
        members.sort_by(|one, other| one.name.cmp(&other.name));
        let written = self.text.split_off(start);
        let mut members = members.iter().peekable();
        while let Some(member) = members.next() {
            if members.peek().is_none_or(|next| next.name != member.name) {
                self.text.extend_from_slice(&written[member.from - start..member.to - start]);
            }
        }
    }
}

/// A member that was written, with the comma behind it.
struct Member<'de> {
    name: Cow<'de, str>,
    from: usize,
    to: usize,
}

/// Writes one value, which may have so many levels.
struct Node<'w> {
    writer: &'w mut Writer,
    levels: usize,
}

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.writer.scalar(&())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.writer.scalar(&value)
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.writer.scalar(&value)
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.writer.scalar(&value)
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, value: &'de str) -> Result<(), E> {
        self.writer.quoted(value);
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.writer.scalar(value)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Node { writer, levels } = self;
        let Some(levels) = levels.checked_sub(1) else {
            writer.fault = Some(EventError::TooDeep);
            while items.next_element::<IgnoredAny>()?.is_some() {}
            return Ok(());
        };
        writer.text.push(b'[');
        let start = writer.text.len();
        while items.next_element_seed(Node { writer, levels })?.is_some() {
            writer.text.push(b',');
        }
        writer.text.truncate(writer.text.len().saturating_sub(1).max(start));
        writer.text.push(b']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        let Node { writer, levels } = self;
        let mut next = members.next_key_seed(Name)?;
        if next.as_deref() == Some(NUMBER) {
            let number: Number = members.next_value::<String>()?.parse().map_err(A::Error::custom)?;
            return writer.scalar(&number);
        }
        let Some(levels) = levels.checked_sub(1) else {
            writer.fault = Some(EventError::TooDeep);
            return ignore(members, next);
        };
        writer.text.push(b'{');
        let start = writer.text.len();
        let mut written: Vec<Member<'_>> = Vec::new();
        let mut is_sorted = true;
        while let Some(name) = next {
            if name.starts_with(RESERVED) {
                writer.fault = Some(EventError::Member(name.clone().into_owned()));
                return ignore(members, Some(name));
            }
            let from = writer.text.len();
            match &name {
                Cow::Borrowed(name) => writer.quoted(name),
                Cow::Owned(name) => writer.scalar(name)?,
            }
            writer.text.push(b':');
            members.next_value_seed(Node { writer, levels })?;
            writer.text.push(b',');
            is_sorted &= written.last().is_none_or(|last| last.name < name);
            written.push(Member { name, from, to: writer.text.len() });
            next = members.next_key_seed(Name)?;
        }
        if !is_sorted {
            writer.sort(start, written);
        }
        writer.text.truncate(writer.text.len().saturating_sub(1).max(start));
        writer.text.push(b'}');
        Ok(())
    }
}

/// Reads the name of a member, without a copy where it has no escapes.
pub(super) struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a name")
    }

    fn visit_borrowed_str<E: serde::de::Error>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// Reads on to the end of an object whose last name is that one.
pub(super) fn ignore<'de, A: MapAccess<'de>>(mut members: A, last: Option<Cow<'de, str>>) -> Result<(), A::Error> {
    if last.is_some() {
        members.next_value::<IgnoredAny>()?;
        while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Json, EventError> {
        Json::read(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"))
    }

    #[test]
    fn it_is_the_text_of_the_same_tree() {
        for text in [
            "null",
            " [ true , false,[],{} ] ",
            r#""a\u00e9\n\"\\\ud83d\ude00\/\u007f""#,
            r#"[0,-0,1.50,1E5,1e-7,-1.0e+400,12345678901234567890123,0.1]"#,
            r#"{"b":{"z":1,"y":[{"q":1,"p":2}]},"a":2,"\u0061a":3,"":0}"#,
            // Of one name the last, wherever it stands; sorted by what a name says, not by how it is written.
            r#"{"a":1,"b":{"c":1},"a":{"x":[1,2]},"b":2}"#,
            r#"{"a":1,"\u0061":2}"#,
            r##"{"\"":1,"!":2,"#":3,"\\":4,"[":5,"]":6,"\u0000":7}"##,
            r#"{"c":1,"b":{},"a":[]}"#,
        ] {
            let value: Value = serde_json::from_str(text).expect(text);
            let json = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(json.as_str(), value.to_string(), "{text}");
            assert_eq!(json.to_value(), value, "{text}");
            assert_eq!(Json::try_from(&value), Ok(json), "{text}: serde_json does not keep members sorted");
        }
    }

    #[test]
    fn what_is_too_deep_or_no_json_is_refused() {
        let nested = |levels: usize| format!("{}1{}", "[".repeat(levels), "]".repeat(levels));
        assert!(read(&nested(MAX_DATA_DEPTH)).is_ok());
        assert_eq!(read(&nested(MAX_DATA_DEPTH + 1)), Err(EventError::TooDeep));
        assert_eq!(read(&format!("[{},1]", nested(MAX_DATA_DEPTH))), Err(EventError::TooDeep));
        assert_eq!(read(&format!(r#"{{"a":{}}}"#, nested(MAX_DATA_DEPTH))), Err(EventError::TooDeep));
        assert_eq!(read(&nested(50_000)), Err(EventError::TooDeep), "and however deep it is");
        for text in ["", "{", "[1,]", r#"{"a"}"#, "1 2", "01", "\"\u{1}\"", r#""\ud800""#, "nul", r#"{1:2}"#] {
            assert!(Json::read(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Json::read(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_name_that_the_library_would_take_for_something_else_is_refused() {
        for text in [
            r#"{"$serde_json::private::RawValue":"[1"}"#,
            r#"{"a":1,"$serde_json::private::Number":"x"}"#,
            r#"{"a":{"z":1,"$serde_json::private::RawValue":"1"}}"#,
        ] {
            assert!(matches!(read(text), Err(EventError::Member(_))), "{text}");
        }
        for text in [r#"{"$serde_json::private::Number":"x"}"#, r#"{"$serde_json::private::Number":"1","a":2}"#] {
            assert!(Json::read(text.as_bytes()).is_err(), "{text}");
        }
        // serde_json itself takes them where they don't come first; sorted, they would.
        let value: Value = serde_json::from_str(r#"{"a":[{"a":1,"$serde_json::private::Number":"x"}]}"#).expect("JSON");
        assert_eq!(Json::try_from(&value), Err(EventError::Member("$serde_json::private::Number".to_owned())));
        assert_eq!(Json::try_from(&json!({"b": 1, "a": 2})).map(|json| json.as_str().to_owned()), Ok(r#"{"a":2,"b":1}"#.to_owned()));
    }
}
