//! What a plugin says of itself: data, bounded and checked, never trusted.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{ActionFacts, PluginFacts, StreamFacts};

/// Most actions and streams.
const MAX_ENTRIES: usize = 256;
/// Longest text that people read.
const MAX_TEXT: usize = 4000;
/// Longest name.
const MAX_NAME: usize = 64;
/// Longest origin, request or type of event that it asks for, and most of each.
const MAX_ASKED: usize = 512;
const MOST_ASKED: usize = 64;
/// Most invocations that an action may take at once: the contract says it.
const MOST_AT_ONCE: u32 = 1000;
/// Longest descriptor: the contract says it.
const MAX_DESCRIPTOR: usize = 1 << 20;

/// See `wit/descriptor.schema.json`. Members it does not know are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Descriptor {
    /// Its own name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// For people.
    pub title: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema of its configuration.
    pub configuration: Value,
    /// Origins it expects to reach.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Requests that only read.
    #[serde(default)]
    pub read_only: Vec<String>,
    /// Types of events that its actions may bring in, with `*`. `None`: it does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub emits: Option<Vec<String>>,
    /// What it can do.
    #[serde(default)]
    pub actions: Vec<Action>,
    /// What it can bring in.
    #[serde(default)]
    pub streams: Vec<Stream>,
}

/// One action.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginAction")]
pub struct Action {
    /// Its name.
    pub name: String,
    /// For people.
    pub title: String,
    /// For people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// JSON Schema.
    pub input: Value,
    /// JSON Schema.
    pub output: Value,
    /// Doing it twice is the same as doing it once.
    #[serde(default)]
    pub idempotent: bool,
    /// The action that undoes it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub undo: Option<String>,
    /// Invocations that it takes at once, 2 to 1000; absent: one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
}

/// One stream.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PluginStream")]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// For people.
    pub title: String,
    /// It can be polled.
    #[serde(default)]
    pub poll: bool,
    /// It takes webhooks.
    #[serde(default)]
    pub receive: bool,
    /// Types of its events.
    #[serde(default)]
    pub types: Vec<String>,
}

/// Why a descriptor is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its descriptor is not valid: {0}")]
pub struct DescriptorError(String);

impl Descriptor {
    /// Reads and checks a descriptor.
    pub fn parse(text: &str) -> Result<Descriptor, DescriptorError> {
        if text.len() > MAX_DESCRIPTOR {
            return Err(DescriptorError(format!("it has {} bytes; at most {MAX_DESCRIPTOR}", text.len())));
        }
        let descriptor: Descriptor = serde_json::from_str(text).map_err(|error| DescriptorError(error.to_string()))?;
        descriptor.check().map_err(DescriptorError)?;
        Ok(descriptor)
    }

    fn check(&self) -> Result<(), String> {
        let is_name = |text: &str| {
            text.len() <= MAX_NAME
                && text.starts_with(|first: char| first.is_ascii_lowercase())
                && text.chars().all(|character| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '-')
        };
        let emits = self.emits.as_deref().unwrap_or_default();
        let asked = [&self.hosts[..], &self.read_only, emits].into_iter().chain(self.streams.iter().map(|stream| &stream.types[..]));
        if self.actions.len() > MAX_ENTRIES || self.streams.len() > MAX_ENTRIES || asked.clone().any(|list| list.len() > MOST_ASKED) {
            return Err("it lists more than it may".to_owned());
        }
        if let Some(long) = asked.flatten().find(|text| text.is_empty() || text.len() > MAX_ASKED) {
            return Err(format!("what it asks for has 1 to {MAX_ASKED} bytes each, and here are {}", long.len()));
        }
        let names = std::iter::once(&self.name)
            .chain(self.actions.iter().map(|action| &action.name))
            .chain(self.streams.iter().map(|stream| &stream.name));
        for name in names {
            if !is_name(name) {
                return Err(format!("{name:?} is not a name of lower-case letters, digits and hyphens"));
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        for action in &self.actions {
            if !seen.insert(&action.name) {
                return Err(format!("action {} is there twice", action.name));
            }
            if let Some(batch) = action.batch.filter(|batch| !(2..=MOST_AT_ONCE).contains(batch)) {
                return Err(format!("action {} takes {batch} invocations at once; 2 to {MOST_AT_ONCE} may be said (batch)", action.name));
            }
            if let Some(undo) = &action.undo
                && !self.actions.iter().any(|other| other.name == *undo)
            {
                return Err(format!("action {} is undone by {undo:?}, which is no action", action.name));
            }
        }
        let texts = [&self.title, &self.description, &self.version]
            .into_iter()
            .chain(self.actions.iter().flat_map(|action| [&action.title, &action.description]));
        for text in texts {
            if text.len() > MAX_TEXT {
                return Err(format!("a text has more than {MAX_TEXT} bytes"));
            }
        }
        Ok(())
    }

    /// The first action that takes several invocations at once.
    pub fn batching(&self) -> Option<&Action> {
        self.actions.iter().find(|action| action.batch.is_some())
    }

    /// What a configuration is checked against. `sends`: the component imports `http`.
    pub(super) fn facts(&self, sends: bool) -> PluginFacts {
        let actions: BTreeMap<String, ActionFacts> = self
            .actions
            .iter()
            .map(|action| {
                let facts = ActionFacts {
                    input: action.input.clone(),
                    undo: action.undo.clone(),
                    idempotent: action.idempotent,
                    batch: action.batch,
                };
                (action.name.clone(), facts)
            })
            .collect();
        let stream = |stream: &Stream| StreamFacts { types: stream.types.clone(), poll: stream.poll, receive: stream.receive };
        PluginFacts {
            name: self.name.clone(),
            version: self.version.clone(),
            config_schema: self.configuration.clone(),
            hosts: self.hosts.clone(),
            read_only: self.read_only.clone(),
            emits: self.emits.clone(),
            sends,
            actions,
            streams: self.streams.iter().map(|it| (it.name.clone(), stream(it))).collect(),
        }
    }
}
