//! What goes wrong between a connector and a system, and what a connector is to make of it.

use std::time::Duration;

use crate::outbound::{HttpError, Response};
use crate::run::FailureKind;

/// One thing that goes wrong with one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// 429 with `Retry-After`.
    TooManyRequests,
    /// 500; nothing was done.
    ServerError,
    /// 503 after it was done: the answer of a proxy that lost the system's.
    DoneThenUnavailable,
    /// The connection breaks before the system has the request.
    Reset,
    /// The connection breaks after it was done.
    DoneThenReset,
    /// No answer in time, after it was done.
    Slow,
    /// The answer breaks off in the middle, after it was done.
    Truncated,
    /// Done, and answered with a page of HTML.
    NotJson,
    /// Done, and answered with JSON of another shape.
    OtherShape,
    /// 401.
    Unauthorized,
    /// 408: the system got tired of waiting for the request.
    RequestTimeout,
    /// 409.
    Conflict,
    /// 422: a rule of the system forbids it.
    Refused,
    /// The host dies before the system has the request.
    CrashBefore,
    /// The host dies after it was done.
    CrashAfter,
}

/// What `Retry-After` of [`Fault::TooManyRequests`] says.
const RETRY_AFTER: Duration = Duration::from_secs(3);

impl Fault {
    /// All but crashes.
    pub const OF_SYSTEMS: [Fault; 13] = [
        Fault::TooManyRequests,
        Fault::ServerError,
        Fault::DoneThenUnavailable,
        Fault::Reset,
        Fault::DoneThenReset,
        Fault::Slow,
        Fault::Truncated,
        Fault::NotJson,
        Fault::OtherShape,
        Fault::Unauthorized,
        Fault::RequestTimeout,
        Fault::Conflict,
        Fault::Refused,
    ];
    /// The host's own.
    pub const OF_HOSTS: [Fault; 2] = [Fault::CrashBefore, Fault::CrashAfter];

    /// As shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Fault::TooManyRequests => "429 with Retry-After",
            Fault::ServerError => "500",
            Fault::DoneThenUnavailable => "503 after it was done",
            Fault::Reset => "reset before it was done",
            Fault::DoneThenReset => "reset after it was done",
            Fault::Slow => "no answer in time",
            Fault::Truncated => "answer cut off",
            Fault::NotJson => "an answer that is not JSON",
            Fault::OtherShape => "JSON of another shape",
            Fault::Unauthorized => "401",
            Fault::RequestTimeout => "408",
            Fault::Conflict => "409",
            Fault::Refused => "422",
            Fault::CrashBefore => "crash before it was done",
            Fault::CrashAfter => "crash after it was done",
        }
    }

    /// Whether the system does what it was asked for all the same.
    pub fn is_done(self) -> bool {
        matches!(
            self,
            Fault::DoneThenUnavailable
                | Fault::DoneThenReset
                | Fault::Slow
                | Fault::Truncated
                | Fault::NotJson
                | Fault::OtherShape
                | Fault::CrashAfter
        )
    }

    /// Whether the host dies.
    pub fn is_crash(self) -> bool {
        matches!(self, Fault::CrashBefore | Fault::CrashAfter)
    }

    /// How an attempt may fail that met it. Empty: it has no say.
    pub fn demands(self) -> &'static [FailureKind] {
        match self {
            Fault::TooManyRequests => &[FailureKind::RateLimited],
            Fault::Unauthorized => &[FailureKind::Unauthorized],
            // Some systems say so of a record that somebody else writes just now, some of one that is there already.
            Fault::Conflict => &[FailureKind::Retry, FailureKind::RateLimited, FailureKind::Rejected],
            Fault::Refused => &[FailureKind::Rejected],
            // Trying again may help, or a person has to look; both are right.
            Fault::NotJson | Fault::OtherShape => &[FailureKind::Retry, FailureKind::Rejected],
            Fault::ServerError
            | Fault::DoneThenUnavailable
            | Fault::Reset
            | Fault::DoneThenReset
            | Fault::Slow
            | Fault::Truncated
            | Fault::RequestTimeout => &[FailureKind::Retry],
            Fault::CrashBefore | Fault::CrashAfter => &[],
        }
    }

    /// Whether another attempt is to bring the action to its end.
    pub fn is_passing(self) -> bool {
        !matches!(self, Fault::Conflict | Fault::Refused | Fault::NotJson | Fault::OtherShape)
    }

    /// What the connector is told in place of the answer. `None`: it never learns.
    pub(super) fn answer(self, host: &str) -> Option<Result<Response, HttpError>> {
        let broken = |what: &str| Some(Err(HttpError::Connection(format!("the exchange with {host} broke off: {what}"))));
        match self {
            Fault::TooManyRequests => {
                let after = ("retry-after", RETRY_AFTER.as_secs().to_string());
                said(429, &[after], r#"{"error":"too many requests"}"#)
            }
            Fault::ServerError => said(500, &[], r#"{"error":"internal error"}"#),
            Fault::DoneThenUnavailable => said(503, &[], r#"{"error":"unavailable"}"#),
            Fault::Reset | Fault::DoneThenReset => broken("connection reset by peer"),
            Fault::Slow => Some(Err(HttpError::Timeout(format!("{host} did not answer completely in time")))),
            Fault::Truncated => broken("end of file before message length reached"),
            Fault::NotJson => {
                let html = ("content-type", "text/html".to_owned());
                let page = b"<!DOCTYPE html><title>Please log in</title>".to_vec();
                Some(Ok(Response { status: 200, headers: vec![(html.0.to_owned(), html.1.into_bytes())], body: page }))
            }
            Fault::OtherShape => said(200, &[], r#""something else""#),
            Fault::Unauthorized => said(401, &[], r#"{"error":"invalid token"}"#),
            Fault::RequestTimeout => said(408, &[], r#"{"error":"request timeout"}"#),
            Fault::Conflict => said(409, &[], r#"{"error":"conflict"}"#),
            Fault::Refused => said(422, &[], r#"{"error":"not allowed"}"#),
            Fault::CrashBefore | Fault::CrashAfter => None,
        }
    }
}

fn said(status: u16, headers: &[(&str, String)], body: &str) -> Option<Result<Response, HttpError>> {
    let mut headers: Vec<(String, Vec<u8>)> =
        headers.iter().map(|(name, value)| ((*name).to_owned(), value.clone().into_bytes())).collect();
    headers.push(("content-type".to_owned(), b"application/json".to_vec()));
    Some(Ok(Response { status, headers, body: body.as_bytes().to_vec() }))
}

/// A fault at one request of a run.
#[derive(Debug, Clone, Copy)]
pub struct Injection {
    /// Which request, from 0, over all attempts.
    pub at: usize,
    /// What goes wrong.
    pub fault: Fault,
    /// It goes wrong every time, from that request on.
    pub lasts: bool,
}
