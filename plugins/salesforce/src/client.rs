//! Requests to the org: records and queries.

use sangam_sdk::{Write, prelude::*};

use crate::{config::Config, errors::ok};

/// Records in a page of a query, so that a page of comments stays below the host's `response-size`. 200 is the least
/// that Salesforce takes.
const PAGE: &str = "batchSize=200";

/// A page of what a query found.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Found {
    /// Records, with the selected fields under their API names.
    pub records: Vec<Value>,
    /// Path of the next page.
    #[serde(default)]
    pub next_records_url: Option<String>,
}

/// What a creation or an upsert is answered.
#[derive(Deserialize)]
pub struct Saved {
    /// The record.
    pub id: String,
    /// Whether an upsert made it.
    #[serde(default)]
    pub created: bool,
}

/// URL of a REST resource, such as `sobjects/Case`.
pub fn url(cx: &Context<Config>, resource: &str) -> String {
    resource_of(&cx.config, resource)
}

/// URL of a REST resource, by a configuration.
pub fn resource_of(config: &Config, resource: &str) -> String {
    format!("{}/services/data/{}/{resource}", config.base_url.trim_end_matches('/'), config.api_version)
}

/// The first page of what a SOQL query finds, by `query` or, deleted records too, by `queryAll`.
pub fn find(config: &Config, resource: &str, soql: &str) -> Result<Found, Failure> {
    read(Request::get(resource_of(config, resource)).query("q", soql))
}

/// The first page of what a SOQL query finds.
pub fn query(cx: &Context<Config>, soql: &str) -> Result<Found, Failure> {
    find(&cx.config, "query", soql)
}

/// The next page.
pub fn next(cx: &Context<Config>, path: &str) -> Result<Found, Failure> {
    read(cx.get(format!("{}{path}", origin(cx))))
}

/// The first record that a query finds.
pub fn first(cx: &Context<Config>, soql: &str) -> Result<Option<Value>, Failure> {
    Ok(query(cx, soql)?.records.into_iter().next())
}

/// A change of a record.
pub fn update(cx: &Context<Config>, object: &str, id: &str) -> Write {
    cx.patch(url(cx, &format!("sobjects/{object}/{}", encode(id))))
}

/// Deletes a record. One that is gone already is as good.
pub fn delete(cx: &Context<Config>, name: &str, object: &str, id: &str) -> Result<(), Failure> {
    let record = url(cx, &format!("sobjects/{object}/{}", encode(id)));
    let response = cx.delete(record).name(name).send()?;
    if response.status != 404 {
        ok(response)?;
    }
    Ok(())
}

/// A text literal of SOQL.
pub fn quoted(text: &str) -> String {
    let mut literal = String::with_capacity(text.len() + 2);
    literal.push('\'');
    for c in text.chars() {
        match c {
            '\'' | '\\' => literal.extend(['\\', c]),
            '\n' => literal.push_str("\\n"),
            '\r' => literal.push_str("\\r"),
            '\t' => literal.push_str("\\t"),
            _ => literal.push(c),
        }
    }
    literal.push('\'');
    literal
}

/// A text of a record; none where it is empty or not selected.
pub fn text(record: &Value, field: &str) -> Option<String> {
    record[field].as_str().map(str::to_owned)
}

fn read(request: Request) -> Result<Found, Failure> {
    request.header("Sforce-Query-Options", PAGE).send().and_then(ok)?.json()
}

fn origin(cx: &Context<Config>) -> &str {
    cx.config.base_url.trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_literal_can_not_be_left() {
        for (text, literal) in
            [("00001026", "'00001026'"), ("O'Hara", r"'O\'Hara'"), (r"a\' OR Id != null", r"'a\\\' OR Id != null'"), ("a\nb", r"'a\nb'")]
        {
            assert_eq!(quoted(text), literal);
        }
    }
}
