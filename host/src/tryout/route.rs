//! Routes on an event that is only tried: which want it and why the others don't, and every step as it would go, up to what is not sent.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::config::{self, Loaded, Outside, Problem, Problems, Route, Severity, WEBHOOK_ROUTE};
use crate::event::Event;
use crate::mapping::{Evaluator, Scope};
use crate::router;
use crate::run::RunState;
use crate::runtime::{Intake, IntakeError, Revision, Runtime, order_key};
use crate::store::{ClaimedRun, RunRow, StoreError};
use crate::telemetry;
use crate::worker::{DryRun, Given, ReadsFrom};

/// What is tried.
#[derive(Debug)]
pub struct Tryout {
    /// The event.
    pub event: Event,
    /// Only this route.
    pub only: Option<String>,
    /// Routes that are not configured; `None`: those that are.
    pub unconfigured: Option<Vec<Arc<Route>>>,
    /// How reads are answered.
    pub reads: ReadsFrom,
    /// What systems and steps are said to answer.
    pub given: Arc<Given>,
    /// Runs of the event, where it is one that was taken in: reads that were recorded are theirs.
    pub runs: Vec<RunRow>,
    /// How long all of it may take.
    pub time: Duration,
}

/// A route as it was tried.
#[derive(Debug)]
pub struct Tried {
    /// The route.
    pub route: Arc<Route>,
    /// Id of the run that there would have been.
    pub run: String,
    /// For people and programs.
    pub shown: Value,
}

/// What a route makes of an event.
enum Judged {
    Wanted(Option<String>),
    /// Why not.
    Passed(Value),
    /// Its run would be dead at once.
    Dead(String),
}

impl Tryout {
    /// Why intake would refuse the event; `None`: it would take it.
    pub async fn refused(&self, runtime: &Runtime) -> Option<IntakeError> {
        Intake::new(runtime).check(&self.event).await.err()
    }

    /// Tries the routes one after another.
    ///
    /// # Errors
    /// When the store can't be asked.
    pub async fn run(&self, runtime: &Arc<Runtime>) -> Result<Vec<Tried>, StoreError> {
        let started = runtime.clock.now();
        let revision = runtime.present().revision.clone();
        let structured = self.event.to_structured();
        let routes = self.unconfigured.as_ref().unwrap_or(&revision.config.routes);
        let mut tried = Vec::new();
        for route in routes.iter().filter(|route| self.only.as_ref().is_none_or(|only| *only == route.name)) {
            // The host's own deliveries to subscribers are no routes that somebody wrote.
            if route.name.starts_with(WEBHOOK_ROUTE) && self.only.is_none() {
                continue;
            }
            let run = uuid::Uuid::now_v7().to_string();
            let (wanted, order, why, dead, steps) = match judged(&runtime.evaluator, route, &self.event, &structured).await {
                Judged::Passed(why) => (false, None, why, None, Value::Array(Vec::new())),
                Judged::Dead(reason) => (true, None, Value::Null, Some(reason), Value::Array(Vec::new())),
                Judged::Wanted(key) => {
                    let end = crate::clock::later(started, self.time.min(route.deadline));
                    let mut document = self.steps(runtime, &revision, route, &run, &structured, end).run(runtime).await?;
                    (true, key, Value::Null, None, document["steps"].take())
                }
            };
            let shown = json!({
                "name": route.name,
                "wanted": wanted,
                "why_not": why,
                "order_key": order,
                "dead": dead.map(|reason| json!({ "reason": reason })),
                "steps": with_words(steps, route),
            });
            tried.push(Tried { route: route.clone(), run, shown });
        }
        Ok(tried)
    }

    fn steps(&self, runtime: &Runtime, revision: &Arc<Revision>, route: &Arc<Route>, run: &str, event: &Value, end: Timestamp) -> DryRun {
        let before = self.runs.iter().rfind(|run| run.route == route.name && !run.superseded);
        let claimed = ClaimedRun {
            id: run.to_owned(),
            eid: before.map_or_else(|| run.to_owned(), |before| before.eid.clone()),
            route: route.name.clone(),
            revision: revision.number,
            // A line of its own: nothing was done in it.
            root: run.to_owned(),
            replay_of: None,
            order_key: None,
            is_away: false,
            // No lease has this number: nothing can be written with it.
            fence: 0,
            state: None,
            created_at: runtime.clock.now(),
            deadline_at: end,
            event: event.to_string().into(),
            hops: 0,
            trace: None,
        };
        DryRun {
            line: before.map_or_else(|| run.to_owned(), |before| before.root.clone()),
            of: run.to_owned(),
            revision: revision.clone(),
            route: route.clone(),
            state: RunState::new(route, end),
            keep: Vec::new(),
            reads: self.reads,
            given: Some(self.given.clone()),
            run: claimed,
        }
    }
}

/// What the route says of each step beside how it went.
fn with_words(mut steps: Value, route: &Route) -> Value {
    for (shown, step) in steps.as_array_mut().into_iter().flatten().zip(&route.steps) {
        shown["when"] = json!(step.when.as_ref().map(|when| when.source()));
        shown["needs"] = json!(step.needs.iter().map(|need| route.steps[*need].name.as_str()).collect::<Vec<_>>());
        if shown["writes"].is_null() {
            shown["writes"] = json!([]);
        }
        if let Some(members) = shown.as_object_mut() {
            // They say something of a replay alone.
            members.retain(|name, _| !matches!(name.as_str(), "kept" | "would_send" | "difference"));
        }
    }
    steps
}

async fn judged(evaluator: &Evaluator, route: &Arc<Route>, event: &Event, structured: &Value) -> Judged {
    let fits = |patterns: &[router::Pattern], text: &str| patterns.iter().any(|pattern| pattern.matches(text));
    let texts = |patterns: &[router::Pattern]| patterns.iter().map(ToString::to_string).collect::<Vec<_>>();
    if !fits(&route.types, &event.event_type) {
        return Judged::Passed(json!({ "kind": "type", "wants": texts(&route.types), "expression": null, "gave": null }));
    }
    if !router::wants(route, &event.event_type, &event.source) {
        return Judged::Passed(json!({ "kind": "source", "wants": texts(&route.sources), "expression": null, "gave": null }));
    }
    if route.when.is_none() && route.order_by.is_none() {
        return Judged::Wanted(None);
    }
    let scope = match Scope::from_json(&json!({ "event": structured })) {
        Ok(scope) => Arc::new(scope),
        Err(error) => return Judged::Dead(error.to_string()),
    };
    if let Some(when) = &route.when {
        match evaluator.expr(when.clone(), scope.clone()).await {
            Ok(gave @ (Value::Null | Value::Bool(false))) => {
                return Judged::Passed(json!({ "kind": "when", "wants": [], "expression": when.source(), "gave": gave }));
            }
            Ok(_) => {}
            Err(error) => return Judged::Dead(format!("the route's when failed: {}", telemetry::chain(&error))),
        }
    }
    let Some(order_by) = &route.order_by else { return Judged::Wanted(None) };
    match evaluator.expr(order_by.clone(), scope).await {
        Ok(value) => match order_key(&value) {
            Ok(key) => Judged::Wanted(key),
            Err(why) => Judged::Dead(why),
        },
        Err(error) => Judged::Dead(format!("the route's order-by failed: {}", telemetry::chain(&error))),
    }
}

/// Reads routes that are not configured beside the present configuration; gives them with what is allowed in them but probably not meant.
///
/// # Errors
/// Everything that is wrong with them, with line and column.
pub fn unconfigured(runtime: &Runtime, text: &str) -> Result<(Vec<Arc<Route>>, Vec<Problem>), Problems> {
    let revision = runtime.present().revision.clone();
    let loaded: Loaded = config::parse_routes(text, &revision.content, &revision.config.base, &Outside::process())?;
    let lines = text.split('\n').count();
    let found = config::check_plugins(&loaded, &revision.facts());
    let (errors, warnings): (Vec<Problem>, Vec<Problem>) =
        found.into_iter().filter(|problem| problem.line <= lines).partition(|problem| problem.severity == Severity::Error);
    if !errors.is_empty() {
        return Err(loaded.problems(errors));
    }
    let routes = loaded.config.routes.iter().filter(|route| !route.name.starts_with(WEBHOOK_ROUTE)).cloned().collect();
    Ok((routes, loaded.warnings.iter().cloned().chain(warnings).collect()))
}
