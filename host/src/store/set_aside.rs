//! What came in at a source and could not be made into an event: kept with its reason, each different thing once, until somebody has it tried
//! again or lets it go.

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::row::Row;
use super::sql::{Connection, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};
use crate::audit::Act;
use crate::crash::Point;
use crate::live::{News, SourceChanged};

/// Largest data that is kept of a record or an event; the rest is cut off.
const MAX_DATA: usize = 64 << 10;
/// Longest reason.
const MAX_REASON: usize = 4 << 10;
/// Rows removed at once.
const BITE: u32 = 500;
/// Looked at at once for a person's data.
const SCANNED: u32 = 20;

/// What kind of thing was set aside: it says how it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetAsideKind {
    /// A record that a plugin could not make into an event.
    Record,
    /// An event that may not come in: its type is not granted, it is no CloudEvent, or its data does not fit the schema.
    Event,
    /// The body of a request or message that no expression could read.
    Body,
}

impl SetAsideKind {
    /// As kept and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            SetAsideKind::Record => "record",
            SetAsideKind::Event => "event",
            SetAsideKind::Body => "body",
        }
    }

    fn parse(text: &str) -> Result<SetAsideKind, StoreError> {
        let all = [SetAsideKind::Record, SetAsideKind::Event, SetAsideKind::Body];
        all.into_iter().find(|kind| kind.as_str() == text).ok_or_else(|| StoreError::invalid("a kind of what was set aside", text))
    }
}

/// Something to be set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSetAside {
    /// Given by the host.
    pub id: String,
    /// Name of the source.
    pub source: String,
    /// Of what kind.
    pub kind: SetAsideKind,
    /// As it came.
    pub data: Vec<u8>,
    /// What is needed to try it again, JSON.
    pub context: Option<String>,
    /// What tells it apart from others with the same data.
    pub known_by: String,
    /// What is wrong with it.
    pub reason: String,
    /// When.
    pub at: Timestamp,
}

impl NewSetAside {
    /// Something that came in now.
    pub fn new(source: &str, kind: SetAsideKind, data: Vec<u8>, reason: impl Into<String>, at: Timestamp) -> NewSetAside {
        let (mut reason, mut data) = (reason.into(), data);
        reason.truncate(reason.floor_char_boundary(MAX_REASON.min(reason.len())));
        if kind != SetAsideKind::Body && data.len() > MAX_DATA {
            // Texts: cut between characters.
            let text = String::from_utf8_lossy(&data).into_owned();
            data = text.as_bytes()[..text.floor_char_boundary(MAX_DATA.min(text.len()))].to_vec();
        }
        NewSetAside {
            id: uuid::Uuid::now_v7().to_string(),
            source: source.to_owned(),
            kind,
            data,
            context: None,
            known_by: String::new(),
            reason,
            at,
        }
    }

    /// With what is needed to try it again, JSON.
    pub fn context(self, context: impl ToString) -> NewSetAside {
        NewSetAside { context: Some(context.to_string()), ..self }
    }

    /// With what tells it apart from others with the same data.
    pub fn known_by(self, text: impl Into<String>) -> NewSetAside {
        NewSetAside { known_by: text.into(), ..self }
    }

    fn digest(&self) -> Vec<u8> {
        let mut hasher = Sha256::new();
        hasher.update(self.kind.as_str());
        hasher.update([0]);
        hasher.update(&self.known_by);
        hasher.update([0]);
        hasher.update(&self.data);
        hasher.finalize().to_vec()
    }
}

/// Something that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAsideRow {
    /// Its id: grows with time.
    pub id: String,
    /// Name of the source.
    pub source: String,
    /// Of what kind.
    pub kind: SetAsideKind,
    /// As it came.
    pub data: Vec<u8>,
    /// What is needed to try it again, JSON.
    pub context: Option<String>,
    /// What is wrong with it.
    pub reason: String,
    /// How often it came.
    pub times: u32,
    /// When it came first.
    pub first_at: Timestamp,
    /// When it came last.
    pub last_at: Timestamp,
    /// It is to be tried again with the next turn of its source.
    pub retry: bool,
}

impl Store {
    /// Keeps things that could not be made into events. Answered after the flush to disk; gives how many were not known.
    pub async fn set_aside(&self, things: Vec<NewSetAside>) -> Result<u64, StoreError> {
        self.writer
            .write(Terms::none(), move |connection| {
                let things = things.clone();
                Box::pin(async move { keep(connection, &things).await })
            })
            .await
    }

    /// Those of a source, the oldest first; `after`: the id where the page before ended.
    pub async fn set_aside_of(&self, source: &str, after: Option<&str>, limit: u32) -> Result<Vec<SetAsideRow>, StoreError> {
        let list = sql("select * from set_aside where source = ? and id > ? order by id limit ?");
        let rows = list.bind(source).bind(after.unwrap_or("")).bind(i64::from(limit)).fetch_all(&self.readers).await;
        rows.map_err(StoreError::doing("list what was set aside"))?.iter().map(set_aside_row).collect()
    }

    /// One of them.
    pub async fn set_aside_one(&self, source: &str, id: &str) -> Result<Option<SetAsideRow>, StoreError> {
        let row = sql("select * from set_aside where source = ? and id = ?").bind(source).bind(id).fetch_optional(&self.readers).await;
        row.map_err(StoreError::doing("look for what was set aside"))?.as_ref().map(set_aside_row).transpose()
    }

    /// Those that are to be tried again with the next turn of their source.
    pub async fn set_aside_again(&self, source: &str, limit: u32) -> Result<Vec<SetAsideRow>, StoreError> {
        let list = sql("select * from set_aside where source = ? and retry = 1 order by id limit ?");
        let rows = list.bind(source).bind(i64::from(limit)).fetch_all(&self.readers).await;
        rows.map_err(StoreError::doing("list what was set aside"))?.iter().map(set_aside_row).collect()
    }

    /// How many each source has.
    pub async fn set_aside_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = sql("select source, count(*) from set_aside group by source").fetch_all(&self.readers).await;
        let rows = rows.map_err(StoreError::doing("count what was set aside"))?;
        Ok(rows.iter().map(|row| (row.get(0), u64::try_from(row.get::<i64>(1)).unwrap_or(0))).collect())
    }

    /// How many a source has, counted up to a number.
    pub async fn set_aside_count(&self, source: &str, up_to: u32) -> Result<u32, StoreError> {
        let count = sql("select count(*) from (select 1 from set_aside where source = ? limit ?) as counted");
        let count: i64 =
            count.bind(source).bind(i64::from(up_to)).scalar(&self.readers).await.map_err(StoreError::doing("count what was set aside"))?;
        Ok(u32::try_from(count).unwrap_or(u32::MAX))
    }

    /// Marks records of a source to be tried again with its next turn, all or one, and makes that turn due. Puts it on record; gives how many.
    pub async fn set_aside_retry(&self, source: &str, id: Option<&str>, act: Act, now: Timestamp) -> Result<u64, StoreError> {
        let note = self.note(act, now)?;
        let (source, id) = (source.to_owned(), id.map(str::to_owned));
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (source, id, note) = (source.clone(), id.clone(), note.clone());
                Box::pin(async move {
                    let doing = || StoreError::doing("have what was set aside tried again");
                    let mark = sql("update set_aside set retry = 1 where source = ?1 and kind = 'record' and (?2 is null or id = ?2)");
                    let marked = mark.bind(&source).bind(&id).execute(&mut *connection).await.map_err(doing())?;
                    if marked > 0 {
                        let due = sql("update source set due_at = ?1 where name = ?2 and lane = 'live' and state = 'active'");
                        due.bind(millis(now)).bind(&source).execute(&mut *connection).await.map_err(doing())?;
                        connection.tell(changed(source, now));
                    }
                    note.append(connection).await?;
                    Ok(marked)
                })
            })
            .await
    }

    /// Lets things of a source go, all or one, and puts that on record; gives how many.
    pub async fn set_aside_discard(&self, source: &str, id: Option<&str>, act: Act, now: Timestamp) -> Result<u64, StoreError> {
        let note = self.note(act, now)?;
        let (source, id) = (source.to_owned(), id.map(str::to_owned));
        self.writer
            .write(Terms::none().audit(), move |connection| {
                let (source, id, note) = (source.clone(), id.clone(), note.clone());
                Box::pin(async move {
                    let delete = sql("delete from set_aside where source = ?1 and (?2 is null or id = ?2)").bind(&source).bind(&id);
                    let gone = delete.execute(&mut *connection).await.map_err(StoreError::doing("let go of what was set aside"))?;
                    if gone > 0 {
                        connection.tell(changed(source, now));
                    }
                    note.append(connection).await?;
                    Ok(gone)
                })
            })
            .await
    }

    /// One of them has become an event, or has another reason now.
    pub async fn set_aside_settled(&self, id: &str, reason: Option<String>, now: Timestamp) -> Result<(), StoreError> {
        let id = id.to_owned();
        self.writer
            .write(Terms::none(), move |connection| {
                let (id, reason) = (id.clone(), reason.clone());
                Box::pin(async move {
                    let settle = match reason {
                        None => sql("delete from set_aside where id = ? returning source").bind(id),
                        Some(reason) => sql("update set_aside set reason = ?, last_at = ?, retry = 0 where id = ? returning source")
                            .bind(reason)
                            .bind(millis(now))
                            .bind(id),
                    };
                    let source: Option<String> =
                        settle.scalar_optional(&mut *connection).await.map_err(StoreError::doing("settle what was set aside"))?;
                    if let Some(source) = source {
                        connection.tell(changed(source, now));
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Those of any source in which a needle stands, from an id on, with what came with them: few at once, since bodies are large.
    pub async fn scan_set_aside(&self, needles: &[String], after: &str) -> Result<Vec<SetAsideRow>, StoreError> {
        let mut look = sql("select * from set_aside where (1 = 0");
        self.push_any(&mut look, needles, &["source", "reason", "context"], &["data"]);
        look.push(") and id > ").push_bind(after).push(" order by id limit ").push_bind(SCANNED);
        let rows = look.fetch_all(&self.readers).await.map_err(StoreError::doing("look through what was set aside"))?;
        rows.iter().map(set_aside_row).collect()
    }

    /// Lets one go since it names somebody who is to be forgotten; says whether it was there.
    pub async fn set_aside_erased(&self, id: &str) -> Result<bool, StoreError> {
        let id = id.to_owned();
        self.writer
            .write(Terms::none().point(Point::Erasing), move |connection| {
                let id = id.clone();
                Box::pin(async move {
                    let delete = sql("delete from set_aside where id = ?").bind(id).execute(connection).await;
                    Ok(delete.map_err(StoreError::doing("erase what was set aside"))? > 0)
                })
            })
            .await
    }

    /// Forgets what came last before a time, bite by bite. Says whether there may be more.
    pub async fn prune_set_aside(&self, before: Timestamp) -> Result<bool, StoreError> {
        let over: Option<i64> = sql("select 1 from set_aside where last_at < ? limit 1")
            .bind(millis(before))
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look for what was set aside long ago"))?;
        if over.is_none() {
            return Ok(false);
        }
        self.writer
            .write(Terms::none(), move |connection| {
                Box::pin(async move {
                    let removed = sql("delete from set_aside where id in (select id from set_aside where last_at < ? limit ?)")
                        .bind(millis(before))
                        .bind(BITE)
                        .execute(connection)
                        .await
                        .map_err(StoreError::doing("prune what was set aside"))?;
                    Ok(removed >= u64::from(BITE))
                })
            })
            .await
    }
}

/// Keeps things within a transaction; gives how many were not known. The same thing again is only counted, with its present reason and context.
pub(super) async fn keep(connection: &mut Connection, things: &[NewSetAside]) -> Result<u64, StoreError> {
    let mut new = 0;
    for thing in things {
        let kept: String = sql("insert into set_aside (id, source, kind, data, context, reason, digest, times, first_at, last_at) \
             values (?, ?, ?, ?, ?, ?, ?, 1, ?, ?) on conflict (source, digest) do update set times = set_aside.times + 1, \
             reason = excluded.reason, context = excluded.context, last_at = excluded.last_at, retry = 0 returning id")
        .bind(&thing.id)
        .bind(&thing.source)
        .bind(thing.kind.as_str())
        .bind(&thing.data)
        .bind(&thing.context)
        .bind(&thing.reason)
        .bind(thing.digest())
        .bind(millis(thing.at))
        .bind(millis(thing.at))
        .scalar(&mut *connection)
        .await
        .map_err(StoreError::doing("set something aside"))?;
        new += u64::from(kept == thing.id);
        connection.tell(changed(thing.source.clone(), thing.at));
    }
    Ok(new)
}

/// What a source has set aside is not what it was.
fn changed(source: String, at: Timestamp) -> News {
    News::Source(SourceChanged { name: source, state: None, at })
}

/// What was tried again and not set aside again has become an event: it goes.
pub(super) async fn tried_again(connection: &mut Connection, ids: &[String]) -> Result<(), StoreError> {
    for id in ids {
        let settle = sql("delete from set_aside where id = ? and retry = 1").bind(id);
        settle.execute(&mut *connection).await.map_err(StoreError::doing("settle what was set aside"))?;
    }
    Ok(())
}

fn set_aside_row(row: &Row) -> Result<SetAsideRow, StoreError> {
    Ok(SetAsideRow {
        id: row.get("id"),
        source: row.get("source"),
        kind: SetAsideKind::parse(&row.get::<String>("kind"))?,
        data: row.get("data"),
        context: row.get("context"),
        reason: row.get("reason"),
        times: row.get("times"),
        first_at: timestamp(row.get("first_at"))?,
        last_at: timestamp(row.get("last_at"))?,
        retry: row.get("retry"),
    })
}
