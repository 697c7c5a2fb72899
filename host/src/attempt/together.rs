//! What a run keeps of a call that was made for several at once.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Abilities, Attempt, AttemptId, AttemptRecord, KeyError, ShownEffect};
use crate::outbound::Request;
use crate::store::{BATCH, BATCH_IDENTITY, EffectId, EffectRow, EffectState, KeySettlement, Opening};

/// Field of a line of the log that belongs to one invocation: its position.
const INVOCATION: &str = "invocation";

/// The batch that an effect was made for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "SharedEffect")]
pub struct SharedIn {
    /// Its id.
    pub id: String,
    /// Runs in it, this one included.
    pub runs: usize,
}

/// The write that a batch is to one of its members.
#[derive(Debug, Clone)]
pub struct BatchWrite;

impl BatchWrite {
    /// The member's latest one in the journal of its step.
    pub fn latest(rows: &[EffectRow]) -> Option<&EffectRow> {
        rows.iter().filter(|row| row.kind == BATCH).max_by_key(|row| row.id.generation)
    }

    /// One that is about to begin, after those that the journal knows.
    pub fn intent(id: &AttemptId, undos: u32, rows: &[EffectRow], batch: &str, key: &str) -> EffectRow {
        EffectRow {
            id: EffectId {
                root: id.root.clone(),
                step: id.step.clone(),
                round: id.round,
                undos,
                identity: BATCH_IDENTITY.to_owned(),
                generation: BatchWrite::latest(rows).map_or(0, |row| row.id.generation + 1),
            },
            kind: BATCH.to_owned(),
            name: Some(batch.to_owned()),
            key: key.to_owned(),
            method: "BATCH".to_owned(),
            url: format!("{BATCH}:{batch}"),
            request_headers: "[]".to_owned(),
            request_body: None,
            request_digest: Vec::new(),
            state: EffectState::Intent,
            doubted: false,
            status: None,
            response_headers: None,
            response_body: None,
            run: id.run.clone(),
            attempt: id.number,
            seq: 1,
            started_at: Timestamp::now(),
            duration_ms: None,
            decided: None,
        }
    }

    /// As people see it. `replayed`: the journal has answered.
    pub fn shown(row: &EffectRow, state: EffectState, runs: Option<usize>, replayed: bool) -> ShownEffect {
        let request = Request { method: row.method.clone(), name: row.name.clone(), ..Request::default() };
        let mut shown = ShownEffect::new(1, &request, &row.url, state).of_row(row);
        shown.body_digest = None;
        shown.replayed = replayed;
        shown.batch = runs.map(|runs| SharedIn { id: row.name.clone().unwrap_or_default(), runs });
        shown
    }
}

impl Attempt {
    /// A key that a call for several runs has read would have to be held for each of them alone.
    pub(super) fn keys_open(&self) -> Result<(), KeyError> {
        if self.abilities == Abilities::Together {
            return Err(KeyError::Invalid("in a call for several runs at once key-value takes set and delete only".to_owned()));
        }
        Ok(())
    }
}

impl AttemptRecord {
    /// Of a run that did nothing by itself in that attempt but be a member of a batch.
    pub fn of_member(own: &EffectRow, opening: &Opening, shown: ShownEffect) -> AttemptRecord {
        AttemptRecord {
            started_at: opening.started_at,
            clock_start: opening.clock_start,
            input: opening.input.clone(),
            effects: vec![shown],
            unrepeated: Vec::new(),
            held: None,
            in_doubt: false,
            reads: Vec::new(),
            log: Vec::new(),
            keys: KeySettlement {
                plugin: opening.plugin.clone(),
                root: own.id.root.clone(),
                step: own.id.step.clone(),
                unclaimed: Vec::new(),
                writes: Vec::new(),
                version: 1,
                space: u64::MAX,
            },
            attached: None,
            obstacle: None,
            recordings: Vec::new(),
            sampled: Vec::new(),
            http_calls: 0,
            largest_response: 0,
            sent: Vec::new(),
        }
    }

    /// What a member keeps of the call: the effects, marked as shared, and the lines that are its own or nobody's. `self` is the batch's.
    pub fn part(&self, mut own: AttemptRecord, batch: &SharedIn, place: usize) -> AttemptRecord {
        // Keys name records, and these are anybody's.
        let shared = self.effects.iter().filter(|effect| effect.kind != super::shown::KEY_VALUE);
        own.effects.extend(shared.cloned().map(|mut effect| {
            effect.seq += 1;
            effect.batch = Some(batch.clone());
            effect
        }));
        let place = place.to_string();
        let is_anothers = |named: &str| *named != place && named.parse::<usize>().is_ok_and(|named| named < batch.runs);
        let of_member = |line: &&super::LogLine| !line.fields.get(INVOCATION).and_then(|named| named.as_str()).is_some_and(is_anothers);
        own.log = self.log.iter().filter(of_member).cloned().collect();
        own.attached.clone_from(&self.attached);
        own.obstacle.clone_from(&self.obstacle);
        own
    }
}
