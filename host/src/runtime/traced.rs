//! Traces of what comes in: the sender's place is kept with the event, and the event gets a span of its own once it is durable.

use std::sync::Arc;

use jiff::Timestamp;

use super::Runtime;
use crate::event::Event;
use crate::run::FailureKind;
use crate::store::{Accepted, ClaimedRun, EventRow, NewEvent, StoreError};
use crate::telemetry::{Kind, Span, TraceContext};

/// An event about to be taken in, as far as its span tells of it.
#[derive(Debug)]
pub struct Came {
    eid: Arc<str>,
    id: Arc<str>,
    source: Arc<str>,
    kind: Arc<str>,
    trace: Option<String>,
    runs: usize,
    /// Runs that are dead from the start, with their routes.
    dead: Vec<(String, String)>,
    began: Timestamp,
}

/// What the sender says in the event itself (CloudEvents' extension for distributed tracing).
pub fn trace_of_event(event: &Event) -> Option<TraceContext> {
    let text = |name: &str| event.extensions.get(name).and_then(serde_json::Value::as_str);
    TraceContext::parse(text("traceparent")?, text("tracestate"))
}

/// Puts into rows what the request said that brought them. What an event says itself counts, unless both are of one trace: then the request is nearer.
pub fn came_with(rows: &mut [NewEvent], request: Option<&TraceContext>) {
    let Some(request) = request else { return };
    for row in rows {
        let own = row.trace.as_deref().and_then(TraceContext::of_kept);
        if own.is_none_or(|own| own.trace == request.trace) {
            row.trace = Some(request.kept());
        }
    }
}

/// A run that has ended, as far as its span tells of it.
#[derive(Debug)]
pub struct EndedRun<'r> {
    /// Its event.
    pub eid: &'r str,
    /// Where in a trace that event's sender stands, as it is kept.
    pub trace: Option<&'r str>,
    /// Its id.
    pub id: &'r str,
    /// Its route.
    pub route: &'r str,
    /// The configuration that it ran on.
    pub revision: i64,
    /// The run that it replays.
    pub replay_of: Option<&'r str>,
    /// When it was added.
    pub created_at: Timestamp,
}

impl Runtime {
    /// A run has ended. A replay is of the same trace, and points to the run that it replays.
    pub fn record_run(&self, run: &EndedRun<'_>, status: &'static str, kind: Option<&str>, ended_at: Timestamp) {
        let (event, _) = self.export.tracing().of_event(run.eid, run.trace);
        let context = event.child(&["run", run.id]);
        if !context.is_recorded() {
            return;
        }
        let took = std::time::Duration::try_from(ended_at.duration_since(run.created_at)).unwrap_or_default();
        let mut span = Span::new(context, Some(event.clone()), format!("run {}", run.route), run.created_at, took)
            .kind(Kind::Consumer)
            .text("sangam.eid", run.eid)
            .text("sangam.run", run.id)
            .text("sangam.route", run.route)
            .text("sangam.status", status)
            .number("sangam.revision", run.revision);
        if let Some(replayed) = run.replay_of {
            span = span.text("sangam.replay_of", replayed).link(event.child(&["run", replayed]));
        }
        if let Some(kind) = kind {
            span = span.failed(kind);
        }
        self.export.record(span);
    }

    /// A person has cancelled these runs of an event.
    ///
    /// # Errors
    /// When the store does not answer: then nobody is told.
    pub async fn record_cancelled(&self, event: &EventRow, cancelled: &[(String, String)]) -> Result<(), StoreError> {
        if !self.export.tracing().records || cancelled.is_empty() {
            return Ok(());
        }
        for run in self.store.runs(&event.eid).await?.iter().filter(|run| cancelled.iter().any(|(id, _)| *id == run.id)) {
            let ended = EndedRun {
                eid: &event.eid,
                trace: event.trace.as_deref(),
                id: &run.id,
                route: &run.route,
                revision: run.revision,
                replay_of: run.replay_of.as_deref(),
                created_at: run.created_at,
            };
            self.record_run(&ended, "cancelled", None, run.ended_at.unwrap_or(run.created_at));
        }
        Ok(())
    }

    /// What the spans of these rows will tell; nothing where none are recorded.
    pub fn came(&self, rows: &[NewEvent]) -> Vec<Came> {
        if !self.export.tracing().records {
            return Vec::new();
        }
        let dead =
            |row: &NewEvent| row.runs.iter().filter(|run| run.dead.is_some()).map(|run| (run.id.clone(), run.route.clone())).collect();
        let came = |row: &NewEvent| Came {
            eid: row.eid.clone(),
            id: row.id.clone(),
            source: row.source.clone(),
            kind: row.kind.clone(),
            trace: row.trace.clone(),
            runs: row.runs.len(),
            dead: dead(row),
            began: row.received_at,
        };
        rows.iter().map(came).collect()
    }

    /// They are durable. `way`: the path of the request that brought them.
    pub fn took_in(&self, came: &[Came], accepted: &[Accepted], way: Option<&str>) {
        let tracing = self.export.tracing();
        for (came, accepted) in came.iter().zip(accepted) {
            let (context, above) = tracing.of_event(&came.eid, came.trace.as_deref());
            let took = std::time::Duration::try_from(self.clock.now().duration_since(came.began)).unwrap_or_default();
            let mut span = Span::new(context.clone(), above, format!("receive {}", came.kind), came.began, took)
                .kind(if way.is_some() { Kind::Server } else { Kind::Consumer })
                .text("cloudevents.event_id", &*came.id)
                .text("cloudevents.event_source", &*came.source)
                .text("cloudevents.event_type", &*came.kind)
                .text("cloudevents.event_spec_version", "1.0")
                .text("sangam.eid", &accepted.eid)
                .flag("sangam.duplicate", accepted.duplicate);
            if let Some(way) = way {
                span = span.text("http.request.method", "POST").text("http.route", way);
            }
            if !accepted.duplicate {
                span = span.number("sangam.runs", came.runs as u64);
                for (run, route) in &came.dead {
                    let dead = Span::new(context.child(&["run", run]), Some(context.clone()), format!("run {route}"), came.began, took);
                    self.export.record(dead.text("sangam.run", run).text("sangam.route", route).failed(FailureKind::Expression.as_str()));
                }
            }
            self.export.record(span);
        }
    }

    /// They were brought in by a step, and are durable with it.
    pub fn brought_in(&self, came: &[Came]) {
        let new = |came: &Came| Accepted { eid: came.eid.to_string(), duplicate: false, differs: false, awaited: false };
        self.took_in(came, &came.iter().map(new).collect::<Vec<_>>(), None);
    }

    /// The place of a run, and of its event above it.
    pub fn trace_of_run(&self, run: &ClaimedRun) -> (TraceContext, TraceContext) {
        let (event, _) = self.export.tracing().of_event(&run.eid, run.trace.as_deref());
        (event.child(&["run", &run.id]), event)
    }
}
