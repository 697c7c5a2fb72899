//! Spans of working time in the configuration: `8h`, `37h30m`, `450m`.

use std::borrow::Cow;

use sangam_sdk::{
    prelude::*,
    schemars::{Schema, SchemaGenerator, json_schema},
    serde::{Deserializer, de::Error as _},
};

/// Hours of a week.
const MAX_MINUTES: u32 = 7 * 24 * 60;

/// A span, in minutes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u32);

impl Span {
    fn read(text: &str) -> Option<Self> {
        let (hours, minutes) = match text.split_once('h') {
            Some((hours, rest)) => (hours.parse::<u32>().ok()?, rest),
            None => (0, text),
        };
        let minutes = match minutes.strip_suffix('m') {
            Some(minutes) => minutes.parse::<u32>().ok()?,
            None if minutes.is_empty() && !text.is_empty() => 0,
            None => return None,
        };
        let all = hours.checked_mul(60)?.checked_add(minutes)?;
        (all <= MAX_MINUTES).then_some(Self(all))
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no span of a week at most, such as `8h` or `37h30m`")))
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^([0-9]+h)?([0-9]+m)?$", "examples": ["8h", "37h30m"] })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_hours_and_minutes() {
        for (text, minutes) in [
            ("8h", Some(480)),
            ("37h30m", Some(2250)),
            ("450m", Some(450)),
            ("168h", Some(10080)),
            ("168h1m", None),
            ("", None),
            ("8", None),
            ("h", None),
            ("8h30", None),
            ("-8h", None),
            ("9999999999h", None),
        ] {
            assert_eq!(Span::read(text), minutes.map(Span), "{text}");
        }
    }
}
