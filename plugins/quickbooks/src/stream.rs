//! Streams `invoices` and `customers`: what changed in the books, read by a [`sweep`] or told by a [`webhook`].
//!
//! QuickBooks does not say who changed a record. So it is what actions have written that tells an echo: see [`sangam_sdk::echo`].

pub mod customers;
pub mod invoices;
mod moment;
mod sweep;
mod webhook;

use sangam_sdk::prelude::*;

use crate::config::Config;

pub use sweep::poll;
pub use webhook::receive;

/// An entity that is streamed.
pub struct Entity {
    /// As queries name it.
    pub name: &'static str,
    /// What of a record is news when it changes, by its names in the event.
    pub news: fn(&Value) -> Vec<(&'static str, Value)>,
    /// Whether an action of ours has made a record as it is, by what stands in it: the webhook about a creation comes before the step that made it is over.
    pub made_by_us: fn(&Value) -> bool,
    /// The event of a record.
    pub event: fn(&Config, &Value, &What) -> Result<NewEvent, Failure>,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was created.
    Created,
    /// These fields changed; none where it is not known which.
    Changed(Vec<String>),
    /// It was deleted.
    Deleted,
}

/// What a stream knows when it looks at a record.
#[derive(Debug, Clone, Copy)]
struct Beginning<'a> {
    /// Records created since then are new to us.
    since: Option<&'a str>,
    /// Everything is news, also what is known: somebody asked for it from the start.
    all: bool,
}

/// Remembers a record as an action has just written it.
pub fn wrote(entity: &str, record: &Value) -> Result<(), Failure> {
    let (Some(entity), Some(id)) =
        ([&invoices::INVOICES, &customers::CUSTOMERS].into_iter().find(|known| known.name == entity), record["Id"].as_str())
    else {
        return Ok(());
    };
    let news = (entity.news)(record);
    echo::wrote(entity.name, id, news.iter().map(|(name, value)| (*name, value)))
}

/// The event of a record, unless it is no news.
fn look(entity: &Entity, record: &Value, config: &Config, beginning: Beginning<'_>) -> Result<Option<NewEvent>, Failure> {
    let (id, _) = version(record)?;
    if record["status"] == "Deleted" {
        echo::forget(entity.name, &id)?;
        return (entity.event)(config, record, &What::Deleted).map(Some);
    }
    let news = (entity.news)(record);
    let created = record["MetaData"]["CreateTime"].as_str().unwrap_or_default();
    let what = match echo::look(entity.name, &id, news.iter().map(|(name, value)| (*name, value)), (entity.made_by_us)(record))? {
        echo::Change::Ours | echo::Change::Same if !beginning.all => return Ok(None),
        echo::Change::Ours | echo::Change::Same => What::Changed(Vec::new()),
        echo::Change::Fields(fields) => What::Changed(fields),
        // Nobody here has heard of it, so nobody need hear that it is over.
        echo::Change::New if record["Active"] == false => return Ok(None),
        echo::Change::New if beginning.since.is_none_or(|since| moment::later(created, since)) => What::Created,
        echo::Change::New => What::Changed(Vec::new()),
    };
    (entity.event)(config, record, &what).map(Some)
}

/// Id and time of the version that a record is in.
fn version(record: &Value) -> Result<(String, String), Failure> {
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    let version = text(&record["Id"]).zip(text(&record["MetaData"]["LastUpdatedTime"]));
    version.ok_or_else(|| Failure::rejected("A record has no Id or no MetaData.LastUpdatedTime"))
}

/// Id of the event: the record and its version. Deleted records have no version any more.
fn event_id(record: &Value, id: &str, changed_at: &str) -> String {
    match record["SyncToken"].as_str() {
        Some(token) => format!("{id}/{token}/{changed_at}"),
        None => format!("{id}/{changed_at}"),
    }
}
