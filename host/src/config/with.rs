//! What can be said of a step's `with` before any event has come: literal parts against the input schema.
//!
//! A text with `${ … }` may become anything (or, with text around it, any text), so nothing is said of it. Only the
//! keywords that decide alone are looked at; the whole schema has its say when the input is there.

use serde_json::{Map, Value};

use super::check::near_property;
use crate::schema::escaped;

/// A literal part that can't become valid.
pub(super) struct Misfit {
    /// Where in `with`.
    pub(super) pointer: String,
    pub(super) message: String,
    pub(super) help: Option<String>,
}

/// References followed one after another.
const MAX_REFERENCES: usize = 16;

/// Compares `with` as it is written with a schema that compiles.
pub(super) fn misfits(with: &Value, schema: &Value) -> Vec<Misfit> {
    let mut comparison = Comparison { root: schema, found: Vec::new() };
    comparison.value(with, schema, "");
    comparison.found
}

struct Comparison<'a> {
    root: &'a Value,
    found: Vec<Misfit>,
}

impl<'a> Comparison<'a> {
    fn value(&mut self, value: &Value, schema: &'a Value, pointer: &str) {
        let Some(schema) = self.followed(schema) else {
            return;
        };
        let Value::Object(keywords) = schema else {
            return;
        };
        let written = Written::of(value);
        if let Some(types) = types(keywords).filter(|types| !written.fits(value, types)) {
            self.misfit(pointer, format!("it must be {}, but this is {}", types.join(" or "), written.name()));
            return;
        }
        if written.is_literal() {
            let options = keywords.get("enum").and_then(Value::as_array);
            if let Some(options) = options.filter(|options| !options.contains(value)) {
                let options: Vec<String> = options.iter().map(Value::to_string).collect();
                self.misfit(pointer, format!("it must be one of {}", options.join(", ")));
            }
            if let Some(only) = keywords.get("const").filter(|only| *only != value) {
                self.misfit(pointer, format!("it must be {only}"));
            }
        }
        match value {
            Value::Object(members) => self.object(members, schema, keywords, pointer),
            Value::Array(items) => {
                let Some(each) = keywords.get("items").filter(|_| !keywords.contains_key("prefixItems")) else {
                    return;
                };
                for (index, item) in items.iter().enumerate() {
                    self.value(item, each, &format!("{pointer}/{index}"));
                }
            }
            _ => {}
        }
    }

    fn object(&mut self, members: &Map<String, Value>, schema: &'a Value, keywords: &'a Map<String, Value>, pointer: &str) {
        for name in keywords.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                self.misfit(pointer, format!("`{name}` is missing"));
            }
        }
        let properties = keywords.get("properties").and_then(Value::as_object);
        let closed = keywords.get("additionalProperties") == Some(&Value::Bool(false)) && !keywords.contains_key("patternProperties");
        for (name, member) in members {
            let pointer = format!("{pointer}/{}", escaped(name));
            match properties.and_then(|properties| properties.get(name)) {
                Some(schema) => self.value(member, schema, &pointer),
                None if closed => {
                    let help = near_property(name, schema);
                    self.found.push(Misfit { pointer, message: format!("`{name}` is not known here"), help });
                }
                None => {}
            }
        }
    }

    /// The schema that a chain of references ends at. Beside a reference nothing else is looked at.
    fn followed(&self, mut schema: &'a Value) -> Option<&'a Value> {
        for _ in 0..MAX_REFERENCES {
            let Some(reference) = schema.get("$ref") else {
                return Some(schema);
            };
            schema = self.root.pointer(reference.as_str()?.strip_prefix('#')?)?;
        }
        None
    }

    fn misfit(&mut self, pointer: &str, message: String) {
        self.found.push(Misfit { pointer: pointer.to_owned(), message, help: None });
    }
}

/// What a value of `with` is before its expressions have run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Written {
    /// One `${ … }`, perhaps several: any type.
    Anything,
    /// Text with `${ … }` in it.
    Text,
    /// As it stands.
    Literal(&'static str),
}

impl Written {
    fn of(value: &Value) -> Self {
        match value {
            Value::String(text) if text.contains("${") => {
                let whole = text.trim_start().starts_with("${") && text.trim_end().ends_with('}');
                if whole { Self::Anything } else { Self::Text }
            }
            Value::String(_) => Self::Literal("a string"),
            Value::Bool(_) => Self::Literal("true or false"),
            Value::Number(_) => Self::Literal("a number"),
            Value::Null => Self::Literal("null"),
            Value::Array(_) => Self::Literal("a list"),
            Value::Object(_) => Self::Literal("a table"),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Anything => "an expression",
            Self::Text => "a string",
            Self::Literal(name) => name,
        }
    }

    fn is_literal(self) -> bool {
        // Lists and tables may hold expressions.
        matches!(self, Self::Literal("a string" | "true or false" | "a number"))
    }

    fn fits(self, value: &Value, types: &[&str]) -> bool {
        let fits = |name: &str| match (name, value) {
            ("string", Value::String(_))
            | ("boolean", Value::Bool(_))
            | ("number", Value::Number(_))
            | ("array", Value::Array(_))
            | ("object", Value::Object(_))
            | ("null", Value::Null) => true,
            // 10.0 is an integer in JSON Schema.
            ("integer", Value::Number(number)) => number.as_f64().is_none_or(|number| number.fract() == 0.0),
            _ => false,
        };
        self == Self::Anything || types.iter().any(|name| fits(name))
    }
}

fn types(keywords: &Map<String, Value>) -> Option<Vec<&str>> {
    match keywords.get("type")? {
        Value::String(name) => Some(vec![name]),
        Value::Array(names) => names.iter().map(Value::as_str).collect(),
        _ => None,
    }
}
