//! The values that expressions compute with.
//!
//! JSON and nothing more: text strings, string keys. Numbers keep their digits until somebody calculates with them.
//! Each container knows its nesting and its weight with everything that it holds, shared parts counted as often as they
//! appear, so that no value can be made that is too deep to be dropped, or whose text would be exponentially larger
//! than its memory.

use std::collections::BTreeMap;
use std::sync::Arc;

pub(super) use jaq_json::Num;
use serde_json::{Number, Value};

use super::meter::{VALUE, admit, spend};

/// Longest integer, in digits, that expressions calculate with exactly. Longer ones keep their digits, too, but count
/// as floating-point numbers. It bounds the time of one multiplication.
const MAX_INTEGER_DIGITS: usize = 256;

/// A JSON value, cheap to clone.
#[derive(Debug, Clone, Default)]
pub(super) enum Val {
    #[default]
    Null,
    Bool(bool),
    Num(Num),
    Str(Arc<String>),
    Arr(Arc<Arr>),
    Obj(Arc<Obj>),
}

/// Members of an object, by key.
pub(super) type Members = BTreeMap<Arc<String>, Val>;

/// An array.
#[derive(Debug, Clone, Default)]
pub(super) struct Arr {
    items: Vec<Val>,
    shape: Shape,
}

/// An object.
#[derive(Debug, Clone, Default)]
pub(super) struct Obj {
    members: Members,
    shape: Shape,
}

/// Levels of containers within, at most, and the sum of the weights.
#[derive(Debug, Clone, Copy, Default)]
struct Shape {
    depth: usize,
    weight: usize,
}

impl Shape {
    fn add(&mut self, key: usize, value: &Val) {
        self.depth = self.depth.max(value.depth());
        self.weight = self.weight.saturating_add(key).saturating_add(value.weight());
    }

    fn remove(&mut self, key: usize, value: &Val) {
        // The depth stays: an upper bound that was allowed once.
        self.weight = self.weight.saturating_sub(key.saturating_add(value.weight()));
    }

    fn admit(self) -> Self {
        admit(self.depth + 1, self.weight);
        self
    }
}

fn key_weight(key: &str) -> usize {
    key.len() + VALUE
}

impl Arr {
    /// The items.
    pub(super) fn items(&self) -> &[Val] {
        &self.items
    }

    /// Takes the item at `at`, which must exist, and leaves null.
    pub(super) fn take(&mut self, at: usize) -> Val {
        let item = std::mem::take(&mut self.items[at]);
        self.shape.remove(0, &item);
        self.shape.add(0, &Val::Null);
        item
    }

    /// Replaces the item at `at`, which must exist, or removes it.
    pub(super) fn replace(&mut self, at: usize, item: Option<Val>) {
        self.shape.remove(0, &self.items[at]);
        match item {
            Some(item) => {
                self.shape.add(0, &item);
                self.items[at] = item;
            }
            None => {
                self.items.remove(at);
            }
        }
        self.shape.admit();
    }

    /// Appends items; the memory of the longer array is paid as it grows.
    pub(super) fn extend(&mut self, items: impl IntoIterator<Item = Val>) {
        for item in items {
            spend(2 * VALUE);
            self.shape.add(0, &item);
            self.shape.admit();
            self.items.push(item);
        }
    }

    pub(super) fn into_items(self) -> Vec<Val> {
        self.items
    }
}

impl Obj {
    /// The members, in order of their keys.
    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    /// Takes a member out.
    pub(super) fn remove(&mut self, key: &String) -> Option<Val> {
        let value = self.members.remove(key)?;
        self.shape.remove(key_weight(key), &value);
        Some(value)
    }

    /// Adds or replaces a member.
    pub(super) fn insert(&mut self, key: Arc<String>, value: Val) {
        spend(4 * VALUE);
        self.remove(&key);
        self.shape.add(key_weight(&key), &value);
        self.shape.admit();
        self.members.insert(key, value);
    }

    pub(super) fn into_members(self) -> Members {
        self.members
    }
}

impl Val {
    /// A string.
    pub(super) fn str(text: impl Into<String>) -> Self {
        let text = text.into();
        spend(VALUE + text.len());
        admit(0, text.len());
        Self::Str(Arc::new(text))
    }

    /// An array.
    pub(super) fn arr(items: impl IntoIterator<Item = Self>) -> Self {
        let mut arr = Arr::default();
        arr.extend(items);
        Self::Arr(Arc::new(arr))
    }

    /// An object; a later member replaces an earlier one of the same key.
    pub(super) fn obj(members: impl IntoIterator<Item = (Arc<String>, Self)>) -> Self {
        let mut obj = Obj::default();
        for (key, value) in members {
            obj.insert(key, value);
        }
        Self::Obj(Arc::new(obj))
    }

    /// Levels of containers: 0 for a scalar, 1 for `[]`.
    pub(super) fn depth(&self) -> usize {
        match self {
            Self::Arr(arr) => arr.shape.depth + 1,
            Self::Obj(obj) => obj.shape.depth + 1,
            _ => 0,
        }
    }

    /// About the bytes of its JSON text; what an operation that reads all of it pays.
    pub(super) fn weight(&self) -> usize {
        VALUE
            + match self {
                Self::Str(text) => text.len(),
                Self::Num(Num::Dec(digits)) => digits.len(),
                Self::Num(Num::BigInt(_)) => MAX_INTEGER_DIGITS,
                Self::Arr(arr) => arr.shape.weight,
                Self::Obj(obj) => obj.shape.weight,
                Self::Null | Self::Bool(_) | Self::Num(_) => 0,
            }
    }

    /// A number as it is written in JSON or jq.
    pub(super) fn num(text: &str) -> Self {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && (digits == "0" && text == "0" || !digits.starts_with('0'));
        let integer = (canonical && digits.len() <= MAX_INTEGER_DIGITS).then(|| Num::from_str_radix(text, 10)).flatten();
        Self::Num(integer.unwrap_or_else(|| Num::Dec(Arc::new(text.to_owned()))))
    }

    /// Copies JSON that has at most `levels` levels of containers; `None` if it has more.
    pub(super) fn from_json(value: &Value, levels: usize) -> Option<Self> {
        Some(match value {
            Value::Null => Self::Null,
            Value::Bool(value) => Self::Bool(*value),
            Value::Number(number) => Self::num(number.as_str()),
            Value::String(text) => Self::str(text.as_str()),
            Value::Array(items) => {
                let below = levels.checked_sub(1)?;
                let mut arr = Arr::default();
                arr.items.reserve_exact(items.len());
                for item in items {
                    arr.extend([Self::from_json(item, below)?]);
                }
                Self::Arr(Arc::new(arr))
            }
            Value::Object(members) => {
                let below = levels.checked_sub(1)?;
                let mut obj = Obj::default();
                for (key, value) in members {
                    obj.insert(Arc::new(key.clone()), Self::from_json(value, below)?);
                }
                Self::Obj(Arc::new(obj))
            }
        })
    }

    /// Copies it to JSON; `None` if it holds a number that JSON has no text for.
    pub(super) fn to_json(&self) -> Option<Value> {
        Some(match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Num(Num::Int(value)) => Value::from(*value as i64),
            Self::Num(Num::Float(value)) if !value.is_finite() => return None,
            // The text is a JSON number: it came from JSON, from a literal, or was written by `number_text`.
            Self::Num(number) => Value::Number(super::text::number_text(number).parse::<Number>().ok()?),
            Self::Str(text) => Value::String(text.as_ref().clone()),
            Self::Arr(arr) => Value::Array(arr.items.iter().map(Self::to_json).collect::<Option<_>>()?),
            Self::Obj(obj) => {
                Value::Object(obj.members.iter().map(|(key, value)| Some((key.as_ref().clone(), value.to_json()?))).collect::<Option<_>>()?)
            }
        })
    }
}
