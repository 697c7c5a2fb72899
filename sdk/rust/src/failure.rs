use std::{fmt, time::Duration};

use serde_json::{Value, json};

use crate::{Response, bindings::types};

/// Answers one question: try again, or never?
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// It may work later. Uses up one attempt of the step's policy.
    Retry,
    /// The system asks for patience. Uses up no attempt.
    RateLimited,
    /// The credential was refused. The host renews it once; then the step is paused until it is mended.
    Unauthorized,
    /// Trying again can't help.
    Rejected,
}

/// How a call ends that does not succeed. People read it in the timeline of the run: say in one sentence what was
/// tried, what the system answered and, where it is known, what to do.
///
/// ```
/// # use sangam_sdk::prelude::*;
/// let failure = Failure::retry("QuickBooks holds the invoice locked")
///     .after(Duration::from_secs(5))
///     .details(json!({ "code": "5010", "invoice": "42" }));
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// Again, or never.
    pub kind: FailureKind,
    /// One sentence; at most 4 KiB are kept.
    pub reason: String,
    /// When trying again makes sense; `None` leaves it to the step's retry policy.
    pub after: Option<Duration>,
    /// Whatever helps to understand it: the vendor's error code, the field, a correlation id. Never a secret. At most 64 KiB are kept.
    pub details: Option<Value>,
}

impl Failure {
    /// It may work later: a time-out, a 5xx, a lock held elsewhere.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Retry, reason)
    }

    /// The system asks for patience: 429, or its own way of saying so.
    pub fn rate_limited(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::RateLimited, reason)
    }

    /// The credential was refused (401).
    pub fn unauthorized(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Unauthorized, reason)
    }

    /// Trying again can't help: the input is wrong, the record does not exist, a rule of the system forbids it.
    pub fn rejected(reason: impl Into<String>) -> Self {
        Self::new(FailureKind::Rejected, reason)
    }

    /// A failure of that kind.
    pub fn new(kind: FailureKind, reason: impl Into<String>) -> Self {
        Self { kind, reason: reason.into(), after: None, details: None }
    }

    /// Says when trying again makes sense.
    #[must_use]
    pub fn after(mut self, delay: impl Into<Option<Duration>>) -> Self {
        self.after = delay.into();
        self
    }

    /// Adds data for whoever has to understand the failure.
    #[must_use]
    pub fn details(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// Adds the status and the start of the body of the answer that it follows from, and waits as long as the answer
    /// asks for in `Retry-After`.
    #[must_use]
    pub fn response(self, response: &Response) -> Self {
        let after = self.after.or_else(|| response.retry_after());
        self.after(after).details(json!({ "status": response.status, "body": response.excerpt() }))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            FailureKind::Retry => "retry: ",
            FailureKind::RateLimited => "rate-limited: ",
            FailureKind::Unauthorized => "unauthorized: ",
            FailureKind::Rejected => "rejected: ",
        })?;
        f.write_str(&self.reason)
    }
}

impl std::error::Error for Failure {}

/// Data that does not have the expected shape does not get it by trying again.
impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self::rejected(error.to_string())
    }
}

impl From<Failure> for types::Failure {
    fn from(failure: Failure) -> Self {
        let problem = types::Problem {
            reason: failure.reason,
            after_ms: failure.after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            details: failure.details.map(|details| details.to_string()),
        };
        match failure.kind {
            FailureKind::Retry => Self::Retry(problem),
            FailureKind::RateLimited => Self::RateLimited(problem),
            FailureKind::Unauthorized => Self::Unauthorized(problem),
            FailureKind::Rejected => Self::Rejected(problem),
        }
    }
}
