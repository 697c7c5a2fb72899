//! Requests to the company's books.

use std::fmt::Display;

use sangam_sdk::{Effect, prelude::*, serde::de::DeserializeOwned};

use crate::{
    Cx,
    config::Config,
    fault::{self, ok},
    stream,
};

/// URL of something of the company.
pub fn url(cx: &Cx, path: impl Display) -> String {
    url_of(&cx.config, path)
}

/// The same, of a configuration.
pub fn url_of(config: &Config, path: impl Display) -> String {
    let base = config.base_url.trim_end_matches('/');
    format!("{base}/v3/company/{}/{path}", encode(&config.realm_id))
}

/// Reads a record; `None` where there is none of that id.
pub fn read<T: DeserializeOwned>(cx: &Cx, entity: &str, id: &str) -> Result<Option<T>, Failure> {
    let path = format!("{}/{}", entity.to_lowercase(), encode(id));
    let response = json(cx.get(url(cx, path))).send()?;
    if fault::code(&response).as_deref() == Some(fault::NOT_FOUND) {
        return Ok(None);
    }
    record(ok(response)?, entity).map(Some)
}

/// Runs a query; `rest` begins with `WHERE` or `ORDERBY`. Finds active records only, unless it says otherwise.
pub fn select<T: DeserializeOwned>(cx: &Cx, entity: &str, rest: &str) -> Result<Vec<T>, Failure> {
    select_of(&cx.config, entity, rest)
}

/// The same, of a configuration.
pub fn select_of<T: DeserializeOwned>(config: &Config, entity: &str, rest: &str) -> Result<Vec<T>, Failure> {
    let query = format!("SELECT * FROM {entity} {rest}");
    let request = json(Request::get(url_of(config, "query"))).query("query", query);
    let mut answer: Value = request.send().and_then(ok)?.json()?;
    if !answer.is_object() {
        // Not an empty result: what is not found might be made again.
        return Err(Failure::rejected(format!("QuickBooks answered the query of {entity} with JSON that is no object")));
    }
    match taken(&mut answer, &format!("/QueryResponse/{entity}")) {
        Value::Null => Ok(Vec::new()), // an empty result has no such key
        found => Ok(serde_json::from_value(found)?),
    }
}

/// A write of a record. Its name stands for it on every attempt; `requestid` makes QuickBooks answer a repetition with the first
/// outcome. It has at most 50 characters.
pub fn write(cx: &Cx, entity: &str, name: &str, requestid: &str, body: &Value) -> Request {
    let request = cx.post(url(cx, entity.to_lowercase())).name(name);
    json(request).query("requestid", requestid).json(body)
}

/// Asks for JSON: without that QuickBooks answers in XML.
pub fn json(request: Request) -> Request {
    request.header("accept", "application/json")
}

/// The record in an answer.
pub fn record<T: DeserializeOwned>(response: Response, entity: &str) -> Result<T, Failure> {
    let mut answer: Value = response.json()?;
    Ok(serde_json::from_value(taken(&mut answer, &format!("/{entity}")))?)
}

/// A text of a query, in its quotes.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"))
}

/// Several texts for `IN`.
pub fn quote_all<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    let quoted: Vec<_> = texts.into_iter().map(quote).collect();
    format!("({})", quoted.join(", "))
}

/// The record in the answer to a write, which the streams are not to bring in as news.
pub fn written<T: DeserializeOwned>(response: Response, entity: &str) -> Result<T, Failure> {
    let mut answer: Value = response.json()?;
    let record = taken(&mut answer, &format!("/{entity}"));
    stream::wrote(entity, &record)?;
    Ok(serde_json::from_value(record)?)
}

/// A part of an answer, taken out of it; null where it is not there. Unlike an index it panics at no answer, whatever its shape.
pub fn taken(answer: &mut Value, pointer: &str) -> Value {
    answer.pointer_mut(pointer).map(Value::take).unwrap_or_default()
}

/// Id of the record that a write made, where its answer arrived.
pub fn made_by(effect: &Effect, entity: &str) -> Option<String> {
    let answer = body(&effect.response);
    answer[entity]["Id"].as_str().map(str::to_owned)
}

/// The body of a request or a response of the journal: JSON, or its text.
pub fn body(message: &Value) -> Value {
    match &message["body"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        body => body.clone(),
    }
}

/// The start of a text, where QuickBooks takes no more characters: a long note must not hold up an invoice.
pub fn clip(text: &str, max: usize) -> String {
    if text.chars().count() <= max {
        return text.to_owned();
    }
    let start: String = text.chars().take(max - 1).collect();
    start + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_escaped() {
        assert_eq!(quote("O'Neil & Co"), r"'O\'Neil & Co'");
        assert_eq!(quote(r"a\"), r"'a\\'");
        assert_eq!(quote_all(["a", "b'"]), r"('a', 'b\'')");
    }

    #[test]
    fn long_texts_end_in_an_ellipsis() {
        assert_eq!(clip("Über", 4), "Über");
        assert_eq!(clip("Überlänge", 4), "Übe…");
    }

    #[test]
    fn answers_of_the_journal_are_json_or_text() {
        for body in [json!({ "Invoice": { "Id": "7" } }), json!(r#"{"Invoice":{"Id":"7"}}"#)] {
            let effect: Effect = serde_json::from_value(
                json!({ "name": "invoice", "key": null, "state": "done", "response": { "status": 200, "body": body } }),
            )
            .expect("an effect");
            assert_eq!(made_by(&effect, "Invoice").as_deref(), Some("7"));
        }
    }
}
