//! JSON Schemas of data, put among the components of the document.

use serde_json::{Map, Value, json};

use crate::catalogue;
use crate::config::EventSchema;

/// The schema that events of a type have to fit, and its key among the components. `index`: of its rule.
pub(super) fn of(schema: &EventSchema, event_type: &str, index: usize) -> Option<(String, Value)> {
    let entry = match schema {
        EventSchema::One { json, .. } => {
            let named = json["$id"].as_str().filter(|id| id.starts_with(catalogue::URN)).and_then(catalogue::parse);
            match named.and_then(|(name, version)| catalogue::find(name, version)) {
                Some(entry) => entry,
                None => return Some((format!("events.{}", index + 1), (**json).clone())),
            }
        }
        EventSchema::Catalogue { event_type: wanted, .. } => catalogue::find(wanted.unwrap_or(event_type), None)?,
    };
    Some((format!("{}.{}", entry.event_type, entry.version), entry.schema()))
}

/// A schema as it may stand at `#/components/schemas/KEY`. References are made anew from the root of the document, which is what AsyncAPI's are relative
/// to; what stands beside one, which its dialect passes over, is said by `allOf`.
pub(super) fn placed(schema: Value, key: &str) -> Value {
    let mut placed = moved(schema, &format!("#/components/schemas/{}", super::text::token(key)));
    if let Some(members) = placed.as_object_mut() {
        // The dialect and name are the document's, not the schema's.
        members.remove("$schema");
        if let Some(id) = members.remove("$id") {
            members.insert("x-dataschema".to_owned(), id);
        }
    }
    placed
}

fn moved(value: Value, root: &str) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| moved(item, root)).collect(),
        Value::Object(mut members) => {
            let reference = match members.get("$ref") {
                Some(Value::String(text)) => text.strip_prefix('#').map(|pointer| json!({ "$ref": format!("{root}{pointer}") })),
                _ => None,
            };
            let Some(reference) = reference else {
                return Value::Object(members.into_iter().map(|(name, member)| (name, moved(member, root))).collect());
            };
            members.remove("$ref");
            if members.is_empty() {
                return reference;
            }
            let mut beside: Map<String, Value> = members.into_iter().map(|(name, member)| (name, moved(member, root))).collect();
            match beside.get_mut("allOf").and_then(Value::as_array_mut) {
                Some(all) => all.push(reference),
                None => drop(beside.insert("allOf".to_owned(), json!([reference]))),
            }
            Value::Object(beside)
        }
        other => other,
    }
}
