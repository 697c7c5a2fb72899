//! The plugin's configuration: the webhook's address, without its signature.

use sangam_sdk::prelude::*;

/// Where the workflow listens. Its address ends in `&sig=…`, which is a secret: that part is a credential of type `query`, named `sig`.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the webhook's address, such as `https://prod-12.westeurope.logic.azure.com`.
    pub base_url: String,
    /// Path and query of the address, without `sig`.
    #[schemars(regex(pattern = "^/"))]
    pub path: String,
}
