//! Dead letters, found by what people know of them.

use super::query::{RunRow, run_row};
use super::sql::{Dialect, Statement, sql};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};
use jiff::Timestamp;

/// Which dead letters a list is about. Empty fields don't filter.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Of a route.
    pub route: Option<String>,
    /// Of which a step of this plugin failed.
    pub plugin: Option<String>,
    /// Exact type of the event.
    pub event_type: Option<String>,
    /// Died at or after.
    pub since: Option<Timestamp>,
    /// Died before.
    pub until: Option<Timestamp>,
    /// Kind of failure.
    pub failure: Option<String>,
    /// Of one cause.
    pub cause: Option<String>,
    /// Text within the event or the reason.
    pub text: Option<String>,
    /// Of one of these events.
    pub among: Option<Vec<String>>,
    /// At most so many.
    pub limit: u32,
    /// Where the page before ended: time of death and number of the run.
    pub after: Option<(Timestamp, i64)>,
    /// The first death first, rather than the last.
    pub oldest_first: bool,
}

/// A dead run that nothing has superseded.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The run.
    pub run: RunRow,
    /// Its number in the order of acceptance.
    pub seq: i64,
    /// When it died.
    pub died_at: Timestamp,
    /// Kind of failure; `None` for runs that died on an earlier version.
    pub failure: Option<String>,
    /// Plugin of the step that failed.
    pub plugin: Option<String>,
    /// That step; `None`: it died before one.
    pub step: Option<String>,
    /// Action of that step.
    pub action: Option<String>,
    /// What it shares with others that died of the same.
    pub cause: Option<String>,
    /// Type of its event.
    pub event_type: String,
    /// Source of its event.
    pub source: String,
    /// Id of its event.
    pub id: String,
    /// The event, structured JSON.
    pub body: String,
    /// When personal data of the event was erased: it can't be replayed.
    pub erased_at: Option<Timestamp>,
}

/// One page, the latest death first.
#[derive(Debug, Clone)]
pub struct DeadLetterPage {
    /// Dead letters.
    pub letters: Vec<DeadLetter>,
    /// There may be more.
    pub more: bool,
}

impl DeadLetterFilter {
    /// Whether it is about events, too, rather than about runs alone.
    pub(super) fn asks_events(&self) -> bool {
        self.event_type.is_some() || self.text.is_some()
    }

    /// What it asks of dead runs, and of their events, but for the order and length of a page.
    pub(super) fn push<'v>(&'v self, query: &mut Statement<'v>, dialect: Dialect) {
        let exact = [
            (" and run.route = ", &self.route),
            (" and run.failed_plugin = ", &self.plugin),
            (" and run.failure = ", &self.failure),
            (" and run.cause = ", &self.cause),
            (" and event.type = ", &self.event_type),
        ];
        for (condition, value) in exact {
            if let Some(value) = value {
                query.push(condition).push_bind(value);
            }
        }
        if let Some(since) = self.since {
            query.push(" and run.ended_at >= ").push_bind(millis(since));
        }
        if let Some(until) = self.until {
            query.push(" and run.ended_at < ").push_bind(millis(until));
        }
        if let Some(text) = &self.text {
            let (body, reason) = match dialect {
                Dialect::Sqlite => (" and (instr(event.body, ", ") > 0 or instr(coalesce(run.status_reason, ''), "),
                Dialect::Postgres => (" and (strpos(event.body, ", ") > 0 or strpos(coalesce(run.status_reason, ''), "),
            };
            query.push(body).push_bind(text).push(reason).push_bind(text).push(") > 0)");
        }
        if let Some(events) = &self.among {
            // One value for each: an empty list finds nothing.
            query.push(" and run.eid in (null");
            for eid in events {
                query.push(", ").push_bind(eid);
            }
            query.push(")");
        }
    }
}

impl Store {
    /// A page of dead runs that nothing has superseded.
    pub async fn dead_letters(&self, filter: &DeadLetterFilter) -> Result<DeadLetterPage, StoreError> {
        let mut query = sql(
            "select run.*, event.type as event_type, event.source as event_source, event.id as event_id, event.body as event_body, event.erased_at as erased_at \
             from run join event on event.eid = run.eid where run.status = 'dead' and run.superseded = 0",
        );
        filter.push(&mut query, self.dialect());
        let (beyond, order) = match filter.oldest_first {
            false => (" and (run.ended_at, run.seq) < (", " order by run.ended_at desc, run.seq desc limit "),
            true => (" and (run.ended_at, run.seq) > (", " order by run.ended_at, run.seq limit "),
        };
        if let Some((time, seq)) = filter.after {
            query.push(beyond).push_bind(millis(time)).push(", ").push_bind(seq).push(")");
        }
        query.push(order).push_bind(i64::from(filter.limit) + 1);
        let rows = query.fetch_all(&self.readers).await.map_err(StoreError::doing("list dead letters"))?;
        let more = rows.len() > filter.limit as usize;
        let letters = rows.iter().take(filter.limit as usize).map(|row| {
            Ok(DeadLetter {
                run: run_row(row)?,
                seq: row.get("seq"),
                died_at: timestamp(row.get("ended_at"))?,
                failure: row.get("failure"),
                plugin: row.get("failed_plugin"),
                step: row.get("failed_step"),
                action: row.get("failed_action"),
                cause: row.get("cause"),
                event_type: row.get("event_type"),
                source: row.get("event_source"),
                id: row.get("event_id"),
                body: row.get("event_body"),
                erased_at: optional_timestamp(row.get("erased_at"))?,
            })
        });
        Ok(DeadLetterPage { letters: letters.collect::<Result<_, StoreError>>()?, more })
    }
}
