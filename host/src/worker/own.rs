//! One attempt at a step of the host's own (`uses = "sangam.…"`), and what waits begin with.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use super::step::{Ended, StepCall, StepEnd};
use super::{scope, traced};
use crate::attempt::{Abilities, Attempt, AttemptId, AttemptLimits, AttemptRecord, Break, Conduct, KeyLimits, NewAttempt};
use crate::builtin::{self, Act, Ground, Matching, Pause, Stop};
use crate::config::{AwaitedEvent, OnDoubt, Step};
use crate::run::{FailureKind, Outcome, StepFailure, Wait, WaitFor};
use crate::store::{JournalSnapshot, NewEvent, NewWait, StepValue};
use crate::telemetry;

/// Bytes that an attempt at a step of the host's own may log.
const LOG_SIZE: usize = 64 << 10;

/// How an attempt at a step of the host's own went.
pub(super) struct OwnCall {
    pub(super) result: Result<Value, Stop>,
    pub(super) record: AttemptRecord,
    pub(super) emitted: Vec<NewEvent>,
}

impl StepCall {
    /// Tries a step of the host's own.
    pub(super) async fn tried_own(&self, input: String, started_at: Timestamp) -> StepEnd {
        if let Err(failure) = self.fits_own(&input).await {
            let mut end = StepEnd::without_call(Outcome::Failed(failure));
            end.value = Some(self.refused_value(input));
            return end;
        }
        if self.step.action == builtin::WAIT {
            return self.begin_wait(input, started_at);
        }
        let started = Instant::now();
        let snapshot = if self.fresh && self.round == 0 {
            JournalSnapshot::default()
        } else {
            match self.runtime.store.journal(&self.run.root, &self.run.id, &self.step.name, self.round, builtin::NAME).await {
                Ok(snapshot) => snapshot,
                Err(error) => return StepEnd::failed(FailureKind::Busy, telemetry::chain(&error)),
            }
        };
        let conduct = Conduct::Real { journal: self.step.journal.kept, record_reads: false };
        let OwnCall { result, mut record, emitted } = self.call_own(input, snapshot, conduct, started_at).await;
        traced::record_requests(&self.runtime, &self.places.attempt, started_at, std::mem::take(&mut record.sent));
        let (output, emitted, failure) = match result {
            Ok(output) => (Some((output.to_string(), Arc::new(output))), emitted, None),
            Err(stop) => (None, Vec::new(), Some(failure(stop))),
        };
        self.kept(Ended { record: &mut record, failure, output, emitted, took: started.elapsed() }, None)
    }

    /// Holds the input against the schema of the action.
    pub(super) async fn fits_own(&self, input: &str) -> Result<(), StepFailure> {
        match self.runtime.builtin.input(&self.step.action) {
            Some(schema) => self.fits(&schema.clone(), input).await,
            None => {
                let reason = format!("plugin {:?} has no action {:?}", self.step.plugin, self.step.action);
                Err(StepFailure::new(FailureKind::Unavailable, reason))
            }
        }
    }

    /// Calls the action. Its time is the step's `timeout`, or what is left of the run's.
    pub(super) async fn call_own(&self, input: String, snapshot: JournalSnapshot, conduct: Conduct, started_at: Timestamp) -> OwnCall {
        let left = Duration::try_from(self.deadline.duration_since(started_at)).unwrap_or(Duration::ZERO);
        let time = self.step.timeout.min(left).max(Duration::from_millis(1));
        let ends = Instant::now() + time;
        let value = serde_json::from_str(&input).unwrap_or(Value::Null);
        // A rehearsal has no number of a lease.
        let trace = if matches!(conduct, Conduct::Real { .. }) { self.attempt_trace(&self.places.attempt) } else { None };
        let attempt = Attempt::new(NewAttempt {
            id: AttemptId {
                run: self.run.id.clone(),
                root: self.run.root.clone(),
                fence: self.run.fence,
                step: self.step.name.clone(),
                round: self.round,
                number: self.number,
                plugin: builtin::NAME.to_owned(),
                component: String::new(),
            },
            abilities: Abilities::Act,
            conduct,
            holds: self.step.on_doubt == OnDoubt::Hold,
            limits: AttemptLimits { http_calls: 0, log_size: LOG_SIZE, key_value: KeyLimits { calls: 0, transfer: 0, space: 0 }, ends },
            input,
            started_at,
            store: self.runtime.store.clone(),
            outbound: None,
            snapshot,
            random_secret: self.runtime.random_secret,
            behind: self.behind.clone(),
            cancel: self.runtime.abandon.clone(),
            trace,
        });
        let ground = Ground {
            runtime: &self.runtime,
            revision: &self.revision,
            run: &self.run,
            step: &self.step,
            round: self.round,
            number: self.number,
            event: &self.inputs.event,
            input: value,
            trace: &self.places.attempt,
        };
        let mut act = Act::new(ground, attempt, ends);
        let result = match tokio::time::timeout(time, builtin::run(&mut act)).await {
            Ok(result) => result,
            Err(_) => Err(Stop::failed(FailureKind::Timeout, format!("the attempt took longer than {time:?}"))),
        };
        let (record, emitted) = act.finish();
        OwnCall { result, record, emitted }
    }

    /// The step waits from now on; or it has an output at once, if there is nothing to wait for.
    fn begin_wait(&self, input: String, now: Timestamp) -> StepEnd {
        let parsed = serde_json::from_str(&input).unwrap_or(Value::Null);
        let pause = match Pause::of(&parsed, now) {
            Ok(pause) => pause,
            Err(why) => {
                let mut end = StepEnd::failed(FailureKind::InvalidInput, why);
                end.value = Some(self.refused_value(input));
                return end;
            }
        };
        let wait = Wait {
            since: now,
            until: pause.until,
            events: pause.event.as_ref().map(|event| event.types.clone()).unwrap_or_default(),
            what: WaitFor::End,
            reason: None,
        };
        let awaits = pause.event.as_ref().map(|event| self.awaits(event)).unwrap_or_default();
        let mut end = StepEnd::without_call(Outcome::Waits(wait));
        end.awaits = awaits;
        end.value = Some(StepValue {
            name: self.step.name.clone(),
            round: self.round,
            input: Some(input),
            output: None,
            ended: false,
            clock_start: Some(now),
        });
        end
    }

    fn awaits(&self, event: &AwaitedEvent) -> Vec<NewWait> {
        awaits(&self.step, event, &self.runtime.random_secret, &scope::known(&self.run.id, &self.inputs))
    }
}

/// What is stored of an awaited event. Where its `where` contains an equation with something that the run knows, only events that fulfil it are looked at.
pub(super) fn awaits(step: &Step, event: &AwaitedEvent, secret: &[u8; 32], known: &Value) -> Vec<NewWait> {
    let matching = event.condition.as_deref().and_then(Matching::of);
    let keyed = matching.and_then(|matching| {
        let digest = builtin::digest(secret, builtin::at(known, &matching.own)?)?;
        Some((matching.path, digest))
    });
    let (path, digest) = keyed.unwrap_or_default();
    let wait = |kind: &String| NewWait {
        step: step.name.clone(),
        kind: kind.clone(),
        path: path.clone(),
        digest: digest.clone(),
        condition: event.condition.clone(),
    };
    event.types.iter().map(wait).collect()
}

/// What an action's stop is for the run.
pub(super) fn failure(stop: Stop) -> StepFailure {
    match stop {
        Stop::Failed(failure) => failure,
        Stop::Broken(broken) => {
            let kind = match &broken {
                Break::Conflict(_) => FailureKind::Conflict,
                Break::Diverged(_) => FailureKind::Diverged,
                // Whoever drives the run sees the doubt, and holds the step.
                Break::Held(_) => FailureKind::Retry,
                Break::Fenced | Break::Store(_) | Break::Dry(_) => FailureKind::Busy,
            };
            StepFailure::new(kind, broken.to_string())
        }
    }
}
