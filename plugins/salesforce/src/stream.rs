//! Streams `contacts` and `cases`: what changed in the org, read by [`sweep`] or told by an [`outbound`] message.
//!
//! Both ways end in the same look at a record, so that a change comes in once and an echo of our own writes not at all.

pub mod case;
pub mod contact;
mod outbound;
mod stamp;
mod sweep;

use sangam_sdk::prelude::*;

use crate::{
    client::{Found, find},
    config::Config,
};

pub use outbound::receive;
pub use sweep::poll;

/// Records in a page; the least that Salesforce takes for `batchSize`.
const PAGE: u32 = 200;

/// An object that is streamed.
pub struct Object {
    /// API name.
    pub name: &'static str,
    /// The fields to select.
    pub select: fn(&Config) -> String,
    /// The fields whose change is news, by their names in the event.
    pub news: fn(&Config, &Value) -> Vec<(String, Value)>,
    /// The event of a record that was created, changed or deleted.
    pub event: fn(&Config, &Value, &What) -> Result<NewEvent, Failure>,
}

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was created.
    Created,
    /// These fields changed; none where it is not known which.
    Changed(Vec<String>),
    /// It was deleted, or merged into another.
    Deleted,
}

/// What a stream knows when it looks at a record.
#[derive(Debug, Clone, Copy)]
struct Beginning<'a> {
    /// Records created since then are new to us; RFC 3339 in UTC.
    since: Option<&'a str>,
    /// Everything is news, also what is known: somebody asked for it from the start.
    all: bool,
}

/// The event of a record, unless it is no news.
fn look(object: &Object, record: &Value, cx: &SourceContext<Config>, beginning: Beginning<'_>) -> Result<Option<NewEvent>, Failure> {
    let id = record["Id"].as_str().unwrap_or_default();
    let created = record["CreatedDate"].as_str().unwrap_or_default();
    if record["IsDeleted"] == true {
        echo::forget(object.name, id)?;
        return (object.event)(&cx.config, record, &What::Deleted).map(Some);
    }
    let news = (object.news)(&cx.config, record);
    let change = echo::look(object.name, id, news.iter().map(|(name, value)| (name.as_str(), value)), by_us(record, &cx.config))?;
    let what = match change {
        echo::Change::Ours if !beginning.all => return Ok(None),
        echo::Change::Same if !beginning.all => return Ok(None),
        echo::Change::Fields(fields) => What::Changed(fields),
        echo::Change::Ours | echo::Change::Same => What::Changed(Vec::new()),
        echo::Change::New if beginning.since.is_none_or(|since| stamp::later(created, since)) => What::Created,
        echo::Change::New => What::Changed(Vec::new()),
    };
    (object.event)(&cx.config, record, &what).map(Some)
}

/// Whether the integration's user wrote a record last. Ids have 15 characters, or the same and three more.
fn by_us(record: &Value, config: &Config) -> bool {
    let same = |user: &str| config.integration_user.as_deref().is_some_and(|ours| ours.len() >= 15 && user.get(..15) == ours.get(..15));
    record["LastModifiedById"].as_str().is_some_and(same)
}

/// Id of the version that a record is in.
fn version(record: &Value) -> Result<(String, String), Failure> {
    let text = |field: &str| record[field].as_str().filter(|text| !text.is_empty());
    let (id, changed) =
        text("Id").zip(text("SystemModstamp")).ok_or_else(|| Failure::rejected("A record has no Id or no SystemModstamp"))?;
    Ok((id.to_owned(), stamp::utc(changed)))
}

/// The members of an event that all objects have.
fn origin(config: &Config, record: &Value) -> Value {
    let id = record["Id"].as_str().unwrap_or_default();
    let base = config.base_url.trim_end_matches('/');
    json!({ "system": "salesforce", "url": format!("{base}/{id}"), "changed_by": record["LastModifiedById"] })
}

/// Reads records that are named by their ids.
fn by_id(object: &Object, ids: &[String], config: &Config) -> Result<Vec<Value>, Failure> {
    let ids: Vec<_> = ids.iter().map(|id| crate::client::quoted(id)).collect();
    let soql = format!("SELECT {} FROM {} WHERE Id IN ({})", (object.select)(config), object.name, ids.join(", "));
    let Found { records, .. } = find(config, "queryAll", &soql)?;
    Ok(records)
}
