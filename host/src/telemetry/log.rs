//! The log of this process on standard error: lines for a person at a terminal, JSON for a program elsewhere.
//!
//! Every JSON line says which host wrote it, under which configuration, and where in a trace it stands. Lines are also led to a collector, once the
//! configuration has said that they are.

use std::fmt::{self, Debug};
use std::sync::{Arc, PoisonError, RwLock};

use jiff::Timestamp;
use opentelemetry::Context;
use opentelemetry::trace::{TraceContextExt as _, TraceId};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_sdk::logs::SdkLoggerProvider;
use serde_json::{Map, Value, json};
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{Compact, Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, reload};

use super::otlp::LogSink;
use super::trace::TraceContext;
use crate::config::LogStyle;

/// What is logged where nobody says otherwise.
const DEFAULT: &str = "info,sqlx=warn";

/// Hands of the log that this process has started.
pub struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    facts: Facts,
    sink: LogSink,
    is_terminal: bool,
}

/// What every line says of its host.
#[derive(Debug, Clone)]
pub struct LogFacts {
    /// Its name in leases.
    pub host: String,
    /// Number of the configuration that is present.
    pub revision: watch::Receiver<i64>,
}

#[derive(Debug, Clone)]
struct Facts(Arc<RwLock<(bool, Option<LogFacts>)>>);

/// Starts the log of this process, filtered by `SANGAM_LOG` (default `info`), until the configuration says otherwise. A second start in one process
/// (tests) keeps the first, and leads nowhere.
pub fn start_log() -> Log {
    use std::io::IsTerminal as _;
    let is_terminal = std::io::stderr().is_terminal();
    let filter = EnvFilter::try_from_env("SANGAM_LOG").unwrap_or_else(|_| DEFAULT.into());
    let (filter, handle) = reload::Layer::new(filter);
    let facts = Facts(Arc::new(RwLock::new((!is_terminal, None))));
    let sink = LogSink::default();
    let provider = SdkLoggerProvider::builder().with_log_processor(sink.clone()).build();
    let lines = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        .with_ansi(is_terminal)
        .event_format(Lines { facts: facts.clone(), text: Format::default().compact() });
    let _ = tracing_subscriber::registry().with(filter).with(lines).with(OpenTelemetryTracingBridge::new(&provider)).try_init();
    Log { filter: handle, facts, sink, is_terminal }
}

impl Log {
    /// Goes on as `[telemetry] log` wants, with what lines say of the host. `SANGAM_LOG` counts more than the file: it is what somebody sets who
    /// looks for something now.
    pub fn configure(&self, style: &LogStyle, facts: LogFacts) -> LogSink {
        let json = style.json.unwrap_or(!self.is_terminal);
        *self.facts.0.write().unwrap_or_else(PoisonError::into_inner) = (json, Some(facts));
        if let (Some(level), true) = (&style.level, std::env::var_os("SANGAM_LOG").is_none()) {
            // It was tried when the configuration was read.
            let _ = self.filter.reload(EnvFilter::new(level));
        }
        self.sink.clone()
    }
}

/// Where what follows stands, for the lines that are logged on the way.
pub fn within(context: &TraceContext) -> Context {
    Context::new().with_remote_span_context(super::span::span_context(context, true))
}

struct Lines {
    facts: Facts,
    text: Format<Compact>,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let facts = self.facts.0.read().unwrap_or_else(PoisonError::into_inner);
        let (json, facts) = &*facts;
        if !json {
            return self.text.format_event(context, writer, event);
        }
        let mut fields = Fields(Map::new());
        event.record(&mut fields);
        let metadata = event.metadata();
        // In the order in which people read.
        write!(
            writer,
            r#"{{"timestamp":"{}","level":"{}","target":{},"fields":{}"#,
            Timestamp::now(),
            metadata.level(),
            json!(metadata.target()),
            Value::Object(fields.0)
        )?;
        if let Some(facts) = facts {
            write!(writer, r#","host":{},"revision":{}"#, json!(facts.host), *facts.revision.borrow())?;
        }
        Context::map_current(|current| {
            let active = current.span();
            let span = active.span_context();
            if span.trace_id() == TraceId::INVALID {
                return Ok(());
            }
            write!(writer, r#","trace_id":"{}","span_id":"{}""#, span.trace_id(), span.span_id())
        })?;
        writeln!(writer, "}}")
    }
}

/// Fields of a line as JSON.
struct Fields(Map<String, Value>);

impl Visit for Fields {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.0.insert(field.name().to_owned(), json!(value));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        // Fields of the `log` crate's lines.
        let name = field.name().strip_prefix("r#").unwrap_or(field.name());
        self.0.insert(name.to_owned(), json!(format!("{value:?}")));
    }
}
