//! Whose data is asked for.

use serde_json::Value;

use super::{FieldPath, Values};

/// Most identifiers of one request: number, address and so on of one person.
pub const MAX_IDENTIFIERS: usize = 16;
/// Longest identifier, in bytes.
const MAX_IDENTIFIER: usize = 1024;

/// The identifiers of a data subject, and where they count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    identifiers: Vec<String>,
    /// Only at this place, instead of the marked ones and wherever else they stand.
    pub field: Option<FieldPath>,
}

impl Sought {
    /// Takes identifiers as they are asked for.
    ///
    /// # Errors
    /// What is wrong with them, for people.
    pub fn new(identifiers: Vec<String>, field: Option<FieldPath>) -> Result<Sought, String> {
        if identifiers.is_empty() || identifiers.len() > MAX_IDENTIFIERS {
            return Err(format!("name 1 to {MAX_IDENTIFIERS} identifiers of one person, not {}", identifiers.len()));
        }
        let least = if field.is_some() { 1 } else { 3 };
        match identifiers.iter().find(|text| !(least..=MAX_IDENTIFIER).contains(&text.len()) || text.trim() != text.as_str()) {
            Some(_) => Err(format!(
                "an identifier has {least} to {MAX_IDENTIFIER} bytes and no space around it; a shorter one needs a field, such as \".data.customer.id\""
            )),
            None => Ok(Sought { identifiers, field }),
        }
    }

    /// As they were asked for.
    pub fn identifiers(&self) -> &[String] {
        &self.identifiers
    }

    /// Whether a value is one of them.
    pub fn is(&self, value: &Value) -> bool {
        let text = match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => return false,
        };
        self.identifiers.contains(&text)
    }

    /// Looks for them.
    pub(super) fn add_to(&self, values: &mut Values) {
        for text in &self.identifiers {
            values.add(&Value::from(text.as_str()));
            // A number may stand as one.
            if let Ok(number @ Value::Number(_)) = serde_json::from_str(text) {
                values.add(&number);
            }
        }
    }

    /// They alone, as words: for what is not known to be that person's.
    pub fn words(&self) -> Values {
        let mut values = Values::as_words();
        self.add_to(&mut values);
        values
    }
}
