//! Events as they come in: checked as JSON and as CloudEvents, and what the chain takes of them.

use std::borrow::Cow;

use axum::body::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;

/// A CloudEvent of the benchmark. What it does not name is checked to be JSON, and passed over.
#[derive(Debug, Deserialize)]
pub struct Event<'a> {
    #[serde(borrow)]
    specversion: Cow<'a, str>,
    #[serde(borrow, rename = "type")]
    kind: Cow<'a, str>,
    /// With `source`, what it is known by.
    #[serde(borrow)]
    pub id: Cow<'a, str>,
    #[serde(borrow)]
    pub source: Cow<'a, str>,
    #[serde(borrow)]
    pub data: Data<'a>,
}

/// What the steps send of it.
#[derive(Debug, Deserialize)]
pub struct Data<'a> {
    #[serde(borrow)]
    pub job_id: Cow<'a, str>,
    #[serde(borrow)]
    pub notes: Cow<'a, str>,
    #[serde(borrow)]
    pub customer: Customer<'a>,
}

/// Whom it is for.
#[derive(Debug, Deserialize)]
pub struct Customer<'a> {
    #[serde(borrow)]
    pub name: Cow<'a, str>,
}

impl<'a> Event<'a> {
    /// None: it is no CloudEvent.
    pub fn parse(body: &'a [u8]) -> Option<Event<'a>> {
        let event: Event<'_> = serde_json::from_slice(body).ok()?;
        let is_whole = event.specversion == "1.0" && [&event.kind, &event.id, &event.source].iter().all(|name| !name.is_empty());
        is_whole.then_some(event)
    }
}

/// The events of a body, each by itself. None: it is not UTF-8, or no list.
pub fn split(body: &Bytes, is_batch: bool) -> Option<Vec<Bytes>> {
    let text = std::str::from_utf8(body).ok()?;
    if !is_batch {
        return Some(vec![body.clone()]);
    }
    let events: Vec<&RawValue> = serde_json::from_str(text).ok()?;
    Some(events.iter().map(|event| body.slice_ref(event.get().as_bytes())).collect())
}
