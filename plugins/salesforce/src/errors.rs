//! What Salesforce's refusals mean: again, or never.

use sangam_sdk::prelude::*;

/// How long to wait where the org has used up its requests. The allocation rolls over 24 hours and Salesforce names no
/// time; a minute lets the first of the waiting runs try without spending requests on asking.
const QUOTA_PAUSE: Duration = Duration::from_secs(60);

/// An element of an error's body.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Problem {
    message: String,
    error_code: String,
    #[serde(default)]
    fields: Vec<String>,
}

/// The answer itself if it is a success, else the failure that the vendor's code says it is, and where it has none, its
/// status.
pub fn ok(response: Response) -> Result<Response, Failure> {
    // Answers of proxies, and the 300 of an ambiguous external id, hold no problems.
    let problems: Vec<Problem> = if response.is_success() { Vec::new() } else { response.json().unwrap_or_default() };
    let Some(problem) = problems.into_iter().next() else {
        return response.ok();
    };
    let plain = match response.clone().ok() {
        Ok(response) => return Ok(response),
        Err(plain) => plain,
    };
    let Problem { message, error_code: code, fields } = problem;
    let (kind, after) = judged(&code, &plain);
    let reason = format!("Salesforce answered {}: {message} ({code})", response.status);
    let details = json!({ "status": response.status, "code": code, "message": message, "fields": fields });
    Err(Failure::new(kind, reason).after(after).details(details))
}

/// What a code means; `plain`: without it.
fn judged(code: &str, plain: &Failure) -> (FailureKind, Option<Duration>) {
    match code {
        "REQUEST_LIMIT_EXCEEDED" => (FailureKind::RateLimited, plain.after.or(Some(QUOTA_PAUSE))),
        "INVALID_SESSION_ID" => (FailureKind::Unauthorized, None),
        "UNABLE_TO_LOCK_ROW" | "SERVER_UNAVAILABLE" | "QUERY_TIMEOUT" => (FailureKind::Retry, plain.after),
        _ => (plain.kind, plain.after),
    }
}

/// Why a record of a collection was refused: the first of the errors of its result, `{"statusCode", "message", "fields"}`.
pub fn refused(result: &Value) -> Failure {
    let error = &result["errors"][0];
    let code = error["statusCode"].as_str().unwrap_or("no code");
    let message = error["message"].as_str().unwrap_or("no reason");
    let (kind, after) = judged(code, &Failure::rejected(String::new()));
    let details = json!({ "code": code, "message": message, "fields": error["fields"] });
    Failure::new(kind, format!("Salesforce refused the record: {message} ({code})")).after(after).details(details)
}

#[cfg(test)]
mod tests {
    use FailureKind::*;
    use sangam_sdk::testing;

    use super::*;

    fn refused(status: u16, code: &str) -> Failure {
        let body = json!([{ "message": "No.", "errorCode": code, "fields": ["Status"] }]);
        ok(testing::json(status, body)).expect_err("no success")
    }

    #[test]
    fn codes_decide_whether_to_try_again() {
        for (status, code, kind) in [
            (401, "INVALID_SESSION_ID", Unauthorized),
            (401, "INVALID_AUTH_HEADER", Unauthorized),
            (403, "REQUEST_LIMIT_EXCEEDED", RateLimited),
            (403, "INSUFFICIENT_ACCESS", Rejected),
            (400, "UNABLE_TO_LOCK_ROW", Retry),
            (400, "QUERY_TIMEOUT", Retry),
            (400, "REQUIRED_FIELD_MISSING", Rejected),
            (400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", Rejected),
            (400, "DUPLICATES_DETECTED", Rejected),
            (404, "NOT_FOUND", Rejected),
            (500, "UNKNOWN_EXCEPTION", Retry),
            (503, "SERVER_UNAVAILABLE", Retry),
        ] {
            assert_eq!(refused(status, code).kind, kind, "{status} {code}");
        }
    }

    #[test]
    fn a_refusal_is_told_in_the_vendors_words() {
        let failure = refused(400, "REQUIRED_FIELD_MISSING");
        assert_eq!(failure.reason, "Salesforce answered 400: No. (REQUIRED_FIELD_MISSING)");
        let details = json!({ "status": 400, "code": "REQUIRED_FIELD_MISSING", "message": "No.", "fields": ["Status"] });
        assert_eq!(failure.details, Some(details));
    }

    #[test]
    fn the_quota_is_waited_for() {
        assert_eq!(refused(403, "REQUEST_LIMIT_EXCEEDED").after, Some(QUOTA_PAUSE));
    }

    #[test]
    fn an_answer_in_another_shape_is_judged_by_its_status() {
        let page = ok(testing::text(503, "<html>")).expect_err("503");
        assert_eq!(page.kind, Retry);
        let links = ok(testing::json(300, json!(["/a", "/b"]))).expect_err("300");
        assert_eq!(links.kind, Rejected);
    }
}
