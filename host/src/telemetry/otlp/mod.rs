//! What is sent to a collector by OTLP over HTTP: spans and log lines from bounded queues, metrics from time to time.
//!
//! A collector that is slow, refuses or is gone costs a run nothing: who has something to send puts it into a queue, and never waits.

mod client;
mod logs;
mod metrics;
mod queue;

pub use logs::LogSink;

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::{Method, Request, header};
use jiff::Timestamp;
use opentelemetry::context::FutureExt as _;
use opentelemetry::{Context, InstrumentationScope, KeyValue};
use opentelemetry_http::{Bytes, HttpClient as _};
use opentelemetry_otlp::{LogExporter, Protocol, RetryPolicy, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::logs::{LogBatch, LogExporter as _};
use opentelemetry_sdk::trace::{SpanData, SpanExporter as _};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::looked::Sample;
use super::span::Span;
use super::trace::Tracing;
use crate::config;
use crate::credentials::{SecretError, Vault};
use client::Collector;
use queue::{Counts, Queue, work};

/// Who made the telemetry.
const SCOPE: &str = "sangam";
/// Longest that what waits is still sent when the host stops.
const LAST: Duration = Duration::from_secs(5);

/// Why nothing can be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// A secret in `headers` can't be had.
    #[error("[telemetry] otlp: the header `{0}` can't be made")]
    Header(String, #[source] SecretError),
    /// TLS can't be set up.
    #[error("[telemetry] otlp: TLS can't be set up")]
    Tls(#[source] crate::tls::TlsError),
    /// The client can't be made.
    #[error("[telemetry] otlp: the way to the collector can't be made")]
    Client(#[source] reqwest::Error),
    /// The exporter refuses its settings, which may come from the environment.
    #[error("[telemetry] otlp: {0}")]
    Exporter(String),
}

/// Who this host is to a collector.
#[derive(Debug, Clone)]
pub struct Identity {
    /// Name in leases.
    pub host: String,
    /// When it began.
    pub started_at: Timestamp,
}

/// The way to a collector, or none.
#[derive(Debug)]
pub struct Export {
    tracing: Tracing,
    spans: Option<Queue<SpanData>>,
    logs: Mutex<Option<Queue<logs::LogLine>>>,
    metrics: Option<Arc<MetricsExport>>,
    counts: [(&'static str, Arc<Counts>); 3],
    scope: InstrumentationScope,
    stop: CancellationToken,
    tasks: TaskTracker,
    resource: Vec<(String, String)>,
}

#[derive(Debug)]
struct MetricsExport {
    http: Collector,
    url: String,
    headers: Vec<(String, String)>,
    interval: Duration,
    started_at: Timestamp,
}

impl Export {
    /// Sends nothing.
    pub fn none(propagate: bool) -> Export {
        Export {
            tracing: Tracing { records: false, propagate, sample: 0.0 },
            spans: None,
            logs: Mutex::default(),
            metrics: None,
            counts: ["traces", "metrics", "logs"].map(|signal| (signal, Arc::default())),
            scope: InstrumentationScope::builder(SCOPE).with_version(env!("CARGO_PKG_VERSION")).build(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            resource: Vec::new(),
        }
    }

    /// Begins to send what `[telemetry]` wants sent. The collector need not be there.
    ///
    /// # Errors
    /// A secret, a certificate or a setting can't be used.
    pub async fn start(config: &config::Telemetry, identity: &Identity, vault: &Vault) -> Result<Export, ExportError> {
        let mut export = Export::none(config.propagate);
        let Some(otlp) = &config.otlp else { return Ok(export) };
        export.resource = resource(config, identity);
        let mut headers = Vec::new();
        for (name, value) in &otlp.headers {
            let value = vault.resolve(value).await.map_err(|error| ExportError::Header(name.clone(), error))?;
            headers.push((name.clone(), value.expose().trim().to_owned()));
        }
        let tls = crate::tls::client_config_trusting(&otlp.authorities).map_err(ExportError::Tls)?;
        let collector = Collector::new(tls, otlp.timeout).map_err(ExportError::Client)?;
        let base = otlp.endpoint.as_str().trim_end_matches('/');
        let attributes = export.resource.iter().map(|(name, value)| KeyValue::new(name.clone(), value.clone()));
        let resource = Resource::builder_empty().with_attributes(attributes).build();
        let refused = |error: opentelemetry_otlp::ExporterBuildError| ExportError::Exporter(super::chain(&error));
        let [traces, metrics, logs] = export.counts.each_ref().map(|(_, counts)| counts.clone());
        if otlp.traces {
            // The client tries again; the exporter would do it by putting a thread to sleep.
            let way = collector.another();
            let exporter = SpanExporter::builder().with_http().with_http_client(way.clone()).with_protocol(Protocol::HttpBinary);
            let exporter = exporter.with_endpoint(format!("{base}/v1/traces")).with_timeout(otlp.timeout);
            let exporter = exporter.with_headers(all(&headers)).with_retry_policy(RetryPolicy::disabled());
            let mut exporter = exporter.build().map_err(refused)?;
            exporter.set_resource(&resource);
            let (queue, spans) = Queue::new(otlp.queue, traces.clone());
            export.spans = Some(queue);
            export.tracing.records = true;
            export.tracing.sample = otlp.sample;
            let stop = export.stop.clone();
            export.spawn(work(spans, stop, async move |batch: Vec<SpanData>| {
                let many = batch.len();
                let result = exporter.export(batch).await;
                traces.note("traces", many, result.map_err(|error| way.trouble().unwrap_or_else(|| super::chain(&error))));
            }));
        }
        if otlp.logs {
            let way = collector.another();
            let exporter = LogExporter::builder().with_http().with_http_client(way.clone()).with_protocol(Protocol::HttpBinary);
            let exporter = exporter.with_endpoint(format!("{base}/v1/logs")).with_timeout(otlp.timeout);
            let exporter = exporter.with_headers(all(&headers)).with_retry_policy(RetryPolicy::disabled());
            let mut exporter = exporter.build().map_err(refused)?;
            exporter.set_resource(&resource);
            let (queue, lines) = Queue::new(otlp.queue, logs.clone());
            export.logs = Mutex::new(Some(queue));
            let stop = export.stop.clone();
            export.spawn(work(lines, stop, async move |batch: Vec<logs::LogLine>| {
                let many = batch.len();
                let lines: Vec<_> = batch.iter().map(|(record, scope)| (record, scope)).collect();
                let result = exporter.export(LogBatch::new(&lines)).await;
                let result = result.map_err(|error| way.trouble().unwrap_or_else(|| super::chain(&error)));
                logs.note("logs", many, result);
            }));
        }
        if otlp.metrics {
            drop(metrics);
            export.metrics = Some(Arc::new(MetricsExport {
                http: collector,
                url: format!("{base}/v1/metrics"),
                headers: of_environment(headers),
                interval: otlp.interval,
                started_at: identity.started_at,
            }));
        }
        Ok(export)
    }

    /// What is sent of itself makes no telemetry.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task.with_context(Context::new().with_telemetry_suppressed()));
    }

    /// How traces are recorded and handed on.
    pub fn tracing(&self) -> Tracing {
        self.tracing
    }

    /// Something has ended. Never waits; what is not recorded costs nothing.
    pub fn record(&self, span: Span) {
        if let Some(queue) = &self.spans
            && span.is_recorded()
        {
            queue.put(span.into_data(&self.scope));
        }
    }

    /// From now on lines of the log go there, too.
    pub fn lead(&self, sink: &LogSink) {
        sink.lead(self.logs.lock().unwrap_or_else(PoisonError::into_inner).clone());
    }

    /// Lines of the log go nowhere any more.
    pub fn lead_nowhere(&self, sink: &LogSink) {
        sink.lead(None);
    }

    /// Sends metrics from time to time, and once more at the end. `measure` gives them as OpenMetrics text; `None`: they can't be told now.
    pub fn send_metrics<M, F>(&self, measure: M)
    where
        M: Fn() -> F + Send + 'static,
        F: Future<Output = Option<String>> + Send,
    {
        let Some(export) = self.metrics.clone() else { return };
        let (stop, counts, resource) = (self.stop.clone(), self.counts[1].1.clone(), self.resource.clone());
        self.spawn(async move {
            let mut tick = tokio::time::interval(export.interval);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut is_last = false;
            while !is_last {
                tokio::select! {
                    _ = tick.tick() => {}
                    () = stop.cancelled() => is_last = true,
                }
                if let Some(text) = measure().await {
                    counts.note("metrics", 1, export.send(&text, &resource).await);
                }
            }
        });
    }

    /// What became of what was to be sent.
    pub fn samples(&self) -> Vec<Sample> {
        if self.resource.is_empty() {
            return Vec::new();
        }
        let count = |name, signal: &str, count: &std::sync::atomic::AtomicU64| {
            Sample::new(name, count.load(Ordering::Relaxed) as f64).with("signal", signal)
        };
        let of_signal = |(signal, counts): &(&'static str, Arc<Counts>)| {
            [
                count("sangam_telemetry_exported_total", signal, &counts.exported),
                count("sangam_telemetry_failed_total", signal, &counts.failed),
                count("sangam_telemetry_dropped_total", signal, &counts.dropped),
            ]
        };
        self.counts.iter().flat_map(of_signal).collect()
    }

    /// Sends what waits, for at most `grace` and no longer than 5 seconds, and nothing more.
    pub async fn close(&self, grace: Duration) {
        *self.logs.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.stop.cancel();
        self.tasks.close();
        // A collector that is not there has had its time.
        let _ = tokio::time::timeout(grace.min(LAST), self.tasks.wait()).await;
    }
}

impl MetricsExport {
    async fn send(&self, text: &str, resource: &[(String, String)]) -> Result<(), String> {
        let nanos = |time: Timestamp| u64::try_from(time.as_nanosecond()).unwrap_or(0);
        let span = metrics::Span { start: nanos(self.started_at), now: nanos(Timestamp::now()) };
        let body = metrics::request(text, resource, SCOPE, span);
        let mut request = Request::builder().method(Method::POST).uri(&self.url).header(header::CONTENT_TYPE, "application/x-protobuf");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request.body(Bytes::from(body)).map_err(|error| error.to_string())?;
        let response = self.http.send_bytes(request).await.map_err(|error| error.to_string())?;
        if response.status().is_success() { Ok(()) } else { Err(format!("it was answered {}", response.status().as_u16())) }
    }
}

fn all(headers: &[(String, String)]) -> HashMap<String, String> {
    headers.iter().cloned().collect()
}

/// The exporters of spans and lines read these variables themselves.
fn of_environment(mut headers: Vec<(String, String)>) -> Vec<(String, String)> {
    let variable = |name: &str| std::env::var(name).ok();
    let text = variable("OTEL_EXPORTER_OTLP_METRICS_HEADERS").or_else(|| variable("OTEL_EXPORTER_OTLP_HEADERS")).unwrap_or_default();
    for (name, value) in text.split(',').filter_map(|pair| pair.split_once('=')) {
        let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
        headers.push((name.trim().to_ascii_lowercase(), value));
    }
    headers
}

/// What everything that is sent says of this host.
fn resource(config: &config::Telemetry, identity: &Identity) -> Vec<(String, String)> {
    let mut resource = vec![
        ("service.name".to_owned(), config.service_name.clone()),
        ("service.version".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
        ("service.instance.id".to_owned(), identity.host.clone()),
        ("telemetry.sdk.name".to_owned(), "opentelemetry".to_owned()),
        ("telemetry.sdk.language".to_owned(), "rust".to_owned()),
        ("telemetry.sdk.version".to_owned(), "0.33".to_owned()),
    ];
    for (name, value) in config.attributes.iter().filter(|(name, _)| name != "service.name") {
        resource.retain(|(known, _)| known != name);
        resource.push((name.clone(), value.clone()));
    }
    resource
}
