//! Action `update-job`.

use sangam_sdk::{path::fill, prelude::*, serde_json::Map};

use crate::{
    Cx,
    client::write,
    job::{Address, Status, named, outgoing, wrapped, wrote},
};

/// Changes a job that is named by the system's id or by ours. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJob {
    /// The system's id.
    job_id: Option<String>,
    /// Our id.
    external_id: Option<String>,
    title: Option<String>,
    description: Option<String>,
    status: Option<Status>,
    /// RFC 3339.
    scheduled_start: Option<String>,
    /// RFC 3339.
    scheduled_end: Option<String>,
    /// The employee's id.
    technician_id: Option<String>,
    priority: Option<String>,
    notes: Option<String>,
    address: Option<Address>,
    case_id: Option<String>,
    /// Further fields, by their names.
    #[serde(default)]
    fields: Map<String, Value>,
}

/// The job that was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedJob {
    /// The system's id.
    job_id: String,
}

pub fn update_job(input: UpdateJob, cx: &Cx) -> Result<UpdatedJob, Failure> {
    let job_id = named(&cx.config, input.job_id, input.external_id)?;
    let mut job = json!({
        "title": input.title,
        "description": input.description,
        "status": input.status,
        "scheduled_start": input.scheduled_start,
        "scheduled_end": input.scheduled_end,
        "priority": input.priority,
        "notes": input.notes,
        "address": input.address,
        "case_id": input.case_id,
    });
    if let Some(technician) = input.technician_id {
        job["technician"] = json!({ "id": technician });
    }
    change(cx, &job_id, "job", job, &input.fields)?;
    log::info("changed a job", &[("job", &job_id)]);
    Ok(UpdatedJob { job_id })
}

/// Writes what is given of a job, in our words, and further fields in theirs.
pub fn change(cx: &Cx, job_id: &str, name: &str, job: Value, further: &Map<String, Value>) -> Result<(), Failure> {
    let jobs = &cx.config.jobs;
    let Value::Object(mut record) = outgoing(job.clone(), &cx.config) else { unreachable!("a job is an object") };
    record.extend(further.clone());
    if record.is_empty() {
        return Err(Failure::rejected("There is nothing to change: give at least one field"));
    }
    let path = fill(&jobs.record_path, &[("job_id", job_id)])?;
    write(&cx.config, jobs.update_method, &path, name, &wrapped(record, jobs))?;
    wrote(job_id, &job)
}
