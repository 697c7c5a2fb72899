//! Personal data: where it stands in an event, whose it is, and its copies wherever they turn up. Pure.
//!
//! An event's fields are marked by `[[events]]` of the configuration and by the schemas of events and actions. What a plugin makes of
//! them stands elsewhere under other names, so copies are found by value ([`Values`]), as they stand in JSON, in texts and in addresses.

mod path;
mod record;
mod sought;
#[cfg(test)]
mod tests;
mod text;
mod values;

pub use path::FieldPath;
pub use record::{Group, Hit, Places, Rules};
pub use sought::Sought;
pub use text::forms;
pub use values::{Mask, Values};

use crate::schema::Marked;

/// Stands for what was erased.
pub const ERASED: &str = "[erased]";

/// The personal fields that belong to the subjects at some of the marked places, and those places themselves.
///
/// A field belongs to the nearest subject: of those whose object it is in, the innermost. `.data.customer.email` is that of
/// `.data.customer.id` and not of `.data.technician.id`. What is in no subject's object belongs to all of them.
pub fn belonging(marked: &Marked, subjects: &[String]) -> Vec<String> {
    let object = |subject: &String| subject.rsplit_once('/').map_or(String::new(), |(object, _)| object.to_owned());
    let holds = |object: &str, field: &str| field.strip_prefix(object).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    let mut fields: Vec<String> = subjects.to_vec();
    for field in &marked.personal {
        let around: Vec<&String> = marked.subject.iter().filter(|subject| holds(&object(subject), field)).collect();
        let innermost = around.iter().map(|subject| object(subject).len()).max();
        let nearest: Vec<&&String> = around.iter().filter(|subject| Some(object(subject).len()) == innermost).collect();
        if (nearest.is_empty() || nearest.iter().any(|subject| subjects.contains(subject))) && !fields.contains(field) {
            fields.push(field.clone());
        }
    }
    fields
}
