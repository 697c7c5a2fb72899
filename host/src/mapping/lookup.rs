//! Looking up what a path of names leads to, in JSON as it stands: nothing is converted for it, and nothing interpreted. Most expressions are such paths.

use std::borrow::Cow;

use serde_json::Value;

use super::{Expr, Limits, plain};

/// The longest text of a value has six bytes for each of its own, as `\u0001` has: what is looked up is far below what a result may have.
const _: () = assert!(6 * plain::MOST_WEIGHT < Limits::OUTPUT);

/// What paths of names lead to, by whoever knows; `None`: that is not looked up.
pub type Find<'f> = dyn Fn(&[String]) -> Option<Cow<'f, Value>> + 'f;

/// Looks up expressions for one template.
pub struct Lookup<'f> {
    find: &'f Find<'f>,
    /// About the bytes that may still be found.
    room: usize,
}

impl<'f> Lookup<'f> {
    /// By way of `find`.
    pub fn new(find: &'f Find<'f>) -> Self {
        Self { find, room: plain::MOST_WEIGHT }
    }

    /// What the expression gives; `None`: it is no path of names, or its path can't be followed to the end. The interpreter says why.
    pub(super) fn find(&self, expr: &Expr) -> Option<Cow<'f, Value>> {
        (self.find)(expr.path()?)
    }

    /// Whether the expression gives something that is neither false nor null; `None`: it is not looked up, or what it gives is long.
    pub fn truth(&mut self, expr: &Expr) -> Option<bool> {
        let found = self.find(expr)?;
        Some(!matches!(self.takes(&found)?, Value::Null | Value::Bool(false)))
    }

    /// Whether there is room for a text of so many bytes.
    pub(super) fn has_room(&self, bytes: usize) -> Option<()> {
        (bytes <= self.room).then_some(())
    }

    /// Pays for a value; `None`: it is too long.
    pub(super) fn takes<'v>(&mut self, value: &'v Value) -> Option<&'v Value> {
        self.room = paid(value, self.room)?;
        Some(value)
    }
}

/// The member of a value that names lead to; `None`: something on the way has no members.
pub fn member<'v>(value: &'v Value, names: &[String]) -> Option<&'v Value> {
    names.iter().try_fold(value, |value, name| match value {
        Value::Object(members) => Some(members.get(name).unwrap_or(&Value::Null)),
        Value::Null => Some(value),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => None,
    })
}

fn paid(value: &Value, room: usize) -> Option<usize> {
    let room = room.checked_sub(super::meter::VALUE)?;
    match value {
        Value::Null | Value::Bool(_) => Some(room),
        Value::Number(number) => room.checked_sub(number.as_str().len()),
        Value::String(text) => room.checked_sub(text.len()),
        Value::Array(items) => items.iter().try_fold(room, |room, item| paid(item, room)),
        Value::Object(members) => members.iter().try_fold(room, |room, (key, value)| paid(value, room.checked_sub(key.len())?)),
    }
}
