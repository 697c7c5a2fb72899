//! Connector `http`: one request, for systems without a connector of their own.

mod request;

use sangam_sdk::prelude::*;

struct Http;

/// Nothing to configure: grants, credentials and limits are the host's.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {}

impl Plugin for Http {
    type Config = Config;
    const NAME: &'static str = "http";
    const TITLE: &'static str = "HTTP";
    const DESCRIPTION: &'static str =
        "Sends one HTTP request, for systems without a connector of their own. Grant its hosts with `allow-hosts`.";
}

impl Connector for Http {
    fn actions(a: &mut Actions<Self>) {
        a.action("request", "Send an HTTP request", request::send);
    }
}

sangam_sdk::export!(Http);
