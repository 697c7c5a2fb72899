//! The plugin's configuration.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

/// An account of Jobber.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Version of the schema, a date: `X-JOBBER-GRAPHQL-VERSION`. A version is served for 12 to 18 months.
    #[serde(default = "version")]
    pub version: String,
    /// Id of the account: webhooks about another are passed over, since an app has one address for all.
    pub account_id: Option<String>,
    /// Their users by our employees, such as `{ "emp-1" = "MTc=" }`; who is not listed has the same id in both.
    #[serde(default)]
    pub technicians: BTreeMap<String, String>,
    /// How new jobs are billed.
    #[serde(default = "invoicing_type")]
    pub invoicing_type: String,
    /// When new jobs are billed; `NEVER` where the invoice is written elsewhere.
    #[serde(default = "invoicing_schedule")]
    pub invoicing_schedule: String,
    /// How many seconds a poll looks back behind the last one.
    #[serde(default = "overlap")]
    #[schemars(range(max = 3600))]
    pub overlap_seconds: u32,
}

impl Config {
    /// Their user of our employee.
    pub fn user<'a>(&'a self, employee: &'a str) -> &'a str {
        self.technicians.get(employee).map_or(employee, String::as_str)
    }

    /// Our employee of their user.
    pub fn employee<'a>(&'a self, user: &'a str) -> &'a str {
        self.technicians.iter().find(|(_, theirs)| *theirs == user).map_or(user, |(ours, _)| ours)
    }
}

fn base_url() -> String {
    "https://api.getjobber.com".to_owned()
}

fn version() -> String {
    "2025-04-16".to_owned()
}

fn invoicing_type() -> String {
    "FIXED_PRICE".to_owned()
}

fn invoicing_schedule() -> String {
    "ON_COMPLETION".to_owned()
}

fn overlap() -> u32 {
    60
}
