//! A source of `type = "poll"`: one turn of it. Whatever a page brings (events, key-value writes, what was set aside) is durable together with the
//! cursor, or not at all; so a host that dies at any moment neither loses nor repeats.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::echoes;
use super::reading::{self, Asked, Brought, Reading};
use crate::config::{Poll, Source};
use crate::crash::Point;
use crate::engine::{Call, CallOutcome, PolledPage};
use crate::run::{FailureKind, StepFailure};
use crate::runtime::{Pressed, Runtime, came_with};
use crate::source::{Ending, Pace};
use crate::store::{Gathered, Lane, SetAsideKind, SetAsideRow, SourceRow, SourceSettlement, SourceState, StoreError};
use crate::telemetry;

/// Records of one page that are tried again at once.
const MOST_AGAIN: u32 = 1000;

/// What identifies the stream that a cursor belongs to.
pub(super) fn spec(poll: &Poll) -> String {
    format!("poll {}.{}", poll.stream.plugin, poll.stream.stream)
}

/// A turn under way.
struct Turn<'a> {
    runtime: &'a Arc<Runtime>,
    source: &'a Source,
    poll: &'a Poll,
    row: SourceRow,
    started: Instant,
}

/// Has one turn: reads a page, keeps what it brings, and says when the next one is due.
///
/// # Errors
/// When the store fails, or the lease is gone: then nothing of it was kept, and it is had again.
pub(super) async fn turn(runtime: &Arc<Runtime>, source: &Source, poll: &Poll, row: SourceRow) -> Result<(), StoreError> {
    let turn = Turn { runtime, source, poll, row, started: Instant::now() };
    if let Some(held) = turn.held().await? {
        return turn.end(held, None).await;
    }
    if turn.row.lane == Lane::Live {
        let again = runtime.store.set_aside_again(&source.name, MOST_AGAIN).await?;
        if let Some(first) = again.first() {
            let place = Place::of(first);
            let same: Vec<&SetAsideRow> = again.iter().filter(|row| Place::of(row) == place).collect();
            return turn.once_more(place, &same).await;
        }
    }
    let place = Place { cursor: turn.row.cursor.clone(), since: turn.row.since.map(|since| since.to_string()) };
    let reading = turn.read(&place).await;
    runtime.store.crash().at(Point::Polled);
    turn.keep(reading, &place, Vec::new()).await
}

/// Where a page is read.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    cursor: Option<String>,
    since: Option<String>,
}

impl Place {
    /// Of the page that a record came from.
    fn of(row: &SetAsideRow) -> Place {
        let context: Value = row.context.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or(Value::Null);
        let text = |name: &str| context[name].as_str().map(str::to_owned);
        Place { cursor: text("cursor"), since: text("since") }
    }
}

impl Turn<'_> {
    /// Why nothing more can be taken in now.
    async fn held(&self) -> Result<Option<Ending>, StoreError> {
        if let Err(pressed) = self.runtime.pressure.check(&self.runtime.store).await {
            return Ok(Some(pressed_by(pressed)));
        }
        let most = self.poll.set_aside_most;
        if self.runtime.store.set_aside_count(&self.source.name, most).await? >= most
            && self.runtime.store.set_aside_again(&self.source.name, 1).await?.is_empty()
        {
            let reason = format!(
                "{most} records are set aside (set-aside-most); have them tried again (`sangam sources retry {0}`) or let them go (`sangam sources discard {0}`)",
                self.source.name
            );
            return Ok(Some(Ending::Held { reason, after: self.poll.every }));
        }
        Ok(None)
    }

    async fn read(&self, place: &Place) -> Reading {
        let mut context = Map::new();
        context.insert("since".to_owned(), json!(place.since));
        if let Some(until) = self.row.until {
            context.insert("until".to_owned(), json!(until.to_string()));
        }
        let asked = Asked { source: &self.source.name, stream: &self.poll.stream, context };
        let (stream, limit) = (&self.poll.stream.stream, self.poll.limit);
        let call = |context| Call::Poll { stream: stream.clone(), cursor: place.cursor.clone(), limit, context };
        match self.row.lane {
            Lane::Live => echoes::read(self.runtime, asked, self.started + echoes::TURN, call).await,
            // Somebody asked for all that there is.
            Lane::Backfill => reading::read(self.runtime, asked, call).await,
        }
    }

    /// Reads a page again, for the sake of records that were set aside from it.
    async fn once_more(&self, place: Place, rows: &[&SetAsideRow]) -> Result<(), StoreError> {
        let reading = self.read(&place).await;
        let Err(failure) = &reading.outcome else {
            return self.keep(reading, &place, rows.iter().map(|row| row.id.clone()).collect()).await;
        };
        if matches!(failure.kind, FailureKind::Unauthorized | FailureKind::Busy | FailureKind::Conflict | FailureKind::RateLimited) {
            return self.keep(reading, &place, Vec::new()).await;
        }
        // They must not stand in the way of what is new.
        let reason = format!("the page it came from could not be read again: {}", failure.reason);
        for row in rows {
            self.runtime.store.set_aside_settled(&row.id, Some(reason.clone()), self.runtime.clock.now()).await?;
        }
        self.end(Ending::Held { reason, after: Duration::ZERO }, Some(reading.shown)).await
    }

    /// Keeps what a page brought. `from`: where it was read; `again`: it was read once more for the sake of these.
    async fn keep(&self, reading: Reading, from: &Place, again: Vec<String>) -> Result<(), StoreError> {
        let Reading { outcome, renewed, keys, shown, trace } = reading;
        let page = match outcome {
            Ok(CallOutcome::Page(page)) => page,
            Ok(_) => {
                let failure = StepFailure::new(FailureKind::InvalidOutput, "the plugin answered with something else than a page");
                return self.end(Ending::Failed { failure, renewed }, Some(shown)).await;
            }
            Err(failure) => return self.end(Ending::Failed { failure, renewed }, Some(shown)).await,
        };
        let mut brought = reading::events(self.runtime, self.source, &self.poll.stream, &page.events, self.row.until).await;
        came_with(&mut brought.events, trace.as_ref());
        let runs = brought.events.iter().flat_map(|event| &event.runs).filter(|run| run.dead.is_none()).count();
        let reservation = match self.runtime.pressure.reserve(&self.runtime.store, runs as u64).await {
            Ok(reservation) => reservation,
            Err(pressed) => return self.end(pressed_by(pressed), None).await,
        };
        let settlement = self.settlement(&page, brought, from, again, shown);
        let dead = settlement.events.iter().flat_map(|event| &event.runs).filter(|run| run.dead.is_some());
        let dead: Vec<String> = dead.map(|run| run.route.clone()).collect();
        let came = self.runtime.came(&settlement.events);
        let settled = self.runtime.store.source_settle(SourceSettlement { keys, ..settlement }).await;
        self.runtime.pressure.wrote(!matches!(&settled, Err(error) if error.is_passing()));
        match settled {
            Ok(gathered) => {
                reservation.durable();
                self.runtime.store.crash().at(Point::Gathered);
                self.runtime.took_in(&came, &gathered.accepted, None);
                self.gathered(&gathered, &dead);
                Ok(())
            }
            Err(StoreError::KeyConflict(key)) => {
                let failure = StepFailure::new(FailureKind::Conflict, StoreError::KeyConflict(key).to_string());
                self.end(Ending::Failed { failure, renewed }, None).await
            }
            Err(full @ StoreError::KeySpaceFull { .. }) => {
                let failure = StepFailure::new(FailureKind::Retry, full.to_string());
                self.end(Ending::Failed { failure, renewed }, None).await
            }
            Err(error) => Err(error),
        }
    }

    fn settlement(&self, page: &PolledPage, brought: Brought, from: &Place, again: Vec<String>, shown: Value) -> SourceSettlement {
        let row = &self.row;
        let aside = |(data, reason): &(String, String)| {
            let context = json!({ "cursor": from.cursor, "since": from.since });
            reading::aside(self.runtime, self.source, SetAsideKind::Record, data, reason).context(context)
        };
        let mut set_aside: Vec<_> = page.set_aside.iter().map(aside).collect();
        set_aside.extend(brought.set_aside);
        let next = page.next_cursor.clone().or_else(|| from.cursor.clone());
        // A plugin that says "more" and stays where it is would be asked again and again.
        let further = next != from.cursor;
        let all_beyond = row.lane == Lane::Backfill && brought.beyond > 0 && brought.events.is_empty();
        let ending =
            Ending::Page { more: page.more && further, end: row.lane == Lane::Backfill && (all_beyond || !(page.more && further)) };
        let shown_more = json!({ "events": brought.events.len(), "set_aside": set_aside.len(), "more": page.more });
        let once_more = !again.is_empty();
        let mut settlement = self.ended(&ending, Some(shown), shown_more);
        settlement.events = brought.events;
        settlement.set_aside = set_aside;
        settlement.tried_again = again;
        settlement.cursor = if once_more { row.cursor.clone() } else { next };
        settlement.reached_at = brought.newest.max(row.reached_at);
        if once_more {
            // What is new comes next.
            settlement.due_at = Some(settlement.now);
        }
        settlement
    }

    /// Ends a turn that brought nothing.
    async fn end(&self, ending: Ending, shown: Option<Value>) -> Result<(), StoreError> {
        let settlement = self.ended(&ending, shown, json!({ "events": 0, "set_aside": 0, "more": false }));
        if let Ending::Failed { failure, .. } = &ending {
            let (source, lane, kind) = (self.source.name.as_str(), self.row.lane.as_str(), failure.kind.as_str());
            let again = settlement.due_at.map(|at| at.to_string());
            match settlement.state {
                SourceState::Active => tracing::warn!(source, lane, kind, failures = settlement.failures, again, "a poll failed"),
                state => {
                    tracing::error!(source, lane, kind, state = state.as_str(), "a poll failed, and the source does not go on by itself")
                }
            }
        }
        self.runtime.store.source_settle(settlement).await?;
        Ok(())
    }

    /// What follows from the end of a turn.
    fn ended(&self, ending: &Ending, shown: Option<Value>, more: Value) -> SourceSettlement {
        let (row, now) = (&self.row, self.runtime.clock.now());
        let meanwhile = if row.lane == Lane::Backfill { self.poll.backfill_every } else { Duration::ZERO };
        let pace = Pace { every: self.poll.every, meanwhile, retry: self.poll.retry };
        let refused =
            row.failures > 0 && row.failed.as_ref().is_some_and(|(_, failure)| kind_of(failure) == FailureKind::Unauthorized.as_str());
        let jitter = (uuid::Uuid::new_v4().as_u128() >> 75) as u32 as f64 / f64::from(u32::MAX);
        let follows = pace.follows(ending, row.failures, refused, now, jitter);
        let outcome = match ending {
            Ending::Page { .. } => Some(Ok(())),
            Ending::Failed { failure, .. } => Some(Err(serde_json::to_string(failure).expect("a failure is plain data"))),
            Ending::Held { .. } => None,
        };
        let last = shown.map(|mut shown| {
            shown["at"] = json!(now.to_string());
            shown["duration_ms"] = json!(u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX));
            shown["outcome"] = match ending {
                Ending::Failed { failure, .. } => json!(failure.kind.as_str()),
                _ => json!("succeeded"),
            };
            if let Ending::Failed { failure, .. } = ending {
                shown["error"] = json!({ "kind": failure.kind.as_str(), "reason": failure.reason, "details": failure.details });
            }
            for (name, value) in more.as_object().into_iter().flatten() {
                shown[name] = value.clone();
            }
            shown.to_string()
        });
        SourceSettlement {
            name: self.source.name.clone(),
            lane: row.lane,
            fence: row.fence,
            events: Vec::new(),
            keys: None,
            set_aside: Vec::new(),
            tried_again: Vec::new(),
            cursor: row.cursor.clone(),
            state: follows.state,
            reason: follows.reason,
            due_at: follows.due_at,
            outcome,
            failures: follows.failures,
            reached_at: row.reached_at,
            last,
            now,
            point: Point::Gathering,
        }
    }

    /// What follows once a page is durable.
    fn gathered(&self, gathered: &Gathered, dead: &[String]) {
        let uri = self.source.uri();
        let new = gathered.accepted.iter().filter(|accepted| !accepted.duplicate).count();
        for accepted in &gathered.accepted {
            self.runtime.metrics.accepted(&uri, accepted.duplicate);
        }
        if new > 0 {
            dead.iter().for_each(|route| self.runtime.metrics.run_ended(route, "dead"));
            self.runtime.due.notify_one();
        }
        if gathered.set_aside > 0 {
            tracing::warn!(
                source = self.source.name,
                records = gathered.set_aside,
                "records could not be made into events and were set aside"
            );
        }
    }
}

/// Logs what becomes of a turn that the store did not keep.
pub(super) fn not_kept(source: &str, error: &StoreError) {
    match error {
        StoreError::Fenced => tracing::warn!(source, "another host has taken the source over; what was read is left to it"),
        error => tracing::error!(source, error = telemetry::chain(error), "what a source brought could not be kept; it is read again"),
    }
}

fn pressed_by(pressed: Pressed) -> Ending {
    match pressed {
        Pressed::TooMuch(reason) => Ending::Held { reason, after: Duration::from_secs(1) },
        Pressed::Unavailable(reason, after) => Ending::Held { reason, after },
    }
}

fn kind_of(failure: &str) -> String {
    let failure: Value = serde_json::from_str(failure).unwrap_or(Value::Null);
    failure["kind"].as_str().unwrap_or_default().to_owned()
}
