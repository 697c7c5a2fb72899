//! What QuickBooks refuses, and whether to try again.

use sangam_sdk::{prelude::*, serde_json};

/// No record of that id, or an inactive one.
pub const NOT_FOUND: &str = "610";
/// The name is taken by a customer, vendor or employee.
pub const DUPLICATE_NAME: &str = "6240";
/// The number is taken by an invoice.
pub const DUPLICATE_NUMBER: &str = "6140";
const STALE: &str = "5010";
const SERVER: &str = "10000";
const TOKEN: &str = "3200";
const THROTTLED: [&str; 2] = ["429", "3001"];

/// Intuit says to wait so long after a 429, and sends no `Retry-After`.
const THROTTLE_WAIT: Duration = Duration::from_secs(60);

/// `{"Fault": {"Error": [{"Message", "Detail", "code"}]}}`; the gateway spells it in lower case.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "Fault", alias = "fault")]
    fault: Fault,
}

#[derive(Deserialize)]
struct Fault {
    #[serde(rename = "Error", alias = "error")]
    errors: Vec<Error>,
}

#[derive(Deserialize)]
struct Error {
    #[serde(rename = "Message", alias = "message", default)]
    message: String,
    #[serde(rename = "Detail", alias = "detail", default)]
    detail: Option<String>,
    #[serde(default)]
    code: Value,
    #[serde(default)]
    element: Option<String>,
}

/// Code of the refusal, where the answer is one.
pub fn code(response: &Response) -> Option<String> {
    error(response).map(|error| error.code())
}

/// The answer if it is a success, else why not:
///
/// | code or status | failure |
/// |---|---|
/// | 401, 3200 | unauthorized |
/// | 429, 3001 | rate-limited, for a minute |
/// | 5010 stale, 10000, 408, 5xx | retry |
/// | all others | rejected, with what to do about it |
pub fn ok(response: Response) -> Result<Response, Failure> {
    if response.is_success() {
        return Ok(response);
    }
    let Some(error) = error(&response) else {
        return response.ok().map_err(wait);
    };
    let failure = judged(&error, response.status, response.header("intuit_tid"));
    Err(wait(failure.after(response.retry_after())))
}

/// Why an item of a batch was refused: its `Fault`.
pub fn refused(fault: &Value) -> Failure {
    let fault: Option<Fault> = serde_json::from_value(fault.clone()).ok();
    match fault.and_then(|fault| fault.errors.into_iter().next()) {
        Some(error) => wait(judged(&error, 400, None)),
        None => Failure::rejected("QuickBooks refused it without a reason"),
    }
}

fn judged(error: &Error, status: u16, tid: Option<&str>) -> Failure {
    let code = error.code();
    let kind = match (status, code.as_str()) {
        (401, _) | (_, TOKEN) => FailureKind::Unauthorized,
        (429, _) => FailureKind::RateLimited,
        (_, code) if THROTTLED.contains(&code) => FailureKind::RateLimited,
        (408 | 500..=599, _) | (_, STALE | SERVER) => FailureKind::Retry,
        _ => FailureKind::Rejected,
    };
    let detail = error.detail.as_deref().unwrap_or_default();
    let mut reason = format!("QuickBooks answered {code}: {}", error.message);
    for more in [detail, advice(&code)].into_iter().filter(|more| !more.is_empty()) {
        reason = format!("{}. {more}", reason.trim_end_matches('.'));
    }
    Failure::new(kind, reason).details(json!({
        "status": status,
        "code": code,
        "detail": detail,
        "element": error.element,
        "intuit_tid": tid,
    }))
}

/// Whether QuickBooks read the request and found it wrong, so that it surely did nothing.
pub fn is_validation(failure: &Failure) -> bool {
    let status = failure.details.as_ref().and_then(|details| details["status"].as_u64());
    failure.kind == FailureKind::Rejected && status == Some(400)
}

fn wait(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::RateLimited => {
            let after = failure.after.unwrap_or(THROTTLE_WAIT);
            failure.after(after)
        }
        _ => failure,
    }
}

fn error(response: &Response) -> Option<Error> {
    if response.is_success() {
        return None;
    }
    let body: Body = response.json().ok()?;
    body.fault.errors.into_iter().next()
}

impl Error {
    /// A text in most answers, a number in some.
    fn code(&self) -> String {
        match &self.code {
            Value::String(code) => code.clone(),
            Value::Null => String::new(),
            code => code.to_string(),
        }
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "120" => "Connect the company again, or check `realm-id`",
        NOT_FOUND => "The record does not exist or was made inactive",
        DUPLICATE_NAME => "A vendor or an employee has this name: give the customer another",
        "6190" => "The company's subscription has lapsed",
        "6210" => "The books are closed for this date: reopen the period, or use a later date",
        "2500" => "The configuration or the input names something that the company does not have",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use sangam_sdk::testing;

    use super::*;

    fn fault(status: u16, code: &str) -> Response {
        testing::json(
            status,
            json!({ "Fault": { "Error": [{ "Message": "No", "Detail": "Why", "code": code }], "type": "ValidationFault" } }),
        )
    }

    #[test]
    fn codes_decide_whether_to_try_again() {
        use FailureKind::*;
        for (status, code, kind) in [
            (401, "3200", Unauthorized),
            (400, "3200", Unauthorized),
            (403, "120", Rejected),
            (403, "3001", RateLimited),
            (429, "429", RateLimited),
            (400, "5010", Retry),
            (400, "10000", Retry),
            (500, "10000", Retry),
            (503, "", Retry),
            (400, "610", Rejected),
            (400, "2500", Rejected),
            (400, "2020", Rejected),
            (400, "2010", Rejected),
            (400, "6000", Rejected),
            (400, "6140", Rejected),
            (400, "6190", Rejected),
            (400, "6210", Rejected),
            (400, "6240", Rejected),
        ] {
            let failure = ok(fault(status, code)).expect_err("no success");
            assert_eq!(failure.kind, kind, "{status} {code}");
            let waits = (kind == RateLimited).then_some(THROTTLE_WAIT);
            assert_eq!(failure.after, waits, "{status} {code}");
        }
        assert!(ok(testing::json(200, json!({}))).is_ok());
    }

    #[test]
    fn a_refusal_says_what_to_do() {
        let failure = ok(fault(400, "6210")).expect_err("closed");
        assert_eq!(
            failure.reason,
            "QuickBooks answered 6210: No. Why. The books are closed for this date: reopen the period, or use a later date"
        );
        assert_eq!(failure.details.as_ref().map(|details| &details["code"]), Some(&json!("6210")));
        assert!(is_validation(&failure));
    }

    #[test]
    fn the_gateway_spells_in_lower_case() {
        let body = json!({ "fault": { "error": [{ "message": "AuthenticationFailed", "detail": null, "code": 3200 }], "type": "AUTHENTICATION" } });
        let failure = ok(testing::json(401, body)).expect_err("401");
        assert_eq!((failure.kind, failure.reason.as_str()), (FailureKind::Unauthorized, "QuickBooks answered 3200: AuthenticationFailed"));
    }

    #[test]
    fn answers_without_a_fault_count_by_status() {
        let slow = ok(testing::response(429, &[("retry-after", "5")], "<html>")).expect_err("429");
        assert_eq!((slow.kind, slow.after), (FailureKind::RateLimited, Some(Duration::from_secs(5))));
        let slow = ok(testing::text(429, "")).expect_err("429");
        assert_eq!(slow.after, Some(THROTTLE_WAIT));
        assert_eq!(ok(testing::text(502, "bad gateway")).expect_err("502").kind, FailureKind::Retry);
    }
}
