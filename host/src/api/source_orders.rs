//! One source that has turns: how it is doing, what it set aside, and what people order of it.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::Problem;
use super::cursor::{Listing, Page};
use super::order::Order;
use super::redaction::Sees;
use super::shown::{Accepted, Time};
use super::source_form::{
    BackfillBegun, BackfillForm, DiscardedSetAside, RetriedSetAside, SetAsideForm, SetAsideList, SourceForm, SourceOrdered, SourceStanding,
};
use crate::audit::{Action, By};
use crate::config::{Source, SourceKind};
use crate::ingress;
use crate::runtime::Runtime;
use crate::store::{Lane, NewBackfill, SetAsideRow, SourceRow, SourceState};

/// Longest reason of a pause.
const MAX_REASON: usize = 500;
/// Upcoming firings that are shown.
const UPCOMING: usize = 3;

/// How sources are doing: for each, what is added to its configuration.
pub(super) struct States {
    rows: BTreeMap<String, Vec<SourceRow>>,
    set_aside: BTreeMap<String, u64>,
    now: Timestamp,
}

impl States {
    /// Of all sources.
    pub(super) async fn of_all(runtime: &Runtime) -> Result<States, Problem> {
        let mut rows: BTreeMap<String, Vec<SourceRow>> = BTreeMap::new();
        for row in runtime.store.sources().await? {
            rows.entry(row.name.clone()).or_default().push(row);
        }
        let set_aside = runtime.store.set_aside_counts().await?.into_iter().collect();
        Ok(States { rows, set_aside, now: runtime.clock.now() })
    }

    /// Adds to a source what is known of it.
    pub(super) fn add(&self, source: &Source, shown: &mut SourceForm) {
        let rows = self.rows.get(&source.name).map(Vec::as_slice).unwrap_or_default();
        let lane = |lane| rows.iter().find(|row| row.lane == lane);
        if let Some(live) = lane(Lane::Live) {
            shown.turns = live.into();
        }
        shown.set_aside = self.set_aside.get(&source.name).copied().unwrap_or(0);
        match &source.kind {
            SourceKind::Poll(poll) => {
                shown.every_ms = Some(millis(poll.every));
                shown.limit = Some(poll.limit);
                shown.set_aside_most = Some(poll.set_aside_most);
                shown.backfill = lane(Lane::Backfill).map(backfill);
            }
            SourceKind::Schedule(schedule) => {
                let upcoming = schedule.calendar.upcoming(self.now, UPCOMING);
                shown.cron = Some(schedule.calendar.line().to_owned());
                shown.time_zone = Some(schedule.calendar.zone().to_owned());
                shown.upcoming = Some(upcoming.into_iter().map(Time::from).collect());
            }
            SourceKind::Webhook(_) | SourceKind::Nats(_) => {}
        }
    }
}

fn backfill(row: &SourceRow) -> BackfillForm {
    BackfillForm {
        from: row.since.map(Time::from),
        to: row.until.map(Time::from),
        began_at: row.created_at.into(),
        finished_at: row.finished_at.map(Time::from),
        set_aside: row.set_aside,
        progress: progress(row),
        turns: row.into(),
        cursor: None,
        last: None,
    }
}

/// How much of its time a backfill has covered, 0 to 1: as far as the events it brought say.
fn progress(row: &SourceRow) -> Option<f64> {
    if row.state == SourceState::Done {
        return Some(1.0);
    }
    let (from, to, reached) = (row.since?, row.until?, row.reached_at?);
    let (all, done) = (to.duration_since(from).as_secs_f64(), reached.duration_since(from).as_secs_f64());
    (all > 0.0).then(|| ((done / all).clamp(0.0, 1.0) * 1000.0).round() / 1000.0)
}

fn source(runtime: &Runtime, name: &str) -> Result<Arc<Source>, Problem> {
    let found = runtime.present().revision.source(name).cloned();
    found.ok_or_else(|| Problem::not_found(format!("the configuration has no source {name:?}; `sangam sources list` names them")))
}

/// One that has turns.
fn with_turns(runtime: &Runtime, name: &str) -> Result<Arc<Source>, Problem> {
    let source = source(runtime, name)?;
    match source.kind {
        SourceKind::Poll(_) | SourceKind::Schedule(_) => Ok(source),
        SourceKind::Webhook(_) | SourceKind::Nats(_) => {
            let why =
                format!("what comes in at {name} is sent by others: only sources of type `poll` and `schedule` can be paused and resumed");
            Err(Problem::conflict(why))
        }
    }
}

/// The source as it is listed, with its last turn and where it has come to.
pub(super) async fn show(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Path(name): Path<String>,
) -> Result<Json<SourceForm>, Problem> {
    let source = source(&runtime, &name)?;
    let mut shown = super::sources::shown(&runtime, &source);
    States::of_all(&runtime).await?.add(&source, &mut shown);
    let sees_all = sees.may_search(&runtime).await?;
    for row in runtime.store.source(&name).await? {
        let mut last: Option<Map<String, Value>> = row.last.as_deref().and_then(|last| serde_json::from_str(last).ok());
        if let Some(logs) = last.as_mut().and_then(|last| last.get_mut("logs")).filter(|logs| !sees_all && !logs.is_null()) {
            *logs = json!("[redacted]");
        }
        let cursor = row.cursor.filter(|_| sees_all);
        match (row.lane, &mut shown.backfill) {
            (Lane::Live, _) => (shown.cursor, shown.last) = (cursor, last),
            (Lane::Backfill, Some(backfill)) => (backfill.cursor, backfill.last) = (cursor, last),
            (Lane::Backfill, None) => {}
        }
    }
    Ok(Json(shown))
}

/// What a source has set aside, the oldest first. Of what could not be read nobody knows what in it is personal: it is shown to whom everything is.
pub(super) async fn set_aside(
    State(runtime): State<Arc<Runtime>>,
    Extension(sees): Extension<Sees>,
    Path(name): Path<String>,
    Query(page): Query<Page>,
) -> Result<Json<SetAsideList>, Problem> {
    let source = source(&runtime, &name)?;
    let limit = page.limit();
    let listing = Listing::new("what a source has set aside", &source.name);
    let after: Option<String> = listing.place(page.cursor.as_deref())?;
    let mut rows = runtime.store.set_aside_of(&source.name, after.as_deref(), limit + 1).await?;
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    let next_cursor = rows.last().filter(|_| more).map(|row| listing.cursor(&row.id));
    let sees_all = sees.may_search(&runtime).await?;
    Ok(Json(SetAsideList { set_aside: rows.iter().map(|row| shown_row(row, sees_all)).collect(), next_cursor }))
}

fn shown_row(row: &SetAsideRow, sees_all: bool) -> SetAsideForm {
    let (data, data_base64) = match std::str::from_utf8(&row.data) {
        _ if !sees_all => (Some(json!("[redacted]")), None),
        Ok(text) => (Some(serde_json::from_str(text).unwrap_or_else(|_| json!(text))), None),
        Err(_) => (None, Some(BASE64.encode(&row.data))),
    };
    SetAsideForm {
        id: row.id.clone(),
        kind: row.kind.into(),
        reason: row.reason.clone(),
        times: row.times,
        first_at: row.first_at.into(),
        last_at: row.last_at.into(),
        retry: row.retry,
        size: row.data.len(),
        data,
        data_base64,
    }
}

/// Body of a pause.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "PauseOrder")]
pub(super) struct Pause {
    reason: Option<String>,
}

pub(super) async fn pause(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
    Order(Pause { reason }): Order<Pause>,
) -> Result<Json<SourceOrdered>, Problem> {
    let source = with_turns(&runtime, &name)?;
    let reason = reason.map(|reason| reason.chars().take(MAX_REASON).collect::<String>());
    let act = by.did(Action::SourcePaused, source.name.as_str());
    let paused = runtime.store.source_pause(&source.name, reason, act, runtime.clock.now()).await?;
    Ok(Json(SourceOrdered { state: SourceStanding::Paused, was_paused: Some(!paused) }))
}

pub(super) async fn resume(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
) -> Result<Json<SourceOrdered>, Problem> {
    let source = with_turns(&runtime, &name)?;
    let now = runtime.clock.now();
    // What was meant while a schedule was paused does not fire.
    let cursor = matches!(source.kind, SourceKind::Schedule(_)).then(|| now.to_string());
    let act = by.did(Action::SourceResumed, source.name.as_str());
    runtime.store.source_resume(&source.name, cursor, act, now).await?;
    runtime.turning.notify_one();
    Ok(Json(SourceOrdered { state: SourceStanding::Active, was_paused: None }))
}

/// Body of a backfill.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "BackfillOrder")]
pub(super) struct Backfill {
    from: Option<String>,
    to: Option<String>,
}

pub(super) async fn backfill_begin(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
    Order(Backfill { from, to }): Order<Backfill>,
) -> Result<Accepted<BackfillBegun>, Problem> {
    let source = source(&runtime, &name)?;
    let Some(spec) = ingress::polled(&source) else {
        return Err(Problem::conflict(format!("{name} is not polled: only a source of type `poll` can read an earlier time")));
    };
    let now = runtime.clock.now();
    let moment = |what: &str, text: &str| crate::config::parse_moment(text).map_err(|why| Problem::bad_request(format!("{what}: {why}")));
    let from = from.ok_or_else(|| Problem::bad_request("`from` is missing: the day or time that the backfill begins at"))?;
    let since = moment("from", &from)?;
    let until = to.as_deref().map(|to| moment("to", to)).transpose()?.unwrap_or(now);
    if since >= until {
        return Err(Problem::bad_request(format!("the backfill would end ({until}) before it begins ({since})")));
    }
    let backfill = NewBackfill { name: source.name.clone(), spec, revision: runtime.present().revision.number, since, until };
    let act = by.did(Action::BackfillBegun, source.name.as_str()).with("from", since.to_string()).with("to", until.to_string());
    if !runtime.store.backfill_begin(backfill, act, now).await? {
        let why = format!(
            "a backfill of {name} is under way; `sangam sources show {name}` shows it, `sangam sources backfill {name} --cancel` ends it"
        );
        return Err(Problem::conflict(why));
    }
    runtime.turning.notify_one();
    Ok(Accepted(BackfillBegun { from: since.into(), to: until.into() }))
}

pub(super) async fn backfill_cancel(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
) -> Result<Json<SourceOrdered>, Problem> {
    let source = source(&runtime, &name)?;
    let act = by.did(Action::BackfillCancelled, source.name.as_str());
    if !runtime.store.backfill_cancel(&source.name, act, runtime.clock.now()).await? {
        return Err(Problem::conflict(format!("no backfill of {name} is under way")));
    }
    Ok(Json(SourceOrdered { state: SourceStanding::Cancelled, was_paused: None }))
}

/// Body of `retry` and `discard`: one, or all.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "WhichOrder")]
pub(super) struct Which {
    id: Option<String>,
}

/// Tries again what was set aside: events and bodies at once, records with the next turn of their source, which reads their page again.
pub(super) async fn retry(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
    Order(Which { id }): Order<Which>,
) -> Result<Json<RetriedSetAside>, Problem> {
    let source = source(&runtime, &name)?;
    known(&runtime, &source, id.as_deref()).await?;
    let mut act = by.did(Action::SetAsideRetried, source.name.as_str());
    if let Some(id) = &id {
        act = act.with("id", id.as_str());
    }
    let marked = runtime.store.set_aside_retry(&source.name, id.as_deref(), act, runtime.clock.now()).await?;
    if marked > 0 {
        runtime.turning.notify_one();
    }
    let tried = ingress::try_again(&runtime, &source, id.as_deref()).await?;
    Ok(Json(RetriedSetAside {
        accepted: tried.accepted,
        duplicates: tried.duplicates,
        still_set_aside: tried.left,
        to_be_read_again: marked,
    }))
}

/// Lets go of what was set aside.
pub(super) async fn discard(
    State(runtime): State<Arc<Runtime>>,
    Extension(by): Extension<By>,
    Path(name): Path<String>,
    Order(Which { id }): Order<Which>,
) -> Result<Json<DiscardedSetAside>, Problem> {
    let source = source(&runtime, &name)?;
    known(&runtime, &source, id.as_deref()).await?;
    let mut act = by.did(Action::SetAsideDiscarded, source.name.as_str());
    if let Some(id) = &id {
        act = act.with("id", id.as_str());
    }
    let discarded = runtime.store.set_aside_discard(&source.name, id.as_deref(), act, runtime.clock.now()).await?;
    runtime.turning.notify_one();
    Ok(Json(DiscardedSetAside { discarded }))
}

async fn known(runtime: &Runtime, source: &Source, id: Option<&str>) -> Result<(), Problem> {
    match id {
        Some(id) if runtime.store.set_aside_one(&source.name, id).await?.is_none() => {
            Err(Problem::not_found(format!("{} has set nothing aside with the id {id:?}", source.name)))
        }
        _ => Ok(()),
    }
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
