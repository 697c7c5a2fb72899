//! Events taken in: each with one run for every route that wants it, in one transaction.

use std::collections::HashSet;
use std::sync::Arc;

use jiff::Timestamp;

use super::claim::ClaimedRun;
use super::sql::{Connection, Script, Statement, Value, sql};
use super::{Store, StoreError, millis, order, wait};
use crate::live::{self, News, RunChanged};
use crate::run::FailureKind;

/// The fence of a run's first lease.
const FIRST_FENCE: i64 = 1;
/// Most rows of one insert: 16 columns of each stay far below the limit on bound values.
const ROWS: usize = 128;
/// So few events go to the database with their runs at once.
const FEW: usize = 8;

/// An event ready to be stored.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Given by the host.
    pub eid: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub kind: String,
    /// Structured JSON.
    pub body: String,
    /// Digest of what makes two events with the same identity differ.
    pub digest: [u8; 32],
    /// When it came.
    pub received_at: Timestamp,
    /// Until when its identity is remembered.
    pub seen_until: Timestamp,
    /// How many plugins brought in the chain of events that led here.
    pub hops: u32,
    /// JSON `{eid, run, step}` for an event that a plugin brought in.
    pub cause: Option<String>,
    /// Where in a trace its sender stands, as [`crate::telemetry::TraceContext::kept`] writes it.
    pub trace: Option<String>,
    /// One for every route that wants it.
    pub runs: Vec<NewRun>,
}

/// Takes a run that was leased with its acceptance, once it is durable.
pub trait Taker: std::fmt::Debug + Send + Sync {
    /// It is durable, and nobody else's until the lease ends.
    fn take(&self, run: ClaimedRun);
}

/// The lease of a run that its host drives from the start.
#[derive(Debug, Clone)]
pub struct FirstLease {
    /// The host's name.
    pub owner: String,
    /// Its end.
    pub until: Timestamp,
    /// Who gets the run.
    pub taker: Arc<dyn Taker>,
}

/// A run to be.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Given by the host.
    pub id: String,
    /// The route's name.
    pub route: String,
    /// Number of the configuration it runs on.
    pub revision: i64,
    /// Runs with the same key of the same route go one after another.
    pub order_key: Option<String>,
    /// Dead, it keeps that key.
    pub order_hold: bool,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// Dead from the start, with this reason: an expression of the route failed.
    pub dead: Option<String>,
    /// Leased from the start, unless it has to wait behind others of its order key; only of a run taken in by [`Store::accept`].
    pub lease: Option<FirstLease>,
}

impl NewEvent {
    /// Whether all its runs go to a host from the start, or have ended.
    pub(super) fn is_in_hand(&self) -> bool {
        self.runs.iter().all(|run| run.lease.is_some() || run.dead.is_some())
    }

    /// It is durable: its leased runs go to who has the leases. Of those with an order key only the `first` of their lines are leased.
    pub(crate) fn hand_over(self, first: &[String]) {
        for run in self.runs {
            let Some(lease) = run.lease else { continue };
            if run.order_key.is_some() && !first.contains(&run.id) {
                continue;
            }
            lease.taker.take(ClaimedRun {
                root: run.id.clone(),
                id: run.id,
                eid: self.eid.clone(),
                route: run.route,
                revision: run.revision,
                replay_of: None,
                order_key: run.order_key,
                is_away: false,
                fence: FIRST_FENCE,
                state: None,
                created_at: whole(self.received_at),
                deadline_at: whole(run.deadline_at),
                event: self.body.clone(),
                hops: self.hops,
                trace: self.trace.clone(),
            });
        }
    }
}

/// As the store keeps it.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(millis(time)).unwrap_or(time)
}

/// What became of one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// Of this event, or of the original.
    pub eid: String,
    /// The pair (`source`, `id`) was known.
    pub duplicate: bool,
    /// …with other content.
    pub differs: bool,
    /// Its runs that are leased and have an order key which nobody else holds.
    pub first: Vec<String>,
}

impl Store {
    /// Makes events and their runs durable. All or none; answered after the flush to disk.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let accepted = self.writer.accept(events).await;
        // Whoever waits for one of them is looked for.
        self.arrived.notify_one();
        accepted
    }
}

/// Inserts several intakes at once; gives the outcomes per intake.
pub(super) async fn insert(connection: &mut Connection, groups: &[&[NewEvent]]) -> Result<Vec<Vec<Accepted>>, StoreError> {
    let all: Vec<&NewEvent> = groups.iter().flat_map(|group| group.iter()).collect();
    let mut new = HashSet::with_capacity(all.len());
    // In one order on all hosts, so that two that get the same events at once don't wait for each other in a circle.
    let mut sorted = all.clone();
    sorted.sort_by_key(|event| (&event.source, &event.id));
    for rows in pieces(&sorted) {
        let mut query = sql("insert into seen (source, id, eid, digest, until) ");
        query.push_rows(rows, |event| {
            let until = millis(event.seen_until);
            [Value::from(&event.source), (&event.id).into(), (&event.eid).into(), event.digest.as_slice().into(), until.into()]
        });
        query.push(" on conflict (source, id) do nothing returning eid");
        let inserted = query.fetch_all(&mut *connection).await.map_err(StoreError::doing("take in events"))?;
        for row in inserted {
            new.insert(row.get::<String>(0));
        }
    }
    let fresh: Vec<&NewEvent> = all.iter().copied().filter(|event| new.contains(&event.eid)).collect();
    let first = insert_fresh(connection, &fresh).await?;
    fresh.iter().for_each(|event| tell(connection, event, &first));
    let mut outcomes = Vec::with_capacity(groups.len());
    for group in groups {
        let mut outcome = Vec::with_capacity(group.len());
        for event in *group {
            outcome.push(if new.contains(&event.eid) {
                let own = event.runs.iter().map(|run| &run.id).filter(|run| first.contains(*run));
                Accepted { eid: event.eid.clone(), duplicate: false, differs: false, first: own.cloned().collect() }
            } else {
                original(connection, event).await?
            });
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

async fn original(connection: &mut Connection, event: &NewEvent) -> Result<Accepted, StoreError> {
    let row = sql("select eid, digest from seen where source = ? and id = ?")
        .bind(&event.source)
        .bind(&event.id)
        .fetch_one(&mut *connection)
        .await
        .map_err(StoreError::doing("look up a duplicate"))?;
    let eid: String = row.get(0);
    match eid == event.eid {
        // A commit that was thought to have failed took place after all.
        // Of its lines nothing is known any more: what was leased first in one is claimed once that lease ends.
        true => tell(connection, event, &HashSet::new()),
        false => connection.tell(News::Duplicate),
    }
    Ok(Accepted { duplicate: eid != event.eid, differs: row.get::<Vec<u8>>(1) != event.digest, eid, first: Vec::new() })
}

/// It is taken in, those of its runs that could not begin are dead, and leased ones begin: with an order key the `first` of their lines.
fn tell(connection: &mut Connection, event: &NewEvent, first: &HashSet<String>) {
    connection.tell(News::Accepted(live::Accepted {
        eid: event.eid.clone(),
        event_type: event.kind.clone(),
        source: event.source.clone(),
        id: event.id.clone(),
        received_at: event.received_at,
        routes: event.runs.iter().map(|run| run.route.clone()).collect(),
    }));
    for run in event.runs.iter().filter(|run| run.dead.is_some()) {
        let changed = RunChanged::new(&event.eid, &run.id, &run.route, "dead", event.received_at);
        connection.tell(News::Run(RunChanged { took_ms: Some(0), ..changed }));
    }
    for run in event.runs.iter().filter(|run| run.lease.is_some() && (run.order_key.is_none() || first.contains(&run.id))) {
        connection.tell(News::Run(RunChanged::new(&event.eid, &run.id, &run.route, "running", event.received_at)));
    }
}

/// Pieces of few sizes, so that their statements are few, and stay prepared.
fn pieces<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = match rows.len() {
            0 => return None,
            few @ ..=FEW => few,
            many => ROWS.min(1 << many.ilog2()),
        };
        let (piece, rest) = rows.split_at(size);
        rows = rest;
        Some(piece)
    })
}

/// Events that were not known, with their runs. Gives those that are leased and first in the line of their order key.
async fn insert_fresh(connection: &mut Connection, events: &[&NewEvent]) -> Result<HashSet<String>, StoreError> {
    let runs: Vec<(&NewEvent, &NewRun)> = events.iter().flat_map(|event| event.runs.iter().map(move |run| (*event, run))).collect();
    let statements = pieces(events).map(event_rows).chain(pieces(&runs).map(run_rows));
    let statements = statements.chain(pieces(events).map(|rows| wait::arrive(rows.iter().map(|event| &event.eid))));
    if events.len() <= FEW && runs.len() <= FEW {
        let mut script = Script::default();
        statements.for_each(|statement| script.add(statement));
        script.run(connection).await.map_err(StoreError::doing("take in events"))?;
    } else {
        for statement in statements {
            statement.execute(&mut *connection).await.map_err(StoreError::doing("take in events"))?;
        }
    }
    // A run behind another of the same key is not due: whoever ends the one before makes it so.
    let mut first = HashSet::new();
    for (_, run) in runs.iter().filter(|(_, run)| run.order_key.is_some() && run.dead.is_none()) {
        if !order::queue(connection, &run.id).await? && run.lease.is_some() {
            first.insert(run.id.clone());
        }
    }
    Ok(first)
}

fn event_rows(rows: &[&NewEvent]) -> Statement {
    let mut query = sql("insert into event (eid, source, id, type, received_at, hops, cause, trace, body) ");
    query.push_rows(rows, |event| {
        [
            Value::from(&event.eid),
            (&event.source).into(),
            (&event.id).into(),
            (&event.kind).into(),
            millis(event.received_at).into(),
            event.hops.into(),
            (&event.cause).into(),
            (&event.trace).into(),
            (&event.body).into(),
        ]
    });
    query
}

fn run_rows(rows: &[(&NewEvent, &NewRun)]) -> Statement {
    let mut query = sql(
        "insert into run (id, eid, route, revision, root, status, status_reason, order_key, order_hold, due_at, created_at, deadline_at, ended_at, failure, \
         lease_owner, fence) ",
    );
    query.push_rows(rows, |(event, run)| {
        let received = millis(event.received_at);
        let dead = run.dead.is_some();
        let status = match (dead, &run.lease) {
            (true, _) => "dead",
            (false, Some(_)) => "running",
            (false, None) => "pending",
        };
        let due = run.lease.as_ref().map_or(received, |lease| millis(lease.until));
        [
            Value::from(&run.id),
            (&event.eid).into(),
            (&run.route).into(),
            run.revision.into(),
            (&run.id).into(),
            status.into(),
            (&run.dead).into(),
            (&run.order_key).into(),
            run.order_hold.into(),
            (!dead).then_some(due).into(),
            received.into(),
            millis(run.deadline_at).into(),
            dead.then_some(received).into(),
            // Only an expression of the route can fail so early.
            dead.then_some(FailureKind::Expression.as_str()).into(),
            run.lease.as_ref().map(|lease| &lease.owner).into(),
            if run.lease.is_some() { FIRST_FENCE } else { 0 }.into(),
        ]
    });
    query
}
