//! The catalogue: JSON Schemas of business events, by type and version, as they are in `host/schemas`.
//!
//! A version only grows: a field may be added, and what was valid stays valid. What can't be said so gets the next number, beside the former one.
//! The names (`urn:sangam:schema:job.completed:1`) lead nowhere, so that nobody's server has to be there for them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Map, Value};

use crate::schema::Schema;

#[cfg(test)]
mod tests;

/// What the names of the schemas begin with; type and version follow.
pub const URN: &str = "urn:sangam:schema:";

/// One version of the schema of one type of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// The type of events.
    pub event_type: &'static str,
    /// From 1.
    pub version: u32,
    /// As it is in `host/schemas`: its parts are elsewhere.
    text: &'static str,
}

/// The parts that schemas refer to.
const PARTS: &str = include_str!("../schemas/parts.json");

/// The files of `host/schemas`, those of one process together; of one type the versions in order.
macro_rules! entries {
    ($($event_type:literal $version:literal,)*) => {
        &[$(Entry {
            event_type: $event_type,
            version: $version,
            text: include_str!(concat!("../schemas/", $event_type, ".", $version, ".json")),
        }),*]
    };
}

#[rustfmt::skip]
const ENTRIES: &[Entry] = entries![
    "job.requested" 1,
    "job.scheduled" 1,
    "job.rescheduled" 1,
    "job.started" 1,
    "job.completed" 1,
    "job.cancelled" 1,
    "visit.scheduled" 1,
    "visit.rescheduled" 1,
    "visit.started" 1,
    "visit.completed" 1,
    "visit.cancelled" 1,
    "timesheet.submitted" 1,
    "timesheet.approved" 1,
    "leave.requested" 1,
    "leave.approved" 1,
    "leave.declined" 1,
    "leave.cancelled" 1,
    "sick-leave.reported" 1,
    "sick-leave.cancelled" 1,
    "invoice.created" 1,
    "invoice.changed" 1,
    "invoice.sent" 1,
    "invoice.paid" 1,
    "invoice.overdue" 1,
    "invoice.voided" 1,
    "payment.received" 1,
    "contact.created" 1,
    "contact.changed" 1,
    "contact.deleted" 1,
    "company.created" 1,
    "company.changed" 1,
    "company.deleted" 1,
    "case.opened" 1,
    "case.changed" 1,
    "case.closed" 1,
    "message.received" 1,
    "message.status" 1,
    "call.missed" 1,
    "call.ended" 1,
    "lead.captured" 1,
    "document.requested" 1,
    "document.received" 1,
    "payroll.due" 1,
];

/// Everything that is in it.
pub fn all() -> &'static [Entry] {
    ENTRIES
}

/// One version; without a number the newest.
pub fn find(event_type: &str, version: Option<u32>) -> Option<&'static Entry> {
    let mut versions = ENTRIES.iter().rev().filter(|entry| entry.event_type == event_type);
    versions.find(|entry| version.is_none_or(|version| entry.version == version))
}

/// The types, each once.
pub fn types() -> impl Iterator<Item = &'static str> {
    ENTRIES.iter().filter(|entry| entry.version == 1).map(|entry| entry.event_type)
}

/// Type and version of a name such as `job.completed:1`, `job.completed` or, as events carry it, `urn:sangam:schema:job.completed:1`.
/// `None`: it is no such name.
pub fn parse(name: &str) -> Option<(&str, Option<u32>)> {
    let name = name.strip_prefix(URN).unwrap_or(name);
    match name.split_once(':') {
        None => Some((name, None)),
        // One way to write a number.
        Some((event_type, version)) => {
            version.parse().ok().filter(|number: &u32| number.to_string() == version).map(|number| (event_type, Some(number)))
        }
    }
}

impl Entry {
    /// Its name: `urn:sangam:schema:job.completed:1`.
    pub fn urn(&self) -> String {
        format!("{URN}{}:{}", self.event_type, self.version)
    }

    /// What such an event says, in a line.
    pub fn title(&self) -> String {
        self.own().get("title").and_then(Value::as_str).unwrap_or_default().to_owned()
    }

    fn own(&self) -> Map<String, Value> {
        serde_json::from_str(self.text).expect("a test has read every file of the catalogue")
    }

    /// The whole schema, with the parts that it needs: JSON Schema 2020-12, referring to nothing outside of itself.
    pub fn schema(&self) -> Value {
        let parts: Value = serde_json::from_str(PARTS).expect("a test has read the parts");
        let own = self.own();
        let mut needed = Map::new();
        let mut open = references(&Value::Object(own.clone()));
        while let Some(name) = open.pop() {
            if !needed.contains_key(&name) {
                let part = &parts["$defs"][name.as_str()];
                open.extend(references(part));
                needed.insert(name, part.clone());
            }
        }
        let mut whole = Map::new();
        whole.insert("$schema".to_owned(), Value::from("https://json-schema.org/draft/2020-12/schema"));
        whole.insert("$id".to_owned(), Value::from(self.urn()));
        whole.extend(own);
        if !needed.is_empty() {
            whole.insert("$defs".to_owned(), Value::Object(needed));
        }
        Value::Object(whole)
    }
}

/// The parts that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Object(members) => members
            .iter()
            .flat_map(|(key, value)| match (key.as_str(), value) {
                ("$ref", Value::String(reference)) => reference.strip_prefix("#/$defs/").map(str::to_owned).into_iter().collect(),
                _ => references(value),
            })
            .collect(),
        _ => Vec::new(),
    }
}

/// The catalogue compiled: each schema when it is first asked for, since few of them are used by one host.
#[derive(Clone, Default)]
pub struct Catalogue(Arc<Mutex<Compiled>>);

/// By type and version.
type Compiled = BTreeMap<(&'static str, u32), Arc<Schema>>;

impl fmt::Debug for Catalogue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Catalogue").finish_non_exhaustive()
    }
}

impl Catalogue {
    /// The compiled schema of one version of one type.
    pub fn schema(&self, entry: &Entry) -> Arc<Schema> {
        let mut compiled = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let compile = || Arc::new(Schema::compile(&entry.schema()).expect("a test has compiled every schema of the catalogue"));
        compiled.entry((entry.event_type, entry.version)).or_insert_with(compile).clone()
    }
}
