//! Where a field of an event stands: `.data.customer.email`, `.data.items[].name`, `.subject`.

use std::fmt;

use serde_json::Value;

use crate::schema::{Marked, escaped};

/// Most names in a path.
const MAX_NAMES: usize = 56;
/// Attributes that identify an event or say how to read it: no personal data may stand there, since they are never hidden or erased.
pub(super) const KEPT: [&str; 8] = ["specversion", "id", "source", "type", "time", "datacontenttype", "dataschema", "data_base64"];

/// A path into an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldPath {
    text: String,
    tokens: Vec<Token>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Token {
    Name(String),
    /// `[]`: each item.
    Items,
}

impl FieldPath {
    /// Reads a path as it is written in the configuration and on the command line.
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<FieldPath, String> {
        let wrong = || format!("{text:?} is not a path into an event: write it such as \".data.customer.email\" or \".data.items[].name\"");
        let mut tokens = Vec::new();
        for part in text.strip_prefix('.').ok_or_else(wrong)?.split('.') {
            let name = part.trim_end_matches("[]");
            let of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
            if name.is_empty() || !name.chars().all(of_name) {
                return Err(wrong());
            }
            tokens.push(Token::Name(name.to_owned()));
            tokens.extend((0..(part.len() - name.len()) / 2).map(|_| Token::Items));
        }
        if tokens.len() > MAX_NAMES {
            return Err(format!("{text:?} is deeper than an event can be"));
        }
        match &tokens[0] {
            Token::Name(root) if KEPT.contains(&root.as_str()) => Err(format!(
                "`{root}` identifies an event or says how to read it, and is neither hidden nor erased: have the sender put nothing personal there"
            )),
            _ => Ok(FieldPath { text: text.to_owned(), tokens }),
        }
    }

    /// The places in an event (structured) that it leads to, as JSON pointers.
    pub fn pointers(&self, event: &Value) -> Vec<String> {
        let mut places = vec![(String::new(), event)];
        for token in &self.tokens {
            places = places
                .into_iter()
                .flat_map(|(pointer, value)| match (token, value) {
                    (Token::Name(name), Value::Object(members)) => {
                        members.get(name).map(|member| (format!("{pointer}/{}", escaped(name)), member)).into_iter().collect()
                    }
                    (Token::Items, Value::Array(items)) => {
                        items.iter().enumerate().map(|(index, item)| (format!("{pointer}/{index}"), item)).collect()
                    }
                    _ => Vec::new(),
                })
                .collect();
        }
        places.into_iter().map(|(pointer, _)| pointer).collect()
    }

    /// Its way within `data`, for [`crate::schema::Schema::knows`]; `None`: it leads to an attribute.
    pub fn in_data(&self) -> Option<Vec<Option<&str>>> {
        let names = self.tokens.iter().map(|token| match token {
            Token::Name(name) => Some(name.as_str()),
            Token::Items => None,
        });
        let mut names = names.collect::<Vec<_>>();
        (names.remove(0) == Some("data")).then_some(names)
    }
}

impl fmt::Display for FieldPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.text)
    }
}

/// What lists of paths mark in an event.
pub(super) fn marked(event: &Value, personal: &[FieldPath], subject: &[FieldPath]) -> Marked {
    let places = |paths: &[FieldPath]| paths.iter().flat_map(|path| path.pointers(event)).collect();
    Marked { personal: places(personal), subject: places(subject) }
}
