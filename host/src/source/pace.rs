//! What follows a turn of a stream that is polled: again at once, after a while, when somebody acts, or never.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::later;
use crate::config::Retry;
use crate::run::{FailureKind, StepFailure, again_at, patient, soon};
use crate::store::SourceState;

/// How a turn ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// The plugin gave a page. `more`: there is more, and it has come further. `end`: of an earlier time there is no more.
    Page {
        /// There is more now.
        more: bool,
        /// A backfill has come to its end.
        end: bool,
    },
    /// It failed. `renewed`: the credential was refused, and there is a newer one.
    Failed {
        /// How.
        failure: StepFailure,
        /// There is a newer credential than the one that was refused.
        renewed: bool,
    },
    /// It was not asked: the host has no room for what it would bring.
    Held {
        /// Why.
        reason: String,
        /// For how long.
        after: Duration,
    },
}

/// How fast turns follow each other.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// From the end of a turn that brought everything there is to the next.
    pub every: Duration,
    /// The same where there is more; zero: at once.
    pub meanwhile: Duration,
    /// After failures.
    pub retry: Retry,
}

/// What follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Follows {
    /// Where it stands.
    pub state: SourceState,
    /// Why, for people.
    pub reason: Option<String>,
    /// The next turn; `None`: none by itself.
    pub due_at: Option<Timestamp>,
    /// Failures in a row.
    pub failures: u32,
}

impl Pace {
    /// What follows a turn, after so many failures in a row; `refused`: the last of them was a refused credential, too. `jitter` is a random number from
    /// 0 to 1.
    pub fn follows(&self, ending: &Ending, failures: u32, refused: bool, now: Timestamp, jitter: f64) -> Follows {
        match ending {
            Ending::Page { end: true, .. } => Follows { state: SourceState::Done, reason: None, due_at: None, failures: 0 },
            Ending::Page { more, .. } => {
                let pause = if *more { self.meanwhile } else { self.every };
                Follows { state: SourceState::Active, reason: None, due_at: Some(later(now, pause)), failures: 0 }
            }
            Ending::Held { reason, after } => {
                Follows { state: SourceState::Active, reason: Some(reason.clone()), due_at: Some(later(now, *after)), failures }
            }
            Ending::Failed { failure, renewed } => {
                let failures = failures.saturating_add(1);
                let reason = Some(failure.reason.clone());
                let again = |at: Timestamp| Follows { state: SourceState::Active, reason: reason.clone(), due_at: Some(at), failures };
                let rest = |state| Follows { state, reason: reason.clone(), due_at: None, failures };
                match failure.kind {
                    FailureKind::Retry
                    | FailureKind::Trap
                    | FailureKind::Timeout
                    | FailureKind::Interrupted
                    | FailureKind::InvalidOutput => again(again_at(&self.retry, failures, failure.after, now, jitter)),
                    FailureKind::RateLimited => again(patient(&self.retry, failures, failure.after, now, jitter)),
                    FailureKind::Busy | FailureKind::Conflict => again(soon(failures, failure.after, now, jitter)),
                    // Renewed once: one that is refused again is not mended by asking for another.
                    FailureKind::Unauthorized if *renewed && !refused => again(now),
                    FailureKind::Unauthorized => rest(SourceState::Waiting),
                    FailureKind::Rejected
                    | FailureKind::InvalidInput
                    | FailureKind::Expression
                    | FailureKind::Diverged
                    | FailureKind::Unavailable => rest(SourceState::Stopped),
                }
            }
        }
    }
}
