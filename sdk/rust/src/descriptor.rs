use std::collections::BTreeMap;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::{Connector, Plugin, Source, connector::entries, source::streams};

/// A plugin made into a component by [`export!`](crate::export).
pub trait Exported: Plugin {
    /// JSON text under the published schema `descriptor.schema.json`.
    fn descriptor() -> String;
}

/// The descriptor of a plugin: what its component answers to `describe`, and what the build embeds in it.
pub fn descriptor<P: Exported>() -> String {
    P::descriptor()
}

#[doc(hidden)]
pub fn connector<P: Connector>(version: &str) -> String {
    text::<P>(version, entries::<P>(), Vec::new())
}

#[doc(hidden)]
pub fn source<P: Source>(version: &str) -> String {
    text::<P>(version, Vec::new(), streams::<P>())
}

#[doc(hidden)]
pub fn duplex<P: Connector + Source>(version: &str) -> String {
    text::<P>(version, entries::<P>(), streams::<P>())
}

#[derive(Serialize)]
struct Descriptor<'a> {
    name: &'static str,
    version: &'a str,
    title: &'static str,
    #[serde(skip_serializing_if = "str::is_empty")]
    description: &'static str,
    configuration: Value,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    hosts: &'static [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    read_only: &'static [&'static str],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    emits: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    actions: Vec<ActionEntry>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    streams: Vec<StreamEntry>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ActionEntry {
    pub(crate) name: &'static str,
    title: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) description: Option<String>,
    input: Value,
    output: Value,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) idempotent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) undo: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) batch: Option<u32>,
}

#[derive(Debug, Serialize)]
pub(crate) struct StreamEntry {
    pub(crate) name: &'static str,
    pub(crate) title: &'static str,
    pub(crate) poll: bool,
    pub(crate) receive: bool,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    pub(crate) types: &'static [&'static str],
}

/// The schemas of an action.
pub(crate) struct Schemas {
    input: Value,
    output: Value,
}

impl Schemas {
    pub(crate) fn of<I: JsonSchema, O: JsonSchema>() -> Self {
        Self { input: schema::<I>(settings().for_deserialize()), output: schema::<O>(settings().for_serialize()) }
    }
}

impl ActionEntry {
    pub(crate) fn new(name: &'static str, title: &'static str, Schemas { mut input, output }: Schemas) -> Self {
        // The doc comment of the input is the vendor's page on the action; in the schema it would stand a second time.
        let description = input.as_object_mut().and_then(|schema| schema.remove("description"));
        let description = description.and_then(|text| text.as_str().map(str::to_owned));
        Self { name, title, description, input, output, idempotent: false, undo: None, batch: None }
    }
}

fn text<P: Plugin>(version: &str, actions: Vec<ActionEntry>, streams: Vec<StreamEntry>) -> String {
    for (index, action) in actions.iter().enumerate() {
        let doubled = actions[..index].iter().any(|other| other.name == action.name);
        assert!(!doubled, "action names are unique, but `{}` is declared twice", action.name);
        let Some(undo) = action.undo else { continue };
        assert!(actions.iter().any(|other| other.name == undo), "`{}` is undone by `{undo}`, which is not declared", action.name);
    }
    let descriptor = Descriptor {
        name: P::NAME,
        version,
        title: P::TITLE,
        description: P::DESCRIPTION,
        configuration: schema::<P::Config>(settings().for_deserialize()),
        hosts: P::HOSTS,
        read_only: P::READ_ONLY,
        emits: P::EMITS,
        actions,
        streams,
    };
    serde_json::to_string(&descriptor).expect("a descriptor is text, lists and JSON values")
}

/// Without references to elsewhere, and without a `$schema` in every action.
fn settings() -> SchemaSettings {
    SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    })
}

fn schema<T: JsonSchema>(settings: SchemaSettings) -> Value {
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    if let Value::Bool(all) = schema {
        schema = if all { json!({}) } else { json!({ "not": {} }) }; // the contract wants objects
    }
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("title"); // the name of a Rust type
    }
    sorted(schema)
}

/// With keys in alphabetical order, so that a native build in which some dependency turns on `preserve_order` of serde_json
/// embeds the same text that the component returns.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let mut ordered = BTreeMap::new();
            for (name, member) in members {
                ordered.insert(name, sorted(member)); // collecting would bring a sort into every component
            }
            let mut members = Map::new();
            for (name, member) in ordered {
                members.insert(name, member);
            }
            Value::Object(members)
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
