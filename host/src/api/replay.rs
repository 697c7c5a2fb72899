//! Events handled: replayed and cancelled.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde::Deserialize;
use serde_json::{Value, json};

use super::Problem;
use crate::config::{OnDoubt, OrderOnDead, Route};
use crate::crash::Point;
use crate::run::{self, RunState, Task};
use crate::runtime::{Revision, Runtime};
use crate::store::{NewReplay, RunRow};
use crate::worker;

/// Dead letters replayed by one request.
const MAX_REPLAYS: u32 = 1000;

/// Where a replay starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum From {
    #[default]
    Failed,
    Start,
}

/// Which idempotency keys it uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Keys {
    #[default]
    Same,
    New,
}

/// Which configuration it runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Default)]
#[serde(rename_all = "lowercase")]
enum Plugins {
    Pinned,
    #[default]
    Present,
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Replay {
    route: Option<String>,
    #[serde(default)]
    from: From,
    #[serde(default)]
    keys: Keys,
    #[serde(default)]
    plugins: Plugins,
    #[serde(default)]
    dry_run: bool,
}

pub(super) async fn replay(State(runtime): State<Arc<Runtime>>, Path(eid): Path<String>, body: Bytes) -> Result<Json<Value>, Problem> {
    let wish: Replay = parse(&body)?;
    if wish.dry_run {
        return Err(Problem::new(StatusCode::NOT_IMPLEMENTED, "this version does not offer dry_run yet; nothing was replayed"));
    }
    if runtime.store.event(&eid).await?.is_none() {
        return Err(Problem::not_found(format!("there is no event {eid}")));
    }
    let runs = runtime.store.runs(&eid).await?;
    let from_start = wish.from == From::Start || wish.keys == Keys::New;
    // The newest run of every line; without a route those that are dead, or, from the start, all.
    let chosen: Vec<&RunRow> = runs
        .iter()
        .filter(|run| !run.superseded)
        .filter(|run| match &wish.route {
            Some(route) => run.route == *route,
            None => from_start || run.status == "dead",
        })
        .collect();
    if chosen.is_empty() {
        let why = match &wish.route {
            Some(route) => format!("event {eid} has no run of route {route:?}"),
            None => format!("event {eid} has no dead run; to do it all again replay with \"from\": \"start\""),
        };
        return Err(Problem::conflict(why));
    }
    if let Some(run) = chosen.iter().find(|run| run.ended_at.is_none()) {
        return Err(Problem::conflict(format!("run {} has not ended; only one run of a line may be unfinished", run.id)));
    }
    let mut added = Vec::new();
    for run in chosen {
        added.push(add(&runtime, run, &wish).await?);
    }
    runtime.due.notify_one();
    Ok(Json(json!({ "replays": added })))
}

async fn add(runtime: &Runtime, run: &RunRow, wish: &Replay) -> Result<Value, Problem> {
    if run.ended_at.is_none() {
        return Err(Problem::conflict(format!("run {} has not ended; only one run of a line may be unfinished", run.id)));
    }
    let number = match wish.plugins {
        Plugins::Present => runtime.present().revision.number,
        Plugins::Pinned => run.revision,
    };
    let revision = runtime.revision(number).await.map_err(|error| Problem::conflict(error.to_string()))?;
    let route = revision
        .route(&run.route)
        .ok_or_else(|| Problem::conflict(format!("revision {number} has no route {:?}; replay with \"plugins\": \"pinned\"", run.route)))?;
    for step in runtime.store.steps_with_writes(&run.root).await? {
        if !route.steps.iter().any(|known| known.name == step) {
            return Err(Problem::conflict(format!(
                "route {:?} has no step {step:?} any more, which has writes done or in doubt; replay with \"plugins\": \"pinned\"",
                run.route
            )));
        }
    }
    let now = runtime.clock.now();
    let deadline_at =
        SignedDuration::try_from(route.deadline).ok().and_then(|deadline| now.checked_add(deadline).ok()).unwrap_or(jiff::Timestamp::MAX);
    let id = uuid::Uuid::now_v7().to_string();
    let from_start = wish.from == From::Start || wish.keys == Keys::New;
    let (state, keep) = start_state(runtime, run, wish, &revision, route, deadline_at).await?;
    let replay = NewReplay {
        root: if wish.keys == Keys::New { id.clone() } else { run.root.clone() },
        id: id.clone(),
        of: run.id.clone(),
        line: run.root.clone(),
        route: run.route.clone(),
        order_key: run.order_key.clone(),
        order_hold: route.order_on_dead == OrderOnDead::Hold,
        revision: number,
        state,
        from: if from_start { "start" } else { "failed" },
        keep,
        deadline_at,
    };
    runtime.store.replay(replay, now).await?.map_err(|refused| Problem::conflict(refused.to_string()))?;
    runtime.store.crash().at(Point::Replayed);
    Ok(json!({ "run": id, "replay_of": run.id, "route": run.route, "revision": number }))
}

/// What a replay starts from, JSON, and the steps that keep their outputs. With new keys it owes nothing to what was done before.
async fn start_state(
    runtime: &Runtime,
    run: &RunRow,
    wish: &Replay,
    revision: &Revision,
    route: &Route,
    deadline: jiff::Timestamp,
) -> Result<(Option<String>, Vec<String>), Problem> {
    if wish.keys == Keys::New {
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
    Ok((serde_json::to_string(&state).ok(), keep))
}

pub(super) async fn cancel(State(runtime): State<Arc<Runtime>>, Path(eid): Path<String>) -> Result<Json<Value>, Problem> {
    if runtime.store.event(&eid).await?.is_none() {
        return Err(Problem::not_found(format!("there is no event {eid}")));
    }
    let cancelled = runtime.store.cancel(&eid, runtime.clock.now()).await?;
    if cancelled.runs.is_empty() && cancelled.released.is_empty() {
        return Err(Problem::conflict(format!("all runs of event {eid} have ended")));
    }
    for (_, route) in &cancelled.runs {
        runtime.metrics.run_ended(route, "cancelled");
    }
    runtime.ended.send_modify(|count| *count += 1);
    runtime.due.notify_one();
    let ids: Vec<&str> = cancelled.runs.iter().map(|(id, _)| id.as_str()).collect();
    Ok(Json(json!({ "cancelled": ids, "released": cancelled.released })))
}

#[derive(Debug, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Filter {
    route: Option<String>,
    limit: Option<u32>,
    #[serde(default)]
    plugins: Plugins,
}

pub(super) async fn replay_dead_letters(State(runtime): State<Arc<Runtime>>, body: Bytes) -> Result<Json<Value>, Problem> {
    let filter: Filter = parse(&body)?;
    let limit = filter.limit.unwrap_or(MAX_REPLAYS).clamp(1, MAX_REPLAYS);
    let letters = runtime.store.dead_letters(filter.route.as_deref(), limit).await?;
    let wish = Replay { plugins: filter.plugins, ..Replay::default() };
    let mut added = Vec::new();
    let mut refused = Vec::new();
    for letter in letters {
        match add(&runtime, &letter.run, &wish).await {
            Ok(replay) => added.push(replay),
            Err(problem) => refused.push(json!({ "run": letter.run.id, "detail": problem.detail() })),
        }
    }
    runtime.due.notify_one();
    Ok(Json(json!({ "replays": added, "refused": refused })))
}

/// An empty body is an empty object.
fn parse<T: for<'de> Deserialize<'de> + Default>(body: &[u8]) -> Result<T, Problem> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(T::default());
    }
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("the body is not what is expected here: {error}")))
}
