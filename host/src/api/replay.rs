//! Events handled: replayed and cancelled.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::{Extension, Json};
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::Problem;
use super::dead_letter_form::{AddedRun, AddedRuns, CancelledRuns};
use super::dry_run::dry_run;
use super::dry_run_form::Replayed;
use super::order::Order;
use super::redaction::{Redaction, Sees};
use crate::audit::{Action, By};
use crate::config::{OnDoubt, OrderOnDead, Route};
use crate::crash::Point;
use crate::run::{self, RunState, Task};
use crate::runtime::{self, Revision, Runtime};
use crate::store::{NewReplay, ReplayRefused, RunRow};
use crate::telemetry;
use crate::worker::{self, ReadsFrom};

/// Where a replay starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ReplayFrom")]
enum From {
    #[default]
    Failed,
    Start,
}

/// Which idempotency keys it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ReplayKeys")]
enum Keys {
    #[default]
    Same,
    New,
}

/// Which configuration it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(rename = "ReplayPlugins")]
pub(super) enum Plugins {
    Pinned,
    #[default]
    Present,
}

/// Body of `POST /v1/events/{eid}/replay`.
#[derive(Debug, Deserialize, Default, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "ReplayOrder")]
pub(super) struct Replay {
    /// Of this route alone; without it every line whose newest run is dead, or, from the start, every line.
    route: Option<String>,
    /// `failed` keeps the outputs of the steps that succeeded.
    #[serde(default)]
    from: From,
    /// `new` does it all again, finished writes too.
    #[serde(default)]
    keys: Keys,
    /// `present` is the whole present configuration, `pinned` the one the run began with.
    #[serde(default)]
    plugins: Plugins,
    /// Says what it would do, and does nothing.
    #[serde(default)]
    dry_run: bool,
    /// Of a dry run.
    pub(super) reads: Option<ReadsFrom>,
    /// Whoever asks.
    #[serde(skip)]
    pub(super) sees: Sees,
}

impl Replay {
    /// Of dead runs, from where they failed.
    pub(super) fn on(plugins: Plugins, sees: Sees) -> Replay {
        Replay { plugins, sees, ..Replay::default() }
    }

    pub(super) fn has_new_keys(&self) -> bool {
        self.keys == Keys::New
    }

    /// New keys do it all again, and so from the start.
    fn is_from_start(&self) -> bool {
        self.from == From::Start || self.has_new_keys()
    }
}

/// What a replay would run on and start from.
pub(super) struct Plan {
    /// Number of the revision.
    pub(super) number: i64,
    pub(super) revision: Arc<Revision>,
    pub(super) route: Arc<Route>,
    pub(super) now: Timestamp,
    pub(super) deadline_at: Timestamp,
    /// `None`: all steps run.
    pub(super) state: Option<RunState>,
    /// Steps whose output is kept.
    pub(super) keep: Vec<String>,
    /// Its place in the order of the route.
    pub(super) order_key: Option<String>,
}

pub(super) async fn replay(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Extension(sees): Extension<Sees>,
    Path(eid): Path<String>,
    Order(wish): Order<Replay>,
) -> Result<Json<Replayed>, Problem> {
    let wish = Replay { sees, ..wish };
    if wish.reads.is_some() && !wish.dry_run {
        return Err(Problem::bad_request("\"reads\" goes with \"dry_run\": true; a real run asks for itself"));
    }
    let event = runtime.store.event(&eid).await?.ok_or_else(|| Problem::not_found(format!("there is no event {eid}")))?;
    let runs = runtime.store.runs(&eid).await?;
    // The newest run of every line; without a route those that are dead, or, from the start, all.
    let chosen: Vec<&RunRow> = runs
        .iter()
        .filter(|run| !run.superseded)
        .filter(|run| match &wish.route {
            Some(route) => run.route == *route,
            None => wish.is_from_start() || run.status == "dead",
        })
        .collect();
    if chosen.is_empty() {
        let why = match &wish.route {
            Some(route) => format!("event {eid} has no run of route {route:?}"),
            None => format!("event {eid} has no dead run; to do it all again replay with \"from\": \"start\""),
        };
        return Err(Problem::conflict(why));
    }
    let mut planned = Vec::with_capacity(chosen.len());
    for run in chosen {
        planned.push((run, plan(&runtime, run, &event.body, &wish).await?));
    }
    if wish.dry_run {
        // With recorded reads nobody outside learns of it.
        if wish.reads == Some(ReadsFrom::Live) {
            let routes: Vec<&str> = planned.iter().map(|(run, _)| run.route.as_str()).collect();
            let act = by.did(Action::EventTried, event.eid.as_str()).with("routes", routes);
            runtime.store.audit(act, runtime.clock.now()).await?;
        }
        return dry_run(&runtime, &event, planned, &wish).await.map(|dry| Json(Replayed::DryRun(dry)));
    }
    let replays: Vec<NewReplay> = planned.iter().map(|(run, plan)| new_replay(run, plan, &wish)).collect();
    let added = AddedRuns { replays: replays.iter().map(added).collect() };
    let act = by
        .did(Action::EventReplayed, event.eid.as_str())
        .with("from", if wish.is_from_start() { "start" } else { "failed" })
        .with("keys", if wish.has_new_keys() { "new" } else { "same" });
    let mut outcome = runtime.store.replay(vec![replays], act, runtime.clock.now()).await?;
    outcome.remove(0).map_err(|refused| Problem::conflict(refused.to_string()))?;
    runtime.store.crash().at(Point::Replayed);
    runtime.due.notify_one();
    Ok(Json(Replayed::Added(added)))
}

/// What a replay of a run would be, or why it can't be. `event`: structured JSON.
pub(super) async fn plan(runtime: &Runtime, run: &RunRow, event: &str, wish: &Replay) -> Result<Plan, Problem> {
    if run.ended_at.is_none() {
        let why = "only one run of a line may be unfinished: wait until it has ended, or cancel it";
        return Err(Problem::conflict(format!("run {} has not ended; {why}", run.id)));
    }
    if runtime.store.event(&run.eid).await?.is_some_and(|event| event.erased_at.is_some()) {
        return Err(Problem::conflict(ReplayRefused::Erased(run.eid.clone()).to_string()));
    }
    let number = match wish.plugins {
        Plugins::Present => runtime.present().revision.number,
        Plugins::Pinned => run.revision,
    };
    let revision = runtime.revision(number).await.map_err(|error| Problem::conflict(error.to_string()))?;
    let route = revision
        .route(&run.route)
        .cloned()
        .ok_or_else(|| Problem::conflict(format!("revision {number} has no route {:?}; replay with \"plugins\": \"pinned\"", run.route)))?;
    for step in runtime.store.steps_with_writes(&run.root).await? {
        if !route.steps.iter().any(|known| known.name == step) {
            return Err(Problem::conflict(format!(
                "route {:?} has no step {step:?} any more, which has writes done or in doubt; replay with \"plugins\": \"pinned\"",
                run.route
            )));
        }
    }
    let order_key = match wish.plugins {
        Plugins::Present if !has_begun(run) => wanted(runtime, run, event, &revision, &route, &wish.sees).await?,
        _ => run.order_key.clone(),
    };
    let now = runtime.clock.now();
    let deadline_at = crate::clock::later(now, route.deadline);
    let (state, keep) = start_state(runtime, run, wish, &revision, &route, deadline_at).await?;
    Ok(Plan { number, revision, route, now, deadline_at, state, keep, order_key })
}

/// Whether a step of it was tried.
fn has_begun(run: &RunRow) -> bool {
    let state: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    state.is_some_and(|state| !state.is_untouched())
}

/// The order key of a run that never began. The route's expressions may be what kept it from it: they are asked anew, as at intake. A key
/// that it has stays: others may wait behind it.
async fn wanted(
    runtime: &Runtime,
    run: &RunRow,
    event: &str,
    revision: &Revision,
    route: &Arc<Route>,
    sees: &Sees,
) -> Result<Option<String>, Problem> {
    let number = revision.number;
    match runtime::judge_again(runtime, route, event).await {
        Ok(Some(key)) => Ok(run.order_key.clone().or(key)),
        Ok(None) => Err(Problem::conflict(format!(
            "the `when` of route {:?} no longer wants the event, in revision {number}; to replay it all the same say \"plugins\": \"pinned\"",
            run.route
        ))),
        Err(why) => {
            let mut why = json!(why);
            // What it says may hold what the event says.
            let event = serde_json::from_str(event).unwrap_or_default();
            let both = [run.clone(), RunRow { revision: number, ..run.clone() }];
            Redaction::of(runtime, &event, &both, sees).await?.hide(&mut why);
            let why = why.as_str().unwrap_or_default();
            Err(Problem::conflict(format!("{why}, in revision {number} too; mend it, reload, and replay again")))
        }
    }
}

pub(super) fn new_replay(run: &RunRow, plan: &Plan, wish: &Replay) -> NewReplay {
    let id = uuid::Uuid::now_v7().to_string();
    NewReplay {
        root: if wish.has_new_keys() { id.clone() } else { run.root.clone() },
        id,
        of: run.id.clone(),
        line: run.root.clone(),
        route: run.route.clone(),
        order_key: plan.order_key.clone(),
        order_hold: plan.route.order_on_dead == OrderOnDead::Hold,
        revision: plan.number,
        state: plan.state.as_ref().map(|state| serde_json::to_string(state).expect("the state of a run is plain data")),
        from: if wish.is_from_start() { "start" } else { "failed" },
        keep: plan.keep.clone(),
        deadline_at: plan.deadline_at,
    }
}

pub(super) fn added(replay: &NewReplay) -> AddedRun {
    AddedRun { run: replay.id.clone(), replay_of: replay.of.clone(), route: replay.route.clone(), revision: replay.revision }
}

/// What a replay starts from (`None`: all steps run), and the steps that keep their outputs. With new keys it owes nothing to what was done before.
async fn start_state(
    runtime: &Runtime,
    run: &RunRow,
    wish: &Replay,
    revision: &Revision,
    route: &Route,
    deadline: Timestamp,
) -> Result<(Option<RunState>, Vec<String>), Problem> {
    if wish.has_new_keys() {
        return Ok((None, Vec::new()));
    }
    let before: Option<RunState> = run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    let from = if wish.from == From::Start { run::From::Start } else { run::From::Failed };
    let begun = runtime.store.undos_begun(&run.root).await?;
    let (mut state, keep) = match before {
        Some(before) => before.resume(route, from, deadline, &begun, |step| revision.undo_action(step)).map_err(|illegal| {
            Problem::conflict(format!(
                "{illegal} in revision {}; replay with \"plugins\": \"pinned\", or with \"keys\": \"new\"",
                revision.number
            ))
        })?,
        None => (RunState::new(route, deadline), Vec::new()),
    };
    // What a person has not decided on is not sent again by a replay either.
    let tasks: Vec<(Task, String)> = state.tasks().map(|(task, known)| (task, known.name.clone())).collect();
    for (task, name) in tasks {
        if route.steps[task.index()].on_doubt == OnDoubt::Hold {
            let doubts: Vec<_> = runtime.store.doubts(&run.root, &name).await?.iter().map(worker::held_effect).collect();
            if !doubts.is_empty() {
                // A step that keeps its output has nothing to be decided.
                let _ = state.hold(task, doubts);
            }
        }
    }
    Ok((Some(state), keep))
}

pub(super) async fn cancel(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(eid): Path<String>,
) -> Result<Json<CancelledRuns>, Problem> {
    let event = runtime.store.event(&eid).await?.ok_or_else(|| Problem::not_found(format!("there is no event {eid}")))?;
    let cancelled = runtime.store.cancel(&eid, by.did(Action::EventCancelled, eid.as_str()), runtime.clock.now()).await?;
    if cancelled.runs.is_empty() && cancelled.released.is_empty() {
        return Err(Problem::conflict(format!("all runs of event {eid} have ended")));
    }
    for (_, route) in &cancelled.runs {
        runtime.metrics.run_ended(route, "cancelled");
    }
    runtime.ended.send_modify(|count| *count += 1);
    runtime.due.notify_one();
    if let Err(error) = runtime.record_cancelled(&event, &cancelled.runs).await {
        tracing::warn!(error = telemetry::chain(&error), "runs were cancelled, and no trace tells of it");
    }
    let ids = cancelled.runs.into_iter().map(|(id, _)| id).collect();
    Ok(Json(CancelledRuns { cancelled: ids, released: cancelled.released }))
}
