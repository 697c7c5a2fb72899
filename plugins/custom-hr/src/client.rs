//! Requests to the system, and what it refuses.

use sangam_sdk::prelude::*;

use crate::config::Config;

/// URL of a path that is filled in.
pub fn url(config: &Config, path: &str) -> String {
    format!("{}{path}", config.base_url.trim_end_matches('/'))
}

/// Adds the configured headers, and asks for JSON.
pub fn dress(config: &Config, request: Request) -> Request {
    let request = request.header("accept", "application/json");
    config.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// The answer if it is a success, else the failure that its status says, in the system's own words.
pub fn ok(response: Response) -> Result<Response, Failure> {
    let said = said(&response);
    response.ok().map_err(|mut failure| {
        if let Some(said) = said {
            failure.reason = format!("{}: {said}", failure.reason);
        }
        failure
    })
}

/// What a refusal says: problem details (RFC 9457) with the fields at fault, or the usual names.
fn said(response: &Response) -> Option<String> {
    if response.is_success() {
        return None;
    }
    let body: Value = response.json().ok()?;
    let text = |name: &str| body[name].as_str().filter(|text| !text.is_empty());
    let mut parts: Vec<_> = ["title", "detail"].into_iter().filter_map(text).map(str::to_owned).collect();
    if parts.is_empty() {
        let usual = ["message", "error_description", "error"].into_iter().find_map(text);
        parts.extend(usual.map(str::to_owned));
    }
    for error in body["errors"].as_array().into_iter().flatten() {
        let field = ["pointer", "field", "name"].into_iter().find_map(|name| error[name].as_str());
        let why = ["detail", "message", "reason"].into_iter().find_map(|name| error[name].as_str());
        parts.extend(why.map(|why| format!("{} {why}", field.unwrap_or_default().trim_start_matches("#/")).trim().to_owned()));
    }
    (!parts.is_empty()).then(|| parts.join(": "))
}

#[cfg(test)]
mod tests {
    use sangam_sdk::testing;

    use super::*;

    #[test]
    fn a_refusal_is_told_in_the_systems_words() {
        for (body, reason) in [
            (
                json!({ "title": "Invalid fields", "detail": "no", "errors": [{ "pointer": "#/note", "detail": "is long" }] }),
                ": Invalid fields: no: note is long",
            ),
            (json!({ "error": "emp is missing" }), ": emp is missing"),
            (json!({ "message": "gone" }), ": gone"),
            (json!([1]), ""),
        ] {
            let failure = ok(testing::json(422, body)).expect_err("422");
            assert_eq!(failure.kind, FailureKind::Rejected);
            assert!(failure.reason.ends_with(&format!("answered 422{reason}")), "{}", failure.reason);
        }
        let busy = ok(testing::response(429, &[("retry-after", "3")], r#"{"title":"Too many requests"}"#)).expect_err("429");
        assert_eq!((busy.kind, busy.after), (FailureKind::RateLimited, Some(Duration::from_secs(3))));
    }
}
