//! What a plugin says of itself, as far as a configuration can be checked against it.

use std::collections::BTreeMap;

use serde_json::Value;

/// From a component's descriptor. Written by the plugin, so nothing here is trusted.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginFacts {
    /// Its own name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// JSON Schema of `config`.
    pub config_schema: Value,
    /// Origins it expects to reach; `${NAME}` stands for a value of `config`.
    pub hosts: Vec<String>,
    /// Requests that only read although their method does not say so: `METHOD /path`.
    pub read_only: Vec<String>,
    /// Types of events that its actions may bring in, with `*`. `None`: it does not say.
    pub emits: Option<Vec<String>>,
    /// It imports `http`: without it nothing can leave.
    pub sends: bool,
    /// Its actions by name.
    pub actions: BTreeMap<String, ActionFacts>,
    /// Its streams by name.
    pub streams: BTreeMap<String, StreamFacts>,
}

/// One stream of a plugin.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StreamFacts {
    /// Types of events that it brings in, with `*`.
    pub types: Vec<String>,
    /// It can be polled.
    pub poll: bool,
    /// It takes webhooks.
    pub receive: bool,
}

/// One action of a plugin.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ActionFacts {
    /// JSON Schema of its input.
    pub input: Value,
    /// The action that undoes it.
    pub undo: Option<String>,
    /// Doing it twice is the same as doing it once.
    pub idempotent: bool,
    /// Invocations that it takes at once; `None`: one.
    pub batch: Option<u32>,
}
