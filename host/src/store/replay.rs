//! Runs that go again: added to the line of one that ended.

use super::sql::{Connection, Dialect, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, order};
use crate::audit::Act;
use crate::crash::Point;
use crate::live::{News, RunChanged};
use jiff::Timestamp;

/// A run that goes again.
#[derive(Debug, Clone)]
pub struct NewReplay {
    /// Its id.
    pub id: String,
    /// The run it replays.
    pub of: String,
    /// First run of the line of that.
    pub line: String,
    /// Its route.
    pub route: String,
    /// Its place in the order of that route.
    pub order_key: Option<String>,
    /// Dead, it keeps that key.
    pub order_hold: bool,
    /// First run of its line; its own id with new keys.
    pub root: String,
    /// Revision it runs on.
    pub revision: i64,
    /// State to start from, JSON: steps that keep their outputs.
    pub state: Option<String>,
    /// `failed` or `start`.
    pub from: &'static str,
    /// Steps whose input and output are taken over.
    pub keep: Vec<String>,
    /// When it is given up.
    pub deadline_at: Timestamp,
}

/// Why a replay can't be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReplayRefused {
    /// No such run.
    #[error("there is no run {0}")]
    Unknown(String),
    /// Another run of the line has not ended.
    #[error("run {0} of the same line has not ended; wait until it has, or cancel it")]
    Unfinished(String),
    /// Not the newest of its line.
    #[error("run {0} has already been replayed; replay the newest run of its line")]
    Superseded(String),
    /// What it would send is not whole any more.
    #[error("personal data of event {0} was erased; a replay would send what stands in its place, so there is none")]
    Erased(String),
}

impl Store {
    /// Adds replays to the lines of runs that ended, in one transaction: of each group all or none. Gives the outcome of every group.
    /// Puts on record which runs were added, if any were.
    pub async fn replay(
        &self,
        groups: Vec<Vec<NewReplay>>,
        act: Act,
        now: Timestamp,
    ) -> Result<Vec<Result<(), ReplayRefused>>, StoreError> {
        let mut terms = Terms::none().audit().signal(Signal::Due);
        for replay in groups.iter().flatten() {
            terms = terms.line(&replay.line).order(&replay.route, replay.order_key.as_deref());
        }
        let note = self.note(act, now)?;
        self.writer
            .write(terms.point(Point::Replaying), move |connection| {
                let (groups, note) = (groups.clone(), note.clone());
                Box::pin(async move {
                    let outcomes = insert(connection, &groups, now).await?;
                    let added = groups.iter().zip(&outcomes).filter(|(_, outcome)| outcome.is_ok()).flat_map(|(group, _)| group);
                    let runs: Vec<String> = added.map(|replay| replay.id.clone()).collect();
                    if !runs.is_empty() {
                        note.with("count", runs.len()).with("runs", runs).append(connection).await?;
                    }
                    Ok(outcomes)
                })
            })
            .await
    }
}

/// Looks before it writes: a group that is refused leaves nothing behind.
async fn insert(
    connection: &mut Connection,
    groups: &[Vec<NewReplay>],
    now: Timestamp,
) -> Result<Vec<Result<(), ReplayRefused>>, StoreError> {
    let mut outcomes = Vec::with_capacity(groups.len());
    for group in groups {
        let mut outcome = Ok(());
        for replay in group {
            if outcome.is_ok() {
                outcome = check(connection, replay).await?;
            }
        }
        if outcome.is_ok() {
            for replay in group {
                add(connection, replay, now).await?;
            }
        }
        outcomes.push(outcome);
    }
    Ok(outcomes)
}

/// Whether the run may be replayed now.
async fn check(connection: &mut Connection, replay: &NewReplay) -> Result<Result<(), ReplayRefused>, StoreError> {
    let doing = || StoreError::doing("add a replay");
    let mut look =
        sql("select run.root, run.superseded, event.erased_at, event.eid from run join event on event.eid = run.eid where run.id = ?");
    if connection.dialect() == Dialect::Postgres {
        // An erasure that has the event is waited for, and seen.
        look.push(" for key share of event");
    }
    let Some(of) = look.bind(&replay.of).fetch_optional(&mut *connection).await.map_err(doing())? else {
        return Ok(Err(ReplayRefused::Unknown(replay.of.clone())));
    };
    if of.get::<Option<i64>>(2).is_some() {
        return Ok(Err(ReplayRefused::Erased(of.get(3))));
    }
    let unfinished: Option<String> = sql("select id from run where root = ? and ended_at is null limit 1")
        .bind(of.get::<String>(0))
        .scalar_optional(&mut *connection)
        .await
        .map_err(doing())?;
    if let Some(id) = unfinished {
        return Ok(Err(ReplayRefused::Unfinished(id)));
    }
    if of.get::<bool>(1) {
        return Ok(Err(ReplayRefused::Superseded(replay.of.clone())));
    }
    Ok(Ok(()))
}

async fn add(connection: &mut Connection, replay: &NewReplay, now: Timestamp) -> Result<(), StoreError> {
    let doing = || StoreError::doing("add a replay");
    // A dead run that keeps its key gives its place to its replay; any other replay goes to the end.
    let place: Option<i64> = sql("select case when status = 'dead' and order_hold = 1 and order_key is not null \
         then coalesce(order_place, seq) end as kept_place from run where id = ?")
    .bind(&replay.of)
    .scalar(&mut *connection)
    .await
    .map_err(doing())?;
    sql("insert into run (id, eid, route, revision, root, replay_of, replay_from, status, order_key, order_hold, order_place, due_at, state, \
         created_at, deadline_at) select ?, eid, route, ?, ?, id, ?, 'pending', ?, ?, ?, ?, ?, ?, ? from run where id = ?")
    .bind(&replay.id)
    .bind(replay.revision)
    .bind(&replay.root)
    .bind(replay.from)
    .bind(&replay.order_key)
    .bind(replay.order_hold)
    .bind(place)
    .bind(millis(now))
    .bind(&replay.state)
    .bind(millis(now))
    .bind(millis(replay.deadline_at))
    .bind(&replay.of)
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    for step in &replay.keep {
        sql("insert into step (run, name, input, output, round) select ?, name, input, output, round from step where run = ? and name = ?")
            .bind(&replay.id)
            .bind(&replay.of)
            .bind(step)
            .execute(&mut *connection)
            .await
            .map_err(doing())?;
    }
    sql("update run set superseded = 1 where id = ?").bind(&replay.of).execute(&mut *connection).await.map_err(doing())?;
    order::queue(connection, &[&replay.id]).await?;
    let eid: String = sql("select eid from run where id = ?").bind(&replay.id).scalar(&mut *connection).await.map_err(doing())?;
    connection.tell(News::Run(RunChanged::new(&eid, &replay.id, &replay.route, "pending", now)));
    Ok(())
}
