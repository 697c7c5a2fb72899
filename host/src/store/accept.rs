//! Events taken in: each with one run for every route that wants it, in one transaction.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::claim::ClaimedRun;
use super::job::Receipt;
use super::sql::{Connection, Dialect, Script, Statement, Value, sql};
use super::{Store, StoreError, millis, order, wait};
use crate::live::{self, News, RunChanged};
use crate::run::FailureKind;

/// The fence of a run's first lease.
const FIRST_FENCE: i64 = 1;
/// Most rows of one insert: 16 columns of each stay far below the limit on bound values.
const ROWS: usize = 128;

/// An event ready to be stored. The one who writes makes rows of it, again after a rollback: so its texts are shared, not copied.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Given by the host.
    pub eid: Arc<str>,
    /// CloudEvents `source`.
    pub source: Arc<str>,
    /// CloudEvents `id`.
    pub id: Arc<str>,
    /// CloudEvents `type`.
    pub kind: Arc<str>,
    /// Structured JSON.
    pub body: Arc<str>,
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

/// Takes a run that was leased with its acceptance, once that is written.
pub trait Taker: std::fmt::Debug + Send + Sync {
    /// It is nobody else's until the lease ends. `behind`: it is not durable yet, and nothing of it may leave before this says that it is; what it has made
    /// durable later comes after it.
    fn take(&self, run: ClaimedRun, behind: Option<Receipt>);
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

    /// It is written: its leased runs go to who has the leases. Of those with an order key only the `first` of their lines are leased.
    pub(crate) fn hand_over(&self, first: &HashSet<String>, behind: Option<&Receipt>) {
        for run in self.runs.iter().filter(|run| run.begins(first)) {
            let Some(lease) = &run.lease else { continue };
            let claimed = ClaimedRun {
                root: run.id.clone(),
                id: run.id.clone(),
                eid: self.eid.to_string(),
                route: run.route.clone(),
                revision: run.revision,
                replay_of: None,
                order_key: run.order_key.clone(),
                is_away: false,
                fence: FIRST_FENCE,
                state: None,
                created_at: whole(self.received_at),
                deadline_at: whole(run.deadline_at),
                event: self.body.clone(),
                hops: self.hops,
                trace: self.trace.clone(),
            };
            lease.taker.take(claimed, behind.cloned());
        }
    }
}

impl NewRun {
    /// It is driven from the start: leased, and with an order key among the `first` of their lines.
    fn begins(&self, first: &HashSet<String>) -> bool {
        self.lease.is_some() && (self.order_key.is_none() || first.contains(&self.id))
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
    /// Runs wait for events of its type, or for one of a type that came in together with it.
    pub awaited: bool,
}

impl Store {
    /// Makes events and their runs durable. All or none; answered after the flush to disk.
    pub async fn accept(&self, events: Vec<NewEvent>) -> Result<Vec<Accepted>, StoreError> {
        let accepted = self.writer.accept(events).await;
        // Whether one was taken in that failed nobody knows.
        self.arrived_among(accepted.as_deref().unwrap_or(&[]), accepted.is_err());
        accepted
    }

    /// Has those looked for who wait for one of these events.
    pub(super) fn arrived_among(&self, accepted: &[Accepted], or_perhaps: bool) {
        if or_perhaps || accepted.iter().any(|accepted| accepted.awaited) {
            self.arrived.notify_one();
        }
    }
}

/// Columns of an event, and of a run.
const EVENT: usize = 11;
const RUN: usize = 15;

/// The rows that become of events. Whoever asks makes them: the writer's time is everybody's.
pub(super) struct Rows {
    events: Vec<[Value<'static>; EVENT]>,
    /// Of all their runs, event by event.
    runs: Vec<[Value<'static>; RUN]>,
}

impl Rows {
    /// Those of these events.
    pub(super) fn of(events: &[NewEvent]) -> Rows {
        let runs = events.iter().flat_map(|event| event.runs.iter().map(move |run| run_row(event, run)));
        Rows { events: events.iter().map(event_row).collect(), runs: runs.collect() }
    }
}

/// Events that come in together, with their rows.
#[derive(Clone, Copy)]
pub(super) struct Intake<'e> {
    /// The events.
    pub(super) events: &'e [NewEvent],
    /// Their rows.
    pub(super) rows: &'e Rows,
}

impl<'e> Intake<'e> {
    fn arrivals(self) -> impl Iterator<Item = Arrival<'e>> {
        let mut runs = self.rows.runs.as_slice();
        self.events.iter().zip(&self.rows.events).map(move |(event, row)| {
            let (own, others) = runs.split_at(event.runs.len());
            runs = others;
            Arrival { event, row, runs: own }
        })
    }
}

/// An event with its row, and those of its runs.
#[derive(Clone, Copy)]
struct Arrival<'e> {
    event: &'e NewEvent,
    row: &'e [Value<'static>; EVENT],
    runs: &'e [[Value<'static>; RUN]],
}

/// What became of events that were taken in together.
#[derive(Debug, Default)]
pub(super) struct Taken {
    /// Those that were known: eid and digest of the one with the same identity, by the eid that it was not given.
    known: HashMap<Arc<str>, (String, Vec<u8>)>,
    /// Runs that are leased and first in the line of their order key.
    first: HashSet<String>,
    /// Somebody waits for events of the type of one of them.
    awaited: bool,
}

impl Taken {
    /// What became of these, which are among them.
    pub(super) fn outcomes(&self, events: &[NewEvent]) -> Vec<Accepted> {
        let outcome = |event: &NewEvent| match self.known.get(&event.eid) {
            Some((eid, digest)) => Accepted { eid: eid.clone(), duplicate: true, differs: *digest != event.digest, awaited: self.awaited },
            None => Accepted { eid: event.eid.to_string(), duplicate: false, differs: false, awaited: self.awaited },
        };
        events.iter().map(outcome).collect()
    }

    /// Hands over the leased runs of these, which are among them. Without `behind` they are durable.
    pub(super) fn hand_over(&self, events: &[NewEvent], behind: Option<&Receipt>) {
        events.iter().filter(|event| !self.known.contains_key(&event.eid)).for_each(|event| event.hand_over(&self.first, behind));
    }

    /// What is told of these, which are among them: they are taken in, those of their runs that could not begin are dead, and leased ones begin, with
    /// an order key the first of their lines.
    pub(super) fn tell(&self, events: &[NewEvent], news: &mut Vec<News>) {
        for event in events {
            if self.known.contains_key(&event.eid) {
                news.push(News::Duplicate);
                continue;
            }
            news.push(News::Accepted(live::Accepted {
                eid: event.eid.clone(),
                event_type: event.kind.clone(),
                source: event.source.clone(),
                id: event.id.clone(),
                received_at: event.received_at,
                routes: event.runs.iter().map(|run| run.route.clone()).collect(),
            }));
            for run in event.runs.iter().filter(|run| run.dead.is_some()) {
                let changed = RunChanged::new(&event.eid, &run.id, &run.route, "dead", event.received_at);
                news.push(News::Run(RunChanged { took_ms: Some(0), ..changed }));
            }
            for run in event.runs.iter().filter(|run| run.begins(&self.first)) {
                news.push(News::Run(RunChanged::new(&event.eid, &run.id, &run.route, "running", event.received_at)));
            }
        }
    }
}

/// Inserts events that come in beside other writes.
pub(super) async fn insert(connection: &mut Connection, events: &[NewEvent]) -> Result<Vec<Accepted>, StoreError> {
    let taken = insert_all(connection, &[Intake { events, rows: &Rows::of(events) }]).await?;
    let mut news = Vec::new();
    taken.tell(events, &mut news);
    news.into_iter().for_each(|news| connection.tell(news));
    Ok(taken.outcomes(events))
}

/// Inserts several intakes at once. Nothing is told yet: whoever answers them does that.
pub(super) async fn insert_all(connection: &mut Connection, intakes: &[Intake<'_>]) -> Result<Taken, StoreError> {
    let all: Vec<Arrival<'_>> = intakes.iter().flat_map(|intake| intake.arrivals()).collect();
    let in_line = all.iter().flat_map(|arrival| &arrival.event.runs).any(|run| run.order_key.is_some());
    if in_line { one_by_one(connection, &all).await } else { at_once(connection, &all).await }
}

/// Events whose runs stand in no line go to the database with them at once. It sees itself which events are new.
async fn at_once(connection: &mut Connection, events: &[Arrival<'_>]) -> Result<Taken, StoreError> {
    let mut script = Script::default();
    let dialect = connection.dialect();
    let sorted = sorted(events, dialect);
    sorted.chunks(ROWS).for_each(|rows| script.add(insert_events(rows)));
    let rows = script.len();
    if dialect == Dialect::Postgres {
        sorted.chunks(ROWS).for_each(|rows| script.add(take_back(rows)));
    }
    let behind = script.len();
    insert_runs(&mut script, events, dialect);
    let changed = script.counts(connection).await.map_err(StoreError::doing("take in events"))?;
    let (inserted, taken_back) = (changed[..rows].iter().sum::<u64>(), changed[rows..behind].iter().sum::<u64>());
    let known = if inserted - taken_back < events.len() as u64 {
        known(connection, events).await?
    } else {
        has_all_runs(events, &changed[behind..])?;
        HashMap::new()
    };
    Ok(Taken { known, first: HashSet::new(), awaited: is_awaited(&changed) })
}

/// Of events whose runs stand in lines.
async fn one_by_one(connection: &mut Connection, events: &[Arrival<'_>]) -> Result<Taken, StoreError> {
    let doing = || StoreError::doing("take in events");
    let mut new = HashSet::with_capacity(events.len());
    let dialect = connection.dialect();
    for rows in sorted(events, dialect).chunks(ROWS) {
        let mut insert = insert_events(rows);
        insert.push(" returning eid");
        new.extend(insert.scalars::<String>(&mut *connection).await.map_err(doing())?);
        if dialect == Dialect::Postgres {
            let mut back = take_back(rows);
            back.push(" returning eid");
            for eid in back.scalars::<String>(&mut *connection).await.map_err(doing())? {
                new.remove(&eid);
            }
        }
    }
    let fresh: Vec<Arrival<'_>> = events.iter().copied().filter(|arrival| new.contains(&*arrival.event.eid)).collect();
    let mut script = Script::default();
    insert_runs(&mut script, &fresh, dialect);
    let changed = script.counts(connection).await.map_err(doing())?;
    has_all_runs(&fresh, &changed)?;
    // A run behind another of the same key is not due: whoever ends the one before makes it so.
    let runs = fresh.iter().flat_map(|arrival| &arrival.event.runs);
    let in_line: Vec<&NewRun> = runs.filter(|run| run.order_key.is_some() && run.dead.is_none()).collect();
    let behind = order::queue(connection, &in_line.iter().map(|run| run.id.as_str()).collect::<Vec<_>>()).await?;
    let first = in_line.iter().filter(|run| run.lease.is_some() && !behind.contains(&run.id)).map(|run| run.id.clone()).collect();
    // A commit that was thought to have failed may have taken place: then an event is not new and not known either. Of its lines nothing is
    // known any more: what was leased first in one is claimed once that lease ends.
    let known = if new.len() == events.len() { HashMap::new() } else { known(connection, events).await? };
    Ok(Taken { known, first, awaited: is_awaited(&changed) })
}

/// On a server in one order on all hosts, so that two that get the same events at once don't wait for each other in a circle. A file has one writer, and
/// takes them fastest in the order of its keys.
fn sorted<'e>(events: &[Arrival<'e>], dialect: Dialect) -> Vec<Arrival<'e>> {
    let mut sorted = events.to_vec();
    match dialect {
        Dialect::Postgres => sorted.sort_by_key(|Arrival { event, .. }| (&event.source, &event.id)),
        Dialect::Sqlite => sorted.sort_by_key(|Arrival { event, .. }| &event.eid),
    }
    sorted
}

/// Which events have the identity of others.
async fn known(connection: &mut Connection, events: &[Arrival<'_>]) -> Result<HashMap<Arc<str>, (String, Vec<u8>)>, StoreError> {
    let mut known = HashMap::new();
    for events in events.chunks(ROWS) {
        let mut originals: HashMap<String, (String, Vec<u8>)> = HashMap::new();
        // An event of before this version has its identity in `seen` only, one that is gone as well.
        for (of, is) in [
            (
                "select v.column1, event.eid, event.digest from ",
                " v cross join event where event.source = v.column2 and event.id = v.column3 and event.digest is not null",
            ),
            ("select v.column1, seen.eid, seen.digest from ", " v cross join seen where seen.source = v.column2 and seen.id = v.column3"),
        ] {
            let mut look = sql(of);
            look.push_table(events, identity);
            look.push(is);
            let rows = look.fetch_all(&mut *connection).await.map_err(StoreError::doing("look up duplicates"))?;
            originals.extend(rows.iter().map(|row| (row.get(0), (row.get(1), row.get(2)))));
        }
        for Arrival { event, .. } in events {
            let Some(original) = originals.remove(&*event.eid) else {
                // Its identity was there when the event came, and another host has forgotten it since.
                return Err(StoreError::Unavailable(format!("the identity of event {} ended meanwhile", event.id)));
            };
            if original.0 != *event.eid {
                known.insert(event.eid.clone(), original);
            }
        }
    }
    Ok(known)
}

fn identity<'e>(Arrival { event, .. }: Arrival<'e>) -> [Value<'e>; 3] {
    [(&event.eid).into(), (&event.source).into(), (&event.id).into()]
}

/// The runs of those of the events that are new, in the order of their acceptance, and what waits for such events.
fn insert_runs<'e>(script: &mut Script<'e>, events: &[Arrival<'e>], dialect: Dialect) {
    let runs: Vec<(usize, &'e [Value<'static>; RUN])> = events.iter().flat_map(|arrival| arrival.runs).enumerate().collect();
    runs.chunks(ROWS).for_each(|rows| script.add(insert_run_rows(rows)));
    script.add(wait::arrive(events.iter().map(|arrival| arrival.event), dialect));
}

/// What [`insert_runs`] has changed of events that are all new.
fn has_all_runs(events: &[Arrival<'_>], changed: &[u64]) -> Result<(), StoreError> {
    let runs = events.iter().map(|arrival| arrival.runs.len()).sum::<usize>();
    match changed.iter().take(runs.div_ceil(ROWS)).sum::<u64>() == runs as u64 {
        true => Ok(()),
        false => Err(StoreError::invalid("the runs of an event", "one of their ids is another run's")),
    }
}

/// Whether the last of these changes is one of arrivals.
fn is_awaited(changed: &[u64]) -> bool {
    changed.last().is_some_and(|rows| *rows > 0)
}

fn event_row(event: &NewEvent) -> [Value<'static>; EVENT] {
    let row: [Value<'_>; EVENT] = [
        (&event.eid).into(),
        (&event.source).into(),
        (&event.id).into(),
        (&event.kind).into(),
        millis(event.received_at).into(),
        event.hops.into(),
        (&event.cause).into(),
        (&event.trace).into(),
        (&event.body).into(),
        event.digest.as_slice().into(),
        millis(event.seen_until).into(),
    ];
    row.map(Value::into_owned)
}

/// Those of the events whose identity nobody has. On a server [`take_back`] has the last word on it.
fn insert_events<'e>(rows: &[Arrival<'e>]) -> Statement<'e> {
    let mut query = sql(
        "insert into event (eid, source, id, type, received_at, hops, cause, trace, body, digest, seen_until) select v.column1, v.column2, \
         v.column3, v.column4, v.column5, v.column6, v.column7, v.column8, v.column9, v.column10, v.column11 from ",
    );
    query.push_table(rows, |arrival| arrival.row.each_ref().map(Value::lent));
    query.push(
        " v where v.column1 is not null and not exists (select 1 from seen where seen.source = v.column2 and seen.id = v.column3) \
         on conflict do nothing",
    );
    query
}

/// Those of events that were just inserted whose identity is that of one that is gone. Asked behind the insert: another host may have been removing that
/// one, whose row the insert then has waited for, and what it left in its place is seen by statements that begin later.
fn take_back<'e>(rows: &[Arrival<'e>]) -> Statement<'e> {
    let mut back = sql("delete from event where eid in (select v.column1 from ");
    back.push_table(rows, identity);
    back.push(" v cross join seen where seen.source = v.column2 and seen.id = v.column3 and seen.eid <> v.column1)");
    back
}

fn run_row(event: &NewEvent, run: &NewRun) -> [Value<'static>; RUN] {
    let received = millis(event.received_at);
    let dead = run.dead.is_some();
    let due = run.lease.as_ref().map_or(received, |lease| millis(lease.until));
    let row: [Value<'_>; RUN] = [
        (&run.id).into(),
        (&event.eid).into(),
        (&run.route).into(),
        run.revision.into(),
        (&run.dead).into(),
        (&run.order_key).into(),
        run.order_hold.into(),
        (!dead).then_some(due).into(),
        received.into(),
        millis(run.deadline_at).into(),
        dead.then_some(received).into(),
        // Only an expression of the route can fail so early.
        dead.then_some(FailureKind::Expression.as_str()).into(),
        run.lease.as_ref().map(|lease| lease.owner.as_str()).into(),
        if run.lease.is_some() { FIRST_FENCE } else { 0 }.into(),
        // Its place.
        Value::Integer(None),
    ];
    row.map(Value::into_owned)
}

fn insert_run_rows<'e>(rows: &[(usize, &'e [Value<'static>; RUN])]) -> Statement<'e> {
    let mut query = sql(
        "insert into run (id, eid, route, revision, root, status, status_reason, order_key, order_hold, due_at, created_at, deadline_at, ended_at, failure, \
         lease_owner, fence) select v.column1, v.column2, v.column3, v.column4, v.column1, \
         case when v.column5 is not null then 'dead' when v.column13 is not null then 'running' else 'pending' end, v.column5, v.column6, v.column7, \
         v.column8, v.column9, v.column10, v.column11, v.column12, v.column13, v.column14 from ",
    );
    query.push_table(rows, |(place, row)| {
        let mut row = row.each_ref().map(Value::lent);
        row[RUN - 1] = i64::try_from(place).unwrap_or(i64::MAX).into();
        row
    });
    // A run's number is its place in the order of acceptance.
    query.push(" v cross join event where event.eid = v.column2 order by v.column15 on conflict (id) do nothing");
    query
}
