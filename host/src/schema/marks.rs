//! What a schema says of privacy: properties that are personal data (`x-personal`), and those that say whose (`x-subject`).
//!
//! A mark is found by going through schema and value side by side, so that references, alternatives and lists need no
//! rules of their own. Whatever might apply counts, also what stands under `if` or `not`: to hide too much is the
//! smaller mistake.

use std::collections::BTreeSet;

use serde_json::Value;

use super::shape::{Part, Shape};
use super::{MAX_DEPTH, Schema, depth_exceeds, escaped};

/// What of a value is marked, as JSON pointers (RFC 6901) into it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Marked {
    /// Personal data.
    pub personal: Vec<String>,
    /// Says whose data it is.
    pub subject: Vec<String>,
}

/// A path that a schema does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// The first name of it that is not there.
    pub name: String,
    /// What is there instead.
    pub known: Vec<String>,
}

impl Marked {
    /// Adds the marks of the value at a pointer.
    pub fn add(&mut self, at: &str, other: Marked) {
        let below = |pointers: Vec<String>| pointers.into_iter().map(|pointer| format!("{at}{pointer}")).collect::<Vec<_>>();
        self.personal.extend(below(other.personal));
        self.subject.extend(below(other.subject));
    }
}

impl Schema {
    /// Whether it marks anything.
    pub fn has_marks(&self) -> bool {
        self.shape.parts.iter().any(|part| part.personal || part.subject)
    }

    /// What of a value it marks. Of one that is too deep, or that it would take too long to look through, all is personal.
    pub fn marked(&self, value: &Value) -> Marked {
        let mut marked = Marked::default();
        if !self.has_marks() {
            return marked;
        }
        if depth_exceeds(value, MAX_DEPTH) || !self.shape.affordable(value) {
            marked.personal.push(String::new());
            return marked;
        }
        self.shape.mark(BTreeSet::from([self.shape.rank[0]]), value, &mut String::new(), &mut marked);
        marked
    }

    /// Whether a path can lead to something: names of members, `None` for any item of a list.
    ///
    /// # Errors
    /// Where it leads nowhere.
    pub fn knows<'p>(&self, path: impl IntoIterator<Item = Option<&'p str>>) -> Result<(), Unknown> {
        let mut ranks = BTreeSet::from([self.shape.rank[0]]);
        for token in path {
            let parts = self.shape.in_place(ranks);
            ranks = BTreeSet::new();
            for part in &parts {
                match token {
                    Some(name) => {
                        ranks.extend(part.properties.get(name).into_iter().chain(&part.members).map(|next| self.shape.rank[*next]));
                    }
                    None => ranks.extend(part.prefix.iter().chain(&part.items).map(|next| self.shape.rank[*next])),
                }
            }
            if ranks.is_empty() {
                let mut known: Vec<String> = parts.iter().flat_map(|part| part.properties.keys().cloned()).collect();
                known.sort_unstable();
                known.dedup();
                return Err(Unknown { name: token.unwrap_or("[]").to_owned(), known });
            }
        }
        Ok(())
    }
}

impl Shape {
    /// The parts of these ranks and all that apply to the same place.
    pub(super) fn in_place(&self, mut ranks: BTreeSet<usize>) -> Vec<&Part> {
        let mut active = Vec::new();
        while let Some(rank) = ranks.pop_first() {
            let part = &self.parts[self.by_rank[rank]];
            ranks.extend(part.in_place.iter().map(|next| self.rank[*next]));
            active.push(part);
        }
        active
    }

    fn mark(&self, ranks: BTreeSet<usize>, value: &Value, pointer: &mut String, marked: &mut Marked) {
        let active = self.in_place(ranks);
        if active.iter().any(|part| part.personal) {
            marked.personal.push(pointer.clone());
        }
        if active.iter().any(|part| part.subject) {
            marked.subject.push(pointer.clone());
        }
        let length = pointer.len();
        let mut descend = |below: BTreeSet<usize>, token: &str, value: &Value| {
            if !below.is_empty() {
                pointer.push('/');
                pointer.push_str(token);
                self.mark(below, value, pointer, marked);
                pointer.truncate(length);
            }
        };
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let named = active.iter().flat_map(|part| part.properties.get(name).or(part.additional.as_ref()));
                    let below = named.chain(active.iter().flat_map(|part| &part.members)).map(|next| self.rank[*next]).collect();
                    descend(below, &escaped(name), member);
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let placed = active.iter().flat_map(|part| part.prefix.get(index));
                    let below = placed.chain(active.iter().flat_map(|part| &part.items)).map(|next| self.rank[*next]).collect();
                    descend(below, &index.to_string(), item);
                }
            }
            _ => {}
        }
    }
}
