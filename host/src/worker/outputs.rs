//! What is kept of a plugin's answer.

use serde_json::{Value, json};

use crate::attempt::{AttemptRecord, Break, ShownEffect};
use crate::config::{Limits, OnUnrepeated};
use crate::engine::{CallOutcome, PluginFailure, PluginFailureKind};
use crate::run::{FailureKind, StepFailure};
use crate::store::{EffectRow, EffectState};

/// Output data and events of a call, or why there are none. All unchecked. `time` is what `limits.time` comes from.
pub(super) fn answer(outcome: CallOutcome, limits: &Limits, time: &str) -> Result<(String, Vec<String>), StepFailure> {
    match ended_well(outcome, limits, time)? {
        CallOutcome::Output { data, events } => Ok((data, events)),
        _ => Err(StepFailure::new(FailureKind::InvalidOutput, "the plugin answered with something else than one output")),
    }
}

/// What a call gave, unchecked, or why it gave nothing. `time` is what `limits.time` comes from.
///
/// # Errors
/// How it failed.
pub fn ended_well(outcome: CallOutcome, limits: &Limits, time: &str) -> Result<CallOutcome, StepFailure> {
    Err(match outcome {
        CallOutcome::Output { .. } | CallOutcome::Batch(_) | CallOutcome::Page(_) | CallOutcome::Received(_) => return Ok(outcome),
        CallOutcome::Failure(failure) => step_failure(failure),
        CallOutcome::Trap(why) => StepFailure::new(FailureKind::Trap, format!("the plugin trapped: {why}")),
        CallOutcome::Limit(why) => StepFailure::new(FailureKind::Trap, format!("the plugin was stopped: {why}")),
        CallOutcome::TimedOut => StepFailure::new(FailureKind::Timeout, format!("the attempt took longer than {:?} ({time})", limits.time)),
        CallOutcome::Busy(why) => StepFailure::new(FailureKind::Busy, why),
        CallOutcome::Broken(why) => {
            let kind = match &why {
                Break::Conflict(_) => FailureKind::Conflict,
                Break::Diverged(_) => FailureKind::Diverged,
                // Whoever drives the run sees the doubt, and holds the step.
                Break::Held(_) => FailureKind::Retry,
                // Where a dry run stops is looked at before.
                Break::Fenced | Break::Store(_) | Break::Dry(_) => FailureKind::Busy,
            };
            StepFailure::new(kind, why.to_string())
        }
    })
}

/// What follows for an attempt that succeeded from a write that was done before and that it did not ask for again.
pub(super) fn unrepeated(policy: OnUnrepeated, record: &AttemptRecord) -> Option<StepFailure> {
    if policy == OnUnrepeated::Show {
        return None;
    }
    let write = record.unrepeated.iter().find(|effect| effect.state == EffectState::Done)?;
    let name = write.name.as_ref().map(|name| format!(" {name:?}")).unwrap_or_default();
    let reason = format!(
        "write{name} ({} {}) was done by an earlier attempt, and this one no longer asks for it (on-unrepeated = \"stop\"); to go on as it was, \
         replay with --plugins pinned; to do it all again, with --keys new; if it is right so, say \"show\" in the route, reload and replay",
        write.method, write.url
    );
    Some(StepFailure::new(FailureKind::Diverged, reason))
}

/// What follows for an attempt that succeeded although a write that holds its step is in doubt: it is no success before a person has spoken.
pub(super) fn held(record: &AttemptRecord) -> Option<StepFailure> {
    let write = record.held.as_ref()?;
    let reason = format!("the plugin answered with an output although {write} is in doubt (on-doubt = \"hold\")");
    Some(StepFailure::new(FailureKind::Retry, reason))
}

/// A plugin's failure as the run sees it.
fn step_failure(failure: PluginFailure) -> StepFailure {
    let kind = match failure.kind {
        PluginFailureKind::Retry => FailureKind::Retry,
        PluginFailureKind::RateLimited => FailureKind::RateLimited,
        PluginFailureKind::Unauthorized => FailureKind::Unauthorized,
        PluginFailureKind::Rejected => FailureKind::Rejected,
    };
    // Details that are not JSON are kept as the text they are.
    let details = failure.details.map(|details| serde_json::from_str(&details).unwrap_or(Value::String(details)));
    StepFailure { kind, reason: failure.reason, after: failure.after, details }
}

/// The effects of an attempt, JSON, that turned out a failure at the settling.
pub(super) fn without_key_values(effects: &str, why: &str) -> String {
    let mut shown: Vec<ShownEffect> = serde_json::from_str(effects).expect("effects were written by this very attempt");
    ShownEffect::drop_key_values(&mut shown, why);
    serde_json::to_string(&shown).expect("effects are plain data")
}

/// A journalled write as it is shown where its attempt left no record of its own.
pub fn shown_row(effect: &EffectRow) -> Value {
    let mut shown = json!({
        "seq": effect.seq,
        "kind": effect.kind,
        "name": effect.name,
        "key": effect.key,
        "method": effect.method,
        "url": effect.url,
        "status": effect.status,
        "state": effect.state.as_str(),
        "duration_ms": effect.duration_ms,
        "replayed": false,
    });
    if let Some(digest) = effect.body_digest() {
        shown["body_digest"] = json!(digest);
    }
    shown
}
