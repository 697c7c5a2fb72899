//! Actions that take several invocations at once: runs gathered into a batch, and what each has of it.
//!
//! ```text
//! run 1 ─┐                      one transaction           one call                  one transaction
//! run 2 ─┼─ gathered ─ batch ─▶ intent of each member ─▶ requests, journalled  ─▶ each member's result ─▶ each run settles
//! run 3 ─┘  (`Gathering`)       and the members' data     under the batch's keys   done · failed · in doubt  by itself
//! ```
//!
//! To each member's journal the batch is one write. Killed before the first transaction, nothing has happened. Killed after it, each run finds its write
//! without an answer when it is taken up again, and the first of them does the same batch again, with the same members in their order: what the batch has
//! sent is answered from the batch's journal, what was in doubt goes again under the same key. Killed after the second transaction, each run finds its
//! result. So a member that succeeded is never sent again, and one of which nobody knows is never sent under another key.
//!
//! A member that failed leaves the batch, unless a write of the batch is in doubt: then it stays, and its next attempt repeats the batch. One that is to be
//! tried again goes alone the next time, unless all it has to wait for is a limit or a credential: it may be another member's input that the plugin or the
//! system can't bear.
//!
//! Runs go alone where that is all that makes sense: with `on-doubt = "hold"` (a person decides about the write of one run), without a journal, where
//! reads are kept for dry runs, undos and what they may have to undo while it is in doubt, runs that have begun alone, and runs with less time left than
//! the call may take.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::SemaphorePermit;

use super::step::{StepCall, StepEnd};
use super::traced;
use crate::attempt::{
    self, Abilities, Attempt, AttemptId, AttemptLimits, AttemptRecord, BatchWrite, Conduct, NewAttempt, SharedIn, recorded_headers,
};
use crate::config::{self, Instances, OnDoubt, OnFailure};
use crate::crash::Point;
use crate::engine::{Call, CallEnd, CallOutcome, PluginFailure, PluginFailureKind};
use crate::run::FailureKind;
use crate::runtime::{Coming, GatheringKind, Joined, LoadedPlugin, Part, PresentPlugin, Room, Share, UnderWay};
use crate::store::{
    BATCH, BatchEnd, BatchMember, EffectRow, EffectState, Intent, JournalSnapshot, MemberEnd, NewBatch, OpenBatch, Opening, Resumed,
    StoreError,
};
use crate::telemetry;

/// Pause between two tries to make results durable.
const SHARE_PAUSE: Duration = Duration::from_millis(500);
/// Share of a call's memory that the inputs and contexts of a batch may take: the plugin needs several times that to work on them.
const OF_MEMORY: usize = 8;
/// Header under which the events of a member's result are kept.
const EVENTS: &str = "events";
/// Ends of a call after which a member goes alone.
const ALONE_AFTER: [&str; 4] = ["retry", "trap", "limit", "timeout"];

/// What a step is tried with.
#[derive(Clone, Copy)]
pub(super) struct Way<'a, 's> {
    pub(super) plugin: &'a LoadedPlugin,
    pub(super) present: &'a PresentPlugin,
    pub(super) snapshot: &'s JournalSnapshot,
    pub(super) started_at: Timestamp,
}

/// How a step that came to its action goes on.
pub(super) enum Turn<'a> {
    /// By itself; with the slot, where it has one already.
    Alone(Option<(SemaphorePermit<'a>, UnderWay<'a>)>),
    /// It is over.
    Ended(Box<StepEnd>),
}

/// A batch that was done.
struct Done {
    /// In the order of the members.
    outcomes: Vec<CallOutcome>,
    states: Vec<EffectState>,
    record: AttemptRecord,
    took: Duration,
}

impl StepCall {
    /// Whether the action is one that takes several runs at once, and the step one that may go with others.
    pub(super) fn may_go_together(&self) -> bool {
        let plugin = self.revision.plugins.get(&self.step.plugin);
        plugin.and_then(|plugin| plugin.actions.get(&self.step.action)).is_some_and(|action| action.batch.is_some())
            && self.step.journal.kept
            && self.step.journal.record_reads.is_none()
            && self.step.on_doubt != OnDoubt::Hold
            && !self.step.name.ends_with("/undo")
            && !self.may_be_undone()
    }

    /// An undo of a step in doubt looks for what the step wrote, under the names that it wrote under alone.
    fn may_be_undone(&self) -> bool {
        let undoes = |route: &Arc<config::Route>| route.steps.iter().any(|step| step.on_failure == OnFailure::Undo);
        self.revision.undo_action(&self.step).is_some() && self.revision.route(&self.run.route).is_some_and(undoes)
    }

    /// Takes the step's turn: its result where the journal has it, its batch where that is in doubt, a batch with others, or that it goes alone.
    pub(super) async fn gathered<'a>(&'a self, way: &Way<'a, '_>, input: &str, coming: Option<Coming<'_>>) -> Turn<'a> {
        match BatchWrite::latest(&way.snapshot.effects) {
            Some(row) if row.state == EffectState::Done => return ended(self.as_journalled(way, row, input).await),
            Some(row) if matches!(row.state, EffectState::Intent | EffectState::InDoubt) => {
                return ended(Box::pin(self.resumed(way, row, input)).await);
            }
            _ => {}
        }
        let limits = self.limits(&way.present.config, way.started_at);
        let Some((kind, room, longest)) = self.company(way, &limits) else { return Turn::Alone(None) };
        if let Some(behind) = &self.behind
            && let Err(error) = behind.clone().await
        {
            // A batch begins for all its members at once, and knows nothing of what they come from.
            let why = format!("what it follows from is not durable: {}", telemetry::chain(&*error));
            return Turn::Ended(Box::new(StepEnd::failed(FailureKind::Busy, why)));
        }
        let part = self.part(way, input, limits.time);
        let own = part.intent.clone();
        let joined = self.runtime.gathering.join(kind, part, room);
        drop(coming);
        let leading = match joined {
            Joined::Waits(share) => {
                let share = share.await.unwrap_or_else(|_| Share::NotBegun("the run that led its batch was broken off".to_owned()));
                return ended(self.shared(way, &own, share, &limits).await);
            }
            Joined::Leads(leading) => leading,
        };
        leading.gather(longest).await;
        let slot = match self.slot(way.present).await {
            Ok(slot) => slot,
            Err(end) => return Turn::Ended(end),
        };
        let (parts, under_way) = leading.close();
        if !self.is_present(way.present) {
            // What was revoked meanwhile must not be used.
            let why = "the configuration was replaced while it waited for others";
            for answer in parts.into_iter().filter_map(|part| part.answer) {
                drop(answer.send(Share::NotBegun(why.to_owned())));
            }
            return ended(busy(why));
        }
        if parts.len() < 2 {
            return Turn::Alone(Some((slot, under_way)));
        }
        let share = Box::pin(self.together(way, parts, &limits)).await;
        drop(under_way);
        drop(slot);
        ended(self.shared(way, &own, share, &limits).await)
    }

    /// Whether these grants and limits are still the ones that count.
    fn is_present(&self, grants: &PresentPlugin) -> bool {
        self.runtime.present().plugins.get(&self.step.plugin).is_some_and(|present| std::ptr::eq(Arc::as_ptr(present), grants))
    }

    /// With whom it may go, how many in all, and how long it waits for them.
    fn company(&self, way: &Way<'_, '_>, limits: &config::Limits) -> Option<(GatheringKind, Room, Duration)> {
        let batching = way.present.config.batch?;
        let takes = way.plugin.actions.get(&self.step.action)?.batch?;
        let most = batching.most_of(takes);
        let whole = way.present.config.limits.time.min(self.step.timeout);
        let began_alone = way.snapshot.effects.iter().any(|row| row.kind != BATCH && row.state != EffectState::Failed);
        let was_too_much = BatchWrite::latest(&way.snapshot.effects)
            .is_some_and(|row| went_wrong(row).is_some_and(|how| ALONE_AFTER.contains(&how.as_str())));
        if !self.may_go_together() || most < 2 || limits.time < whole || began_alone || was_too_much {
            return None;
        }
        let kind = GatheringKind {
            revision: self.revision.number,
            plugin: self.step.plugin.clone(),
            component: way.plugin.component.digest.clone(),
            action: self.step.action.clone(),
            present: std::ptr::from_ref(way.present).addr(),
            time: whole,
        };
        Some((kind, Room { most: most as usize, bytes: limits.memory / OF_MEMORY }, batching.gather))
    }

    fn part(&self, way: &Way<'_, '_>, input: &str, time: Duration) -> Part {
        let id = self.attempt_id(way.plugin);
        let undos = way.snapshot.undos;
        let key = self.step_key(undos);
        let effect = BatchWrite::intent(&id, undos, &way.snapshot.effects, "", &key);
        let opening = self.opening(way, input);
        let context = self.context(crate::clock::later(opening.clock_start, time), &key, way.plugin, &self.places.call);
        Part { intent: Intent { fence: self.run.fence, effect, opening: Some(opening) }, context, answer: None }
    }

    fn step_key(&self, undos: u32) -> String {
        attempt::step_key(&self.run.root, &self.step.name, self.round, undos)
    }

    /// What stands behind an attempt of the step that is a member's.
    fn opening(&self, way: &Way<'_, '_>, input: &str) -> Opening {
        Opening {
            started_at: way.started_at,
            clock_start: way.snapshot.clock_start.unwrap_or_else(|| whole(way.started_at)),
            input: input.to_owned(),
            plugin: self.step.plugin.clone(),
            reads: Vec::new(),
            digest: Some(way.plugin.component.digest.clone()),
        }
    }

    /// Does what was gathered with one call, and gives every member its share. Gives its own.
    async fn together(&self, way: &Way<'_, '_>, parts: Vec<Part>, limits: &config::Limits) -> Share {
        let id = uuid::Uuid::now_v7().to_string();
        let _at_work = self.runtime.gathering.take_up(&id);
        let mut answers = Vec::with_capacity(parts.len());
        let mut members = Vec::with_capacity(parts.len());
        for Part { mut intent, context, answer } in parts {
            intent.effect.url = format!("{BATCH}:{id}");
            intent.effect.name = Some(id.clone());
            answers.push(answer);
            members.push((intent, context));
        }
        let batch = Arc::new(NewBatch {
            id: id.clone(),
            plugin: self.step.plugin.clone(),
            action: self.step.action.clone(),
            at: whole(way.started_at),
            members,
        });
        let take_part = match self.runtime.store.begin_batch(batch.clone()).await {
            Ok(take_part) => take_part,
            Err(error) => {
                let why = format!("its batch could not begin: {}", telemetry::chain(&error));
                for answer in answers.into_iter().flatten() {
                    // Who went away is tried again anyway.
                    let _ = answer.send(Share::NotBegun(why.clone()));
                }
                return Share::NotBegun(why);
            }
        };
        self.runtime.store.crash().at(Point::Batched);
        let mut takers = Vec::with_capacity(answers.len());
        let mut open = OpenBatch { id, action: batch.action.clone(), at: batch.at, repeats: 0, members: Vec::new() };
        for ((answer, (intent, context)), takes_part) in answers.into_iter().zip(&batch.members).zip(take_part) {
            if takes_part {
                open.members.push(BatchMember::new(intent, context));
                takers.push((answer, intent));
            } else if let Some(answer) = answer {
                let _ = answer.send(Share::NotBegun("its run was taken over or cancelled meanwhile".to_owned()));
            }
        }
        let snapshot = JournalSnapshot { clock_start: Some(open.at), ..JournalSnapshot::default() };
        let done = self.perform(way, &open, snapshot, limits).await;
        let mut own = Share::NotBegun("its run is not in the batch that it led".to_owned());
        for (place, (answer, intent)) in takers.into_iter().enumerate() {
            let share = done.share(&open, place, intent);
            match answer {
                Some(answer) => drop(answer.send(share)),
                None => own = share,
            }
        }
        own
    }

    /// Repeats a batch of which this run has no result, or finds that somebody else is at it.
    async fn resumed(&self, way: &Way<'_, '_>, row: &EffectRow, input: &str) -> StepEnd {
        let batch = row.name.clone().unwrap_or_default();
        let Some(_at_work) = self.runtime.gathering.take_up(&batch) else { return busy("its batch is just being done") };
        let slot = match self.slot(way.present).await {
            Ok(slot) => slot,
            Err(end) => return *end,
        };
        let mut effect = row.clone();
        effect.state = EffectState::Intent;
        effect.doubted = true;
        effect.run.clone_from(&self.run.id);
        effect.attempt = self.number;
        effect.started_at = self.runtime.clock.now();
        let intent = Intent { fence: self.run.fence, effect, opening: Some(self.opening(way, input)) };
        let open = match self.runtime.store.resume_batch(&batch, intent.clone(), self.runtime.clock.now()).await {
            Ok(Resumed::Yours(open)) => open,
            Ok(Resumed::Busy) => return busy("its batch is being done by another of its runs"),
            Ok(Resumed::Ended) => return busy("its batch has just ended"),
            Ok(Resumed::Gone) => {
                let why = "its batch is gone: personal data of one of the runs in it was erased, or its time in the store was over, so nobody can do it again, or tell whether this run's part was done";
                return StepEnd::failed(FailureKind::Diverged, why);
            }
            Err(error) => return StepEnd::failed(FailureKind::Busy, telemetry::chain(&error)),
        };
        self.runtime.store.crash().at(Point::Batched);
        if !way.plugin.code.takes_batches() {
            let why = format!("it began in a batch, and {} takes none any more; replay it with --plugins pinned", self.step.plugin);
            return StepEnd::failed(FailureKind::Diverged, why);
        }
        let snapshot = match self.runtime.store.journal(&open.id, &self.run.id, "", 0, &self.step.plugin).await {
            Ok(snapshot) => snapshot,
            Err(error) => return StepEnd::failed(FailureKind::Busy, telemetry::chain(&error)),
        };
        let Some(place) = open.members.iter().position(|member| member.write() == row.id) else {
            return StepEnd::failed(FailureKind::Diverged, "its batch does not know it");
        };
        let limits = self.limits(&way.present.config, way.started_at);
        let share = self.perform(way, &open, snapshot, &limits).await.share(&open, place, &intent);
        drop(slot);
        self.shared(way, &intent, share, &limits).await
    }

    /// The call, and its results made durable.
    async fn perform(&self, way: &Way<'_, '_>, open: &OpenBatch, snapshot: JournalSnapshot, limits: &config::Limits) -> Done {
        let started = Instant::now();
        // Marks that an action leaves for the plugin's streams are as many as there are runs.
        let runs = u32::try_from(open.members.len()).unwrap_or(u32::MAX);
        let keys = config::Limits { key_value_calls: limits.key_value_calls.saturating_mul(runs), ..*limits };
        let attempt = Attempt::new(NewAttempt {
            // A line of its own: keys, clock and random numbers are the batch's, whoever does it.
            id: AttemptId { root: open.id.clone(), step: String::new(), round: 0, ..self.attempt_id(way.plugin) },
            abilities: Abilities::Together,
            conduct: Conduct::Real { journal: true, record_reads: false },
            holds: false,
            limits: AttemptLimits::new(&keys, started),
            input: String::new(),
            started_at: open.at,
            store: self.runtime.store.clone(),
            outbound: Some(way.present.outbound.clone()),
            snapshot,
            random_secret: self.runtime.random_secret,
            behind: None,
            cancel: self.runtime.abandon.clone(),
            trace: self.attempt_trace(&self.places.call),
        });
        let invocations = open.members.iter().map(|member| (member.input.clone(), again(&member.context, open.repeats))).collect();
        let call = Call::InvokeBatch { action: open.action.clone(), invocations };
        let (began, at) = (Instant::now(), self.runtime.clock.now());
        let mut end = self.runtime.engine.call(&way.plugin.code, limits, Instances::PerCall, attempt, call).await;
        self.note_call(way.plugin, way.present, &mut end, (at, began.elapsed()));
        self.runtime.metrics.batch_ended(&self.step.plugin, &open.action, open.members.len());
        let CallEnd { outcome, mut record, .. } = end;
        // Broken off, it may have left an intent that the attempt does not know to be durable.
        let in_doubt = record.in_doubt || matches!(outcome, CallOutcome::Broken(_));
        if in_doubt {
            for recording in std::mem::take(&mut record.recordings) {
                if let Err(error) = self.runtime.store.confirm(recording).await {
                    tracing::warn!(
                        batch = open.id,
                        error = telemetry::chain(&error),
                        "the outcome of a write is not recorded; it counts as in doubt"
                    );
                }
            }
        }
        let keys = matches!(outcome, CallOutcome::Batch(_)).then(|| record.keys.clone());
        let outcomes: Vec<CallOutcome> = match outcome {
            CallOutcome::Batch(results) => results.into_iter().map(outcome_of).collect(),
            other => vec![other; open.members.len()],
        };
        let ends: Vec<MemberEnd> = outcomes.iter().enumerate().map(|(place, outcome)| member_end(place, outcome, in_doubt)).collect();
        let (outcomes, states) = self.made_durable(open, BatchEnd { members: ends, keys }, outcomes).await;
        self.runtime.store.crash().at(Point::Shared);
        Done { outcomes, states, record, took: started.elapsed() }
    }

    /// Makes results durable; gives what they are then, and how each member's write stands.
    async fn made_durable(&self, open: &OpenBatch, end: BatchEnd, outcomes: Vec<CallOutcome>) -> (Vec<CallOutcome>, Vec<EffectState>) {
        let states = end.members.iter().map(|end| end.state).collect();
        let in_doubt = || vec![EffectState::InDoubt; open.members.len()];
        match self.share_out(open, end).await {
            Ok(()) => (outcomes, states),
            Err(full @ StoreError::KeySpaceFull { .. }) => {
                // A person has to make room. Then the batch is done again, from its journal.
                let failure = PluginFailure { kind: PluginFailureKind::Rejected, reason: full.to_string(), after: None, details: None };
                let outcome = CallOutcome::Failure(failure);
                let members = (0..open.members.len()).map(|place| member_end(place, &outcome, true)).collect();
                if let Err(error) = self.share_out(open, BatchEnd { members, keys: None }).await {
                    tracing::warn!(batch = open.id, error = telemetry::chain(&error), "a batch is left as it is");
                }
                (vec![outcome; open.members.len()], in_doubt())
            }
            Err(error) => {
                let why = format!("the results of its batch could not be made durable: {}", telemetry::chain(&error));
                (vec![CallOutcome::Busy(why); open.members.len()], in_doubt())
            }
        }
    }

    /// However long the store is away: what is known now would otherwise be found out again, at the systems' cost.
    async fn share_out(&self, open: &OpenBatch, end: BatchEnd) -> Result<(), StoreError> {
        loop {
            match self.runtime.store.end_batch(open.clone(), &self.run.id, self.run.fence, end.clone()).await {
                Err(error) if error.is_passing() && !self.runtime.abandon.is_cancelled() => {
                    tracing::warn!(
                        batch = open.id,
                        error = telemetry::chain(&error),
                        "results of a batch could not be made durable; trying again"
                    );
                    tokio::select! {
                        () = tokio::time::sleep(SHARE_PAUSE) => {}
                        () = self.runtime.abandon.cancelled() => {}
                    }
                }
                other => return other,
            }
        }
    }

    /// What this run has of a call for several.
    async fn shared(&self, way: &Way<'_, '_>, own: &Intent, share: Share, limits: &config::Limits) -> StepEnd {
        match share {
            Share::NotBegun(why) => busy(&why),
            Share::Ended(share) => {
                let (outcome, record, took) = *share;
                let end = CallEnd { outcome, record, cpu: Duration::ZERO, memory: 0 };
                let digest = &way.plugin.component.digest;
                self.judged(end, way.present, digest, &own.effect.key, limits, took).await
            }
        }
    }

    /// Its result, as a batch before has left it.
    async fn as_journalled(&self, way: &Way<'_, '_>, row: &EffectRow, input: &str) -> StepEnd {
        let shown = BatchWrite::shown(row, row.state, None, true);
        let record = AttemptRecord::of_member(row, &self.opening(way, input), shown);
        let limits = self.limits(&way.present.config, way.started_at);
        let end = CallEnd { outcome: recorded(row), record, cpu: Duration::ZERO, memory: 0 };
        self.judged(end, way.present, &way.plugin.component.digest, &self.step_key(way.snapshot.undos), &limits, Duration::ZERO).await
    }
}

impl Done {
    fn share(&self, open: &OpenBatch, place: usize, intent: &Intent) -> Share {
        let batch = SharedIn { id: open.id.clone(), runs: open.members.len() };
        let shown = BatchWrite::shown(&intent.effect, self.states[place], Some(batch.runs), false);
        let opening = intent.opening.as_ref().expect("a member opens its attempt");
        let record = self.record.part(AttemptRecord::of_member(&intent.effect, opening, shown), &batch, place);
        Share::Ended(Box::new((self.outcomes[place].clone(), record, self.took)))
    }
}

fn ended<'a>(end: StepEnd) -> Turn<'a> {
    Turn::Ended(Box::new(end))
}

fn busy(why: &str) -> StepEnd {
    StepEnd::failed(FailureKind::Busy, why)
}

/// The store keeps milliseconds: the first call must not see a finer time than the next ones.
fn whole(time: Timestamp) -> Timestamp {
    Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(time)
}

fn outcome_of(result: Result<(String, Vec<String>), PluginFailure>) -> CallOutcome {
    match result {
        Ok((data, events)) => CallOutcome::Output { data, events },
        Err(failure) => CallOutcome::Failure(failure),
    }
}

/// What the journal keeps of a member's result.
fn member_end(place: usize, outcome: &CallOutcome, in_doubt: bool) -> MemberEnd {
    match outcome {
        CallOutcome::Output { data, events } => {
            let events = (!events.is_empty()).then(|| vec![(EVENTS.to_owned(), serde_json::to_vec(events).expect("texts are JSON"))]);
            MemberEnd {
                place,
                state: EffectState::Done,
                headers: events.map(|events| attempt::kept_headers(&events)),
                body: data.clone().into_bytes(),
            }
        }
        other => MemberEnd {
            place,
            state: if in_doubt { EffectState::InDoubt } else { EffectState::Failed },
            headers: None,
            body: json!({ "failed": traced::error_of(other) }).to_string().into_bytes(),
        },
    }
}

/// How the batch ended for a member that goes on without it.
fn went_wrong(row: &EffectRow) -> Option<String> {
    let body: Value = serde_json::from_slice(row.response_body.as_deref()?).ok()?;
    (row.state == EffectState::Failed).then(|| body["failed"].as_str().map(str::to_owned))?
}

/// A member's result as the journal has it.
pub(super) fn recorded(row: &EffectRow) -> CallOutcome {
    let headers = row.response_headers.as_deref().map(recorded_headers).transpose().ok().flatten().unwrap_or_default();
    let events = headers.into_iter().find(|(name, _)| name == EVENTS).and_then(|(_, events)| serde_json::from_slice(&events).ok());
    let data = String::from_utf8_lossy(row.response_body.as_deref().unwrap_or_default()).into_owned();
    CallOutcome::Output { data, events: events.unwrap_or_default() }
}

/// The context for another call of the same batch: on every attempt after the first a connector looks before it writes.
fn again(context: &str, repeats: u32) -> String {
    if repeats == 0 {
        return context.to_owned();
    }
    let Ok(mut context) = serde_json::from_str::<Value>(context) else { return context.to_owned() };
    let before = context["attempt"].as_u64().unwrap_or(1);
    context["attempt"] = json!(before + u64::from(repeats));
    context.to_string()
}
