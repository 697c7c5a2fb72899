//! `order-by`: who holds a key, who waits behind, and who comes next.
//!
//! Of the runs of a route with the same key, the one with the smallest place holds it. A run has a place until it ends; a dead one of a route
//! with `order-on-dead = "hold"` until it is replayed, which takes the place over, or given up. Those behind the first are not due.
//!
//! A run that waits by design goes away: it is in no line then. Woken, it takes the key again if nobody holds it; otherwise it is back in line, and has its turn
//! before all others that wait for theirs (those that are back in the order of acceptance).

use std::collections::HashSet;

use jiff::Timestamp;

use super::sql::{Connection, Statement, sql};
use super::terms::{Signal, Terms};
use super::{ClaimedRun, Store, StoreError, millis, run};
use crate::audit::Act;
use crate::crash::Point;
use crate::live::{News, RunChanged};

/// Most runs of one statement.
const ROWS: usize = 64;

/// The run that holds an order key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyHolder {
    /// The run.
    pub run: String,
    /// Its event.
    pub eid: String,
    /// Its status.
    pub status: String,
}

/// What cancelling an event did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Ids and routes of the runs it ended.
    pub runs: Vec<(String, String)>,
    /// Dead runs that no longer keep their order key.
    pub released: Vec<String>,
}

impl Store {
    /// Who holds the key of a run that waits behind others.
    pub async fn key_holder(&self, run: &str) -> Result<Option<KeyHolder>, StoreError> {
        let row =
            sql("select before.id, before.eid, before.status from run before where before.route = (select route from run where id = ?1) \
             and before.order_key = (select order_key from run where id = ?1) and before.order_key is not null \
             and (before.ended_at is null or (before.status = 'dead' and before.order_hold = 1 and before.superseded = 0)) \
             and before.order_away = 0 and before.id <> ?1 and ((select order_away from run where id = ?1) = 2 or \
             coalesce(before.order_place, before.seq) < (select coalesce(order_place, seq) from run where id = ?1)) \
             order by coalesce(before.order_place, before.seq) limit 1")
            .bind(run)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look for the holder of an order key"))?;
        Ok(row.map(|row| KeyHolder { run: row.get(0), eid: row.get(1), status: row.get(2) }))
    }

    /// How many runs wait behind one that holds its key.
    pub async fn waiting_behind(&self, run: &str) -> Result<u64, StoreError> {
        let count: i64 = sql("select count(*) from run join run behind on behind.route = run.route and behind.order_key = run.order_key \
             and behind.order_key is not null and behind.ended_at is null and behind.id <> run.id and behind.order_away <> 1 \
             and (behind.order_away = 2 or coalesce(behind.order_place, behind.seq) > coalesce(run.order_place, run.seq)) where run.id = ?")
        .bind(run)
        .scalar(&self.readers)
        .await
        .map_err(StoreError::doing("count the runs behind an order key"))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// A run that gave up its key while it waited goes on: it takes the key again. `false`: another run holds it; this one has left its worker, and its turn
    /// comes before all others that wait for theirs.
    pub async fn come_back(&self, run: &ClaimedRun) -> Result<bool, StoreError> {
        let run = run.clone();
        self.writer
            .write(Terms::none().order(&run.route, run.order_key.as_deref()), move |connection| {
                let run = run.clone();
                Box::pin(async move { come_back(connection, &run).await })
            })
            .await
    }

    /// Cancels the runs of an event that have not ended; a running step's outcome is then discarded by its fence. Dead ones that keep their
    /// order key give it up. Puts that on record, if there was anything to end.
    pub async fn cancel(&self, eid: &str, act: Act, now: Timestamp) -> Result<Cancelled, StoreError> {
        let mut terms = Terms::none().audit().signal(Signal::Ended).signal(Signal::Due);
        for run in self.runs(eid).await? {
            terms = terms.order(&run.route, run.order_key.as_deref());
        }
        let (eid, note) = (eid.to_owned(), self.note(act, now)?);
        self.writer
            .write(terms.point(Point::Cancelling), move |connection| {
                let (eid, note) = (eid.clone(), note.clone());
                Box::pin(async move {
                    let cancelled = cancel(connection, &eid, now).await?;
                    if !cancelled.runs.is_empty() || !cancelled.released.is_empty() {
                        let runs: Vec<String> = cancelled.runs.iter().map(|(id, _)| id.clone()).collect();
                        note.with("runs", runs).with("released", cancelled.released.clone()).append(connection).await?;
                    }
                    Ok(cancelled)
                })
            })
            .await
    }
}

async fn cancel(connection: &mut Connection, eid: &str, now: Timestamp) -> Result<Cancelled, StoreError> {
    let doing = || StoreError::doing("cancel an event");
    let mut cancelled = Cancelled::default();
    let ended = sql(
        "update run set status = 'cancelled', status_reason = 'cancelled by a person', ended_at = ?, due_at = null, fence = fence + 1 \
         where eid = ? and ended_at is null returning id, route",
    )
    .bind(millis(now))
    .bind(eid)
    .fetch_all(&mut *connection)
    .await
    .map_err(doing())?;
    for row in ended {
        let id: String = row.get(0);
        run::over(connection, &id).await?;
        wake_next(connection, &id, now).await?;
        let route: String = row.get(1);
        connection.tell(News::Run(RunChanged::new(eid, &id, &route, "cancelled", now)));
        cancelled.runs.push((id, route));
    }
    let released: Vec<String> = sql(
        "update run set order_hold = 0 where eid = ? and status = 'dead' and order_hold = 1 and superseded = 0 and order_key is not null \
         returning id",
    )
    .bind(eid)
    .scalars(&mut *connection)
    .await
    .map_err(doing())?;
    for id in &released {
        wake_next(connection, id, now).await?;
    }
    cancelled.released = released;
    Ok(cancelled)
}

/// Runs behind others of the same key are not due, and nobody's: whoever ends the one before makes them due. Gives those that are behind one.
pub(super) async fn queue(connection: &mut Connection, runs: &[&str]) -> Result<HashSet<String>, StoreError> {
    let mut queued = HashSet::new();
    for runs in runs.chunks(ROWS) {
        let mut behind =
            sql("update run set due_at = null, status = 'pending', lease_owner = null, fence = 0 where id in (select v.column1 from ");
        behind.push_table(runs, |run| [run.into()]).push(
            " v) and order_key is not null and exists (select 1 from run before where before.route = run.route \
             and before.order_key = run.order_key and before.order_key is not null \
             and (before.ended_at is null or (before.status = 'dead' and before.order_hold = 1 and before.superseded = 0)) \
             and before.order_away = 0 and coalesce(before.order_place, before.seq) < coalesce(run.order_place, run.seq)) returning id",
        );
        queued.extend(behind.scalars::<String>(&mut *connection).await.map_err(StoreError::doing("put runs in order"))?);
    }
    Ok(queued)
}

/// Who comes next of the key of a run that ended or went away becomes due, if nobody holds it: one that is back, or else the first in line.
pub(super) async fn wake_next(connection: &mut Connection, ended: &str, now: Timestamp) -> Result<(), StoreError> {
    wake(&[ended], now).execute(connection).await.map_err(StoreError::doing("wake the next run of an order")).map(drop)
}

/// The same for many that ended or went away.
pub(super) fn wake<'v>(ended: &[&'v str], now: Timestamp) -> Statement<'v> {
    // Of each key the first, and the first of those that are back: from the index, which has them in this order.
    let mut wake = sql("with line as materialized (select \
         (select next.seq from run next where next.route = ended.route and next.order_key = ended.order_key and next.order_key is not null \
         and (next.ended_at is null or (next.status = 'dead' and next.order_hold = 1 and next.superseded = 0)) and next.order_away = 0 \
         order by coalesce(next.order_place, next.seq) limit 1) as first, \
         (select next.seq from run next where next.route = ended.route and next.order_key = ended.order_key and next.order_key is not null \
         and (next.ended_at is null or (next.status = 'dead' and next.order_hold = 1 and next.superseded = 0)) and next.order_away = 2 \
         order by coalesce(next.order_place, next.seq) limit 1) as back from ");
    wake.push_table(ended, |run| [run.into()]);
    // A first one that does not wait for its turn holds the key.
    wake.push(" v cross join run ended where ended.id = v.column1) update run set due_at = ").push_bind(millis(now)).push(
        ", order_away = 0 where seq in (select coalesce(line.back, line.first) from line where line.first is null or exists (select 1 \
         from run holder where holder.seq = line.first and holder.status = 'pending' and holder.due_at is null)) \
         and status = 'pending' and due_at is null",
    );
    wake
}

/// A run that was away and woke takes its key again; `false`: somebody holds it, and the run is back in line.
async fn come_back(connection: &mut Connection, run: &ClaimedRun) -> Result<bool, StoreError> {
    let doing = || StoreError::doing("take an order key again");
    let held: Option<i64> = sql("select 1 from run other where other.route = ?1 and other.order_key = ?2 and other.order_key is not null \
         and (other.ended_at is null or (other.status = 'dead' and other.order_hold = 1 and other.superseded = 0)) and other.order_away = 0 limit 1")
    .bind(&run.route)
    .bind(&run.order_key)
    .scalar_optional(&mut *connection)
    .await
    .map_err(doing())?;
    let mut back = sql("update run set order_away = ");
    match held {
        None => back.push("0"),
        Some(_) => back.push("2, status = 'pending', status_reason = null, due_at = null"),
    };
    back.push(" where id = ").push_bind(&run.id).push(" and fence = ").push_bind(run.fence).push(" and ended_at is null");
    back.execute(connection).await.map_err(doing())?;
    Ok(held.is_none())
}
