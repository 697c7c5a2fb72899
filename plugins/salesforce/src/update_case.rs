//! Action `update-case`.

use sangam_sdk::prelude::*;
use serde_json::Map;

use crate::{
    case::{CaseKey, find},
    client::update,
    config::Config,
    errors::ok,
    resolution::wrote,
};

/// Changes fields of a case that is named by its Salesforce id, by your own id of it, or by its number: give one of the three. What is not given stays. To close
/// a case use `resolve-case`, which knows the org's closed statuses and can be undone.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateCase {
    /// Salesforce id, 15 or 18 characters.
    case_id: Option<String>,
    /// Your id of it, in the field that `case-external-id-field` names.
    external_id: Option<String>,
    /// Number as people see it, such as `00001026`.
    case_number: Option<String>,
    /// Your id of the job that was made for it: written to the field that `case-external-id-field` names.
    job_id: Option<String>,
    /// One of the org's own.
    status: Option<String>,
    /// One of the org's own.
    priority: Option<String>,
    /// Further fields by API name; null clears one.
    #[serde(default)]
    fields: Map<String, Value>,
}

/// The case that was changed.
#[derive(Serialize, JsonSchema)]
pub struct UpdatedCase {
    case_id: String,
    case_number: String,
    /// Status now.
    status: String,
    /// Status before.
    previous_status: String,
}

pub fn update_case(input: UpdateCase, cx: &Context<Config>) -> Result<UpdatedCase, Failure> {
    let case = find(cx, &CaseKey::new(input.case_id, input.external_id, input.case_number)?)?;
    let mut fields = input.fields;
    let job_field = cx.config.case_external_id_field.to_string();
    for (name, value) in [(job_field.as_str(), input.job_id), ("Status", input.status), ("Priority", input.priority)] {
        fields.extend(value.map(|value| (name.to_owned(), value.into())));
    }
    if fields.is_empty() {
        return Err(Failure::rejected("There is nothing to change: give `job_id`, `status`, `priority` or `fields`"));
    }
    let status = fields.get("Status").and_then(Value::as_str).unwrap_or(&case.status).to_owned();
    update(cx, "Case", &case.case_id).name("case").json(&fields).send().and_then(ok)?;
    wrote(cx, &case.case_id, &fields)?;
    log::info("changed a case", &[("case", &case.case_number)]);
    Ok(UpdatedCase { case_id: case.case_id, case_number: case.case_number, status, previous_status: case.status })
}
