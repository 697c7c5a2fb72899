//! `[telemetry]`: where this host's traces, metrics and log lines go, and how its log looks.
//!
//! OpenTelemetry's own environment variables count where the file says nothing: they are how operators set up everything else on the machine.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use url::Url;

use super::authority::authorities;
use super::clear_text::reference;
use super::header::header_name;
use super::item::Item;
use super::model::{Reference, ReferencePart};
use super::origin::is_loopback;
use super::reader::Reader;
use super::reference::{has_reference, resolved};
use super::section::Section;

const DEFAULT_INTERVAL: Duration = Duration::from_secs(60);
const INTERVAL: std::ops::RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
const TIMEOUT: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(120);
/// Some 4 MiB of spans: a minute of a collector's absence at a hundred and thirty spans a second.
const DEFAULT_QUEUE: u32 = 8192;
const QUEUE: std::ops::RangeInclusive<u32> = 16..=1_048_576;
/// Words in the names of headers whose values nobody may see.
const SECRET: [&str; 6] = ["auth", "key", "token", "secret", "cookie", "password"];
/// Levels of the log, and what else `SANGAM_LOG` takes.
const DEFAULT_LEVEL: &str = "info,sqlx=warn";

/// `[telemetry]`.
#[derive(Debug, Clone)]
pub struct Telemetry {
    /// `otlp`; `None`: nothing is sent.
    pub otlp: Option<Otlp>,
    /// `propagate`: requests of plugins, webhooks and messages say where in a trace they stand.
    pub propagate: bool,
    /// `service-name`
    pub service_name: String,
    /// `attributes`: of everything that is sent.
    pub attributes: Vec<(String, String)>,
    /// `log`
    pub log: LogStyle,
}

/// `otlp`: a collector.
#[derive(Debug, Clone)]
pub struct Otlp {
    /// `endpoint`, without the path of a signal.
    pub endpoint: Url,
    /// `headers`
    pub headers: Vec<(String, Reference)>,
    /// `traces`
    pub traces: bool,
    /// `metrics`
    pub metrics: bool,
    /// `logs`
    pub logs: bool,
    /// `interval`: between two times that metrics are sent.
    pub interval: Duration,
    /// `timeout`: for one batch, with everything that is tried again.
    pub timeout: Duration,
    /// `sample`: share of the traces that begin here, 0 to 1.
    pub sample: f64,
    /// `queue`: most spans, and most log lines, that wait to be sent.
    pub queue: usize,
    /// `ca-file`: authorities to trust besides the operating system's.
    pub authorities: Vec<CertificateDer<'static>>,
}

/// `log`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogStyle {
    /// `format`; `None`: lines on a terminal, JSON elsewhere.
    pub json: Option<bool>,
    /// `level`; `None`: `SANGAM_LOG`, or `info`.
    pub level: Option<String>,
    /// `plugins`: what plugins log is written to the host's log, too.
    pub plugins: bool,
}

/// Reads `[telemetry]`.
pub(super) fn telemetry(r: &mut Reader<'_>, mut section: Section<'_>) -> Telemetry {
    let variable =
        |r: &Reader<'_>, name: &str| (r.outside.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let otlp = match section.get("otlp") {
        Some(item) => item.table(r, "`otlp`").and_then(|table| otlp(r, &item, table)),
        None => {
            let off = variable(r, "OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
            let endpoint = variable(r, "OTEL_EXPORTER_OTLP_ENDPOINT").filter(|_| !off);
            endpoint.and_then(|endpoint| of_environment(r, &endpoint))
        }
    };
    let propagate = section.get("propagate").and_then(|item| item.boolean(r)).unwrap_or(true);
    let named = section.get("service-name").and_then(|item| {
        let text = item.text(r)?;
        resolved(r, &text).filter(|name| !name.is_empty())
    });
    let mut attributes: Vec<(String, String)> = Vec::new();
    for pair in variable(r, "OTEL_RESOURCE_ATTRIBUTES").unwrap_or_default().split(',') {
        if let Some((name, value)) = pair.split_once('=') {
            let value = percent_encoding::percent_decode_str(value.trim()).decode_utf8_lossy().into_owned();
            attributes.push((name.trim().to_owned(), value));
        }
    }
    let table = section.get("attributes").and_then(|item| item.table(r, "`attributes`"));
    for item in table.map(|table| table.members()).unwrap_or_default() {
        if let Some(value) = item.text(r).and_then(|text| resolved(r, &text)) {
            attributes.retain(|(name, _)| *name != item.name);
            attributes.push((item.name.clone(), value));
        }
    }
    let of_attributes = attributes.iter().find(|(name, _)| name == "service.name").map(|(_, value)| value.clone());
    let service_name = named.or_else(|| variable(r, "OTEL_SERVICE_NAME")).or(of_attributes).unwrap_or_else(|| "sangam".to_owned());
    let log = section.get("log").and_then(|item| item.table(r, "`log`")).map(|table| log(r, table));
    section.finish(r);
    let log = log.unwrap_or(LogStyle { json: None, level: None, plugins: false });
    Telemetry { otlp, propagate, service_name, attributes, log }
}

fn otlp(r: &mut Reader<'_>, whole: &Item<'_>, mut section: Section<'_>) -> Option<Otlp> {
    let endpoint = match section.get("endpoint") {
        Some(item) => item.text(r).and_then(|text| {
            let value = resolved(r, &text)?;
            let wrong = |message| {
                r.error(&text.span, message).help("write \"http://localhost:4318\", the collector's address for OTLP over HTTP");
            };
            endpoint(&value).map_err(wrong).ok()
        }),
        None => match (r.outside.env)("OTEL_EXPORTER_OTLP_ENDPOINT").as_deref().map(endpoint) {
            Some(Ok(endpoint)) => Some(endpoint),
            _ => {
                r.error(&whole.span, "`otlp` names no collector: `endpoint` is missing").help("write endpoint = \"http://localhost:4318\"");
                None
            }
        },
    };
    let mut headers = Vec::new();
    let header_items = section.get("headers").and_then(|item| item.table(r, "`headers`"));
    for item in header_items.map(|table| table.members()).unwrap_or_default() {
        headers.extend(header(r, &item));
    }
    let flag = |r: &mut Reader<'_>, section: &mut Section<'_>, key: &'static str| {
        section.get(key).and_then(|item| item.boolean(r)).unwrap_or(true)
    };
    let (traces, metrics, logs) = (flag(r, &mut section, "traces"), flag(r, &mut section, "metrics"), flag(r, &mut section, "logs"));
    let interval = section.get("interval").and_then(|item| item.duration(r, INTERVAL)).unwrap_or(DEFAULT_INTERVAL);
    let timeout = section.get("timeout").and_then(|item| item.duration(r, TIMEOUT)).unwrap_or(DEFAULT_TIMEOUT);
    let sample = section.get("sample").and_then(|item| item.number(r, 0.0..=1.0)).unwrap_or(1.0);
    let queue = section.get("queue").and_then(|item| item.count(r, QUEUE)).unwrap_or(DEFAULT_QUEUE);
    let authorities = section.get("ca-file").map(|item| authorities(r, &item)).unwrap_or_default();
    section.finish(r);
    let endpoint = endpoint?;
    let is_clear = endpoint.scheme() == "http" && !is_loopback(endpoint.host_str().unwrap_or_default().trim_matches(['[', ']']));
    if is_clear && headers.iter().any(|(name, _)| is_secret(name)) {
        r.error(&whole.span, "`headers` would show a secret to everyone on the way to the collector: this is not https")
            .help("write an https:// endpoint, or let a collector on this machine hold the secret");
    }
    Some(Otlp { endpoint, headers, traces, metrics, logs, interval, timeout, sample, queue: queue as usize, authorities })
}

/// What the OpenTelemetry specification has variables for. A value that can't be used is reported where the file begins.
fn of_environment(r: &mut Reader<'_>, text: &str) -> Option<Otlp> {
    let variable = |name: &str| (r.outside.env)(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty());
    let wanted = |name: &str| variable(name).is_none_or(|value| value != "none");
    let millis = |name: &str| variable(name).and_then(|value| value.parse().ok()).map(Duration::from_millis);
    let share = variable("OTEL_TRACES_SAMPLER_ARG").and_then(|value| value.parse::<f64>().ok()).filter(|share| (0.0..=1.0).contains(share));
    let sample = match variable("OTEL_TRACES_SAMPLER").as_deref() {
        Some("always_off" | "parentbased_always_off") => 0.0,
        Some("traceidratio" | "parentbased_traceidratio") => share.unwrap_or(1.0),
        _ => 1.0,
    };
    let (traces, metrics, logs) = (wanted("OTEL_TRACES_EXPORTER"), wanted("OTEL_METRICS_EXPORTER"), wanted("OTEL_LOGS_EXPORTER"));
    let interval = millis("OTEL_METRIC_EXPORT_INTERVAL").map_or(DEFAULT_INTERVAL, |it| it.clamp(*INTERVAL.start(), *INTERVAL.end()));
    let timeout = millis("OTEL_EXPORTER_OTLP_TIMEOUT").map_or(DEFAULT_TIMEOUT, |it| it.clamp(*TIMEOUT.start(), *TIMEOUT.end()));
    let endpoint = match endpoint(text) {
        Ok(endpoint) => endpoint,
        Err(message) => {
            r.error(&(0..0), format!("OTEL_EXPORTER_OTLP_ENDPOINT: {message}"));
            return None;
        }
    };
    // The exporter itself reads OTEL_EXPORTER_OTLP_HEADERS.
    Some(Otlp {
        endpoint,
        headers: Vec::new(),
        traces,
        metrics,
        logs,
        interval,
        timeout,
        sample,
        queue: DEFAULT_QUEUE as usize,
        authorities: Vec::new(),
    })
}

fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("`{text}` is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("`{text}` is not an address of OTLP over HTTP: it begins with http:// or https://"));
    }
    if !url.username().is_empty() || url.password().is_some() || url.query().is_some() || url.fragment().is_some() {
        return Err("the address of a collector has neither a user nor a query; a secret goes into `headers`".to_owned());
    }
    Ok(url)
}

fn is_secret(name: &str) -> bool {
    SECRET.iter().any(|word| name.contains(word))
}

fn header(r: &mut Reader<'_>, item: &Item<'_>) -> Option<(String, Reference)> {
    let name = match header_name(&item.name) {
        Ok(name) => name.to_ascii_lowercase(),
        Err(message) => {
            r.error(&item.key, message);
            return None;
        }
    };
    if is_secret(&name) && !item.value.as_str().is_some_and(has_reference) {
        r.hidden.push(item.span.clone());
        r.error(&item.span, format!("`{name}` is a secret and can't stand in the file in clear text"))
            .help("run `sangam secret set NAME` and write \"${secret:NAME}\"; ${env:…} and ${file:…} work too");
        return None;
    }
    let value = reference(r, item)?;
    let is_plain = |part: &ReferencePart| !matches!(part, ReferencePart::Text(text) if text.chars().any(char::is_control));
    if !value.parts.iter().all(is_plain) {
        r.error(&item.span, "the value of a header has no control characters");
        return None;
    }
    Some((name, value))
}

fn log(r: &mut Reader<'_>, mut section: Section<'_>) -> LogStyle {
    let choices = [("auto", None), ("text", Some(false)), ("json", Some(true))];
    let json = section.get("format").and_then(|item| item.choice(r, &choices)).flatten();
    let level = section.get("level").and_then(|item| {
        let text = item.text(r)?;
        let value = resolved(r, &text)?;
        if let Err(why) = value.parse::<tracing_subscriber::EnvFilter>() {
            r.error(&text.span, format!("`{value}` says nothing about a log: {why}"))
                .help(format!("write error, warn, info, debug or trace, or more, such as \"{DEFAULT_LEVEL}\""));
            return None;
        }
        Some(value)
    });
    let plugins = section.get("plugins").and_then(|item| item.boolean(r)).unwrap_or(false);
    section.finish(r);
    LogStyle { json, level, plugins }
}
