use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, mem,
};

use serde_json::{Value, json};

use super::{Answer, Line, NoAnswer, Sent, imports};
use crate::{
    Connector, Failure, FailureKind, Inbound, NewEvent, Page, Received, Response, Source,
    bindings::{http, key_value},
    connector::{invoke, invoke_batch},
    source::{poll, receive},
};

type System = Box<dyn FnMut(&Sent) -> Result<Response, NoAnswer>>;

/// A stand-in for the host, for one step: it keeps what the step did between calls, as the journal does.
///
/// A named write that succeeded is answered from the journal on attempts after the first. Key-value writes stay where the call
/// succeeds. A write from a stream is denied. It does not check input against schemas or hosts against grants.
#[non_exhaustive]
pub struct Host {
    /// The plugin's configuration; `{}` at first.
    pub config: Value,
    /// The CloudEvent of the run, with `data`.
    pub event: Value,
    /// 1 at first. Raise it to try again.
    pub attempt: u32,
    /// `since` of a poll.
    pub since: Option<String>,
    /// Every request that reached the system, of all calls.
    pub sent: Vec<Sent>,
    /// Every line of the log.
    pub lines: Vec<Line>,
    /// Events that succeeded calls brought in, as CloudEvents.
    pub events: Vec<Value>,
    /// The key-value space.
    pub store: BTreeMap<String, Vec<u8>>,
    journal: BTreeMap<String, Response>,
    effects: Vec<Value>,
    done_now: BTreeSet<String>,
    may_write: bool,
    system: System,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { config, event, attempt, sent, lines, events, .. } = self;
        write!(f, "Host {{ config: {config}, event: {event}, attempt: {attempt}, {sent:?}, {lines:?}, {events:?} }}")
    }
}

impl Host {
    /// A host whose requests that closure answers, with a [`Response`] or a [`NoAnswer`].
    pub fn new<A: Answer>(mut system: impl FnMut(&Sent) -> A + 'static) -> Self {
        Self {
            config: json!({}),
            event: json!({ "specversion": "1.0", "id": "1", "source": "/test", "type": "test", "data": null }),
            attempt: 1,
            since: None,
            sent: Vec::new(),
            lines: Vec::new(),
            events: Vec::new(),
            store: BTreeMap::new(),
            journal: BTreeMap::new(),
            effects: Vec::new(),
            done_now: BTreeSet::new(),
            may_write: true,
            system: Box::new(move |request| system(request).answer()),
        }
    }

    /// Does an action.
    ///
    /// # Errors
    /// Those of the action.
    pub fn invoke<P: Connector>(&mut self, action: &str, input: Value) -> Result<Value, Failure> {
        let context = json!({
            "event": self.event,
            "run": { "id": "run-1", "root": "run-1", "route": "test" },
            "step": { "name": "test", "uses": format!("{}.{action}", P::NAME), "round": 0 },
            "attempt": self.attempt,
            "idempotency_key": super::key(""),
            "deadline": "2100-01-01T00:00:00Z",
            "configuration": self.config,
        });
        self.may_write = true;
        let outcome = self.call(|| invoke::<P>(action.to_owned(), input.to_string(), context.to_string()))?;
        self.events.extend(outcome.events.iter().map(|event| parse(event)));
        Ok(parse(&outcome.data))
    }

    /// Does an action until it succeeds, as the host does; says how many attempts that took.
    ///
    /// # Panics
    /// Where the action says that trying again can't help, and after eight attempts.
    pub fn insist<P: Connector>(&mut self, action: &str, input: &Value) -> (Value, u32) {
        for attempt in 1..=8 {
            self.attempt = attempt;
            match self.invoke::<P>(action, input.clone()) {
                Ok(output) => return (output, attempt),
                Err(failure) => assert_ne!(failure.kind, FailureKind::Rejected, "{failure}"),
            }
        }
        panic!("{action} does not come to an end");
    }

    /// Does an action that undoes another, which was given `input` and gave `output` (null where it failed). It is told of the writes of this host so
    /// far: as a step of its own, it has a journal of its own.
    ///
    /// # Errors
    /// Those of the action.
    pub fn undo<P: Connector>(&mut self, action: &str, input: &Value, output: &Value) -> Result<Value, Failure> {
        let undo = json!({ "input": input, "output": output, "effects": self.effects });
        let step = (mem::take(&mut self.journal), mem::take(&mut self.effects), mem::replace(&mut self.attempt, 1));
        let outcome = self.invoke::<P>(action, undo);
        (self.journal, self.effects, self.attempt) = step;
        outcome
    }

    /// Does one action for several runs at once: each has an id, a key and a line of its own. The journal is the batch's.
    ///
    /// # Panics
    /// Where the action gives more or fewer results than there are inputs.
    pub fn invoke_batch<P: Connector>(&mut self, action: &str, inputs: &[Value]) -> Vec<Result<Value, Failure>> {
        let mut invocations = Vec::new();
        for (place, input) in inputs.iter().enumerate() {
            let run = format!("run-{}", place + 1);
            let context = json!({
                "event": self.event,
                "run": { "id": run, "root": run, "route": "test" },
                "step": { "name": "test", "uses": format!("{}.{action}", P::NAME), "round": 0 },
                "attempt": self.attempt,
                "idempotency_key": super::key(&run),
                "deadline": "2100-01-01T00:00:00Z",
                "configuration": self.config,
            });
            invocations.push((input.to_string(), context.to_string()));
        }
        self.may_write = true;
        let outcomes = self.call(|| Ok(invoke_batch::<P>(action.to_owned(), invocations)));
        let mut results = Vec::new();
        for outcome in outcomes.expect("a batch answers") {
            results.push(outcome.map(|outcome| {
                self.events.extend(outcome.events.iter().map(|event| parse(event)));
                parse(&outcome.data)
            }));
        }
        results
    }

    /// Reads the next page of a stream. Cursors are JSON; the events go to [`Host::events`] and not into the page.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn poll<P: Source>(&mut self, stream: &str, cursor: Option<Value>, limit: u32) -> Result<Page<Value>, Failure> {
        let (stream, cursor) = (stream.to_owned(), cursor.map(|cursor| cursor.to_string()));
        let context = self.source_context();
        let page = self.call(|| poll::<P>(stream, cursor, limit, context))?;
        self.events.extend(page.events.iter().map(|event| parse(event)));
        Ok(Page { events: Vec::new(), next_cursor: page.next_cursor.as_deref().map(parse), more: page.more, set_aside: page.set_aside })
    }

    /// Hands a webhook to a stream. The events go to [`Host::events`] too.
    ///
    /// # Errors
    /// Those of the stream.
    pub fn receive<P: Source>(&mut self, stream: &str, request: Inbound) -> Result<Received, Failure> {
        let context = self.source_context();
        let received = self.call(|| receive::<P>(stream.to_owned(), request, context))?;
        self.events.extend(received.events.iter().cloned().map(|event| parse(&NewEvent::into_text(event))));
        Ok(received)
    }

    fn source_context(&mut self) -> String {
        self.may_write = false;
        json!({
            "source": "test",
            "since": self.since,
            "deadline": "2100-01-01T00:00:00Z",
            "configuration": self.config,
        })
        .to_string()
    }

    fn call<T>(&mut self, run: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let before = self.store.clone();
        self.done_now.clear();
        let outcome = imports::with(self, run);
        if outcome.is_err() {
            self.store = before;
        }
        outcome
    }

    pub(super) fn send(&mut self, request: &http::Request) -> Result<http::Response, NoAnswer> {
        let sent = Sent {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            name: request.name.clone(),
            key: request.name.as_deref().map(super::key),
            read_only: request.read_only,
        };
        let write = sent.writes().then(|| sent.name.clone());
        if write.is_some() && !self.may_write {
            return Err(NoAnswer::Denied("streams may only read".into()));
        }
        let name = write.flatten();
        if let Some(name) = &name {
            if self.done_now.contains(name) {
                return Err(NoAnswer::NameUsed(name.clone()));
            }
            if let Some(recorded) = self.journal.get(name).filter(|_| self.attempt > 1).cloned() {
                self.done_now.insert(name.clone());
                return Ok(wire(recorded));
            }
        }
        let answer = (self.system)(&sent);
        if sent.writes() {
            // A write that goes again is the same effect.
            let known = self.effects.iter().position(|effect| name.is_some() && effect["name"].as_str() == name.as_deref());
            let known = known.map(|known| self.effects.remove(known));
            let doubted = known.is_some_and(|known| known["state"] == "in-doubt");
            self.effects.push(effect(&sent, answer.as_ref().ok(), doubted));
        }
        self.sent.push(sent);
        let response = answer?;
        if let Some(name) = name.filter(|_| response.is_success()) {
            self.done_now.insert(name.clone());
            self.journal.insert(name, response.clone());
        }
        Ok(wire(response))
    }

    pub(super) fn increment(&mut self, key: &str, delta: i64) -> Result<i64, key_value::Error> {
        let present = self.store.get(key).map_or("0".into(), |value| String::from_utf8_lossy(value));
        let sum = present.parse().ok().and_then(|present: i64| present.checked_add(delta));
        let sum = sum.ok_or_else(|| key_value::Error::Invalid("not a number, or too large a one".into()))?;
        self.store.insert(key.to_owned(), sum.to_string().into());
        Ok(sum)
    }

    pub(super) fn list(&self, prefix: &str, cursor: Option<&str>, limit: u32) -> key_value::Keys {
        let limit = limit.clamp(1, 1000) as usize;
        let all = self.store.keys().filter(|key| key.starts_with(prefix));
        let mut keys: Vec<_> = all.filter(|key| cursor.is_none_or(|cursor| key.as_str() > cursor)).take(limit + 1).cloned().collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        key_value::Keys { next_cursor: keys.last().filter(|_| more).cloned(), keys }
    }
}

/// What the undo of a step is told of one of its writes.
fn effect(sent: &Sent, answer: Option<&Response>, doubted: bool) -> Value {
    let state = match answer.map(|answer| answer.status) {
        None | Some(408 | 500..) => "in-doubt",
        // After a doubt no refusal proves anything.
        Some(400..500) if doubted => "in-doubt",
        Some(400..500) => "failed",
        Some(_) => "done",
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    json!({
        "name": sent.name,
        "key": sent.key,
        "state": state,
        "request": { "method": sent.method, "url": sent.url, "headers": {}, "body": sent.text() },
        "response": answer.map(|answer| json!({ "status": answer.status, "headers": {}, "body": text(&answer.body) })),
    })
}

fn wire(response: Response) -> http::Response {
    http::Response { status: response.status, headers: response.headers, body: response.body }
}

fn parse(text: &str) -> Value {
    serde_json::from_str(text).expect("the SDK writes JSON")
}
