//! The real system, listened to: a case is made of what it was asked and answered, without any secret.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::case::{Exchange, Expectation, ExpectedFailure, ExpectedRequest, GivenResponse, NoAnswer};
use super::pattern::Placeholders;
use super::stage::Played;
use crate::outbound::{Asked, FarEnd, HttpError, Outbound, Request, Response};

/// Time for one exchange.
const TIME: Duration = Duration::from_secs(30);
/// Headers of answers that connectors go by. All others are left out: they change, or belong to somebody.
const KEPT: [&str; 6] = ["content-type", "retry-after", "location", "etag", "link", "last-modified"];
/// Names under which secrets travel, in a query or as a member of a body: without hyphens and underscores.
const SECRET: [&str; 16] = [
    "accesstoken",
    "refreshtoken",
    "idtoken",
    "token",
    "apikey",
    "key",
    "secret",
    "clientsecret",
    "password",
    "passwd",
    "signature",
    "sig",
    "authorization",
    "sessionid",
    "credential",
    "privatekey",
];
/// What stands in an answer in place of a secret.
const MASK: &str = "***";

/// Passes requests on to a real system and remembers them.
pub struct Recorder {
    through: Outbound,
    seen: Mutex<Vec<(Asked, Result<Response, HttpError>)>>,
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Recorder").finish_non_exhaustive()
    }
}

impl Recorder {
    /// Goes out by a plugin's own way, with its grants and credentials.
    pub fn new(through: Outbound) -> Arc<Recorder> {
        Arc::new(Recorder { through, seen: Mutex::default() })
    }

    /// Names of the writes that came.
    pub fn names(&self) -> Vec<String> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut names: Vec<String> = seen.iter().filter_map(|(asked, _)| asked.name.clone()).collect();
        names.sort();
        names.dedup();
        names
    }

    /// What came, as a case has it.
    pub fn exchanges(&self, placeholders: &Placeholders) -> Vec<Exchange> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().map(|(asked, answer)| exchange(asked, answer, placeholders)).collect()
    }
}

impl FarEnd for Recorder {
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async move {
            let request = Request {
                method: asked.method.clone(),
                url: asked.url.to_string(),
                headers: asked.headers.clone(),
                body: asked.body.to_vec(),
                timeout: None,
                name: asked.name.clone(),
                read_only: asked.reads,
            };
            let answer = match self.through.prepare(&request) {
                Ok(exchange) => self.through.exchange(&exchange, asked.key.as_deref(), TIME, &CancellationToken::new()).await.1,
                Err(error) => Err(error),
            };
            self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((asked, answer.clone()));
            answer
        })
    }
}

/// What is to come of the case, after what came of it now. `key_value`: what it left in its space.
pub fn expectation(played: &Played, placeholders: &Placeholders, key_value: BTreeMap<String, Value>) -> Expectation {
    let spelled = |value: &Value| spelled(value, placeholders);
    let failure = played.last().filter(|last| last.outcome != "succeeded").map(|last| ExpectedFailure {
        kind: last.outcome.clone(),
        reason: Some(placeholders.spelled(&played.reason())),
        after_ms: None,
    });
    let output = if failure.is_none() { played.output.as_ref().map(spelled) } else { None };
    let event = |event: &Value| {
        let kept = ["type", "subject", "data"].into_iter().filter_map(|name| Some((name.to_owned(), spelled(event.get(name)?))));
        Value::Object(kept.collect())
    };
    let events = (!played.events.is_empty()).then(|| played.events.iter().map(event).collect());
    Expectation {
        output,
        failure,
        logs: None,
        events,
        key_value: key_value.iter().map(|(key, value)| (key.clone(), spelled(value))).collect(),
        ..Expectation::default()
    }
}

fn exchange(asked: &Asked, answer: &Result<Response, HttpError>, placeholders: &Placeholders) -> Exchange {
    let (response, fault) = match answer {
        Ok(response) => (Some(given(response, placeholders)), None),
        Err(HttpError::Timeout(_)) => (None, Some(NoAnswer::Timeout)),
        Err(error) if error.may_have_left() => (None, Some(NoAnswer::Reset)),
        Err(_) => (None, Some(NoAnswer::Refused)),
    };
    let body = (!asked.body.is_empty()).then(|| match serde_json::from_slice::<Value>(&asked.body) {
        Ok(json) if json.is_object() || json.is_array() => spelled(&masked(&json, "${any}"), placeholders),
        _ => Value::from(placeholders.spelled(&String::from_utf8_lossy(&asked.body))),
    });
    // Only where the key is in it does a header tell something that the body does not.
    let headers = asked.headers.iter().map(|(name, value)| (name.clone(), placeholders.spelled(&String::from_utf8_lossy(value))));
    let headers = headers.filter(|(name, value)| name == "if-match" || value.contains("${key")).collect();
    let request = ExpectedRequest { method: asked.method.clone(), url: url(asked, placeholders), headers, body, name: asked.name.clone() };
    Exchange { request, response, fault, optional: false, after: None, repeatable: None, times: 1 }
}

fn given(response: &Response, placeholders: &Placeholders) -> GivenResponse {
    let text = |value: &[u8]| placeholders.spelled(&String::from_utf8_lossy(value));
    let kept = response.headers.iter().filter(|(name, _)| KEPT.contains(&name.as_str()));
    let headers = kept.map(|(name, value)| (name.clone(), text(value))).collect();
    let body = (!response.body.is_empty()).then(|| match serde_json::from_slice::<Value>(&response.body) {
        Ok(json) if json.is_object() || json.is_array() => spelled(&masked(&json, MASK), placeholders),
        _ => Value::from(text(&response.body)),
    });
    GivenResponse { status: response.status, headers, body }
}

/// The URL with keys spelled and secrets of the query left open.
fn url(asked: &Asked, placeholders: &Placeholders) -> String {
    let mut base = asked.url.clone();
    base.set_query(None);
    let base = placeholders.spelled(base.as_str());
    let Some(query) = asked.url.query() else { return base };
    let pair = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if is_secret(name) => format!("{name}=${{any}}"),
        _ => placeholders.spelled(pair),
    };
    format!("{base}?{}", query.split('&').map(pair).collect::<Vec<_>>().join("&"))
}

fn is_secret(name: &str) -> bool {
    let plain: String = name.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    SECRET.contains(&plain.as_str())
}

/// Without the values of members that are called like secrets.
fn masked(value: &Value, mask: &str) -> Value {
    match value {
        Value::Object(members) => {
            let member = |(name, value): (&String, &Value)| {
                let hidden = value.is_string() && is_secret(name) && name != "key";
                (name.clone(), if hidden { Value::from(mask) } else { masked(value, mask) })
            };
            Value::Object(members.iter().map(member).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.iter().map(|item| masked(item, mask)).collect()),
        other => other.clone(),
    }
}

fn spelled(value: &Value, placeholders: &Placeholders) -> Value {
    match value {
        Value::String(text) => Value::from(placeholders.spelled(text)),
        Value::Array(items) => Value::Array(items.iter().map(|item| spelled(item, placeholders)).collect()),
        Value::Object(members) => Value::Object(members.iter().map(|(name, value)| (name.clone(), spelled(value, placeholders))).collect()),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_called_like_a_secret_is_in_no_case() {
        let body = json!({ "name": "Ada", "password": "hunter-2", "grants": [{ "api_key": "k-77" }] }).to_string();
        let asked = Asked {
            method: "POST".to_owned(),
            url: url::Url::parse("https://a.example/login?api_key=q-88&page=2").expect("a URL"),
            headers: vec![("x-api-key".to_owned(), b"h-99".to_vec()), ("cookie".to_owned(), b"c-11".to_vec())],
            body: body.into_bytes().into(),
            name: Some("login".to_owned()),
            key: Some("11111111-2222-5333-8444-555555555555".to_owned()),
            reads: false,
        };
        let headers = vec![("set-cookie".to_owned(), b"s-22".to_vec()), ("content-type".to_owned(), b"application/json".to_vec())];
        let answer = json!({ "access_token": "t-33", "refresh-token": "r-44", "user": { "id": "u-1", "clientSecret": "cs-55" } });
        let answer = Ok(Response { status: 200, headers, body: answer.to_string().into_bytes() });
        let placeholders = Placeholders::new("root", "do", &[], jiff::Timestamp::UNIX_EPOCH);
        let case = serde_json::to_string(&exchange(&asked, &answer, &placeholders)).expect("plain data");
        for secret in ["hunter-2", "k-77", "q-88", "h-99", "c-11", "s-22", "t-33", "r-44", "cs-55"] {
            assert!(!case.contains(secret), "{secret} is in {case}");
        }
        for kept in ["Ada", "page=2", "api_key=${any}", "u-1", "application/json"] {
            assert!(case.contains(kept), "{kept} is not in {case}");
        }
    }
}
