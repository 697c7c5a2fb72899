//! The forms of what is configured: routes, plugins, webhooks, credentials.
#![expect(dead_code, reason = "forms: nothing is made of them but the document of the API")]

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde_json::{Map, Value};

use super::shown::Time;

/// Routes as they are configured.
#[derive(Debug, JsonSchema)]
pub(super) struct RouteList {
    revision: i64,
    routes: Vec<RouteForm>,
}

/// One route.
#[derive(Debug, JsonSchema)]
pub(super) struct RouteForm {
    name: String,
    types: Vec<String>,
    sources: Vec<String>,
    /// An expression.
    when: Option<String>,
    order_by: Option<String>,
    /// `release` or `hold`.
    order_on_dead: String,
    steps: Vec<RouteStep>,
    /// By status.
    runs: BTreeMap<String, u64>,
}

/// One of its steps.
#[derive(Debug, JsonSchema)]
pub(super) struct RouteStep {
    name: String,
    /// `plugin.action`.
    uses: String,
    needs: Vec<String>,
    when: Option<String>,
    timeout_ms: u64,
    max_attempts: u32,
    /// `dead-letter`, `continue` or `undo`.
    on_failure: String,
    /// `resend` or `hold`.
    on_doubt: String,
}

/// Plugins as they are configured, and the host's own.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginList {
    revision: i64,
    plugins: Vec<PluginForm>,
}

/// One plugin. What the host's own does not have is left out.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginForm {
    name: String,
    title: String,
    plugin: String,
    version: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    built_in: Option<bool>,
    digest: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    contract: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    imports: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    signed_by: Option<Vec<String>>,
    /// With schemas.
    actions: Vec<PluginAction>,
    streams: Vec<PluginStream>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grants: Option<PluginGrants>,
    /// Bytes, milliseconds, counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    limits: Option<BTreeMap<String, u64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    concurrency: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    calls_under_way: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    instances_ahead: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    canary: Option<CanaryForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rate_limit: Option<RateLimitForm>,
    #[serde(skip_serializing_if = "Option::is_none")]
    breaker: Option<BreakerForm>,
    /// What it has used of its limits on this host.
    #[serde(rename = "use", skip_serializing_if = "Option::is_none")]
    used: Option<PluginUse>,
    /// What it asks for beside what is granted.
    #[serde(skip_serializing_if = "Option::is_none")]
    permissions: Option<PluginPermissions>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revision: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    used_by: Option<PluginUsers>,
}

/// What a plugin can do.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginAction {
    name: String,
    title: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    /// A JSON Schema.
    input: Value,
    /// A JSON Schema.
    output: Value,
    idempotent: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<String>,
}

/// A stream of a plugin.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginStream {
    name: String,
    title: String,
    poll: bool,
    receive: bool,
    types: Vec<String>,
}

/// What an administrator lets it do.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginGrants {
    allow_hosts: Vec<String>,
    allow_private_addresses: Vec<String>,
    credentials: Vec<String>,
    emits: Vec<String>,
    read_only: Vec<String>,
    declines: Vec<String>,
}

/// A component on trial.
#[derive(Debug, JsonSchema)]
pub(super) struct CanaryForm {
    digest: String,
    share: f64,
    max_error_rate: f64,
    least_calls: u64,
    /// `on-trial` or `rolled-back`.
    state: String,
    rolled_back_at: Option<Time>,
    reason: Option<String>,
    canary: CallCount,
    stable: CallCount,
}

/// Calls, and those that failed.
#[derive(Debug, JsonSchema)]
pub(super) struct CallCount {
    calls: u64,
    failures: u64,
}

/// How fast it may ask.
#[derive(Debug, JsonSchema)]
pub(super) struct RateLimitForm {
    requests: u64,
    per_ms: u64,
    used: Option<Value>,
    waiting: Option<u64>,
}

/// When hosts that fail are left alone.
#[derive(Debug, JsonSchema)]
pub(super) struct BreakerForm {
    failures: u32,
    cooldown_ms: u64,
    hosts: Vec<BreakerHost>,
}

/// One host.
#[derive(Debug, JsonSchema)]
pub(super) struct BreakerHost {
    host: String,
    /// `closed`, `open` or `half-open`.
    state: String,
    failures: u32,
    open_until: Option<Time>,
}

/// What a plugin has used of its limits.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginUse {
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
    p50_ms: Option<f64>,
    p99_ms: Option<f64>,
}

/// What a component may ask for.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginPermissions {
    /// For people.
    words: Value,
    imports: Value,
    sends: Value,
    asked: Vec<AskedPermission>,
}

/// One thing that it asks for.
#[derive(Debug, JsonSchema)]
pub(super) struct AskedPermission {
    option: String,
    what: String,
    answer: String,
}

/// Where a plugin is used.
#[derive(Debug, JsonSchema)]
pub(super) struct PluginUsers {
    steps: Vec<UsingStep>,
    sources: Vec<String>,
}

/// A step that uses it.
#[derive(Debug, JsonSchema)]
pub(super) struct UsingStep {
    route: String,
    step: String,
    action: String,
}

/// The revision that was applied.
#[derive(Debug, JsonSchema)]
pub(super) struct Reloaded {
    revision: i64,
}

/// States of credentials.
#[derive(Debug, JsonSchema)]
pub(super) struct CredentialList {
    credentials: Vec<CredentialForm>,
}

/// One credential, as this host sees it.
#[derive(Debug, JsonSchema)]
pub(super) struct CredentialForm {
    name: String,
    #[serde(rename = "type")]
    kind: String,
    state: CredentialStateForm,
    /// When the present access token ends.
    expires_at: Option<Time>,
    /// When the next one may be fetched.
    retry_at: Option<Time>,
    broken_at: Option<Time>,
    works_at: Option<Time>,
    last_error: Option<String>,
    refreshes: u64,
    failures: u64,
    /// Plugins that may use it.
    plugins: Vec<String>,
    /// Origins that it is attached for.
    hosts: Vec<String>,
    /// Whether a person connects it, in their browser.
    connectable: bool,
}

/// How it is doing.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) enum CredentialStateForm {
    Ok,
    Refreshing,
    CoolingDown,
    Broken,
    NotConnected,
    Unused,
}

/// How a consent ended.
#[derive(Debug, JsonSchema)]
pub(super) struct ConsentState {
    /// `pending`, `connected` or `failed`.
    state: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    credential: Option<String>,
    /// Whether the host gets new tokens by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    renewable: Option<bool>,
    /// What the vendor said beside it.
    #[serde(skip_serializing_if = "Option::is_none")]
    said: Option<Value>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
}

/// Endpoints that are told of events.
#[derive(Debug, JsonSchema)]
pub(super) struct WebhookList {
    webhooks: Vec<WebhookForm>,
}

/// One of them.
#[derive(Debug, JsonSchema)]
pub(super) struct WebhookForm {
    name: String,
    url: String,
    format: String,
    types: Vec<String>,
    ordered: bool,
    /// How many it is signed with now: more than are configured while a former one still signs.
    secrets: u64,
    disable_after_ms: Option<u64>,
    /// `unused`, `ok`, `failing` or `disabled`.
    state: String,
    reason: Option<String>,
    failures: u64,
    failing_since: Option<Time>,
    disabled_at: Option<Time>,
    last_success_at: Option<Time>,
    last_failure_at: Option<Time>,
    /// The route whose runs are its deliveries.
    route: String,
    /// By status.
    runs: BTreeMap<String, u64>,
}

/// An endpoint that is sent to again.
#[derive(Debug, JsonSchema)]
pub(super) struct EnabledWebhook {
    webhook: String,
    enabled: bool,
    route: String,
}

/// How an endpoint took what was sent to try it.
pub(super) type TestedWebhook = Map<String, Value>;

/// An AsyncAPI document.
#[derive(Debug, JsonSchema)]
pub(super) struct AsyncApi {
    asyncapi: String,
    info: Map<String, Value>,
    channels: Map<String, Value>,
    operations: Map<String, Value>,
}
