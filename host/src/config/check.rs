//! Compares a valid file with what its plugins say of themselves. Runs no plugin code.

use std::collections::BTreeMap;
use std::ops::Range;

use serde_json::Value;

use super::expectation::{covers, expected_host};
use super::facts::PluginFacts;
use super::model::{OnFailure, Plugin, RequestPattern, Route, Step, canary_of};
use super::problems::{Problem, Severity, Source, did_you_mean, near};
use super::{Loaded, canary, with};
use crate::schema::{Schema, SchemaError};

/// Finds actions that do not exist, configurations and inputs that do not fit their schemas, and grants that are
/// missing. `facts` by the plugin's name in the file; a plugin without facts is not looked at.
pub fn check_plugins(loaded: &Loaded, facts: &BTreeMap<String, PluginFacts>) -> Vec<Problem> {
    let source = Source::new(loaded.text.clone());
    let mut check = Check { loaded, source, problems: Vec::new(), inputs: BTreeMap::new() };
    for (name, plugin) in &loaded.config.plugins {
        if let Some(facts) = facts.get(name) {
            check.config(plugin, facts);
            check.hosts(plugin, facts);
            check.read_only(plugin, facts);
        }
        if let (Some(stable), Some(canary)) = (facts.get(name), facts.get(&canary_of(name))) {
            let place = check.place_or(&format!("plugins.{name}"), "canary");
            for (severity, message) in canary::differences(loaded, plugin, stable, canary) {
                check.report(&place, severity, message, None);
            }
        }
    }
    for (route_index, route) in loaded.config.routes.iter().enumerate() {
        for (step_index, step) in route.steps.iter().enumerate() {
            if let Some(facts) = facts.get(&step.plugin) {
                check.step(&format!("routes[{route_index}].steps[{step_index}]"), step, facts);
            }
            if step.on_failure == OnFailure::Undo {
                check.undo(&format!("routes[{route_index}].steps[{step_index}]"), route, step_index, facts);
            }
        }
    }
    check.problems
}

struct Check<'a> {
    loaded: &'a Loaded,
    source: Source,
    problems: Vec<Problem>,
    /// What is wrong with the input schema of each plugin and action so far: many steps may use one.
    inputs: BTreeMap<(String, String), Option<SchemaError>>,
}

impl Check<'_> {
    fn config(&mut self, plugin: &Plugin, facts: &PluginFacts) {
        let plugin_path = format!("plugins.{}", plugin.name);
        let schema = match Schema::compile(&facts.config_schema) {
            Ok(schema) => schema,
            Err(error) => {
                let place = self.place(&format!("{plugin_path}.component"), "");
                let message = format!("the configuration schema of plugin `{}` can't be used: {error}", plugin.name);
                self.report(&place, Severity::Error, message, Some("ask the plugin's author to mend it".to_owned()));
                return;
            }
        };
        let path = format!("{plugin_path}.config");
        for violation in schema.check(&plugin.config) {
            let place = if self.loaded.positions.get(&path).is_some() {
                self.place(&path, &violation.pointer)
            } else {
                self.place(&plugin_path, "")
            };
            let help = unknown_member(&violation.pointer, &plugin.config, &violation.message)
                .and_then(|name| did_you_mean(name, properties(&facts.config_schema)));
            let at = if violation.pointer.is_empty() { "config".to_owned() } else { dotted(&violation.pointer) };
            let message = format!("plugin `{}` does not take this as `{at}`: {}", plugin.name, violation.message);
            self.report(&place, Severity::Error, message, help);
        }
    }

    fn hosts(&mut self, plugin: &Plugin, facts: &PluginFacts) {
        for template in &facts.hosts {
            let Some(expected) = expected_host(template, &plugin.config, &facts.config_schema) else {
                continue;
            };
            let covered = plugin.grants.hosts.iter().any(|granted| covers(granted, &expected));
            if !covered {
                let place = self.place_or(&format!("plugins.{}", plugin.name), "allow-hosts");
                let message = format!("plugin `{}` expects to reach {expected}, which it is not allowed to", plugin.name);
                let mut hosts: Vec<String> = plugin.grants.hosts.iter().map(ToString::to_string).collect();
                hosts.push(expected.to_string());
                self.report(&place, Severity::Warning, message, Some(line("allow-hosts", &hosts)));
            }
        }
    }

    fn read_only(&mut self, plugin: &Plugin, facts: &PluginFacts) {
        for text in &facts.read_only {
            let Ok(asked) = RequestPattern::parse(text) else {
                continue;
            };
            if plugin.grants.read_only.contains(&asked) {
                continue;
            }
            let place = self.place_or(&format!("plugins.{}", plugin.name), "read-only");
            let message = format!("plugin `{}` says that `{asked}` only reads; unless you agree it counts as a write", plugin.name);
            let mut patterns: Vec<String> = plugin.grants.read_only.iter().map(ToString::to_string).collect();
            patterns.push(asked.to_string());
            self.report(&place, Severity::Warning, message, Some(line("read-only", &patterns)));
        }
    }

    fn step(&mut self, path: &str, step: &Step, facts: &PluginFacts) {
        let Some(action) = facts.actions.get(&step.action) else {
            let place = self.place(&format!("{path}.uses"), "");
            let message = format!("plugin `{}` has no action `{}`", step.plugin, step.action);
            let help = did_you_mean(&step.action, facts.actions.keys().map(String::as_str));
            self.report(&place, Severity::Error, message, help);
            return;
        };
        let key = (step.plugin.clone(), step.action.clone());
        let unusable = self.inputs.entry(key).or_insert_with(|| Schema::compile(&action.input).err());
        if let Some(error) = unusable.clone() {
            let place = self.place(&format!("{path}.uses"), "");
            let message = format!("the input schema of `{}.{}` can't be used: {error}", step.plugin, step.action);
            self.report(&place, Severity::Error, message, Some("ask the plugin's author to mend it".to_owned()));
            return;
        }
        let Some(value) = self.written_with(path) else {
            return;
        };
        for misfit in with::misfits(&value, &action.input) {
            let place = self.place(&format!("{path}.with"), &misfit.pointer);
            let message = format!("`{}.{}` does not take this: {}", step.plugin, step.action, misfit.message);
            self.report(&place, Severity::Error, message, misfit.help);
        }
    }

    /// Steps that may have done something when a step with `on-failure = "undo"` fails, and can't be undone.
    fn undo(&mut self, path: &str, route: &Route, failing: usize, facts: &BTreeMap<String, PluginFacts>) {
        let action = |step: &Step| facts.get(&step.plugin).and_then(|facts| facts.actions.get(&step.action));
        let left: Vec<&Step> = route
            .steps
            .iter()
            .enumerate()
            // What needs the failing step has not begun by then.
            .filter(|(index, _)| *index == failing || !route.needs(*index, failing))
            .map(|(_, step)| step)
            .filter(|step| action(step).is_some_and(|action| action.undo.is_none()))
            .collect();
        if left.is_empty() {
            return;
        }
        let place = self.place(&format!("{path}.on-failure"), "");
        let steps: Vec<String> = left.iter().map(|step| format!("`{}` ({}.{})", step.name, step.plugin, step.action)).collect();
        let message = format!("not everything can be undone: no undo action is declared for {}", steps.join(", "));
        let help = "what these write stays if the run is undone, and the run says so; those that only read need no undo".to_owned();
        self.report(&place, Severity::Warning, message, Some(help));
    }

    /// `with` as it is written, its expressions not evaluated.
    fn written_with(&self, path: &str) -> Option<Value> {
        let rest = path.strip_prefix("routes[")?;
        let (route, rest) = rest.split_once("].steps[")?;
        let pointer = format!("/routes/{route}/steps/{}/with", rest.strip_suffix(']')?);
        self.loaded.revision_content().pointer(&pointer).cloned()
    }

    fn place(&self, path: &str, pointer: &str) -> Range<usize> {
        let position = self.loaded.positions.locate(path, pointer);
        // A value may span lines; the key is what people look for, and an item of a list is its own key.
        position.map(|position| position.key.clone()).unwrap_or(0..0)
    }

    /// The place of a key of a table, or of the table where it lacks the key.
    fn place_or(&self, table: &str, key: &str) -> Range<usize> {
        let path = format!("{table}.{key}");
        self.place(if self.loaded.positions.get(&path).is_some() { &path } else { table }, "")
    }

    fn report(&mut self, place: &Range<usize>, severity: Severity, message: String, help: Option<String>) {
        let mut problem = Problem::at(&self.source, place, severity, message);
        if let Some(help) = help {
            problem.help(help);
        }
        self.problems.push(problem);
    }
}

/// A line to write into the file.
fn line(key: &str, values: &[String]) -> String {
    let values: Vec<String> = values.iter().map(|value| format!("{value:?}")).collect();
    format!("if you agree, write {key} = [{}]", values.join(", "))
}

/// The name that a violation calls unknown.
fn unknown_member<'p>(pointer: &'p str, value: &Value, message: &str) -> Option<&'p str> {
    let is_member = value.pointer(pointer).is_some() && message.ends_with("is not known here");
    pointer.rsplit_once('/').map(|(_, name)| name).filter(|_| is_member)
}

fn properties(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("properties").and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.as_str())
}

fn dotted(pointer: &str) -> String {
    pointer.trim_start_matches('/').replace('/', ".").replace("~1", "/").replace("~0", "~")
}

/// The near name among the members of a schema, for `with`.
pub(super) fn near_property(name: &str, schema: &Value) -> Option<String> {
    match near(name, properties(schema)) {
        Some(found) => Some(format!("did you mean `{found}`?")),
        None => did_you_mean(name, properties(schema)),
    }
}
