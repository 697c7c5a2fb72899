//! Runs settled, replayed and cancelled.

use std::sync::Arc;

use jiff::Timestamp;

use super::accept::{self, NewEvent};
use super::claim::ClaimedRun;
use super::effect::{fenced, refusal};
use super::job::{Pending, Receipt};
use super::joint::{self, Joint};
use super::key_value::{self, KeySettlement};
use super::order;
use super::recorded::{self, RecordedRead};
use super::source;
use super::sql::{Connection, Script, sql};
use super::terms::{Signal, Terms};
use super::undo;
use super::wait::{self, NewWait};
use super::{Store, StoreError, millis};
use crate::crash::Point;
use crate::live::{AttemptEnded, News, RunChanged};
use crate::run::Death;

/// What a worker makes durable after a step, or when it lets go of a run.
#[derive(Debug, Clone)]
pub struct RunSettlement {
    /// Its own: known again if the answer to its commit was lost.
    pub id: String,
    /// It was tried before, and nobody knows what became of that.
    pub again: bool,
    /// The run.
    pub run: String,
    /// First run of its line.
    pub root: String,
    /// Its event.
    pub eid: String,
    /// Its route.
    pub route: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When this is.
    pub at: Timestamp,
    /// Its place in the order of that route.
    pub order_key: Option<String>,
    /// Its lease.
    pub fence: i64,
    /// `pending`, `running`, `waiting`, `succeeded`, `dead`, `cancelled`.
    pub status: &'static str,
    /// Why, for people.
    pub status_reason: Option<String>,
    /// With `dead`: what dead letters are found by.
    pub death: Option<Death>,
    /// With `death`: what dead letters are gathered by.
    pub cause: Option<String>,
    /// What ends a `waiting`: `credential`, `decision`, `time`, `event`.
    pub waits_for: Option<&'static str>,
    /// State of the run, JSON.
    pub state: String,
    /// When it (or its undo) is given up.
    pub deadline_at: Timestamp,
    /// Whether its undo is complete; `None`: it does not go back.
    pub undone: Option<bool>,
    /// When it is due again; `None` with `running`: the lease stays as it is.
    pub due_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// Attempts that ended.
    pub attempts: Vec<AttemptEnd>,
    /// Steps whose input or output is known now.
    pub steps: Vec<StepValue>,
    /// Key-value writes of a step that succeeded.
    pub keys: Option<KeySettlement>,
    /// Events that a step brought in.
    pub emitted: Vec<NewEvent>,
    /// Waits for events that begin.
    pub waits: Vec<NewWait>,
    /// A step that waits for no event any more.
    pub waits_over: Option<String>,
    /// It leaves its worker, now, and these steps of it wait. An event that came for one of them meanwhile wakes it.
    pub left: Option<(Timestamp, Vec<String>)>,
    /// It gives up its order key until it goes on.
    pub away: bool,
    /// Its undo begins here.
    pub turns_back: bool,
    /// A step that is undone now.
    pub step_undone: Option<String>,
}

impl RunSettlement {
    /// Whether key-value writes take effect with it.
    pub(super) fn writes_keys(&self) -> bool {
        self.keys.as_ref().is_some_and(|keys| !keys.writes.is_empty())
    }
}

/// How one try at one step went.
#[derive(Debug, Clone)]
pub struct AttemptEnd {
    /// The step.
    pub step: String,
    /// The plugin that was asked.
    pub plugin: String,
    /// For which of its actions.
    pub action: String,
    /// From 1.
    pub number: u32,
    /// When it started.
    pub started_at: Timestamp,
    /// How long it took.
    pub duration_ms: i64,
    /// `succeeded`, `retry`, `rate-limited`, `unauthorized`, `rejected`, `trap`, `timeout`, `diverged`, `conflict`, `interrupted`.
    pub outcome: String,
    /// JSON `{kind, reason, details}`.
    pub error: Option<String>,
    /// JSON list of lines.
    pub logs: String,
    /// JSON list of effects as shown.
    pub effects: String,
    /// Answers to reads that are kept, and until when.
    pub reads: Option<(Vec<RecordedRead>, Timestamp)>,
    /// The component's digest; `None`: none was called, or what is known of it stays.
    pub digest: Option<String>,
}

/// What a run that has waited is told when it goes on.
#[derive(Debug, Clone)]
pub struct Woken {
    /// State of the run, JSON.
    pub state: String,
    /// When it is given up: later, by the time that it waited.
    pub deadline_at: Timestamp,
}

/// Input and output of a step.
#[derive(Debug, Clone)]
pub struct StepValue {
    /// The step.
    pub name: String,
    /// Round, from 0.
    pub round: u32,
    /// JSON.
    pub input: Option<String>,
    /// JSON; set when the step succeeded.
    pub output: Option<String>,
    /// It succeeded or failed for good: what it has claimed is free again.
    pub ended: bool,
    /// Start of the step's clock.
    pub clock_start: Option<Timestamp>,
}

/// A settlement on its way to the store.
pub struct Settling {
    receipt: Receipt,
    settlement: Arc<RunSettlement>,
}

impl Settling {
    /// Says whether it is durable.
    pub fn receipt(&self) -> Receipt {
        self.receipt.clone()
    }

    /// Returns when it is durable.
    ///
    /// # Errors
    /// As of [`Store::settle`], with what was not made durable.
    pub async fn durable(self) -> Result<(), (StoreError, Arc<RunSettlement>)> {
        let refused = |error: &StoreError| match error {
            StoreError::Fenced => StoreError::Fenced,
            StoreError::Closed => StoreError::Closed,
            other => StoreError::Unavailable(crate::telemetry::chain(other)),
        };
        self.receipt.await.map_err(|error| (refused(&error), self.settlement))
    }
}

impl Store {
    /// Makes the outcome of a step or run durable.
    ///
    /// # Errors
    /// [`StoreError::Fenced`]: another worker has the run, nothing was written. [`StoreError::KeyConflict`]: what the step read has changed,
    /// nothing was written, and the step is to be tried again. [`StoreError::KeySpaceFull`]: nothing was written, and trying again can't help.
    pub async fn settle(&self, settlement: impl Into<Arc<RunSettlement>>) -> Result<(), StoreError> {
        let settlement = settlement.into();
        if is_plain(&settlement) {
            return self.queue_settlement(&settlement).await?.durable().await;
        }
        let meets = !settlement.waits.is_empty() || !settlement.emitted.is_empty();
        self.writer
            .write(terms(&settlement).point(Point::Settling), move |connection| {
                let settlement = settlement.clone();
                Box::pin(async move { refusal(settle(connection, &settlement).await) })
            })
            .await??;
        if meets {
            self.arrived.notify_one();
        }
        Ok(())
    }

    /// Queues the end of a step of a run that goes on, if nothing but the run itself has to do with it. What the run has in mind next is queued behind it, and
    /// nothing of that may leave before its receipt says that it is durable: a store that refuses the one may take the other. A crash before the flush
    /// leaves the step as it was before its end; what it has written is in the journal.
    ///
    /// # Errors
    /// The settlement: it was not queued, and is to be made durable by [`Store::settle`].
    pub async fn settle_in_turn(&self, settlement: Arc<RunSettlement>) -> Result<Settling, Arc<RunSettlement>> {
        if settlement.status != "running" || !is_plain(&settlement) {
            return Err(settlement);
        }
        match self.queue_settlement(&settlement).await {
            Ok(pending) => Ok(Settling { receipt: pending.receipt(), settlement }),
            Err(_) => Err(settlement),
        }
    }

    async fn queue_settlement(&self, settlement: &Arc<RunSettlement>) -> Result<Pending<()>, StoreError> {
        let terms = terms(settlement).point(Point::Settling);
        self.writer.join(terms, Joint::Settlement(settlement.clone())).await
    }

    /// Lets go of a run that can't be driven now: until `due_at`, or, without it, for good. `woken`: it was waiting until now.
    pub async fn postpone(
        &self,
        run: &ClaimedRun,
        why: &str,
        woken: Option<Woken>,
        now: Timestamp,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let (state, deadline_at) = woken.map(|woken| (woken.state, millis(woken.deadline_at))).unzip();
        let terms = match due_at {
            Some(_) => Terms::none(),
            None => Terms::none().order(&run.route, run.order_key.as_deref()).signal(Signal::Ended).signal(Signal::Due),
        };
        let mut changed = run.changed(if due_at.is_some() { "pending" } else { "dead" }, now);
        changed.took_ms = due_at.is_none().then(|| since(run.created_at, now));
        let (run, fence, why) = (run.id.clone(), run.fence, why.to_owned());
        self.writer
            .write(terms, move |connection| {
                let (run, why, state, changed) = (run.clone(), why.clone(), state.clone(), changed.clone());
                Box::pin(async move {
                    let done = sql("update run set status = ?, status_reason = ?, due_at = ?, ended_at = ?, failure = ?, \
                         state = coalesce(?, state), deadline_at = coalesce(?, deadline_at) where id = ? and fence = ? and ended_at is null")
                    .bind(if due_at.is_some() { "pending" } else { "dead" })
                    .bind(why)
                    .bind(due_at.map(millis))
                    .bind(due_at.is_none().then(|| millis(now)))
                    .bind(due_at.is_none().then_some(Death::DEADLINE))
                    .bind(state)
                    .bind(deadline_at)
                    .bind(&run)
                    .bind(fence)
                    .execute(&mut *connection)
                    .await
                    .map_err(StoreError::doing("postpone a run"))?;
                    if done > 0 && due_at.is_none() {
                        over(connection, &run).await?;
                        order::wake_next(connection, &run, now).await?;
                    }
                    if done > 0 {
                        connection.tell(News::Run(changed));
                    }
                    Ok(())
                })
            })
            .await
    }

    /// Makes runs due that wait for a person although nothing of them is in doubt any more: the decision came while other steps were running, and
    /// the host that knew is gone.
    pub async fn wake_decided(&self, now: Timestamp) -> Result<(), StoreError> {
        const DECIDED: &str = "status = 'waiting' and waits_for = 'decision' and ended_at is null and not exists (select 1 from effect \
             where effect.root = run.root and effect.state in ('intent', 'in-doubt'))";
        let mut look = sql("select 1 from run where ");
        look.push(DECIDED).push(" limit 1");
        let decided: Option<i64> =
            look.scalar_optional(&self.readers).await.map_err(StoreError::doing("look for runs that were decided"))?;
        if decided.is_none() {
            return Ok(());
        }
        self.writer
            .write(Terms::none().signal(Signal::Due), move |connection| {
                Box::pin(async move {
                    let mut wake = sql("update run set due_at = ? where ").bind(millis(now));
                    wake.push(DECIDED);
                    wake.execute(connection).await.map_err(StoreError::doing("wake runs that were decided"))?;
                    Ok(())
                })
            })
            .await
    }

    /// Makes every run due that waits for something that has happened now, and every source that waits for a credential.
    pub async fn wake(&self, waits_for: &'static str, now: Timestamp) -> Result<(), StoreError> {
        self.writer
            .write(Terms::none().signal(Signal::Due), move |connection| {
                Box::pin(async move {
                    sql("update run set due_at = ? where status = 'waiting' and waits_for = ? and ended_at is null")
                        .bind(millis(now))
                        .bind(waits_for)
                        .execute(&mut *connection)
                        .await
                        .map_err(StoreError::doing("wake waiting runs"))?;
                    if waits_for == "credential" {
                        source::wake(connection, now).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

fn terms(settlement: &RunSettlement) -> Terms {
    let mut terms = Terms::none().events(&settlement.emitted);
    if let Some(keys) = settlement.keys.as_ref().filter(|keys| !keys.unclaimed.is_empty() || !keys.writes.is_empty()) {
        terms = terms.keys(&keys.plugin);
    }
    if settlement.ended_at.is_some() {
        terms = terms.order(&settlement.route, settlement.order_key.as_deref()).signal(Signal::Ended);
        if settlement.order_key.is_some() {
            terms = terms.signal(Signal::Due);
        }
    }
    if settlement.away {
        terms = terms.order(&settlement.route, settlement.order_key.as_deref()).signal(Signal::Due);
    }
    terms.waits(&settlement.waits)
}

/// Checks before it writes: a refusal leaves the shared transaction clean.
async fn settle(connection: &mut Connection, settlement: &RunSettlement) -> Result<(), StoreError> {
    let run = &settlement.run;
    if settlement.again && is_settled(connection, settlement).await? {
        // Nobody was told of a commit that was thought to have failed.
        tell(connection, settlement);
        return Ok(());
    }
    fenced(connection, run, settlement.fence).await?;
    let space = match &settlement.keys {
        Some(keys) => {
            key_value::check(connection, &keys.plugin, &keys.root, &keys.step, &keys.unclaimed).await?;
            key_value::room(connection, keys).await?
        }
        None => None,
    };
    if settlement.turns_back {
        undo::begin(connection, run).await?;
    }
    let mut script = Script::default();
    joint::values(&mut script, &[settlement]);
    script.run(connection).await.map_err(StoreError::doing("settle a step"))?;
    particular(connection, settlement, space).await?;
    let mut script = Script::default();
    joint::ends(&mut script, &[settlement]);
    if script.run(connection).await.map_err(StoreError::doing("settle a run"))? == 0 {
        return Err(StoreError::Fenced);
    }
    if let Some(now) = settlement.ended_at.filter(|_| settlement.order_key.is_some()) {
        order::wake_next(connection, run, now).await?;
    }
    if let Some((now, asleep)) = &settlement.left {
        if settlement.away {
            order::wake_next(connection, run, *now).await?;
        }
        wait::left(connection, run, asleep, *now).await?;
    }
    tell(connection, settlement);
    Ok(())
}

/// Whether it writes nothing but the run's own rows, and at its end makes the next of its order due, so that it can share its statements with others.
pub(super) fn is_plain(settlement: &RunSettlement) -> bool {
    !settlement.again
        && settlement.keys.as_ref().is_none_or(|keys| keys.unclaimed.is_empty() && keys.writes.is_empty())
        && settlement.emitted.is_empty()
        && settlement.waits.is_empty()
        && settlement.attempts.iter().all(|attempt| attempt.reads.is_none())
        && settlement.step_undone.is_none()
        && !settlement.turns_back
        && settlement.left.is_none()
}

/// What few settlements have.
async fn particular(connection: &mut Connection, settlement: &RunSettlement, space: Option<u64>) -> Result<(), StoreError> {
    let run = &settlement.run;
    for attempt in &settlement.attempts {
        if let Some((reads, until)) = &attempt.reads {
            recorded::keep(connection, run, attempt, reads, *until).await?;
        }
    }
    if let Some(keys) = &settlement.keys {
        key_value::apply(connection, keys, space).await?;
    }
    if !settlement.emitted.is_empty() {
        accept::insert(connection, &settlement.emitted).await?;
    }
    if let Some(step) = &settlement.step_undone {
        undo::done(connection, run, step).await?;
    }
    wait::begin(connection, run, &settlement.waits).await
}

/// The attempts that ended, and the state that the run is in after them.
pub(super) fn tell(connection: &mut Connection, settlement: &RunSettlement) {
    for attempt in &settlement.attempts {
        connection.tell(News::Attempt(AttemptEnded {
            eid: settlement.eid.clone(),
            run: settlement.run.clone(),
            route: settlement.route.clone(),
            step: attempt.step.clone(),
            plugin: attempt.plugin.clone(),
            action: attempt.action.clone(),
            outcome: attempt.outcome.clone(),
            duration_ms: attempt.duration_ms,
            at: settlement.at,
        }));
    }
    if settlement.status == "running" {
        return;
    }
    let changed = RunChanged::new(&settlement.eid, &settlement.run, &settlement.route, settlement.status, settlement.at);
    let death = settlement.death.as_ref();
    connection.tell(News::Run(RunChanged {
        took_ms: settlement.ended_at.map(|at| since(settlement.created_at, at)),
        plugin: death.and_then(|death| death.plugin.clone()),
        action: death.and_then(|death| death.action.clone()),
        step: death.and_then(|death| death.step.clone()),
        ..changed
    }));
}

/// Milliseconds from one time to another.
fn since(from: Timestamp, to: Timestamp) -> i64 {
    i64::try_from(to.duration_since(from).as_millis()).unwrap_or(i64::MAX).max(0)
}

/// What a run that has ended held: keys it had read, and events it waited for.
pub(super) async fn over(connection: &mut Connection, run: &str) -> Result<(), StoreError> {
    key_value::release(connection, run, None).await?;
    wait::end(connection, run, None).await
}

/// Whether a settlement of which nobody knew what became took place after all.
async fn is_settled(connection: &mut Connection, settlement: &RunSettlement) -> Result<bool, StoreError> {
    let settled: Option<i64> = sql("select 1 from run where id = ? and fence = ? and settlement = ?")
        .bind(&settlement.run)
        .bind(settlement.fence)
        .bind(&settlement.id)
        .scalar_optional(connection)
        .await
        .map_err(StoreError::doing("look for a settlement"))?;
    Ok(settled.is_some())
}
