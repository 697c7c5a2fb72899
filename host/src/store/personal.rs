//! Where a person's data may stand, looked for window by window; events whole, with all that belongs to them; and their rows rewritten.

use std::sync::Arc;

use jiff::Timestamp;

use super::effect::{IS_WRITE, effect_row};
use super::query::push_period;
use super::recorded::{RecordedRead, recorded_read};
use super::row::Row;
use super::sql::{Connection, Dialect, Statement, sql};
use super::terms::Terms;
use super::{Store, StoreError, batch_over, key_value, millis, timestamp};
use crate::crash::Point;
use crate::personal::Group;

/// Events of one window: few enough that their rows are looked through while nobody waits.
const WINDOW: u32 = 200;
/// Rows of key-value spaces, and identities, looked at at once.
const ROWS: u32 = 200;

/// Which events are looked at.
#[derive(Debug, Clone, Default)]
pub struct Scan {
    /// Texts of which one must stand somewhere in an event's rows.
    pub needles: Vec<String>,
    /// Exact type.
    pub event_type: Option<String>,
    /// Received at or after.
    pub since: Option<Timestamp>,
    /// Received before.
    pub until: Option<Timestamp>,
}

/// Where a scan is: the event it looked at last.
pub type ScanPlace = (Timestamp, String);

/// What a window has.
#[derive(Debug, Clone, Default)]
pub struct Window {
    /// Events looked at.
    pub scanned: u64,
    /// Those in whose rows a needle stands, the oldest first.
    pub hits: Vec<String>,
    /// Where the next one begins; `None`: there is no other.
    pub next: Option<ScanPlace>,
}

/// An answer to a read, and whose.
#[derive(Debug, Clone)]
pub struct ReadRow {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// The attempt.
    pub attempt: u32,
    /// What is kept of it.
    pub read: RecordedRead,
}

/// Whether rows were rewritten.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rewritten {
    /// They were, or are gone.
    Done,
    /// A run of the event has not ended (any more), or holds its order key; nothing was written.
    NotOver,
    /// This run has not ended, and is in a batch with one of the event; nothing was written.
    Awaited(String),
}

/// A row of a plugin's key-value space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyRow {
    /// Whose space.
    pub plugin: String,
    /// The key.
    pub key: String,
    /// Its value.
    pub value: Vec<u8>,
    /// Its version.
    pub version: i64,
}

/// An identity that is remembered, so that its event is not taken in twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// The event.
    pub eid: String,
    /// Until when at least.
    pub until: Timestamp,
}

/// Columns in which something of an event can stand, by table: texts, and bytes.
type Columns = (&'static str, &'static [&'static str], &'static [&'static str]);
const COLUMNS: [Columns; 6] = [
    ("select distinct event.eid from event where event.eid in ", &["body"], &[]),
    ("select distinct run.eid from run where run.eid in ", &["run.status_reason", "run.order_key", "run.state"], &[]),
    ("select distinct run.eid from run join step on step.run = run.id where run.eid in ", &["step.input", "step.output"], &[]),
    (
        "select distinct run.eid from run join attempt on attempt.run = run.id where run.eid in ",
        &["attempt.error", "attempt.logs", "attempt.effects"],
        &[],
    ),
    (
        "select distinct run.eid from run join effect on effect.root = run.root where run.eid in ",
        &["effect.name", "effect.url", "effect.request_headers", "effect.response_headers"],
        &["effect.request_body", "effect.response_body"],
    ),
    (
        "select distinct run.eid from run join recorded_read on recorded_read.run = run.id where run.eid in ",
        &["recorded_read.url", "recorded_read.response_headers"],
        &["recorded_read.response_body"],
    ),
];

impl Store {
    /// The next events from a place on, and those of them in which a needle stands.
    pub async fn scan(&self, scan: &Scan, after: Option<ScanPlace>) -> Result<Window, StoreError> {
        let doing = || StoreError::doing("look through events");
        let mut events = sql("select eid, received_at from event where 1 = 1");
        if let Some(kind) = &scan.event_type {
            events.push(" and type = ").push_bind(kind);
        }
        push_period(&mut events, scan.since, None);
        if let Some(until) = scan.until {
            // Not by eid: an older version may have given one that is ahead of its event by more.
            events.push(" and received_at < ").push_bind(millis(until));
        }
        match (&scan.event_type, after) {
            // The index of types has them in that order, which is the same.
            (Some(_), Some((time, eid))) => {
                events.push(" and (received_at, eid) > (").push_bind(millis(time)).push(", ").push_bind(eid).push(")");
            }
            (None, Some((_, eid))) => {
                events.push(" and eid > ").push_bind(eid);
            }
            (_, None) => {}
        }
        events.push(if scan.event_type.is_some() { " order by received_at, eid limit " } else { " order by eid limit " }).push_bind(WINDOW);
        let rows = events.fetch_all(&self.readers).await.map_err(doing())?;
        let eids: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let mut found = std::collections::HashSet::new();
        for (select, texts, bytes) in COLUMNS.iter().filter(|_| !eids.is_empty()) {
            let mut look = sql(select);
            look.push_list(&eids).push(" and (1 = 0");
            self.push_any(&mut look, &scan.needles, texts, bytes);
            look.push(")");
            found.extend(look.scalars::<String>(&self.readers).await.map_err(doing())?);
        }
        let next = rows.last().filter(|_| rows.len() == WINDOW as usize);
        let next = next.map(|row| Ok::<_, StoreError>((timestamp(row.get(1))?, row.get(0)))).transpose()?;
        Ok(Window { scanned: rows.len() as u64, hits: eids.into_iter().filter(|eid| found.contains(eid)).collect(), next })
    }

    /// Adds ` or` a needle stands in one of the columns.
    pub(super) fn push_any<'v>(
        &self,
        statement: &mut Statement<'v>,
        needles: &'v [String],
        texts: &[&'static str],
        bytes: &[&'static str],
    ) {
        for needle in needles {
            for column in texts {
                match self.dialect() {
                    Dialect::Sqlite => statement.push(" or instr(").push(column).push(", ").push_bind(needle),
                    Dialect::Postgres => statement.push(" or strpos(").push(column).push(", ").push_bind(needle),
                };
                statement.push(") > 0");
            }
            for column in bytes {
                match self.dialect() {
                    Dialect::Sqlite => statement.push(" or instr(").push(column).push(", ").push_bind(needle.as_bytes()),
                    Dialect::Postgres => statement.push(" or position(").push_bind(needle.as_bytes()).push(" in ").push(column),
                };
                statement.push(") > 0");
            }
        }
    }

    /// An event with all that belongs to it.
    pub async fn group(&self, eid: &str) -> Result<Option<Group>, StoreError> {
        let doing = || StoreError::doing("read an event with all that belongs to it");
        let Some(event) = self.event(eid).await? else { return Ok(None) };
        let runs = self.runs(eid).await?;
        let mut group = Group { event, runs, steps: Vec::new(), attempts: Vec::new(), effects: Vec::new(), reads: Vec::new() };
        for run in &group.runs {
            group.steps.extend(self.steps(&run.id).await?);
            group.attempts.extend(self.attempts(&run.id).await?);
        }
        let effects = sql("select * from effect where root in (select root from run where eid = ?) order by root, step, started_at, seq")
            .bind(eid)
            .fetch_all(&self.readers)
            .await
            .map_err(doing())?;
        group.effects = effects.iter().map(effect_row).collect::<Result<_, _>>()?;
        let reads = sql("select * from recorded_read where run in (select id from run where eid = ?)")
            .bind(eid)
            .fetch_all(&self.readers)
            .await
            .map_err(doing())?;
        group.reads = reads.iter().map(read_row).collect();
        Ok(Some(group))
    }

    /// The events that steps of an event's runs brought in, from one on.
    pub async fn caused_by(&self, eid: &str, after: &str) -> Result<Vec<String>, StoreError> {
        // A cause is JSON that begins with the eid; what follows the quotation mark sorts before `#`.
        let from = format!("{{\"eid\":\"{eid}\"");
        let to = format!("{{\"eid\":\"{eid}#");
        sql("select eid from event where cause is not null and cause >= ? and cause < ? and eid > ? order by eid limit ?")
            .bind(from)
            .bind(to)
            .bind(after)
            .bind(ROWS)
            .scalars(&self.readers)
            .await
            .map_err(StoreError::doing("look for what came of an event"))
    }

    /// Puts rewritten rows in the place of an event's, if it can.
    pub async fn rewrite(&self, before: Group, after: Group, now: Timestamp) -> Result<Rewritten, StoreError> {
        let groups = Arc::new((before, after));
        self.writer
            .write(Terms::none().point(Point::Erasing), move |connection| {
                let groups = Arc::clone(&groups);
                Box::pin(async move { rewrite(connection, &groups.0, &groups.1, now).await })
            })
            .await
    }

    /// Rows of key-value spaces in which a needle stands, from a place on.
    pub async fn scan_keys(&self, needles: &[String], after: Option<(String, String)>) -> Result<Vec<KeyRow>, StoreError> {
        let mut look = sql("select plugin, key, value, version from key_value where (1 = 0");
        self.push_any(&mut look, needles, &["key"], &["value"]);
        look.push(")");
        if let Some((plugin, key)) = after {
            look.push(" and (plugin, key) > (").push_bind(plugin).push(", ").push_bind(key).push(")");
        }
        look.push(" order by plugin, key limit ").push_bind(ROWS);
        let rows = look.fetch_all(&self.readers).await.map_err(StoreError::doing("look through key-value spaces"))?;
        Ok(rows.iter().map(|row| KeyRow { plugin: row.get(0), key: row.get(1), value: row.get(2), version: row.get(3) }).collect())
    }

    /// Puts another value in the place of a key's, or removes it; says whether it could: `false` while a step has claimed it, or when somebody else
    /// has changed it.
    pub async fn rewrite_key(&self, row: KeyRow, value: Option<Vec<u8>>, version: i64) -> Result<bool, StoreError> {
        self.writer
            .write(Terms::none().keys(&row.plugin).point(Point::Erasing), move |connection| {
                let (row, value) = (row.clone(), value.clone());
                Box::pin(async move { rewrite_key(connection, &row, value, version).await })
            })
            .await
    }

    /// Identities in which a needle stands, from a place on: they are remembered beyond their events.
    pub async fn scan_identities(&self, needles: &[String], after: Option<(String, String)>) -> Result<Vec<Identity>, StoreError> {
        let mut look = sql("");
        for of in [
            "select source, id, eid, until from seen where (1 = 0",
            " union all select source, id, eid, seen_until from event where digest is not null and (1 = 0",
        ] {
            look.push(of);
            self.push_any(&mut look, needles, &["source", "id"], &[]);
            look.push(")");
            if let Some((source, id)) = &after {
                look.push(" and (source, id) > (").push_bind(source).push(", ").push_bind(id).push(")");
            }
        }
        look.push(" order by source, id limit ").push_bind(ROWS);
        let rows = look.fetch_all(&self.readers).await.map_err(StoreError::doing("look through identities"))?;
        rows.iter().map(|row| Ok(Identity { source: row.get(0), id: row.get(1), eid: row.get(2), until: timestamp(row.get(3))? })).collect()
    }

    /// Whether a configuration that runs may still be on hides fields of events.
    pub async fn hides_fields(&self) -> Result<bool, StoreError> {
        let hiding: Option<i64> = sql("select 1 from revision where content like '%\"redact\"%' or content like '%\"events\"%' limit 1")
            .scalar_optional(&self.readers)
            .await
            .map_err(StoreError::doing("look for fields that are hidden"))?;
        Ok(hiding.is_some())
    }
}

fn read_row(row: &Row) -> ReadRow {
    ReadRow { run: row.get("run"), step: row.get("step"), attempt: row.get("attempt"), read: recorded_read(row) }
}

async fn rewrite(connection: &mut Connection, before: &Group, after: &Group, now: Timestamp) -> Result<Rewritten, StoreError> {
    let doing = || StoreError::doing("erase personal data");
    let eid = &before.event.eid;
    let mut hold = sql("select eid from event where eid = ?").bind(eid);
    if connection.dialect() == Dialect::Postgres {
        // From here on no run of it can be added; the question below sees those that were.
        hold.push(" for update");
    }
    if hold.fetch_optional(&mut *connection).await.map_err(doing())?.is_none() {
        // Retention was faster.
        return Ok(Rewritten::Done);
    }
    // Rows of runs that have ended do not change: what was read before is what is there.
    let row = sql("select count(*), coalesce(sum(case when ended_at is null or (status = 'dead' and order_hold = 1 and superseded = 0 \
         and order_key is not null) then 1 else 0 end), 0) from run where eid = ?")
    .bind(eid)
    .fetch_one(&mut *connection)
    .await
    .map_err(doing())?;
    if row.get::<i64>(0) != before.runs.len() as i64 || row.get::<i64>(1) != 0 {
        return Ok(Rewritten::NotOver);
    }
    if let Some(run) = batch_over::let_go(connection, &batch_over::named(&before.effects)).await? {
        return Ok(Rewritten::Awaited(run));
    }
    sql("update event set body = ?, erased_at = ? where eid = ?")
        .bind(&after.event.body)
        .bind(millis(now))
        .bind(eid)
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
    for (old, new) in before.runs.iter().zip(&after.runs) {
        if (&old.status_reason, &old.order_key, &old.state) != (&new.status_reason, &new.order_key, &new.state) {
            // Its cause is that of what it says now.
            let update = sql("update run set status_reason = ?, order_key = ?, state = ?, cause = null where id = ?");
            let update = update.bind(&new.status_reason).bind(&new.order_key).bind(&new.state).bind(&new.id);
            update.execute(&mut *connection).await.map_err(doing())?;
        }
    }
    for (old, new) in before.steps.iter().zip(&after.steps) {
        if (&old.input, &old.output) != (&new.input, &new.output) {
            let update = sql("update step set input = ?, output = ? where run = ? and name = ?");
            let update = update.bind(&new.input).bind(&new.output).bind(&new.run).bind(&new.name);
            update.execute(&mut *connection).await.map_err(doing())?;
        }
    }
    for (old, new) in before.attempts.iter().zip(&after.attempts) {
        if (&old.error, &old.logs, &old.effects) != (&new.error, &new.logs, &new.effects) {
            let update = sql("update attempt set error = ?, logs = ?, effects = ? where run = ? and step = ? and number = ?");
            let update = update.bind(&new.error).bind(&new.logs).bind(&new.effects).bind(&new.run).bind(&new.step).bind(new.number);
            update.execute(&mut *connection).await.map_err(doing())?;
        }
    }
    for (old, new) in before.effects.iter().zip(&after.effects) {
        let mut update =
            sql("update effect set identity = ?, name = ?, url = ?, request_headers = ?, request_body = ?, request_digest = ?, \
             response_headers = ?, response_body = ? where ")
            .bind(&new.id.identity)
            .bind(&new.name)
            .bind(&new.url)
            .bind(&new.request_headers)
            .bind(&new.request_body)
            .bind(&new.request_digest)
            .bind(&new.response_headers)
            .bind(&new.response_body);
        update.push(IS_WRITE);
        old.id.bind(update).execute(&mut *connection).await.map_err(doing())?;
    }
    for read in &before.reads {
        let same = |kept: &&ReadRow| {
            (&kept.run, &kept.step, kept.attempt, &kept.read.identity) == (&read.run, &read.step, read.attempt, &read.read.identity)
        };
        if after.reads.iter().find(same).is_none() {
            let delete = sql("delete from recorded_read where run = ? and step = ? and attempt = ? and identity = ?");
            let delete = delete.bind(&read.run).bind(&read.step).bind(read.attempt).bind(&read.read.identity);
            delete.execute(&mut *connection).await.map_err(doing())?;
        }
    }
    Ok(Rewritten::Done)
}

async fn rewrite_key(connection: &mut Connection, row: &KeyRow, value: Option<Vec<u8>>, version: i64) -> Result<bool, StoreError> {
    let doing = || StoreError::doing("erase personal data of a key");
    let claimed: Option<i64> = sql("select 1 from key_claim where plugin = ?1 and ((prefix = 0 and key = ?2) \
         or (prefix = 1 and substr(?2, 1, length(key)) = key)) limit 1")
    .bind(&row.plugin)
    .bind(&row.key)
    .scalar_optional(&mut *connection)
    .await
    .map_err(doing())?;
    if claimed.is_some() {
        return Ok(false);
    }
    let write = match value {
        Some(value) => {
            sql("update key_value set value = ?, version = ? where plugin = ? and key = ? and version = ?").bind(value).bind(version)
        }
        None => sql("delete from key_value where plugin = ? and key = ? and version = ?"),
    };
    let done = write.bind(&row.plugin).bind(&row.key).bind(row.version).execute(&mut *connection).await.map_err(doing())?;
    key_value::forget_size(connection, &row.plugin).await?;
    Ok(done > 0)
}
