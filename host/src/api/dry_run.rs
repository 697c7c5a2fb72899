//! `dry_run` of a replay: what it would do, without doing it.

use std::sync::Arc;

use serde_json::Value;

use super::Problem;
use super::dry_run_form::{DryRunAnswer, DryRunDocument};
use super::redaction::Redaction;
use super::replay::{Plan, Replay};
use super::shown::Stored;
use crate::run::RunState;
use crate::runtime::Runtime;
use crate::store::{ClaimedRun, EventRow, RunRow};
use crate::worker::DryRun;

/// Tries the replays of an event's lines, one after another.
pub(super) async fn dry_run(
    runtime: &Arc<Runtime>,
    event: &EventRow,
    chosen: Vec<(&RunRow, Plan)>,
    wish: &Replay,
) -> Result<DryRunAnswer, Problem> {
    let reads = wish.reads.unwrap_or_default();
    let mut shown = Vec::with_capacity(chosen.len());
    // What the route hid when the event came, and what it hides now.
    let mut hiding = Vec::new();
    for (run, plan) in chosen {
        hiding.push(run.clone());
        hiding.push(RunRow { revision: plan.number, ..run.clone() });
        shown.push(imagined(event, run, plan, wish).run(runtime).await?);
    }
    let mut runs = Value::Array(shown);
    let body = serde_json::from_str(&event.body).unwrap_or_default();
    Redaction::of(runtime, &body, &hiding, &wish.sees).await?.hide_in_document(&mut runs);
    Ok(DryRunAnswer { dry_run: DryRunDocument { eid: event.eid.clone(), reads, runs: Stored::new(runs) } })
}

/// The run that a replay would add, and that is not added.
fn imagined(event: &EventRow, run: &RunRow, plan: Plan, wish: &Replay) -> DryRun {
    let id = uuid::Uuid::now_v7().to_string();
    let claimed = ClaimedRun {
        trace: None,
        eid: event.eid.clone(),
        route: run.route.clone(),
        revision: plan.number,
        root: if wish.has_new_keys() { id.clone() } else { run.root.clone() },
        replay_of: Some(run.id.clone()),
        order_key: plan.order_key,
        is_away: false,
        // No lease has this number: nothing can be written with it.
        fence: 0,
        state: None,
        created_at: plan.now,
        deadline_at: plan.deadline_at,
        event: event.body.as_str().into(),
        hops: event.hops,
        id,
    };
    DryRun {
        run: claimed,
        line: run.root.clone(),
        of: run.id.clone(),
        state: plan.state.unwrap_or_else(|| RunState::new(&plan.route, plan.deadline_at)),
        revision: plan.revision,
        route: plan.route,
        keep: plan.keep,
        reads: wish.reads.unwrap_or_default(),
        given: None,
    }
}
