//! What many runs write at once: each table is written with one statement for all of them, whether they are one or a hundred.
//!
//! An intent, an outcome and a plain settlement write nothing but rows of their own run, as long as its worker still has it. Those whose turn it is when
//! runs end are made due for all of these runs together.
//! So those that wait for the same transaction need neither each other's order nor statements of their own. Their rows are given as a table of values.
//! The last statement of each joins them with `run`, where a row of a stale worker joins nothing: then the whole transaction is undone, and what else
//! was written for that worker with it. Numbers of rows are powers of two, filled up with nulls, so that statements are few and stay prepared.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use super::accept::{self, Intake, Taken};
use super::effect::{EffectId, EffectRow, Intent};
use super::order;
use super::run::{self, AttemptEnd, RunSettlement, StepValue};
use super::sql::{Connection, Dialect, Script, Statement, Value, sql};
use super::{StoreError, millis};
use crate::crash::{Crash, Point};

/// Most rows of one statement: 21 columns of each stay far below the limit on bound values.
const ROWS: usize = 64;
/// Most bytes of answers in one statement, unless a single one is longer.
const BYTES: usize = 16 << 20;
/// The rows that are not there to fill up: column 1 is the run's id, which each has.
const ROW: &str = " v where v.column1 is not null";
/// The rows whose worker still has the run: columns 1 and 2 are its id and the fence of the lease.
const HELD: &str = " v cross join run where run.id = v.column1 and run.fence = v.column2 and run.ended_at is null";

/// A write that can share its statements with others.
pub(super) enum Joint {
    /// About to leave; nothing is claimed with it.
    Intent(Box<Intent>),
    /// How a write ended.
    Outcome {
        /// Lease of the run.
        fence: i64,
        /// The write, with its answer.
        effect: Arc<EffectRow>,
    },
    /// A settlement that [is plain](run::is_plain).
    Settlement(Arc<RunSettlement>),
}

/// Intakes and writes that are made together.
#[derive(Default)]
pub(super) struct Group<'a> {
    intakes: Vec<Intake<'a>>,
    intents: Vec<&'a Intent>,
    outcomes: Vec<(i64, &'a EffectRow)>,
    settlements: Vec<&'a RunSettlement>,
    /// The settlements by their runs.
    settled: HashMap<&'a str, &'a RunSettlement>,
    /// Writes of the outcomes.
    ended: HashSet<&'a EffectId>,
}

impl<'a> Group<'a> {
    /// Adds an intake.
    pub(super) fn take_in(&mut self, intake: Intake<'a>) -> bool {
        self.intakes.push(intake);
        true
    }

    /// How many there are.
    pub(super) fn intakes(&self) -> usize {
        self.intakes.len()
    }

    /// Adds a write, unless it has to come after one that is in the group.
    pub(super) fn join(&mut self, write: &'a Joint) -> bool {
        match write {
            // The settlement may have ended the run, or is of the same step.
            Joint::Intent(intent) if self.settled.get(intent.effect.run.as_str()).is_some_and(|one| concerns(one, &intent.effect)) => {
                return false;
            }
            // It is the same write once more.
            Joint::Intent(intent) if self.ended.contains(&intent.effect.id) => return false,
            Joint::Intent(intent) => self.intents.push(intent),
            Joint::Outcome { fence, effect } => {
                self.ended.insert(&effect.id);
                self.outcomes.push((*fence, effect));
            }
            Joint::Settlement(settlement) if self.settled.contains_key(settlement.run.as_str()) => return false,
            Joint::Settlement(settlement) => {
                self.settled.insert(&settlement.run, settlement);
                self.settlements.push(settlement);
            }
        }
        true
    }

    /// Writes all of it; gives what became of the events.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: one of the writes is a stale worker's, and the transaction is to be undone. Alone, each finds out whether it is.
    pub(super) async fn write(self, connection: &mut Connection, crash: &Crash) -> Result<Taken, StoreError> {
        let mut taken = Taken::default();
        if !self.intakes.is_empty() {
            taken = accept::insert_all(connection, &self.intakes).await?;
            let events = self.intakes.iter().flat_map(|intake| intake.events);
            if events.flat_map(|event| &event.runs).any(|run| run.lease.is_some()) {
                crash.at(Point::Claiming);
            }
        }
        self.write_runs(connection).await?;
        Ok(taken)
    }

    async fn write_runs(&self, connection: &mut Connection) -> Result<(), StoreError> {
        if connection.dialect() == Dialect::Postgres {
            let intents = self.intents.iter().map(|intent| (intent.effect.run.as_str(), intent.fence));
            let settlements = self.settlements.iter().map(|settlement| (settlement.run.as_str(), settlement.fence));
            let runs: BTreeSet<(&str, i64)> = intents.chain(settlements).collect();
            hold(connection, &runs.into_iter().collect::<Vec<_>>()).await?;
        }
        for intents in self.intents.chunks(ROWS) {
            let changed = intend(intents).run(connection).await.map_err(StoreError::doing("journal a write"))?;
            all(changed, intents.len())?;
        }
        for outcomes in pieces(&self.outcomes) {
            record(outcomes).execute(&mut *connection).await.map_err(StoreError::doing("record the outcome of a write"))?;
        }
        for settlements in self.settlements.chunks(ROWS) {
            let mut script = Script::default();
            values(&mut script, settlements);
            ends(&mut script, settlements);
            let changed = script.run(connection).await.map_err(StoreError::doing("settle a run"))?;
            all(changed, settlements.len())?;
            let ended = settlements.iter().filter(|settlement| settlement.order_key.is_some());
            let (ended, times): (Vec<_>, Vec<_>) = ended.filter_map(|one| Some((one.run.as_str(), one.ended_at?))).unzip();
            if let Some(now) = times.into_iter().max() {
                order::wake(&ended, now).execute(&mut *connection).await.map_err(StoreError::doing("wake the next runs of orders"))?;
            }
        }
        self.settlements.iter().for_each(|settlement| run::tell(connection, settlement));
        Ok(())
    }
}

/// Whether a write that comes after a settlement of its run has to find it done: they are written the other way round.
fn concerns(settlement: &RunSettlement, effect: &EffectRow) -> bool {
    settlement.status != "running"
        || settlement.steps.iter().any(|step| step.name == effect.id.step)
        || settlement.attempts.iter().any(|attempt| attempt.step == effect.id.step)
}

/// As many outcomes as one statement takes: by rows, and by the bytes of their answers.
fn pieces<'o, 'e>(outcomes: &'o [(i64, &'e EffectRow)]) -> Vec<&'o [(i64, &'e EffectRow)]> {
    let bytes = |effect: &EffectRow| effect.response_body.as_ref().map_or(0, Vec::len);
    let (mut pieces, mut from, mut size) = (Vec::new(), 0, 0);
    for (place, (_, effect)) in outcomes.iter().enumerate() {
        if place > from && (place - from == ROWS || size + bytes(effect) > BYTES) {
            pieces.push(&outcomes[from..place]);
            (from, size) = (place, 0);
        }
        size += bytes(effect);
    }
    if from < outcomes.len() {
        pieces.push(&outcomes[from..]);
    }
    pieces
}

/// Each row of the last statement was written.
fn all(changed: u64, rows: usize) -> Result<(), StoreError> {
    if changed == rows as u64 { Ok(()) } else { Err(StoreError::Fenced) }
}

/// From here to the commit nobody can claim or cancel these runs, which come in the order of their ids: on all hosts the same.
async fn hold(connection: &mut Connection, runs: &[(&str, i64)]) -> Result<(), StoreError> {
    for runs in runs.chunks(ROWS) {
        let mut hold = sql("select run.id from ");
        hold.push_table(runs, |(run, fence)| [run.into(), fence.into()]);
        hold.push(HELD).push(" order by run.id for update of run");
        let held = hold.fetch_all(&mut *connection).await.map_err(StoreError::doing("check a lease"))?;
        all(held.len() as u64, runs.len())?;
    }
    Ok(())
}

/// A statement about a table of rows, of which each has a run.
fn of_rows<'v, T: Copy, const N: usize>(
    begin: &'static str,
    items: &[T],
    row: impl Fn(T) -> [Value<'v>; N],
    end: &'static str,
) -> Statement<'v> {
    let mut statement = sql(begin);
    statement.push_table(items, row);
    statement.push(ROW).push(end);
    statement
}

/// Writes about to leave, each with what its attempt begins with. The last statement changes a row for each whose worker has its run; where it does
/// not, nothing of them may be kept.
pub(super) fn intend<'v>(intents: &[&'v Intent]) -> Script<'v> {
    let mut script = Script::default();
    let openings: Vec<_> = intents.iter().filter_map(|&intent| Some((&intent.effect, intent.opening.as_ref()?))).collect();
    if !openings.is_empty() {
        script.add(of_rows(
            "insert into line_step (root, step, round, clock_start) select v.column1, v.column2, v.column3, v.column4 from ",
            &openings,
            |(effect, opening)| {
                [(&effect.id.root).into(), (&effect.id.step).into(), effect.id.round.into(), millis(opening.clock_start).into()]
            },
            " on conflict (root, step, round) do update set \
             clock_start = case when line_step.fresh = 1 then excluded.clock_start else line_step.clock_start end, fresh = 0",
        ));
        script.add(of_rows(
            "insert into step (run, name, input, round) select v.column1, v.column2, v.column3, v.column4 from ",
            &openings,
            |(effect, opening)| [(&effect.run).into(), (&effect.id.step).into(), (&opening.input).into(), effect.id.round.into()],
            " on conflict (run, name) do update set input = excluded.input, round = excluded.round",
        ));
        script.add(of_rows(
            "insert into attempt (run, step, number, started_at, digest) select v.column1, v.column2, v.column3, v.column4, v.column5 from ",
            &openings,
            |(effect, opening)| {
                let start = millis(opening.started_at);
                [(&effect.run).into(), (&effect.id.step).into(), effect.attempt.into(), start.into(), (&opening.digest).into()]
            },
            " on conflict do nothing",
        ));
    }
    let mut insert = sql(
        "insert into effect (root, step, round, undos, identity, generation, kind, name, key, method, url, request_headers, request_body, \
         request_digest, state, doubted, run, attempt, seq, started_at) select v.column3, v.column4, v.column5, v.column6, v.column7, v.column8, v.column9, \
         v.column10, v.column11, v.column12, v.column13, v.column14, v.column15, v.column16, v.column17, v.column18, v.column1, v.column19, v.column20, v.column21 \
         from ",
    );
    insert.push_table(intents, |Intent { effect, fence, .. }| {
        let id = &effect.id;
        [
            (&effect.run).into(),
            (*fence).into(),
            (&id.root).into(),
            (&id.step).into(),
            id.round.into(),
            id.undos.into(),
            (&id.identity).into(),
            id.generation.into(),
            (&effect.kind).into(),
            (&effect.name).into(),
            (&effect.key).into(),
            (&effect.method).into(),
            (&effect.url).into(),
            (&effect.request_headers).into(),
            (&effect.request_body).into(),
            (&effect.request_digest).into(),
            effect.state.as_str().into(),
            effect.doubted.into(),
            effect.attempt.into(),
            effect.seq.into(),
            millis(effect.started_at).into(),
        ]
    });
    insert.push(HELD).push(
        " on conflict (root, step, round, undos, identity, generation) do update set state = excluded.state, doubted = excluded.doubted, \
         url = excluded.url, request_headers = excluded.request_headers, request_body = excluded.request_body, \
         request_digest = excluded.request_digest, run = excluded.run, attempt = excluded.attempt, seq = excluded.seq, \
         started_at = excluded.started_at, duration_ms = null",
    );
    script.add(insert);
    script
}

/// How writes ended.
fn record<'v>(outcomes: &[(i64, &'v EffectRow)]) -> Statement<'v> {
    let mut update = sql("update effect set state = v.column9, doubted = v.column10, status = v.column11, response_headers = v.column12, \
         response_body = v.column13, duration_ms = v.column14 from ");
    update.push_table(outcomes, |(fence, effect)| {
        let id = &effect.id;
        [
            (&effect.run).into(),
            fence.into(),
            (&id.root).into(),
            (&id.step).into(),
            id.round.into(),
            id.undos.into(),
            (&id.identity).into(),
            id.generation.into(),
            effect.state.as_str().into(),
            effect.doubted.into(),
            effect.status.into(),
            (&effect.response_headers).into(),
            (&effect.response_body).into(),
            effect.duration_ms.into(),
            effect.attempt.into(),
            effect.seq.into(),
        ]
    });
    // Of one that is about to leave again since then it says nothing any more.
    update.push(
        " v where effect.root = v.column3 and effect.step = v.column4 and effect.round = v.column5 and effect.undos = v.column6 \
         and effect.identity = v.column7 and effect.generation = v.column8 and effect.run = v.column1 \
         and effect.attempt = v.column15 and effect.seq = v.column16 and exists (select 1 from run where run.id = v.column1 and run.fence = v.column2)",
    );
    update
}

/// Inputs, outputs and attempts of settlements. Whether their workers have their runs is asked by [`ends`], or was before.
pub(super) fn values<'v>(script: &mut Script<'v>, settlements: &[&'v RunSettlement]) {
    let steps: Vec<(&'v RunSettlement, &'v StepValue)> =
        settlements.iter().flat_map(|&one| one.steps.iter().map(move |step| (one, step))).collect();
    let attempts: Vec<(&'v RunSettlement, &'v AttemptEnd)> =
        settlements.iter().flat_map(|&one| one.attempts.iter().map(move |attempt| (one, attempt))).collect();
    if !steps.is_empty() {
        script.add(of_rows(
            "insert into step (run, name, input, output, round) select v.column1, v.column2, v.column3, v.column4, v.column5 from ",
            &steps,
            |(settlement, step)| {
                [(&settlement.run).into(), (&step.name).into(), (&step.input).into(), (&step.output).into(), step.round.into()]
            },
            // Until a further round has succeeded, the last one's output counts.
            " on conflict (run, name) do update set input = case when excluded.round = step.round then coalesce(excluded.input, step.input) \
             else excluded.input end, round = excluded.round, \
             output = case when excluded.round > 0 then coalesce(excluded.output, step.output) else excluded.output end",
        ));
    }
    let lines: Vec<_> = steps.iter().filter_map(|&(settlement, step)| Some((settlement, step, step.clock_start?))).collect();
    if !lines.is_empty() {
        script.add(of_rows(
            "insert into line_step (root, step, round, clock_start, applied, wrote_keys) \
             select v.column1, v.column2, v.column3, v.column4, v.column5, v.column6 from ",
            &lines,
            |(settlement, step, start)| {
                let (applied, keys) = (step.output.is_some(), settlement.writes_keys());
                [(&settlement.root).into(), (&step.name).into(), step.round.into(), millis(start).into(), applied.into(), keys.into()]
            },
            " on conflict (root, step, round) do update set applied = case when excluded.applied = 1 then 1 else line_step.applied end, \
             wrote_keys = case when excluded.wrote_keys = 1 then 1 else line_step.wrote_keys end, \
             clock_start = case when line_step.fresh = 1 then excluded.clock_start else line_step.clock_start end, fresh = 0",
        ));
    }
    let ended: Vec<_> = steps.iter().copied().filter(|(_, step)| step.ended).collect();
    if !ended.is_empty() {
        script.add(of_rows(
            "delete from key_claim where (run, step) in (select v.column1, v.column2 from ",
            &ended,
            |(settlement, step)| [(&settlement.run).into(), (&step.name).into()],
            ")",
        ));
    }
    if !attempts.is_empty() {
        script.add(of_rows(
            "insert into attempt (run, step, number, started_at, duration_ms, outcome, error, logs, effects, digest) select v.column1, v.column2, \
             v.column3, v.column4, v.column5, v.column6, v.column7, v.column8, v.column9, v.column10 from ",
            &attempts,
            |(settlement, attempt)| {
                [
                    (&settlement.run).into(),
                    (&attempt.step).into(),
                    attempt.number.into(),
                    millis(attempt.started_at).into(),
                    attempt.duration_ms.into(),
                    (&attempt.outcome).into(),
                    (&attempt.error).into(),
                    (&attempt.logs).into(),
                    (&attempt.effects).into(),
                    (&attempt.digest).into(),
                ]
            },
            " on conflict (run, step, number) do update set duration_ms = excluded.duration_ms, outcome = excluded.outcome, \
             error = excluded.error, logs = excluded.logs, effects = excluded.effects, digest = coalesce(excluded.digest, attempt.digest)",
        ));
    }
}

/// What is over with settlements, and the runs as they are then. The last statement changes a row for each whose worker has its run; where it does not,
/// nothing of them may be kept.
pub(super) fn ends<'v>(script: &mut Script<'v>, settlements: &[&'v RunSettlement]) {
    let waits: Vec<_> = settlements.iter().filter_map(|&settlement| Some((&settlement.run, settlement.waits_over.as_ref()?))).collect();
    if !waits.is_empty() {
        script.add(of_rows(
            "delete from wait where (run, step) in (select v.column1, v.column2 from ",
            &waits,
            |(run, step)| [run.into(), step.into()],
            ")",
        ));
    }
    let ended: Vec<_> = settlements.iter().copied().filter(|settlement| settlement.ended_at.is_some()).collect();
    if !ended.is_empty() {
        for theirs in
            ["delete from key_claim where run in (select v.column1 from ", "delete from wait where run in (select v.column1 from "]
        {
            script.add(of_rows(theirs, &ended, |settlement| [(&settlement.run).into()], ")"));
        }
    }
    let mut update = sql("update run set status = v.column3, status_reason = v.column4, state = v.column5, \
         due_at = case when v.column6 = 1 then v.column7 else run.due_at end, ended_at = v.column8, waits_for = v.column9, deadline_at = v.column10, \
         undone = v.column11, failure = v.column12, failed_plugin = v.column13, settlement = v.column14, order_away = v.column15, \
         failed_step = v.column16, failed_action = v.column17, cause = v.column18 from ");
    update.push_table(settlements, |settlement| {
        let death = settlement.death.as_ref();
        [
            (&settlement.run).into(),
            settlement.fence.into(),
            settlement.status.into(),
            (&settlement.status_reason).into(),
            (&settlement.state).into(),
            (settlement.status != "running").into(),
            settlement.due_at.map(millis).into(),
            settlement.ended_at.map(millis).into(),
            settlement.waits_for.into(),
            millis(settlement.deadline_at).into(),
            settlement.undone.into(),
            death.map(|death| death.kind).into(),
            death.and_then(|death| death.plugin.as_ref()).into(),
            (&settlement.id).into(),
            settlement.away.into(),
            death.and_then(|death| death.step.as_ref()).into(),
            death.and_then(|death| death.action.as_ref()).into(),
            (&settlement.cause).into(),
        ]
    });
    update.push(" v where run.id = v.column1 and run.fence = v.column2 and run.ended_at is null");
    script.add(update);
}
