//! The plugin's configuration.

use std::fmt;

use sangam_sdk::prelude::*;

/// Which org, and what its fields are called.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the org's My Domain, such as `https://acme.my.salesforce.com`.
    pub base_url: String,
    /// Version of the REST API.
    #[serde(default = "api_version")]
    pub api_version: String,
    /// Status of a resolved case, unless the step names one. Without it: the first closed status of the org.
    pub closed_status: Option<String>,
    /// Field of Case that holds your id of it.
    #[serde(default)]
    pub case_external_id_field: FieldName,
    /// Field of Account that holds your id of it, marked as External ID.
    #[serde(default)]
    pub account_external_id_field: FieldName,
    /// Field of Contact that holds your id of it, marked as External ID.
    #[serde(default)]
    pub contact_external_id_field: FieldName,
    /// Further fields of Contact for a client's preferences, such as `Preferred_Channel__c`.
    #[serde(default)]
    pub preference_fields: Vec<FieldName>,
    /// Further fields of Contract for a client's context, such as `Response_Hours__c`.
    #[serde(default)]
    pub contract_fields: Vec<FieldName>,
    /// Status of contracts in force.
    #[serde(default = "contract_status")]
    pub contract_status: String,
    /// Id of the user that this connector works as (15 or 18 characters): a record that it wrote last and that was never seen before is no news.
    pub integration_user: Option<String>,
    /// Id of the org (15 or 18 characters): outbound messages of another are refused.
    pub organization_id: Option<String>,
    /// How many seconds a sweep looks back behind the last one, for records whose transaction ended late.
    #[serde(default = "overlap")]
    #[schemars(range(max = 3600))]
    pub overlap_seconds: u32,
}

/// Transactions of Salesforce end within ten minutes at most, nearly all within seconds.
fn overlap() -> u32 {
    60
}

fn api_version() -> String {
    "v66.0".to_owned()
}

fn contract_status() -> String {
    "Activated".to_owned()
}

/// API name of a field. It goes into queries unquoted, so it is only letters, digits and underscores.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub struct FieldName(String);

impl Default for FieldName {
    fn default() -> Self {
        Self("External_Id__c".to_owned())
    }
}

impl TryFrom<String> for FieldName {
    type Error = String;

    fn try_from(name: String) -> Result<Self, String> {
        let letters = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if letters && name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            Ok(Self(name))
        } else {
            Err(format!("`{name}` is no API name of a field"))
        }
    }
}

impl FieldName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for FieldName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
