//! Requests to the system.

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
