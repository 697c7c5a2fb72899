//! Requests to the Graph API.

use sangam_sdk::prelude::*;

use crate::{config::Config, errors::ok};

/// Posts to the number's messages.
pub fn post(cx: &Context<Config>, name: &str, body: &Value) -> Result<Value, Failure> {
    let Config { base_url, api_version, phone_number_id } = &cx.config;
    let url = format!("{}/{api_version}/{phone_number_id}/messages", base_url.trim_end_matches('/'));
    cx.post(url).name(name).json(body).send().and_then(ok)?.json()
}
