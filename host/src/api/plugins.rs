//! Plugins as they are configured and as they are doing: what each has used of its limits, what it asks for and what of that it was granted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use schemars::JsonSchema;
use serde::Serialize;

use super::Problem;
use super::now::millis;
use super::shown::Time;
use crate::builtin;
use crate::config::{self, Granting, Instances, wanted};
use crate::outbound::BreakerState;
use crate::registry::{Action, Stream};
use crate::run::LEAST_CALLS;
use crate::runtime::{LoadedPlugin, PresentPlugin, Runtime, Trial, Used};

/// Plugins as they are configured, and the host's own.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct PluginList {
    /// The revision that they are of.
    revision: i64,
    plugins: Vec<PluginInList>,
}

/// One plugin.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginInList {
    name: String,
    title: String,
    /// Its name in its own descriptor.
    plugin: String,
    version: String,
    /// Of the host's own steps, which have no component and no limits.
    #[serde(skip_serializing_if = "Option::is_none")]
    built_in: Option<bool>,
    /// Of its component.
    digest: Option<String>,
    /// With schemas.
    actions: Vec<Action>,
    streams: Vec<Stream>,
    /// What it has used of its limits on this host.
    #[serde(rename = "use")]
    used: Option<PluginUse>,
    /// What it asks for beside what is granted.
    permissions: Option<PluginPermissions>,
    /// Of a component.
    #[serde(flatten)]
    component: Option<PluginComponent>,
}

/// A plugin with where it is used.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plugin")]
pub(super) struct OnePlugin {
    #[serde(flatten)]
    plugin: PluginInList,
    /// The revision that it is of.
    revision: i64,
    used_by: PluginUsers,
}

/// What is configured of a component, and how it is doing on this host.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginComponent {
    /// Version of the contract that it was built for.
    contract: String,
    imports: Vec<String>,
    /// Public keys.
    signed_by: Vec<String>,
    grants: PluginGrants,
    limits: PluginLimits,
    instances: Instances,
    /// Calls at the same time.
    concurrency: u32,
    calls_under_way: Option<usize>,
    /// Instances that are made already and wait for a call.
    instances_ahead: usize,
    canary: Option<Canary>,
    rate_limit: Option<RateLimit>,
    breaker: Option<Breaker>,
    /// How runs are gathered for actions that take several at once; null: each goes alone.
    batch: Option<Batching>,
}

/// How runs are gathered for actions that take several at once.
#[derive(Debug, Serialize, JsonSchema)]
struct Batching {
    /// Runs in a call at most; null: as many as the action takes.
    most: Option<u32>,
    /// How long a run waits for others at most.
    gather_ms: u64,
}

/// What an administrator lets it do.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginGrants {
    allow_hosts: Vec<String>,
    allow_private_addresses: Vec<String>,
    credentials: Vec<String>,
    emits: Vec<String>,
    read_only: Vec<String>,
    /// What it asks for and goes without.
    declines: Vec<String>,
}

/// What one call may use; sizes in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginLimits {
    memory: usize,
    table_elements: usize,
    handles: usize,
    time_ms: u64,
    cpu_ms: u64,
    host_call_size: usize,
    http_calls: u32,
    response_size: usize,
    output_size: usize,
    events: usize,
    events_size: usize,
    log_size: usize,
    key_value_calls: u32,
    key_value_transfer: usize,
    /// Of its whole space.
    key_value_size: u64,
}

/// A component on trial, beside the one that most runs use.
#[derive(Debug, Serialize, JsonSchema)]
struct Canary {
    digest: String,
    /// As its descriptor says.
    version: String,
    /// Version of the contract that it was built for.
    contract: String,
    /// Public keys.
    signed_by: Vec<String>,
    /// What it may ask for and the present component may not, each to be read after "it may".
    asks_more: Vec<String>,
    /// What the present component may ask for and it may not.
    asks_less: Vec<String>,
    /// What it asks for, beside what is granted to the plugin, and the present component does not ask for.
    asked: Vec<AskedPermission>,
    /// Of runs that use it.
    share: f64,
    max_error_rate: f64,
    /// Calls before it is judged.
    least_calls: usize,
    state: CanaryState,
    rolled_back_at: Option<Time>,
    reason: Option<String>,
    canary: CallCount,
    stable: CallCount,
}

/// How a canary stands.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum CanaryState {
    OnTrial,
    RolledBack,
}

/// Calls on this host that are looked back on.
#[derive(Debug, Serialize, JsonSchema)]
struct CallCount {
    calls: usize,
    failures: usize,
}

/// How fast it may ask.
#[derive(Debug, Serialize, JsonSchema)]
struct RateLimit {
    requests: u32,
    per_ms: u64,
    /// Of `requests`, now.
    used: Option<u32>,
    /// Requests that wait for their turn.
    waiting: Option<u32>,
}

/// When hosts that fail are left alone.
#[derive(Debug, Serialize, JsonSchema)]
struct Breaker {
    /// In a row.
    failures: u32,
    cooldown_ms: u64,
    hosts: Vec<BreakerHost>,
}

/// One host that it asks.
#[derive(Debug, Serialize, JsonSchema)]
struct BreakerHost {
    host: String,
    /// `closed`, `open` or `half-open`.
    state: &'static str,
    /// In a row.
    failures: u32,
    open_until: Option<Time>,
}

/// What a plugin has used of its limits since this host started: the most of any call. Sizes in bytes.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginUse {
    calls: u64,
    failures: u64,
    peak_memory: u64,
    peak_cpu_ms: f64,
    peak_time_ms: f64,
    peak_http_calls: u64,
    peak_response_size: u64,
    peak_output_size: u64,
    /// Of its space, on all hosts.
    key_value_size: u64,
    /// Half of the calls took no longer.
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// What a component may ask for.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginPermissions {
    /// For people, each to be read after "it may".
    words: Vec<String>,
    imports: BTreeSet<String>,
    /// Whether it can send requests at all.
    sends: bool,
    asked: Vec<AskedPermission>,
}

/// One thing that it asks for.
#[derive(Debug, Serialize, JsonSchema)]
struct AskedPermission {
    /// The option that grants it: `allow-hosts`, `read-only` or `emits`.
    option: &'static str,
    what: String,
    answer: Granting,
}

/// Where a plugin is used.
#[derive(Debug, Serialize, JsonSchema)]
struct PluginUsers {
    steps: Vec<UsingStep>,
    sources: Vec<String>,
}

/// A step that uses it.
#[derive(Debug, Serialize, JsonSchema)]
struct UsingStep {
    route: String,
    step: String,
    action: String,
}

/// All plugins, the host's own steps first.
pub(super) async fn list(State(runtime): State<Arc<Runtime>>) -> Result<Json<PluginList>, Problem> {
    let present = runtime.present();
    let spaces = runtime.store.key_spaces().await?;
    let loaded = present.revision.plugins.iter();
    let loaded = loaded.map(|(name, plugin)| in_list(&runtime, name, plugin, present.plugins.get(name).map(|present| &**present), &spaces));
    let plugins = std::iter::once(built_in(&runtime)).chain(loaded).collect();
    Ok(Json(PluginList { revision: present.revision.number, plugins }))
}

/// A plugin as it is listed, with where it is used.
pub(super) async fn show(State(runtime): State<Arc<Runtime>>, Path(name): Path<String>) -> Result<Json<OnePlugin>, Problem> {
    let present = runtime.present();
    let revision = &present.revision;
    let plugin = match revision.plugins.get(&name) {
        Some(plugin) => {
            let spaces = runtime.store.key_spaces().await?;
            in_list(&runtime, &name, plugin, present.plugins.get(&name).map(|present| &**present), &spaces)
        }
        None if name == builtin::NAME => built_in(&runtime),
        None => return Err(Problem::not_found(format!("the configuration has no plugin {name:?}; GET /v1/plugins names them"))),
    };
    let config = &revision.config;
    let steps = config.routes.iter().flat_map(|route| route.steps.iter().map(move |step| (route, step)));
    let steps = steps.filter(|(_, step)| step.plugin == name).map(|(route, step)| UsingStep {
        route: route.name.clone(),
        step: step.name.clone(),
        action: step.action.clone(),
    });
    let sources = config.sources.iter().filter(|source| source.stream().is_some_and(|stream| stream.plugin == name));
    let used_by = PluginUsers { steps: steps.collect(), sources: sources.map(|source| source.name.clone()).collect() };
    Ok(Json(OnePlugin { plugin, revision: revision.number, used_by }))
}

/// The host's own steps, as one more plugin.
fn built_in(runtime: &Runtime) -> PluginInList {
    PluginInList {
        name: builtin::NAME.to_owned(),
        title: "Steps of the host itself".to_owned(),
        plugin: builtin::NAME.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        built_in: Some(true),
        digest: None,
        actions: runtime.builtin.actions().to_vec(),
        streams: Vec::new(),
        used: None,
        permissions: None,
        component: None,
    }
}

/// `spaces`: bytes of key-value spaces.
fn in_list(
    runtime: &Runtime,
    name: &str,
    plugin: &LoadedPlugin,
    present: Option<&PresentPlugin>,
    spaces: &BTreeMap<String, u64>,
) -> PluginInList {
    let space = spaces.get(&plugin.config.name).copied().unwrap_or(0);
    PluginInList {
        name: name.to_owned(),
        title: plugin.descriptor.title.clone(),
        plugin: plugin.descriptor.name.clone(),
        version: plugin.descriptor.version.clone(),
        built_in: None,
        digest: Some(plugin.component.digest.clone()),
        actions: plugin.descriptor.actions.clone(),
        streams: plugin.descriptor.streams.clone(),
        used: present.map(|present| used(&present.used.read(), space)),
        permissions: Some(permissions(plugin)),
        component: Some(component(runtime, plugin, present)),
    }
}

fn component(runtime: &Runtime, plugin: &LoadedPlugin, present: Option<&PresentPlugin>) -> PluginComponent {
    let config = &plugin.config;
    let inspection = &plugin.component.inspection;
    let busy = |present: &PresentPlugin| (config.concurrency as usize).saturating_sub(present.slots.available_permits());
    PluginComponent {
        contract: inspection.contract.clone(),
        imports: inspection.imports.clone(),
        signed_by: texts(&inspection.signed_by),
        grants: grants(&config.grants),
        limits: limits(&config.limits),
        instances: config.instances,
        concurrency: config.concurrency,
        calls_under_way: present.map(busy),
        instances_ahead: runtime.engine.ahead(&plugin.code),
        canary: present
            .and_then(|present| present.canary.as_deref())
            .zip(plugin.canary.as_deref())
            .map(|(trial, tried)| canary(trial, plugin, tried)),
        rate_limit: config.rate_limit.map(|limit| {
            let usage = present.and_then(|present| present.outbound.rate());
            RateLimit {
                requests: limit.requests,
                per_ms: millis(limit.per),
                used: usage.map(|usage| usage.used),
                waiting: usage.map(|usage| usage.waiting),
            }
        }),
        batch: config.batch.map(|batch| Batching { most: batch.most, gather_ms: millis(batch.gather) }),
        breaker: config.breaker.map(|breaker| {
            let hosts = present.and_then(|present| present.outbound.breaker()).unwrap_or_default();
            Breaker {
                failures: breaker.failures,
                cooldown_ms: millis(breaker.cooldown),
                hosts: hosts.into_iter().map(breaker_host).collect(),
            }
        }),
    }
}

fn texts<T: ToString>(items: &[T]) -> Vec<String> {
    items.iter().map(ToString::to_string).collect()
}

fn grants(grants: &config::Grants) -> PluginGrants {
    PluginGrants {
        allow_hosts: texts(&grants.hosts),
        allow_private_addresses: texts(&grants.private_addresses),
        credentials: grants.credentials.clone(),
        emits: texts(&grants.emits),
        read_only: texts(&grants.read_only),
        declines: grants.declines.clone(),
    }
}

fn limits(limits: &config::Limits) -> PluginLimits {
    PluginLimits {
        memory: limits.memory,
        table_elements: limits.table_elements,
        handles: limits.handles,
        time_ms: millis(limits.time),
        cpu_ms: millis(limits.cpu),
        host_call_size: limits.host_call_size,
        http_calls: limits.http_calls,
        response_size: limits.response_size,
        output_size: limits.output_size,
        events: limits.events,
        events_size: limits.events_size,
        log_size: limits.log_size,
        key_value_calls: limits.key_value_calls,
        key_value_transfer: limits.key_value_transfer,
        key_value_size: limits.key_value_size,
    }
}

/// `tried`: the component on trial, beside the plugin's present one.
fn canary(trial: &Trial, plugin: &LoadedPlugin, tried: &LoadedPlugin) -> Canary {
    let figures = trial.figures();
    let calls = |(calls, failures)| CallCount { calls, failures };
    let of = |loaded: &LoadedPlugin| loaded.component.permissions(Some(&loaded.descriptor));
    let (present, candidate) = (of(plugin), of(tried));
    let known = asked(plugin, plugin);
    let is_new = |one: &AskedPermission| !known.iter().any(|known| (known.option, &known.what) == (one.option, &one.what));
    Canary {
        digest: trial.digest.clone(),
        version: tried.descriptor.version.clone(),
        contract: tried.component.inspection.contract.clone(),
        signed_by: texts(&tried.component.inspection.signed_by),
        asks_more: candidate.beyond(&present),
        asks_less: present.beyond(&candidate),
        asked: asked(plugin, tried).into_iter().filter(is_new).collect(),
        share: trial.config.share,
        max_error_rate: trial.config.max_error_rate,
        least_calls: LEAST_CALLS,
        state: if figures.rolled_back.is_some() { CanaryState::RolledBack } else { CanaryState::OnTrial },
        rolled_back_at: figures.rolled_back.as_ref().map(|rollback| rollback.at.into()),
        reason: figures.rolled_back.map(|rollback| rollback.reason),
        canary: calls(figures.canary),
        stable: calls(figures.stable),
    }
}

fn breaker_host(host: BreakerState) -> BreakerHost {
    BreakerHost { host: host.host, state: host.state, failures: host.failures, open_until: host.open_until.map(Time::from) }
}

fn used(used: &Used, space: u64) -> PluginUse {
    PluginUse {
        calls: used.calls,
        failures: used.failures,
        peak_memory: used.peak_memory,
        peak_cpu_ms: fine(used.peak_cpu),
        peak_time_ms: fine(used.peak_time),
        peak_http_calls: used.peak_http_calls,
        peak_response_size: used.peak_response_size,
        peak_output_size: used.peak_output_size,
        key_value_size: space,
        p50_ms: used.p50.map(fine),
        p99_ms: used.p99.map(fine),
    }
}

/// What the component may ask for, in words and beside what it was granted.
fn permissions(plugin: &LoadedPlugin) -> PluginPermissions {
    let asks = plugin.component.permissions(Some(&plugin.descriptor));
    PluginPermissions { words: asks.words(), sends: asks.sends(), imports: asks.imports, asked: asked(plugin, plugin) }
}

/// What a component of a plugin's asks for, with what the plugin's configuration answers.
fn asked(plugin: &LoadedPlugin, component: &LoadedPlugin) -> Vec<AskedPermission> {
    let facts = component.component.facts(&component.descriptor);
    let asked = wanted(&plugin.config, &facts).into_iter();
    asked.map(|wanted| AskedPermission { option: wanted.option, what: wanted.what, answer: wanted.answer }).collect()
}

/// Milliseconds to a hundredth: a call takes less than one.
fn fine(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e5).round() / 1e2
}
