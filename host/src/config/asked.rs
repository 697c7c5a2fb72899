//! What plugins ask for, held against what they are granted: both sides have to say it.
//!
//! A plugin that expects more than it is granted would fail when it is needed, or was changed behind the administrator's back. Either way
//! somebody has to decide: grant it, or write that it goes without (`declines`). What is granted and never asked for is only said.

use std::collections::BTreeMap;
use std::ops::Range;

use super::Loaded;
use super::expectation::{covers, expected_host};
use super::facts::PluginFacts;
use super::model::{HostPattern, Plugin, RequestPattern, canary_of};
use super::problems::{Problem, Severity, did_you_mean};
use super::report::Report;

/// Finds what plugins and their canaries ask for and are not granted, and the reverse. `facts` by the names of components; one without
/// facts is not looked at.
pub fn check_grants(loaded: &Loaded, facts: &BTreeMap<String, PluginFacts>) -> Vec<Problem> {
    let mut report = Report::new(loaded);
    for (name, plugin) in &loaded.config.plugins {
        let components: Vec<(String, &PluginFacts)> =
            [(format!("plugin `{name}`"), facts.get(name)), (format!("the canary of plugin `{name}`"), facts.get(&canary_of(name)))]
                .into_iter()
                .filter_map(|(label, facts)| Some((label, facts?)))
                .collect();
        if components.is_empty() {
            continue;
        }
        let mut asked = Asked { plugin, path: format!("plugins.{name}"), report: &mut report, texts: Vec::new() };
        for (label, facts) in &components {
            asked.hosts(label, facts);
            asked.read_only(label, facts);
            asked.emits(label, facts);
        }
        let all: Vec<&PluginFacts> = components.iter().map(|(_, facts)| *facts).collect();
        asked.declines();
        asked.never_asked_for(&all);
    }
    report.problems
}

struct Asked<'a, 'r> {
    plugin: &'a Plugin,
    path: String,
    report: &'r mut Report<'a>,
    /// Everything that its components ask for, as it may be declined, with whether it is granted.
    texts: Vec<(String, bool)>,
}

impl Asked<'_, '_> {
    fn hosts(&mut self, label: &str, facts: &PluginFacts) {
        for template in &facts.hosts {
            let Some(expected) = expected_host(template, &self.plugin.config, &facts.config_schema) else { continue };
            let covered = self.plugin.grants.hosts.iter().any(|granted| covers(granted, &expected));
            let message = format!("{label} expects to reach {expected}, which it is not allowed to");
            self.wanted(
                "allow-hosts",
                expected.to_string(),
                covered,
                message,
                self.plugin.grants.hosts.iter().map(ToString::to_string).collect(),
            );
        }
    }

    fn read_only(&mut self, label: &str, facts: &PluginFacts) {
        for asked in facts.read_only.iter().filter_map(|text| RequestPattern::parse(text).ok()) {
            let agreed = self.plugin.grants.read_only.contains(&asked);
            let message = format!("{label} says that `{asked}` only reads; unless you agree it counts as a write");
            self.wanted(
                "read-only",
                asked.to_string(),
                agreed,
                message,
                self.plugin.grants.read_only.iter().map(ToString::to_string).collect(),
            );
        }
    }

    fn emits(&mut self, label: &str, facts: &PluginFacts) {
        for kind in facts.emits.iter().flatten() {
            // A pattern fits a pattern, read as a text, only where it has a `*` for each of the other's.
            let covered = self.plugin.grants.emits.iter().any(|granted| granted.matches(kind));
            let message = format!("{label} brings in events of type `{kind}`, which it is not allowed to");
            self.wanted("emits", kind.clone(), covered, message, self.plugin.grants.emits.iter().map(ToString::to_string).collect());
        }
    }

    fn wanted(&mut self, key: &str, text: String, granted: bool, message: String, mut grants: Vec<String>) {
        let declined = self.plugin.grants.declines.contains(&text);
        self.texts.push((text.clone(), granted));
        if granted || declined {
            return;
        }
        let place = self.report.place_or(&self.path, key);
        let mut declines = self.plugin.grants.declines.clone();
        grants.push(text.clone());
        declines.push(text);
        let help = format!("if you agree, write {}; if it is to go without, write {}", line(key, &grants), line("declines", &declines));
        self.report.add(&place, Severity::Error, message, Some(help));
    }

    fn declines(&mut self) {
        for (index, declined) in self.plugin.grants.declines.iter().enumerate() {
            let place = self.item("declines", index);
            let name = &self.plugin.name;
            match self.texts.iter().find(|(text, _)| text == declined) {
                Some((_, false)) => {}
                Some((_, true)) => {
                    let message = format!("`{declined}` is granted to plugin `{name}` all the same");
                    self.report.add(
                        &place,
                        Severity::Error,
                        message,
                        Some("take it out of `declines`, or out of what is granted".to_owned()),
                    );
                }
                None => {
                    let message = format!("plugin `{name}` does not ask for `{declined}`");
                    let help = did_you_mean(declined, self.texts.iter().map(|(text, _)| text.as_str()));
                    self.report.add(&place, Severity::Warning, message, help);
                }
            }
        }
    }

    /// Grants that none of the components has a use for, as far as they say.
    fn never_asked_for(&mut self, components: &[&PluginFacts]) {
        let (plugin, name) = (self.plugin, &self.plugin.name);
        if components.iter().all(|facts| !facts.sends) {
            for (key, count) in [("allow-hosts", plugin.grants.hosts.len()), ("credentials", plugin.grants.credentials.len())] {
                if count > 0 {
                    self.unused(self.report.place_or(&self.path, key), format!("`{key}`"), format!("plugin `{name}` sends no requests"));
                }
            }
            return;
        }
        let expected: Vec<Option<HostPattern>> = components
            .iter()
            .flat_map(|facts| facts.hosts.iter().map(|template| expected_host(template, &plugin.config, &facts.config_schema)))
            .collect();
        // One that names no hosts, or one that can't be told, may go anywhere.
        let told = components.iter().all(|facts| !facts.sends || !facts.hosts.is_empty());
        if let Some(expected) = expected.into_iter().collect::<Option<Vec<HostPattern>>>().filter(|_| told) {
            for (index, granted) in plugin.grants.hosts.iter().enumerate() {
                let place = self.item("allow-hosts", index);
                let asks: Vec<String> = expected.iter().map(|host| format!("{host}")).collect();
                if !expected.iter().any(|host| covers(granted, host)) {
                    self.unused(place, granted.to_string(), format!("plugin `{name}` asks for {}", asks.join(", ")));
                } else if granted.origin.wildcard && !expected.contains(&granted.origin) {
                    let message = format!("{granted} is more than plugin `{name}` asks for");
                    self.report.add(&place, Severity::Warning, message, Some(format!("it asks for {}", asks.join(", "))));
                }
            }
        }
        let said: Vec<RequestPattern> =
            components.iter().flat_map(|facts| &facts.read_only).filter_map(|text| RequestPattern::parse(text).ok()).collect();
        for (index, granted) in plugin.grants.read_only.iter().enumerate().filter(|(_, granted)| !said.contains(granted)) {
            let place = self.item("read-only", index);
            self.unused(place, format!("`{granted}`"), format!("plugin `{name}` does not say that it only reads"));
        }
        // Those that don't say what they emit were built before they could.
        let emits: Option<Vec<&String>> =
            components.iter().map(|facts| facts.emits.as_ref()).collect::<Option<Vec<_>>>().map(|all| all.into_iter().flatten().collect());
        if let Some(mut emits) = emits {
            emits.extend(components.iter().flat_map(|facts| facts.streams.values()).flat_map(|stream| &stream.types));
            for (index, granted) in
                plugin.grants.emits.iter().enumerate().filter(|(_, granted)| !emits.iter().any(|kind| granted.matches(kind)))
            {
                let place = self.item("emits", index);
                self.unused(place, format!("`{granted}`"), format!("plugin `{name}` brings in no events of such a type"));
            }
        }
    }

    fn unused(&mut self, place: Range<usize>, what: String, why: String) {
        self.report.add(&place, Severity::Warning, format!("{what} is granted but never asked for"), Some(format!("{why}; take it out")));
    }

    /// The place of an item of a list of this plugin.
    fn item(&self, key: &str, index: usize) -> Range<usize> {
        self.report.place(&format!("{}.{key}[{index}]", self.path), "")
    }
}

/// A line to write into the file.
fn line(key: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("{key} = [{}]", values.join(", "))
}
