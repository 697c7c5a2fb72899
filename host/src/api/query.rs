//! Keys of a query that a way does not take are refused, with the nearest that it takes: one that is misspelt would filter nothing.

use axum::extract::Request;

use super::Problem;
use crate::config;

/// Lets a request through whose query has only known keys.
pub(super) fn known_keys(known: &[String], request: &Request) -> Result<(), Problem> {
    if let Some(query) = request.uri().query() {
        for (key, _) in url::form_urlencoded::parse(query.as_bytes()) {
            if !known.iter().any(|name| *name == key) {
                return Err(unknown(&key, known));
            }
        }
    }
    Ok(())
}

fn unknown(key: &str, known: &[String]) -> Problem {
    if known.is_empty() {
        return Problem::bad_request(format!("there is no query key {key:?} here: this takes no query"));
    }
    let near = config::near_name(key, known.iter().map(String::as_str)).map(|near| format!("did you mean {near:?}? ")).unwrap_or_default();
    Problem::bad_request(format!("there is no query key {key:?} here; {near}it takes {}", known.join(", ")))
}
