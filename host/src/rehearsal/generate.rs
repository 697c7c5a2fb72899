//! Inputs made from a schema: valid ones at its edges, and ones that it refuses. The same each time.

use serde_json::{Map, Value, json};

use crate::schema::Schema;

/// Deepest value that is made.
const MAX_DEPTH: usize = 8;
/// Longest text that is made where a schema allows longer ones.
const MAX_TEXT: usize = 2000;
/// Texts that programs stumble over.
const TEXTS: [&str; 5] = ["x", "Ünïcödé 日本 🙂", "<b>\"quoted\" & 'single'</b>\\", " leading and trailing ", "line\nbreak\ttab"];

/// Inputs of a schema.
#[derive(Debug)]
pub struct Generator<'a> {
    root: &'a Value,
    compiled: &'a Schema,
    /// Inputs that are known to be good: what they have at a place is taken for it.
    known: Vec<Value>,
}

/// A value, and what is special about it.
#[derive(Debug, Clone, PartialEq)]
pub struct Made {
    /// In a few words.
    pub what: String,
    /// The value.
    pub value: Value,
}

impl<'a> Generator<'a> {
    /// For a schema. `known`: inputs that cases have.
    pub fn new(root: &'a Value, compiled: &'a Schema, known: Vec<Value>) -> Generator<'a> {
        Generator { root, compiled, known }
    }

    /// Valid inputs: all members, only the required ones, and each place at each of its edges.
    pub fn valid(&self, most: usize) -> Vec<Made> {
        let mut made: Vec<Made> =
            self.known.iter().map(|known| Made { what: "an input of a case".to_owned(), value: known.clone() }).collect();
        let whole = self.base(self.root, "", 0, true);
        made.push(Made { what: "all members".to_owned(), value: whole.clone() });
        made.push(Made { what: "required members only".to_owned(), value: self.base(self.root, "", 0, false) });
        for base in self.known.first().into_iter().chain([&whole]) {
            self.edges(self.root, base, "", 0, &mut |what, value| made.push(Made { what, value }));
        }
        let mut kept: Vec<Made> = Vec::new();
        for made in made {
            let is_new = kept.iter().all(|known| known.value != made.value);
            if is_new && self.compiled.check(&made.value).is_empty() {
                kept.push(made);
            }
        }
        spread(kept, most)
    }

    /// A value with all members, whether or not the schema allows it.
    pub fn whole(&self) -> Value {
        self.base(self.root, "", 0, true)
    }

    /// Inputs that the schema refuses.
    pub fn invalid(&self, most: usize) -> Vec<Made> {
        let base = self.known.first().cloned().unwrap_or_else(|| self.base(self.root, "", 0, true));
        let mut made = vec![
            Made { what: "null".to_owned(), value: Value::Null },
            Made { what: "a list".to_owned(), value: json!([]) },
            Made { what: "a text".to_owned(), value: json!("text") },
            Made { what: "nothing in it".to_owned(), value: json!({}) },
        ];
        spoil(&base, "", 0, &mut |what, value| made.push(Made { what, value }));
        made.retain(|made| !self.compiled.check(&made.value).is_empty());
        spread(made, most)
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let mut schema = schema;
        for _ in 0..MAX_DEPTH {
            let Some(reference) = schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#')) else {
                break;
            };
            match self.root.pointer(reference) {
                Some(found) => schema = found,
                None => break,
            }
        }
        schema
    }

    /// An ordinary value for a place.
    fn base(&self, schema: &Value, place: &str, depth: usize, whole: bool) -> Value {
        if let Some(known) = self.known.iter().find_map(|known| known.pointer(place)).filter(|_| !place.is_empty()) {
            return known.clone();
        }
        let schema = self.resolved(schema);
        if let Some(value) = first_said(schema) {
            return value;
        }
        if let Some(first) = branches(schema).first() {
            return self.base(first, place, depth, whole);
        }
        match kind(schema) {
            "object" if depth < MAX_DEPTH => {
                let mut members = Map::new();
                let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
                for (name, member) in self.members(schema) {
                    if required.contains(&name.as_str()) || (whole && depth < 4) {
                        members.insert(
                            name.clone(),
                            self.base(member, &format!("{place}/{}", crate::schema::escaped(name)), depth + 1, whole),
                        );
                    }
                }
                Value::Object(members)
            }
            "array" if depth < MAX_DEPTH => {
                let least = schema["minItems"].as_u64().unwrap_or(0).min(20);
                let wanted = if whole { least.max(1) } else { least };
                let item = |index| self.base(&schema["items"], &format!("{place}/{index}"), depth + 1, whole);
                Value::Array((0..wanted).map(item).collect())
            }
            "object" => json!({}),
            "array" => json!([]),
            "string" => Value::from(ordinary(schema)),
            "integer" => json!(least(schema).unwrap_or(1.0).max(1.0).min(most(schema).unwrap_or(f64::MAX)) as i64),
            "number" => json!(least(schema).unwrap_or(1.0).max(1.0).min(most(schema).unwrap_or(f64::MAX))),
            "boolean" => json!(true),
            _ => Value::Null,
        }
    }

    /// The members that an object's schema names, those of `allOf` too.
    fn members<'s>(&'s self, schema: &'s Value) -> Vec<(&'s String, &'s Value)> {
        let parts = schema["allOf"].as_array().into_iter().flatten().map(|part| self.resolved(part));
        std::iter::once(schema).chain(parts).flat_map(|part| part["properties"].as_object().into_iter().flatten()).collect()
    }

    /// The value with one place after another at each of its edges.
    fn edges(&self, schema: &Value, value: &Value, place: &str, depth: usize, make: &mut dyn FnMut(String, Value)) {
        let schema = self.resolved(schema);
        if depth >= MAX_DEPTH {
            return;
        }
        let shown = if place.is_empty() { "the input" } else { place };
        for branch in branches(schema) {
            let branch = self.resolved(branch);
            make(format!("{shown} in another shape"), self.base(branch, "/no such place", depth, true));
            self.edges(branch, value, place, depth + 1, make);
        }
        for said in schema["enum"].as_array().into_iter().flatten() {
            make(format!("{shown} is {said}"), said.clone());
        }
        if let Value::Object(members) = value {
            for (name, member) in self.members(schema) {
                let place = format!("{place}/{}", crate::schema::escaped(name));
                let present = members.get(name).cloned().unwrap_or_else(|| self.base(member, &place, depth + 1, true));
                self.edges(member, &present, &place, depth + 1, &mut |what, value| {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), value);
                    make(what, Value::Object(changed));
                });
                if members.contains_key(name) {
                    let mut without = members.clone();
                    without.remove(name);
                    make(format!("without {place}"), Value::Object(without));
                }
            }
        }
        if let Value::Array(items) = value {
            let least = usize::try_from(schema["minItems"].as_u64().unwrap_or(0)).unwrap_or(0);
            make(format!("{shown} has {least} items"), Value::Array(items.iter().take(least).cloned().collect()));
            if let Some(first) = items.first() {
                let many = schema["maxItems"].as_u64().map_or(12, |most| usize::try_from(most).unwrap_or(12).min(12));
                make(format!("{shown} has {many} items"), Value::Array(vec![first.clone(); many]));
                self.edges(&schema["items"], first, &format!("{place}/0"), depth + 1, &mut |what, value| {
                    let mut changed = items.clone();
                    changed[0] = value;
                    make(what, Value::Array(changed));
                });
            }
        }
        for value in scalars(schema) {
            make(format!("{shown} is {}", super::difference::shown(&value)), value);
        }
    }
}

/// At most so many, from all over the list.
fn spread(made: Vec<Made>, most: usize) -> Vec<Made> {
    let all = made.len();
    if all <= most {
        return made;
    }
    // The first ones are the whole values.
    made.into_iter()
        .enumerate()
        .filter(|(index, _)| *index < 3 || (index * most) / all != ((index + 1) * most) / all)
        .map(|(_, made)| made)
        .collect()
}

/// What a schema itself says a value may be.
fn first_said(schema: &Value) -> Option<Value> {
    let first = |name: &str| schema.get(name)?.as_array()?.first().cloned();
    schema
        .get("const")
        .cloned()
        .or_else(|| first("enum"))
        .or_else(|| first("examples"))
        .or_else(|| schema.get("default").filter(|value| !value.is_null()).cloned())
}

fn branches(schema: &Value) -> Vec<&Value> {
    let of = |name: &str| schema[name].as_array().into_iter().flatten();
    of("anyOf").chain(of("oneOf")).collect()
}

/// The first type that a schema allows, null last.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or("null"),
        _ if schema.get("properties").is_some() || schema.get("allOf").is_some() => "object",
        _ if schema.get("items").is_some() => "array",
        _ if schema.is_object() => "string",
        _ => "null",
    }
}

fn least(schema: &Value) -> Option<f64> {
    schema["minimum"].as_f64().or_else(|| schema["exclusiveMinimum"].as_f64().map(|least| least + 1.0))
}

fn most(schema: &Value) -> Option<f64> {
    schema["maximum"].as_f64().or_else(|| schema["exclusiveMaximum"].as_f64().map(|most| most - 1.0))
}

fn ordinary(schema: &Value) -> String {
    let text = match schema["format"].as_str() {
        Some("date") => "2026-02-27",
        Some("date-time") => "2026-02-27T09:30:00Z",
        Some("time") => "09:30:00Z",
        Some("email" | "idn-email") => "ada@example.com",
        Some("uuid") => "7f6f5d0e-3c1a-4a7e-9a55-0d4f6f1c2b3a",
        Some("uri" | "url" | "iri") => "https://example.com/a",
        Some("hostname") => "example.com",
        Some("ipv4") => "192.0.2.1",
        _ => "text",
    };
    let least = usize::try_from(schema["minLength"].as_u64().unwrap_or(0)).unwrap_or(0).min(MAX_TEXT);
    let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(u64::MAX)).unwrap_or(usize::MAX);
    let padded: String = text.chars().chain(std::iter::repeat('x')).take(text.chars().count().max(least)).collect();
    padded.chars().take(most).collect()
}

/// Values at the edges of a text, number or truth.
fn scalars(schema: &Value) -> Vec<Value> {
    let mut values = Vec::new();
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    for kind in kinds {
        match kind {
            "string" => {
                values.extend(TEXTS.iter().map(|text| json!(text)));
                values.push(json!(""));
                let most = usize::try_from(schema["maxLength"].as_u64().unwrap_or(500)).unwrap_or(500).min(MAX_TEXT);
                values.push(Value::from("m".repeat(most)));
                if let Some(least) = schema["minLength"].as_u64() {
                    values.push(Value::from("k".repeat(usize::try_from(least).unwrap_or(0).min(MAX_TEXT))));
                }
                let dates = ["2024-02-29", "2026-12-31", "2026-02-27T23:59:59+05:30", "1999-12-31T00:00:00.123Z"];
                if schema["format"].as_str().is_some_and(|format| format.starts_with("date")) {
                    values.extend(dates.iter().map(|date| json!(date)));
                }
            }
            "integer" => {
                values.extend([0, 1, -1, i64::from(i32::MAX)].map(|number| json!(number)));
                values.extend(least(schema).into_iter().chain(most(schema)).map(|edge| json!(edge as i64)));
            }
            "number" => {
                values.extend([json!(0), json!(-1.5), json!(0.01), json!(1e9)]);
                values.extend(least(schema).into_iter().chain(most(schema)).map(|edge| json!(edge)));
            }
            "boolean" => values.extend([json!(true), json!(false)]),
            "null" => values.push(Value::Null),
            _ => {}
        }
    }
    values
}

/// The value with one place after another made wrong.
fn spoil(value: &Value, place: &str, depth: usize, make: &mut dyn FnMut(String, Value)) {
    if depth >= MAX_DEPTH {
        return;
    }
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                let place = format!("{place}/{}", crate::schema::escaped(name));
                let mut without = members.clone();
                without.remove(name);
                make(format!("{place} is missing"), Value::Object(without));
                spoil(member, &place, depth + 1, &mut |what, value| {
                    let mut changed = members.clone();
                    changed.insert(name.clone(), value);
                    make(what, Value::Object(changed));
                });
            }
            let mut more = members.clone();
            more.insert("not_in_the_schema".to_owned(), json!(1));
            make(format!("{place}/not_in_the_schema"), Value::Object(more));
        }
        Value::Array(items) => {
            make(format!("{place} is a number"), json!(17));
            if let Some(first) = items.first() {
                spoil(first, &format!("{place}/0"), depth + 1, &mut |what, value| {
                    let mut changed = items.clone();
                    changed[0] = value;
                    make(what, Value::Array(changed));
                });
            }
        }
        Value::String(_) => {
            make(format!("{place} is a number"), json!(17));
            make(format!("{place} is a list"), json!(["x"]));
        }
        Value::Number(_) => {
            make(format!("{place} is a text"), json!("seventeen"));
            make(format!("{place} is far below"), json!(-1_000_000_000));
        }
        Value::Bool(_) => make(format!("{place} is a text"), json!("yes")),
        Value::Null => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(schema: &Value) -> (Vec<Made>, Vec<Made>) {
        let compiled = Schema::compile(schema).expect("a schema");
        let generator = Generator::new(schema, &compiled, Vec::new());
        (generator.valid(60), generator.invalid(60))
    }

    #[test]
    fn valid_inputs_reach_the_edges_and_invalid_ones_miss_them() {
        let schema = json!({
            "type": "object", "required": ["name", "minutes"], "additionalProperties": false,
            "properties": {
                "name": { "type": "string", "minLength": 1, "maxLength": 40 },
                "minutes": { "type": "integer", "minimum": 1, "maximum": 1440 },
                "kind": { "$ref": "#/$defs/kind" },
                "parts": { "type": "array", "items": { "type": "object", "required": ["sku"], "properties": { "sku": { "type": "string" } } } },
                "note": { "type": ["string", "null"] },
            },
            "$defs": { "kind": { "enum": ["work", "travel"] } },
        });
        let (valid, invalid) = made(&schema);
        let has = |wanted: &dyn Fn(&Value) -> bool| valid.iter().any(|made| wanted(&made.value));
        assert!(has(&|value| value["minutes"] == 1) && has(&|value| value["minutes"] == 1440));
        assert!(has(&|value| value["name"].as_str().is_some_and(|name| name.len() == 40)));
        assert!(has(&|value| value["kind"] == "travel") && has(&|value| value.get("kind").is_none()));
        assert!(has(&|value| value["parts"] == json!([])) && has(&|value| value["note"].is_null()));
        let refuses = |wanted: &dyn Fn(&Value) -> bool| invalid.iter().any(|made| wanted(&made.value));
        assert!(refuses(&|value| value.get("name").is_none() && value["minutes"] == 1));
        assert!(refuses(&|value| value["minutes"] == "seventeen") && refuses(&|value| !value["not_in_the_schema"].is_null()));
    }

    #[test]
    fn the_same_inputs_are_made_each_time() {
        let schema = json!({ "type": "object", "properties": { "a": { "type": "string" }, "b": { "anyOf": [{ "type": "integer" }, { "type": "null" }] } } });
        assert_eq!(made(&schema), made(&schema));
    }
}
