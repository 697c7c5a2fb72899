//! A system that answers from exchanges: to the letter for a case, or as it was taught for anything like them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use serde_json::Value;
use tokio::sync::Notify;
use url::Url;

use super::case::{Exchange, ExpectedRequest, GivenResponse, NoAnswer};
use super::difference::{differences, shown};
use super::fault::Injection;
use super::pattern::Placeholders;
use crate::outbound::{Asked, FarEnd, HttpError, Response};
use crate::telemetry::plain;

/// How closely a request must be one of the exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Teaching {
    /// Each exchange once, writes in their order, nothing else: a case.
    Strict,
    /// Any exchange any number of times: a case in which something goes wrong, so that what is asked comes again.
    Again,
    /// What is like none is answered as the nearest one of the same method and shape of path.
    Shape,
}

/// A request that came, and what became of it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// What was asked.
    pub asked: Asked,
    /// The exchange that answered, if any.
    pub exchange: Option<usize>,
    /// The system did it.
    pub done: bool,
    /// What was put in its way.
    pub met: bool,
}

/// A system that answers from exchanges.
pub struct Script {
    exchanges: Arc<Vec<Exchange>>,
    placeholders: Placeholders,
    teaching: Teaching,
    injection: Option<Injection>,
    crash: Arc<Notify>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    used: Vec<u32>,
    /// The last required write, in the order of the file.
    written: Option<usize>,
    /// How often each write was done, by its name or method and path.
    done: BTreeMap<String, u32>,
    keys: BTreeSet<String>,
    seen: Vec<Seen>,
    trouble: Vec<String>,
    crashed: bool,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Script").field("teaching", &self.teaching).finish_non_exhaustive()
    }
}

impl Script {
    /// Answers from these exchanges.
    pub fn new(exchanges: Arc<Vec<Exchange>>, placeholders: Placeholders, teaching: Teaching) -> Script {
        let state = State { used: vec![0; exchanges.len()], ..State::default() };
        Script { exchanges, placeholders, teaching, injection: None, crash: Arc::default(), state: Mutex::new(state) }
    }

    /// With something that goes wrong.
    pub fn with(mut self, injection: Injection) -> Script {
        self.injection = Some(injection);
        self
    }

    /// Told when the host is to die.
    pub fn crash(&self) -> Arc<Notify> {
        self.crash.clone()
    }

    /// What came, in order.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How often each write was done, by its name or method and path.
    pub fn done(&self) -> BTreeMap<String, u32> {
        self.state().done.clone()
    }

    /// What was wrong with the requests, and, where every exchange counts, which were not asked for.
    pub fn trouble(&self) -> Vec<String> {
        let state = self.state();
        let mut trouble = state.trouble.clone();
        if self.teaching == Teaching::Strict {
            for (exchange, used) in self.exchanges.iter().zip(&state.used) {
                if !exchange.optional && *used < exchange.times {
                    let request = &exchange.request;
                    let often = if exchange.times > 1 { format!(" ({used} of {} times)", exchange.times) } else { String::new() };
                    trouble.push(format!("{} {} was not asked for{often}", request.method, plain(&request.url)));
                }
            }
        }
        trouble
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Decides on one request; `None`: the host dies now.
    fn decide(&self, asked: Asked) -> Option<Result<Response, HttpError>> {
        let mut state = self.state();
        let at = state.seen.len();
        let here = |injection: &Injection| injection.at == at || (injection.lasts && injection.at < at);
        let fault = self.injection.filter(here).map(|injection| injection.fault).filter(|fault| !(fault.is_crash() && state.crashed));
        let found = self.find(&asked, &state);
        let answer = match &found {
            Ok(index) => {
                self.take(*index, &asked, &mut state);
                self.answered(&self.exchanges[*index])
            }
            Err(Unknown::NotFound) => Ok(Response { status: 404, headers: Vec::new(), body: br#"{"error":"not found"}"#.to_vec() }),
            Err(Unknown::Unexpected(why)) => {
                if fault.is_none() {
                    state.trouble.push(why.clone());
                }
                Err(HttpError::Denied(format!("the cassette has no such exchange: {why}")))
            }
        };
        let succeeds = match &answer {
            Ok(response) => response.status < 400,
            Err(error) => error.may_have_left(),
        };
        let done = succeeds && !asked.reads && found.is_ok() && fault.is_none_or(|fault| fault.is_done());
        if done {
            self.perform(found.as_ref().ok().copied(), &asked, &mut state);
        }
        let host = asked.url.host_str().unwrap_or_default().to_owned();
        state.seen.push(Seen { asked, exchange: found.ok(), done, met: fault.is_some() });
        match fault {
            None => Some(answer),
            Some(fault) => {
                state.crashed |= fault.is_crash();
                fault.answer(&host)
            }
        }
    }

    /// The exchange that answers a request.
    fn find(&self, asked: &Asked, state: &State) -> Result<usize, Unknown> {
        let possible = |index: &usize| {
            let after = self.exchanges[*index].after.as_ref();
            after.is_none_or(|name| state.done.contains_key(name))
        };
        let left = |index: &usize| {
            let exchange = &self.exchanges[*index];
            exchange.optional || state.used[*index] < exchange.times
        };
        // What is so after a write comes before what was so without it; of equals the first that is left.
        let rank = |index: &usize| (self.exchanges[*index].after.is_none(), !left(index), *index);
        let all = 0..self.exchanges.len();
        let same = |index: &usize| self.exchanges[*index].request.method == asked.method;
        let fitting =
            all.clone().filter(same).filter(possible).filter(|index| self.mismatches(&self.exchanges[*index].request, asked).is_empty());
        let mut fitting: Vec<usize> = fitting.collect();
        fitting.sort_by_key(rank);
        match (self.teaching, fitting.first()) {
            (Teaching::Strict, Some(first)) if !left(first) => {
                Err(Unknown::Unexpected(format!("{} came once more than the case has it", described(asked))))
            }
            // The last of a sequence goes on.
            (_, Some(first)) if left(first) => Ok(*first),
            (_, Some(_)) => Ok(*fitting.last().expect("there is a first")),
            (Teaching::Shape, None) => {
                let like = all.filter(possible).filter_map(|index| Some((likeness(&self.exchanges[index].request, asked)?, index)));
                let best = like.max_by_key(|(likeness, index)| (*likeness, self.exchanges[*index].after.is_some(), usize::MAX - index));
                best.map(|(_, index)| index).ok_or(Unknown::NotFound)
            }
            (Teaching::Strict | Teaching::Again, None) => Err(Unknown::Unexpected(self.nearest(asked))),
        }
    }

    fn take(&self, index: usize, asked: &Asked, state: &mut State) {
        state.used[index] += 1;
        if asked.reads || self.exchanges[index].optional || self.teaching != Teaching::Strict {
            return;
        }
        if state.written.is_some_and(|last| last > index) {
            state
                .trouble
                .push(format!("{} came later than the case has it: writes are to come in the order of the file", described(asked)));
        }
        state.written = Some(index);
    }

    fn perform(&self, index: Option<usize>, asked: &Asked, state: &mut State) {
        let repeatable = index.is_some_and(|index| is_repeatable(&self.exchanges[index]));
        let known = asked.key.as_ref().is_some_and(|key| !state.keys.insert(key.clone()));
        if !(known && repeatable) {
            *state.done.entry(identity(asked)).or_default() += 1;
        }
    }

    fn answered(&self, exchange: &Exchange) -> Result<Response, HttpError> {
        let host = Url::parse(&exchange.request.url).ok().and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default();
        match (&exchange.response, exchange.fault) {
            (Some(response), _) => Ok(self.response(response)),
            (None, Some(NoAnswer::Timeout)) => Err(HttpError::Timeout(format!("{host} did not answer completely in time"))),
            (None, Some(NoAnswer::Refused)) => Err(HttpError::NotSent(format!("can't connect to {host}: connection refused"))),
            (None, Some(NoAnswer::Reset) | None) => {
                Err(HttpError::Connection(format!("the exchange with {host} broke off: connection reset by peer")))
            }
        }
    }

    fn response(&self, given: &GivenResponse) -> Response {
        let filled = |text: &str| self.placeholders.filled(text).into_bytes();
        let mut headers: Vec<(String, Vec<u8>)> =
            given.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), filled(value))).collect();
        let body = match &given.body {
            None => Vec::new(),
            Some(Value::String(text)) => filled(text),
            Some(json) => {
                if !headers.iter().any(|(name, _)| name == "content-type") {
                    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
                }
                filled(&json.to_string())
            }
        };
        Response { status: given.status, headers, body }
    }

    /// How a request differs from the one that an exchange has.
    fn mismatches(&self, expected: &ExpectedRequest, asked: &Asked) -> Vec<String> {
        let mut found = Vec::new();
        if expected.method != asked.method {
            found.push(format!("method: expected {}, got {}", expected.method, asked.method));
        }
        self.url(&expected.url, &asked.url, &mut found);
        if let Some(name) = &expected.name
            && asked.name.as_ref().is_none_or(|asked| !self.placeholders.fits(name, asked))
        {
            found.push(format!("name: expected {name:?}, got {:?}", asked.name.as_deref().unwrap_or_default()));
        }
        for (name, value) in &expected.headers {
            let own = asked.headers.iter().find(|(own, _)| own.eq_ignore_ascii_case(name)).map(|(_, value)| String::from_utf8_lossy(value));
            // The host adds the key of a write under this name, unless the plugin sets it.
            let added = asked.key.as_deref().filter(|_| name.eq_ignore_ascii_case("idempotency-key")).map(Into::into);
            match own.or(added) {
                Some(actual) if self.placeholders.fits(value, &actual) => {}
                Some(actual) => found.push(format!("header {name}: expected {value:?}, got {:?}", self.placeholders.spelled(&actual))),
                None => found.push(format!("header {name}: expected {value:?}, is missing")),
            }
        }
        self.body(expected.body.as_ref(), asked, &mut found);
        found
    }

    fn url(&self, expected: &str, actual: &Url, found: &mut Vec<String>) {
        let (base, query) = expected.split_once('?').unwrap_or((expected, ""));
        let normal = Url::parse(base).ok().filter(|_| !base.contains("${")).map_or_else(|| base.to_owned(), Into::into);
        let mut actual_base = actual.clone();
        actual_base.set_query(None);
        if !self.placeholders.fits(&normal, actual_base.as_str()) {
            found.push(format!("url: expected {base}, got {}", self.placeholders.spelled(&plain(actual_base.as_str()))));
        }
        let mut left: Vec<(String, String)> = actual.query_pairs().into_owned().collect();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match left.iter().position(|(actual, given)| *actual == name && self.placeholders.fits(&value, given)) {
                Some(at) => drop(left.remove(at)),
                None => match left.iter().position(|(actual, _)| *actual == name) {
                    Some(at) => {
                        let (_, given) = left.remove(at);
                        found.push(format!("query {name}: expected {value:?}, got {:?}", self.placeholders.spelled(&given)));
                    }
                    None => found.push(format!("query {name}: expected {value:?}, is missing")),
                },
            }
        }
        found.extend(left.iter().map(|(name, value)| format!("query {}: not expected, is {value:?}", plain(name))));
    }

    fn body(&self, expected: Option<&Value>, asked: &Asked, found: &mut Vec<String>) {
        let text = String::from_utf8_lossy(&asked.body);
        match expected {
            None if asked.body.is_empty() => {}
            None => found.push(format!("body: none expected, got {}", shown(&Value::from(self.placeholders.spelled(&text))))),
            Some(Value::String(expected)) if self.placeholders.fits(expected, &text) => {}
            Some(Value::String(expected)) => {
                found.push(format!("body: expected {expected:?}, got {}", shown(&Value::from(self.placeholders.spelled(&text)))));
            }
            Some(expected) => match serde_json::from_slice::<Value>(&asked.body) {
                Ok(actual) => found.extend(differences(&self.placeholders, "body", expected, &actual)),
                Err(_) => found.push(format!("body: expected JSON, got {}", shown(&Value::from(text.into_owned())))),
            },
        }
    }

    /// A request that is like none, beside the exchange that it is least unlike.
    fn nearest(&self, asked: &Asked) -> String {
        let others = self.exchanges.iter().map(|exchange| (self.mismatches(&exchange.request, asked), exchange));
        let same = |exchange: &Exchange| exchange.request.name.is_some() && exchange.request.name == asked.name;
        let nearest =
            others.min_by_key(|(mismatches, exchange)| (!same(exchange), likeness(&exchange.request, asked).is_none(), mismatches.len()));
        match nearest {
            None => format!("{} was not expected: the case has no exchanges", described(asked)),
            Some((mismatches, exchange)) => {
                let request = &exchange.request;
                let lines: String = mismatches.iter().map(|line| format!("\n    {line}")).collect();
                format!("{} was not expected; nearest is {} {}:{lines}", described(asked), request.method, plain(&request.url))
            }
        }
    }
}

/// Why no exchange answers.
enum Unknown {
    /// A system without such a resource.
    NotFound,
    /// The connector is not to ask that.
    Unexpected(String),
}

impl FarEnd for Script {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Result<Response, HttpError>> {
        async move {
            match self.decide(asked) {
                Some(answer) => answer,
                None => {
                    self.crash.notify_one();
                    std::future::pending().await
                }
            }
        }
        .boxed()
    }
}

fn is_repeatable(exchange: &Exchange) -> bool {
    let request = &exchange.request;
    let spelled = || request.url.contains("${key") || request.headers.values().any(|value| value.contains("${key"));
    exchange.repeatable.unwrap_or_else(|| matches!(request.method.as_str(), "PUT" | "PATCH" | "DELETE") || spelled())
}

/// What a write is counted as.
pub(super) fn identity(asked: &Asked) -> String {
    asked.name.clone().unwrap_or_else(|| format!("{} {}", asked.method, asked.url.path()))
}

fn described(asked: &Asked) -> String {
    let name = asked.name.as_ref().map(|name| format!(" ({})", plain(name))).unwrap_or_default();
    format!("{} {}{name}", asked.method, plain(asked.url.as_str()))
}

/// How many segments of the path are the same, and how much alike the queries are; `None`: another method, or another number of segments.
fn likeness(expected: &ExpectedRequest, asked: &Asked) -> Option<(usize, u32)> {
    if expected.method != asked.method {
        return None;
    }
    let path = |url: &str| {
        let base = url.split(['?', '#']).next().unwrap_or_default();
        let after = base.split_once("://").map_or(base, |(_, rest)| rest);
        after.split('/').map(str::to_owned).collect::<Vec<_>>()
    };
    let (one, other) = (path(&expected.url), path(asked.url.as_str()));
    let same = one.iter().zip(&other).filter(|(one, other)| one == other).count();
    let query = |url: &str| url.split_once('?').map_or(String::new(), |(_, query)| query.to_owned());
    let alike = (strsim::sorensen_dice(&query(&expected.url), &query(asked.url.as_str())) * 1000.0) as u32;
    (one.len() == other.len() && (same > 0 || one.len() == 1)).then_some((same, alike))
}
