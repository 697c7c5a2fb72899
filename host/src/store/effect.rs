//! The journal: every write intended before it leaves, and its outcome after.

use std::sync::Arc;

use jiff::Timestamp;

use super::batch;
use super::job::Pending;
use super::joint::{self, Joint};
use super::key_value::{self, Claim, SeenValue};
use super::row::Row;
use super::sql::{Connection, Dialect, Statement, sql};
use super::terms::Terms;
use super::{Store, StoreError, timestamp};
use crate::crash::Point;

/// Holds for the row of one write; its values are those of [`EffectId::bind`].
pub(super) const IS_WRITE: &str = "root = ? and step = ? and round = ? and undos = ? and identity = ? and generation = ?";

/// What identifies a write in the line of a run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct EffectId {
    /// First run of the line.
    pub root: String,
    /// Step name.
    pub step: String,
    /// Round of the step, from 0.
    pub round: u32,
    /// How often the step was undone.
    pub undos: u32,
    /// `n:` and the name, or `u:` and a digest of method, URL, body and ordinal.
    pub identity: String,
    /// Raised when the vendor refused the write and a new one is due.
    pub generation: u32,
}

impl EffectId {
    /// The values of [`IS_WRITE`].
    pub(super) fn bind<'v>(&'v self, statement: Statement<'v>) -> Statement<'v> {
        statement.bind(&self.root).bind(&self.step).bind(self.round).bind(self.undos).bind(&self.identity).bind(self.generation)
    }
}

/// Where a write is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EffectState {
    /// About to leave. Found after a crash, it is in doubt.
    Intent,
    /// Answered, and done.
    Done,
    /// Answered, and not done; or it provably never left.
    Failed,
    /// Not answered completely, or answered 408 or 5xx.
    InDoubt,
}

impl EffectState {
    /// As stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            EffectState::Intent => "intent",
            EffectState::Done => "done",
            EffectState::Failed => "failed",
            EffectState::InDoubt => "in-doubt",
        }
    }

    fn parse(text: &str) -> Result<EffectState, StoreError> {
        match text {
            "intent" => Ok(EffectState::Intent),
            "done" => Ok(EffectState::Done),
            "failed" => Ok(EffectState::Failed),
            "in-doubt" => Ok(EffectState::InDoubt),
            other => Err(StoreError::invalid("an effect", format!("state {other:?}"))),
        }
    }
}

/// One write as journalled.
#[derive(Debug, Clone)]
pub struct EffectRow {
    /// Its identity.
    pub id: EffectId,
    /// `http`; of the host's own steps `mail`, `publish`, `webhook`.
    pub kind: String,
    /// As given by the plugin.
    pub name: Option<String>,
    /// Idempotency key.
    pub key: String,
    /// HTTP method.
    pub method: String,
    /// URL, without credentials.
    pub url: String,
    /// Headers that the plugin set, JSON list of pairs.
    pub request_headers: String,
    /// Body, if it is small enough to keep.
    pub request_body: Option<Vec<u8>>,
    /// SHA-256 of the body.
    pub request_digest: Vec<u8>,
    /// Where it is.
    pub state: EffectState,
    /// It was in doubt once; after that no 4xx proves anything.
    pub doubted: bool,
    /// Of the last answer.
    pub status: Option<u16>,
    /// JSON list of pairs.
    pub response_headers: Option<String>,
    /// Whole.
    pub response_body: Option<Vec<u8>>,
    /// The run that sent it last.
    pub run: String,
    /// The attempt that sent it last.
    pub attempt: u32,
    /// Its place in that attempt.
    pub seq: u32,
    /// When it left last.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: Option<i64>,
    /// A person ended its doubt: `done`, `not-done`.
    pub decided: Option<String>,
}

impl EffectRow {
    /// `sha256:` and 64 hexadecimal digits, where the body was too large to keep.
    pub fn body_digest(&self) -> Option<String> {
        let hex = || self.request_digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        self.request_body.is_none().then(|| format!("sha256:{}", hex()))
    }

    /// Method, address and name, for people. The address without its query, which may be long.
    pub fn described(&self) -> String {
        let address = url::Url::parse(&self.url).map_or_else(
            |_| self.url.clone(),
            |mut url| {
                url.set_query(None);
                url.to_string()
            },
        );
        let name = self.name.as_ref().map(|name| format!(" “{name}”")).unwrap_or_default();
        format!("{} {address}{name}", self.method)
    }
}

/// What an attempt starts from: the line's journal for its step.
#[derive(Debug, Clone, Default)]
pub struct JournalSnapshot {
    /// When the step's clock started, if it did.
    pub clock_start: Option<Timestamp>,
    /// How often the step was undone.
    pub undos: u32,
    /// Its key-value writes have taken effect.
    pub applied: bool,
    /// All its writes since the last undo, in order.
    pub effects: Vec<EffectRow>,
    /// Keys it holds, with what it saw; `None`: nothing was claimed yet.
    pub claims: Option<Vec<(Claim, SeenValue)>>,
}

/// A write about to leave, with what must be durable before it.
#[derive(Debug, Clone)]
pub struct Intent {
    /// Lease of the run.
    pub fence: i64,
    /// The write; state [`EffectState::Intent`].
    pub effect: EffectRow,
    /// With the first intent of an attempt: its start, its input, and the claims on what it has read.
    pub opening: Option<Opening>,
}

/// What the first write of an attempt makes durable with it.
#[derive(Debug, Clone)]
pub struct Opening {
    /// When the attempt started.
    pub started_at: Timestamp,
    /// Start of the step's clock.
    pub clock_start: Timestamp,
    /// The step's input, JSON.
    pub input: String,
    /// Plugin whose key-value space is meant.
    pub plugin: String,
    /// What it has read.
    pub reads: Vec<(Claim, SeenValue)>,
    /// The component's digest; `None`: a step of the host's own.
    pub digest: Option<String>,
}

/// One try at one step of one run.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AttemptPlace {
    /// The run.
    pub run: String,
    /// The step.
    pub step: String,
    /// The attempt.
    pub number: u32,
}

/// The outcome of a write, on its way to the store.
pub struct Recording {
    pending: Pending<()>,
    fence: i64,
    effect: Arc<EffectRow>,
}

impl std::fmt::Debug for Recording {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recording").field("effect", &self.effect.id).finish_non_exhaustive()
    }
}

impl Store {
    /// Makes an intent durable. May be followed by the request only when this has returned.
    ///
    /// # Errors
    /// [`StoreError::Fenced`], [`StoreError::KeyConflict`]: the attempt ends. Others: the request must not leave.
    pub async fn intend(&self, intent: Intent) -> Result<(), StoreError> {
        let Some(reads) = intent.opening.as_ref().filter(|opening| !opening.reads.is_empty()) else {
            let intent = Joint::Intent(Box::new(intent));
            return self.writer.join(Terms::none().point(Point::Intending), intent).await?.durable().await;
        };
        let terms = Terms::none().keys(&reads.plugin);
        self.writer
            .write(terms.point(Point::Intending), move |connection| {
                let intent = intent.clone();
                Box::pin(async move { refusal(insert_intent(connection, &intent).await) })
            })
            .await?
    }

    /// Records the outcome of a write. Returns once it is queued behind its intent: whatever this run makes durable later comes after it. A
    /// crash before the flush leaves the write in doubt, and it goes out again under the same key.
    pub async fn outcome(&self, fence: i64, effect: impl Into<Arc<EffectRow>>) -> Result<Recording, StoreError> {
        let effect = effect.into();
        let outcome = Joint::Outcome { fence, effect: effect.clone() };
        let pending = self.writer.join(Terms::none().point(Point::Recording), outcome).await?;
        Ok(Recording { pending, fence, effect })
    }

    /// Sees to it that an outcome is durable: one whose transaction was lost with its connection is recorded again.
    pub async fn confirm(&self, recording: Recording) -> Result<(), StoreError> {
        let Recording { pending, fence, effect } = recording;
        match pending.durable().await {
            Err(error) if error.is_passing() => self.outcome(fence, effect).await?.pending.durable().await,
            other => other,
        }
    }

    /// Attempts of these components that are under way and have begun to write: other systems may show it by now, and their key-value writes are still to come.
    pub async fn writing(&self, digests: &[&str]) -> Result<Vec<AttemptPlace>, StoreError> {
        let mut open = sql("select attempt.run, attempt.step, attempt.number from run join attempt on attempt.run = run.id \
             where run.status = 'running' and run.ended_at is null and attempt.outcome is null and attempt.digest in ");
        open.push_list(digests.iter().copied());
        let rows = open.fetch_all(&self.readers).await.map_err(StoreError::doing("look for steps that are writing"))?;
        Ok(rows.iter().map(|row| AttemptPlace { run: row.get(0), step: row.get(1), number: row.get(2) }).collect())
    }

    /// The journal of a step in its line, and the claims of the run that asks.
    pub async fn journal(&self, root: &str, run: &str, step: &str, round: u32, plugin: &str) -> Result<JournalSnapshot, StoreError> {
        let mut snapshot = JournalSnapshot::default();
        let line = sql("select clock_start, undos, applied, fresh from line_step where root = ? and step = ? and round = ?")
            .bind(root)
            .bind(step)
            .bind(round)
            .fetch_optional(&self.readers)
            .await
            .map_err(StoreError::doing("read the journal"))?;
        let Some(line) = line else { return Ok(snapshot) };
        if !line.get::<bool>("fresh") {
            snapshot.clock_start = Some(timestamp(line.get("clock_start"))?);
        }
        snapshot.undos = line.get("undos");
        snapshot.applied = line.get("applied");
        let rows = sql("select * from effect where root = ? and step = ? and round = ? and undos = ? order by started_at, seq, generation")
            .bind(root)
            .bind(step)
            .bind(round)
            .bind(snapshot.undos)
            .fetch_all(&self.readers)
            .await
            .map_err(StoreError::doing("read the journal"))?;
        snapshot.effects = rows.iter().map(effect_row).collect::<Result<_, _>>()?;
        let claims = key_value::claims_of(&self.readers, root, step, plugin).await?;
        // Its first intent made its claim complete. Writes of a run that is over say nothing: its claims ended with it, and a replay
        // reads anew. A batch claims nothing.
        if !claims.is_empty() || snapshot.effects.iter().any(|effect| effect.run == run && effect.kind != batch::KIND) {
            snapshot.claims = Some(claims);
        }
        Ok(snapshot)
    }
}

/// Checks everything before it writes anything: a refusal must leave the shared transaction clean.
pub(super) async fn insert_intent(connection: &mut Connection, intent: &Intent) -> Result<(), StoreError> {
    let effect = &intent.effect;
    let doing = || StoreError::doing("journal a write");
    fenced(connection, &effect.run, intent.fence).await?;
    if let Some(opening) = &intent.opening {
        key_value::check(connection, &opening.plugin, &effect.id.root, &effect.id.step, &opening.reads).await?;
        key_value::claim(connection, &opening.plugin, &effect.id.root, &effect.id.step, &effect.run, &opening.reads).await?;
    }
    match joint::intend(&[intent]).run(connection).await.map_err(doing())? {
        0 => Err(StoreError::Fenced),
        _ => Ok(()),
    }
}

/// A refusal is an answer: nothing was written for it, and the others of the shared transaction go on. Any other error may have left half of a
/// write behind, and must undo the transaction.
pub(super) fn refusal<T>(result: Result<T, StoreError>) -> Result<Result<T, StoreError>, StoreError> {
    match result {
        Ok(done) => Ok(Ok(done)),
        Err(refused @ (StoreError::Fenced | StoreError::KeyConflict(_) | StoreError::KeySpaceFull { .. })) => Ok(Err(refused)),
        Err(error) => Err(error),
    }
}

/// A stale worker's write matches no row.
pub(super) async fn fenced(connection: &mut Connection, run: &str, fence: i64) -> Result<(), StoreError> {
    let mut held = sql("select 1 from run where id = ? and fence = ? and ended_at is null").bind(run).bind(fence);
    if connection.dialect() == Dialect::Postgres {
        // From here to the commit nobody can claim or cancel it.
        held.push(" for update");
    }
    let held: Option<i64> = held.scalar_optional(connection).await.map_err(StoreError::doing("check a lease"))?;
    held.map(|_| ()).ok_or(StoreError::Fenced)
}

pub(super) fn effect_row(row: &Row) -> Result<EffectRow, StoreError> {
    Ok(EffectRow {
        id: EffectId {
            root: row.get("root"),
            step: row.get("step"),
            round: row.get("round"),
            undos: row.get("undos"),
            identity: row.get("identity"),
            generation: row.get("generation"),
        },
        kind: row.get("kind"),
        name: row.get("name"),
        key: row.get("key"),
        method: row.get("method"),
        url: row.get("url"),
        request_headers: row.get("request_headers"),
        request_body: row.get("request_body"),
        request_digest: row.get("request_digest"),
        state: EffectState::parse(&row.get::<String>("state"))?,
        doubted: row.get("doubted"),
        status: row.get("status"),
        response_headers: row.get("response_headers"),
        response_body: row.get("response_body"),
        run: row.get("run"),
        attempt: row.get("attempt"),
        seq: row.get("seq"),
        started_at: timestamp(row.get("started_at"))?,
        duration_ms: row.get("duration_ms"),
        decided: row.get("decided"),
    })
}
