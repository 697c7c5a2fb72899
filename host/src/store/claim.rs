//! Runs given to workers, under a lease with a fencing number.

use std::sync::Arc;

use jiff::Timestamp;

use super::source;
use super::sql::{Dialect, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};
use crate::crash::Point;
use crate::live::{News, RunChanged};

/// Runs that have not ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct OpenRuns {
    /// The host has something to do for them, or a fault keeps them: under way, due, to be tried again, held for a person or a credential.
    pub backlog: u64,
    /// They wait by design, for a time or an event: nothing is to be done for them until then.
    pub asleep: u64,
}

/// A run under lease.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// Its id.
    pub id: String,
    /// Of its event.
    pub eid: String,
    /// The route's name.
    pub route: String,
    /// Number of the configuration it runs on.
    pub revision: i64,
    /// First run of its line; keys derive from it.
    pub root: String,
    /// The run it replays.
    pub replay_of: Option<String>,
    /// Its place in the order of its key.
    pub order_key: Option<String>,
    /// It gave up its order key while it waited, and has not taken it again.
    pub is_away: bool,
    /// Every claim raises it; writes with a smaller one match nothing.
    pub fence: i64,
    /// State as last settled; `None` before the first step.
    pub state: Option<String>,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it is given up.
    pub deadline_at: Timestamp,
    /// The event, structured JSON.
    pub event: Arc<str>,
    /// See [`super::NewEvent::hops`].
    pub hops: u32,
    /// See [`super::NewEvent::trace`].
    pub trace: Option<String>,
}

impl ClaimedRun {
    /// Whether nothing can have been journalled for its line yet.
    pub fn is_fresh(&self) -> bool {
        self.fence == 1 && self.replay_of.is_none()
    }

    /// What is told of it when it is in another state.
    pub(super) fn changed(&self, status: &str, at: Timestamp) -> RunChanged {
        RunChanged::new(&self.eid, &self.id, &self.route, status, at)
    }
}

impl Store {
    /// Leases due runs, the longest due of each route first: at most so many of each as are asked for. The work is that of the runs claimed,
    /// however many wait. Runs of the configurations `except` are left to other hosts, until their deadline.
    pub async fn claim(
        &self,
        owner: &str,
        now: Timestamp,
        lease_until: Timestamp,
        routes: Vec<(String, u32)>,
        except: Vec<i64>,
    ) -> Result<Vec<ClaimedRun>, StoreError> {
        let owner = owner.to_owned();
        self.writer
            .write(Terms::none().point(Point::Claiming), move |connection| {
                let (owner, routes, except) = (owner.clone(), routes.clone(), except.clone());
                Box::pin(async move {
                    // Materialized: looked for once, whatever the planner thinks of it.
                    let mut claim = sql("with due as materialized (");
                    for (index, (route, most)) in routes.into_iter().enumerate() {
                        claim.push(if index == 0 { "select seq from (" } else { " union all select seq from (" });
                        claim.push("select seq from run where route = ").push_bind(route).push(" and due_at <= ").push_bind(millis(now));
                        if !except.is_empty() {
                            claim.push(" and (deadline_at <= ").push_bind(millis(now)).push(" or revision not in ");
                            claim.push_list(except.iter().copied()).push(")");
                        }
                        // SQLite prepares a statement anew for each value of a parameter that is all of a limit.
                        claim.push(" order by due_at, seq limit ").push_bind(most).push(" + 0");
                        if connection.dialect() == Dialect::Postgres {
                            // What another host is just claiming or settling is passed over rather than waited for.
                            claim.push(" for update skip locked");
                        }
                        claim.push(") as of_route");
                    }
                    claim.push(") update run set status = 'running', status_reason = null, due_at = ").push_bind(millis(lease_until));
                    claim.push(", lease_owner = ").push_bind(&owner).push(
                        ", fence = fence + 1 where seq in (select seq from due) returning seq, id, eid, route, revision, root, replay_of, \
                         order_key, order_away, fence, state, created_at, deadline_at, (select body from event where event.eid = run.eid) as body, \
                         (select hops from event where event.eid = run.eid) as hops, (select trace from event where event.eid = run.eid) as trace",
                    );
                    let rows = claim.fetch_all(&mut *connection).await.map_err(StoreError::doing("claim runs"))?;
                    let mut claimed = rows
                        .into_iter()
                        .map(|row| {
                            Ok((
                                row.get::<i64>("seq"),
                                ClaimedRun {
                                    id: row.get("id"),
                                    eid: row.get("eid"),
                                    route: row.get("route"),
                                    revision: row.get("revision"),
                                    root: row.get("root"),
                                    replay_of: row.get("replay_of"),
                                    order_key: row.get("order_key"),
                                    is_away: row.get::<i64>("order_away") != 0,
                                    fence: row.get("fence"),
                                    state: row.get("state"),
                                    created_at: timestamp(row.get("created_at"))?,
                                    deadline_at: timestamp(row.get("deadline_at"))?,
                                    event: row.get::<String>("body").into(),
                                    hops: row.get("hops"),
                                    trace: row.get("trace"),
                                },
                            ))
                        })
                        .collect::<Result<Vec<_>, StoreError>>()?;
                    claimed.sort_by_key(|(seq, _)| *seq);
                    for (_, run) in &claimed {
                        connection.tell(News::Run(run.changed("running", now)));
                    }
                    Ok(claimed.into_iter().map(|(_, run)| run).collect())
                })
            })
            .await
    }

    /// Moves the end of the leases of runs that are still being worked on.
    pub async fn renew(&self, runs: Vec<(String, i64)>, lease_until: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let runs = runs.clone();
                Box::pin(async move {
                    for (id, fence) in runs {
                        sql("update run set due_at = ? where id = ? and fence = ? and status = 'running'")
                            .bind(millis(lease_until))
                            .bind(id)
                            .bind(fence)
                            .execute(&mut *connection)
                            .await
                            .map_err(StoreError::doing("renew leases"))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// The routes that have runs with a time, each with the first such time. One look into the index for each route, however many runs wait:
    /// "the next route after this one, and its first time", again and again.
    pub async fn due_routes(&self) -> Result<Vec<(String, Timestamp)>, StoreError> {
        let rows = sql("with recursive due (route) as (\
             select (select one.route from run one where one.due_at is not null order by one.route limit 1) \
             union all \
             select (select one.route from run one where one.due_at is not null and one.route > due.route order by one.route limit 1) \
             from due where due.route is not null) \
             select route, (select min(one.due_at) from run one where one.due_at is not null and one.route = due.route) \
             from due where route is not null")
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("look for due runs"))?;
        let mut routes = Vec::with_capacity(rows.len());
        for row in rows {
            // Its last run may have been claimed between the two looks.
            if let Some(due) = optional_timestamp(row.get(1))? {
                routes.push((row.get(0), due));
            }
        }
        Ok(routes)
    }

    /// Gives up leases: the runs are due at once, for whoever claims them next.
    pub async fn hand_back(&self, runs: Vec<(String, i64)>, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none().signal(Signal::Due), move |connection| {
                let runs = runs.clone();
                Box::pin(async move {
                    for (id, fence) in runs {
                        sql("update run set status = 'pending', due_at = ? where id = ? and fence = ? and status = 'running'")
                            .bind(millis(now))
                            .bind(id)
                            .bind(fence)
                            .execute(&mut *connection)
                            .await
                            .map_err(StoreError::doing("hand runs back"))?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Takes back the leases of a host that is known to be gone: the former life of the one that asks. Without a name all of them: one host has
    /// a file, so that every lease found at its start is of a host that no longer is. Waiting for their end would only delay. Leases of sources go
    /// with them.
    pub async fn release(&self, owner: Option<&str>, now: Timestamp) -> Result<u64, StoreError> {
        let owner = owner.map(str::to_owned);
        self.writer
            .write(Terms::none().signal(Signal::Due).point(Point::Releasing), move |connection| {
                let owner = owner.clone();
                Box::pin(async move {
                    source::release(connection, owner.as_deref()).await?;
                    sql("update run set due_at = ?1 where status = 'running' and ended_at is null and (?2 is null or lease_owner = ?2)")
                        .bind(millis(now))
                        .bind(owner)
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("release leases"))
                })
            })
            .await
    }

    /// How many runs have not ended. Counts them in an index: the work grows with their number.
    pub async fn unfinished(&self) -> Result<OpenRuns, StoreError> {
        let row = sql("select count(*), count(*) filter (where status = 'waiting' and waits_for in ('time', 'event')) from run \
             where ended_at is null")
        .fetch_one(&self.readers)
        .await
        .map_err(StoreError::doing("count the backlog"))?;
        let count = |index: usize| u64::try_from(row.get::<i64>(index)).unwrap_or(0);
        Ok(OpenRuns { backlog: count(0).saturating_sub(count(1)), asleep: count(1) })
    }
}
