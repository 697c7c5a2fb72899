use serde::de::DeserializeOwned;

use crate::{Failure, NewEvent, input};

/// A request that came in at `POST /hooks/SOURCE`.
#[derive(Debug, Clone, Default)]
pub struct Inbound {
    /// In upper case.
    pub method: String,
    /// Path and query as they came.
    pub path: String,
    /// Names in lower case, in the order they came.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it came.
    pub body: Vec<u8>,
}

impl Inbound {
    /// The body as a type of yours, or as [`Value`](serde_json::Value).
    ///
    /// # Errors
    /// Rejected, with the path of the field that does not fit.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let text = std::str::from_utf8(&self.body).map_err(|error| Failure::rejected(format!("body: {error}")))?;
        input::parse(text, "body")
    }

    /// The first header of that name, if its value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }
}

/// What a webhook comes to.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// Accepted before the sender is answered.
    pub events: Vec<NewEvent>,
    /// What the sender is answered.
    pub reply: Reply,
}

impl Received {
    /// Those events, and an empty `200`.
    pub fn new(events: Vec<NewEvent>) -> Self {
        Self { events, reply: Reply::default() }
    }
}

/// What the sender of a webhook is answered, once the events are durable.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The HTTP status; 200 by default.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Empty by default.
    pub body: Vec<u8>,
}

impl Default for Reply {
    fn default() -> Self {
        Self { status: 200, headers: Vec::new(), body: Vec::new() }
    }
}
