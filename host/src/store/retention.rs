//! What is over is removed, bite by bite: candidates are looked for where it holds nobody up, and removed in transactions that last no longer than
//! others.

use jiff::Timestamp;

use super::batch_over;
use super::query::push_period;
use super::sql::{Dialect, On, Statement, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis};
use crate::crash::Point;

/// Rows looked at, or removed, at once.
pub(super) const BITE: u32 = 200;
/// Pages of a file given back at once.
const PAGES: i64 = 256;
/// Free pages that a file keeps: it will need them again.
const SPARE_PAGES: i64 = 2048;

/// What is over.
#[derive(Debug, Clone)]
pub struct Over {
    /// Of routes that have no time of their own, and events that no route wants.
    pub usual: OverBefore,
    /// Of routes that have one.
    pub routes: Vec<(String, OverBefore)>,
}

/// Until when a run must have ended for its event to be over. An event stays as long as any of its runs keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OverBefore {
    /// Whatever its end; `None`: never.
    pub ended: Option<Timestamp>,
    /// And, of a dead letter; `None`: never.
    pub dead: Option<Timestamp>,
}

impl Over {
    /// Before this an event must have come to be over; `None`: none ever is.
    fn latest(&self) -> Option<Timestamp> {
        std::iter::once(&self.usual).chain(self.routes.iter().map(|(_, before)| before)).filter_map(|before| before.ended).max()
    }
}

/// How far a pass over the events has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrunedUpTo(String);

impl Store {
    /// Looks at the next events from the oldest on and removes those that are over, with their runs and journal. Gives how many it removed and
    /// where to go on; `None`: the pass is complete.
    pub async fn prune_events(&self, over: Over, after: Option<PrunedUpTo>) -> Result<(u64, Option<PrunedUpTo>), StoreError> {
        let Some(latest) = over.latest() else { return Ok((0, None)) };
        let mut candidates = sql("select eid, case when ");
        push_over(&mut candidates, &over);
        candidates.push(" then 1 else 0 end as is_over from event where 1 = 1");
        push_period(&mut candidates, None, Some(latest));
        if let Some(PrunedUpTo(eid)) = after {
            candidates.push(" and eid > ").push_bind(eid);
        }
        candidates.push(" order by eid limit ").push_bind(BITE);
        let rows = candidates.fetch_all(&self.readers).await.map_err(StoreError::doing("look for events that are over"))?;
        let next = rows.last().filter(|_| rows.len() == BITE as usize);
        let next = next.map(|row| PrunedUpTo(row.get("eid")));
        let eids: Vec<String> = rows.iter().filter(|row| row.get("is_over")).map(|row| row.get("eid")).collect();
        let removed = if eids.is_empty() { 0 } else { self.remove_events(eids, over).await? };
        Ok((removed, next))
    }

    async fn remove_events(&self, eids: Vec<String>, over: Over) -> Result<u64, StoreError> {
        self.writer
            .write(Terms::none().point(Point::Pruning), move |connection| {
                let (eids, over) = (eids.clone(), over.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("prune events");
                    if connection.dialect() == Dialect::Postgres {
                        // From here on no run of them can be added; the question below sees those that were.
                        let mut lock = sql("select eid from event where eid in ");
                        lock.push_list(&eids).push(" order by eid for update");
                        lock.fetch_all(&mut *connection).await.map_err(doing())?;
                    }
                    // Asked again: somebody may have replayed one meanwhile.
                    let mut still = sql("select eid from event where ");
                    push_over(&mut still, &over);
                    still.push(" and eid in ").push_list(eids);
                    let eids: Vec<String> = still.scalars(&mut *connection).await.map_err(doing())?;
                    if eids.is_empty() {
                        return Ok(0);
                    }
                    let batches = batch_over::of_events(connection, &eids).await?;
                    // Their senders may repeat them for longer.
                    let mut remember =
                        sql("insert into seen (source, id, eid, digest, until) select source, id, eid, digest, seen_until from event \
                         where digest is not null and eid in ");
                    remember.push_list(&eids).push(" on conflict do nothing");
                    remember.execute(&mut *connection).await.map_err(doing())?;
                    for statement in [
                        "delete from effect where root in (select root from run where eid in ",
                        "delete from line_step where root in (select root from run where eid in ",
                    ] {
                        let mut delete = sql(statement);
                        delete.push_list(&eids).push(")");
                        delete.execute(&mut *connection).await.map_err(doing())?;
                    }
                    // Runs, steps and attempts go with their event.
                    let mut delete = sql("delete from event where eid in ");
                    delete.push_list(&eids);
                    let removed = delete.execute(&mut *connection).await.map_err(doing())?;
                    // What batches keep of them goes as well.
                    batch_over::prune(connection, &batches).await?;
                    Ok(removed)
                })
            })
            .await
    }

    /// Forgets identities whose time is over and whose event is gone. Says whether there may be more.
    pub async fn prune_identities(&self, now: Timestamp) -> Result<bool, StoreError> {
        let over: Option<i64> =
            sql("select 1 from seen where until < ? and not exists (select 1 from event where event.eid = seen.eid) limit 1")
                .bind(millis(now))
                .scalar_optional(&self.readers)
                .await
                .map_err(StoreError::doing("look for identities that are over"))?;
        if over.is_none() {
            return Ok(false);
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let removed = sql("delete from seen where (source, id) in (select source, id from seen where until < ? \
                         and not exists (select 1 from event where event.eid = seen.eid) limit ?)")
                    .bind(millis(now))
                    .bind(BITE)
                    .execute(connection)
                    .await
                    .map_err(StoreError::doing("prune identities"))?;
                    Ok(removed >= u64::from(BITE))
                })
            })
            .await
    }

    /// Removes components that nobody needs: neither the latest configuration, nor one that a host runs, nor one that runs were accepted on. The
    /// configurations themselves stay: they are small, and say whether a file was applied before.
    pub async fn prune_components(&self) -> Result<u64, StoreError> {
        let lists = needed(&self.readers).await?;
        if known(&self.readers).await?.iter().all(|digest| is_needed(&lists, digest)) {
            return Ok(0);
        }
        self.writer
            .write(Terms::none().revisions().point(Point::Pruning), move |connection| {
                Box::pin(async move {
                    let lists = needed(&mut *connection).await?;
                    let mut removed = 0;
                    for digest in known(&mut *connection).await?.iter().filter(|digest| !is_needed(&lists, digest)) {
                        let delete = sql("delete from component where digest = ?").bind(digest);
                        removed += delete.execute(&mut *connection).await.map_err(StoreError::doing("prune components"))?;
                    }
                    Ok(removed)
                })
            })
            .await
    }

    /// Gives some of a file's free pages back to the system. Says whether there may be more. A server does so by itself.
    pub async fn give_back(&self) -> Result<bool, StoreError> {
        if self.dialect() == Dialect::Postgres {
            return Ok(false);
        }
        let doing = || StoreError::doing("give room back");
        let free: i64 = sql("pragma freelist_count").scalar(&self.readers).await.map_err(doing())?;
        if free <= SPARE_PAGES + PAGES {
            return Ok(false);
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let doing = || StoreError::doing("give room back");
                    // A statement that says how many pages takes no values.
                    sql("pragma incremental_vacuum(256)").fetch_all(&mut *connection).await.map_err(doing())?;
                    let left: i64 = sql("pragma freelist_count").scalar(connection).await.map_err(doing())?;
                    // A file made by an earlier version can't shrink while it is in use: `sangam store backup` writes a compact copy.
                    Ok(left < free && left > SPARE_PAGES + PAGES)
                })
            })
            .await
    }
}

/// Whether nothing of an event is unfinished, recent, or to be kept.
fn push_over<'v>(statement: &mut Statement<'v>, over: &'v Over) {
    statement.push("not exists (select 1 from run where run.eid = event.eid and (run.ended_at is null or run.ended_at >= ");
    push_before(statement, over, |before| before.ended);
    // A dead letter that was erased can't be replayed, and is kept no longer than others. One that keeps its order key stands for those behind it.
    statement.push(" or (run.status = 'dead' and run.superseded = 0 and event.erased_at is null and (");
    statement.push("(run.order_hold = 1 and run.order_key is not null) or run.ended_at >= ");
    push_before(statement, over, |before| before.dead);
    statement.push(")))) and (event.received_at < ").push_bind(before(over.usual.ended));
    statement.push(" or exists (select 1 from run where run.eid = event.eid))");
    // One that a waiting step has been given is about to be read.
    statement.push(" and not exists (select 1 from wait where wait.matched = event.eid)");
}

/// The time that counts for a run, by its route.
fn push_before<'v>(statement: &mut Statement<'v>, over: &'v Over, of: impl Fn(&OverBefore) -> Option<Timestamp>) {
    let differing: Vec<_> = over.routes.iter().filter(|(_, before)| of(before) != of(&over.usual)).collect();
    if differing.is_empty() {
        statement.push_bind(before(of(&over.usual)));
        return;
    }
    statement.push("case run.route");
    for (route, own) in differing {
        statement.push(" when ").push_bind(route).push(" then ").push_bind(before(of(own)));
    }
    statement.push(" else ").push_bind(before(of(&over.usual))).push(" end");
}

/// Nothing has ended before the beginning of time.
fn before(time: Option<Timestamp>) -> i64 {
    time.map_or(i64::MIN, millis)
}

/// The components of the configurations that somebody needs, each list as JSON.
async fn needed(on: impl Into<On<'_>>) -> Result<Vec<String>, StoreError> {
    sql("select components from revision where number = (select max(number) from revision) or number in (select revision from host) \
         or exists (select 1 from run where run.revision = revision.number)")
    .scalars(on)
    .await
    .map_err(StoreError::doing("look for components that somebody needs"))
}

async fn known(on: impl Into<On<'_>>) -> Result<Vec<String>, StoreError> {
    sql("select digest from component").scalars(on).await.map_err(StoreError::doing("list components"))
}

fn is_needed(lists: &[String], digest: &str) -> bool {
    lists.iter().any(|list| list.contains(digest))
}
