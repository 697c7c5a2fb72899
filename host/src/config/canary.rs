//! A plugin's canary compared with the component that most runs use: what would fail for its share of runs is said beforehand.

use std::sync::Arc;

use super::Loaded;
use super::facts::{ActionFacts, PluginFacts};
use super::model::{OnFailure, Plugin, Route};
use super::problems::Severity;
use crate::schema::Schema;

/// What `check` says of a canary: messages, those of severity `Error` being reasons not to start it.
pub(super) fn differences(loaded: &Loaded, plugin: &Plugin, stable: &PluginFacts, canary: &PluginFacts) -> Vec<(Severity, String)> {
    let name = &plugin.name;
    let mut found = Vec::new();
    if stable.name != canary.name {
        let message = format!("the canary of plugin `{name}` is another plugin: `{}` and not `{}`", canary.name, stable.name);
        found.push((Severity::Warning, message));
    }
    match Schema::compile(&canary.config_schema) {
        Ok(schema) => found.extend(schema.check(&plugin.config).into_iter().map(|violation| {
            let at = if violation.pointer.is_empty() { "config" } else { violation.pointer.as_str() };
            (Severity::Error, format!("the canary of plugin `{name}` does not take this as {at}: {}", violation.message))
        })),
        Err(error) => {
            let message = format!("the configuration schema of the canary of plugin `{name}` can't be used: {error}");
            found.push((Severity::Error, message));
        }
    }
    for (action, facts) in &stable.actions {
        let uses = |route: &&Arc<Route>| route.steps.iter().any(|step| step.plugin == *name && step.action == *action);
        let used = loaded.config.routes.iter().any(|route| uses(&route));
        let undoes = |route: &&Arc<Route>| route.steps.iter().any(|step| step.on_failure == OnFailure::Undo);
        let undone = loaded.config.routes.iter().filter(uses).any(|route| undoes(&route));
        if let Some(message) = other_undo(name, action, facts, canary).filter(|_| used) {
            // Nobody asks for it where no route undoes.
            found.push((if undone { Severity::Error } else { Severity::Warning }, message));
        }
        match canary.actions.get(action) {
            None if used => {
                found.push((Severity::Error, format!("the canary of plugin `{name}` has no action `{action}`, which a route uses")))
            }
            None => found.push((Severity::Warning, format!("the canary of plugin `{name}` no longer has the action `{action}`"))),
            Some(other) if used && other.input != facts.input => found.push((
                Severity::Warning,
                format!("the canary of plugin `{name}` describes the input of `{action}` otherwise; inputs that don't fit it fail and count against it"),
            )),
            Some(_) => {}
        }
    }
    found
}

/// An undo is called by the name that the other component gives it, whichever of the two did what is undone.
fn other_undo(plugin: &str, action: &str, stable: &ActionFacts, canary: &PluginFacts) -> Option<String> {
    let undo = stable.undo.as_ref()?;
    let other = canary.actions.get(action)?;
    let canary_of = format!("the canary of plugin `{plugin}`");
    match &other.undo {
        Some(declared) if declared == undo && canary.actions.contains_key(undo) => None,
        Some(declared) if declared == undo => Some(format!("{canary_of} has no action `{undo}`, which undoes `{action}`")),
        Some(declared) => Some(format!("{canary_of} undoes `{action}` by `{declared}` and not by `{undo}`; an undo calls `{undo}` of it")),
        None => Some(format!("{canary_of} declares no undo of `{action}`, which `{undo}` undoes otherwise")),
    }
}
