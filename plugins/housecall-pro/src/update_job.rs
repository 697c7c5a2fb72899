//! Action `update-job`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{delete, record, write},
    create_job::named,
    job::told,
    look::wrote,
};

/// Changes a job that is named by Housecall Pro's id or by the external id it was created with: its time and its technician, or that it is off the schedule. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJob {
    /// Housecall Pro's id.
    job_id: Option<String>,
    /// Our id.
    external_id: Option<String>,
    /// RFC 3339; together with `scheduled_end`.
    scheduled_start: Option<String>,
    /// RFC 3339.
    scheduled_end: Option<String>,
    /// The employee's id.
    technician_id: Option<String>,
    /// Takes it off the schedule.
    #[serde(default)]
    unschedule: bool,
}

/// The job that was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedJob {
    /// Housecall Pro's id.
    job_id: String,
}

pub fn update_job(input: UpdateJob, cx: &Cx) -> Result<UpdatedJob, Failure> {
    let job_id = named(input.job_id, input.external_id)?;
    let path = format!("jobs/{}", encode(&job_id));
    match (&input.scheduled_start, &input.scheduled_end) {
        (Some(start), Some(end)) => {
            write(&cx.config, "PUT", &format!("{path}/schedule"), "schedule", &json!({ "start_time": start, "end_time": end }))?;
        }
        (None, None) if input.unschedule => delete(&cx.config, &format!("{path}/schedule"), "unschedule")?,
        (None, None) if input.technician_id.is_some() => {}
        (None, None) => return Err(Failure::rejected("There is nothing to change: give at least one field")),
        _ => return Err(Failure::rejected("Give `scheduled_start` and `scheduled_end` together")),
    }
    if let Some(technician) = &input.technician_id {
        let employees = json!({ "dispatched_employees": [{ "employee_id": cx.config.theirs(technician) }] });
        write(&cx.config, "PUT", &format!("{path}/dispatch"), "dispatch", &employees)?;
    }
    if let Some(job) = record(&cx.config, &path)? {
        wrote(&job_id, &told(&job, &cx.config)?)?;
    }
    log::info("changed a job", &[("job", &job_id)]);
    Ok(UpdatedJob { job_id })
}
