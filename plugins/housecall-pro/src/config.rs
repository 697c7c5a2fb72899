//! The plugin's configuration.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

/// A company of Housecall Pro.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Id of the company: webhooks about another are passed over.
    pub company_id: Option<String>,
    /// Their employees by ours, such as `{ "emp-1" = "pro_7f…" }`; who is not listed has the same id in both.
    #[serde(default)]
    pub technicians: BTreeMap<String, String>,
    /// How many seconds a poll looks back behind the last one.
    #[serde(default = "overlap")]
    #[schemars(range(max = 3600))]
    pub overlap_seconds: u32,
}

impl Config {
    /// Their employee of ours.
    pub fn theirs<'a>(&'a self, employee: &'a str) -> &'a str {
        self.technicians.get(employee).map_or(employee, String::as_str)
    }

    /// Our employee of theirs.
    pub fn ours<'a>(&'a self, employee: &'a str) -> &'a str {
        self.technicians.iter().find(|(_, theirs)| *theirs == employee).map_or(employee, |(ours, _)| ours)
    }
}

fn base_url() -> String {
    "https://api.housecallpro.com".to_owned()
}

fn overlap() -> u32 {
    60
}
