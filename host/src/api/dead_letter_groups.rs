//! Dead letters gathered by cause: a thousand that died of the same are one line.

use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::{Value, json};

use super::Problem;
use super::dead_letters::DeadLetters;
use super::redaction::{Redaction, Sees};
use super::shown::Time;
use crate::run::{Death, RunState, pattern};
use crate::runtime::Runtime;
use crate::store::{CauseRow, DeadRun, NewCause};
use crate::telemetry;

/// Groups unless asked otherwise.
const GROUPS: u32 = 100;
/// Most groups of an answer; more causes than that are no help to anybody.
const MAX_GROUPS: u32 = 500;
/// Dead letters whose cause is written down at once.
const AT_ONCE: u32 = 500;

/// Dead letters by cause.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterGroups")]
pub(super) struct Groups {
    /// The largest first.
    groups: Vec<Group>,
    /// Letters in all, also of groups that are not listed.
    total: u64,
    /// Groups in all.
    causes: u64,
}

/// Dead letters that died of the same.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterGroup")]
struct Group {
    /// Opaque; the list and the replay of dead letters take it.
    cause: String,
    /// Why the sample died, in the words of its step.
    reason: String,
    /// What the reasons have in common: without numbers, ids and values of the event.
    pattern: String,
    /// Kind of failure; null for runs that died on an earlier version.
    kind: Option<String>,
    route: String,
    /// The step that failed; null: they died before their first.
    step: Option<String>,
    plugin: Option<String>,
    action: Option<String>,
    /// Letters of it that the filters find.
    count: u64,
    /// The first death.
    first_at: Time,
    /// The last.
    last_at: Time,
    sample: Sample,
}

/// One letter of a group.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "DeadLetterSample")]
struct Sample {
    eid: String,
    run: String,
}

/// The groups of all dead letters that a filter finds, the largest first.
pub(super) async fn list(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Query(query): Query<DeadLetters>,
) -> Result<Json<Groups>, Problem> {
    if query.cursor.is_some() {
        return Err(Problem::bad_request("groups have no pages: \"limit\" says how many, up to 500, and filters choose among the letters"));
    }
    if query.q.is_some() && !sees.may_search(&runtime).await? {
        let why = "\"q\" would look into fields that are hidden from you: choose by route, plugin, type, kind or time";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let filter = query.parsed(GROUPS, MAX_GROUPS)?;
    write_causes_down(&runtime).await?;
    let (causes, total, of) = runtime.store.causes(&filter).await?;
    let mut groups = Vec::with_capacity(causes.len());
    for row in &causes {
        groups.push(group(&runtime, row, &sees).await?);
    }
    Ok(Json(Groups { groups, total, causes: of }))
}

/// A group as it is shown: what its letters share, and one of them. The reason is that one's, the pattern what they have in common.
async fn group(runtime: &Runtime, row: &CauseRow, sees: &Sees) -> Result<Group, Problem> {
    let sample = &row.sample;
    let event: Value = serde_json::from_str(&sample.body).unwrap_or(Value::Null);
    let death = death(sample);
    let redaction = Redaction::of(runtime, &event, std::slice::from_ref(&sample.run), sees).await?;
    let mut reason = json!(death.reason.as_deref().unwrap_or_default());
    redaction.hide(&mut reason);
    let reason = reason.as_str().unwrap_or_default().to_owned();
    Ok(Group {
        cause: row.cause.clone(),
        pattern: pattern::of(&reason, &event),
        reason,
        kind: sample.failure.clone(),
        route: sample.run.route.clone(),
        step: death.step,
        plugin: sample.plugin.clone(),
        action: death.action,
        count: row.count,
        first_at: row.first_at.into(),
        last_at: row.last_at.into(),
        sample: Sample { eid: sample.run.eid.clone(), run: sample.run.id.clone() },
    })
}

fn death(dead: &DeadRun) -> Death {
    let state: Option<RunState> = dead.run.state.as_deref().and_then(|state| serde_json::from_str(state).ok());
    Death::stored(state.as_ref(), dead.failure.as_deref(), dead.plugin.as_deref(), dead.run.status_reason.as_deref())
}

/// Most causes are written down as a run dies. What died before its first step, on an earlier version, or was erased since, gets its cause when
/// somebody asks for it.
pub(super) async fn write_causes_down(runtime: &Runtime) -> Result<(), Problem> {
    loop {
        let without = runtime.store.without_cause(AT_ONCE).await?;
        if without.is_empty() {
            return Ok(());
        }
        let causes = without.iter().map(|dead| {
            let death = death(dead);
            let event: Value = serde_json::from_str(&dead.body).unwrap_or(Value::Null);
            let cause = death.cause(&dead.run.route, &event);
            NewCause { run: dead.run.id.clone(), step: death.step, action: death.action, cause }
        });
        if let Err(error) = runtime.store.keep_causes(causes.collect()).await {
            // A full disk is no reason not to show what is there; those without a cause are one group then.
            tracing::warn!(error = telemetry::chain(&error), "causes of dead letters can't be written down now");
            return Ok(());
        }
    }
}
