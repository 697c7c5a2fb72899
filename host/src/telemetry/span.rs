//! A span: made when something has ended, with the times at which it truly began and ended.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use opentelemetry::trace::{Link, SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanLinks};

use super::trace::TraceContext;

/// What a span is to the one that follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Work within the host.
    Internal,
    /// Something that came in.
    Server,
    /// Work that was taken from the store.
    Consumer,
    /// A request that left.
    Client,
    /// A message that left.
    Producer,
}

/// What happened, where in a trace, and from when to when.
#[derive(Debug, Clone)]
pub struct Span {
    context: TraceContext,
    above: Option<TraceContext>,
    name: Cow<'static, str>,
    kind: Kind,
    started_at: SystemTime,
    took: Duration,
    attributes: Vec<KeyValue>,
    links: Vec<TraceContext>,
    error: Option<String>,
}

impl Span {
    /// Something that began then and took so long.
    pub fn new(
        context: TraceContext,
        above: Option<TraceContext>,
        name: impl Into<Cow<'static, str>>,
        began: Timestamp,
        took: Duration,
    ) -> Span {
        let (name, kind, started_at) = (name.into(), Kind::Internal, SystemTime::from(began));
        Span { context, above, name, kind, started_at, took, attributes: Vec::new(), links: Vec::new(), error: None }
    }

    /// Of that kind.
    pub fn kind(mut self, kind: Kind) -> Span {
        self.kind = kind;
        self
    }

    /// With a text more. An empty one says nothing and is left out.
    pub fn text(mut self, name: &'static str, value: impl Into<String>) -> Span {
        let value = value.into();
        if !value.is_empty() {
            self.attributes.push(KeyValue::new(name, value));
        }
        self
    }

    /// With a number more.
    pub fn number(mut self, name: &'static str, value: impl TryInto<i64>) -> Span {
        self.attributes.push(KeyValue::new(name, value.try_into().unwrap_or(i64::MAX)));
        self
    }

    /// With yes or no.
    pub fn flag(mut self, name: &'static str, value: bool) -> Span {
        self.attributes.push(KeyValue::new(name, value));
        self
    }

    /// It has to do with that one, which is not above it.
    pub fn link(mut self, to: TraceContext) -> Span {
        self.links.push(to);
        self
    }

    /// It failed: of which kind. Never a reason, which may say what an event says.
    pub fn failed(mut self, kind: impl Into<String>) -> Span {
        let kind = kind.into();
        self.attributes.push(KeyValue::new("error.type", kind.clone()));
        self.error = Some(kind);
        self
    }

    /// Whether anybody wants it.
    pub fn is_recorded(&self) -> bool {
        self.context.is_recorded()
    }

    /// As the exporter takes it.
    pub(super) fn into_data(self, scope: &InstrumentationScope) -> SpanData {
        let mut links = SpanLinks::default();
        links.links = self.links.iter().map(|to| Link::with_context(span_context(to, false))).collect();
        let (parent_span_id, parent_span_is_remote) =
            self.above.as_ref().map_or((SpanId::INVALID, false), |above| (SpanId::from(above.span), !above.records));
        SpanData {
            span_context: span_context(&self.context, false),
            parent_span_id,
            parent_span_is_remote,
            span_kind: match self.kind {
                Kind::Internal => SpanKind::Internal,
                Kind::Server => SpanKind::Server,
                Kind::Consumer => SpanKind::Consumer,
                Kind::Client => SpanKind::Client,
                Kind::Producer => SpanKind::Producer,
            },
            name: self.name,
            start_time: self.started_at,
            end_time: self.started_at + self.took,
            attributes: self.attributes,
            dropped_attributes_count: 0,
            events: SpanEvents::default(),
            links,
            status: self.error.map_or(Status::Unset, Status::error),
            instrumentation_scope: scope.clone(),
        }
    }
}

/// As OpenTelemetry writes it.
pub(super) fn span_context(context: &TraceContext, is_remote: bool) -> SpanContext {
    let state = context.state.as_deref().and_then(|state| state.parse::<TraceState>().ok()).unwrap_or_default();
    SpanContext::new(TraceId::from(context.trace), SpanId::from(context.span), TraceFlags::new(context.flags), is_remote, state)
}
