//! `[[events]]`: what events of a type look like.

use std::sync::Arc;

use serde_json::Value;

use crate::catalogue::{self, Catalogue};
use crate::personal::FieldPath;
use crate::router::Pattern;
use crate::schema::Schema;

/// `[[events]]`: what is known of events of some types, whatever routes want them.
#[derive(Debug, Clone)]
pub struct EventRule {
    /// `type`: any of them.
    pub types: Vec<Pattern>,
    /// `source`: any of them; empty means every source.
    pub sources: Vec<Pattern>,
    /// `schema`: of their data.
    pub schema: Option<EventSchema>,
    /// `personal`: fields that are personal data.
    pub personal: Vec<FieldPath>,
    /// `subject`: fields that say whose.
    pub subject: Vec<FieldPath>,
}

/// Which schema the data of an event has to fit.
#[derive(Debug, Clone)]
pub enum EventSchema {
    /// This one, whatever the event says of itself.
    One {
        /// Compiled.
        schema: Arc<Schema>,
        /// As it was written.
        json: Arc<Value>,
    },
    /// The catalogue's: of the version that the event names as its `dataschema`, else the newest.
    Catalogue {
        /// Of this type; `None`: of the event's own, where the catalogue has that.
        event_type: Option<&'static str>,
        /// The schemas.
        compiled: Catalogue,
    },
}

/// An event that names a version of a schema which this host does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its `dataschema` names version {version} of {event_type}, which this host does not know; it knows up to {newest}")]
pub struct UnknownVersion {
    /// The schema's type.
    pub event_type: &'static str,
    /// What the event names.
    pub version: String,
    /// The newest that is known.
    pub newest: u32,
}

impl EventSchema {
    /// The schema for an event of this type that carries this `dataschema`; `None`: its type is not in the catalogue.
    ///
    /// # Errors
    /// It names a version that is not there.
    pub fn of(&self, event_type: &str, dataschema: Option<&str>) -> Result<Option<Arc<Schema>>, UnknownVersion> {
        let (wanted, compiled) = match self {
            EventSchema::One { schema, .. } => return Ok(Some(schema.clone())),
            EventSchema::Catalogue { event_type: wanted, compiled } => (wanted.unwrap_or(event_type), compiled),
        };
        let Some(newest) = catalogue::find(wanted, None) else { return Ok(None) };
        // Another schema's name says nothing of ours.
        let version = dataschema.and_then(|name| name.strip_prefix(catalogue::URN)?.strip_prefix(newest.event_type)?.strip_prefix(':'));
        let entry = match version {
            None => newest,
            Some(version) => {
                let named = catalogue::parse(&format!("{}:{version}", newest.event_type))
                    .and_then(|(name, version)| catalogue::find(name, version));
                let unknown = || UnknownVersion { event_type: newest.event_type, version: version.to_owned(), newest: newest.version };
                named.ok_or_else(unknown)?
            }
        };
        Ok(Some(compiled.schema(entry)))
    }

    /// The same to find marked fields by: of a version that is not known, what the newest says.
    pub fn for_marks(&self, event_type: &str, dataschema: Option<&str>) -> Option<Arc<Schema>> {
        self.of(event_type, dataschema).or_else(|_| self.of(event_type, None)).ok().flatten()
    }

    fn has_marks(&self) -> bool {
        match self {
            EventSchema::One { schema, .. } => schema.has_marks(),
            // Nearly all of them have; to say so of those that have none hides nothing.
            EventSchema::Catalogue { .. } => true,
        }
    }
}

impl EventRule {
    /// Whether it is about events of this type from this source.
    pub fn is_about(&self, event_type: &str, source: &str) -> bool {
        let any = |patterns: &[Pattern], text| patterns.iter().any(|pattern| pattern.matches(text));
        any(&self.types, event_type) && (self.sources.is_empty() || any(&self.sources, source))
    }

    /// Whether it is about all events of a type, or of a pattern, that come from these sources; none means from anywhere.
    pub fn is_surely_about(&self, event_type: &Pattern, sources: &[Pattern]) -> bool {
        let any = |ours: &[Pattern], theirs: &Pattern| ours.iter().any(|ours| ours.covers(theirs));
        any(&self.types, event_type)
            && (self.sources.is_empty() || (!sources.is_empty() && sources.iter().all(|source| any(&self.sources, source))))
    }

    /// Whether it marks anything as personal.
    pub fn has_marks(&self) -> bool {
        !self.personal.is_empty() || !self.subject.is_empty() || self.schema.as_ref().is_some_and(EventSchema::has_marks)
    }
}
