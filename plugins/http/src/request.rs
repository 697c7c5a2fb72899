//! Action `request`.

use std::collections::BTreeMap;

use sangam_sdk::{Write, prelude::*};

use super::Config;

/// Sends a request and returns the answer if it is a success (2xx). 408, 425 and 5xx are tried again, 429 waits as long
/// as `Retry-After` says, 401 renews the credential, and everything else is rejected. Redirects are not followed.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Input {
    /// `GET`, `POST`, …
    #[schemars(regex(pattern = "^[A-Za-z]+$"))]
    method: String,
    /// Absolute URL of a granted host.
    url: String,
    /// Headers by name.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// Text is sent as it is, everything else as JSON; `content-type` can be set in `headers`.
    #[serde(default)]
    body: Value,
}

/// The answer.
#[derive(Serialize, JsonSchema)]
pub struct Answer {
    /// The HTTP status, 200 to 299.
    status: u16,
    /// Headers by name in lower case; several of one name are joined with `, `.
    headers: BTreeMap<String, String>,
    /// JSON where the content type says so, else text; null if there is none.
    body: Value,
}

/// The one write of the step: its name stands for it on every attempt, whatever the clock or a look-up puts into it.
const WRITE: &str = "request";

pub fn send(input: Input, _: &Context<Config>) -> Result<Answer, Failure> {
    let mut request = Write::new(&input.method.to_ascii_uppercase(), input.url).name(WRITE);
    for (name, value) in &input.headers {
        request = request.header(name, value);
    }
    let request = match input.body {
        Value::Null => request,
        Value::String(text) => request.text(text),
        json => request.json(&json),
    };
    let response = request.send()?.ok()?;
    Ok(Answer { status: response.status, body: body(&response), headers: headers(&response) })
}

fn headers(response: &Response) -> BTreeMap<String, String> {
    let mut headers = BTreeMap::<String, String>::new();
    for (name, value) in &response.headers {
        let value = String::from_utf8_lossy(value);
        let joined = headers.entry(name.to_ascii_lowercase()).or_default();
        if !joined.is_empty() {
            joined.push_str(", ");
        }
        joined.push_str(&value);
    }
    headers
}

/// A body that claims to be JSON and is not stays text: the write is done, and failing would not undo it.
fn body(response: &Response) -> Value {
    if response.body.is_empty() {
        return Value::Null;
    }
    let parsed = is_json(response.header("content-type").unwrap_or_default()).then(|| response.json());
    parsed.and_then(Result::ok).unwrap_or_else(|| response.text().into())
}

/// `application/json`, `application/problem+json`, with or without parameters.
fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

#[cfg(test)]
mod tests;
