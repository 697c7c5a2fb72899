//! `type = "nats"`: messages of a JetStream stream, by a durable consumer that all hosts share.
//!
//! A message is acknowledged once what came of it is durable, and the server's own answer to that is awaited. Until then it is the server's: a
//! host that dies leaves it to the next, and one that came twice is known by its id. What can't be made into an event is set aside in the store,
//! and the server is told not to send it again.

mod message;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, PullConsumer};
use async_nats::jetstream::{AckKind, ErrorCode, Message};
use futures::{FutureExt as _, StreamExt as _};
use jiff::Timestamp;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::shape;
use crate::config::{Nats, NatsDeliver, Source, SourceKind};
use crate::crash::Point;
use crate::nats::{Link, REQUEST_TIMEOUT, Receives, Reception};
use crate::runtime::{Intake, IntakeError, Pressed, Runtime, came_with};
use crate::store::{Accepted, NewEvent, NewSetAside, SetAsideKind, SetAsideRow};
use crate::telemetry::{self, TraceContext};
use message::Taken;

/// How long one request for messages stays with the server.
const EXPIRES: Duration = Duration::from_secs(20);
/// First pause after something went wrong; it doubles …
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// … up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How soon the server sends again what could not be kept.
const AGAIN: Duration = Duration::from_secs(2);
/// What a server waits for an acknowledgement where nobody has said otherwise.
const USUAL_ACK_WAIT: Duration = Duration::from_secs(30);
/// Messages that all hosts together have in hand, where nobody has said otherwise.
const USUAL_PENDING: i64 = 1000;

/// Takes in a source's messages until it is told to stop.
pub(super) async fn work(runtime: Arc<Runtime>, source: Arc<Source>, stop: CancellationToken) {
    let SourceKind::Nats(nats) = &source.kind else { return };
    let mut worker = Worker { runtime: &runtime, source: &source, nats, stop: &stop, last_message_at: None, failures: 0 };
    while !stop.is_cancelled() {
        let why = match worker.session().await {
            Ok(()) => continue,
            Err(why) => why,
        };
        let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(worker.failures.min(10))).min(LONGEST_PAUSE);
        // Once when it begins: what goes on is seen in `GET /v1/sources`.
        if worker.failures == 0 {
            tracing::warn!(source = source.name, reason = why, "the source is interrupted; this host goes on trying");
        }
        worker.failures += 1;
        worker.note(Receives::Interrupted, Some(&why), (None, None));
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(pause) => {}
        }
    }
}

struct Worker<'a> {
    runtime: &'a Runtime,
    source: &'a Source,
    nats: &'a Nats,
    stop: &'a CancellationToken,
    last_message_at: Option<Timestamp>,
    /// Sessions in a row that ended without a message.
    failures: u32,
}

/// What becomes of a message.
enum Made {
    /// It is these events.
    Events(Vec<NewEvent>),
    /// It can't be made into one.
    Poison(NewSetAside),
}

impl Worker<'_> {
    /// Works on one connection until it is told to stop, or until something is in the way.
    async fn session(&mut self) -> Result<(), String> {
        self.note(Receives::Connecting, None, (None, None));
        let name = format!("sangam {}", self.runtime.identity.name);
        let link = self.runtime.nats.link(&self.runtime.broker, &self.nats.server, &name).await;
        let link = link.map_err(|error| error.to_string())?;
        let consumer = tokio::select! {
            () = self.stop.cancelled() => return Ok(()),
            consumer = self.consumer(&link) => consumer?,
        };
        let info = consumer.cached_info();
        let ack_wait = Some(info.config.ack_wait).filter(|wait| !wait.is_zero()).unwrap_or(USUAL_ACK_WAIT);
        self.note(Receives::Receiving, None, (Some(info.num_pending), Some(info.num_redelivered as u64)));
        tracing::info!(source = self.source.name, stream = self.nats.stream, consumer = self.nats.consumer, "the source receives");
        loop {
            if link.is_lost() {
                return Err("the connection to the NATS server is lost".to_owned());
            }
            if let Some(why) = link.away() {
                self.note(Receives::Connecting, Some(&why), (None, None));
                let mut state = link.state();
                tokio::select! {
                    () = self.stop.cancelled() => return Ok(()),
                    _ = state.changed() => {}
                    // Lost for good is seen by the clock alone.
                    () = tokio::time::sleep(LONGEST_PAUSE) => {}
                }
                continue;
            }
            if let Err(pressed) = self.runtime.pressure.check(&self.runtime.store).await {
                // What is not asked for stays where it is safe.
                self.hold(&pressed).await;
                if self.stop.is_cancelled() {
                    return Ok(());
                }
                continue;
            }
            self.note(Receives::Receiving, None, (None, None));
            if !self.pull(&link, &consumer, ack_wait).await? {
                return Ok(());
            }
        }
    }

    /// One request for messages. `false`: the source is to stop.
    async fn pull(&mut self, link: &Link, consumer: &PullConsumer, ack_wait: Duration) -> Result<bool, String> {
        let mut state = link.state();
        let number = state.borrow_and_update().number;
        let batch = consumer.batch().max_messages(self.nats.max_batch).max_bytes(self.nats.max_batch_size).expires(EXPIRES);
        let mut messages = batch.messages().await.map_err(|error| format!("messages can't be asked for: {}", telemetry::chain(&error)))?;
        loop {
            let first = tokio::select! {
                () = self.stop.cancelled() => return Ok(false),
                changed = state.changed() => {
                    let state = state.borrow_and_update().clone();
                    match changed {
                        // The server knows of this request no more.
                        Ok(()) if state.connected && state.number != number => return Ok(true),
                        Ok(()) if !state.connected => {
                            self.note(Receives::Connecting, state.why.as_deref(), (None, None));
                            if state.refused {
                                return Err(state.why.unwrap_or_else(|| "the server refuses the login".to_owned()));
                            }
                            continue;
                        }
                        Ok(()) => continue,
                        Err(_) => return Err("the connection to the NATS server is closed".to_owned()),
                    }
                }
                first = messages.next() => match first {
                    None => return Ok(true),
                    Some(Err(error)) => return Err(format!("the server ends the request for messages: {error}")),
                    Some(Ok(message)) => message,
                },
            };
            let mut group = vec![first];
            // What is there already goes in with it, in one transaction.
            while let Some(Some(Ok(message))) = messages.next().now_or_never() {
                group.push(message);
            }
            self.failures = 0;
            self.last_message_at = Some(self.runtime.clock.now());
            if !self.take(&group, ack_wait).await {
                // The rest of this request goes back with it, so that another host has it at once.
                while let Some(Some(Ok(message))) = messages.next().now_or_never() {
                    let _ = message.ack_with(AckKind::Nak(Some(AGAIN))).await; // else the server notices by itself, later
                }
                return Ok(true);
            }
        }
    }

    /// Takes messages in, and tells the server all the while that they are in hand. `false`: they could not be kept, and were given back.
    async fn take(&mut self, group: &[Message], ack_wait: Duration) -> bool {
        let work = self.keep(group);
        tokio::pin!(work);
        let mut sign = tokio::time::interval(ack_wait / 3);
        sign.tick().await;
        let kept = loop {
            tokio::select! {
                kept = &mut work => break kept,
                _ = sign.tick() => {
                    let signs = group.iter().map(|message| message.ack_with(AckKind::Progress));
                    futures::future::join_all(signs).await;
                }
            }
        };
        let (answers, kept): (Vec<AckKind>, bool) = match kept {
            Ok(ends) => (ends.into_iter().map(|poison| if poison { AckKind::Term } else { AckKind::Ack }).collect(), true),
            Err(pressed) => {
                let after = match &pressed {
                    Pressed::TooMuch(_) => AGAIN,
                    Pressed::Unavailable(_, after) => AGAIN.max(*after),
                };
                self.note(Receives::Waiting, Some(&said(&pressed)), (None, None));
                (group.iter().map(|_| AckKind::Nak(Some(after))).collect(), false)
            }
        };
        self.runtime.store.crash().at(Point::Accepted);
        let answered = group.iter().zip(answers).map(|(message, kind)| acknowledge(message, kind));
        let lost = futures::future::join_all(answered).await.into_iter().filter(|answered| !answered).count();
        if lost > 0 {
            tracing::debug!(source = self.source.name, lost, "acknowledgements got no answer: those messages come again, and are known");
        }
        if kept {
            let pending = group.last().and_then(|message| message.info().ok()).map(|info| info.pending);
            self.note(Receives::Receiving, None, (pending, None));
        }
        kept
    }

    /// Makes events of messages and keeps them; says of each whether it is poison.
    async fn keep(&self, group: &[Message]) -> Result<Vec<bool>, Pressed> {
        let size: usize = group.iter().map(|message| message.length).sum();
        let _room = self.runtime.pressure.admit(size)?;
        let mut rows = Vec::new();
        let mut aside = Vec::new();
        let mut ends = Vec::with_capacity(group.len());
        for message in group {
            match self.made(message).await {
                Made::Events(events) => {
                    rows.extend(events);
                    ends.push(false);
                }
                Made::Poison(thing) => {
                    aside.push(thing);
                    ends.push(true);
                }
            }
        }
        let unavailable = || Pressed::Unavailable("the store can't be written now".to_owned(), AGAIN);
        if !aside.is_empty() {
            for thing in &aside {
                tracing::warn!(source = self.source.name, reason = thing.reason, "a message was set aside");
            }
            self.runtime.store.set_aside(aside).await.map_err(|_| unavailable())?;
        }
        let runs = rows.iter().flat_map(|row| &row.runs).filter(|run| run.dead.is_none()).count();
        let reservation = self.runtime.pressure.reserve(&self.runtime.store, runs as u64).await?;
        let dead: Vec<String> =
            rows.iter().flat_map(|row| &row.runs).filter(|run| run.dead.is_some()).map(|run| run.route.clone()).collect();
        let came = self.runtime.came(&rows);
        let accepted = if rows.is_empty() { Ok(Vec::new()) } else { self.runtime.take_in(rows).await };
        self.runtime.pressure.wrote(accepted.is_ok());
        let accepted = accepted.map_err(|error| {
            tracing::error!(source = self.source.name, error = telemetry::chain(&error), "messages could not be taken in");
            unavailable()
        })?;
        reservation.durable();
        self.runtime.took_in(&came, &accepted, None);
        let uri = self.source.uri();
        for outcome in &accepted {
            self.runtime.metrics.accepted(&uri, outcome.duplicate);
        }
        if accepted.iter().any(|outcome| !outcome.duplicate) {
            for route in &dead {
                self.runtime.metrics.run_ended(route, "dead");
            }
        }
        Ok(ends)
    }

    async fn made(&self, message: &Message) -> Made {
        let now = self.runtime.clock.now();
        let Ok(info) = message.info() else {
            let why = "it did not come from a stream: it has no reply subject of JetStream";
            return Made::Poison(NewSetAside::new(&self.source.name, SetAsideKind::Body, message.payload.to_vec(), why, now));
        };
        let taken = Taken {
            stream: info.stream,
            sequence: info.stream_sequence,
            published: time(info.published.unix_timestamp_nanos()),
            deliveries: info.delivered,
            subject: &message.subject,
            headers: message.headers.as_ref(),
            payload: &message.payload,
        };
        let poison = |kind, data: Vec<u8>, why: String| {
            Made::Poison(NewSetAside::new(&self.source.name, kind, data, why, now).context(message::context(&taken)))
        };
        let body = |why: String| poison(SetAsideKind::Body, message.payload.to_vec(), why);
        let delivered = match message::delivered(&taken, self.nats.body) {
            Ok(delivered) => delivered,
            Err(why) => return body(why),
        };
        let events = match shape::events(&self.runtime.evaluator, self.source, delivered).await {
            Ok(events) => events,
            Err(why) => return body(why.to_string()),
        };
        let intake = Intake::new(self.runtime);
        let mut rows = Vec::with_capacity(events.len());
        for (event, prepared) in events.iter().zip(intake.prepare_batch(&events).await) {
            match prepared {
                Ok(row) => rows.push(row),
                Err(error @ (IntakeError::Unfit { .. } | IntakeError::TooManyHops)) => {
                    return poison(SetAsideKind::Event, event.to_text().into_bytes(), error.to_string());
                }
            }
        }
        let header = |name: &str| message.headers.as_ref().and_then(|headers| headers.get(name)).map(|value| value.as_str());
        let trace = header("traceparent").and_then(|traceparent| TraceContext::parse(traceparent, header("tracestate")));
        came_with(&mut rows, trace.as_ref());
        Made::Events(rows)
    }

    /// Waits until events can be taken in again.
    async fn hold(&mut self, pressed: &Pressed) {
        self.note(Receives::Waiting, Some(&said(pressed)), (None, None));
        tokio::select! {
            () = self.stop.cancelled() => {}
            () = tokio::time::sleep(AGAIN) => {}
        }
    }

    /// The durable consumer: as it is, made or adapted to what the configuration says of it.
    async fn consumer(&self, link: &Link) -> Result<PullConsumer, String> {
        let nats = self.nats;
        let jetstream = link.jetstream(nats.domain.as_deref());
        let several = nats.filter_subjects.as_ref().is_some_and(|subjects| subjects.len() > 1);
        if several && !link.client.is_server_compatible(2, 10, 0) {
            return Err("a consumer with several filter-subjects needs NATS 2.10 or later".to_owned());
        }
        let of = format!("consumer {:?} of stream {:?}", nats.consumer, nats.stream);
        let found: Result<PullConsumer, _> = jetstream.get_consumer_from_stream(&nats.consumer, &nats.stream).await;
        match found {
            Ok(consumer) => {
                let config = consumer.cached_info().config.clone();
                if config.deliver_subject.is_some() || config.ack_policy != AckPolicy::Explicit {
                    return Err(format!("{of} is not a pull consumer with explicit acknowledgements; name another one, and it is made"));
                }
                let Ok(before) = <pull::Config as async_nats::jetstream::consumer::FromConsumer>::try_from_consumer_config(config) else {
                    return Err(format!("{of} is not a pull consumer"));
                };
                let wanted = wanted(nats, before.clone());
                if wanted == before {
                    return Ok(consumer);
                }
                tracing::info!(source = self.source.name, "{of} is adapted to the configuration");
                let adapted = jetstream.update_consumer_on_stream(wanted, &nats.stream).await;
                adapted.map_err(|error| format!("{of} can't be adapted to the configuration: {}", telemetry::chain(&error)))
            }
            Err(error) => {
                let missing = match error.kind() {
                    async_nats::jetstream::stream::ConsumerErrorKind::JetStream(error) => {
                        error.error_code() == ErrorCode::CONSUMER_NOT_FOUND
                    }
                    _ => false,
                };
                if !missing || !nats.create {
                    return Err(format!("{of} can't be used: {}", telemetry::chain(&error)));
                }
                tracing::info!(source = self.source.name, "{of} is made");
                let made = jetstream.create_consumer_on_stream(wanted(nats, fresh(nats)), &nats.stream).await;
                made.map_err(|error| format!("{of} can't be made: {}", telemetry::chain(&error)))
            }
        }
    }

    /// `counts`: messages that the server has for it, and that it has sent more than once; what is not said stays as it was.
    fn note(&self, state: Receives, reason: Option<&str>, counts: (Option<u64>, Option<u64>)) {
        let before = self.runtime.nats.source(&self.source.name);
        let before = before.as_ref();
        let (pending, redelivered) = counts;
        let noted = Reception {
            state,
            since: before.filter(|before| before.state == state).map_or_else(|| self.runtime.clock.now(), |before| before.since),
            reason: reason.map(str::to_owned),
            last_message_at: self.last_message_at,
            pending: pending.or(before.and_then(|before| before.pending)),
            redelivered: redelivered.or(before.and_then(|before| before.redelivered)),
        };
        self.runtime.nats.note(&self.source.name, noted);
    }
}

/// A consumer that is not there yet.
fn fresh(nats: &Nats) -> pull::Config {
    pull::Config {
        durable_name: Some(nats.consumer.clone()),
        description: Some("Events for Sangam".to_owned()),
        ack_policy: AckPolicy::Explicit,
        ack_wait: USUAL_ACK_WAIT,
        max_ack_pending: USUAL_PENDING,
        deliver_policy: match nats.deliver {
            NatsDeliver::All => DeliverPolicy::All,
            NatsDeliver::New => DeliverPolicy::New,
            NatsDeliver::Since(time) => match async_nats::datetime::from_nanos(time.as_nanosecond()) {
                Ok(start_time) => DeliverPolicy::ByStartTime { start_time },
                // A time that NATS can't say lies before everything that it has.
                Err(_) => DeliverPolicy::All,
            },
        },
        ..pull::Config::default()
    }
}

/// A consumer with what the configuration says of it; the rest stays as somebody else may have made it.
fn wanted(nats: &Nats, mut config: pull::Config) -> pull::Config {
    if let Some(wait) = nats.ack_wait {
        config.ack_wait = wait;
    }
    if let Some(pending) = nats.max_ack_pending {
        config.max_ack_pending = i64::from(pending);
    }
    match nats.filter_subjects.as_deref() {
        None => {}
        Some([one]) => {
            config.filter_subject.clone_from(one);
            config.filter_subjects.clear();
        }
        Some(several) => {
            config.filter_subject.clear();
            config.filter_subjects = several.to_vec();
        }
    }
    config
}

/// Tells the server what became of a message, and waits until it knows. `false`: it may not know.
async fn acknowledge(message: &Message, kind: AckKind) -> bool {
    let Some(reply) = message.reply.clone() else { return false };
    let client = message.context.client();
    matches!(tokio::time::timeout(REQUEST_TIMEOUT, client.request(reply, kind.into())).await, Ok(Ok(_)))
}

/// Makes events of a message that was set aside, and takes them in.
///
/// # Errors
/// Why there are none. It stays set aside with that.
pub(super) async fn retry(runtime: &Runtime, source: &Source, nats: &Nats, row: &SetAsideRow) -> Result<Vec<Accepted>, String> {
    let context: Value = row.context.as_deref().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let headers = message::headers_of(&context["headers"]);
    let text = |name: &str| context[name].as_str().unwrap_or_default();
    let (stream, subject) = (text("stream"), text("subject"));
    let taken = Taken {
        stream,
        sequence: context["sequence"].as_u64().unwrap_or_default(),
        published: text("time").to_owned(),
        deliveries: 1,
        subject,
        headers: Some(&headers),
        payload: &row.data,
    };
    let delivered = message::delivered(&taken, nats.body)?;
    let events = shape::events(&runtime.evaluator, source, delivered).await.map_err(|why| why.to_string())?;
    let rows = Intake::new(runtime).prepare_batch(&events).await.into_iter().collect::<Result<Vec<_>, _>>();
    let rows = rows.map_err(|error| error.to_string())?;
    let runs = rows.iter().flat_map(|row| &row.runs).filter(|run| run.dead.is_none()).count();
    let reservation = runtime.pressure.reserve(&runtime.store, runs as u64).await.map_err(|pressed| said(&pressed))?;
    let came = runtime.came(&rows);
    let accepted = runtime.take_in(rows).await.map_err(|error| telemetry::chain(&error))?;
    runtime.took_in(&came, &accepted, None);
    reservation.durable();
    for outcome in &accepted {
        runtime.metrics.accepted(&source.uri(), outcome.duplicate);
    }
    Ok(accepted)
}

fn said(pressed: &Pressed) -> String {
    match pressed {
        Pressed::TooMuch(why) | Pressed::Unavailable(why, _) => why.clone(),
    }
}

fn time(nanoseconds: i128) -> String {
    Timestamp::from_nanosecond(nanoseconds).map_or_else(|_| nanoseconds.to_string(), |time| time.to_string())
}
