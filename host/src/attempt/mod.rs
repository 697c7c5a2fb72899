//! One try at one step, from the inside: everything a plugin's call can do to the world, and what is kept of it.
//!
//! The engine gives each call an [`Attempt`]; the functions that a plugin imports are thin over it. A plugin's calls are
//! answered with values. When the attempt itself can't go on (another step changed what was read, the plugin wrote something else
//! than before, the lease is gone), the call is broken off with a [`Break`].

mod clock;
mod conduct;
mod host_write;
mod id;
mod journal;
mod key_value;
mod log;
mod random;
mod reads;
mod shown;
mod surroundings;
#[cfg(test)]
mod tests;
mod together;
mod traced;

pub use clock::VirtualClock;
pub use conduct::{Conduct, DryStop, Reads, Sample, Sampled, WouldSend};
pub use host_write::{Answer, End, HostWrite};
pub use id::{Abilities, AttemptId, AttemptLimits};
pub use journal::{headers as recorded_headers, headers_json as kept_headers, step_key, write_key};
pub use key_value::{KeyError, KeyLimits};
pub use log::{Level, LogBuffer, LogLine};
pub use random::KeyedRandom;
pub use shown::ShownEffect;
pub use surroundings::{Present, Surroundings};
pub use together::{BatchWrite, SharedIn};
pub use traced::{AttemptTrace, SentRequest};

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::crash::Point;
use crate::credentials::{Attached, Remedy};
use crate::outbound::{Exchange, HttpError, Outbound, Request, Response};
use crate::store::{
    EffectRow, EffectState, Intent, JournalSnapshot, KeySettlement, Opening, Receipt, RecordedRead, Recording, Store, StoreError,
};
use journal::{Decision, Journal};
use key_value::KeyValue;
use reads::ReadLog;
use traced::Sent;

/// Largest request body kept in the journal; beyond it only the digest is.
const MAX_KEPT_BODY: usize = 64 << 10;
/// Longest name of a write.
const MAX_NAME: usize = 256;
/// Kind of an effect of a plugin's request.
const HTTP: &str = "http";
/// Longest reason kept of a request that was refused: it may quote what the plugin made up.
const MAX_WHY: usize = 2 << 10;

/// Why an attempt can't go on. Not the plugin's failure: the run decides what follows.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// What it read was changed or claimed elsewhere.
    #[error("key {0:?} is claimed or was changed by another step")]
    Conflict(String),
    /// It wrote something else than on an earlier attempt.
    #[error("{0}")]
    Diverged(String),
    /// A person has to say first whether a write was done (`on-doubt = "hold"`).
    #[error(
        "{0} is in doubt; with on-doubt = \"hold\" it is not sent again, in the same attempt neither, before a person has said whether it was done"
    )]
    Held(String),
    /// Another worker has the run.
    #[error("the run was taken over by another worker")]
    Fenced,
    /// A write could not be journalled, so it was not sent.
    #[error("the store can't be written: {0}")]
    Store(String),
    /// A dry run stops here.
    #[error(transparent)]
    Dry(DryStop),
}

impl From<StoreError> for Break {
    fn from(error: StoreError) -> Break {
        match error {
            StoreError::KeyConflict(key) => Break::Conflict(key),
            StoreError::Fenced => Break::Fenced,
            other => Break::Store(crate::telemetry::chain(&other)),
        }
    }
}

/// What becomes of a write that wants to leave.
enum Began {
    /// It may: its intent is durable.
    Send(Box<EffectRow>),
    /// It was done before: answered from the journal.
    Done(Box<EffectRow>),
    /// One of that name has succeeded in this very attempt.
    NameUsed(String),
}

/// One try at one step.
#[derive(Debug)]
pub struct Attempt {
    id: AttemptId,
    abilities: Abilities,
    conduct: Conduct,
    holds: bool,
    limits: AttemptLimits,
    input: String,
    started_at: Timestamp,
    store: Store,
    outbound: Option<Arc<Outbound>>,
    journal: Journal,
    reads: ReadLog,
    keys: KeyValue,
    surroundings: Surroundings,
    shown: Vec<ShownEffect>,
    calls: u32,
    largest_response: usize,
    opened: bool,
    attached: Option<Attached>,
    obstacle: Option<(String, Remedy)>,
    recordings: Vec<Recording>,
    sampled: Vec<Sampled>,
    behind: Option<Receipt>,
    cancel: CancellationToken,
    trace: Option<AttemptTrace>,
}

/// What an attempt is made from.
#[derive(Debug)]
pub struct NewAttempt {
    /// What identifies it.
    pub id: AttemptId,
    /// What it may do.
    pub abilities: Abilities,
    /// For good, or dry.
    pub conduct: Conduct,
    /// `on-doubt = "hold"`: a write in doubt is not sent again before a person has said whether it was done.
    pub holds: bool,
    /// Its limits.
    pub limits: AttemptLimits,
    /// The step's input, JSON.
    pub input: String,
    /// Now.
    pub started_at: Timestamp,
    /// The store.
    pub store: Store,
    /// The plugin's way out; `None`: it is a step of the host's own, which sends for itself.
    pub outbound: Option<Arc<Outbound>>,
    /// The line's journal for the step.
    pub snapshot: JournalSnapshot,
    /// The store's secret that randomness derives from.
    pub random_secret: [u8; 32],
    /// What it follows from (the run's acceptance, the end of the step before) is on its way to the store: no write leaves before it is durable.
    pub behind: Option<Receipt>,
    /// Ends when the host gives up waiting for running steps.
    pub cancel: CancellationToken,
    /// Where in a trace it stands; `None`: nobody would hear of it.
    pub trace: Option<AttemptTrace>,
}

/// What is kept of an attempt that ended.
#[derive(Debug)]
pub struct AttemptRecord {
    /// When it started.
    pub started_at: Timestamp,
    /// Start of the step's clock.
    pub clock_start: Timestamp,
    /// The step's input, JSON.
    pub input: String,
    /// Effects as shown.
    pub effects: Vec<ShownEffect>,
    /// Writes of earlier attempts, done or in doubt, that this one has not asked for: they mean something where it succeeded.
    pub unrepeated: Vec<ShownEffect>,
    /// A write of the step that is in doubt, where that holds it.
    pub held: Option<String>,
    /// A write of the step is in doubt.
    pub in_doubt: bool,
    /// Answers to reads, to be kept.
    pub reads: Vec<RecordedRead>,
    /// Lines of its log.
    pub log: Vec<LogLine>,
    /// Key-value writes to apply if it succeeded.
    pub keys: KeySettlement,
    /// Credential that was attached last.
    pub attached: Option<Attached>,
    /// Why the last request was not sent (no credential, open breaker), and what would help.
    pub obstacle: Option<(String, Remedy)>,
    /// Outcomes of its writes that may not be durable yet.
    pub recordings: Vec<Recording>,
    /// Writes that samples answered: nothing of them was sent.
    pub sampled: Vec<Sampled>,
    /// Requests that it has asked for.
    pub http_calls: u32,
    /// Bytes of the largest body of an answer.
    pub largest_response: usize,
    /// Requests for a trace.
    pub sent: Vec<SentRequest>,
}

impl Attempt {
    /// An attempt about to begin.
    pub fn new(new: NewAttempt) -> Attempt {
        // The store keeps milliseconds: the first attempt must not see a finer start than the next ones.
        let whole = Timestamp::from_millisecond(new.started_at.as_millisecond()).unwrap_or(new.started_at);
        let clock_start = new.snapshot.clock_start.unwrap_or(whole);
        Attempt {
            journal: Journal::new(&new.id, &new.snapshot),
            keys: KeyValue::new(new.id.plugin.clone(), new.limits.key_value, &new.snapshot),
            surroundings: Surroundings::new(
                VirtualClock::new(clock_start),
                &KeyedRandom::new(&new.random_secret, &new.id),
                LogBuffer::new(new.limits.log_size),
            ),
            shown: Vec::new(),
            calls: 0,
            largest_response: 0,
            // A batch is made durable with its members' attempts before its call begins.
            opened: new.abilities == Abilities::Together,
            attached: None,
            obstacle: None,
            recordings: Vec::new(),
            sampled: Vec::new(),
            id: new.id,
            abilities: new.abilities,
            conduct: new.conduct,
            holds: new.holds,
            reads: ReadLog::default(),
            limits: new.limits,
            input: new.input,
            started_at: new.started_at,
            store: new.store,
            outbound: new.outbound,
            behind: new.behind,
            cancel: new.cancel,
            trace: new.trace,
        }
    }

    /// What the plugin sees through WASI.
    pub fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The plugin's log.
    pub fn log(&self) -> &LogBuffer {
        &self.surroundings.log
    }

    /// The key of a named write in its present generation.
    pub fn key(&self, name: &str) -> String {
        self.journal.key(name)
    }

    /// The key of the step as a whole: the same on every attempt.
    pub fn step_key(&self) -> String {
        self.journal.step_key()
    }

    /// Sends a request, or answers it from the journal.
    ///
    /// # Errors
    /// The outer error breaks the attempt off; the inner one is the plugin's to handle.
    pub async fn send(&mut self, request: Request) -> Result<Result<Response, HttpError>, Break> {
        let answer = self.ask(request).await;
        if let Ok(Ok(response)) = &answer {
            self.largest_response = self.largest_response.max(response.body.len());
        }
        answer
    }

    async fn ask(&mut self, request: Request) -> Result<Result<Response, HttpError>, Break> {
        if self.calls >= self.limits.http_calls {
            return Ok(Err(HttpError::TooManyCalls(self.limits.http_calls)));
        }
        self.calls += 1;
        let Some(outbound) = self.outbound.clone() else {
            let why = "a step of the host's own sends nothing on a plugin's behalf".to_owned();
            return Ok(Err(self.refuse(&request, HttpError::Denied(why))));
        };
        let mut exchange = match outbound.prepare(&request) {
            Ok(exchange) => exchange,
            Err(error) => return Ok(Err(self.refuse(&request, error))),
        };
        if let Some(place) = self.next_told() {
            exchange.hand_on(&place);
        }
        if exchange.reads {
            return self.read(&outbound, &request, &exchange).await;
        }
        if self.abilities == Abilities::ReadOnly {
            let why = "poll and receive may only read; a POST that only reads needs the mark and the administrator's read-only".to_owned();
            return Ok(Err(self.refuse(&request, HttpError::Denied(why))));
        }
        if request.name.as_ref().is_some_and(|name| name.is_empty() || name.len() > MAX_NAME || name.contains('\0')) {
            let why = format!("a write's name has 1 to {MAX_NAME} bytes and no NUL character");
            return Ok(Err(self.refuse(&request, HttpError::InvalidRequest(why))));
        }
        self.write(&outbound, request, &exchange).await
    }

    async fn write(&mut self, outbound: &Outbound, request: Request, exchange: &Exchange) -> Result<Result<Response, HttpError>, Break> {
        let mut row = match self.begin(&request, exchange.url(), HTTP).await? {
            Began::Send(row) => *row,
            Began::NameUsed(name) => return Ok(Err(self.refuse(&request, HttpError::NameUsed(name)))),
            Began::Done(row) => {
                return match journal::recorded_response(&row) {
                    Ok(response) => Ok(Ok(response)),
                    Err(why) => Err(Break::Store(why)),
                };
            }
        };
        let place = self.next_place_of(row.seq);
        let (sent, result) = outbound.exchange(exchange, Some(&row.key), self.time_left(), &self.cancel).await;
        self.attached = sent.attached.or(self.attached.take());
        self.note_obstacle(&result);
        self.store.crash().at(Point::Answered);
        row.duration_ms = Some(millis(sent.duration));
        journal::settle(&mut row, &result);
        let told = Sent {
            kind: HTTP,
            method: exchange.method(),
            url: exchange.url(),
            status: result.as_ref().ok().map(|response| response.status),
            error: result.as_ref().err().map(traced::word),
            took: sent.duration,
            seq: row.seq,
            name: request.name.as_deref(),
        };
        self.note_sent(place, told);
        self.end(&request, row, result.as_ref().err().map(ToString::to_string)).await?;
        Ok(result)
    }

    /// A write that wants to leave: what becomes of it. When it may, its intent is durable.
    async fn begin(&mut self, request: &Request, url: &Url, kind: &'static str) -> Result<Began, Break> {
        let decision = self.journal.decide(request, url);
        let mut row = match decision {
            Decision::NameUsed(name) => return Ok(Began::NameUsed(name)),
            Decision::Diverged(why) if self.conduct.is_dry() => {
                let identity = self.journal.identity_of(request, url);
                return Err(self.would_send(request, url, kind, identity, None, Some(why)));
            }
            Decision::Diverged(why) => {
                let mut shown = ShownEffect::new(self.next_seq(), request, url.as_str(), EffectState::Failed).of_kind(kind);
                shown.error = Some(why.clone());
                self.shown.push(shown);
                return Err(Break::Diverged(why));
            }
            Decision::Replay(row) => {
                let mut shown = ShownEffect::new(self.next_seq(), request, &row.url, EffectState::Done).of_row(&row);
                shown.replayed = true;
                self.shown.push(shown);
                return Ok(Began::Done(row));
            }
            Decision::Send(row) if self.conduct.is_dry() => {
                if let Some(response) = self.conduct.sample(request, url) {
                    return Ok(Began::Done(Box::new(self.answer_with(request, *row, kind, response))));
                }
                return Err(self.would_send(request, url, kind, row.id.identity, Some(row.key), None));
            }
            Decision::Send(row) => *row,
        };
        if self.holds
            && let Some(known) = self.journal.in_doubt(&row.id.identity)
        {
            let why = Break::Held(known.described());
            let mut shown = ShownEffect::new(self.next_seq(), request, &row.url, EffectState::Failed).of_kind(kind);
            shown.error = Some(why.to_string());
            self.shown.push(shown);
            return Err(why);
        }
        kind.clone_into(&mut row.kind);
        row.seq = self.next_seq();
        row.run.clone_from(&self.id.run);
        row.attempt = self.id.number;
        row.started_at = Timestamp::now();
        row.request_body = (request.body.len() <= MAX_KEPT_BODY).then(|| request.body.clone());
        if self.conduct.journals()
            && let Err(broken) = self.intend(&row).await
        {
            if matches!(broken, Break::Store(_)) {
                // The intent may be durable, its answer lost: the request has not left, and that is known now.
                row.state = if row.doubted { EffectState::InDoubt } else { EffectState::Failed };
                let _ = self.store.outcome(self.id.fence, row).await; // without it the write is in doubt, as after a crash
            }
            return Err(broken);
        }
        self.store.crash().at(Point::Intended);
        Ok(Began::Send(Box::new(row)))
    }

    /// A write has ended: its outcome is on the way to the store.
    async fn end(&mut self, request: &Request, row: EffectRow, error: Option<String>) -> Result<(), Break> {
        let row = Arc::new(row);
        if self.conduct.journals() {
            self.recordings.push(self.store.outcome(self.id.fence, row.clone()).await?);
        }
        self.store.crash().at(Point::Recorded);
        let mut shown = ShownEffect::new(row.seq, request, &row.url, row.state).of_row(&row);
        shown.status = row.status;
        shown.duration_ms = row.duration_ms.unwrap_or_default();
        shown.error = error;
        self.shown.push(shown);
        self.journal.record(row);
        Ok(())
    }

    /// Makes the intent durable, and with the first one everything the attempt stands on.
    async fn intend(&mut self, row: &EffectRow) -> Result<(), Break> {
        let opening = (!self.opened).then(|| Opening {
            started_at: self.started_at,
            clock_start: self.surroundings.clock.start(),
            input: self.input.clone(),
            plugin: self.id.plugin.clone(),
            reads: self.keys.unclaimed(),
            digest: (!self.id.component.is_empty()).then(|| self.id.component.clone()),
        });
        self.store.intend(Intent { fence: self.id.fence, effect: row.clone(), opening }).await?;
        self.opened = true;
        self.keys.claimed();
        // Answered by now: it was queued before.
        if let Some(behind) = self.behind.take() {
            behind.await.map_err(|error| match &*error {
                StoreError::Fenced => Break::Fenced,
                other => Break::Store(format!("what it follows from is not durable: {}", crate::telemetry::chain(other))),
            })?;
        }
        Ok(())
    }

    fn refuse(&mut self, request: &Request, error: HttpError) -> HttpError {
        let mut shown = ShownEffect::new(self.next_seq(), request, &request.url, EffectState::Failed);
        let mut why = error.to_string();
        why.truncate(why.floor_char_boundary(MAX_WHY));
        shown.error = Some(why);
        self.shown.push(shown);
        error
    }

    /// The last request counts: a plugin that got over an earlier one fails for reasons of its own.
    fn note_obstacle(&mut self, result: &Result<Response, HttpError>) {
        self.obstacle = match result {
            Err(HttpError::Credential(why, remedy)) => Some((why.clone(), *remedy)),
            Err(HttpError::Unavailable { why, after }) => {
                let again = jiff::SignedDuration::try_from(*after).ok().and_then(|after| Timestamp::now().checked_add(after).ok());
                Some((why.clone(), again.map_or(Remedy::Later, Remedy::At)))
            }
            _ => None,
        };
    }

    fn next_seq(&self) -> u32 {
        u32::try_from(self.shown.len()).unwrap_or(u32::MAX).saturating_add(1)
    }

    fn time_left(&self) -> Duration {
        self.limits.ends.saturating_duration_since(Instant::now())
    }

    /// The value of a key.
    pub async fn key_get(&mut self, key: &str) -> Result<Option<Vec<u8>>, KeyError> {
        self.keys_open()?;
        self.keys.get(&self.store, key).await
    }

    /// Sets a key with the step's success.
    pub async fn key_set(&mut self, key: &str, value: Vec<u8>) -> Result<(), KeyError> {
        self.keys.set(&self.store, key, Some(value)).await
    }

    /// Removes a key with the step's success.
    pub async fn key_delete(&mut self, key: &str) -> Result<(), KeyError> {
        self.keys.set(&self.store, key, None).await
    }

    /// Adds to a number.
    pub async fn key_increment(&mut self, key: &str, delta: i64) -> Result<i64, KeyError> {
        self.keys_open()?;
        self.keys.increment(&self.store, key, delta).await
    }

    /// Sets a key if it has the expected value.
    pub async fn key_compare_and_swap(&mut self, key: &str, expected: Option<Vec<u8>>, value: Vec<u8>) -> Result<bool, KeyError> {
        self.keys_open()?;
        self.keys.compare_and_swap(&self.store, key, expected, value).await
    }

    /// A page of keys.
    pub async fn key_list(&mut self, prefix: &str, cursor: Option<String>, limit: u32) -> Result<(Vec<String>, Option<String>), KeyError> {
        self.keys_open()?;
        self.keys.list(&self.store, prefix, cursor, limit).await
    }

    /// What is kept of it. The attempt is over.
    pub fn finish(mut self) -> AttemptRecord {
        let mut effects = self.shown;
        for (key, removed) in self.keys.written() {
            let seq = u32::try_from(effects.len()).unwrap_or(u32::MAX).saturating_add(1);
            let mut shown = ShownEffect::key_value(seq, key, removed);
            if self.conduct.is_dry() {
                shown.state = EffectState::Intent;
                shown.dropped = true;
            }
            effects.push(shown);
        }
        if self.keys.took_effect_before() {
            let why = "the step has succeeded before in its line, and its key-value writes took effect then";
            ShownEffect::drop_key_values(&mut effects, why);
        }
        let mut unrepeated: Vec<ShownEffect> = Vec::new();
        for row in self.journal.unrepeated() {
            let seq = u32::try_from(effects.len() + unrepeated.len()).unwrap_or(u32::MAX).saturating_add(1);
            unrepeated.push(ShownEffect::unrepeated(seq, row));
        }
        AttemptRecord {
            sent: self.trace.take().map(AttemptTrace::into_sent).unwrap_or_default(),
            in_doubt: self.journal.first_in_doubt().is_some(),
            held: self.journal.first_in_doubt().filter(|_| self.holds).map(EffectRow::described),
            started_at: self.started_at,
            clock_start: self.surroundings.clock.start(),
            input: self.input,
            effects,
            unrepeated,
            reads: self.reads.take(),
            log: self.surroundings.log.take(),
            keys: self.keys.settlement(&self.id),
            attached: self.attached.take(),
            obstacle: self.obstacle.take(),
            recordings: self.recordings,
            sampled: self.sampled,
            http_calls: self.calls,
            largest_response: self.largest_response,
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
