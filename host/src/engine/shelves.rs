//! Code that is in use, by digest: what is loaded already is not loaded again, by a reload or for another plugin with the same component.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::component::Code;

/// The code of one component, as long as somebody holds it. Locked by who loads it.
type Shelf = tokio::sync::Mutex<Weak<Code>>;

/// All of them.
#[derive(Default)]
pub(super) struct Shelves(Mutex<HashMap<String, Arc<Shelf>>>);

impl Shelves {
    /// That of a component.
    pub(super) fn of(&self, digest: &str) -> Arc<Shelf> {
        let mut shelves = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // One that is being filled is held.
        shelves.retain(|_, shelf| Arc::strong_count(shelf) > 1 || shelf.try_lock().is_ok_and(|code| code.strong_count() > 0));
        shelves.entry(digest.to_owned()).or_default().clone()
    }
}
