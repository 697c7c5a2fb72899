//! How the host is doing, on one page: what came in, what became of it, and what fails.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Query, State};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::shown::Time;
use super::{Problem, system};
use crate::config;
use crate::credentials::State as Health;
use crate::live::{Key, Point, Tally};
use crate::runtime::{Pressed, Runtime};
use crate::telemetry;

const DEFAULT_WINDOW: Duration = Duration::from_secs(900);
const WINDOW: std::ops::RangeInclusive<Duration> = Duration::from_secs(60)..=Duration::from_secs(24 * 3600);
/// Failing actions that are told.
const MOST_FAILING: usize = 100;

/// Query of `GET /v1/overview` and `GET /v1/flow`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WindowQuery")]
pub(super) struct Asked {
    /// How far to look back, such as `15m`; from one minute to one day. What is counted by name is counted by the minute, beyond an hour by the hour.
    window: Option<String>,
}

impl Asked {
    pub(super) fn window(&self) -> Result<Duration, Problem> {
        let Some(text) = &self.window else { return Ok(DEFAULT_WINDOW) };
        let window = config::parse_duration(text).map_err(|why| Problem::bad_request(format!("`window`: {why}")))?;
        if !WINDOW.contains(&window) {
            return Err(Problem::bad_request(format!("`window` is {text}, but must be from 1m to 24h")));
        }
        Ok(window)
    }
}

/// Answer of `GET /v1/overview`.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Overview {
    /// When this was so.
    at: Time,
    /// How far it looks back, ms.
    window_ms: u64,
    /// `store`: figures are of all hosts on the store, as far as this one has heard of them.
    scope: &'static str,
    /// Since when this host counts; what was before is in no figure over time.
    since: Time,
    /// The configuration that new events run on.
    revision: i64,
    /// This host.
    host: Host,
    /// All hosts on the store.
    hosts: Vec<system::Host>,
    /// Events within the window.
    events: Events,
    /// Runs: pending, running and waiting now; the others within the window.
    runs: Runs,
    /// Runs that have not ended.
    backlog: u64,
    /// How long the longest due run has waited for a worker, ms.
    oldest_pending_ms: Option<u64>,
    /// Why events are not taken in now.
    pressure: Option<Pressure>,
    /// Figures over time.
    series: Series,
    /// Actions of plugins that failed within the window, the worst first.
    failing: Vec<Failing>,
    /// Credentials that are not well.
    credentials: Vec<Credential>,
    /// Dead letters in the store.
    dead_letters: u64,
    /// How often more happened at once than could be counted.
    missed: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewHost")]
struct Host {
    id: String,
    version: &'static str,
    started_at: Time,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewEvents")]
struct Events {
    /// Taken in.
    accepted: u64,
    /// Known already.
    duplicates: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewRuns")]
struct Runs {
    pending: u64,
    running: u64,
    waiting: u64,
    succeeded: u64,
    dead: u64,
    cancelled: u64,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewPressure")]
struct Pressure {
    reason: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewSeries")]
struct Series {
    /// How long each point is, ms.
    step_ms: u64,
    /// The oldest first; none is left out.
    points: Vec<SeriesPoint>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "OverviewPoint")]
struct SeriesPoint {
    at: Time,
    accepted: u64,
    succeeded: u64,
    dead: u64,
    failed_attempts: u64,
    /// Runs that had not ended; null: nobody counted them.
    backlog: Option<u64>,
    /// From acceptance to the end of a run: half of them within that.
    p50_ms: Option<u64>,
    /// 99 of 100 within that.
    p99_ms: Option<u64>,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "FailingAction")]
struct Failing {
    plugin: String,
    action: String,
    attempts: u64,
    failures: u64,
    /// Dead letters of the window that are there now.
    dead_letters: u64,
    /// Since when it has not worked; null: it has since.
    since: Option<Time>,
    /// The last attempt that failed.
    last: Option<LastFailure>,
}

#[derive(Debug, Serialize, JsonSchema)]
struct LastFailure {
    kind: String,
    at: Time,
    eid: String,
    run: String,
    route: String,
    step: String,
}

#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnwellCredential")]
struct Credential {
    name: String,
    state: Health,
    reason: Option<String>,
}

/// Everything somebody needs to know first.
pub(super) async fn overview(State(runtime): State<Arc<Runtime>>, Query(asked): Query<Asked>) -> Result<Json<Overview>, Problem> {
    let window = asked.window()?;
    let seconds = i64::try_from(window.as_secs()).unwrap_or(i64::MAX);
    let counts = runtime.counts().await?;
    let now = runtime.clock.now();
    let series = &runtime.series;
    series.catch_up(now);
    let totals = series.totals(now, seconds);
    let (step, points) = series.points(now, seconds);
    let pressure = match runtime.pressure.check(&runtime.store).await {
        Ok(()) => None,
        Err(Pressed::TooMuch(reason) | Pressed::Unavailable(reason, _)) => Some(Pressure { reason }),
    };
    Ok(Json(Overview {
        at: now.into(),
        window_ms: millis(window),
        scope: "store",
        since: series.since().unwrap_or(runtime.started_at).into(),
        revision: runtime.present().revision.number,
        host: Host { id: runtime.identity.name.clone(), version: env!("CARGO_PKG_VERSION"), started_at: runtime.started_at.into() },
        hosts: system::hosts(&runtime).await?,
        events: Events { accepted: totals.accepted, duplicates: totals.duplicates },
        runs: Runs {
            pending: counts.of("pending"),
            running: counts.of("running"),
            waiting: counts.of("waiting"),
            succeeded: totals.succeeded,
            dead: totals.dead,
            cancelled: totals.cancelled,
        },
        backlog: counts.backlog(),
        oldest_pending_ms: counts.oldest_due.map(|due| u64::try_from(now.duration_since(due).as_millis()).unwrap_or(0)),
        pressure,
        series: Series { step_ms: u64::try_from(step * 1000).unwrap_or(0), points: points.into_iter().map(point).collect() },
        failing: failing(&runtime, seconds).await?,
        credentials: unwell(&runtime).await?,
        dead_letters: counts.dead_letters,
        missed: series.missed(),
    }))
}

fn point(point: Point) -> SeriesPoint {
    SeriesPoint {
        at: point.at.into(),
        accepted: point.totals.accepted,
        succeeded: point.totals.succeeded,
        dead: point.totals.dead,
        failed_attempts: point.totals.failed_attempts,
        backlog: point.backlog,
        p50_ms: point.p50_ms,
        p99_ms: point.p99_ms,
    }
}

/// What does not work now comes first; then what left the most dead letters; then what failed most often. Dead letters are the store's: a host that
/// was started a moment ago names what failed before, too.
async fn failing(runtime: &Runtime, seconds: i64) -> Result<Vec<Failing>, Problem> {
    let mut failing: BTreeMap<(String, String), Failing> = BTreeMap::new();
    for (key, tally) in runtime.series.tallies(runtime.clock.now(), seconds) {
        if let Key::Action { plugin, action } = key
            && tally.failed > 0
        {
            failing.insert((plugin.clone(), action.clone()), failing_action(runtime, plugin, action, &tally));
        }
    }
    for dead in runtime.dead_by_action(seconds).await?.iter() {
        let one = failing
            .entry((dead.plugin.clone(), dead.action.clone()))
            .or_insert_with(|| failing_action(runtime, dead.plugin.clone(), dead.action.clone(), &Tally::default()));
        one.dead_letters = dead.count;
        if one.last.is_none() {
            one.since = Some(dead.died_at.into());
            one.last = Some(LastFailure {
                kind: dead.kind.clone(),
                at: dead.died_at.into(),
                eid: dead.eid.clone(),
                run: dead.run.clone(),
                route: dead.route.clone(),
                step: dead.step.clone(),
            });
        }
    }
    let mut failing: Vec<Failing> = failing.into_values().collect();
    failing.sort_by_key(|one| std::cmp::Reverse((one.since.is_some(), one.dead_letters, one.failures)));
    failing.truncate(MOST_FAILING);
    Ok(failing)
}

fn failing_action(runtime: &Runtime, plugin: String, action: String, tally: &Tally) -> Failing {
    let known = runtime.series.failing(&plugin, &action);
    Failing {
        attempts: tally.count,
        failures: tally.failed,
        dead_letters: 0,
        since: known.as_ref().and_then(|known| known.since).map(Time::from),
        last: known.map(|known| LastFailure {
            kind: known.last.kind,
            at: known.last.at.into(),
            eid: known.last.eid,
            run: known.last.run,
            route: known.last.route,
            step: known.last.step,
        }),
        plugin,
        action,
    }
}

async fn unwell(runtime: &Runtime) -> Result<Vec<Credential>, Problem> {
    let known = runtime.credentials().await?.into_iter().map(|known| known.status);
    let unwell = known.filter(|status| !matches!(status.state, Health::Ok | Health::Refreshing | Health::Unused));
    let shown = unwell.map(|status| Credential {
        reason: status.last_error.as_deref().map(telemetry::plain),
        name: status.name,
        state: status.state,
    });
    Ok(shown.collect())
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
