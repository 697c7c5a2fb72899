//! Values of fields: what is taken, and how it is kept.

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::id::Id;
use super::refusal::Refusal;
use super::schema::{Field, Kind, Object};

/// The value to keep for one sent by a client; empty text is null. References and case statuses depend on other
/// records: the org looks at them.
pub fn taken(object: &Object, field: &Field, value: Value) -> Result<Value, Refusal> {
    if value.is_null() {
        return if field.kind == Kind::Boolean { Err(mistyped("boolean", &value)) } else { Ok(value) };
    }
    match field.kind {
        Kind::Boolean if value.is_boolean() => Ok(value),
        Kind::Boolean => Err(mistyped("boolean", &value)),
        Kind::Number if value.is_number() => Ok(value),
        Kind::Number => Err(mistyped("double", &value)),
        Kind::Date => match value.as_str() {
            Some("") => Ok(Value::Null),
            Some(text) if text.parse::<Date>().is_ok() => Ok(value),
            _ => Err(mistyped("date", &value)),
        },
        Kind::DateTime => match value.as_str().map(instant) {
            Some(Some(instant)) => Ok(Value::String(written(instant))),
            _ => Err(mistyped("datetime", &value)),
        },
        Kind::Id | Kind::Text(_) | Kind::LongText(_) | Kind::Email | Kind::Picklist(_) | Kind::CaseStatus => {
            let Some(text) = value.as_str().map(str::trim) else {
                return Err(mistyped("string", &value));
            };
            kept_text(field, text)
        }
        Kind::Reference { to, .. } => match value.as_str() {
            Some("") => Ok(Value::Null),
            Some(text) => match Id::parse(text).filter(|id| refers(to, id)) {
                Some(id) => Ok(Value::String(id.to_string())),
                None => Err(wrong_reference(object, field, text)),
            },
            None => Err(mistyped("string", &value)),
        },
    }
}

fn kept_text(field: &Field, text: &str) -> Result<Value, Refusal> {
    let name = field.name;
    if text.is_empty() {
        return Ok(Value::Null);
    }
    let limit = match field.kind {
        Kind::Text(limit) | Kind::LongText(limit) => limit,
        Kind::Email => 80,
        _ => 255,
    };
    if text.chars().count() > limit {
        let start: String = text.chars().take(limit).collect();
        let message = format!("{name}: data value too large: {start} (max length={limit})");
        return Err(Refusal::field("STRING_TOO_LONG", message, name));
    }
    match field.kind {
        Kind::Email if !is_email(text) => {
            let message = format!("{name}: invalid email address: {text}");
            Err(Refusal::field("INVALID_EMAIL_ADDRESS", message, name))
        }
        Kind::Picklist(values) => match values.iter().find(|value| value.eq_ignore_ascii_case(text)) {
            Some(value) => Ok((*value).into()),
            None => Err(no_choice(field, text)),
        },
        _ => Ok(text.into()),
    }
}

/// A value that a restricted picklist doesn't have.
pub fn no_choice(field: &Field, text: &str) -> Refusal {
    let message = format!("{}: bad value for restricted picklist field: {text}", field.name);
    Refusal::field("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, field.name)
}

/// Whether an id is of one of these objects.
fn refers(to: &[&str], id: &Id) -> bool {
    Object::of_prefix(id.prefix()).is_some_and(|object| to.contains(&object.name))
}

fn wrong_reference(object: &Object, field: &Field, text: &str) -> Refusal {
    let label = match field.kind {
        Kind::Reference { relation: "Parent", .. } if object.name == "CaseComment" => "Case ID".to_owned(),
        Kind::Reference { relation, .. } => format!("{relation} ID"),
        _ => field.name.to_owned(),
    };
    Refusal::field("MALFORMED_ID", format!("{label}: id value of incorrect type: {text}"), field.name)
}

fn mistyped(wanted: &str, value: &Value) -> Refusal {
    let (token, shown) = match value {
        Value::Null => ("VALUE_NULL", "null".to_owned()),
        Value::Bool(true) => ("VALUE_TRUE", "true".to_owned()),
        Value::Bool(false) => ("VALUE_FALSE", "false".to_owned()),
        Value::Number(number) if number.is_i64() => ("VALUE_NUMBER_INT", number.to_string()),
        Value::Number(number) => ("VALUE_NUMBER_FLOAT", number.to_string()),
        Value::String(text) => ("VALUE_STRING", text.clone()),
        Value::Array(_) => ("START_ARRAY", "[".to_owned()),
        Value::Object(_) => ("START_OBJECT", "{".to_owned()),
    };
    Refusal::json(format!("Cannot deserialize instance of {wanted} from {token} value {shown} or request may be missing a required field"))
}

fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else {
        return false;
    };
    let label = |label: &str| !label.is_empty() && label.chars().all(|c| c.is_alphanumeric() || c == '-');
    !name.is_empty()
        && !name.contains(|c: char| c.is_whitespace() || ",;<>()\"".contains(c))
        && domain.contains('.')
        && domain.split('.').all(label)
}

/// An instant in one of the forms that are taken: `Z`, `+01:00` or `+0100`.
pub fn instant(text: &str) -> Option<Timestamp> {
    text.parse().ok()
}

/// An instant as answers show it.
pub fn written(instant: Timestamp) -> String {
    instant.strftime("%Y-%m-%dT%H:%M:%S.%3f+0000").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instant_is_read_as_it_is_written() {
        let instant_ = instant("2026-11-21T21:40:00+0100").expect("offset without a colon");
        assert_eq!(written(instant_), "2026-11-21T20:40:00.000+0000");
        assert_eq!(instant(&written(instant_)), Some(instant_));
    }

    #[test]
    fn an_email_has_a_name_and_a_domain() {
        assert!(is_email("o'hara+x@mail.acme.example"));
        assert!(!is_email("acme.example"));
        assert!(!is_email("a b@acme.example"));
        assert!(!is_email("a@acme"));
    }
}
