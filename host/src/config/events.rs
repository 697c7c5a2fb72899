//! `[[events]]`: the schema of an event type, and which of its fields are personal data.

use std::sync::Arc;

use serde_json::Value;

use super::item::{Item, Text};
use super::model::EventRule;
use super::problems::did_you_mean;
use super::reader::Reader;
use super::routes::{array_of_tables, patterns};
use super::section::Section;
use crate::personal::FieldPath;
use crate::schema::Schema;

/// Reads all of them.
pub(super) fn events(r: &mut Reader<'_>, item: &Item<'_>) -> Vec<Arc<EventRule>> {
    let items = array_of_tables(r, item, "[[events]]").unwrap_or_default();
    let sections: Vec<Section<'_>> = items.iter().filter_map(|item| item.table(r, "[[events]]")).collect();
    sections.into_iter().map(|section| Arc::new(event(r, section))).collect()
}

fn event(r: &mut Reader<'_>, mut section: Section<'_>) -> EventRule {
    let types = section.required(r, "type", "\"job.completed\"").map(|item| patterns(r, &item)).unwrap_or_default();
    let sources = section.get("source").map(|item| patterns(r, &item)).unwrap_or_default();
    let schema_item = section.get("schema");
    let schema = schema_item.as_ref().and_then(|item| schema(r, item));
    let mut paths =
        |r: &mut Reader<'_>, key: &'static str| section.get(key).map(|item| paths(r, &item, schema.as_ref())).unwrap_or_default();
    let personal = paths(r, "personal");
    let subject = paths(r, "subject");
    section.finish(r);
    EventRule { types, sources, schema: schema.map(Arc::new), personal, subject }
}

/// A schema: the path of a file, or, as a revision holds it, `{ json = "…" }`.
fn schema(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Schema> {
    let (text, span) = if item.value.is_table() {
        let mut section = item.table(r, "`schema`")?;
        let json = section.required(r, "json", "'{ \"type\": \"object\" }'").and_then(|item| item.text(r));
        section.finish(r);
        let Text { value, span } = json?;
        (value.to_owned(), span)
    } else {
        let Text { value, span } = item.text(r)?;
        let path = r.absolute(value);
        match (r.outside.file)(&path) {
            Ok(text) => (text, span),
            Err(error) => {
                r.error(&span, format!("can't read the schema {}: {error}", path.display()))
                    .help("paths are relative to the folder of this file");
                return None;
            }
        }
    };
    let compiled = match serde_json::from_str::<Value>(&text) {
        Ok(json) => {
            if let Some(path) = item.value.as_str() {
                r.schemas.insert(path.to_owned(), json.to_string());
            }
            Schema::compile(&json).map_err(|error| error.to_string())
        }
        Err(error) => Err(format!("it is not JSON: {error}")),
    };
    compiled.map_err(|why| r.error(&span, format!("this schema can't be used: {why}")).help = None).ok()
}

/// Paths such as `.data.customer.email`. One that the schema does not have would leave a field unmarked.
fn paths(r: &mut Reader<'_>, item: &Item<'_>, schema: Option<&Schema>) -> Vec<FieldPath> {
    let items = item.items(r).unwrap_or_default();
    let mut paths = Vec::new();
    for item in items {
        let Some(path) = item.parsed(r, FieldPath::parse) else { continue };
        let unknown = match (schema, path.in_data()) {
            (Some(schema), Some(within)) => schema.knows(within).err(),
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
