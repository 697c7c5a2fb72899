//! JSON Schemas that plugins bring, and what they say about a value.
//!
//! A plugin may be hostile, and so may its schemas be. They refer to nothing outside of themselves, their size and
//! depth are bounded, their patterns run in linear time, and what a check will cost is counted before it is made.

mod fields;
mod marks;
mod shape;

#[cfg(test)]
mod tests;

use std::fmt;

use jsonschema::error::ValidationErrorKind as Kind;
use jsonschema::{PatternOptions, ValidationError, Validator};
use serde_json::Value;

pub use self::fields::Lacking;
pub use self::marks::{Marked, Unknown};
use self::shape::Shape;

use crate::telemetry::is_hidden;

/// Largest schema, in bytes of JSON text.
pub const MAX_SIZE: usize = 256 << 10;
/// Most arrays and objects within one another, in a schema and in what it checks.
pub const MAX_DEPTH: usize = 96;
/// Most violations that a check reports.
pub const MAX_VIOLATIONS: usize = 20;
/// Longest message of a violation, in characters: it may quote the schema.
const MAX_MESSAGE: usize = 300;
/// Keyword at a property that is personal data. Validators pass over keywords they don't know (JSON Schema 2020-12, section 6.5).
pub const PERSONAL: &str = "x-personal";
/// Keyword at a property that says whose data it is.
pub const SUBJECT: &str = "x-subject";
/// Size of one compiled pattern, in bytes. It bounds the time for each character, too.
const MAX_PATTERN_SIZE: usize = 512 << 10;

/// Why a schema can't be used. Trying again never helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SchemaError {
    /// More than [`MAX_SIZE`] bytes.
    #[error("the schema is larger than {MAX_SIZE} bytes")]
    TooLarge,
    /// More than [`MAX_DEPTH`] levels, or too many schemas that apply to one place.
    #[error("the schema is nested too deeply at `{pointer}`")]
    TooDeep {
        /// Where.
        pointer: String,
    },
    /// A reference to a file, a URL or an anchor.
    #[error("the schema refers to `{reference}` at `{pointer}`; only references into itself (#/$defs/…) are followed")]
    Reference {
        /// Where.
        pointer: String,
        /// To what.
        reference: String,
    },
    /// A reference that leads back to itself without going into the value.
    #[error("the schema refers to itself without end at `{pointer}`")]
    Endless {
        /// Where.
        pointer: String,
    },
    /// A keyword or dialect that is not supported.
    #[error("the schema uses `{keyword}` at `{pointer}`, which is not supported")]
    Unsupported {
        /// Where.
        pointer: String,
        /// Which.
        keyword: String,
    },
    /// No valid schema.
    #[error("the schema is not valid: {message}")]
    Invalid {
        /// Why.
        message: String,
    },
}

/// A compiled schema.
pub struct Schema {
    validator: Validator,
    shape: Shape,
}

impl fmt::Debug for Schema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schema").finish_non_exhaustive()
    }
}

/// One way in which a value is not as the schema wants it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Where in the value, a JSON pointer (RFC 6901); for a member too many the member.
    pub pointer: String,
    /// What is wrong. Names members, never quotes values: they may be personal data.
    pub message: String,
}

impl Schema {
    /// Compiles a schema of draft 2020-12 (the default), 2019-09, 7 or 6, as `$schema` says.
    ///
    /// # Errors
    ///
    /// What makes it unusable.
    pub fn compile(schema: &Value) -> Result<Self, SchemaError> {
        if depth_exceeds(schema, MAX_DEPTH) {
            return Err(SchemaError::TooDeep { pointer: String::new() });
        }
        if schema.to_string().len() > MAX_SIZE {
            return Err(SchemaError::TooLarge);
        }
        let shape = Shape::of(schema)?;
        let patterns = PatternOptions::regex().size_limit(MAX_PATTERN_SIZE).dfa_size_limit(2 * MAX_PATTERN_SIZE);
        let validator = jsonschema::options()
            .offline()
            .with_pattern_options(patterns)
            .build(schema)
            .map_err(|error| SchemaError::Invalid { message: shortened(&error.masked().to_string()) })?;
        Ok(Self { validator, shape })
    }

    /// Checks a value. The first [`MAX_VIOLATIONS`] violations; none if it is as the schema wants it.
    ///
    /// Takes time in proportion to value and schema: large values are checked off the async threads.
    pub fn check(&self, value: &Value) -> Vec<Violation> {
        let whole = |message: &str| vec![Violation { pointer: String::new(), message: message.to_owned() }];
        if depth_exceeds(value, MAX_DEPTH) {
            return whole("the value is nested too deeply to be checked");
        }
        if !self.shape.affordable(value) {
            return whole("the schema is too complicated for this value to be checked");
        }
        let mut violations = Vec::new();
        for error in self.validator.iter_errors(value) {
            violations.extend(violations_of(&error, value));
            if violations.len() >= MAX_VIOLATIONS {
                violations.truncate(MAX_VIOLATIONS);
                break;
            }
        }
        violations
    }
}

fn violations_of(error: &ValidationError<'_>, value: &Value) -> Vec<Violation> {
    let pointer = error.instance_path().as_str().to_owned();
    // One for each member, so that each can be shown at its own place.
    let unknown = |name: &String| Violation {
        pointer: format!("{pointer}/{}", escaped(name)),
        message: shortened(&format!("`{name}` is not known here")),
    };
    match error.kind() {
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            unexpected.iter().take(MAX_VIOLATIONS).map(unknown).collect()
        }
        // Where a schema names no member at all, the validator does not say which ones are too many.
        Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            let members = value.pointer(&pointer).and_then(Value::as_object).into_iter().flatten();
            members.map(|(name, _)| unknown(name)).take(MAX_VIOLATIONS).collect()
        }
        Kind::Required { property } => {
            let name = property.as_str().unwrap_or_default();
            vec![Violation { pointer, message: shortened(&format!("`{name}` is missing")) }]
        }
        _ => vec![Violation { pointer, message: shortened(&error.masked().to_string()) }],
    }
}

/// A member's name as a token of a JSON pointer (RFC 6901 section 3).
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// Text of a plugin's making, bounded and with control characters escaped.
fn shortened(message: &str) -> String {
    let mut text: String =
        message.chars().take(MAX_MESSAGE).flat_map(|c| if is_hidden(c) { c.escape_default().collect() } else { vec![c] }).collect();
    if message.chars().nth(MAX_MESSAGE).is_some() {
        text.push('…');
    }
    text
}

fn depth_exceeds(value: &Value, left: usize) -> bool {
    match value {
        Value::Array(items) => left == 0 || items.iter().any(|item| depth_exceeds(item, left - 1)),
        Value::Object(members) => left == 0 || members.values().any(|member| depth_exceeds(member, left - 1)),
        _ => false,
    }
}
