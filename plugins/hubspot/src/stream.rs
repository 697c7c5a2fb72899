//! Streams `contacts` and `tickets`: what changed in the account, found by its [`sweep`]s or told by [`webhook`]s.
//!
//! Both ways end in the same look at a record, so that a change comes in once and an echo of our own writes not at all.

pub mod contact;
mod moment;
mod sweep;
pub mod ticket;
mod webhook;

use sangam_sdk::prelude::*;

use crate::{client::property, config::Config};

pub use sweep::poll;
pub use webhook::receive;

/// An object type that is streamed.
pub struct Object {
    /// As paths name it.
    pub plural: &'static str,
    /// As kinds of webhooks begin.
    pub singular: &'static str,
    /// As webhooks about any object name it.
    pub type_id: &'static str,
    /// The property that holds the time of the last change.
    pub modified: &'static str,
    /// The properties whose change is news.
    pub news: fn(&Config) -> Vec<String>,
    /// The events of records.
    pub events: Events,
    /// The event of a record that is gone: its id, and when.
    pub gone: fn(&str, &str) -> Result<NewEvent, Failure>,
}

/// Makes events of records and what happened to them.
pub type Events = fn(&Config, &[(Value, What)]) -> Result<Vec<NewEvent>, Failure>;

/// What happened to a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// It was created.
    Created,
    /// These properties changed; none where it is not known which.
    Changed(Vec<String>),
}

/// What a stream knows when it looks at a record.
#[derive(Debug, Clone, Copy)]
struct Beginning<'a> {
    /// Records created since then are new to us.
    since: Option<&'a str>,
    /// Everything is news, also what is known: somebody asked for it from the start.
    all: bool,
}

impl Object {
    /// The properties to read.
    fn properties(&self, config: &Config) -> Vec<String> {
        let mut names = (self.news)(config);
        names.extend(["hs_object_id", "createdate", self.modified].map(str::to_owned));
        names
    }

    /// What happened to a record; none where that is no news.
    fn look(&self, record: &Value, config: &Config, beginning: Beginning<'_>) -> Result<Option<What>, Failure> {
        let (id, _) = self.version(record)?;
        let news = (self.news)(config);
        let fields = news.iter().map(|name| (name.as_str(), &record["properties"][name.as_str()]));
        let created = property(record, "createdate").unwrap_or_default();
        Ok(match echo::look(self.plural, &id, fields, false)? {
            echo::Change::Ours | echo::Change::Same if !beginning.all => None,
            echo::Change::Ours | echo::Change::Same => Some(What::Changed(Vec::new())),
            echo::Change::Fields(fields) => Some(What::Changed(fields)),
            echo::Change::New if beginning.since.is_none_or(|since| moment::later(&created, since)) => Some(What::Created),
            echo::Change::New => Some(What::Changed(Vec::new())),
        })
    }

    /// Id and time of the version that a record is in.
    fn version(&self, record: &Value) -> Result<(String, String), Failure> {
        let id = crate::client::id(&record["id"]);
        let version = id.zip(property(record, self.modified));
        version.ok_or_else(|| Failure::rejected(format!("A record has no id or no {}", self.modified)))
    }
}

/// The members of an event that both objects have.
fn origin(config: &Config, type_id: &str, id: &str) -> Value {
    let url = config.portal_id.map(|portal| format!("https://app.hubspot.com/contacts/{portal}/record/{type_id}/{id}"));
    json!({ "system": "hubspot", "url": url })
}

/// A property as text, null where it is empty.
fn value(record: &Value, name: &str) -> Value {
    property(record, name).map_or(Value::Null, Value::String)
}
