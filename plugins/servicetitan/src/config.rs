//! The plugin's configuration.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

/// A tenant of ServiceTitan.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Config {
    /// Origin of the API; `https://api-integration.servicetitan.io` for the integration environment.
    #[serde(default = "base_url")]
    pub base_url: String,
    /// Id of the tenant.
    pub tenant: u64,
    /// GUID of your application in the developer portal: ids of yours are kept with jobs under it. Without it a job is not found by its external id, and a lost answer may make a second one.
    pub application_guid: Option<String>,
    /// Of jobs that are booked.
    pub business_unit_id: Option<u64>,
    /// Of jobs that are booked.
    pub job_type_id: Option<u64>,
    /// Of jobs that are booked.
    pub campaign_id: Option<u64>,
    /// Why a job is cancelled; needed to cancel one.
    pub cancel_reason_id: Option<u64>,
    /// Code of the time sheet that absences count as.
    pub timesheet_code_id: Option<u64>,
    /// Their technicians by our employees, such as `{ "emp-1" = "1017" }`; who is not listed has the same id in both.
    #[serde(default)]
    pub technicians: BTreeMap<String, String>,
    /// Where a webhook's body holds the job's id, with dots; without it the usual places are tried.
    pub hook_id: Option<String>,
}

impl Config {
    /// Their technician of our employee: a number.
    pub fn technician(&self, employee: &str) -> Result<u64, Failure> {
        let theirs = self.technicians.get(employee).map_or(employee, String::as_str);
        theirs.parse().map_err(|_| {
            Failure::rejected(format!("ServiceTitan's technicians are numbers; which is `{employee}`? Say it in configuration.technicians"))
        })
    }

    /// Our employee of their technician.
    pub fn employee(&self, technician: &str) -> String {
        self.technicians.iter().find(|(_, theirs)| *theirs == technician).map_or(technician, |(ours, _)| ours).to_owned()
    }
}

fn base_url() -> String {
    "https://api.servicetitan.io".to_owned()
}
