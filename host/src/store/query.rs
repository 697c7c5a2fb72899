//! What people and programs ask: events with their runs, lists, dead letters.

use jiff::Timestamp;

use super::effect::{EffectRow, effect_row};
use super::row::Row;
use super::sql::{Dialect, Statement, sql};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};
use crate::event::{EIDS_AHEAD, before_eids_of};

/// Most runs from which events are looked up rather than walked through.
const FEW: i64 = 2000;

/// An event as stored.
#[derive(Debug, Clone)]
pub struct EventRow {
    /// Given by the host.
    pub eid: String,
    /// Structured JSON.
    pub body: String,
    /// When it came.
    pub received_at: Timestamp,
    /// JSON `{eid, run, step}` where a plugin brought it in.
    pub cause: Option<String>,
    /// See [`super::NewEvent::hops`].
    pub hops: u32,
    /// When personal data of it was erased.
    pub erased_at: Option<Timestamp>,
    /// Where in a trace its sender stands, as it is kept.
    pub trace: Option<String>,
}

/// A run as stored.
#[derive(Debug, Clone)]
pub struct RunRow {
    /// Its id.
    pub id: String,
    /// Its event.
    pub eid: String,
    /// The route's name.
    pub route: String,
    /// `pending`, `running`, `waiting`, `succeeded`, `dead`, `cancelled`.
    pub status: String,
    /// Why.
    pub status_reason: Option<String>,
    /// Whether an undo was complete.
    pub undone: Option<bool>,
    /// Configuration it runs on.
    pub revision: i64,
    /// First of its line.
    pub root: String,
    /// The run it replays.
    pub replay_of: Option<String>,
    /// A newer run of its line exists.
    pub superseded: bool,
    /// Its order.
    pub order_key: Option<String>,
    /// Dead, it keeps its order key.
    pub order_hold: bool,
    /// When it will be tried (again).
    pub due_at: Option<Timestamp>,
    /// JSON.
    pub state: Option<String>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// Input and output of a step of a run.
#[derive(Debug, Clone)]
pub struct StepRow {
    /// The run.
    pub run: String,
    /// The step.
    pub name: String,
    /// The round that the input is of.
    pub round: u32,
    /// JSON.
    pub input: Option<String>,
    /// JSON.
    pub output: Option<String>,
}

/// An attempt as stored. One without `outcome` is under way or was broken off by a crash.
#[derive(Debug, Clone)]
pub struct AttemptRow {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// From 1.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// See [`super::AttemptEnd::outcome`].
    pub outcome: Option<String>,
    /// JSON.
    pub error: Option<String>,
    /// JSON list.
    pub logs: Option<String>,
    /// JSON list.
    pub effects: Option<String>,
    /// The component's digest.
    pub digest: Option<String>,
}

/// Which events a list is about. Empty fields don't filter.
#[derive(Debug, Clone, Default)]
pub struct EventFilter {
    /// Any of these event statuses, or `unrouted`.
    pub status: Vec<String>,
    /// Any of these types, exactly.
    pub kind: Vec<String>,
    /// Exact source.
    pub source: Option<String>,
    /// The id that its sender gave it.
    pub id: Option<String>,
    /// Exact subject.
    pub subject: Option<String>,
    /// Events with a run of any of these routes.
    pub route: Vec<String>,
    /// Events with a run of any of these routes, or one in which that plugin failed.
    pub plugin: Option<(String, Vec<String>)>,
    /// Events with a run of that order key.
    pub order_key: Option<String>,
    /// Events with a dead letter that died of that kind of failure.
    pub failure: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
    /// Text within the event, its id or eid.
    pub text: Option<String>,
    /// At most so many.
    pub limit: u32,
    /// Where the page before ended: time and eid.
    pub after: Option<(Timestamp, String)>,
}

/// One page, newest first.
#[derive(Debug, Clone)]
pub struct EventPage {
    /// Events, each with its runs.
    pub events: Vec<(EventRow, Vec<RunRow>)>,
    /// There may be more.
    pub more: bool,
}

impl RunRow {
    /// Whether it is dead and keeps its order key: those behind it wait.
    pub fn keeps_key(&self) -> bool {
        self.status == "dead" && self.order_hold && !self.superseded && self.order_key.is_some()
    }

    /// Whether it waits behind another run of its order key.
    pub fn is_queued(&self) -> bool {
        self.status == "pending" && self.due_at.is_none() && self.order_key.is_some()
    }
}

impl Store {
    /// An event.
    pub async fn event(&self, eid: &str) -> Result<Option<EventRow>, StoreError> {
        let row = sql("select eid, body, received_at, cause, hops, erased_at, trace from event where eid = ?")
            .bind(eid)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read an event"))?;
        row.as_ref().map(event_row).transpose()
    }

    /// The runs of an event, in order of acceptance.
    pub async fn runs(&self, eid: &str) -> Result<Vec<RunRow>, StoreError> {
        let rows = sql("select * from run where eid = ? order by seq")
            .bind(eid)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read runs"))?;
        rows.iter().map(run_row).collect()
    }

    /// A run.
    pub async fn run(&self, id: &str) -> Result<Option<RunRow>, StoreError> {
        let row =
            sql("select * from run where id = ?").bind(id).fetch_optional(&self.readers).await.map_err(StoreError::doing("read a run"))?;
        row.as_ref().map(run_row).transpose()
    }

    /// Whether all runs of these events have ended.
    pub async fn all_ended(&self, eids: &[String]) -> Result<bool, StoreError> {
        let mut query = sql("select 1 from run where ended_at is null and eid in ");
        query.push_list(eids).push(" limit 1");
        let unfinished: Option<i64> = query.scalar_optional(&self.readers).await.map_err(StoreError::doing("look for unfinished runs"))?;
        Ok(unfinished.is_none())
    }

    /// Steps of a run that have an input or output.
    pub async fn steps(&self, run: &str) -> Result<Vec<StepRow>, StoreError> {
        let rows = sql("select run, name, input, output, round from step where run = ?")
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read steps"))?;
        Ok(rows
            .iter()
            .map(|row| StepRow { run: row.get(0), name: row.get(1), input: row.get(2), output: row.get(3), round: row.get(4) })
            .collect())
    }

    /// All attempts of a run, in order.
    pub async fn attempts(&self, run: &str) -> Result<Vec<AttemptRow>, StoreError> {
        let rows = sql("select * from attempt where run = ? order by started_at, number")
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read attempts"))?;
        rows.iter()
            .map(|row| {
                Ok(AttemptRow {
                    run: row.get("run"),
                    step: row.get("step"),
                    number: row.get("number"),
                    started_at: timestamp(row.get("started_at"))?,
                    duration_ms: row.get("duration_ms"),
                    outcome: row.get("outcome"),
                    error: row.get("error"),
                    logs: row.get("logs"),
                    effects: row.get("effects"),
                    digest: row.get("digest"),
                })
            })
            .collect()
    }

    /// Writes whose latest sender is this run: shows what an attempt without an outcome had sent.
    pub async fn effects_of(&self, run: &str) -> Result<Vec<EffectRow>, StoreError> {
        let rows = sql("select * from effect where root = (select root from run where id = ?) and run = ? order by attempt, seq")
            .bind(run)
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read effects"))?;
        rows.iter().map(effect_row).collect()
    }

    /// A page of events, newest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<EventPage, StoreError> {
        let mut query = sql("select eid, body, received_at, cause, hops, erased_at, trace from event where 1 = 1");
        if !filter.kind.is_empty() {
            query.push(" and type in ").push_list(&filter.kind);
        }
        if let Some(id) = &filter.id {
            push_id(&mut query, id, filter.source.as_deref());
        }
        if let Some(subject) = &filter.subject {
            // What does not have it anywhere need not be read as JSON.
            let (has, is) = match self.dialect() {
                Dialect::Sqlite => (" and instr(body, ", " and json_extract(body, '$.subject') = "),
                Dialect::Postgres => (" and strpos(body, ", " and cast(body as json) ->> 'subject' = "),
            };
            query.push(has).push_bind(serde_json::Value::from(subject.as_str()).to_string()).push(") > 0").push(is).push_bind(subject);
        }
        if let Some(source) = &filter.source {
            query.push(" and source = ").push_bind(source);
        }
        push_period(&mut query, filter.since, filter.until);
        if !filter.route.is_empty() {
            query.push(" and exists (select 1 from run where run.eid = event.eid and run.route in ").push_list(&filter.route).push(")");
        }
        if let Some((plugin, routes)) = &filter.plugin {
            query.push(" and exists (select 1 from run where run.eid = event.eid and (run.failed_plugin = ").push_bind(plugin);
            if !routes.is_empty() {
                query.push(" or run.route in ").push_list(routes);
            }
            query.push("))");
        }
        if let Some(key) = &filter.order_key {
            query.push(" and exists (select 1 from run where run.eid = event.eid and run.order_key = ").push_bind(key).push(")");
        }
        if let Some(failure) = &filter.failure {
            query.push(" and eid in (select run.eid from run where run.status = 'dead' and run.superseded = 0 and run.failure = ");
            query.push_bind(failure).push(")");
        }
        if let Some(text) = &filter.text {
            query.push(match self.dialect() {
                Dialect::Sqlite => " and (instr(body, ",
                Dialect::Postgres => " and (strpos(body, ",
            });
            query.push_bind(text).push(") > 0 or eid = ").push_bind(text).push(")");
        }
        let looked_up = !filter.status.is_empty() && self.are_few(&filter.status).await?;
        push_statuses(&mut query, &filter.status, looked_up);
        match (filter.kind.len(), &filter.after) {
            // The index of types has them in that order, which is the same.
            (1, Some((time, eid))) => {
                query.push(" and (received_at, eid) < (").push_bind(millis(*time)).push(", ").push_bind(eid).push(")");
            }
            (_, Some((_, eid))) => {
                query.push(" and eid < ").push_bind(eid);
            }
            (_, None) => {}
        }
        query.push(if filter.kind.len() == 1 { " order by received_at desc, eid desc limit " } else { " order by eid desc limit " });
        query.push_bind(i64::from(filter.limit) + 1);
        let rows = query.fetch_all(&self.readers).await.map_err(StoreError::doing("list events"))?;
        let more = rows.len() > filter.limit as usize;
        let mut events = Vec::new();
        for row in rows.iter().take(filter.limit as usize) {
            let event = event_row(row)?;
            let runs = self.runs(&event.eid).await?;
            events.push((event, runs));
        }
        Ok(EventPage { events, more })
    }

    /// Whether so few runs have these statuses that their events are better looked up from there: where they are many, a walk from the newest event
    /// on finds a page of them soon.
    async fn are_few(&self, statuses: &[String]) -> Result<bool, StoreError> {
        if !statuses.iter().all(|status| ["running", "waiting", "pending", "dead"].contains(&status.as_str())) {
            return Ok(false);
        }
        let mut count = sql("select count(*) from (select 1 from (");
        push_rare(&mut count, statuses);
        count.push(") as rare limit ").push_bind(FEW + 1).push(") as counted");
        let found: i64 = count.scalar(&self.readers).await.map_err(StoreError::doing("count runs"))?;
        Ok(found <= FEW)
    }

    /// Runs per route and status.
    pub async fn run_counts(&self) -> Result<Vec<(String, String, u64)>, StoreError> {
        let rows = sql("select route, status, count(*) from run where superseded = 0 group by route, status")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("count runs"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), u64::try_from(row.get::<i64>(2)).unwrap_or(0))).collect())
    }
}

/// Events whose sender gave them that id. They are known by source and id: with the source that is one look, and without it one for each source, which are
/// few beside the events. An event of before this version has its identity in `seen`.
fn push_id<'v>(query: &mut Statement<'v>, id: &'v str, source: Option<&'v str>) {
    match source {
        Some(source) => {
            for (union, known) in [
                (" and eid in (select known.eid from event known where known.digest is not null", ""),
                (" union all select known.eid from seen known where 1 = 1", ")"),
            ] {
                query.push(union).push(" and known.source = ").push_bind(source).push(" and known.id = ").push_bind(id).push(known);
            }
        }
        None => {
            query.push(
                " and eid in (with recursive sender (source) as (select min(source) from event where digest is not null union all \
                 select (select min(known.source) from event known where known.digest is not null and known.source > sender.source) from sender \
                 where sender.source is not null), \
                 former (source) as (select min(source) from seen union all \
                 select (select min(seen.source) from seen where seen.source > former.source) from former where former.source is not null) \
                 select known.eid from sender join event known on known.digest is not null and known.source = sender.source and known.id = ",
            );
            query.push_bind(id).push(" union all select seen.eid from former join seen on seen.source = former.source and seen.id = ");
            query.push_bind(id).push(")");
        }
    }
}

/// Events with any of these statuses; `looked_up`: from their runs on.
fn push_statuses<'v>(query: &mut Statement<'v>, statuses: &'v [String], looked_up: bool) {
    if statuses.is_empty() {
        return;
    }
    if looked_up {
        query.push(" and eid in (");
        push_rare(query, statuses);
        query.push(")");
    }
    query.push(" and (1 = 0");
    for status in statuses {
        query.push(" or (1 = 1");
        push_status(query, status);
        query.push(")");
    }
    query.push(")");
}

/// Events that came in a period. Their eids say it almost to the millisecond: a clock may have been set back a little.
pub(super) fn push_period(query: &mut Statement<'_>, since: Option<Timestamp>, until: Option<Timestamp>) {
    if let Some(since) = since {
        query.push(" and eid > ").push_bind(before_eids_of(since)).push(" and received_at >= ").push_bind(millis(since));
    }
    if let Some(until) = until {
        let at_most = until.checked_add(EIDS_AHEAD).unwrap_or(Timestamp::MAX);
        query.push(" and eid < ").push_bind(before_eids_of(at_most)).push(" and received_at < ").push_bind(millis(until));
    }
}

/// Events of runs with these statuses: of those that have not ended, and of dead letters, which have indexes of their own.
fn push_rare<'v>(query: &mut Statement<'v>, statuses: &'v [String]) {
    query.push("select eid from run where ended_at is null and status in ").push_list(statuses);
    if statuses.iter().any(|status| status == "dead") {
        query.push(" union all select eid from run where status = 'dead' and superseded = 0");
    }
}

/// Event status as `interfaces` defines it, from the newest run of every line.
fn push_status<'v>(query: &mut Statement<'v>, status: &'v str) {
    const RUN: &str = "exists (select 1 from run where run.eid = event.eid and run.superseded = 0 and run.status = ";
    let before: &[&'static str] = match status {
        "unrouted" => {
            query.push(" and not exists (select 1 from run where run.eid = event.eid)");
            return;
        }
        "running" => &[],
        "waiting" => &["running"],
        "pending" => &["running", "waiting"],
        "dead" => &["running", "waiting", "pending"],
        "cancelled" => &["running", "waiting", "pending", "dead"],
        "succeeded" => &["running", "waiting", "pending", "dead", "cancelled"],
        _ => {
            query.push(" and 1 = 0");
            return;
        }
    };
    query.push(" and ").push(RUN).push_bind(status).push(")");
    for earlier in before {
        query.push(" and not ").push(RUN).push_bind(*earlier).push(")");
    }
}

fn event_row(row: &Row) -> Result<EventRow, StoreError> {
    Ok(EventRow {
        eid: row.get("eid"),
        body: row.get("body"),
        received_at: timestamp(row.get("received_at"))?,
        cause: row.get("cause"),
        hops: row.get("hops"),
        erased_at: optional_timestamp(row.get("erased_at"))?,
        trace: row.get("trace"),
    })
}

pub(super) fn run_row(row: &Row) -> Result<RunRow, StoreError> {
    Ok(RunRow {
        id: row.get("id"),
        eid: row.get("eid"),
        route: row.get("route"),
        status: row.get("status"),
        status_reason: row.get("status_reason"),
        undone: row.get("undone"),
        revision: row.get("revision"),
        root: row.get("root"),
        replay_of: row.get("replay_of"),
        superseded: row.get("superseded"),
        order_key: row.get("order_key"),
        order_hold: row.get("order_hold"),
        due_at: optional_timestamp(row.get("due_at"))?,
        state: row.get("state"),
        created_at: timestamp(row.get("created_at"))?,
        ended_at: optional_timestamp(row.get("ended_at"))?,
    })
}
