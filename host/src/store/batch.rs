//! Batches: actions done for several runs at once, from their begin to each member's result.
//!
//! To its member's journal a batch is one write: kind [`KIND`], named by the batch's id, `intent` when the batch begins, then `done` with the member's
//! output, `failed` where the member goes on without it, or `in-doubt`. So a replay, an undo, an erasure and a person see of it what they see of any
//! write, and nothing of the other members. The requests that the batch itself makes are journalled like those of a step, of a line that is the batch.
//!
//! One run does a batch at a time: the one whose name and fence stand in it, as long as it has its lease. Whichever member comes next takes over.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::effect::{EffectId, EffectState, IS_WRITE, Intent, fenced, insert_intent, refusal};
use super::key_value::{self, KeySettlement};
use super::sql::{Connection, Dialect, sql};
use super::terms::Terms;
use super::{Store, StoreError, millis, timestamp};
use crate::crash::Point;

/// Kind of the write that a batch is to each of its members.
pub const KIND: &str = "batch";
/// What that write is known by: a member is in one batch at a time, and each further one is the next generation.
pub const IDENTITY: &str = "b:batch";
/// What of a batch still asks for its result.
pub(super) const OPEN: &str = "kind = 'batch' and state in ('intent', 'in-doubt')";

/// One member, with all that its part of the call needs.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct BatchMember {
    /// First run of its line.
    pub root: String,
    /// The step.
    pub step: String,
    /// Round, from 0.
    pub round: u32,
    /// How often the step was undone.
    pub undos: u32,
    /// Generation of the write that the batch is to it.
    pub generation: u32,
    /// JSON text.
    pub input: String,
    /// JSON text.
    pub context: String,
}

/// A batch about to begin.
#[derive(Debug)]
pub struct NewBatch {
    /// UUIDv7.
    pub id: String,
    /// The plugin.
    pub plugin: String,
    /// Its action.
    pub action: String,
    /// When.
    pub at: Timestamp,
    /// The members in their order, each with its context. The first one does it.
    pub members: Vec<(Intent, String)>,
}

/// A batch to be done (again).
#[derive(Debug, Clone)]
pub struct OpenBatch {
    /// Its id.
    pub id: String,
    /// Its action.
    pub action: String,
    /// When it first began: its clock starts there.
    pub at: Timestamp,
    /// How often it was begun before.
    pub repeats: u32,
    /// All its members in their order.
    pub members: Vec<BatchMember>,
}

/// What becomes of a member that wants its batch done.
#[derive(Debug)]
pub enum Resumed {
    /// It does it.
    Yours(OpenBatch),
    /// Another run is at it.
    Busy,
    /// The member has its result by now.
    Ended,
    /// Nobody knows of the batch any more.
    Gone,
}

/// A member's result.
#[derive(Debug, Clone)]
pub struct MemberEnd {
    /// Its place in the batch, from 0.
    pub place: usize,
    /// `done`, `failed`: it goes on without the batch, or `in-doubt`: it stays.
    pub state: EffectState,
    /// JSON list of pairs.
    pub headers: Option<String>,
    /// Of one that is done its output; of one that failed why.
    pub body: Vec<u8>,
}

/// What a call for several runs leaves behind.
#[derive(Debug, Clone)]
pub struct BatchEnd {
    /// The members' results.
    pub members: Vec<MemberEnd>,
    /// Key-value writes that take effect with them.
    pub keys: Option<KeySettlement>,
}

impl BatchMember {
    /// Of a member's own write.
    pub fn new(intent: &Intent, context: &str) -> BatchMember {
        let id = &intent.effect.id;
        BatchMember {
            root: id.root.clone(),
            step: id.step.clone(),
            round: id.round,
            undos: id.undos,
            generation: id.generation,
            input: intent.opening.as_ref().map(|opening| opening.input.clone()).unwrap_or_default(),
            context: context.to_owned(),
        }
    }

    /// The write that the batch is to it.
    pub fn write(&self) -> EffectId {
        EffectId {
            root: self.root.clone(),
            step: self.step.clone(),
            round: self.round,
            undos: self.undos,
            identity: IDENTITY.to_owned(),
            generation: self.generation,
        }
    }
}

impl Store {
    /// Makes a batch durable, with the attempts of its members: nothing of it may leave before this has returned. Says of each member whether it takes
    /// part: one that was cancelled or taken over meanwhile does not.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: the first member, which was to do it, does not take part; nothing was written.
    pub async fn begin_batch(&self, batch: std::sync::Arc<NewBatch>) -> Result<Vec<bool>, StoreError> {
        self.writer
            .write(Terms::none().point(Point::Batching), move |connection| {
                let batch = batch.clone();
                Box::pin(async move { refusal(begin(connection, &batch).await) })
            })
            .await?
    }

    /// A member comes to its batch, of which it has no result: it does the batch itself, unless another one is at it.
    pub async fn resume_batch(&self, id: &str, intent: Intent, now: Timestamp) -> Result<Resumed, StoreError> {
        let id = id.to_owned();
        self.writer
            .write(Terms::none().point(Point::Batching), move |connection| {
                let (id, intent) = (id.clone(), intent.clone());
                Box::pin(async move { refusal(resume(connection, &id, &intent, now).await) })
            })
            .await?
    }

    /// Makes the members' results durable, all or none. A batch that every member has its result of is forgotten, with its journal; one of which a
    /// member stays in doubt waits for the next of them.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another run has taken it over, nothing was written. [`StoreError::KeySpaceFull`]: nothing was written.
    pub async fn end_batch(&self, batch: OpenBatch, run: &str, fence: i64, end: BatchEnd) -> Result<(), StoreError> {
        let run = run.to_owned();
        let terms = match end.keys.as_ref().filter(|keys| !keys.writes.is_empty()) {
            Some(keys) => Terms::none().keys(&keys.plugin),
            None => Terms::none(),
        };
        self.writer
            .write(terms.point(Point::Sharing), move |connection| {
                let (batch, run, end) = (batch.clone(), run.clone(), end.clone());
                Box::pin(async move { refusal(finish(connection, &batch, &run, fence, &end).await) })
            })
            .await?
    }
}

/// The first member is asked for before anything is written.
async fn begin(connection: &mut Connection, batch: &NewBatch) -> Result<Vec<bool>, StoreError> {
    let doing = || StoreError::doing("begin a batch");
    let Some((first, _)) = batch.members.first() else { return Ok(Vec::new()) };
    fenced(connection, &first.effect.run, first.fence).await?;
    let mut takes_part = Vec::with_capacity(batch.members.len());
    let mut members = Vec::with_capacity(batch.members.len());
    for (intent, context) in &batch.members {
        takes_part.push(match insert_intent(connection, intent).await {
            Ok(()) => {
                members.push(BatchMember::new(intent, context));
                true
            }
            Err(StoreError::Fenced) => false,
            Err(error) => return Err(error),
        });
    }
    let members = serde_json::to_string(&members).expect("members are plain data");
    sql("insert into batch (id, plugin, action, run, fence, calls, created_at, members) values (?, ?, ?, ?, ?, ?, ?, ?)")
        .bind(&batch.id)
        .bind(&batch.plugin)
        .bind(&batch.action)
        .bind(&first.effect.run)
        .bind(first.fence)
        .bind(1)
        .bind(millis(batch.at))
        .bind(members)
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
    sql("insert into line_step (root, step, round, clock_start) values (?, '', 0, ?)")
        .bind(&batch.id)
        .bind(millis(batch.at))
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
    Ok(takes_part)
}

async fn resume(connection: &mut Connection, id: &str, intent: &Intent, now: Timestamp) -> Result<Resumed, StoreError> {
    let doing = || StoreError::doing("take up a batch");
    fenced(connection, &intent.effect.run, intent.fence).await?;
    let mut look = sql("select action, run, fence, calls, created_at, members from batch where id = ?").bind(id);
    if connection.dialect() == Dialect::Postgres {
        look.push(" for update");
    }
    let row = look.fetch_optional(&mut *connection).await.map_err(doing())?;
    let mut own = sql("select state from effect where ");
    own.push(IS_WRITE);
    let state: Option<String> = intent.effect.id.bind(own).scalar_optional(&mut *connection).await.map_err(doing())?;
    if !matches!(state.as_deref(), Some("intent" | "in-doubt")) {
        return Ok(Resumed::Ended);
    }
    let Some(row) = row else { return Ok(Resumed::Gone) };
    let (run, fence): (String, i64) = (row.get("run"), row.get("fence"));
    if (run.as_str(), fence) != (intent.effect.run.as_str(), intent.fence) {
        let at_it: Option<i64> =
            sql("select 1 from run where id = ? and fence = ? and status = 'running' and due_at > ? and ended_at is null")
                .bind(&run)
                .bind(fence)
                .bind(millis(now))
                .scalar_optional(&mut *connection)
                .await
                .map_err(doing())?;
        if at_it.is_some() {
            return Ok(Resumed::Busy);
        }
    }
    let members: String = row.get("members");
    let members =
        serde_json::from_str(&members).map_err(|error| StoreError::Invalid { what: "the members of a batch", why: error.to_string() })?;
    sql("update batch set run = ?, fence = ?, calls = calls + 1 where id = ?")
        .bind(&intent.effect.run)
        .bind(intent.fence)
        .bind(id)
        .execute(&mut *connection)
        .await
        .map_err(doing())?;
    insert_intent(connection, intent).await?;
    let (action, at) = (row.get("action"), timestamp(row.get("created_at"))?);
    Ok(Resumed::Yours(OpenBatch { id: id.to_owned(), action, at, repeats: row.get("calls"), members }))
}

async fn finish(connection: &mut Connection, batch: &OpenBatch, run: &str, fence: i64, end: &BatchEnd) -> Result<(), StoreError> {
    let doing = || StoreError::doing("end a batch");
    let mut own = sql("select 1 from batch where id = ? and run = ? and fence = ?").bind(&batch.id).bind(run).bind(fence);
    if connection.dialect() == Dialect::Postgres {
        own.push(" for update");
    }
    let own: Option<i64> = own.scalar_optional(&mut *connection).await.map_err(doing())?;
    if own.is_none() {
        return Err(StoreError::Fenced);
    }
    if let Some(keys) = &end.keys {
        let space = key_value::room(connection, keys).await?;
        key_value::apply(connection, keys, space).await?;
    }
    for end in &end.members {
        let Some(member) = batch.members.get(end.place) else { continue };
        // A member that has its result keeps it, whatever a repetition says; so does one of which a person has decided.
        let mut update = sql("update effect set state = ?, doubted = ?, response_headers = ?, response_body = ? where ")
            .bind(end.state.as_str())
            .bind(end.state == EffectState::InDoubt)
            .bind(&end.headers)
            .bind(&end.body);
        update.push(IS_WRITE).push(" and name = ? and decided is null and ").push(OPEN);
        member.write().bind(update).bind(&batch.id).execute(&mut *connection).await.map_err(doing())?;
    }
    let mut left = sql("select 1 from effect where name = ?").bind(&batch.id);
    left.push(" and ").push(OPEN).push(" limit 1");
    let left: Option<i64> = left.scalar_optional(&mut *connection).await.map_err(doing())?;
    if left.is_none() {
        return remove(connection, &batch.id).await;
    }
    sql("update batch set run = '', fence = 0 where id = ?").bind(&batch.id).execute(&mut *connection).await.map_err(doing())?;
    Ok(())
}

/// A batch with its journal.
pub(super) async fn remove(connection: &mut Connection, id: &str) -> Result<(), StoreError> {
    for statement in ["delete from effect where root = ?", "delete from line_step where root = ?", "delete from batch where id = ?"] {
        sql(statement).bind(id).execute(&mut *connection).await.map_err(StoreError::doing("forget a batch"))?;
    }
    Ok(())
}
