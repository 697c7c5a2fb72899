//! What people and programs ask: events with their runs, lists, dead letters.

use jiff::Timestamp;

use super::effect::{EffectRow, effect_row};
use super::sql::{Dialect, Row, Statement, sql};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};

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
    /// Event status, or `unrouted`.
    pub status: Option<String>,
    /// Exact type.
    pub kind: Option<String>,
    /// Exact source.
    pub source: Option<String>,
    /// Events with a run of that route.
    pub route: Option<String>,
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
        let row = sql("select eid, body, received_at, cause, hops, erased_at from event where eid = ?")
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
        let rows = sql("select * from effect where run = ? order by attempt, seq")
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read effects"))?;
        rows.iter().map(effect_row).collect()
    }

    /// A page of events, newest first.
    pub async fn events(&self, filter: &EventFilter) -> Result<EventPage, StoreError> {
        let mut query = sql("select eid, body, received_at, cause, hops, erased_at from event where 1 = 1");
        if let Some(kind) = &filter.kind {
            query.push(" and type = ").push_bind(kind);
        }
        if let Some(source) = &filter.source {
            query.push(" and source = ").push_bind(source);
        }
        if let Some(since) = filter.since {
            query.push(" and received_at >= ").push_bind(millis(since));
        }
        if let Some(until) = filter.until {
            query.push(" and received_at < ").push_bind(millis(until));
        }
        if let Some(route) = &filter.route {
            query.push(" and exists (select 1 from run where run.eid = event.eid and run.route = ").push_bind(route).push(")");
        }
        if let Some(text) = &filter.text {
            query.push(match self.dialect() {
                Dialect::Sqlite => " and (instr(body, ",
                Dialect::Postgres => " and (strpos(body, ",
            });
            query.push_bind(text).push(") > 0 or eid = ").push_bind(text).push(")");
        }
        if let Some(status) = &filter.status {
            push_status(&mut query, status);
        }
        if let Some((time, eid)) = &filter.after {
            query.push(" and (received_at, eid) < (").push_bind(millis(*time)).push(", ").push_bind(eid).push(")");
        }
        query.push(" order by received_at desc, eid desc limit ").push_bind(i64::from(filter.limit) + 1);
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

    /// Runs per route and status.
    pub async fn run_counts(&self) -> Result<Vec<(String, String, u64)>, StoreError> {
        let rows = sql("select route, status, count(*) from run where superseded = 0 group by route, status")
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("count runs"))?;
        Ok(rows.iter().map(|row| (row.get(0), row.get(1), u64::try_from(row.get::<i64>(2)).unwrap_or(0))).collect())
    }
}

/// Event status as `interfaces` defines it, from the newest run of every line.
fn push_status(query: &mut Statement, status: &str) {
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
