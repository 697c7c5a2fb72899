//! One plugin beside its limits: what it has used of them, what it asks for and what of that it was granted.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, State};
use serde_json::{Value, json};

use super::configuration_form::PluginForm;
use super::shown::Shown;
use super::{Problem, overview};
use crate::builtin;
use crate::config::wanted;
use crate::runtime::{LoadedPlugin, PresentPlugin, Runtime, Used};

/// A plugin as it is listed, with where it is used.
pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Shown<PluginForm>, Problem> {
    let listed = overview::plugins(State(runtime.clone())).await?.into_json();
    let mut plugins = listed["plugins"].as_array().cloned().unwrap_or_default();
    let place = plugins.iter().position(|plugin| plugin["name"] == name.as_str());
    let place = place.ok_or_else(|| Problem::not_found(format!("the configuration has no plugin {name:?}; GET /v1/plugins names them")))?;
    let mut shown = plugins.swap_remove(place);
    shown["revision"] = listed["revision"].clone();
    let config = &runtime.present().revision.config;
    let steps = config.routes.iter().flat_map(|route| route.steps.iter().map(move |step| (route, step)));
    let used = steps.filter(|(_, step)| step.plugin == name);
    shown["used_by"] = json!({
        "steps": used.map(|(route, step)| json!({ "route": route.name, "step": step.name, "action": step.action })).collect::<Vec<_>>(),
        "sources": config.sources.iter().filter(|source| source.stream().is_some_and(|stream| stream.plugin == name))
            .map(|source| source.name.as_str()).collect::<Vec<_>>(),
    });
    if name == builtin::NAME {
        shown["use"] = Value::Null;
        shown["permissions"] = Value::Null;
    }
    Ok(Shown::as_form(shown))
}

/// What is added to a plugin of the list. `spaces`: bytes of key-value spaces.
pub(super) fn add(plugin: &LoadedPlugin, present: Option<&PresentPlugin>, spaces: &BTreeMap<String, u64>, shown: &mut Value) {
    let space = spaces.get(&plugin.config.name).copied().unwrap_or(0);
    shown["use"] = present.map_or(Value::Null, |present| use_json(&present.used.read(), space));
    shown["permissions"] = permissions(plugin);
}

fn use_json(used: &Used, space: u64) -> Value {
    json!({
        "calls": used.calls,
        "failures": used.failures,
        "peak_memory": used.peak_memory,
        "peak_cpu_ms": millis(used.peak_cpu),
        "peak_time_ms": millis(used.peak_time),
        "peak_http_calls": used.peak_http_calls,
        "peak_response_size": used.peak_response_size,
        "peak_output_size": used.peak_output_size,
        "key_value_size": space,
        "p50_ms": used.p50.map(millis),
        "p99_ms": used.p99.map(millis),
    })
}

/// What the component may ask for, in words and beside what it was granted.
fn permissions(plugin: &LoadedPlugin) -> Value {
    let asks = plugin.component.permissions(Some(&plugin.descriptor));
    let facts = plugin.component.facts(&plugin.descriptor);
    let wanted: Vec<Value> = wanted(&plugin.config, &facts)
        .into_iter()
        .map(|wanted| json!({ "option": wanted.option, "what": wanted.what, "answer": wanted.answer.as_str() }))
        .collect();
    json!({
        "words": asks.words(),
        "imports": asks.imports,
        "sends": asks.sends(),
        "asked": wanted,
    })
}

/// To a hundredth: a call takes less than one.
fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}
