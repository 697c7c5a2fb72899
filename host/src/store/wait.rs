//! Steps that wait for an event, and the events that may be the ones.
//!
//! A wait and an event meet exactly once, whichever comes first. An event that finds a wait for its type leaves an arrival behind, in its own transaction;
//! a wait that begins looks back at the events that came before. That neither misses the other is seen to by a lock where several hosts share a
//! database (events of a type hold it together, a wait for the type alone), and on SQLite by the one connection that writes.

use jiff::Timestamp;

use super::accept::NewEvent;
use super::sql::{Connection, Dialect, Statement, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis};
use crate::crash::Point;

/// Arrivals taken in hand at once.
const ARRIVALS: u32 = 32;
/// Waits whose past is looked at at once.
const LOOKS: u32 = 32;

/// A step that waits for events of one type from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewWait {
    /// The step.
    pub step: String,
    /// Type of the events.
    pub kind: String,
    /// JSON pointer into an event: what must be equal there. Empty: nothing.
    pub path: String,
    /// What it must be equal to, see [`crate::builtin::digest`].
    pub digest: String,
    /// `where`.
    pub condition: Option<String>,
}

/// An event of a type that somebody waits for.
#[derive(Debug, Clone)]
pub struct Arrival {
    /// In the order of acceptance.
    pub seq: i64,
    /// The event.
    pub eid: String,
    /// Its type.
    pub kind: String,
    /// Structured JSON; `None`: it is gone.
    pub body: Option<String>,
}

/// A wait that an event may end.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// The run.
    pub run: String,
    /// Its step.
    pub step: String,
    /// `where`.
    pub condition: Option<String>,
}

/// A wait whose past is still to be looked at.
#[derive(Debug, Clone)]
pub struct LookBack {
    /// Who waits.
    pub candidate: Candidate,
    /// Type of the events.
    pub kind: String,
    /// See [`NewWait::path`].
    pub path: String,
    /// See [`NewWait::digest`].
    pub digest: String,
    /// How far it has come.
    pub after: (i64, String),
}

/// An event that came before a wait began.
#[derive(Debug, Clone)]
pub struct PastEvent {
    /// It.
    pub eid: String,
    /// Structured JSON.
    pub body: String,
    /// Its place among those of its type.
    pub place: (i64, String),
}

/// What the `where` of a run sees besides the event that arrives.
#[derive(Debug, Clone)]
pub struct WaitMaterial {
    /// Its own event.
    pub eid: String,
    /// That, structured JSON.
    pub event: String,
    /// Its state, JSON.
    pub state: String,
    /// Outputs of its steps, JSON, by name.
    pub outputs: Vec<(String, String)>,
}

/// An event that has come for a step.
#[derive(Debug, Clone)]
pub struct Matched {
    /// The step.
    pub step: String,
    /// The event.
    pub eid: String,
    /// Structured JSON.
    pub body: String,
}

/// A wait as people see it.
#[derive(Debug, Clone)]
pub struct WaitShown {
    /// The step.
    pub step: String,
    /// Types of the events.
    pub kind: String,
    /// `where`.
    pub condition: Option<String>,
    /// The last event for which `where` failed.
    pub failed: Option<String>,
}

impl Store {
    /// Takes arrivals in hand until `until`: another host takes them over then, if this one is gone.
    pub async fn take_arrivals(&self, now: Timestamp, until: Timestamp) -> Result<Vec<Arrival>, StoreError> {
        let doing = || StoreError::doing("look for events that arrived");
        let some: Option<i64> = sql("select 1 from arrival where due_at <= ? limit 1")
            .bind(millis(now))
            .scalar_optional(&self.readers)
            .await
            .map_err(doing())?;
        if some.is_none() {
            return Ok(Vec::new());
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let mut take = sql("with due as materialized (select seq from arrival where due_at <= ");
                    take.push_bind(millis(now)).push(" order by due_at, seq limit ").push_bind(ARRIVALS);
                    if connection.dialect() == Dialect::Postgres {
                        take.push(" for update skip locked");
                    }
                    take.push(") update arrival set due_at = ").push_bind(millis(until)).push(
                        " where seq in (select seq from due) returning seq, eid, type, (select body from event where event.eid = arrival.eid) as body",
                    );
                    let rows = take.fetch_all(connection).await.map_err(StoreError::doing("take events that arrived in hand"))?;
                    let mut arrivals: Vec<Arrival> = rows
                        .iter()
                        .map(|row| Arrival { seq: row.get("seq"), eid: row.get("eid"), kind: row.get("type"), body: row.get("body") })
                        .collect();
                    arrivals.sort_by_key(|arrival| arrival.seq);
                    Ok(arrivals)
                })
            })
            .await
    }

    /// Arrivals that a former life of the only host had in hand are due again.
    pub async fn release_arrivals(&self) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let release = sql("update arrival set due_at = 0 where due_at > 0");
                    release.execute(connection).await.map_err(StoreError::doing("take up events that arrived"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Arrivals were held against everybody who waits.
    pub async fn arrivals_done(&self, seqs: Vec<i64>) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let seqs = seqs.clone();
                Box::pin(async move {
                    let mut done = sql("delete from arrival where seq in ");
                    done.push_list(seqs.iter().copied());
                    done.execute(connection).await.map_err(StoreError::doing("put events that arrived away"))?;
                    Ok(())
                })
            })
            .await
    }

    /// The paths by which waits for a type are found. One look into the index for each, however many wait.
    pub async fn wait_paths(&self, kind: &str) -> Result<Vec<String>, StoreError> {
        sql("with recursive path (of) as (\
             select (select min(one.path) from wait one where one.matched is null and one.type = ?1) \
             union all \
             select (select min(one.path) from wait one where one.matched is null and one.type = ?1 and one.path > path.of) from path where path.of is not null) \
             select of from path where of is not null")
        .bind(kind)
        .scalars(&self.readers)
        .await
        .map_err(StoreError::doing("look for who waits"))
    }

    /// The next of those who wait for a type with that value at that path.
    pub async fn candidates(
        &self,
        kind: &str,
        path: &str,
        digest: &str,
        after: &(String, String),
        most: u32,
    ) -> Result<Vec<Candidate>, StoreError> {
        let rows = sql("select run, step, condition from wait where matched is null and type = ? and path = ? and digest = ? \
             and (run, step) > (?, ?) order by run, step limit ?")
        .bind(kind)
        .bind(path)
        .bind(digest)
        .bind(&after.0)
        .bind(&after.1)
        .bind(most)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("look for who waits"))?;
        Ok(rows.iter().map(|row| Candidate { run: row.get("run"), step: row.get("step"), condition: row.get("condition") }).collect())
    }

    /// Waits whose past is still to be looked at.
    pub async fn looks_back(&self) -> Result<Vec<LookBack>, StoreError> {
        let rows = sql(
            "select run, step, type, path, digest, condition, look_at, look_eid from wait where look_at is not null and matched is null \
             order by look_at limit ?",
        )
        .bind(LOOKS)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("look for waits that began"))?;
        let look = rows.iter().map(|row| LookBack {
            candidate: Candidate { run: row.get("run"), step: row.get("step"), condition: row.get("condition") },
            kind: row.get("type"),
            path: row.get("path"),
            digest: row.get("digest"),
            after: (row.get("look_at"), row.get::<Option<String>>("look_eid").unwrap_or_default()),
        });
        Ok(look.collect())
    }

    /// The next events of a type that came before a wait for it began.
    pub async fn past_events(&self, kind: &str, after: &(i64, String), most: u32) -> Result<Vec<PastEvent>, StoreError> {
        let rows =
            sql("select eid, body, received_at from event where type = ?1 and received_at >= ?2 and (received_at > ?2 or eid > ?3) \
             order by received_at, eid limit ?4")
            .bind(kind)
            .bind(after.0)
            .bind(&after.1)
            .bind(most)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("look back at events"))?;
        let past = |row: &super::row::Row| {
            let eid: String = row.get("eid");
            PastEvent { place: (row.get("received_at"), eid.clone()), eid, body: row.get("body") }
        };
        Ok(rows.iter().map(past).collect())
    }

    /// How far a look back has come; `None`: to its end.
    pub async fn looked_back(&self, look: &LookBack, up_to: Option<(i64, String)>) -> Result<(), StoreError> {
        let (at, eid) = up_to.unzip();
        let (run, step, kind) = (look.candidate.run.clone(), look.candidate.step.clone(), look.kind.clone());
        let before = look.after.clone();
        self.writer
            .write(Terms::none(), move |connection| {
                let (run, step, kind, before, eid) = (run.clone(), step.clone(), kind.clone(), before.clone(), eid.clone());
                Box::pin(async move {
                    // Another host may be ahead.
                    sql("update wait set look_at = ?, look_eid = ? where run = ? and step = ? and type = ? and look_at = ? and look_eid = ?")
                        .bind(at)
                        .bind(eid)
                        .bind(run)
                        .bind(step)
                        .bind(kind)
                        .bind(before.0)
                        .bind(before.1)
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("remember a look back"))?;
                    Ok(())
                })
            })
            .await
    }

    /// What the `where` of a run sees; `None`: it has ended.
    pub async fn wait_material(&self, run: &str) -> Result<Option<WaitMaterial>, StoreError> {
        let doing = || StoreError::doing("read what a run knows");
        let row = sql(
            "select run.eid, event.body, run.state from run join event on event.eid = run.eid where run.id = ? and run.ended_at is null",
        )
        .bind(run)
        .fetch_optional(&self.readers)
        .await
        .map_err(doing())?;
        let Some(row) = row else { return Ok(None) };
        let outputs = sql("select name, output from step where run = ? and output is not null")
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(doing())?;
        Ok(Some(WaitMaterial {
            eid: row.get(0),
            event: row.get(1),
            state: row.get::<Option<String>>(2).unwrap_or_else(|| "null".to_owned()),
            outputs: outputs.iter().map(|row| (row.get(0), row.get(1))).collect(),
        }))
    }

    /// The event has come that a step waits for: the first one counts. The run goes on at once.
    pub async fn match_wait(&self, run: &str, step: &str, eid: &str, now: Timestamp) -> Result<(), StoreError> {
        let (run, step, eid) = (run.to_owned(), step.to_owned(), eid.to_owned());
        self.writer
            .write(Terms::none().signal(Signal::Due).point(Point::Matching), move |connection| {
                let (run, step, eid) = (run.clone(), step.clone(), eid.clone());
                Box::pin(async move { match_wait(connection, &run, &step, &eid, now).await })
            })
            .await
    }

    /// The `where` of a step failed for an event: it is not the one, and people are told.
    pub async fn wait_failed(&self, run: &str, step: &str, eid: &str) -> Result<(), StoreError> {
        let (run, step, eid) = (run.to_owned(), step.to_owned(), eid.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (run, step, eid) = (run.clone(), step.clone(), eid.clone());
                Box::pin(async move {
                    let failed = sql("update wait set failed = ? where run = ? and step = ?").bind(eid).bind(run).bind(step);
                    failed.execute(connection).await.map_err(StoreError::doing("note an event that could not be judged"))?;
                    Ok(())
                })
            })
            .await
    }

    /// The events that have come for steps of a run.
    pub async fn matched(&self, run: &str) -> Result<Vec<Matched>, StoreError> {
        // Of a step that waits for several types the first one to come.
        let rows = sql("select wait.step, event.eid, event.body from wait join event on event.eid = wait.matched where wait.run = ? \
             order by wait.step, wait.matched_at, wait.type")
        .bind(run)
        .fetch_all(&self.readers)
        .await
        .map_err(StoreError::doing("look for an event that came"))?;
        let mut matched: Vec<Matched> = Vec::new();
        for row in rows {
            let step: String = row.get(0);
            if matched.last().is_none_or(|last| last.step != step) {
                matched.push(Matched { step, eid: row.get(1), body: row.get(2) });
            }
        }
        Ok(matched)
    }

    /// What steps of runs wait for, for people.
    pub async fn waits(&self, run: &str) -> Result<Vec<WaitShown>, StoreError> {
        let rows = sql("select step, type, condition, failed from wait where run = ? order by step, type")
            .bind(run)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read what a run waits for"))?;
        let shown = |row: &super::row::Row| WaitShown { step: row.get(0), kind: row.get(1), condition: row.get(2), failed: row.get(3) };
        Ok(rows.iter().map(shown).collect())
    }
}

/// Looks before it writes, the run first: as whoever settles it does, so that the two wait for each other and not in a circle.
async fn match_wait(connection: &mut Connection, run: &str, step: &str, eid: &str, now: Timestamp) -> Result<(), StoreError> {
    let doing = || StoreError::doing("give a run the event that it waits for");
    let mut open = sql("select 1 from run where id = ? and ended_at is null").bind(run);
    if connection.dialect() == Dialect::Postgres {
        open.push(" for update");
    }
    let open: Option<i64> = open.scalar_optional(&mut *connection).await.map_err(doing())?;
    if open.is_none() {
        return Ok(());
    }
    let first = sql("update wait set matched = ?, matched_at = ?, look_at = null where run = ? and step = ? and matched is null \
         and not exists (select 1 from wait other where other.run = wait.run and other.step = wait.step and other.matched is not null)")
    .bind(eid)
    .bind(millis(now))
    .bind(run)
    .bind(step)
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    if first > 0 {
        wake(connection, run, now).await?;
    }
    Ok(())
}

/// A run for which an event has come is due, if it is not under way: then whoever has it asks.
async fn wake(connection: &mut Connection, run: &str, now: Timestamp) -> Result<(), StoreError> {
    // One that is pending without a time waits for its order key.
    sql("update run set due_at = ?1 where id = ?2 and (status = 'waiting' or (status = 'pending' and due_at > ?1))")
        .bind(millis(now))
        .bind(run)
        .execute(connection)
        .await
        .map_err(StoreError::doing("wake a run"))?;
    Ok(())
}

/// A run leaves its worker: what came for steps that are asleep while it was under way wakes it again.
pub(super) async fn left(connection: &mut Connection, run: &str, asleep: &[String], now: Timestamp) -> Result<(), StoreError> {
    if asleep.is_empty() {
        return Ok(());
    }
    let mut wake = sql("update run set due_at = ");
    wake.push_bind(millis(now)).push(" where id = ").push_bind(run).push(" and (due_at is null or due_at > ").push_bind(millis(now));
    wake.push(") and exists (select 1 from wait where wait.run = ").push_bind(run).push(" and wait.matched is not null and wait.step in ");
    wake.push_list(asleep.iter()).push(")");
    wake.execute(connection).await.map_err(StoreError::doing("look for an event that came"))?;
    Ok(())
}

/// Waits begin. Those that a step has already stay as they are. There is a past to look at only where an event of the type was taken in since the run's own
/// was: most waits have none, and it is cheaper to see so here than in a transaction of its own. No such event is taken in meanwhile.
pub(super) async fn begin(connection: &mut Connection, run: &str, waits: &[NewWait]) -> Result<(), StoreError> {
    for wait in waits {
        sql("insert into wait (run, step, type, path, digest, condition, look_at, look_eid) select run.id, ?1, ?2, ?3, ?4, ?5, \
             case when exists (select 1 from event past where past.type = ?2 and past.received_at >= event.received_at) then event.received_at end, '' \
             from run join event on event.eid = run.eid where run.id = ?6 on conflict (run, step, type) do nothing")
        .bind(&wait.step)
        .bind(&wait.kind)
        .bind(&wait.path)
        .bind(&wait.digest)
        .bind(&wait.condition)
        .bind(run)
        .execute(&mut *connection)
        .await
        .map_err(StoreError::doing("begin a wait"))?;
    }
    Ok(())
}

/// A step waits no more; without one nothing of the run does.
pub(super) async fn end(connection: &mut Connection, run: &str, step: Option<&str>) -> Result<(), StoreError> {
    let mut end = sql("delete from wait where run = ?").bind(run);
    if let Some(step) = step {
        end.push(" and step = ").push_bind(step);
    }
    end.execute(connection).await.map_err(StoreError::doing("end a wait"))?;
    Ok(())
}

/// Events that were just taken in: those of types that somebody waits for have arrived.
pub(super) fn arrive<'e>(events: impl Iterator<Item = &'e NewEvent>, dialect: Dialect) -> Statement<'static> {
    // One value for all of them: mostly nobody waits for anything, which is asked once.
    let eids: Vec<&str> = events.map(|event| &*event.eid).collect();
    let mut arrive = sql("insert into arrival (eid, type, due_at) select event.eid, event.type, event.received_at \
         from (select 1 as one where exists (select 1 from wait where wait.matched is null)) waited cross join event \
         where event.eid in (select value from ");
    arrive.push(match dialect {
        Dialect::Sqlite => "json_each(",
        Dialect::Postgres => "json_array_elements_text(cast(",
    });
    arrive.push_bind(serde_json::to_string(&eids).expect("texts are JSON"));
    arrive.push(match dialect {
        Dialect::Sqlite => "))",
        Dialect::Postgres => " as json)))",
    });
    arrive.push(
        " and exists (select 1 from wait where wait.type = event.type and wait.matched is null) order by event.eid on conflict (eid) do nothing",
    );
    arrive
}
