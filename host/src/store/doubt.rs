//! Writes in doubt of held steps, and what a person says of them.

use jiff::Timestamp;

use super::effect::{EffectRow, EffectState, IS_WRITE, effect_row};
use super::sql::{Connection, sql};
use super::terms::{Signal, Terms};
use super::{Store, StoreError, millis};
use crate::audit::Act;

/// What a person says of a write in doubt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// It was done, and this was the answer: further attempts get it from the journal.
    Done {
        /// HTTP status.
        status: u16,
        /// JSON list of pairs.
        headers: String,
        /// Whole.
        body: Vec<u8>,
    },
    /// It was not done: the next attempt sends it in the next generation of its key.
    NotDone,
}

/// Which write is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoubtId {
    /// The run that is held.
    pub run: String,
    /// First run of its line.
    pub root: String,
    /// The step.
    pub step: String,
    /// The write's place in the attempt that sent it last.
    pub seq: u32,
    /// That attempt, where `seq` alone would stand for several.
    pub attempt: Option<u32>,
    /// Its idempotency key, where runs of the line have one each at that place.
    pub key: Option<String>,
}

/// Why a decision is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecisionRefused {
    /// The run has ended meanwhile.
    #[error("run {0} has ended; there is nothing to decide any more")]
    Ended(String),
    /// No such write.
    #[error("step {step} has no write with seq {seq}; the event's document shows those in doubt under `held`")]
    Unknown {
        /// The step.
        step: String,
        /// What was asked for.
        seq: u32,
    },
    /// It is not in doubt.
    #[error("write {seq} of step {step} is {state}, not in doubt; there is nothing to decide")]
    Settled {
        /// The step.
        step: String,
        /// What was asked for.
        seq: u32,
        /// Its state.
        state: &'static str,
    },
    /// Several attempts have one in doubt at that place.
    #[error("seq {seq} of step {step} stands for several writes in doubt, with the keys {}; say which with `key`", .keys.join(", "))]
    Ambiguous {
        /// The step.
        step: String,
        /// What was asked for.
        seq: u32,
        /// Theirs.
        keys: Vec<String>,
    },
}

impl Store {
    /// The writes of a step that are in doubt. Asked where all writes go, so that no outcome that is still queued is missed.
    pub async fn doubts(&self, root: &str, step: &str) -> Result<Vec<EffectRow>, StoreError> {
        let (root, step) = (root.to_owned(), step.to_owned());
        self.writer
            .write(Terms::none(), move |connection| {
                let (root, step) = (root.clone(), step.clone());
                Box::pin(async move {
                    let writes = writes_of(connection, &root, &step).await?;
                    Ok(writes.into_iter().filter(in_doubt).collect())
                })
            })
            .await
    }

    /// Takes in what a person says, puts it on record, and makes the run go on. Gives the write.
    pub async fn decide(
        &self,
        id: DoubtId,
        decision: Decision,
        act: Act,
        now: Timestamp,
    ) -> Result<Result<EffectRow, DecisionRefused>, StoreError> {
        let note = self.note(act, now)?;
        self.writer
            .write(Terms::none().line(&id.root).audit().signal(Signal::Due), move |connection| {
                let (id, decision, note) = (id.clone(), decision.clone(), note.clone());
                Box::pin(async move {
                    let decided = decide(connection, &id, &decision, now).await?;
                    if let Ok(effect) = &decided {
                        note.with("key", effect.key.clone()).append(connection).await?;
                    }
                    Ok(decided)
                })
            })
            .await
    }

    /// Makes a run due that waits, or that has other things to wait for.
    pub async fn wake_run(&self, run: &str, now: Timestamp) -> Result<(), StoreError> {
        let run = run.to_owned();
        self.writer
            .write(Terms::none().signal(Signal::Due), move |connection| {
                let run = run.clone();
                Box::pin(async move { wake(connection, &run, now).await })
            })
            .await
    }
}

fn in_doubt(effect: &EffectRow) -> bool {
    matches!(effect.state, EffectState::Intent | EffectState::InDoubt)
}

/// The writes of a step since it was last undone.
async fn writes_of(connection: &mut Connection, root: &str, step: &str) -> Result<Vec<EffectRow>, StoreError> {
    let rows = sql("select effect.* from effect join line_step on line_step.root = effect.root and line_step.step = effect.step \
         and line_step.round = effect.round and line_step.undos = effect.undos \
         where effect.root = ? and effect.step = ? order by effect.round, effect.started_at, effect.seq, effect.generation")
    .bind(root)
    .bind(step)
    .fetch_all(connection)
    .await
    .map_err(StoreError::doing("look for writes in doubt"))?;
    rows.iter().map(effect_row).collect()
}

async fn decide(
    connection: &mut Connection,
    id: &DoubtId,
    decision: &Decision,
    now: Timestamp,
) -> Result<Result<EffectRow, DecisionRefused>, StoreError> {
    let open: Option<i64> = sql("select 1 from run where id = ? and ended_at is null")
        .bind(&id.run)
        .scalar_optional(&mut *connection)
        .await
        .map_err(StoreError::doing("decide on a write"))?;
    if open.is_none() {
        return Ok(Err(DecisionRefused::Ended(id.run.clone())));
    }
    let (step, seq) = (id.step.clone(), id.seq);
    // The run says nothing here: what a run of the line left in doubt, a replay is held for.
    let meant = |effect: &EffectRow| {
        effect.seq == seq
            && id.attempt.is_none_or(|attempt| effect.attempt == attempt)
            && id.key.as_ref().is_none_or(|key| effect.key == *key)
    };
    let writes: Vec<EffectRow> = writes_of(connection, &id.root, &step).await?.into_iter().filter(meant).collect();
    let doubts: Vec<&EffectRow> = writes.iter().filter(|effect| in_doubt(effect)).collect();
    let effect = match (doubts.as_slice(), writes.last()) {
        ([effect], _) => *effect,
        ([], None) => return Ok(Err(DecisionRefused::Unknown { step, seq })),
        ([], Some(settled)) => return Ok(Err(DecisionRefused::Settled { step, seq, state: settled.state.as_str() })),
        (several, _) => {
            let keys = several.iter().map(|effect| effect.key.clone()).collect();
            return Ok(Err(DecisionRefused::Ambiguous { step, seq, keys }));
        }
    };
    let (state, decided) = match decision {
        Decision::Done { .. } => (EffectState::Done, "done"),
        Decision::NotDone => (EffectState::Failed, "not-done"),
    };
    let (status, headers, body) = match decision {
        Decision::Done { status, headers, body } => (Some(*status), Some(headers.clone()), Some(body.clone())),
        Decision::NotDone => (effect.status, effect.response_headers.clone(), effect.response_body.clone()),
    };
    // Of a write that was not done nothing is in doubt: its next generation is a new write.
    let doubted = effect.doubted && *decision != Decision::NotDone;
    let mut update =
        sql("update effect set state = ?, doubted = ?, decided = ?, status = ?, response_headers = ?, response_body = ? where ")
            .bind(state.as_str())
            .bind(doubted)
            .bind(decided)
            .bind(status)
            .bind(&headers)
            .bind(&body);
    update.push(IS_WRITE);
    effect.id.bind(update).execute(&mut *connection).await.map_err(StoreError::doing("decide on a write"))?;
    let effect = effect.clone();
    wake(connection, &id.run, now).await?;
    Ok(Ok(effect))
}

async fn wake(connection: &mut Connection, run: &str, now: Timestamp) -> Result<(), StoreError> {
    // One that is pending without a time waits for its order key.
    sql("update run set due_at = ? where id = ? and (status = 'waiting' or (status = 'pending' and due_at is not null))")
        .bind(millis(now))
        .bind(run)
        .execute(connection)
        .await
        .map_err(StoreError::doing("wake a run"))?;
    Ok(())
}
