//! Holds events that arrived against the runs that wait for one: whoever accepted the event, whoever drives the run.
//!
//! Each host takes its share of the arrivals, under a lease; one that is held against the waits twice changes nothing. A `where` is asked off the async
//! threads, under the budget of any expression; where it fails the event is not the one, and the wait goes on.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::later;
use super::scope;
use crate::builtin;
use crate::mapping::{Expr, Scope, TooDeep};
use crate::run::RunState;
use crate::runtime::Runtime;
use crate::store::{Arrival, Candidate, LookBack, StoreError};
use crate::telemetry;

/// Longest pause between two looks.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Pause after the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_millis(500);
/// Waits, or events of the past, looked at at once.
const PAGE: u32 = 100;
/// Expressions that are kept compiled.
const MOST_EXPRESSIONS: usize = 200;

/// Works until the host stops.
pub(super) async fn work(runtime: Arc<Runtime>) {
    if !runtime.store.is_shared()
        && let Err(error) = runtime.store.release_arrivals().await
    {
        tracing::error!(error = telemetry::chain(&error), "events that had arrived could not be taken up; they are in a minute");
    }
    let mut expressions = Expressions::default();
    while !runtime.stopping.is_cancelled() {
        let pause = match look(&runtime, &mut expressions).await {
            Ok(true) => continue,
            Ok(false) => LONGEST_PAUSE,
            Err(error) => {
                tracing::error!(error = telemetry::chain(&error), "events could not be held against the runs that wait for them");
                STORE_PAUSE
            }
        };
        tokio::select! {
            () = runtime.stopping.cancelled() => {}
            () = runtime.store.arrived().notified() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

/// Says whether there was something.
async fn look(runtime: &Arc<Runtime>, expressions: &mut Expressions) -> Result<bool, StoreError> {
    let mut found = false;
    for look in runtime.store.looks_back().await? {
        found = true;
        look_back(runtime, &look, expressions).await?;
    }
    let now = runtime.clock.now();
    // Another host takes them over once this one's runs would be taken over too. Where both look, the second finds it done.
    let arrivals = runtime.store.take_arrivals(now, later(now, runtime.server.lease)).await?;
    if arrivals.is_empty() {
        return Ok(found);
    }
    // One after another, so that of two events for one wait the first counts.
    for arrival in &arrivals {
        hold_against_waits(runtime, arrival, expressions).await?;
    }
    runtime.store.arrivals_done(arrivals.iter().map(|arrival| arrival.seq).collect()).await?;
    Ok(true)
}

/// An event that came while somebody waits for its type.
async fn hold_against_waits(runtime: &Arc<Runtime>, arrival: &Arrival, expressions: &mut Expressions) -> Result<(), StoreError> {
    let Some(event) = arrival.body.as_deref().and_then(|body| serde_json::from_str::<Value>(body).ok()) else { return Ok(()) };
    for path in runtime.store.wait_paths(&arrival.kind).await? {
        let digest = match path.as_str() {
            "" => Some(String::new()),
            path => builtin::at(&event, path).and_then(|value| builtin::digest(&runtime.random_secret, value)),
        };
        // An array or object there equals nothing that is looked up by it.
        let Some(digest) = digest else { continue };
        let mut after = (String::new(), String::new());
        loop {
            let page = runtime.store.candidates(&arrival.kind, &path, &digest, &after, PAGE).await?;
            for candidate in &page {
                if runtime.stopping.is_cancelled() {
                    // Another host, or this one when it is back.
                    return Err(StoreError::Closed);
                }
                consider(runtime, candidate, &arrival.eid, &event, expressions).await?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE as usize => after = (last.run.clone(), last.step.clone()),
                _ => break,
            }
        }
    }
    Ok(())
}

/// One page of what came before a wait began.
async fn look_back(runtime: &Arc<Runtime>, look: &LookBack, expressions: &mut Expressions) -> Result<(), StoreError> {
    let page = runtime.store.past_events(&look.kind, &look.after, PAGE).await?;
    for past in &page {
        let Ok(event) = serde_json::from_str::<Value>(&past.body) else { continue };
        if !look.path.is_empty() {
            let digest = builtin::at(&event, &look.path).and_then(|value| builtin::digest(&runtime.random_secret, value));
            if digest.as_ref() != Some(&look.digest) {
                continue;
            }
        }
        if consider(runtime, &look.candidate, &past.eid, &event, expressions).await? {
            return Ok(());
        }
    }
    let next = page.last().filter(|_| page.len() == PAGE as usize).map(|past| past.place.clone());
    runtime.store.looked_back(look, next).await
}

/// Expressions as they were compiled: many waits have the same, and compiling one takes longer than asking it.
#[derive(Default)]
struct Expressions(HashMap<String, Option<Arc<Expr>>>);

impl Expressions {
    fn get(&mut self, text: &str) -> Option<Arc<Expr>> {
        if let Some(known) = self.0.get(text) {
            return known.clone();
        }
        if self.0.len() >= MOST_EXPRESSIONS {
            self.0.clear();
        }
        let compiled = builtin::where_expression(text).ok().map(Arc::new);
        self.0.insert(text.to_owned(), compiled.clone());
        compiled
    }
}

/// Whether an event is the one that a wait is for; if so its run is told.
async fn consider(
    runtime: &Arc<Runtime>,
    candidate: &Candidate,
    eid: &str,
    event: &Value,
    expressions: &mut Expressions,
) -> Result<bool, StoreError> {
    let Some(material) = runtime.store.wait_material(&candidate.run).await? else { return Ok(false) };
    if material.eid == eid {
        // Its own event is no answer to it.
        return Ok(false);
    }
    let is_it = match &candidate.condition {
        None => Ok(true),
        Some(condition) => match expressions.get(condition) {
            None => Err(()),
            Some(expression) => {
                let own: Value = serde_json::from_str(&material.event).unwrap_or(Value::Null);
                let state: Option<RunState> = serde_json::from_str(&material.state).ok();
                let outputs: BTreeMap<&str, &str> =
                    material.outputs.iter().map(|(name, output)| (name.as_str(), output.as_str())).collect();
                match seen(&candidate.run, event, &own, state.as_ref(), &outputs) {
                    Err(_) => Err(()),
                    Ok(scope) => scope::truth(&runtime.evaluator, &expression, &Arc::new(scope)).await.map_err(|_| ()),
                }
            }
        },
    };
    match is_it {
        Ok(true) => {
            runtime.store.match_wait(&candidate.run, &candidate.step, eid, runtime.clock.now()).await?;
            runtime.due.notify_one();
            Ok(true)
        }
        Ok(false) => Ok(false),
        Err(()) => {
            tracing::warn!(
                run = candidate.run,
                step = candidate.step,
                eid,
                "`where` of a wait failed for an event; the wait goes on without it"
            );
            runtime.store.wait_failed(&candidate.run, &candidate.step, eid).await?;
            Ok(false)
        }
    }
}

/// `.event` is the arriving one; `.run` and `.steps` are the run's.
fn seen(run: &str, event: &Value, own: &Value, state: Option<&RunState>, outputs: &BTreeMap<&str, &str>) -> Result<Scope, TooDeep> {
    let mut scope = Scope::new();
    scope.set(&["event"], event)?;
    scope.set(&["run", "id"], &json!(run))?;
    scope.set(&["run", "event"], own)?;
    scope.set(&["steps"], &json!({}))?;
    for step in state.iter().flat_map(|state| &state.steps) {
        scope.set(&["steps", step.name.as_str()], &scope::step(step))?;
        if let Some(output) = outputs.get(step.name.as_str()).and_then(|output| serde_json::from_str::<Value>(output).ok()) {
            scope.set(&["steps", step.name.as_str(), "output"], &output)?;
        }
    }
    Ok(scope)
}
