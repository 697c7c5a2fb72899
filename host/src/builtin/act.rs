//! One try at a built-in step: what an action is given, and the only way in which it writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::Value;

use crate::attempt::{Answer, Attempt, AttemptRecord, Break, HostWrite, Level};
use crate::config::Step;
use crate::event::Event;
use crate::run::{FailureKind, StepFailure};
use crate::runtime::{Cause, Intake, Revision, Runtime};
use crate::store::{ClaimedRun, NewEvent};
use crate::telemetry::TraceContext;

/// One try at a built-in step. Its input fits the schema of the action already.
#[derive(Debug)]
pub struct Act<'a> {
    /// The host.
    pub runtime: &'a Arc<Runtime>,
    /// The run's own revision. Relays, servers and credentials are those of the present one.
    pub revision: &'a Revision,
    /// The run.
    pub run: &'a ClaimedRun,
    /// The step.
    pub step: &'a Step,
    /// Its round, from 0.
    pub round: u32,
    /// Which attempt it is, from 1.
    pub number: u32,
    /// The run's event.
    pub event: &'a Value,
    /// What the step is given.
    pub input: Value,
    trace: &'a TraceContext,
    attempt: Attempt,
    ends: Instant,
    emitted: Vec<NewEvent>,
}

/// What an [`Act`] is made from, besides the attempt.
pub struct Ground<'a> {
    /// See [`Act::runtime`].
    pub runtime: &'a Arc<Runtime>,
    /// See [`Act::revision`].
    pub revision: &'a Revision,
    /// See [`Act::run`].
    pub run: &'a ClaimedRun,
    /// See [`Act::step`].
    pub step: &'a Step,
    /// See [`Act::round`].
    pub round: u32,
    /// See [`Act::number`].
    pub number: u32,
    /// See [`Act::event`].
    pub event: &'a Value,
    /// See [`Act::input`].
    pub input: Value,
    /// Where in a trace the attempt stands.
    pub trace: &'a TraceContext,
}

/// Why an action has no output.
#[derive(Debug)]
pub enum Stop {
    /// It failed: the policy of the step says what follows.
    Failed(StepFailure),
    /// The attempt can't go on.
    Broken(Break),
}

impl Stop {
    /// A failure without details.
    pub fn failed(kind: FailureKind, reason: impl Into<String>) -> Stop {
        Stop::Failed(StepFailure::new(kind, reason))
    }
}

impl From<StepFailure> for Stop {
    fn from(failure: StepFailure) -> Stop {
        Stop::Failed(failure)
    }
}

impl From<Break> for Stop {
    fn from(broken: Break) -> Stop {
        Stop::Broken(broken)
    }
}

impl<'a> Act<'a> {
    /// A try that begins. `ends`: when it is stopped.
    pub fn new(ground: Ground<'a>, attempt: Attempt, ends: Instant) -> Act<'a> {
        let Ground { runtime, revision, run, step, round, number, event, input, trace } = ground;
        Act { runtime, revision, run, step, round, number, event, input, trace, attempt, ends, emitted: Vec::new() }
    }

    /// The key of the step as a whole: the same on every attempt of this round in its line.
    pub fn step_key(&self) -> String {
        self.attempt.step_key()
    }

    /// The key of a named write in its present generation.
    pub fn key(&self, name: &str) -> String {
        self.attempt.key(name)
    }

    /// When the input of the step (or round) was first stored in its line: the same on every attempt.
    pub fn clock(&self) -> Timestamp {
        self.attempt.surroundings().clock.start()
    }

    /// How much longer it may take. At the end the host drops it; a write under way is then in doubt.
    pub fn time_left(&self) -> Duration {
        self.ends.saturating_duration_since(Instant::now())
    }

    /// A line for the timeline of the attempt.
    pub fn log(&mut self, level: Level, message: &str) {
        self.attempt.log().add(level, message, Vec::new());
    }

    /// Where in a trace the next write is to say that it stands.
    pub fn place(&self) -> Option<TraceContext> {
        self.attempt.next_told()
    }

    /// Makes a write: its intent is durable before `send` is asked, with the write's key, to let it leave. One that was done before in the line is
    /// answered from the journal, and nothing is sent.
    ///
    /// # Errors
    /// To be passed on: the attempt can't go on.
    pub async fn write(&mut self, write: HostWrite, send: impl AsyncFnOnce(&str) -> Answer) -> Result<Answer, Stop> {
        Ok(self.attempt.write_own(write, send).await?)
    }

    /// Brings in an event with the step's success.
    ///
    /// # Errors
    /// To be passed on: it can't be taken in, now or ever.
    pub async fn emit(&mut self, event: &Event) -> Result<(), Stop> {
        let refused = |why: String| Stop::failed(FailureKind::Rejected, format!("the event is refused: {why}"));
        event.check_emitted().map_err(|error| refused(error.to_string()))?;
        self.bring_in(event).await
    }

    /// The same for an event of the host's own, whose source and type nobody else may use.
    ///
    /// # Errors
    /// As of [`Act::emit`].
    pub(super) async fn bring_in(&mut self, event: &Event) -> Result<(), Stop> {
        let refused = |why: String| Stop::failed(FailureKind::Rejected, format!("the event is refused: {why}"));
        let cause = Cause {
            eid: self.run.eid.clone(),
            run: self.run.id.clone(),
            step: self.step.name.clone(),
            hops: self.run.hops,
            trace: Some(self.trace.clone()),
        };
        let prepared = Intake::new(self.runtime).prepare(event, Some(&cause)).await;
        self.emitted.push(prepared.map_err(|error| refused(error.to_string()))?);
        Ok(())
    }

    /// What is kept of it, and the events it brought in. It is over.
    pub fn finish(self) -> (AttemptRecord, Vec<NewEvent>) {
        (self.attempt.finish(), self.emitted)
    }
}
