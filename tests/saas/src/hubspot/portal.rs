//! The portal's data: records, their associations, and the rules for changing them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use jiff::{Timestamp, Unit};
use serde_json::{Map, Value, json};

use super::association;
use super::kind::Kind;
use super::pipeline;
use super::property::{self, Definitions, Values};
use super::refusal::Refusal;

/// Id of the first record. HubSpot's ids are numbers; all types share one sequence here.
const FIRST_ID: u64 = 101;

/// A record.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) id: u64,
    kind: Kind,
    pub(super) properties: BTreeMap<String, String>,
    created: Timestamp,
    updated: Timestamp,
    /// What search may find, oldest first: each version with the moment of its writing; none once archived.
    versions: Vec<(Instant, Option<BTreeMap<String, String>>)>,
}

/// An association in one direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Link {
    from: (Kind, u64),
    to_kind: Kind,
    pub(super) to: u64,
    pub(super) type_id: u32,
}

/// A checked creation that has not been made yet.
pub(super) struct Draft {
    kind: Kind,
    values: Values,
    links: Vec<(Kind, u64, u32)>,
}

/// The portal.
#[derive(Clone)]
pub(super) struct Portal {
    /// How long a write stays invisible to search.
    pub(super) lag: Duration,
    definitions: BTreeMap<Kind, Definitions>,
    live: BTreeMap<(Kind, u64), Record>,
    /// Archived records: search may still show them for a while.
    gone: BTreeMap<(Kind, u64), Record>,
    links: BTreeSet<Link>,
    /// Holder of each value of each unique property.
    holders: HashMap<(Kind, String, String), u64>,
    next_id: u64,
    /// What happened since somebody took note: webhooks tell it.
    pub(super) changes: Vec<Change>,
}

/// Something that a webhook tells.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) kind: Kind,
    pub(super) id: u64,
    /// `creation`, `deletion`, or a property with its value.
    pub(super) what: Happened,
}

#[derive(Debug, Clone)]
pub(super) enum Happened {
    Creation,
    Deletion,
    Property(String, Option<String>),
}

impl Portal {
    pub(super) fn new() -> Portal {
        Portal {
            lag: Duration::ZERO,
            definitions: Kind::ALL.into_iter().map(|kind| (kind, property::standard(kind))).collect(),
            live: BTreeMap::new(),
            gone: BTreeMap::new(),
            links: BTreeSet::new(),
            holders: HashMap::new(),
            next_id: FIRST_ID,
            changes: Vec::new(),
        }
    }

    pub(super) fn definitions(&self, kind: Kind) -> &Definitions {
        self.definitions.get(&kind).expect("every kind has its definitions")
    }

    pub(super) fn definitions_mut(&mut self, kind: Kind) -> &mut Definitions {
        self.definitions.get_mut(&kind).expect("every kind has its definitions")
    }

    /// Live records of a type by id, beginning at one.
    pub(super) fn records(&self, kind: Kind, first: u64) -> impl Iterator<Item = &Record> {
        self.live.range((kind, first)..=(kind, u64::MAX)).map(|(_, record)| record)
    }

    /// What search sees of a type at a moment: id and properties.
    pub(super) fn indexed(&self, kind: Kind, now: Instant) -> Vec<(&Record, &BTreeMap<String, String>)> {
        let all = (kind, 0)..=(kind, u64::MAX);
        let records = self.live.range(all.clone()).chain(self.gone.range(all)).map(|(_, record)| record);
        let mut seen: Vec<_> = records.filter_map(|record| Some((record, record.indexed(now, self.lag)?))).collect();
        seen.sort_by_key(|(record, _)| record.id);
        seen
    }

    /// Finds a record by id, or by the value of a unique property.
    pub(super) fn find(&self, kind: Kind, id: &str, id_property: Option<&str>) -> Result<&Record, Refusal> {
        let number = match id_property {
            None | Some("hs_object_id") => id.parse().ok(),
            Some(name) => {
                if !self.definitions(kind).get(name).is_some_and(|property| property.unique) {
                    return Err(Refusal::invalid(format!("Property \"{name}\" is not a unique identifier property")));
                }
                self.holders.get(&(kind, name.to_owned(), folded(id))).copied()
            }
        };
        number.and_then(|number| self.live.get(&(kind, number))).ok_or_else(|| Refusal::not_found(id))
    }

    /// Checks a creation.
    pub(super) fn draft(&self, kind: Kind, body: &Value) -> Result<Draft, Refusal> {
        let mut values = property::check(kind, self.definitions(kind), body)?;
        values.retain(|_, value| value.is_some());
        let missing: Vec<&str> = kind.required().iter().copied().filter(|name| !values.contains_key(*name)).collect();
        if !missing.is_empty() {
            return Err(incomplete(kind, "Some required properties were not set.", &missing));
        }
        let one_of = kind.one_of();
        if !one_of.is_empty() && !one_of.iter().any(|name| values.contains_key(*name)) {
            return Err(incomplete(kind, "At least one of the required properties has to be set.", one_of));
        }
        self.check_unique(kind, None, &values)?;
        let links = self.check_links(kind, &body["associations"])?;
        Ok(Draft { kind, values, links })
    }

    /// Makes a checked creation.
    pub(super) fn create(&mut self, draft: Draft) -> &Record {
        let Draft { kind, values, links } = draft;
        let id = self.next_id;
        self.next_id += 1;
        let now = milliseconds();
        let mut properties = BTreeMap::from([("hs_object_id".to_owned(), id.to_string()), (kind.created().to_owned(), stamp(now))]);
        if let (Some(pipeline), Some((of_pipeline, _))) = (pipeline::of(kind), pipeline::properties(kind)) {
            properties.insert(of_pipeline.to_owned(), pipeline.id.to_owned());
        }
        let record = Record { id, kind, properties, created: now, updated: now, versions: Vec::new() };
        self.live.insert((kind, id), record);
        self.changes.push(Change { kind, id, what: Happened::Creation });
        for (to_kind, to, type_id) in links {
            self.link((kind, id), (to_kind, to), type_id);
        }
        self.apply(kind, id, values)
    }

    /// Checks a change of a record.
    pub(super) fn check_change(&self, kind: Kind, id: u64, body: &Value) -> Result<Values, Refusal> {
        let values = property::check(kind, self.definitions(kind), body)?;
        self.check_unique(kind, Some(id), &values)?;
        Ok(values)
    }

    /// Makes a checked change of a live record.
    pub(super) fn apply(&mut self, kind: Kind, id: u64, values: Values) -> &Record {
        let lag = self.lag;
        let definitions = self.definitions.get(&kind).expect("every kind has its definitions");
        let record = self.live.get_mut(&(kind, id)).expect("only live records are changed");
        let now = milliseconds();
        for (name, value) in values {
            let unique = definitions.get(&name).is_some_and(|property| property.unique);
            if let Some(old) = record.properties.remove(&name).filter(|_| unique) {
                self.holders.remove(&(kind, name.clone(), folded(&old)));
            }
            if let Some(value) = value {
                if unique {
                    self.holders.insert((kind, name.clone(), folded(&value)), id);
                }
                record.properties.insert(name.clone(), value.clone());
                self.changes.push(Change { kind, id, what: Happened::Property(name, Some(value)) });
            } else {
                self.changes.push(Change { kind, id, what: Happened::Property(name, None) });
            }
        }
        if let (Some(pipeline), Some((_, of_stage))) = (pipeline::of(kind), pipeline::properties(kind)) {
            let closed = record.properties.get(of_stage).and_then(|id| pipeline.stage(id)).is_some_and(|stage| stage.closed);
            if kind == Kind::Ticket && closed {
                record.properties.entry("closed_date".to_owned()).or_insert_with(|| stamp(now));
            } else {
                record.properties.remove("closed_date");
            }
        }
        record.updated = now;
        record.properties.insert(kind.modified().to_owned(), stamp(now));
        record.index(lag, Some(record.properties.clone()));
        record
    }

    /// Archives a record and drops its associations. What isn't there is left so.
    pub(super) fn archive(&mut self, kind: Kind, id: u64) {
        let Some(mut record) = self.live.remove(&(kind, id)) else {
            return;
        };
        for (name, value) in &record.properties {
            if self.definitions(kind).get(name).is_some_and(|property| property.unique) {
                self.holders.remove(&(kind, name.clone(), folded(value)));
            }
        }
        let ends: Vec<(Kind, u64)> =
            Kind::ALL.into_iter().flat_map(|to| self.links((kind, id), to).map(move |link| (to, link.to))).collect();
        ends.into_iter().for_each(|to| self.unlink((kind, id), to, None));
        record.index(self.lag, None);
        self.changes.push(Change { kind, id, what: Happened::Deletion });
        self.gone.insert((kind, id), record);
    }

    /// Associates two live records in both directions.
    pub(super) fn link(&mut self, from: (Kind, u64), to: (Kind, u64), type_id: u32) {
        self.links.insert(Link { from, to_kind: to.0, to: to.1, type_id });
        if let Some(type_id) = association::back(from.0, to.0, type_id) {
            self.links.insert(Link { from: to, to_kind: from.0, to: from.1, type_id });
        }
    }

    /// Removes associations between two records in both directions: of one type, or of all.
    pub(super) fn unlink(&mut self, from: (Kind, u64), to: (Kind, u64), type_id: Option<u32>) {
        let between: Vec<Link> = self.links(from, to.0).filter(|link| link.to == to.1).copied().collect();
        for link in between.into_iter().filter(|link| type_id.is_none_or(|id| id == link.type_id)) {
            self.links.remove(&link);
            if let Some(type_id) = association::back(from.0, to.0, link.type_id) {
                self.links.remove(&Link { from: to, to_kind: from.0, to: from.1, type_id });
            }
        }
    }

    /// Associations of a record to records of a type.
    pub(super) fn links(&self, from: (Kind, u64), to_kind: Kind) -> impl Iterator<Item = &Link> {
        let first = Link { from, to_kind, to: 0, type_id: 0 };
        let last = Link { from, to_kind, to: u64::MAX, type_id: u32::MAX };
        self.links.range(first..=last)
    }

    /// A live record's id, or 404.
    pub(super) fn id_of(&self, kind: Kind, id: &str) -> Result<u64, Refusal> {
        self.find(kind, id, None).map(|record| record.id)
    }

    fn check_unique(&self, kind: Kind, id: Option<u64>, values: &Values) -> Result<(), Refusal> {
        for (name, value) in values {
            let Some(value) = value else { continue };
            let Some(holder) = self.holders.get(&(kind, name.clone(), folded(value))).filter(|holder| Some(**holder) != id) else {
                continue;
            };
            if kind == Kind::Contact && name == "email" && id.is_none() {
                let message = format!("Contact already exists. Existing ID: {holder}");
                return Err(Refusal::new(StatusCode::CONFLICT, "CONFLICT", message));
            }
            // The vendor names an id even where the record that was to have the value did not come to be.
            let on = id.unwrap_or(self.next_id);
            return Err(Refusal::invalid(format!(
                "Cannot set PropertyValueCoordinates{{portalId={}, objectTypeId=ObjectTypeId{{legacyObjectType={}}}, \
                 propertyName={name}, value={value}}} on {on}. {holder} already has that value.",
                super::PORTAL_ID,
                kind.shouted()
            ))
            .with("errorType", json!("UNIQUE_VALUE_CONFLICT"))
            .context("existingObjectId", [holder.to_string()]));
        }
        Ok(())
    }

    fn check_links(&self, kind: Kind, associations: &Value) -> Result<Vec<(Kind, u64, u32)>, Refusal> {
        let Some(associations) = associations.as_array() else {
            return if associations.is_null() { Ok(Vec::new()) } else { Err(bad_link("associations is not a list")) };
        };
        let mut links = Vec::new();
        for association in associations {
            let to = match &association["to"]["id"] {
                Value::String(id) => id.clone(),
                Value::Number(id) => id.to_string(),
                _ => return Err(bad_link("to.id is not set")),
            };
            let types = association["types"].as_array().filter(|types| !types.is_empty());
            for spec in types.ok_or_else(|| bad_link("types is empty"))? {
                if spec["associationCategory"] != "HUBSPOT_DEFINED" {
                    return Err(bad_link(&format!("associationCategory {} is not valid", spec["associationCategory"])));
                }
                let type_id = spec["associationTypeId"].as_u64().and_then(|id| u32::try_from(id).ok());
                let target = type_id.and_then(|id| Some((association::target(kind, id)?, id)));
                let Some((to_kind, type_id)) = target else {
                    let id = &spec["associationTypeId"];
                    return Err(bad_link(&format!("association type {id} does not begin at {}", kind.shouted())));
                };
                let found = to.parse().ok().filter(|id| self.live.contains_key(&(to_kind, *id)));
                let id = found.ok_or_else(|| bad_link(&format!("{}={to} is not valid", to_kind.shouted())))?;
                links.push((to_kind, id, type_id));
            }
        }
        Ok(links)
    }

    /// Everything, for tests: one list per type, and the associations.
    pub(super) fn state(&self) -> Value {
        let mut state: Map<String, Value> = Kind::ALL
            .into_iter()
            .map(|kind| {
                let records: Vec<Value> = self.records(kind, 0).map(Record::whole).collect();
                (kind.plural().to_owned(), json!(records))
            })
            .collect();
        let links: Vec<Value> = self
            .links
            .iter()
            .map(|link| {
                json!({
                    "from": format!("{}/{}", link.from.0.plural(), link.from.1),
                    "to": format!("{}/{}", link.to_kind.plural(), link.to),
                    "type": link.type_id,
                })
            })
            .collect();
        state.insert("associations".to_owned(), json!(links));
        state.insert("archived".to_owned(), json!(self.gone.len()));
        Value::Object(state)
    }
}

impl Record {
    /// As the API shows it: the usual properties and those asked for, null where there is no value.
    pub(super) fn public<'a>(&self, asked: impl IntoIterator<Item = &'a str>, usual: bool) -> Value {
        let kind = self.kind;
        let mut properties = Map::new();
        let always = ["hs_object_id", kind.created(), kind.modified()];
        let usual = if usual { kind.shown() } else { &[] };
        for name in always.into_iter().chain(usual.iter().copied()).chain(asked) {
            properties.insert(name.to_owned(), json!(self.properties.get(name)));
        }
        json!({
            "id": self.id.to_string(),
            "properties": properties,
            "createdAt": stamp(self.created),
            "updatedAt": stamp(self.updated),
            "archived": false,
        })
    }

    /// With every property that it has.
    pub(super) fn whole(&self) -> Value {
        self.public(self.properties.keys().map(String::as_str), true)
    }

    fn index(&mut self, lag: Duration, version: Option<BTreeMap<String, String>>) {
        let now = Instant::now();
        // Versions older than the newest visible one will never be seen again.
        let newest = self.versions.iter().rposition(|(at, _)| *at + lag <= now).unwrap_or(0);
        self.versions.drain(..newest);
        self.versions.push((now, version));
    }

    fn indexed(&self, now: Instant, lag: Duration) -> Option<&BTreeMap<String, String>> {
        self.versions.iter().rev().find(|(at, _)| *at + lag <= now)?.1.as_ref()
    }
}

fn incomplete(kind: Kind, what: &str, names: &[&str]) -> Refusal {
    Refusal::invalid(format!("Error creating {}. {what}", kind.shouted()))
        .context("properties", names.iter().copied())
        .with("errors", json!([{ "message": what, "code": "REQUIRED_PROPERTIES", "context": { "properties": names } }]))
}

fn bad_link(reason: &str) -> Refusal {
    Refusal::invalid("One or more associations are not valid").with("errors", json!([{ "message": reason }]))
}

/// Unique values are compared without regard to case.
fn folded(value: &str) -> String {
    value.trim().to_lowercase()
}

fn milliseconds() -> Timestamp {
    let now = Timestamp::now();
    now.round(Unit::Millisecond).unwrap_or(now)
}

/// A moment as the API writes it.
pub(super) fn stamp(at: Timestamp) -> String {
    at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}
