//! Where in a trace the requests of an attempt stand, and what is told of them.

use std::time::{Duration, Instant};

use url::Url;

use super::Attempt;
use crate::outbound::HttpError;
use crate::telemetry::{TraceContext, Tracing};

/// Of an attempt whose requests say where they stand, or are recorded.
#[derive(Debug)]
pub struct AttemptTrace {
    context: TraceContext,
    propagates: bool,
    began: Instant,
    sent: Vec<SentRequest>,
}

/// A request that was made. No query: names of people stand there, and keys.
#[derive(Debug)]
pub struct SentRequest {
    /// Its place.
    pub context: TraceContext,
    /// Kind of the effect.
    pub kind: &'static str,
    /// HTTP method, or what corresponds to it.
    pub method: String,
    /// Without query and fragment.
    pub url: String,
    /// Of the other side.
    pub host: String,
    /// Of the other side.
    pub port: Option<u16>,
    /// Its answer's status.
    pub status: Option<u16>,
    /// Why there was no answer, in a word.
    pub error: Option<&'static str>,
    /// Since the attempt began.
    pub after: Duration,
    /// Until the answer was complete.
    pub took: Duration,
    /// Its number in the attempt.
    pub seq: u32,
    /// Its name.
    pub name: Option<String>,
}

impl AttemptTrace {
    /// `None`: nobody would hear of it.
    pub fn new(context: &TraceContext, tracing: Tracing) -> Option<AttemptTrace> {
        let propagates = tracing.propagate && context.is_known;
        let trace = || AttemptTrace { context: context.clone(), propagates, began: Instant::now(), sent: Vec::new() };
        (propagates || context.is_recorded()).then(trace)
    }

    pub(super) fn into_sent(self) -> Vec<SentRequest> {
        self.sent
    }
}

impl Attempt {
    /// The place of a request.
    pub(super) fn next_place_of(&self, seq: u32) -> Option<TraceContext> {
        Some(self.trace.as_ref()?.context.child(&["request", &seq.to_string()]))
    }

    /// The place of the next request, where it is to say it.
    pub fn next_told(&self) -> Option<TraceContext> {
        self.next_place_of(self.next_seq()).filter(|_| self.trace.as_ref().is_some_and(|trace| trace.propagates))
    }

    /// A request has come to its end.
    pub(super) fn note_sent(&mut self, place: Option<TraceContext>, sent: Sent<'_>) {
        let Some((context, trace)) = place.filter(TraceContext::is_recorded).zip(self.trace.as_mut()) else { return };
        let mut url = sent.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        trace.sent.push(SentRequest {
            context,
            kind: sent.kind,
            method: sent.method.to_owned(),
            host: url.host_str().unwrap_or_default().to_owned(),
            port: url.port_or_known_default(),
            url: url.into(),
            status: sent.status,
            error: sent.error,
            after: trace.began.elapsed().saturating_sub(sent.took),
            took: sent.took,
            seq: sent.seq,
            name: sent.name.map(str::to_owned),
        });
    }
}

/// How a request ended.
pub(super) struct Sent<'a> {
    pub(super) kind: &'static str,
    pub(super) method: &'a str,
    pub(super) url: &'a Url,
    pub(super) status: Option<u16>,
    pub(super) error: Option<&'static str>,
    pub(super) took: Duration,
    pub(super) seq: u32,
    pub(super) name: Option<&'a str>,
}

/// Why there is no answer, in a word.
pub(super) fn word(error: &HttpError) -> &'static str {
    match error {
        HttpError::Denied(_) => "denied",
        HttpError::InvalidRequest(_) => "invalid-request",
        HttpError::NameUsed(_) => "name-used",
        HttpError::Timeout(_) => "timeout",
        HttpError::NotSent(_) => "not-sent",
        HttpError::Connection(_) => "connection",
        HttpError::ResponseTooLarge(_) => "response-too-large",
        HttpError::TooManyCalls(_) => "too-many-calls",
        HttpError::Credential(..) => "credential",
        HttpError::Unavailable { .. } => "breaker-open",
    }
}
