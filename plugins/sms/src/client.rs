//! What both kinds of gateways share: where values stand in their JSON.

use sangam_sdk::prelude::*;

/// The value at a path such as `messages[0].id`; null where there is none. An empty path is the value itself.
pub fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    let mut found = value;
    for part in path.split(['.', '[']).map(|part| part.trim_end_matches(']')).filter(|part| !part.is_empty()) {
        found = match found {
            Value::Array(items) => part.parse().ok().and_then(|index: usize| items.get(index)).unwrap_or(&Value::Null),
            value => &value[part],
        };
    }
    found
}

/// The same as text, where it is a text or a number.
pub fn text_at(value: &Value, path: &str) -> Option<String> {
    match at(value, path) {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(flag) => Some(flag.to_string()),
        _ => None,
    }
}
