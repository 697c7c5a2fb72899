//! Schemas of descriptions as JSON Schema 2020-12, each with all that it refers to.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::schema::escaped;

/// Deepest schema.
const MAX_DEPTH: usize = 64;
/// Most schemas that one refers to, one through the other.
const MAX_REFERRED: usize = 2000;

/// Which language a description is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    OpenApi30,
    OpenApi31,
    Swagger2,
}

/// Whether a value is sent or comes back: what is `readOnly` is not sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Sent,
    Back,
}

/// The thing itself, where a reference stands for it.
pub(super) fn resolved<'a>(root: &'a Value, value: &'a Value) -> &'a Value {
    let mut value = value;
    for _ in 0..MAX_DEPTH {
        let Some(pointer) = value.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) else { break };
        match root.pointer(pointer) {
            Some(found) => value = found,
            None => break,
        }
    }
    value
}

/// A schema that stands alone.
pub(super) fn standalone(root: &Value, dialect: Dialect, schema: &Value, way: Way) -> Value {
    let mut made = Made { dialect, way, referred: BTreeMap::new(), open: Vec::new() };
    let mut whole = made.converted(schema, 0);
    let mut definitions = Map::new();
    while let Some(reference) = made.open.pop() {
        let name = made.referred[&reference].clone();
        let found = root.pointer(reference.trim_start_matches('#')).cloned().unwrap_or(Value::Bool(true));
        let found = made.converted(&found, 0);
        definitions.insert(name, found);
    }
    if let (Some(members), false) = (whole.as_object_mut(), definitions.is_empty()) {
        members.insert("$defs".to_owned(), Value::Object(definitions));
    }
    whole
}

struct Made {
    dialect: Dialect,
    way: Way,
    /// Names that references have got.
    referred: BTreeMap<String, String>,
    open: Vec<String>,
}

impl Made {
    fn converted(&mut self, schema: &Value, depth: usize) -> Value {
        let Value::Object(keywords) = schema else { return schema.clone() };
        if depth > MAX_DEPTH {
            return Value::Bool(true);
        }
        if let Some(reference) = keywords.get("$ref").and_then(Value::as_str) {
            return self.reference(reference);
        }
        let mut made = Map::new();
        for (keyword, value) in keywords {
            match keyword.as_str() {
                "properties" | "patternProperties" | "$defs" | "definitions" => {
                    let members = value.as_object().into_iter().flatten();
                    let members = members.map(|(name, member)| (name.clone(), self.converted(member, depth + 1))).collect();
                    made.insert(keyword.clone(), Value::Object(members));
                }
                "items" | "additionalProperties" | "not" | "contains" | "propertyNames" | "if" | "then" | "else" => {
                    made.insert(keyword.clone(), self.converted(value, depth + 1));
                }
                "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
                    let parts = value.as_array().into_iter().flatten().map(|part| self.converted(part, depth + 1)).collect();
                    made.insert(keyword.clone(), Value::Array(parts));
                }
                "example" => drop(made.insert("examples".to_owned(), json!([value]))),
                // Of a description's own, and of no weight here.
                "nullable" | "discriminator" | "xml" | "externalDocs" | "readOnly" | "writeOnly" | "deprecated" | "$schema" | "$id"
                | "id" => {}
                _ => drop(made.insert(keyword.clone(), value.clone())),
            }
        }
        self.bounds(&mut made);
        self.required(keywords, &mut made);
        if made.get("type") == Some(&json!("file")) {
            made.remove("type");
        }
        if self.dialect != Dialect::OpenApi31 && keywords.get("nullable").or_else(|| keywords.get("x-nullable")) == Some(&Value::Bool(true))
        {
            return nullable(made);
        }
        Value::Object(made)
    }

    fn reference(&mut self, reference: &str) -> Value {
        if !reference.starts_with("#/") || self.referred.len() > MAX_REFERRED {
            // Of another file: whatever it says, nobody here can read it.
            return Value::Bool(true);
        }
        if !self.referred.contains_key(reference) {
            let last = reference.rsplit('/').next().unwrap_or_default().to_owned();
            let name = if self.referred.values().any(|known| *known == last) { format!("{last}-{}", self.referred.len()) } else { last };
            self.referred.insert(reference.to_owned(), name);
            self.open.push(reference.to_owned());
        }
        json!({ "$ref": format!("#/$defs/{}", escaped(&self.referred[reference])) })
    }

    /// Until 3.0 an exclusive bound is a yes or no beside the bound.
    fn bounds(&self, made: &mut Map<String, Value>) {
        for (exclusive, bound) in [("exclusiveMinimum", "minimum"), ("exclusiveMaximum", "maximum")] {
            match made.get(exclusive) {
                Some(Value::Bool(true)) => match made.remove(bound) {
                    Some(value) => drop(made.insert(exclusive.to_owned(), value)),
                    None => drop(made.remove(exclusive)),
                },
                Some(Value::Bool(false)) => drop(made.remove(exclusive)),
                _ => {}
            }
        }
    }

    /// What is `readOnly` need not be sent, and what is `writeOnly` does not come back.
    fn required(&self, keywords: &Map<String, Value>, made: &mut Map<String, Value>) {
        let mark = if self.way == Way::Sent { "readOnly" } else { "writeOnly" };
        let marked = |name: &str| keywords.get("properties").and_then(|members| members.get(name)?.get(mark)) == Some(&Value::Bool(true));
        match made.get_mut("required") {
            Some(Value::Array(required)) => required.retain(|name| name.as_str().is_some_and(|name| !marked(name))),
            // A yes or no at the member: a mistake that is often made.
            Some(_) => drop(made.remove("required")),
            None => {}
        }
    }
}

fn nullable(mut made: Map<String, Value>) -> Value {
    if let Some(Value::Array(allowed)) = made.get_mut("enum")
        && !allowed.contains(&Value::Null)
    {
        allowed.push(Value::Null);
    }
    match made.remove("type") {
        Some(Value::String(kind)) => drop(made.insert("type".to_owned(), json!([kind, "null"]))),
        Some(other) => drop(made.insert("type".to_owned(), other)),
        None => return json!({ "anyOf": [made, { "type": "null" }] }),
    }
    Value::Object(made)
}
