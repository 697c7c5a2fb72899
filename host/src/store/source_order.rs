//! What people order of a source: to pause and go on, and to read an earlier time beside it. Each is put on record.

use jiff::Timestamp;

use super::source::SourceRow;
use super::sql::sql;
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis};
use crate::audit::Act;
use crate::live::{News, SourceChanged};

/// A backfill that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBackfill {
    /// Which source.
    pub name: String,
    /// As the configuration means it: see [`super::SourceSpec::spec`].
    pub spec: String,
    /// The configuration.
    pub revision: i64,
    /// From when on.
    pub since: Timestamp,
    /// Before when.
    pub until: Timestamp,
}

impl Store {
    /// Stops a source, its backfill too, until it is resumed; what is under way may finish. Says whether it went on until now.
    pub async fn source_pause(&self, name: &str, reason: Option<String>, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let note = self.note(act, now)?;
        let name = name.to_owned();
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (name, reason, note) = (name.clone(), reason.clone(), note.clone());
                Box::pin(async move {
                    let pause = sql("update source set state = 'paused', reason = ?, due_at = null \
                         where name = ? and state in ('active', 'waiting', 'stopped')");
                    let paused = pause.bind(reason).bind(&name).execute(&mut *connection).await;
                    let paused = paused.map_err(StoreError::doing("pause a source"))?;
                    note.append(&mut *connection).await?;
                    connection.tell(changed(name, Some("paused"), now));
                    Ok(paused > 0)
                })
            })
            .await
    }

    /// Lets a source go on at once, its backfill too, whatever kept it. A schedule goes on from now: `cursor` is where.
    pub async fn source_resume(&self, name: &str, cursor: Option<String>, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let note = self.note(act, now)?;
        let name = name.to_owned();
        self.writer
            .write(Terms::none().audit().signal(Signal::Due), move |connection| {
                let (name, cursor, note) = (name.clone(), cursor.clone(), note.clone());
                Box::pin(async move {
                    let resume = sql("update source set cursor = case when state = 'paused' then coalesce(?1, cursor) else cursor end, \
                         state = 'active', reason = null, failures = 0, due_at = ?2 where name = ?3 and finished_at is null");
                    let resumed = resume.bind(cursor).bind(millis(now)).bind(&name).execute(&mut *connection).await;
                    let resumed = resumed.map_err(StoreError::doing("resume a source"))?;
                    note.append(&mut *connection).await?;
                    connection.tell(changed(name, Some("active"), now));
                    Ok(resumed > 0)
                })
            })
            .await
    }

    /// Begins to read an earlier time, in the place of a backfill that has ended. `false`: one is under way.
    pub async fn backfill_begin(&self, backfill: NewBackfill, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let note = self.note(act, now)?;
        self.writer
            .write(Terms::none().audit().signal(Signal::Due), move |connection| {
                let (backfill, note) = (backfill.clone(), note.clone());
                Box::pin(async move {
                    let begun: Option<String> = sql("insert into source (name, lane, spec, revision, state, since, until, due_at, created_at) \
                         values (?, 'backfill', ?, ?, 'active', ?, ?, ?, ?) on conflict (name, lane) do update set spec = excluded.spec, \
                         revision = excluded.revision, state = 'active', reason = null, cursor = null, since = excluded.since, until = excluded.until, \
                         due_at = excluded.due_at, lease_until = null, lease_owner = null, fence = source.fence + 1, failures = 0, turns = 0, events = 0, \
                         duplicates = 0, set_aside = 0, reached_at = null, succeeded_at = null, failed_at = null, failure = null, last = null, \
                         created_at = excluded.created_at, finished_at = null where source.finished_at is not null returning name")
                    .bind(&backfill.name)
                    .bind(&backfill.spec)
                    .bind(backfill.revision)
                    .bind(millis(backfill.since))
                    .bind(millis(backfill.until))
                    .bind(millis(now))
                    .bind(millis(now))
                    .scalar_optional(&mut *connection)
                    .await
                    .map_err(StoreError::doing("begin a backfill"))?;
                    if begun.is_some() {
                        note.append(&mut *connection).await?;
                        connection.tell(changed(backfill.name, None, now));
                    }
                    Ok(begun.is_some())
                })
            })
            .await
    }

    /// Gives a backfill up; what it has brought in stays. `false`: none is under way.
    pub async fn backfill_cancel(&self, name: &str, act: Act, now: Timestamp) -> Result<bool, StoreError> {
        let note = self.note(act, now)?;
        let name = name.to_owned();
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (name, note) = (name.clone(), note.clone());
                Box::pin(async move {
                    let cancel = sql("update source set state = 'cancelled', reason = null, due_at = null, finished_at = ? \
                         where name = ? and lane = 'backfill' and finished_at is null");
                    let cancelled = cancel.bind(millis(now)).bind(&name).execute(&mut *connection).await;
                    let cancelled = cancelled.map_err(StoreError::doing("cancel a backfill"))?;
                    if cancelled > 0 {
                        note.append(&mut *connection).await?;
                        connection.tell(changed(name, None, now));
                    }
                    Ok(cancelled > 0)
                })
            })
            .await
    }

    /// The lanes of a source.
    pub async fn source(&self, name: &str) -> Result<Vec<SourceRow>, StoreError> {
        let rows = sql("select * from source where name = ? order by lane desc").bind(name).fetch_all(&self.readers).await;
        rows.map_err(StoreError::doing("look for a source"))?.iter().map(super::source::source_row).collect()
    }
}

fn changed(name: String, state: Option<&str>, at: Timestamp) -> News {
    News::Source(SourceChanged { name, state: state.map(str::to_owned), at })
}
