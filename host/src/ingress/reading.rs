//! A plugin called on behalf of a source: it may only read, at the true time, in a fresh instance; and what comes of its answer.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::attempt::{Abilities, Attempt, AttemptId, AttemptLimits, AttemptRecord, AttemptTrace, Conduct, NewAttempt, ShownEffect};
use crate::config::{self, Instances, PluginStream};
use crate::engine::{Call, CallEnd, CallOutcome};
use crate::event::{Data, Event};
use crate::run::{FailureKind, StepFailure};
use crate::runtime::{Intake, Runtime};
use crate::store::{JournalSnapshot, KeySettlement, NewEvent, NewSetAside, SetAsideKind};
use crate::telemetry::{Span, TraceContext};
use crate::worker;

/// How long a call waits for one of its plugin's slots.
const SLOT_WAIT: Duration = Duration::from_millis(500);
/// Longest URL of a request that is shown.
const MAX_URL: usize = 512;

/// What a source asks a plugin for.
#[derive(Debug, Clone)]
pub struct Asked<'a> {
    /// Name of the source.
    pub source: &'a str,
    /// Of which plugin, and what.
    pub stream: &'a PluginStream,
    /// More for its context: `since`, `until`.
    pub context: Map<String, Value>,
}

/// How a call went.
#[derive(Debug)]
pub struct Reading {
    /// Its answer, unchecked, or why there is none.
    pub outcome: Result<CallOutcome, StepFailure>,
    /// The credential was refused, and there is a newer one.
    pub renewed: bool,
    /// Key-value writes that are to be kept with what it brought.
    pub keys: Option<KeySettlement>,
    /// For people, JSON: requests and log lines.
    pub shown: Value,
    /// Where in a trace the call stands: what it brings goes on from there.
    pub trace: Option<TraceContext>,
}

impl Reading {
    fn without_call(kind: FailureKind, reason: String) -> Reading {
        Reading {
            outcome: Err(StepFailure::new(kind, reason)),
            renewed: false,
            keys: None,
            shown: json!({ "requests": [], "logs": [] }),
            trace: None,
        }
    }
}

/// Calls a plugin; `call` makes the call from its context.
pub async fn read(runtime: &Arc<Runtime>, asked: Asked<'_>, call: impl FnOnce(String) -> Call) -> Reading {
    let present = runtime.present();
    let name = &asked.stream.plugin;
    let (Some(plugin), Some(grants)) = (present.revision.plugins.get(name), present.plugins.get(name)) else {
        return Reading::without_call(FailureKind::Unavailable, format!("the configuration has no plugin {name:?}"));
    };
    let Ok(slot) = tokio::time::timeout(SLOT_WAIT, grants.slots.acquire()).await else {
        let why = format!("plugin {name} has all its {} calls under way (concurrency)", grants.config.concurrency);
        return Reading::without_call(FailureKind::Busy, why);
    };
    let started = Instant::now();
    let changes = *runtime.broker.changes().borrow();
    let limits = grants.config.limits;
    let id = AttemptId {
        run: String::new(),
        // What is random differs from call to call: nothing is ever repeated.
        root: Uuid::new_v4().to_string(),
        fence: 0,
        step: format!("source/{}", asked.source),
        round: 0,
        number: 1,
        plugin: name.clone(),
        component: plugin.component.digest.clone(),
    };
    let tracing = runtime.export.tracing();
    let (trace, _) = tracing.of_event(&id.root, None);
    let began = runtime.clock.now();
    let attempt = Attempt::new(NewAttempt {
        id,
        abilities: Abilities::ReadOnly,
        conduct: Conduct::Real { journal: false, record_reads: false },
        holds: false,
        limits: AttemptLimits::new(&limits, started),
        input: String::new(),
        started_at: began,
        trace: AttemptTrace::new(&trace, tracing),
        store: runtime.store.clone(),
        outbound: Some(grants.outbound.clone()),
        snapshot: JournalSnapshot::default(),
        random_secret: runtime.random_secret,
        behind: None,
        cancel: runtime.abandon.clone(),
    });
    let mut context = asked.context;
    context.insert("source".to_owned(), json!(asked.source));
    context.insert("deadline".to_owned(), json!(attempt.surroundings().clock.after(limits.time).to_string()));
    context.insert("traceparent".to_owned(), json!(trace.traceparent()));
    context.insert("configuration".to_owned(), plugin.config.config.clone());
    let call = call(Value::Object(context).to_string());
    let called = Instant::now();
    let end = runtime.engine.call(&plugin.code, &limits, Instances::PerCall, attempt, call).await;
    grants.used.note(&end, called.elapsed());
    let CallEnd { outcome, mut record, cpu, .. } = end;
    drop(slot);
    runtime.metrics.call_used(name, cpu.as_secs_f64());
    if trace.is_recorded() {
        let span = Span::new(trace.clone(), None, format!("source {}", asked.source), began, started.elapsed())
            .text("sangam.source", asked.source)
            .text("sangam.plugin", name)
            .text("sangam.plugin.digest", &plugin.component.digest)
            .number("sangam.cpu_ms", cpu.as_millis());
        runtime.export.record(match worker::error_of(&outcome) {
            Some(kind) => span.failed(kind),
            None => span,
        });
    }
    worker::record_requests(runtime, &trace, began, std::mem::take(&mut record.sent));
    for effect in record.effects.iter().filter(|effect| effect.kind == "http") {
        let host = effect.host();
        runtime.metrics.request_sent(name, &host, effect.status);
        runtime.series.request_sent(runtime.clock.now(), name, &host, effect.status);
    }
    let (outcome, failure) = match worker::ended_well(outcome, &limits, "limits.time") {
        Ok(outcome) => (Some(outcome), None),
        Err(failure) => (None, Some(failure)),
    };
    let (mut failure, cannot_renew) = worker::credential_looked_at(runtime, failure, &record).await;
    if let Some(failure) = &mut failure {
        worker::mask_failure(&runtime.broker, failure);
    }
    worker::mask_log(&runtime.broker, &mut record.log);
    // A credential that changed since the call began is a newer one, whoever brought it.
    let renewed = !cannot_renew || *runtime.broker.changes().borrow() != changes;
    let shown = shown(&record);
    let keys = Some(record.keys).filter(|keys| !(keys.unclaimed.is_empty() && keys.writes.is_empty()));
    let outcome = match (outcome, failure) {
        (Some(outcome), None) => Ok(outcome),
        (_, failure) => Err(failure.unwrap_or_else(|| StepFailure::new(FailureKind::InvalidOutput, "the plugin gave no answer"))),
    };
    Reading { outcome, renewed, keys, shown, trace: Some(trace).filter(|trace| trace.is_known) }
}

/// Requests without their queries, where people's names may stand, and lines of the log.
fn shown(record: &AttemptRecord) -> Value {
    let requests: Vec<Value> = record.effects.iter().filter(|effect| effect.kind == "http").map(request).collect();
    json!({ "requests": requests, "logs": record.log })
}

fn request(effect: &ShownEffect) -> Value {
    let mut url = effect.url.split(['?', '#']).next().unwrap_or_default().to_owned();
    url.truncate(url.floor_char_boundary(MAX_URL.min(url.len())));
    json!({
        "method": effect.method,
        "url": url,
        "status": effect.status,
        "state": effect.state.as_str(),
        "duration_ms": effect.duration_ms,
        "error": effect.error,
    })
}

/// What a plugin brought, sorted.
#[derive(Debug, Default)]
pub(super) struct Brought {
    /// Events that come in.
    pub(super) events: Vec<NewEvent>,
    /// Those that may not, each with its reason.
    pub(super) set_aside: Vec<NewSetAside>,
    /// The newest time of all of them.
    pub(super) newest: Option<Timestamp>,
    /// How many were left out since they are after `until`.
    pub(super) beyond: usize,
}

/// Makes events of a plugin's texts. Each gets its source, and an id where it has none: what it says, so that seeing it again brings in nothing twice.
/// One that may not come in is set aside, and the others go on.
pub(super) async fn events(
    runtime: &Runtime,
    source: &config::Source,
    stream: &PluginStream,
    texts: &[String],
    until: Option<Timestamp>,
) -> Brought {
    let mut brought = Brought::default();
    let mut ordinals: HashMap<String, u32> = HashMap::new();
    let present = runtime.present();
    let plugin = present.plugins.get(&stream.plugin).map(|plugin| plugin.config.clone());
    let intake = Intake::new(runtime);
    for text in texts {
        let event = match event(source, text, &mut ordinals) {
            Ok(event) => event,
            Err(reason) => {
                brought.set_aside.push(aside(runtime, source, SetAsideKind::Event, text, &reason));
                continue;
            }
        };
        let time = event.time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
        if until.is_some_and(|until| time.is_some_and(|time| time >= until)) {
            brought.beyond += 1;
            continue;
        }
        brought.newest = brought.newest.max(time);
        match admitted(&intake, plugin.as_deref(), &event).await {
            Ok(event) => brought.events.push(event),
            Err(reason) => {
                let whole = event.to_text();
                brought.set_aside.push(aside(runtime, source, SetAsideKind::Event, &whole, &reason));
            }
        }
    }
    brought
}

/// An event that was set aside, tried again as it is kept.
///
/// # Errors
/// Why it still may not come in.
pub(super) async fn again(runtime: &Runtime, source: &config::Source, text: &str) -> Result<NewEvent, String> {
    let event = event(source, text, &mut HashMap::new())?;
    let present = runtime.present();
    let plugin = source.stream().and_then(|stream| present.plugins.get(&stream.plugin)).map(|plugin| plugin.config.clone());
    admitted(&Intake::new(runtime), plugin.as_deref(), &event).await
}

fn event(source: &config::Source, text: &str, ordinals: &mut HashMap<String, u32>) -> Result<Event, String> {
    let mut value: Value = serde_json::from_str(text).map_err(|error| format!("it is not JSON: {error}"))?;
    let Some(members) = value.as_object_mut() else { return Err("it is not an object".to_owned()) };
    members.insert("specversion".to_owned(), json!("1.0"));
    members.insert("source".to_owned(), json!(source.uri()));
    if !members.contains_key("id") {
        let id = id_of(&Value::Object(members.clone()), ordinals);
        members.insert("id".to_owned(), json!(id));
    }
    let event = Event::from_structured(value).map_err(|error| format!("it is no CloudEvent: {error}"))?;
    event.check_emitted().map_err(|error| format!("it is refused: {error}"))?;
    Ok(event)
}

/// What identifies an event that has no id: what it says, and its place among those of the page that say the same.
fn id_of(event: &Value, ordinals: &mut HashMap<String, u32>) -> String {
    let digest: String = Sha256::digest(event.to_string().as_bytes())[..16].iter().map(|byte| format!("{byte:02x}")).collect();
    let ordinal = ordinals.entry(digest.clone()).or_insert(0);
    *ordinal += 1;
    if *ordinal == 1 { digest } else { format!("{digest}/{ordinal}") }
}

/// What is stored of an event, if it may come in. A source without a plugin needs no grant.
async fn admitted(intake: &Intake<'_>, plugin: Option<&config::Plugin>, event: &Event) -> Result<NewEvent, String> {
    if let Some(plugin) = plugin
        && !plugin.grants.emits.iter().any(|pattern| pattern.matches(&event.event_type))
    {
        return Err(format!(
            "plugin {} may not bring in events of type {:?}; the administrator can add the type to its emits",
            plugin.name, event.event_type
        ));
    }
    if matches!(event.data, Data::Binary(_)) {
        return Err("its data is bytes, not JSON".to_owned());
    }
    intake.prepare(event, None).await.map_err(|error| error.to_string())
}

/// Something that is set aside, credentials taken out of it.
pub(super) fn aside(runtime: &Runtime, source: &config::Source, kind: SetAsideKind, text: &str, reason: &str) -> NewSetAside {
    let (mut text, mut reason) = (text.to_owned(), reason.to_owned());
    runtime.broker.redact_text(&mut text);
    runtime.broker.redact_text(&mut reason);
    NewSetAside::new(&source.name, kind, text.into_bytes(), reason, runtime.clock.now())
}
