//! The plugin's configuration.

use sangam_sdk::prelude::*;

/// Which API, and what to read of a contact.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API; the same for all regions.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Version in the paths: `v3` for the classic ones (associations are then of `v4`), or a date version such as `2026-09`.
    #[serde(default = "api_version")]
    #[schemars(regex(pattern = "^(v3|[0-9]{4}-[0-9]{2})$"))]
    pub api_version: String,
    /// A property of companies with unique values that holds your id of them. HubSpot then keeps a company by it in one
    /// request; without it a company is looked for by its domain, which HubSpot's search shows some seconds late.
    pub company_external_id_property: Option<String>,
    /// Further properties for a contact's context, such as `preferred_channel`.
    #[serde(default)]
    pub contact_properties: Vec<String>,
    /// A property of contacts that holds your id of them; told in events.
    pub contact_external_id_property: Option<String>,
    /// A property of tickets that holds your id of the job; told in events.
    pub ticket_job_property: Option<String>,
    /// The account: webhooks about another are passed over, since an app has one address for all accounts.
    pub portal_id: Option<u64>,
    /// Id of the app that this connector works as: webhooks about what it changed itself are passed over.
    pub app_id: Option<u64>,
    /// How many seconds a poll looks back behind the last one: HubSpot's search shows changes late.
    #[serde(default = "overlap")]
    #[schemars(range(max = 3600))]
    pub overlap_seconds: u32,
}

fn overlap() -> u32 {
    60
}

fn base_url() -> String {
    "https://api.hubapi.com".to_owned()
}

fn api_version() -> String {
    "v3".to_owned()
}
