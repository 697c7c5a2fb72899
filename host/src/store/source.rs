//! What hosts bring in by themselves: each stream and schedule is one host's at a time, and what a turn brings is written whole or not at all:
//! events, key-value writes, the cursor, and what was set aside, in one transaction under a fence.

use jiff::Timestamp;

use super::accept::{self, Accepted, NewEvent};
use super::effect::refusal;
use super::key_value::{self, KeySettlement};
use super::row::Row;
use super::set_aside::{self, NewSetAside};
use super::sql::{Connection, Dialect, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis, optional_timestamp, timestamp};
use crate::crash::Point;
use crate::live::{News, SourceChanged};

/// Which of a source's two rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Lane {
    /// What happens from now on.
    Live,
    /// An earlier time, read beside it.
    Backfill,
}

impl Lane {
    /// As kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Lane::Live => "live",
            Lane::Backfill => "backfill",
        }
    }
}

/// Where a source's lane stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceState {
    /// It has a next turn.
    Active,
    /// A person stopped it.
    Paused,
    /// It waits for its credential to change.
    Waiting,
    /// Its plugin says that trying again can't help: until somebody resumes it, or the configuration changes.
    Stopped,
    /// A backfill has come to its end.
    Done,
    /// A person gave a backfill up.
    Cancelled,
}

impl SourceState {
    const ALL: [SourceState; 6] =
        [SourceState::Active, SourceState::Paused, SourceState::Waiting, SourceState::Stopped, SourceState::Done, SourceState::Cancelled];

    /// As kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            SourceState::Active => "active",
            SourceState::Paused => "paused",
            SourceState::Waiting => "waiting",
            SourceState::Stopped => "stopped",
            SourceState::Done => "done",
            SourceState::Cancelled => "cancelled",
        }
    }

    fn parse(text: &str) -> Result<SourceState, StoreError> {
        SourceState::ALL.into_iter().find(|state| state.as_str() == text).ok_or_else(|| StoreError::invalid("a source's state", text))
    }
}

/// A source as the configuration has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceSpec {
    /// Its name.
    pub name: String,
    /// What its cursor is a cursor of: with another one it begins anew.
    pub spec: String,
    /// Where it begins: what a stream is asked for before it has a cursor.
    pub since: Option<Timestamp>,
    /// Its first cursor.
    pub cursor: Option<String>,
    /// When its first turn is due.
    pub due_at: Option<Timestamp>,
}

/// A lane of a source.
#[derive(Debug, Clone)]
pub struct SourceRow {
    /// Its name.
    pub name: String,
    /// Which lane.
    pub lane: Lane,
    /// See [`SourceSpec::spec`].
    pub spec: String,
    /// Where it stands.
    pub state: SourceState,
    /// Why, for people.
    pub reason: Option<String>,
    /// Where the last turn ended.
    pub cursor: Option<String>,
    /// Where it begins.
    pub since: Option<Timestamp>,
    /// Where a backfill ends.
    pub until: Option<Timestamp>,
    /// When its next turn is due.
    pub due_at: Option<Timestamp>,
    /// Which host has it now, and until when without a sign of life.
    pub lease: Option<(String, Timestamp)>,
    /// Raised by every lease.
    pub fence: i64,
    /// Failures since the last turn that went well.
    pub failures: u32,
    /// Turns that went well.
    pub turns: u64,
    /// Events it has brought in.
    pub events: u64,
    /// Events it brought that were known.
    pub duplicates: u64,
    /// Things it has set aside.
    pub set_aside: u64,
    /// Time of the newest event it brought.
    pub reached_at: Option<Timestamp>,
    /// The last turn that went well.
    pub succeeded_at: Option<Timestamp>,
    /// The last that did not, and why: JSON `{kind, reason, details}`.
    pub failed: Option<(Timestamp, String)>,
    /// The last turn, JSON.
    pub last: Option<String>,
    /// When it began.
    pub created_at: Timestamp,
    /// When a backfill ended.
    pub finished_at: Option<Timestamp>,
}

/// What becomes durable with the end of a turn.
#[derive(Debug, Clone)]
pub struct SourceSettlement {
    /// Which source.
    pub name: String,
    /// Which lane.
    pub lane: Lane,
    /// Of the lease.
    pub fence: i64,
    /// Events that came in.
    pub events: Vec<NewEvent>,
    /// Key-value writes of the plugin.
    pub keys: Option<KeySettlement>,
    /// What could not be made into events.
    pub set_aside: Vec<NewSetAside>,
    /// What was tried again: of that goes what was not set aside once more.
    pub tried_again: Vec<String>,
    /// Where the next turn starts.
    pub cursor: Option<String>,
    /// Where it stands then.
    pub state: SourceState,
    /// Why.
    pub reason: Option<String>,
    /// When the next turn is due.
    pub due_at: Option<Timestamp>,
    /// How it went: an error is JSON `{kind, reason, details}`; `None`: nothing was tried.
    pub outcome: Option<Result<(), String>>,
    /// Failures in a row.
    pub failures: u32,
    /// Time of the newest event.
    pub reached_at: Option<Timestamp>,
    /// The turn as it is shown, JSON; `None`: the one before stays.
    pub last: Option<String>,
    /// When it ended.
    pub now: Timestamp,
    /// Between its last statement and the commit.
    pub point: Point,
}

/// What became of a turn.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Gathered {
    /// Of its events, in their order.
    pub accepted: Vec<Accepted>,
    /// How many things were set aside that were not known.
    pub set_aside: u64,
}

impl Store {
    /// Makes the sources of a configuration known. One that is known goes on where it is; one that means something else than before begins anew; one
    /// that was stopped is tried again, since the configuration may have been mended. An earlier configuration changes nothing.
    pub async fn sources_known(&self, revision: i64, specs: Vec<SourceSpec>, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let specs = specs.clone();
                Box::pin(async move {
                    for spec in &specs {
                        know(connection, revision, spec, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }

    /// When which lanes are due, and until when they are leased.
    pub async fn sources_due(&self) -> Result<Vec<(String, Timestamp, Option<Timestamp>)>, StoreError> {
        let rows = sql("select name, due_at, lease_until from source where due_at is not null").fetch_all(&self.readers).await;
        let rows = rows.map_err(StoreError::doing("look for sources that are due"))?;
        rows.iter().map(|row| Ok((row.get(0), timestamp(row.get(1))?, optional_timestamp(row.get(2))?))).collect()
    }

    /// Leases lanes that are due, of these sources, and as these mean them.
    pub async fn source_claim(
        &self,
        owner: &str,
        now: Timestamp,
        lease_until: Timestamp,
        sources: Vec<(String, String)>,
        most: u32,
    ) -> Result<Vec<SourceRow>, StoreError> {
        if sources.is_empty() || most == 0 {
            return Ok(Vec::new());
        }
        let owner = owner.to_owned();
        self.writer
            .write(Terms::none().point(Point::Sourcing), move |connection| {
                let (owner, sources) = (owner.clone(), sources.clone());
                Box::pin(async move {
                    let mut claim = sql("update source set lease_owner = ");
                    claim.push_bind(owner).push(", lease_until = ").push_bind(millis(lease_until));
                    claim.push(", fence = fence + 1 where (name, lane) in (select name, lane from source where due_at <= ");
                    claim
                        .push_bind(millis(now))
                        .push(" and (lease_until is null or lease_until <= ")
                        .push_bind(millis(now))
                        .push(") and (");
                    for (index, (name, spec)) in sources.iter().enumerate() {
                        claim.push(if index == 0 { "(name = " } else { " or (name = " });
                        claim.push_bind(name).push(" and spec = ").push_bind(spec).push(")");
                    }
                    claim.push(") order by due_at limit ").push_bind(most);
                    if connection.dialect() == Dialect::Postgres {
                        // What another host is just taking is passed over rather than waited for.
                        claim.push(" for update skip locked");
                    }
                    claim.push(") returning *");
                    let rows = claim.fetch_all(connection).await.map_err(StoreError::doing("take sources up"))?;
                    rows.iter().map(source_row).collect()
                })
            })
            .await
    }

    /// Keeps a lease; `false`: it is not this host's any more.
    pub async fn source_renew(&self, name: &str, lane: Lane, fence: i64, lease_until: Timestamp) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let name = name.clone();
                Box::pin(async move {
                    let renew =
                        sql("update source set lease_until = ? where name = ? and lane = ? and fence = ? and lease_until is not null");
                    let renew = renew.bind(millis(lease_until)).bind(name).bind(lane.as_str()).bind(fence);
                    Ok(renew.execute(connection).await.map_err(StoreError::doing("keep the lease of a source"))? > 0)
                })
            })
            .await
    }

    /// Makes a turn durable and gives its lease up.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another host has the source. [`StoreError::KeyConflict`]: what the plugin read has changed.
    /// [`StoreError::KeySpaceFull`]. Of all three: nothing was written.
    pub async fn source_settle(&self, settlement: SourceSettlement) -> Result<Gathered, StoreError> {
        let mut terms = Terms::none().events(&settlement.events).point(settlement.point);
        if let Some(keys) = settlement.keys.as_ref().filter(|keys| !keys.unclaimed.is_empty() || !keys.writes.is_empty()) {
            terms = terms.keys(&keys.plugin);
        }
        let gathered = self
            .writer
            .write(terms, move |connection| {
                let settlement = settlement.clone();
                Box::pin(async move { refusal(settle(connection, &settlement).await) })
            })
            .await??;
        self.arrived_among(&gathered.accepted, false);
        Ok(gathered)
    }

    /// Gives the leases of a host up: it stops.
    pub async fn source_release(&self, owner: &str) -> Result<(), StoreError> {
        let owner = owner.to_owned();
        self.writer
            .write(Terms::none().signal(Signal::Due), move |connection| {
                let owner = owner.clone();
                Box::pin(async move { release(connection, Some(&owner)).await })
            })
            .await
    }

    /// All lanes of all sources that were ever known.
    pub async fn sources(&self) -> Result<Vec<SourceRow>, StoreError> {
        let rows = sql("select * from source order by name, lane desc").fetch_all(&self.readers).await;
        rows.map_err(StoreError::doing("list sources"))?.iter().map(source_row).collect()
    }
}

/// Ends leases: of a host, or all.
pub(super) async fn release(connection: &mut Connection, owner: Option<&str>) -> Result<(), StoreError> {
    let release =
        sql("update source set lease_until = null, lease_owner = null where lease_until is not null and (?1 is null or lease_owner = ?1)");
    release.bind(owner).execute(connection).await.map_err(StoreError::doing("release the leases of sources"))?;
    Ok(())
}

/// Makes those due that wait for a credential.
pub(super) async fn wake(connection: &mut Connection, now: Timestamp) -> Result<(), StoreError> {
    let wake = sql("update source set state = 'active', reason = null, due_at = ? where state = 'waiting'").bind(millis(now));
    wake.execute(connection).await.map_err(StoreError::doing("wake sources that wait for a credential"))?;
    Ok(())
}

async fn know(connection: &mut Connection, revision: i64, spec: &SourceSpec, now: Timestamp) -> Result<(), StoreError> {
    let doing = || StoreError::doing("make a source known");
    sql("insert into source (name, lane, spec, revision, state, cursor, since, due_at, created_at) values (?, 'live', ?, ?, 'active', ?, ?, ?, ?) \
         on conflict (name, lane) do nothing")
    .bind(&spec.name)
    .bind(&spec.spec)
    .bind(revision)
    .bind(&spec.cursor)
    .bind(spec.since.map(millis))
    .bind(spec.due_at.map(millis))
    .bind(millis(now))
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    // Another stream: its cursor means nothing to this one. Who has a lease writes nothing any more.
    sql("update source set spec = ?1, cursor = ?2, since = ?3, failures = 0, fence = fence + 1, lease_until = null, lease_owner = null, \
         reached_at = null, due_at = case when state = 'paused' then null else ?4 end, reason = case when state = 'paused' then reason end, \
         state = case when state = 'paused' then state else 'active' end where name = ?5 and lane = 'live' and revision < ?6 and spec <> ?1")
    .bind(&spec.spec)
    .bind(&spec.cursor)
    .bind(spec.since.map(millis))
    .bind(spec.due_at.map(millis))
    .bind(&spec.name)
    .bind(revision)
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    sql("update source set state = 'cancelled', reason = 'the source means something else now', due_at = null, fence = fence + 1, lease_until = null, \
         finished_at = ?1 where name = ?2 and lane = 'backfill' and finished_at is null and revision < ?3 and spec <> ?4")
    .bind(millis(now))
    .bind(&spec.name)
    .bind(revision)
    .bind(&spec.spec)
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    // The configuration may have mended what stopped it, or asks for it more often now.
    sql("update source set due_at = case when state in ('stopped', 'waiting') or due_at > ?1 then ?1 else due_at end, failures = 0, \
         reason = case when state in ('stopped', 'waiting') then null else reason end, \
         state = case when state in ('stopped', 'waiting') then 'active' else state end \
         where name = ?2 and revision < ?3 and spec = ?4 and finished_at is null")
    .bind(millis(now))
    .bind(&spec.name)
    .bind(revision)
    .bind(&spec.spec)
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    let known = sql("update source set revision = ? where name = ? and revision < ?").bind(revision).bind(&spec.name).bind(revision);
    known.execute(connection).await.map_err(doing())?;
    Ok(())
}

/// Checks before it writes: a refusal leaves the shared transaction clean.
async fn settle(connection: &mut Connection, settlement: &SourceSettlement) -> Result<Gathered, StoreError> {
    let doing = || StoreError::doing("settle a source's turn");
    let mut held = sql("select 1 from source where name = ? and lane = ? and fence = ? and lease_until is not null")
        .bind(&settlement.name)
        .bind(settlement.lane.as_str())
        .bind(settlement.fence);
    if connection.dialect() == Dialect::Postgres {
        held.push(" for update");
    }
    if held.scalar_optional::<i64>(&mut *connection).await.map_err(doing())?.is_none() {
        return Err(StoreError::Fenced);
    }
    let mut space = None;
    if let Some(keys) = &settlement.keys {
        key_value::check(connection, &keys.plugin, &keys.root, &keys.step, &keys.unclaimed).await?;
        space = key_value::room(connection, keys).await?;
    }
    if let Some(keys) = &settlement.keys {
        key_value::apply(connection, keys, space).await?;
    }
    let accepted = match settlement.events.is_empty() {
        true => Vec::new(),
        false => accept::insert(connection, &settlement.events).await?,
    };
    let set_aside = set_aside::keep(connection, &settlement.set_aside).await?;
    set_aside::tried_again(connection, &settlement.tried_again).await?;
    let duplicates = accepted.iter().filter(|accepted| accepted.duplicate).count();
    let count = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let (succeeded_at, failed) = match &settlement.outcome {
        Some(Ok(())) => (Some(millis(settlement.now)), None),
        Some(Err(failure)) => (None, Some((millis(settlement.now), failure))),
        None => (None, None),
    };
    let ended = matches!(settlement.state, SourceState::Done | SourceState::Cancelled);
    // Somebody may have paused or given it up meanwhile: what it brought is kept, and it rests.
    sql("update source set lease_until = null, lease_owner = null, cursor = ?1, turns = turns + ?2, events = events + ?3, duplicates = duplicates + ?4, \
         set_aside = set_aside + ?5, failures = ?6, reached_at = coalesce(?7, reached_at), succeeded_at = coalesce(?8, succeeded_at), \
         failed_at = coalesce(?9, failed_at), failure = coalesce(?10, failure), last = coalesce(?11, last), \
         due_at = case when state in ('paused', 'cancelled') then null else ?12 end, \
         finished_at = case when state = 'cancelled' then finished_at else ?13 end, \
         reason = case when state in ('paused', 'cancelled') then reason else ?14 end, \
         state = case when state in ('paused', 'cancelled') then state else ?15 end where name = ?16 and lane = ?17")
    .bind(&settlement.cursor)
    .bind(succeeded_at.is_some())
    .bind(count(accepted.len() - duplicates))
    .bind(count(duplicates))
    .bind(i64::try_from(set_aside).unwrap_or(i64::MAX))
    .bind(settlement.failures)
    .bind(settlement.reached_at.map(millis))
    .bind(succeeded_at)
    .bind(failed.map(|(at, _)| at))
    .bind(failed.map(|(_, failure)| failure.clone()))
    .bind(&settlement.last)
    .bind(settlement.due_at.map(millis))
    .bind(ended.then(|| millis(settlement.now)))
    .bind(&settlement.reason)
    .bind(settlement.state.as_str())
    .bind(&settlement.name)
    .bind(settlement.lane.as_str())
    .execute(&mut *connection)
    .await
    .map_err(doing())?;
    // Where it had been paused meanwhile its state is not this one.
    connection.tell(News::Source(SourceChanged { name: settlement.name.clone(), state: None, at: settlement.now }));
    Ok(Gathered { accepted, set_aside })
}

pub(super) fn source_row(row: &Row) -> Result<SourceRow, StoreError> {
    let count = |name: &'static str| u64::try_from(row.get::<i64>(name)).unwrap_or(0);
    let time = |name: &'static str| optional_timestamp(row.get(name));
    let lane: String = row.get("lane");
    let lease: Option<String> = row.get("lease_owner");
    Ok(SourceRow {
        name: row.get("name"),
        lane: if lane == Lane::Backfill.as_str() { Lane::Backfill } else { Lane::Live },
        spec: row.get("spec"),
        state: SourceState::parse(&row.get::<String>("state"))?,
        reason: row.get("reason"),
        cursor: row.get("cursor"),
        since: time("since")?,
        until: time("until")?,
        due_at: time("due_at")?,
        lease: lease.zip(time("lease_until")?),
        fence: row.get("fence"),
        failures: row.get("failures"),
        turns: count("turns"),
        events: count("events"),
        duplicates: count("duplicates"),
        set_aside: count("set_aside"),
        reached_at: time("reached_at")?,
        succeeded_at: time("succeeded_at")?,
        failed: time("failed_at")?.zip(row.get::<Option<String>>("failure")),
        last: row.get("last"),
        created_at: timestamp(row.get("created_at"))?,
        finished_at: time("finished_at")?,
    })
}
