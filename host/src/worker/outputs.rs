//! What is kept of a plugin's answer.

use serde_json::{Value, json};

use crate::engine::{PluginFailure, PluginFailureKind};
use crate::run::{FailureKind, StepFailure};
use crate::store::EffectRow;

/// A plugin's failure as the run sees it.
pub(super) fn step_failure(failure: PluginFailure) -> StepFailure {
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

/// A journalled write as it is shown where its attempt left no record of its own.
pub fn shown_row(effect: &EffectRow) -> Value {
    json!({
        "seq": effect.seq,
        "kind": "http",
        "name": effect.name,
        "key": effect.key,
        "method": effect.method,
        "url": effect.url,
        "status": effect.status,
        "state": effect.state.as_str(),
        "duration_ms": effect.duration_ms,
        "replayed": false,
    })
}
