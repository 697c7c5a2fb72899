use serde_json::Value;

use crate::NewEvent;

/// What a poll is asked for.
#[derive(Debug, Clone)]
pub struct Poll<C> {
    /// Where to start; `None` the first time: then start at the context's `since`.
    pub cursor: Option<C>,
    /// The most events wanted.
    pub limit: u32,
}

/// One page of a stream.
#[derive(Debug, Clone)]
pub struct Page<C> {
    /// Oldest first. Give each an `id` made of the record and its version, and a `time`.
    pub events: Vec<NewEvent>,
    /// Where the next poll starts; kept only together with the events. `None` keeps the present one.
    pub next_cursor: Option<C>,
    /// There is more now: poll again at once.
    pub more: bool,
    /// Records that can't be made into events.
    pub set_aside: Vec<SetAside>,
}

impl<C> Default for Page<C> {
    fn default() -> Self {
        Self { events: Vec::new(), next_cursor: None, more: false, set_aside: Vec::new() }
    }
}

/// A record that can't be made into an event. It is kept with its reason, shown, and stops nothing.
#[derive(Debug, Clone)]
pub struct SetAside {
    /// As it came.
    pub record: Value,
    /// What is wrong with it.
    pub reason: String,
}
