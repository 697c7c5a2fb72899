//! Requests to the company.

use sangam_sdk::{Write, prelude::*};

use crate::config::Config;

fn url(config: &Config, path: &str) -> String {
    format!("{}/{path}", config.base_url.trim_end_matches('/'))
}

/// A read, to which more may be added.
pub fn get(config: &Config, path: &str) -> Request {
    Request::get(url(config, path)).header("accept", "application/json")
}

/// A record; none where there is no such.
pub fn record(config: &Config, path: &str) -> Result<Option<Value>, Failure> {
    let response = get(config, path).send()?;
    if response.status == 404 {
        return Ok(None);
    }
    let record: Value = response.explained()?.json()?;
    if record["id"].is_string() {
        Ok(Some(record))
    } else {
        Err(Failure::rejected(format!("Housecall Pro answered GET /{path} with a record that has no id")))
    }
}

/// The records of a page, and whether there are more pages.
pub fn page(request: Request, name: &str) -> Result<(Vec<Value>, bool), Failure> {
    let answer: Value = request.send()?.explained()?.json()?;
    let Some(records) = answer[name].as_array() else {
        // Not an empty page: what is not found might be made again.
        return Err(Failure::rejected(format!("Housecall Pro answered a list without `{name}`")));
    };
    Ok((records.clone(), answer["page"].as_u64() < answer["total_pages"].as_u64()))
}

/// Writes, and gives the answer; null where it is none.
pub fn write(config: &Config, method: &str, path: &str, name: impl Into<String>, body: &Value) -> Result<Value, Failure> {
    let response = Write::new(method, url(config, path)).name(name).header("accept", "application/json").json(body).send()?.explained()?;
    Ok(response.json().unwrap_or_default())
}

/// Deletes what may be gone already.
pub fn delete(config: &Config, path: &str, name: &str) -> Result<(), Failure> {
    let response = Write::new("DELETE", url(config, path)).name(name).send()?;
    if response.status != 404 {
        response.explained()?;
    }
    Ok(())
}

/// A text that is not empty.
pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
