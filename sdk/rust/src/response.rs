use std::{
    borrow::Cow,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{Failure, input};

/// How much of a body a failure quotes.
const EXCERPT_BYTES: usize = 2048;

/// A complete answer, of whatever status.
#[derive(Debug, Clone)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// As it came.
    pub body: Vec<u8>,
    /// Method and URL, for failures to name.
    pub(crate) to: String,
}

impl Response {
    /// The answer itself if it is a success (2xx), else the failure that HTTP says it is:
    ///
    /// | status | failure |
    /// |---|---|
    /// | 401 | unauthorized |
    /// | 408, 425, 5xx | retry, after `Retry-After` |
    /// | 429 | rate-limited, after `Retry-After` |
    /// | all others | rejected |
    ///
    /// Each has the status and the start of the body in its details. Where a system has its own ways, match those first
    /// and fall back on this:
    ///
    /// ```
    /// # use sangam_sdk::prelude::*;
    /// fn ok(response: Response) -> Result<Response, Failure> {
    ///     match response.status {
    ///         403 if response.text().contains("REQUEST_LIMIT_EXCEEDED") => {
    ///             Err(Failure::rate_limited("The daily quota of the organisation is used up").response(&response))
    ///         }
    ///         _ => response.ok(),
    ///     }
    /// }
    /// ```
    ///
    /// # Errors
    /// As in the table.
    pub fn ok(self) -> Result<Self, Failure> {
        let answered = || format!("{} answered {}", self.to, self.status);
        let failure = match self.status {
            200..=299 => return Ok(self),
            401 => Failure::unauthorized(answered()),
            429 => Failure::rate_limited(answered()),
            408 | 425 | 500..=599 => Failure::retry(answered()),
            _ => Failure::rejected(answered()),
        };
        Err(failure.response(&self))
    }

    /// As [`Response::ok`]; a refusal is told in the system's own words, where it uses common ones: problem details (RFC 9457) with the fields at fault, or
    /// `message`, `error_description` and `error`.
    ///
    /// # Errors
    /// As in the table of [`Response::ok`].
    pub fn explained(self) -> Result<Self, Failure> {
        let said = self.said();
        self.ok().map_err(|mut failure| {
            if let Some(said) = said {
                failure.reason = format!("{}: {said}", failure.reason);
            }
            failure
        })
    }

    fn said(&self) -> Option<String> {
        if self.is_success() {
            return None;
        }
        let body: Value = self.json().ok()?;
        let body = if body["error"].is_object() { &body["error"] } else { &body };
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

    /// Whether the status is 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// The body as a type of yours, or as [`Value`](serde_json::Value).
    ///
    /// # Errors
    /// Rejected, with the path of the field that does not fit and the start of the body. Of an answer that is no success
    /// take `.json::<VendorError>().ok()`.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let what = format!("the answer of {}: body", self.to);
        let text = std::str::from_utf8(&self.body).map_err(|error| Failure::rejected(format!("{what}: {error}")).response(self))?;
        input::parse(text, &what).map_err(|failure| failure.response(self))
    }

    /// The body as text; what is not UTF-8 is replaced.
    pub fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }

    /// The first header of that name, if its value is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        let (_, value) = self.headers.iter().find(|(present, _)| present.eq_ignore_ascii_case(name))?;
        std::str::from_utf8(value).ok()
    }

    /// The next page, as the header `Link` names it (RFC 8288, `rel="next"`): a whole URL, or a path at the host that was asked.
    pub fn next_link(&self) -> Option<String> {
        let links = self.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("link"));
        let text = links.filter_map(|(_, value)| std::str::from_utf8(value).ok()).collect::<Vec<_>>().join(",");
        let mut rest = text.as_str();
        while let Some((_, begun)) = rest.split_once('<') {
            let (target, after) = begun.split_once('>')?;
            // Up to the next link; a `<` within a quoted parameter is none that any system writes.
            let (parameters, _) = after.split_once('<').unwrap_or((after, ""));
            let is_next = |parameter: &str| {
                let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                name.trim().eq_ignore_ascii_case("rel") && value.split(' ').any(|relation| relation.eq_ignore_ascii_case("next"))
            };
            if parameters.split(';').any(is_next) {
                return Some(self.at_host(target));
            }
            rest = after;
        }
        None
    }

    /// A path as a URL of the host that was asked.
    fn at_host(&self, target: &str) -> String {
        let asked = self.to.split_once(' ').map_or("", |(_, url)| url);
        let origin = asked.match_indices('/').nth(2).map_or(asked, |(end, _)| &asked[..end]);
        if target.starts_with('/') { format!("{origin}{target}") } else { target.to_owned() }
    }

    /// How long `Retry-After` asks to wait: seconds, or a date on the clock that the plugin sees.
    pub fn retry_after(&self) -> Option<Duration> {
        let value = self.header("retry-after")?.trim();
        if let Ok(seconds) = value.parse() {
            return Some(Duration::from_secs(seconds));
        }
        let date = httpdate::parse_http_date(value).ok()?;
        Some(date.duration_since(SystemTime::now()).unwrap_or_default())
    }

    /// The start of the body, for people.
    pub(crate) fn excerpt(&self) -> Cow<'_, str> {
        match self.body.get(..EXCERPT_BYTES) {
            Some(start) => Cow::Owned(format!("{}…", String::from_utf8_lossy(start).trim_end_matches('\u{fffd}'))),
            None => self.text(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind::{self, *};

    fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Response {
        Response {
            status,
            headers: headers.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            body: body.into(),
            to: "GET https://a.example/b".into(),
        }
    }

    #[test]
    fn a_status_decides_whether_to_try_again() {
        let kinds: [(u16, FailureKind); 9] = [
            (401, Unauthorized),
            (408, Retry),
            (425, Retry),
            (500, Retry),
            (503, Retry),
            (429, RateLimited),
            (302, Rejected),
            (404, Rejected),
            (409, Rejected),
        ];
        for (status, kind) in kinds {
            assert_eq!(answer(status, &[], "").ok().expect_err("no success").kind, kind, "{status}");
        }
        assert!(answer(204, &[], "").ok().is_ok());
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let after = |value| answer(429, &[("retry-after", value)], "").ok().expect_err("429").after;
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        let hour = httpdate::fmt_http_date(SystemTime::now() + Duration::from_secs(3600));
        assert!((3590..=3600).contains(&after(&hour).expect("a date").as_secs()));
        assert_eq!(after("soon"), None);
    }

    #[test]
    fn the_next_page_is_the_one_that_the_link_header_names() {
        let next = |link| answer(200, &[("link", link)], "").next_link();
        let github = r#"<https://a.example/b?page=1>; rel="prev", <https://a.example/b?page=3>; rel="next", <https://a.example/b?page=9>; rel="last""#;
        assert_eq!(next(github).as_deref(), Some("https://a.example/b?page=3"));
        assert_eq!(next("</b?cursor=x,y>; title=more; rel=next").as_deref(), Some("https://a.example/b?cursor=x,y"));
        assert_eq!(next(r#"<https://a.example/b?page=1>; rel="first prev""#), None);
        assert_eq!(next("no link at all"), None);
    }

    #[test]
    fn a_failure_quotes_the_start_of_the_body() {
        let long = "ä".repeat(2000);
        let details = answer(422, &[], &long).ok().expect_err("422").details.expect("quoted");
        assert_eq!(details["status"], 422);
        assert_eq!(details["body"], format!("{}…", "ä".repeat(1024)));
    }

    #[test]
    fn a_refusal_is_told_in_the_systems_words() {
        for (body, reason) in [
            (
                r##"{"title": "Invalid fields", "detail": "no", "errors": [{"pointer": "#/note", "detail": "is long"}]}"##,
                ": Invalid fields: no: note is long",
            ),
            (r#"{"error": "emp is missing"}"#, ": emp is missing"),
            (r#"{"error": {"message": "no such job"}}"#, ": no such job"),
            (r#"{"message": "gone"}"#, ": gone"),
            ("[1]", ""),
        ] {
            let failure = answer(422, &[], body).explained().expect_err("422");
            assert_eq!(failure.kind, Rejected);
            assert!(failure.reason.ends_with(&format!("answered 422{reason}")), "{}", failure.reason);
        }
        let busy = answer(429, &[("retry-after", "3")], r#"{"title":"Too many requests"}"#).explained().expect_err("429");
        assert_eq!((busy.kind, busy.after), (RateLimited, Some(Duration::from_secs(3))));
    }

    #[test]
    fn a_body_of_another_shape_is_rejected_with_its_field() {
        let failure = answer(200, &[], r#"[1, "x"]"#).json::<Vec<u8>>().expect_err("a string in it");
        assert_eq!(failure.kind, Rejected);
        assert_eq!(failure.reason, r#"the answer of GET https://a.example/b: body[1]: invalid type: string "x", expected u8"#);
    }
}
