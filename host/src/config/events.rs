//! `[[events]]`: the schema of an event type, and which of its fields are personal data.

use std::ops::Range;
use std::sync::Arc;

use serde_json::Value;

use super::item::{Item, Text};
use super::model::{EventRule, EventSchema};
use super::problems::{did_you_mean, near};
use super::reader::Reader;
use super::routes::{array_of_tables, patterns};
use super::section::Section;
use crate::catalogue::{self, Catalogue};
use crate::personal::FieldPath;
use crate::router::Pattern;
use crate::schema::{Schema, Unknown};

/// What `schema` says where the catalogue is meant and not a file.
const CATALOGUE: &str = "catalogue";

/// Reads all of them.
pub(super) fn events(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<Arc<EventRule>> {
    let items = array_of_tables(r, item, "[[events]]").unwrap_or_default();
    let sections: Vec<Section<'_>> = items.iter().filter_map(|item| item.table(r, "[[events]]")).collect();
    let compiled = Catalogue::default();
    sections.into_iter().map(|section| Arc::new(event(r, section, &compiled))).collect()
}

fn event(r: &mut Reader<'_>, mut section: Section<'_>, compiled: &Catalogue) -> EventRule {
    let types = section.required(r, "type", "\"job.completed\"").map(|item| patterns(r, &item)).unwrap_or_default();
    let sources = section.get("source").map(|item| patterns(r, &item)).unwrap_or_default();
    let schema_item = section.get("schema");
    let schema = schema_item.as_ref().and_then(|item| schema(r, item, compiled));
    if let (Some(item), Some(EventSchema::Catalogue { event_type: None, .. })) = (&schema_item, &schema)
        && !types.is_empty()
        && entries(&types).is_empty()
    {
        let named: Vec<String> = types.iter().map(Pattern::to_string).collect();
        let help = did_you_mean(&named[0], catalogue::types()).unwrap_or_else(|| "`sangam schema` lists the types that it has".to_owned());
        r.warn(&item.span, format!("the catalogue has no schema for events of type {}, so that none is checked", named.join(", ")))
            .help(help);
    }
    let mut paths =
        |r: &mut Reader<'_>, key: &'static str| section.get(key).map(|item| paths(r, &item, schema.as_ref(), &types)).unwrap_or_default();
    let personal = paths(r, "personal");
    let subject = paths(r, "subject");
    section.finish(r);
    EventRule { types, sources, schema, personal, subject }
}

/// The newest schemas of the catalogue that events of these types may have to fit.
fn entries(types: &[Pattern]) -> Vec<&'static catalogue::Entry> {
    let wanted = catalogue::types().filter(|name| types.iter().any(|pattern| pattern.matches(name)));
    wanted.filter_map(|name| catalogue::find(name, None)).collect()
}

/// A schema: of the catalogue, the path of a file, or, as a revision holds it, `{ json = "…" }`.
fn schema(r: &mut Reader<'_>, item: &Item<'_>, compiled: &Catalogue) -> Option<EventSchema> {
    let (text, span) = if item.value.is_table() {
        let mut section = item.table(r, "`schema`")?;
        let json = section.required(r, "json", "'{ \"type\": \"object\" }'").and_then(|item| item.text(r));
        section.finish(r);
        let Text { value, span } = json?;
        (value.to_owned(), span)
    } else {
        let Text { value, span } = item.text(r)?;
        if let Some(name) = value.strip_prefix(CATALOGUE).filter(|rest| rest.is_empty() || rest.starts_with(':')) {
            return of_catalogue(r, name.trim_start_matches(':'), &span, compiled);
        }
        let path = r.absolute(value);
        match (r.outside.file)(&path) {
            Ok(text) => (text, span),
            Err(error) => {
                let help = match catalogue::parse(value).and_then(|(name, version)| catalogue::find(name, version)) {
                    Some(_) => format!("if the catalogue's is meant, write \"{CATALOGUE}:{value}\""),
                    None => "paths are relative to the folder of this file".to_owned(),
                };
                r.error(&span, format!("can't read the schema {}: {error}", path.display())).help(help);
                return None;
            }
        }
    };
    let compiled = match serde_json::from_str::<Value>(&text) {
        Ok(json) => {
            if let Some(path) = item.value.as_str() {
                r.schemas.insert(path.to_owned(), json.to_string());
            }
            Schema::compile(&json).map(|schema| (schema, json)).map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("it is not JSON: {error}")),
    };
    match compiled {
        Ok((schema, json)) => Some(EventSchema::One { schema: Arc::new(schema), json: Arc::new(json) }),
        Err(why) => {
            r.error(&span, format!("this schema can't be used: {why}")).help = None;
            None
        }
    }
}

/// `catalogue`, `catalogue:TYPE` or `catalogue:TYPE:VERSION`.
fn of_catalogue(r: &mut Reader<'_>, name: &str, span: &Range<usize>, compiled: &Catalogue) -> Option<EventSchema> {
    let compiled = compiled.clone();
    if name.is_empty() {
        return Some(EventSchema::Catalogue { event_type: None, compiled });
    }
    let (event_type, version) = catalogue::parse(name).unwrap_or((name, None));
    let Some(newest) = catalogue::find(event_type, None) else {
        let help = did_you_mean(event_type, catalogue::types()).unwrap_or_else(|| "`sangam schema` lists what it has".to_owned());
        r.error(span, format!("the catalogue has no schema for events of type `{event_type}`")).help(help);
        return None;
    };
    if version.is_none() {
        return Some(EventSchema::Catalogue { event_type: Some(newest.event_type), compiled });
    }
    let Some(entry) = catalogue::find(event_type, version) else {
        r.error(span, format!("the catalogue has no such version of `{event_type}`")).help(format!("its newest is {}", newest.version));
        return None;
    };
    Some(EventSchema::One { schema: compiled.schema(entry), json: Arc::new(entry.schema()) })
}

/// Paths such as `.data.customer.email`. One that the schema does not have would leave a field unmarked.
fn paths(r: &mut Reader<'_>, item: &Item<'_>, schema: Option<&EventSchema>, types: &[Pattern]) -> Vec<FieldPath> {
    let items = item.items(r).unwrap_or_default();
    let mut paths = Vec::new();
    for item in items {
        let Some(path) = item.parsed(r, FieldPath::parse) else { continue };
        let unknown = match (schema, path.in_data()) {
            (Some(schema), Some(within)) => unknown(schema, types, &within),
            _ => None,
        };
        if let Some(unknown) = unknown {
            let near = did_you_mean(&unknown.name, unknown.known.iter().map(String::as_str));
            r.error(&item.span, format!("the schema of these events has no `{}` at {path}", unknown.name)).help = near;
        }
        paths.push(path);
    }
    paths
}

/// What of a path is in none of the schemas that events of these types may have to fit.
fn unknown(schema: &EventSchema, types: &[Pattern], within: &[Option<&str>]) -> Option<Unknown> {
    let schemas: Vec<Arc<Schema>> = match schema {
        EventSchema::One { schema, .. } => vec![schema.clone()],
        EventSchema::Catalogue { event_type: Some(event_type), compiled } => {
            catalogue::find(event_type, None).map(|entry| compiled.schema(entry)).into_iter().collect()
        }
        EventSchema::Catalogue { event_type: None, compiled } => entries(types).into_iter().map(|entry| compiled.schema(entry)).collect(),
    };
    // The catalogue speaks of what everybody has; a sender may add fields of its own. A name that is nearly one of them is a mistake.
    let open = match schema {
        EventSchema::One { json, .. } => json["$id"].as_str().is_some_and(|id| id.starts_with(catalogue::URN)),
        EventSchema::Catalogue { .. } => true,
    };
    let mut unknown = None;
    for schema in schemas {
        unknown = Some(schema.knows(within.iter().copied()).err()?);
    }
    unknown.filter(|unknown| !open || near(&unknown.name, unknown.known.iter().map(String::as_str)).is_some())
}
