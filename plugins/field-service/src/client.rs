//! Requests to the system.

use sangam_sdk::{Write, path::at, prelude::*};

use crate::config::{Config, Method};

/// URL of a path that is filled in.
fn url(config: &Config, path: &str) -> String {
    format!("{}{path}", config.base_url.trim_end_matches('/'))
}

fn dress(config: &Config, request: Request) -> Request {
    let request = request.header("accept", "application/json");
    config.headers.iter().fold(request, |request, (name, value)| request.header(name, value))
}

/// A read.
pub fn get(config: &Config, path: &str) -> Request {
    dress(config, Request::get(url(config, path)))
}

/// Reads JSON.
pub fn read(config: &Config, path: &str) -> Result<Value, Failure> {
    get(config, path).send()?.explained()?.json()
}

/// Reads a list.
pub fn list(config: &Config, path: &str, list: &str) -> Result<Vec<Value>, Failure> {
    let answer = read(config, path)?;
    match at(&answer, list) {
        Value::Array(records) => Ok(records.clone()),
        // Not an empty list: what is not found might be made again.
        _ => Err(Failure::rejected(format!("The answer to GET {path} has no list at `{list}`: see the plugin's configuration"))),
    }
}

/// Writes JSON, and gives the answer; null where it is none, since whatever a success says, it is written.
pub fn write(config: &Config, method: Method, path: &str, name: &str, body: &Value) -> Result<Value, Failure> {
    let method = match method {
        Method::Put => "PUT",
        Method::Post => "POST",
        Method::Patch => "PATCH",
    };
    let request = Write::new(method, url(config, path)).name(name);
    let response = dress(config, request).json(body).send()?.explained()?;
    Ok(response.json().unwrap_or_default())
}

/// Deletes what may be gone already.
pub fn delete(config: &Config, path: &str, name: &str) -> Result<(), Failure> {
    let response = dress(config, Write::new("DELETE", url(config, path)).name(name)).send()?;
    if !matches!(response.status, 404 | 410) {
        response.explained()?;
    }
    Ok(())
}
