//! What a plugin asks for, and what of it it was granted: for people who look, where `asked` is for those who write the file.

use schemars::JsonSchema;
use serde::Serialize;

use super::expectation::{covers, expected_host};
use super::facts::PluginFacts;
use super::model::{Plugin, RequestPattern};

/// One thing that a plugin asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The option that grants it: `allow-hosts`, `read-only`, `emits`.
    pub option: &'static str,
    /// What, as that option writes it; a host that the configuration leaves open as the plugin writes it, with `${NAME}`.
    pub what: String,
    /// What became of it.
    pub answer: Granting,
}

/// What became of what a plugin asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Granting {
    /// It has it.
    Granted,
    /// It goes without: `declines` says so.
    Declined,
    /// Nobody has said; or the configuration does not say which host is meant.
    Open,
}

/// All that a plugin asks for, in the order in which it says it.
pub fn wanted(plugin: &Plugin, facts: &PluginFacts) -> Vec<Wanted> {
    let grants = &plugin.grants;
    let answer = |what: &String, granted: bool| match granted {
        true => Granting::Granted,
        false if grants.declines.contains(what) => Granting::Declined,
        false => Granting::Open,
    };
    let hosts = facts.hosts.iter().map(|template| {
        let expected = expected_host(template, &plugin.config, &facts.config_schema);
        let granted = expected.as_ref().is_some_and(|expected| grants.hosts.iter().any(|granted| covers(granted, expected)));
        let what = expected.map_or_else(|| template.clone(), |expected| expected.to_string());
        Wanted { option: "allow-hosts", answer: answer(&what, granted), what }
    });
    let read_only = facts.read_only.iter().map(|text| {
        let pattern = RequestPattern::parse(text).ok();
        let what = pattern.as_ref().map_or_else(|| text.clone(), ToString::to_string);
        let granted = pattern.is_some_and(|pattern| grants.read_only.contains(&pattern));
        Wanted { option: "read-only", answer: answer(&what, granted), what }
    });
    let emits = facts.emits.iter().flatten().map(|kind| {
        let granted = grants.emits.iter().any(|granted| granted.matches(kind));
        Wanted { option: "emits", answer: answer(kind, granted), what: kind.clone() }
    });
    hosts.chain(read_only).chain(emits).collect()
}
