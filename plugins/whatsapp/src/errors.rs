//! What WhatsApp's refusals mean: again, or never. (developers.facebook.com: Cloud API, error codes.)

use sangam_sdk::prelude::*;

/// How long to wait after a limit of throughput.
const THROUGHPUT: Duration = Duration::from_secs(5);
/// One number may be written to about every six seconds.
const PAIR: Duration = Duration::from_secs(10);
/// After limits of the application, which are counted by the hour.
const HOURLY: Duration = Duration::from_secs(15 * 60);

/// The answer itself if it is a success, else the failure that WhatsApp's code says it is.
pub fn ok(response: Response) -> Result<Response, Failure> {
    let status = response.status;
    let problem: Value = if response.is_success() { Value::Null } else { response.json().unwrap_or_default() };
    let mut failure = match response.ok() {
        Ok(response) => return Ok(response),
        Err(failure) => failure,
    };
    let error = &problem["error"];
    let Some(code) = error["code"].as_u64() else { return Err(failure) };
    let rejected = |help| (FailureKind::Rejected, None, help);
    let (kind, after, help) = match code {
        0 | 190 => (FailureKind::Unauthorized, None, ""),
        4 | 80007 | 131_048 => (FailureKind::RateLimited, Some(HOURLY), ""),
        130_429 => (FailureKind::RateLimited, Some(THROUGHPUT), ""),
        131_056 => (FailureKind::RateLimited, Some(PAIR), ""),
        // Unknown trouble, overload and maintenance, on their side.
        1 | 2 | 131_000 | 131_016 | 131_057 | 133_004 => (FailureKind::Retry, None, ""),
        10 | 200..=299 => rejected("; the token lacks the permission whatsapp_business_messaging"),
        131_026 => rejected("; the number is not on WhatsApp, or can't be reached there"),
        131_030 => rejected("; a test number sends only to numbers that were entered for it"),
        131_047 => rejected("; more than 24 hours have passed since this person last wrote: only a template may be sent"),
        131_049 => rejected("; WhatsApp holds it back, since this person gets many such messages: wait a day at least"),
        131_050 => rejected("; this person has asked for no more such messages"),
        132_000 => rejected("; the template has another number of parameters"),
        132_001 => rejected("; there is no approved template of that name in that language"),
        132_015 | 132_016 => rejected("; the template was paused or disabled for its quality"),
        _ => (failure.kind, None, ""),
    };
    failure.kind = kind;
    failure.after = failure.after.or(after);
    if let Some(message) = error["message"].as_str() {
        let details = error["error_data"]["details"].as_str().map(|details| format!(": {details}")).unwrap_or_default();
        failure.reason = format!("WhatsApp answered {status}: {message}{details}{help}");
        failure.details = Some(json!({
            "status": status, "code": code, "subcode": error["error_subcode"], "message": message, "trace": error["fbtrace_id"],
        }));
    }
    Err(failure)
}
