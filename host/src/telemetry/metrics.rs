//! The metrics, by the names that dashboards rely on.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Most sources that get a label of their own; the label is the sender's text and must not grow without bound.
const MAX_SOURCES: usize = 200;

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct SourceLabel {
    source: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct DeliveryLabel {
    source: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RunLabel {
    route: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AttemptLabel {
    plugin: String,
    action: String,
    outcome: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ActionLabel {
    plugin: String,
    action: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabel {
    plugin: String,
    host: String,
    status: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PluginLabel {
    plugin: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RefreshLabel {
    credential: String,
    outcome: String,
}

/// All metrics of a host.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    accepted: Family<SourceLabel, Counter>,
    duplicates: Counter,
    deliveries: Family<DeliveryLabel, Counter>,
    runs: Family<RunLabel, Counter>,
    attempts: Family<AttemptLabel, Counter>,
    step_seconds: Family<ActionLabel, Histogram, fn() -> Histogram>,
    call_seconds: Family<ActionLabel, Histogram, fn() -> Histogram>,
    requests: Family<RequestLabel, Counter>,
    canary_rollbacks: Family<PluginLabel, Counter>,
    queue_depth: Gauge<i64, AtomicI64>,
    oldest_pending: Gauge<f64, AtomicU64>,
    refreshes: Family<RefreshLabel, Counter>,
    sources: std::sync::Mutex<std::collections::HashSet<String>>,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

impl Default for Metrics {
    fn default() -> Metrics {
        let mut registry = Registry::with_prefix("sangam");
        let metrics = Metrics {
            accepted: Family::default(),
            duplicates: Counter::default(),
            deliveries: Family::default(),
            runs: Family::default(),
            attempts: Family::default(),
            step_seconds: Family::new_with_constructor(seconds),
            call_seconds: Family::new_with_constructor(seconds),
            requests: Family::default(),
            canary_rollbacks: Family::default(),
            queue_depth: Gauge::default(),
            oldest_pending: Gauge::default(),
            refreshes: Family::default(),
            sources: std::sync::Mutex::default(),
            registry: Registry::default(),
        };
        // The library adds `_total` to counters.
        registry.register("events_accepted", "Events taken in and durable", metrics.accepted.clone());
        registry.register("events_duplicate", "Events that were known already", metrics.duplicates.clone());
        registry.register("source_deliveries", "Requests to webhooks by what became of them", metrics.deliveries.clone());
        registry.register("runs", "Runs that ended", metrics.runs.clone());
        registry.register("step_attempts", "Attempts at steps", metrics.attempts.clone());
        registry.register("step_duration_seconds", "From the start of an attempt to its settling", metrics.step_seconds.clone());
        registry.register("plugin_call_duration_seconds", "Calls of plugins", metrics.call_seconds.clone());
        registry.register("outbound_requests", "Requests sent for plugins", metrics.requests.clone());
        registry.register("canary_rollbacks", "Canaries rolled back by this host", metrics.canary_rollbacks.clone());
        registry.register("queue_depth", "Runs that have not ended", metrics.queue_depth.clone());
        registry.register("oldest_pending_seconds", "Age of the oldest due run that waits for a worker", metrics.oldest_pending.clone());
        registry.register("credential_refreshes", "Refreshes of credentials", metrics.refreshes.clone());
        Metrics { registry, ..metrics }
    }
}

impl Metrics {
    /// An event is durable.
    pub fn accepted(&self, source: &str, duplicate: bool) {
        if duplicate {
            self.duplicates.inc();
            return;
        }
        let mut sources = self.sources.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let label =
            if sources.contains(source) || (sources.len() < MAX_SOURCES && sources.insert(source.to_owned())) { source } else { "(other)" };
        self.accepted.get_or_create(&SourceLabel { source: label.to_owned() }).inc();
    }

    /// A request came to a source that is configured: `taken`, `set-aside` or `refused`.
    pub fn delivery(&self, source: &str, outcome: &str) {
        self.deliveries.get_or_create(&DeliveryLabel { source: source.to_owned(), outcome: outcome.to_owned() }).inc();
    }

    /// A run ended.
    pub fn run_ended(&self, route: &str, status: &str) {
        self.runs.get_or_create(&RunLabel { route: route.to_owned(), status: status.to_owned() }).inc();
    }

    /// An attempt ended: how, and how long it and the call within it took, in seconds.
    pub fn attempt_ended(&self, plugin: &str, action: &str, outcome: &str, step_seconds: f64, call_seconds: f64) {
        let (plugin, action) = (plugin.to_owned(), action.to_owned());
        let label = ActionLabel { plugin: plugin.clone(), action: action.clone() };
        self.attempts.get_or_create(&AttemptLabel { plugin, action, outcome: outcome.to_owned() }).inc();
        self.step_seconds.get_or_create(&label).observe(step_seconds);
        self.call_seconds.get_or_create(&label).observe(call_seconds);
    }

    /// A canary failed too often.
    pub fn canary_rolled_back(&self, plugin: &str) {
        self.canary_rollbacks.get_or_create(&PluginLabel { plugin: plugin.to_owned() }).inc();
    }

    /// A request left (or failed to): status, or `error`.
    pub fn request_sent(&self, plugin: &str, host: &str, status: Option<u16>) {
        let status = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        self.requests.get_or_create(&RequestLabel { plugin: plugin.to_owned(), host: host.to_owned(), status }).inc();
    }

    /// Everything in Prometheus' text format, with what was looked up for it.
    pub fn encode(&self, queue_depth: u64, oldest_pending_seconds: f64, refreshes: &[(String, u64, u64)]) -> String {
        self.queue_depth.set(i64::try_from(queue_depth).unwrap_or(i64::MAX));
        self.oldest_pending.set(oldest_pending_seconds);
        for (credential, well, badly) in refreshes {
            for (outcome, count) in [("ok", well), ("failed", badly)] {
                let label = RefreshLabel { credential: credential.clone(), outcome: outcome.to_owned() };
                // The broker counts; this shows its count.
                self.refreshes.get_or_create(&label).inner().store(*count, Ordering::Relaxed);
            }
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        text
    }
}
