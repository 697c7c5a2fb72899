//! The metrics, by the names that dashboards rely on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::looked::{COUNTERS, GAUGES, Sample};
use super::writer_figures::WriterFigures;

/// Most sources that get a label of their own; the label is the sender's text and must not grow without bound.
const MAX_SOURCES: usize = 200;
/// Most hosts of a plugin's requests that get a label of their own: with a wildcard in `allow-hosts` the plugin makes their names up.
const MAX_HOSTS: usize = 50;
/// What all others are counted under.
const OTHER: &str = "(other)";

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

type Labels = Vec<(&'static str, String)>;
type GaugeFamily = Family<Labels, Gauge<f64, AtomicU64>>;
type CounterFamily = Family<Labels, Counter<f64, AtomicU64>>;
/// Families of values that are looked up, by name.
type Looked = (BTreeMap<&'static str, GaugeFamily>, BTreeMap<&'static str, CounterFamily>);

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
    cpu_seconds: Family<PluginLabel, Counter<f64, AtomicU64>>,
    batches: Family<ActionLabel, Counter>,
    batched_runs: Family<ActionLabel, Counter>,
    sources: Mutex<HashSet<String>>,
    hosts: Mutex<HashMap<String, HashSet<String>>>,
    /// What is looked up when somebody asks, by name. Only one asks at a time.
    looked: Mutex<Looked>,
}

fn seconds() -> Histogram {
    Histogram::new([
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
    ])
}

impl Metrics {
    /// None has counted anything yet; the store counts its writes itself.
    pub fn new(writer: &WriterFigures) -> Metrics {
        let mut all = Registry::default();
        let mut metrics = Metrics {
            accepted: Family::default(),
            duplicates: Counter::default(),
            deliveries: Family::default(),
            runs: Family::default(),
            attempts: Family::default(),
            step_seconds: Family::new_with_constructor(seconds),
            call_seconds: Family::new_with_constructor(seconds),
            requests: Family::default(),
            canary_rollbacks: Family::default(),
            cpu_seconds: Family::default(),
            batches: Family::default(),
            batched_runs: Family::default(),
            sources: Mutex::default(),
            hosts: Mutex::default(),
            looked: Mutex::default(),
            registry: Registry::default(),
        };
        let registry = all.sub_registry_with_prefix("sangam");
        // The library adds `_total` to counters, and the unit.
        registry.register("events_accepted", "Events taken in and durable", metrics.accepted.clone());
        registry.register("events_duplicate", "Events that were known already", metrics.duplicates.clone());
        registry.register("source_deliveries", "Requests to webhooks by what became of them", metrics.deliveries.clone());
        registry.register("runs", "Runs that ended", metrics.runs.clone());
        registry.register("step_attempts", "Attempts at steps", metrics.attempts.clone());
        let unit = || Unit::Seconds;
        registry.register_with_unit("step_duration", "From the start of an attempt to its settling", unit(), metrics.step_seconds.clone());
        registry.register_with_unit("plugin_call_duration", "Calls of plugins", unit(), metrics.call_seconds.clone());
        registry.register_with_unit("plugin_cpu", "Processor time of calls of plugins", unit(), metrics.cpu_seconds.clone());
        registry.register("batches", "Calls of actions made for several runs at once", metrics.batches.clone());
        registry.register("batched_runs", "Runs in calls that were made for several at once", metrics.batched_runs.clone());
        registry.register("outbound_requests", "Requests sent for plugins", metrics.requests.clone());
        registry.register("canary_rollbacks", "Canaries rolled back by this host", metrics.canary_rollbacks.clone());
        let help = "Transactions of the store, from their beginning to the end of the flush";
        registry.register_with_unit("store_commit", help, unit(), writer.commits.clone());
        registry.register("store_transaction_writes", "Writes that shared a transaction of the store", writer.writes.clone());
        registry.register("store_write_failures", "Transactions of the store that failed", writer.failures.clone());
        let (mut gauges, mut counters) = (BTreeMap::new(), BTreeMap::new());
        for (name, help) in GAUGES {
            let family = GaugeFamily::default();
            register(&mut all, name, help, family.clone());
            gauges.insert(*name, family);
        }
        for (name, help) in COUNTERS {
            let family = CounterFamily::default();
            register(&mut all, name.trim_end_matches("_total"), help, family.clone());
            counters.insert(*name, family);
        }
        metrics.looked = Mutex::new((gauges, counters));
        metrics.registry = all;
        metrics
    }

    /// An event is durable.
    pub fn accepted(&self, source: &str, duplicate: bool) {
        if duplicate {
            self.duplicates.inc();
            return;
        }
        let mut sources = self.sources.lock().unwrap_or_else(PoisonError::into_inner);
        let label = bounded(&mut sources, source, MAX_SOURCES);
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

    /// Processor time of a call.
    pub fn call_used(&self, plugin: &str, cpu_seconds: f64) {
        self.cpu_seconds.get_or_create(&PluginLabel { plugin: plugin.to_owned() }).inc_by(cpu_seconds);
    }

    /// A call for several runs at once.
    pub fn batch_ended(&self, plugin: &str, action: &str, runs: usize) {
        let label = ActionLabel { plugin: plugin.to_owned(), action: action.to_owned() };
        self.batches.get_or_create(&label).inc();
        self.batched_runs.get_or_create(&label).inc_by(runs as u64);
    }

    /// A request left (or failed to): status, or `error`.
    pub fn request_sent(&self, plugin: &str, host: &str, status: Option<u16>) {
        let status = match status {
            None => "error".to_owned(),
            Some(status @ 100..600) => status.to_string(),
            // The specification ends there; what a server makes up must not become labels.
            Some(_) => OTHER.to_owned(),
        };
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let host = bounded(hosts.entry(plugin.to_owned()).or_default(), host, MAX_HOSTS).to_owned();
        drop(hosts);
        self.requests.get_or_create(&RequestLabel { plugin: plugin.to_owned(), host, status }).inc();
    }

    /// Everything in OpenMetrics' text format, with what was looked up for it.
    pub fn encode(&self, samples: &[Sample]) -> String {
        let looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        let (gauges, counters) = &*looked;
        // What is gone since the last time has no value any more.
        gauges.values().for_each(Family::clear);
        for sample in samples {
            let labels = || sample.labels.iter().map(|(name, value)| (*name, value.clone())).collect::<Labels>();
            if let Some(family) = gauges.get(sample.name) {
                family.get_or_create(&labels()).set(sample.value);
            } else if let Some(family) = counters.get(sample.name) {
                // Somebody else counts; this shows the count.
                family.get_or_create(&labels()).inner().store(sample.value.to_bits(), Ordering::Relaxed);
            }
        }
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        let mut plain = String::with_capacity(text.len());
        for line in text.lines() {
            // Whole numbers are written as such, whatever type counts them.
            let line = if line.starts_with('#') { line } else { line.strip_suffix(".0").unwrap_or(line) };
            // A family without labels has braces with nothing in them.
            match line.split_once("{} ") {
                Some((name, value)) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
                    plain.push_str(name);
                    plain.push(' ');
                    plain.push_str(value);
                }
                _ => plain.push_str(line),
            }
            plain.push('\n');
        }
        describe_empty(&mut plain);
        plain
    }
}

/// What has no value on this host is described all the same: whoever writes a rule sees what there is.
fn describe_empty(text: &mut String) {
    let end = text.find("# EOF\n").unwrap_or(text.len());
    let mut empty = String::new();
    let counters = COUNTERS.iter().map(|(name, help)| (name.trim_end_matches("_total"), help, "counter"));
    for (name, help, kind) in GAUGES.iter().map(|(name, help)| (*name, help, "gauge")).chain(counters) {
        if !text.contains(&format!("# TYPE {name} ")) {
            empty.push_str(&format!("# HELP {name} {help}.\n# TYPE {name} {kind}\n"));
        }
    }
    text.insert_str(end, &empty);
}

/// The same in Prometheus' own text format (0.0.4): there a counter's description has its whole name, and units and the end have no lines.
pub fn as_prometheus(open_metrics: &str) -> String {
    let is_counter = |name: &str| open_metrics.contains(&format!("# TYPE {name} counter\n"));
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let described = ["# HELP ", "# TYPE "].into_iter().find_map(|start| Some((start, line.strip_prefix(start)?.split_once(' ')?)));
        match described {
            Some((start, (name, rest))) if is_counter(name) => text.push_str(&format!("{start}{name}_total {rest}\n")),
            None if line.starts_with("# ") => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// `_seconds` and `_bytes` are units, which OpenMetrics wants to hear of.
fn register(registry: &mut Registry, name: &str, help: &str, family: impl prometheus_client::registry::Metric) {
    match (name.strip_suffix("_seconds"), name.strip_suffix("_bytes")) {
        (Some(name), _) => registry.register_with_unit(name, help, Unit::Seconds, family),
        (_, Some(name)) => registry.register_with_unit(name, help, Unit::Bytes, family),
        _ => registry.register(name, help, family),
    }
}

fn bounded<'a>(known: &mut HashSet<String>, name: &'a str, most: usize) -> &'a str {
    if known.contains(name) || (known.len() < most && known.insert(name.to_owned())) { name } else { OTHER }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_outsiders_name_gets_no_labels_without_end() {
        let metrics = Metrics::new(&WriterFigures::default());
        for number in 0..1000 {
            metrics.accepted(&format!("/s/{number}"), false);
            metrics.request_sent("p", &format!("h{number}.example"), Some(200 + number));
            metrics.request_sent("q", "one.example", None);
        }
        let text = metrics.encode(&[]);
        let count = |start: &str| text.lines().filter(|line| line.starts_with(start)).count();
        assert_eq!(count("sangam_events_accepted_total{"), MAX_SOURCES + 1);
        assert!(count("sangam_outbound_requests_total{plugin=\"p\"") <= MAX_HOSTS + 401, "{text}");
        assert!(text.contains("sangam_outbound_requests_total{plugin=\"q\",host=\"one.example\",status=\"error\"} 1000"), "{text}");
        assert!(!text.contains("status=\"600\""), "{text}");
    }

    #[test]
    fn what_is_gone_has_no_value_any_more() {
        let metrics = Metrics::new(&WriterFigures::default());
        let sample = |credential: &str| Sample::new("sangam_credential_up", 1.0).with("credential", credential);
        assert!(metrics.encode(&[sample("a"), sample("b")]).contains("sangam_credential_up{credential=\"b\"} 1"));
        let text = metrics.encode(&[sample("a")]);
        assert!(text.contains("credential=\"a\"") && !text.contains("credential=\"b\""), "{text}");
    }
}
