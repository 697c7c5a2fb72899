//! From our names to theirs, and back.

use std::collections::BTreeMap;

use sangam_sdk::{
    path::{at, put},
    prelude::*,
    serde_json::Map,
};

/// What is given in our names, in theirs; what is null or has no name of theirs is left out.
pub fn theirs(ours: &Value, fields: &BTreeMap<String, String>) -> Map<String, Value> {
    let mut record = Map::new();
    for (our, their) in fields {
        let value = at(ours, our);
        if !value.is_null() {
            put(&mut record, their, value.clone());
        }
    }
    record
}

/// A record in our names. A field that they don't have is left out, one that is null is null.
pub fn ours(record: &Value, fields: &BTreeMap<String, String>) -> Map<String, Value> {
    let mut data = Map::new();
    for (our, their) in fields {
        let value = at(record, their);
        if !value.is_null() {
            put(&mut data, our, value.clone());
        }
    }
    data
}

/// An id, which is text with us.
pub fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
