//! Spans of a run: made when it, an attempt, a call or a request has ended. Reasons and payloads are not in them.

use std::time::Duration;

use jiff::Timestamp;

use super::drive::Driver;
use super::step::{StepCall, StepEnd};
use crate::attempt::{AttemptTrace, Level, LogLine, SentRequest};
use crate::config::Step;
use crate::engine::{CallOutcome, PluginFailureKind};
use crate::run::{FailureKind, Outcome};
use crate::runtime::{EndedRun, Runtime};
use crate::store::ClaimedRun;
use crate::telemetry::{self, Kind, Span, TraceContext};

/// Where in a trace an attempt stands: the same whenever it is made again after a crash. Each place is a digest, so they are made once.
#[derive(Debug)]
pub(super) struct Places {
    /// Of the run.
    pub(super) run: TraceContext,
    /// Of the attempt, below it.
    pub(super) attempt: TraceContext,
    /// Of the call, below that.
    pub(super) call: TraceContext,
}

impl Places {
    pub(super) fn of(run: TraceContext, step: &str, round: u32, number: u32) -> Places {
        let attempt = run.child(&["attempt", step, &round.to_string(), &number.to_string()]);
        Places { call: attempt.child(&["call"]), attempt, run }
    }
}

impl StepCall {
    /// What the attempt itself needs of it.
    pub(super) fn attempt_trace(&self, call: &TraceContext) -> Option<AttemptTrace> {
        AttemptTrace::new(call, self.runtime.export.tracing())
    }

    /// The attempt has ended.
    pub(super) fn record_attempt(&self, end: &StepEnd, began: Timestamp, took: Duration) {
        let context = &self.places.attempt;
        // One that found no room is no attempt: it is made again, with the same number.
        let found_no_room = end.attempt.is_none() && matches!(&end.outcome, Outcome::Failed(failure) if failure.kind == FailureKind::Busy);
        if !context.is_recorded() || found_no_room {
            return;
        }
        let outcome = match (&end.attempt, &end.outcome) {
            (Some(attempt), _) => attempt.outcome.clone(),
            (None, Outcome::Skipped) => "skipped".to_owned(),
            (None, Outcome::Waits(_)) => "waits".to_owned(),
            (None, Outcome::Failed(failure) | Outcome::InDoubt(failure, _)) => failure.kind.as_str().to_owned(),
            (None, Outcome::Succeeded | Outcome::Exhausted) => "succeeded".to_owned(),
        };
        let mut span = Span::new(context.clone(), Some(self.places.run.clone()), format!("step {}", self.step.name), began, took)
            .text("sangam.eid", &self.run.eid)
            .text("sangam.run", &self.run.id)
            .text("sangam.route", &self.run.route)
            .text("sangam.step", &self.step.name)
            .text("sangam.plugin", &self.step.plugin)
            .text("sangam.action", &self.step.action)
            .number("sangam.attempt", self.number)
            .number("sangam.round", self.round)
            .text("sangam.outcome", &outcome);
        if let Outcome::Failed(failure) | Outcome::InDoubt(failure, _) = &end.outcome {
            span = span.failed(failure.kind.as_str());
        }
        self.runtime.export.record(span);
    }

    /// The call of a plugin has ended, and with it the requests that it made.
    pub(super) fn record_call(&self, call: &EndedCall<'_>, sent: Vec<SentRequest>) {
        if call.context.is_recorded() {
            let span = Span::new(
                call.context.clone(),
                Some(self.places.attempt.clone()),
                format!("call {}.{}", self.step.plugin, self.step.action),
                call.began,
                call.took,
            )
            .text("sangam.plugin", &self.step.plugin)
            .text("sangam.action", &self.step.action)
            .text("sangam.plugin.version", call.version)
            .text("sangam.plugin.digest", call.digest)
            .number("sangam.cpu_ms", call.cpu.as_millis())
            .number("sangam.http_calls", call.http_calls as u64);
            self.runtime.export.record(match call.error {
                Some(kind) => span.failed(kind),
                None => span,
            });
        }
        record_requests(&self.runtime, call.context, call.began, sent);
    }
}

/// What a plugin has logged, in the host's log: where somebody asked for it (`[telemetry] log`), since it may say what an event says.
pub(super) fn log_lines(run: &ClaimedRun, step: &Step, attempt: u32, lines: &[LogLine]) {
    for line in lines {
        let fields = serde_json::to_string(&line.fields).unwrap_or_default();
        let (message, fields) = (telemetry::plain(&line.message), telemetry::plain(&fields));
        macro_rules! log {
            ($level:ident) => {
                tracing::$level!(
                    target: "sangam::plugin",
                    plugin = step.plugin, action = step.action, eid = run.eid, run = run.id, route = run.route, step = step.name, attempt, fields,
                    "{message}"
                )
            };
        }
        match line.level {
            Level::Trace => log!(trace),
            Level::Debug => log!(debug),
            Level::Info => log!(info),
            Level::Warn => log!(warn),
            Level::Error => log!(error),
        }
    }
}

/// A call that has ended.
pub(super) struct EndedCall<'a> {
    pub(super) context: &'a TraceContext,
    pub(super) began: Timestamp,
    pub(super) took: Duration,
    pub(super) version: &'a str,
    pub(super) digest: &'a str,
    pub(super) cpu: Duration,
    pub(super) http_calls: usize,
    pub(super) error: Option<&'static str>,
}

/// What went wrong with a call, in a word.
pub(crate) fn error_of(outcome: &CallOutcome) -> Option<&'static str> {
    match outcome {
        CallOutcome::Output { .. } | CallOutcome::Batch(_) | CallOutcome::Page(_) | CallOutcome::Received(_) => None,
        CallOutcome::Failure(failure) => Some(match failure.kind {
            PluginFailureKind::Retry => "retry",
            PluginFailureKind::RateLimited => "rate-limited",
            PluginFailureKind::Unauthorized => "unauthorized",
            PluginFailureKind::Rejected => "rejected",
        }),
        CallOutcome::Trap(_) => Some("trap"),
        CallOutcome::Limit(_) => Some("limit"),
        CallOutcome::TimedOut => Some("timeout"),
        CallOutcome::Busy(_) => Some("busy"),
        CallOutcome::Broken(_) => Some("broken-off"),
    }
}

/// Requests that a call has made.
pub(crate) fn record_requests(runtime: &Runtime, call: &TraceContext, began: Timestamp, sent: Vec<SentRequest>) {
    for sent in sent {
        let at = jiff::SignedDuration::try_from(sent.after).ok().and_then(|after| began.checked_add(after).ok()).unwrap_or(began);
        let kind = if sent.kind == "publish" || sent.kind == "mail" { Kind::Producer } else { Kind::Client };
        let mut span = Span::new(sent.context, Some(call.clone()), sent.method.clone(), at, sent.took)
            .kind(kind)
            .text("url.full", &sent.url)
            .text("server.address", &sent.host)
            .text("sangam.effect.kind", sent.kind)
            .number("sangam.effect.seq", sent.seq)
            .text("sangam.effect.name", sent.name.unwrap_or_default());
        if kind == Kind::Client {
            span = span.text("http.request.method", &sent.method);
        }
        if let Some(port) = sent.port {
            span = span.number("server.port", port);
        }
        if let Some(status) = sent.status {
            span = span.number("http.response.status_code", status);
        }
        let error = sent.error.map(str::to_owned).or_else(|| sent.status.filter(|status| *status >= 400).map(|status| status.to_string()));
        runtime.export.record(match error {
            Some(kind) => span.failed(kind),
            None => span,
        });
    }
}

impl Driver {
    /// The run has ended.
    pub(super) fn record_run(&self, status: &'static str, kind: Option<&str>, ended_at: Timestamp) {
        record_run(&self.runtime, &self.run, status, kind, ended_at);
    }
}

/// A run has ended.
pub(super) fn record_run(runtime: &Runtime, run: &ClaimedRun, status: &'static str, kind: Option<&str>, ended_at: Timestamp) {
    let ended = EndedRun {
        eid: &run.eid,
        trace: run.trace.as_deref(),
        id: &run.id,
        route: &run.route,
        revision: run.revision,
        replay_of: run.replay_of.as_deref(),
        created_at: run.created_at,
    };
    runtime.record_run(&ended, status, kind, ended_at);
}
