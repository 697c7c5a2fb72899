//! Traces of what comes in: the sender's place is kept with the event, and the event gets a span of its own once it is durable.

use jiff::Timestamp;

use super::Runtime;
use crate::event::Event;
use crate::run::FailureKind;
use crate::store::{Accepted, ClaimedRun, NewEvent};
use crate::telemetry::{Kind, Span, TraceContext};

/// An event about to be taken in, as far as its span tells of it.
#[derive(Debug)]
pub struct Came {
    eid: String,
    id: String,
    source: String,
    kind: String,
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

impl Runtime {
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
                .text("cloudevents.event_id", &came.id)
                .text("cloudevents.event_source", &came.source)
                .text("cloudevents.event_type", &came.kind)
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
        let new = |came: &Came| Accepted { eid: came.eid.clone(), duplicate: false, differs: false };
        self.took_in(came, &came.iter().map(new).collect::<Vec<_>>(), None);
    }

    /// The place of a run, and of its event above it.
    pub fn trace_of_run(&self, run: &ClaimedRun) -> (TraceContext, TraceContext) {
        let (event, _) = self.export.tracing().of_event(&run.eid, run.trace.as_deref());
        (event.child(&["run", &run.id]), event)
    }
}
