//! The plugin's configuration.

use sangam_sdk::prelude::*;

/// Which number sends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the Graph API.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Version of the Graph API; each lives about two years.
    #[serde(default = "api_version")]
    #[schemars(regex(pattern = "^v[0-9]+\\.[0-9]+$"))]
    pub api_version: String,
    /// Id of the number that sends, as WhatsApp Manager shows it.
    #[schemars(regex(pattern = "^[0-9]+$"))]
    pub phone_number_id: String,
}

fn base_url() -> String {
    "https://graph.facebook.com".to_owned()
}

fn api_version() -> String {
    "v26.0".to_owned()
}
