//! Action `update-job`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{get, id, list, read, write},
    create_job::{cancel, named},
    job::told,
    look::wrote,
};

/// How far a job is to be. Completing one is the technician's own doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Not to be done.
    Cancelled,
}

/// Changes a job that is named by ServiceTitan's id or by ours: its summary and priority, the time and the technician of its next appointment, or that it is cancelled. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJob {
    /// ServiceTitan's id.
    job_id: Option<String>,
    /// Our id.
    external_id: Option<String>,
    /// In place of the summary that is there.
    description: Option<String>,
    priority: Option<String>,
    status: Option<Status>,
    /// Why it is cancelled.
    reason: Option<String>,
    /// RFC 3339; together with `scheduled_end`.
    scheduled_start: Option<String>,
    /// RFC 3339.
    scheduled_end: Option<String>,
    /// The employee's id.
    technician_id: Option<String>,
}

/// The job that was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedJob {
    /// ServiceTitan's id.
    job_id: String,
}

pub fn update_job(input: UpdateJob, cx: &Cx) -> Result<UpdatedJob, Failure> {
    let config = &cx.config;
    let job_id = named(cx, input.job_id, input.external_id)?;
    let technician = input.technician_id.as_deref().map(|id| config.technician(id)).transpose()?;
    let times = match (&input.scheduled_start, &input.scheduled_end) {
        (Some(start), Some(end)) => Some((start, end)),
        (None, None) => None,
        _ => return Err(Failure::rejected("Give `scheduled_start` and `scheduled_end` together")),
    };
    let mut fields = json!({});
    for (name, value) in [("summary", &input.description), ("priority", &input.priority)] {
        if let Some(value) = value {
            fields[name] = value.as_str().into();
        }
    }
    let texts = fields.as_object().is_some_and(|fields| !fields.is_empty());
    if !texts && times.is_none() && technician.is_none() && input.status.is_none() {
        return Err(Failure::rejected("There is nothing to change: give at least one field"));
    }
    let resource = format!("jobs/{}", encode(&job_id));
    if times.is_some() || technician.is_some() {
        let found = list(get(config, "jpm", "appointments").query("jobId", &job_id))?;
        let open = |appointment: &&Value| !matches!(appointment["status"].as_str(), Some("Done" | "Canceled"));
        let next = found.iter().find(open).and_then(|appointment| id(&appointment["id"]));
        let next = next.ok_or_else(|| Failure::rejected(format!("The job {job_id} has no appointment that is not over")))?;
        if let Some((start, end)) = times {
            let body = json!({ "start": start, "end": end, "arrivalWindowStart": start, "arrivalWindowEnd": end });
            write(config, "PATCH", "jpm", &format!("appointments/{next}/reschedule"), "reschedule", &body)?;
        }
        if let Some(technician) = technician {
            let number: u64 = next.parse().unwrap_or_default();
            let assigned = list(get(config, "dispatch", "appointment-assignments").query("appointmentIds", &next))?;
            let others: Vec<&Value> =
                assigned.iter().map(|assignment| &assignment["technicianId"]).filter(|id| **id != technician).collect();
            if !others.is_empty() {
                let body = json!({ "jobAppointmentId": number, "technicianIds": others });
                write(config, "POST", "dispatch", "appointment-assignments/unassign-technicians", "unassign", &body)?;
            }
            if assigned.len() == others.len() {
                let body = json!({ "jobAppointmentId": number, "technicianIds": [technician] });
                write(config, "POST", "dispatch", "appointment-assignments/assign-technicians", "assign", &body)?;
            }
        }
    }
    if texts {
        write(config, "PATCH", "jpm", &resource, "job", &fields)?;
    }
    if input.status == Some(Status::Cancelled) {
        cancel(cx, &job_id, input.reason.as_deref().unwrap_or("Cancelled"))?;
    }
    let job = read(get(config, "jpm", &resource))?;
    wrote(&job_id, &told(config, job)?)?;
    log::info("changed a job", &[("job", &job_id)]);
    Ok(UpdatedJob { job_id })
}
