//! Requests to the tenant.

use sangam_sdk::{Write, prelude::*};

use crate::config::Config;

/// URL of a resource of a module: `jpm`, `jobs/7`.
fn url(config: &Config, module: &str, resource: &str) -> String {
    format!("{}/{module}/v2/tenant/{}/{resource}", config.base_url.trim_end_matches('/'), config.tenant)
}

/// A read, to which more may be added.
pub fn get(config: &Config, module: &str, resource: &str) -> Request {
    Request::get(url(config, module, resource))
}

/// What a read is answered.
pub fn read(request: Request) -> Result<Value, Failure> {
    let answer: Value = request.send()?.explained()?.json()?;
    if !answer.is_object() {
        return Err(Failure::rejected("ServiceTitan answered with JSON that is no object"));
    }
    Ok(answer)
}

/// The records of a page. An answer without `data` is not an empty one: what is not found might be made again.
pub fn list(request: Request) -> Result<Vec<Value>, Failure> {
    match read(request)?["data"].take() {
        Value::Array(records) => Ok(records),
        _ => Err(Failure::rejected("ServiceTitan answered a list without `data`")),
    }
}

/// Writes, and gives the answer; null where it is none.
pub fn write(config: &Config, method: &str, module: &str, resource: &str, name: &str, body: &Value) -> Result<Value, Failure> {
    let response = Write::new(method, url(config, module, resource)).name(name).json(body).send()?.explained()?;
    Ok(response.json().unwrap_or_default())
}

/// Deletes what may be gone already.
pub fn delete(config: &Config, module: &str, resource: &str, name: &str) -> Result<(), Failure> {
    let response = Write::new("DELETE", url(config, module, resource)).name(name).send()?;
    if response.status != 404 {
        response.explained()?;
    }
    Ok(())
}

/// An id, which is a number with them and text with us.
pub fn id(value: &Value) -> Option<String> {
    match value {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        _ => None,
    }
}

/// Ids for a query, each once.
pub fn ids<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    let mut ids: Vec<String> = values.filter_map(id).filter(|id| id != "0").collect();
    ids.sort_unstable();
    ids.dedup();
    ids.join(",")
}
