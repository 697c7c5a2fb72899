//! Compares a valid file with what its plugins say of themselves. Runs no plugin code.

use std::collections::BTreeMap;

use serde_json::Value;

use super::facts::PluginFacts;
use super::model::{OnFailure, Plugin, Route, Step, canary_of};
use super::problems::{Problem, Severity, did_you_mean, near};
use super::report::Report;
use super::{Loaded, canary, sources, with};
use crate::schema::{Schema, SchemaError};

/// Finds actions that do not exist, and configurations and inputs that do not fit their schemas. `facts` by the plugin's
/// name in the file; a plugin without facts is not looked at.
pub fn check_plugins(loaded: &Loaded, facts: &BTreeMap<String, PluginFacts>) -> Vec<Problem> {
    let mut check = Check { report: Report::new(loaded), inputs: BTreeMap::new() };
    for (name, plugin) in &loaded.config.plugins {
        if let Some(facts) = facts.get(name) {
            check.config(plugin, facts);
        }
        if let (Some(stable), Some(canary)) = (facts.get(name), facts.get(&canary_of(name))) {
            let place = check.report.place_or(&format!("plugins.{name}"), "canary");
            for (severity, message) in canary::differences(loaded, plugin, stable, canary) {
                check.report.add(&place, severity, message, None);
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
    sources::check(&mut check.report, facts);
    check.report.problems
}

struct Check<'a> {
    report: Report<'a>,
    /// What is wrong with the input schema of each plugin and action so far: many steps may use one.
    inputs: BTreeMap<(String, String), Option<SchemaError>>,
}

impl Check<'_> {
    fn config(&mut self, plugin: &Plugin, facts: &PluginFacts) {
        let plugin_path = format!("plugins.{}", plugin.name);
        let schema = match Schema::compile(&facts.config_schema) {
            Ok(schema) => schema,
            Err(error) => {
                let place = self.report.place(&format!("{plugin_path}.component"), "");
                let message = format!("the configuration schema of plugin `{}` can't be used: {error}", plugin.name);
                self.report.add(&place, Severity::Error, message, Some("ask the plugin's author to mend it".to_owned()));
                return;
            }
        };
        let batch = format!("{plugin_path}.batch");
        if plugin.batch.is_some()
            && self.report.loaded.positions.get(&batch).is_some()
            && facts.actions.values().all(|action| action.batch.is_none())
        {
            let place = self.report.place(&batch, "");
            let message = format!("plugin `{}` has no action that takes several runs at once: `batch` changes nothing", plugin.name);
            self.report.add(&place, Severity::Warning, message, None);
        }
        let path = format!("{plugin_path}.config");
        for violation in schema.check(&plugin.config) {
            let place = if self.report.loaded.positions.get(&path).is_some() {
                self.report.place(&path, &violation.pointer)
            } else {
                self.report.place(&plugin_path, "")
            };
            let help = unknown_member(&violation.pointer, &plugin.config, &violation.message)
                .and_then(|name| did_you_mean(name, properties(&facts.config_schema)));
            let at = if violation.pointer.is_empty() { "config".to_owned() } else { dotted(&violation.pointer) };
            let message = format!("plugin `{}` does not take this as `{at}`: {}", plugin.name, violation.message);
            self.report.add(&place, Severity::Error, message, help);
        }
    }

    fn step(&mut self, path: &str, step: &Step, facts: &PluginFacts) {
        let Some(action) = facts.actions.get(&step.action) else {
            let place = self.report.place(&format!("{path}.uses"), "");
            let message = format!("plugin `{}` has no action `{}`", step.plugin, step.action);
            let help = did_you_mean(&step.action, facts.actions.keys().map(String::as_str));
            self.report.add(&place, Severity::Error, message, help);
            return;
        };
        let key = (step.plugin.clone(), step.action.clone());
        let unusable = self.inputs.entry(key).or_insert_with(|| Schema::compile(&action.input).err());
        if let Some(error) = unusable.clone() {
            let place = self.report.place(&format!("{path}.uses"), "");
            let message = format!("the input schema of `{}.{}` can't be used: {error}", step.plugin, step.action);
            self.report.add(&place, Severity::Error, message, Some("ask the plugin's author to mend it".to_owned()));
            return;
        }
        let Some(value) = self.written_with(path) else {
            return;
        };
        for misfit in with::misfits(&value, &action.input) {
            let place = self.report.place(&format!("{path}.with"), &misfit.pointer);
            let message = format!("`{}.{}` does not take this: {}", step.plugin, step.action, misfit.message);
            self.report.add(&place, Severity::Error, message, misfit.help);
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
        let place = self.report.place(&format!("{path}.on-failure"), "");
        let steps: Vec<String> = left.iter().map(|step| format!("`{}` ({}.{})", step.name, step.plugin, step.action)).collect();
        let message = format!("not everything can be undone: no undo action is declared for {}", steps.join(", "));
        let help = "what these write stays if the run is undone, and the run says so; those that only read need no undo".to_owned();
        self.report.add(&place, Severity::Warning, message, Some(help));
    }

    /// `with` as it is written, its expressions not evaluated.
    fn written_with(&self, path: &str) -> Option<Value> {
        let rest = path.strip_prefix("routes[")?;
        let (route, rest) = rest.split_once("].steps[")?;
        let pointer = format!("/routes/{route}/steps/{}/with", rest.strip_suffix(']')?);
        self.report.loaded.revision_content().pointer(&pointer).cloned()
    }
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
