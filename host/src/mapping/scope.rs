//! What expressions see.

use std::sync::Arc;

use serde_json::Value;

use super::value::{Obj, Val};
use super::{Limits, plain};

/// A value for expressions is nested too deeply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the data has more than {limit} levels of arrays and objects within one another")]
pub struct TooDeep {
    /// Levels allowed, the scope's own included.
    pub limit: usize,
}

/// The input `.` of expressions: an object with `event`, `steps` and `run`. Converted from JSON once and cheap to
/// clone.
#[derive(Debug, Clone, Default)]
pub struct Scope {
    root: Arc<Obj>,
}

impl Scope {
    /// An empty object.
    pub fn new() -> Self {
        Self::default()
    }

    /// The members of an object; any other value has none.
    pub fn from_json(value: &Value) -> Result<Self, TooDeep> {
        match value {
            Value::Object(members) => members.iter().try_fold(Self::new(), |mut scope, (key, value)| {
                scope.set(&[key], value)?;
                Ok(scope)
            }),
            _ => Ok(Self::new()),
        }
    }

    /// Sets or replaces the member at a path like `["steps", "case"]`; objects on the way are made where they lack.
    /// The other members are neither copied nor converted again. An empty path changes nothing.
    pub fn set(&mut self, path: &[impl AsRef<str>], value: &Value) -> Result<(), TooDeep> {
        let too_deep = TooDeep { limit: Limits::DEPTH };
        let levels = Limits::DEPTH.checked_sub(path.len()).ok_or(too_deep)?;
        let value = Val::from_json(value, levels).ok_or(too_deep)?;
        if !path.is_empty() {
            set(Arc::make_mut(&mut self.root), path, value);
        }
        Ok(())
    }

    /// Whether a value could be set at a path of so many names.
    pub fn admits(names: usize, value: &Value) -> Result<(), TooDeep> {
        let levels = Limits::DEPTH.checked_sub(names);
        let fits = levels.is_some_and(|levels| has_at_most(levels, value));
        if fits { Ok(()) } else { Err(TooDeep { limit: Limits::DEPTH }) }
    }

    /// Whether there is little in it.
    pub(super) fn is_light(&self) -> bool {
        self.input().weight() <= plain::MOST_WEIGHT
    }

    pub(super) fn input(&self) -> Val {
        Val::Obj(Arc::clone(&self.root))
    }
}

/// Levels of arrays and objects.
fn has_at_most(levels: usize, value: &Value) -> bool {
    match (value, levels.checked_sub(1)) {
        (Value::Array(_) | Value::Object(_), None) => false,
        (Value::Array(items), Some(below)) => items.iter().all(|item| has_at_most(below, item)),
        (Value::Object(members), Some(below)) => members.values().all(|member| has_at_most(below, member)),
        (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_), _) => true,
    }
}

fn set(obj: &mut Obj, path: &[impl AsRef<str>], value: Val) {
    let [first, rest @ ..] = path else {
        return;
    };
    let key = Arc::new(first.as_ref().to_owned());
    if rest.is_empty() {
        obj.insert(key, value);
        return;
    }
    let mut inner = match obj.remove(&key) {
        Some(Val::Obj(inner)) => inner,
        _ => Arc::default(),
    };
    set(Arc::make_mut(&mut inner), rest, value);
    obj.insert(key, Val::Obj(inner));
}
