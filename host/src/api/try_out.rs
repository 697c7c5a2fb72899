//! `POST /v1/try/…`: expressions and routes tried on a sample, without effects.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use tokio::sync::SemaphorePermit;

use super::Problem;
use super::dry_run_form::WouldBringIn;
use super::event_form::{AttemptFailure, EffectDocument, LogLine};
use super::mistakes::{self, Mistake, mistakes};
use super::order::Order;
use super::redaction::{Redaction, Sees};
use super::shown::Stored;
use crate::access::Caller;
use crate::attempt::Sample;
use crate::audit::{Action, By};
use crate::credentials::Permission;
use crate::event::Event;
use crate::outbound::Response;
use crate::router::Pattern;
use crate::runtime::{IntakeError, Runtime};
use crate::tryout::{self, Asked, Trouble, Tryout};
use crate::worker::{Given, ReadsFrom};

/// Most answers that may be given with a try-out.
const MOST_ANSWERS: usize = 200;
/// What a call that is stopped at its limit may take beyond the time of the try-out.
const GRACE: Duration = Duration::from_secs(5);

/// An expression or a template, and what it sees.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TryExpression {
    /// jq, as `when` and `order-by` have it. Either this or `template`.
    expression: Option<String>,
    /// JSON with `${ … }` in its strings, as `with` has it.
    template: Option<Value>,
    /// What the expression is for; other than `value`, it is checked as such.
    #[serde(default, rename = "as")]
    purpose: Purpose,
    /// `.event`, a CloudEvent in JSON or as much of one as the expression reads.
    event: Option<Value>,
    /// `.steps`, by name: `{"status", "error", "output"}` of each; what is left out is as of a step that has succeeded.
    steps: Option<Map<String, Value>>,
    /// `.status`.
    status: Option<Value>,
    /// `.error`.
    error: Option<Value>,
    /// `.run`.
    run: Option<Map<String, Value>>,
    /// `.output`, of the `until` of a repeated step.
    output: Option<Value>,
    /// `.round`, of a repeated step.
    round: Option<u32>,
}

/// What an expression is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum Purpose {
    /// Its value.
    #[default]
    Value,
    /// A `when`: yes or no.
    When,
    /// An `order-by`: a key.
    OrderBy,
}

/// The value of an expression.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TriedExpression {
    value: Value,
    /// Of a `when`: whether it says yes.
    truth: Option<bool>,
    /// Of an `order-by`: the key; null: such events have no order.
    order_key: Option<String>,
    /// What is allowed but probably not meant.
    warnings: Vec<String>,
}

pub(super) async fn expression(
    State(runtime): State<Arc<Runtime>>,
    Order(order): Order<TryExpression>,
) -> Result<Json<TriedExpression>, Problem> {
    let _room = room(&runtime)?;
    let asked = match (order.expression, order.template, order.purpose) {
        (Some(text), None, Purpose::Value) => Asked::Expression(text),
        (Some(text), None, Purpose::When) => Asked::When(text),
        (Some(text), None, Purpose::OrderBy) => Asked::OrderBy(text),
        (None, Some(template), Purpose::Value) => Asked::Template(template),
        (None, Some(_), _) => return Err(Problem::bad_request("a `when` or an `order-by` is an \"expression\", not a \"template\"")),
        _ => return Err(Problem::bad_request("give either an \"expression\" or a \"template\"")),
    };
    let mut sees = Map::new();
    let seen = [
        ("event", order.event),
        ("steps", order.steps.map(Value::Object)),
        ("status", order.status),
        ("error", order.error),
        ("run", order.run.map(Value::Object)),
        ("output", order.output),
        ("round", order.round.map(Value::from)),
    ];
    sees.extend(seen.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
    match tryout::test(&runtime, &asked, &sees).await {
        Ok(tested) => {
            Ok(Json(TriedExpression { value: tested.value, truth: tested.truth, order_key: tested.order_key, warnings: tested.warnings }))
        }
        Err(trouble) => Err(refused(&trouble)),
    }
}

fn refused(trouble: &Trouble) -> Problem {
    let what = if trouble.compiles { "fails on this sample" } else { "does not compile" };
    let place = trouble.place;
    Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("the expression {what}: {}", trouble.message))
        .with("kind", json!(if trouble.compiles { "evaluation" } else { "compilation" }))
        .with("message", json!(trouble.message))
        .with("pointer", json!(trouble.pointer))
        .with("line", json!(place.map(|place| place.line)))
        .with("column", json!(place.map(|place| place.column)))
        .with("length", json!(place.map(|place| place.length)))
}

/// What is tried of routes, on which event.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct TryRoute {
    /// Only this route. Without it, all that want the event run, and of the others it is told why they don't.
    route: Option<String>,
    /// `[[routes]]` in TOML, tried instead of those that are configured, beside the present plugins.
    toml: Option<String>,
    /// A CloudEvent in JSON. `specversion`, `id` and `source` may be left out.
    event: Option<Map<String, Value>>,
    /// An event that was taken in, instead of `event`.
    eid: Option<String>,
    /// How reads are answered.
    #[serde(default)]
    reads: TryReads,
    /// What systems answer; the first that fits counts.
    #[serde(default)]
    answers: Vec<GivenAnswer>,
    /// What steps give that end at something that is not sent or asked, by name.
    #[serde(default)]
    outputs: BTreeMap<String, Value>,
}

/// How reads are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum TryReads {
    /// Not at all: a step ends where it would ask, unless `answers` has an answer.
    #[default]
    None,
    /// By asking the system, with the plugin's credentials.
    Live,
    /// As they were kept of the runs of `eid` (`record-reads`).
    Recorded,
}

/// An answer in the place of a system.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct GivenAnswer {
    /// HTTP method; `MAIL` and `PUBLISH` of the host's own steps.
    method: String,
    /// The whole URL; `*` stands for any run of characters.
    url: String,
    /// Only of the write of this name.
    name: Option<String>,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// A text as it is, anything else as JSON.
    body: Option<Value>,
}

fn ok() -> u16 {
    200
}

/// Routes as they were tried.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct TriedRoutes {
    /// The event that was tried.
    event: Stored<Map<String, Value>>,
    /// Why intake would refuse the event; nothing is tried then.
    refused: Option<Refused>,
    reads: TryReads,
    /// The revision whose plugins ran.
    revision: i64,
    routes: Stored<Vec<TriedRoute>>,
    /// Of `toml`: what is allowed but probably not meant.
    warnings: Vec<Mistake>,
}

/// Why intake would refuse an event.
#[derive(Debug, Serialize, JsonSchema)]
struct Refused {
    reason: String,
    /// JSON pointer into its data.
    pointer: Option<String>,
}

impl From<IntakeError> for Refused {
    fn from(refused: IntakeError) -> Refused {
        let reason = refused.to_string();
        let pointer = match refused {
            IntakeError::Unfit { pointer, .. } => Some(pointer),
            IntakeError::TooManyHops => None,
        };
        Refused { reason, pointer }
    }
}

/// A route as it was tried.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form: the try-out makes it as JSON, in which what is hidden from somebody is hidden")]
struct TriedRoute {
    name: String,
    wanted: bool,
    why_not: Option<WhyNot>,
    order_key: Option<String>,
    /// Its run would be dead at once.
    dead: Option<DeadAtOnce>,
    steps: Vec<TriedStep>,
}

/// Why a run would be dead at once.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form, as that of the route")]
struct DeadAtOnce {
    reason: String,
}

/// Why a route does not want the event.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form, as that of the route")]
struct WhyNot {
    kind: Unwanted,
    /// The patterns that it wants.
    wants: Vec<String>,
    /// The `when`.
    expression: Option<String>,
    /// What it gave: false or null.
    gave: Option<Value>,
}

/// What of a route does not want an event.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a form, as that of the route")]
enum Unwanted {
    Type,
    Source,
    When,
}

/// A step as it was tried.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form, as that of the route")]
struct TriedStep {
    name: String,
    /// `plugin.action`.
    uses: String,
    needs: Vec<String>,
    when: Option<String>,
    status: TriedStatus,
    /// Of one that is assumed.
    #[serde(skip_serializing_if = "Option::is_none")]
    output_from: Option<OutputFrom>,
    input: Value,
    output: Value,
    error: Option<AttemptFailure>,
    /// Writes that were not sent, in order. The last may have no answer: there the step ended.
    writes: Vec<UnsentWrite>,
    /// All effects, as the timeline of an attempt has them.
    effects: Vec<EffectDocument>,
    /// Events that it would bring in, with the routes that want them.
    events: Vec<WouldBringIn>,
    logs: Vec<LogLine>,
}

/// How far a step came that was tried.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "kebab-case")]
#[expect(dead_code, reason = "a form, as that of the route")]
enum TriedStatus {
    Succeeded,
    /// Its `when` said no.
    Skipped,
    Failed,
    /// At something that is not sent or asked.
    Stopped,
    /// It was stopped, and others go on with an output that was given or is the action's example.
    Assumed,
    NotReached,
}

/// Where the output of a step comes from that did not end.
#[derive(Debug, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[expect(dead_code, reason = "a form, as that of the route")]
enum OutputFrom {
    Given,
    Example,
}

/// A write as it would be sent, without credentials.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form, as that of the route")]
struct UnsentWrite {
    method: String,
    url: String,
    /// Names and values.
    headers: Vec<(String, String)>,
    /// JSON, text, or size and digest.
    body: Value,
    name: Option<String>,
    key: Option<String>,
    answer: Option<WriteAnswer>,
}

/// What a write was answered.
#[derive(Debug, JsonSchema)]
#[expect(dead_code, reason = "a form, as that of the route")]
struct WriteAnswer {
    status: u16,
    body: Value,
}

pub(super) async fn route(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Extension(sees): Extension<Sees>,
    Extension(caller): Extension<Caller>,
    Order(order): Order<TryRoute>,
) -> Result<Json<TriedRoutes>, Problem> {
    let _room = room(&runtime)?;
    may(&order, &caller, &sees)?;
    let revision = runtime.present().revision.clone();
    let (unconfigured, warnings) = match &order.toml {
        Some(text) => tryout::unconfigured(&runtime, text)
            .map(|(routes, warnings)| (Some(routes), warnings))
            .map_err(|found| mistakes::refused("the route can't be used", &found))?,
        None => (None, Vec::new()),
    };
    if let Some(name) = &order.route {
        let known = unconfigured.as_ref().unwrap_or(&revision.config.routes);
        if !known.iter().any(|route| route.name == *name) {
            return Err(Problem::not_found(format!("there is no route {name:?}")));
        }
    }
    let (event, runs) = match (&order.event, &order.eid) {
        (Some(event), None) => (sample(event)?, Vec::new()),
        (None, Some(eid)) => {
            let row = runtime.store.event(eid).await?.ok_or_else(|| Problem::not_found(format!("there is no event {eid}")))?;
            (serde_json::from_str(&row.body).unwrap_or_default(), runtime.store.runs(eid).await?)
        }
        _ => return Err(Problem::bad_request("give either an \"event\" or the \"eid\" of one that was taken in")),
    };
    let mut redaction = Redaction::default();
    let mut event = event;
    if order.eid.is_some() {
        redaction = Redaction::of(&runtime, &event, &runs, &sees).await?;
        // What somebody writes could turn what is hidden into something that is not recognised.
        if unconfigured.is_some() {
            redaction.hide_in_event(&mut event);
        }
    }
    let parsed = Event::from_structured(event.clone());
    let parsed =
        parsed.map_err(|error| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, format!("this is no event that the host takes: {error}")))?;
    if event.to_string().len() > runtime.server.max_event_size {
        return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the event is larger than the host takes (server.max-event-size)"));
    }
    let given = Given { answers: Arc::new(samples(order.answers)?), outputs: order.outputs };
    let reads = match order.reads {
        TryReads::None => ReadsFrom::None,
        TryReads::Live => ReadsFrom::Live,
        TryReads::Recorded => ReadsFrom::Recorded,
    };
    let tryout =
        Tryout { event: parsed, only: order.route, unconfigured, reads, given: Arc::new(given), runs, time: runtime.server.try_time };
    let refused = tryout.refused(&runtime).await;
    if order.reads == TryReads::Live && refused.is_none() {
        // Somebody outside learns of it.
        let about = order.eid.as_deref().unwrap_or("a sample");
        let act = by.did(Action::EventTried, about).with("routes", tryout.only.iter().map(String::as_str).collect::<Vec<_>>());
        runtime.store.audit(act, runtime.clock.now()).await?;
    }
    let mut routes = Vec::new();
    if refused.is_none() {
        let tried = tokio::time::timeout(runtime.server.try_time + GRACE, tryout.run(&runtime)).await;
        let Ok(tried) = tried else {
            let why = format!("it took longer than {:?} (server.try-time)", runtime.server.try_time);
            return Err(Problem::unavailable(&why, Duration::from_secs(1)));
        };
        for one in tried? {
            if order.eid.is_some() {
                redaction.add_route(&one.route, &event);
            }
            redaction.add_tried(&revision, &one.route, &one.shown["steps"], &sees);
            routes.push(one.shown);
        }
    }
    let mut shown = Value::Array(routes);
    redaction.hide_in_document(&mut shown);
    redaction.hide_in_event(&mut event);
    Ok(Json(TriedRoutes {
        event: Stored::new(event),
        refused: refused.map(Refused::from),
        reads: order.reads,
        revision: revision.number,
        routes: Stored::new(shown),
        warnings: mistakes(&warnings),
    }))
}

/// A place among the try-outs of the host.
fn room(runtime: &Runtime) -> Result<SemaphorePermit<'_>, Problem> {
    if runtime.server.try_outs == 0 {
        return Err(Problem::new(StatusCode::FORBIDDEN, "nothing can be tried out at this host (server.try-outs is 0)"));
    }
    runtime.tryouts.try_acquire().map_err(|_| {
        let why = format!("{} try-outs are under way, and no more may be (server.try-outs)", runtime.server.try_outs);
        Problem::too_much(&why, Duration::from_secs(1))
    })
}

/// Routes that somebody writes themselves see more than those that an administrator has configured.
fn may(order: &TryRoute, caller: &Caller, sees: &Sees) -> Result<(), Problem> {
    let refused = |why: &str| Err(Problem::new(StatusCode::FORBIDDEN, why));
    if order.reads == TryReads::Recorded && order.eid.is_none() {
        return Err(Problem::bad_request("\"reads\": \"recorded\" are those of the runs of an \"eid\""));
    }
    if order.toml.is_none() {
        return Ok(());
    }
    if order.reads == TryReads::Live && !caller.may(Permission::Administer) {
        return refused(
            "a route that is not configured may ask systems only for an administrator; leave \"reads\" out, or give \"answers\"",
        );
    }
    if order.reads == TryReads::Recorded && !matches!(sees, Sees::All(_)) {
        return refused("recorded answers are shown to a route that is not configured only for somebody who sees personal data");
    }
    Ok(())
}

/// What somebody need not write.
fn sample(event: &Map<String, Value>) -> Result<Value, Problem> {
    let mut event = event.clone();
    for (name, usual) in [("specversion", "1.0"), ("id", "sample"), ("source", "/sample")] {
        event.entry(name).or_insert_with(|| json!(usual));
    }
    Ok(Value::Object(event))
}

fn samples(given: Vec<GivenAnswer>) -> Result<Vec<Sample>, Problem> {
    if given.len() > MOST_ANSWERS {
        return Err(Problem::bad_request(format!("at most {MOST_ANSWERS} answers may be given")));
    }
    let sample = |(index, given): (usize, GivenAnswer)| {
        let wrong = |why: String| Problem::bad_request(format!("answers[{index}]: {why}"));
        if !(100..600).contains(&given.status) {
            return Err(wrong(format!("{} is no status", given.status)));
        }
        let mut headers: Vec<(String, Vec<u8>)> =
            given.headers.into_iter().map(|(name, value)| (name.to_ascii_lowercase(), value.into_bytes())).collect();
        let body = match given.body {
            None | Some(Value::Null) => Vec::new(),
            Some(Value::String(text)) => text.into_bytes(),
            Some(json) => {
                if !headers.iter().any(|(name, _)| name == "content-type") {
                    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
                }
                json.to_string().into_bytes()
            }
        };
        Ok(Sample {
            method: given.method,
            url: Pattern::parse(&given.url).map_err(|error| wrong(error.to_string()))?,
            name: given.name,
            response: Response { status: given.status, headers, body },
        })
    };
    given.into_iter().enumerate().map(sample).collect()
}
