//! What a refused or missing credential makes of a failure.

use std::time::Duration;

use crate::attempt::AttemptRecord;
use crate::credentials::Remedy;
use crate::run::{FailureKind, StepFailure};
use crate::runtime::Runtime;

/// A refused credential is renewed once; one that can't be had pauses the step, like one that was refused for good. One that can't be had
/// for the moment does not: nothing would tell the step that its vendor gives tokens again. Gives also whether only somebody who acts can help.
pub async fn looked_at(runtime: &Runtime, failure: Option<StepFailure>, record: &AttemptRecord) -> (Option<StepFailure>, bool) {
    match failure {
        // The plugin saw a request that could not be sent; why it could not decides.
        Some(failure) if failure.kind == FailureKind::Retry && record.obstacle.is_some() => {
            let (reason, remedy) = record.obstacle.clone().unwrap_or((String::new(), Remedy::Later));
            obstructed(runtime, failure, reason, remedy)
        }
        Some(failure) if failure.kind == FailureKind::Unauthorized => {
            let renewed = match &record.attached {
                Some(attached) => runtime.broker.refused(attached).await,
                None => Ok(false),
            };
            match renewed {
                Ok(renewed) => (Some(failure), !renewed),
                Err(error) => {
                    let reason = format!("{}; renewing failed: {}", failure.reason, error.in_full());
                    obstructed(runtime, failure, reason, error.remedy())
                }
            }
        }
        other => (other, false),
    }
}

/// A failure for want of a credential, and whether only somebody who acts can help.
fn obstructed(runtime: &Runtime, mut failure: StepFailure, reason: String, remedy: Remedy) -> (Option<StepFailure>, bool) {
    failure.reason = reason;
    match remedy {
        Remedy::Change => failure.kind = FailureKind::Unauthorized,
        Remedy::Later => failure.kind = FailureKind::Busy,
        Remedy::At(time) => {
            failure.kind = FailureKind::Busy;
            failure.after = Duration::try_from(time.duration_since(runtime.clock.now())).ok();
        }
    }
    (Some(failure), remedy == Remedy::Change)
}
