//! Sources against what their plugins say of themselves.

use std::collections::BTreeMap;

use crate::config::facts::PluginFacts;
use crate::config::model::{PluginStream, Source, SourceKind};
use crate::config::problems::{Severity, did_you_mean};
use crate::config::report::Report;

/// Finds streams that do not exist, that can't do what is wanted of them, or whose events the plugin may not bring in.
pub(in crate::config) fn check(report: &mut Report<'_>, facts: &BTreeMap<String, PluginFacts>) {
    for (index, source) in report.loaded.config.sources.iter().enumerate() {
        if let Some(wanted) = source.stream()
            && let Some(facts) = facts.get(&wanted.plugin)
        {
            stream(report, &format!("sources[{index}]"), source, wanted, facts);
        }
    }
}

fn stream(report: &mut Report<'_>, path: &str, source: &Source, wanted: &PluginStream, facts: &PluginFacts) {
    let PluginStream { plugin, stream } = wanted;
    let place = report.place(&format!("{path}.stream"), "");
    let Some(found) = facts.streams.get(stream) else {
        let help = did_you_mean(stream, facts.streams.keys().map(String::as_str));
        let help = help.or_else(|| facts.streams.is_empty().then(|| "it has none: `sangam plugin inspect` shows what it has".to_owned()));
        report.add(&place, Severity::Error, format!("plugin `{plugin}` has no stream `{stream}`"), help);
        return;
    };
    let (can, what, other) = match source.kind {
        SourceKind::Webhook(_) => (found.receive, "takes no webhooks", ("poll", found.poll)),
        _ => (found.poll, "can't be polled", ("webhook", found.receive)),
    };
    if !can {
        let help = other.1.then(|| format!("write type = {:?}", other.0));
        report.add(&place, Severity::Error, format!("stream `{stream}` of plugin `{plugin}` {what}"), help);
    }
    if let (SourceKind::Poll(poll), Some(limits)) = (&source.kind, report.loaded.config.plugins.get(plugin).map(|plugin| &plugin.limits))
        && poll.limit as usize > limits.events
    {
        let message = format!("`limit` is {}, but plugin `{plugin}` may bring in only {} events with one call", poll.limit, limits.events);
        let place = report.place_or(path, "limit");
        report.add(
            &place,
            Severity::Error,
            message,
            Some(format!("write less, or limits = {{ events = {} }} in [plugins.{plugin}]", poll.limit)),
        );
    }
    let granted = report.loaded.config.plugins.get(plugin).map(|plugin| &plugin.grants.emits);
    let refused: Vec<&String> =
        found.types.iter().filter(|kind| !granted.is_some_and(|granted| granted.iter().any(|pattern| pattern.matches(kind)))).collect();
    if !refused.is_empty() {
        let types: Vec<String> = refused.iter().map(|kind| format!("{kind:?}")).collect();
        let message = format!("stream `{stream}` brings in events of type {}, which plugin `{plugin}` is not allowed to", types.join(", "));
        let all: Vec<String> = granted
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .chain(refused.into_iter().cloned())
            .map(|kind| format!("{kind:?}"))
            .collect();
        let help = format!("if you agree, write emits = [{}] in [plugins.{plugin}]", all.join(", "));
        report.add(&place, Severity::Error, message, Some(help));
    }
}
