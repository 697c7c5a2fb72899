//! What HubSpot's refusals mean: again, or never.

use sangam_sdk::prelude::*;

/// How long to wait where HubSpot does not say: until the window of the limit that is named has passed.
const SECONDLY: Duration = Duration::from_secs(1);
const TEN_SECONDLY: Duration = Duration::from_secs(10);
/// The daily limit ends at midnight of the account's time zone, which is not told: ask now and then.
const DAILY: Duration = Duration::from_secs(15 * 60);
/// A locked record is free again soon.
const LOCKED: Duration = Duration::from_secs(2);

/// The answer itself if it is a success, else the failure that HubSpot's status and body say it is.
pub fn ok(response: Response) -> Result<Response, Failure> {
    let status = response.status;
    let problem: Value = if response.is_success() { Value::Null } else { response.json().unwrap_or_default() };
    let mut failure = match response.ok() {
        Ok(response) => return Ok(response),
        Err(failure) => failure,
    };
    let (kind, pause) = match status {
        429 => (FailureKind::RateLimited, Some(window(&problem))),
        423 => (FailureKind::Retry, Some(LOCKED)),
        // 409: somebody else writes the same record now. 477: the account moves to another region.
        409 | 477 => (FailureKind::Retry, None),
        _ => (failure.kind, None),
    };
    failure.kind = kind;
    failure.after = failure.after.or(pause);
    if let Some(message) = problem["message"].as_str() {
        let category = problem["category"].as_str().unwrap_or("no category");
        failure.reason = format!("HubSpot answered {status}: {message} ({category})");
        let errors = problem["errors"].clone();
        failure.details = Some(json!({
            "status": status, "category": category, "message": message, "errors": errors,
            "correlation_id": problem["correlationId"],
        }));
    }
    Err(failure)
}

/// What an error in the answer to a batch says of one of its records.
pub fn refused(error: &Value) -> Failure {
    let category = error["category"].as_str().unwrap_or("no category");
    let message = error["message"].as_str().unwrap_or("no reason");
    let kind = match category {
        "RATE_LIMITS" => FailureKind::RateLimited,
        "CONFLICT" | "INTERNAL_ERROR" => FailureKind::Retry,
        _ => FailureKind::Rejected,
    };
    Failure::new(kind, format!("HubSpot refused the record: {message} ({category})"))
        .details(json!({ "category": category, "message": message, "errors": error["errors"], "context": error["context"] }))
}

fn window(problem: &Value) -> Duration {
    match problem["policyName"].as_str() {
        Some("DAILY") => DAILY,
        Some("SECONDLY") => SECONDLY,
        _ => TEN_SECONDLY,
    }
}

#[cfg(test)]
mod tests {
    use FailureKind::*;
    use sangam_sdk::testing;

    use super::*;

    fn refused(status: u16, body: Value) -> Failure {
        ok(testing::json(status, body)).expect_err("no success")
    }

    #[test]
    fn statuses_decide_whether_to_try_again() {
        for (status, kind) in [
            (400, Rejected),
            (401, Unauthorized),
            (403, Rejected),
            (404, Rejected),
            (409, Retry),
            (423, Retry),
            (429, RateLimited),
            (477, Retry),
            (500, Retry),
            (502, Retry),
            (524, Retry),
        ] {
            let body = json!({ "status": "error", "message": "No.", "category": "X" });
            assert_eq!(refused(status, body).kind, kind, "{status}");
        }
    }

    #[test]
    fn each_limit_has_its_window() {
        for (policy, after) in [("SECONDLY", SECONDLY), ("TEN_SECONDLY_ROLLING", TEN_SECONDLY), ("DAILY", DAILY), ("NEW_ONE", TEN_SECONDLY)]
        {
            assert_eq!(refused(429, json!({ "policyName": policy })).after, Some(after), "{policy}");
        }
        let told = testing::response(429, &[("retry-after", "3")], "{}");
        assert_eq!(ok(told).expect_err("429").after, Some(Duration::from_secs(3)));
    }

    #[test]
    fn a_refusal_is_told_in_the_vendors_words() {
        let body = json!({ "message": "resource not found", "category": "OBJECT_NOT_FOUND", "correlationId": "c-1" });
        let failure = refused(404, body);
        assert_eq!(failure.reason, "HubSpot answered 404: resource not found (OBJECT_NOT_FOUND)");
        assert_eq!(failure.details.expect("details")["correlation_id"], "c-1");
        assert_eq!(ok(testing::text(503, "<html>")).expect_err("503").kind, Retry);
    }
}
