//! A plugin's canary compared with the component that most runs use: what would fail for its share of runs is said beforehand.

use super::Loaded;
use super::facts::PluginFacts;
use super::model::Plugin;
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
        let used = loaded.config.routes.iter().any(|route| route.steps.iter().any(|step| step.plugin == *name && step.action == *action));
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
    for host in canary.hosts.iter().filter(|host| !stable.hosts.contains(host)) {
        found.push((Severity::Warning, format!("the canary of plugin `{name}` expects to reach {host} too; see that allow-hosts has it")));
    }
    found
}
