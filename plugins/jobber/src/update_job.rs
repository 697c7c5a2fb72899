//! Action `update-job`.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    create_job::CLOSE,
    graphql::{mutate, text},
    job::{by_id, named, open_visits, told},
    look::wrote,
    moment::{later_by, schedule},
};

const EDIT: &str = "mutation JobEdit($jobId: EncodedId!, $input: JobEditInput!) { jobEdit(jobId: $jobId, input: $input) { job { id } userErrors { message path } } }";
const SCHEDULE: &str = "mutation VisitEditSchedule($id: EncodedId!, $input: VisitEditScheduleInput!) { visitEditSchedule(id: $id, input: $input) { visit { id } userErrors { message path } } }";
const ASSIGN: &str = "mutation VisitEditAssignedUsers($visitId: EncodedId!, $input: VisitEditAssignedUsersInput!) { visitEditAssignedUsers(visitId: $visitId, input: $input) { visit { id } userErrors { message path } } }";
const VISIT: &str = "mutation VisitCreate($jobId: EncodedId!, $input: VisitCreateInput!) { visitCreate(jobId: $jobId, input: $input) { createdVisits { id } userErrors { message path } } }";

/// How far a job is to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Close it: visits of the past are done, those to come are removed.
    Completed,
    /// Close it without its visits.
    Cancelled,
}

/// Changes a job that is named by Jobber's id or by the external id it was created with: its texts, the next visit's time and technician, or that it is over. What is not given stays.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateJob {
    /// Jobber's id.
    job_id: Option<String>,
    /// Our id.
    external_id: Option<String>,
    title: Option<String>,
    /// In place of the instructions that are there.
    description: Option<String>,
    status: Option<Status>,
    /// RFC 3339.
    scheduled_start: Option<String>,
    /// RFC 3339.
    scheduled_end: Option<String>,
    /// The employee's id.
    technician_id: Option<String>,
}

/// The job that was changed.
#[derive(Debug, Serialize, JsonSchema)]
pub struct UpdatedJob {
    /// Jobber's id.
    job_id: String,
}

pub fn update_job(input: UpdateJob, cx: &Cx) -> Result<UpdatedJob, Failure> {
    let config = &cx.config;
    let job_id = named(input.job_id, input.external_id)?;
    let times = match &input.scheduled_start {
        Some(start) => {
            let end = input.scheduled_end.clone().or_else(|| later_by(start, 1)).unwrap_or_else(|| start.clone());
            Some(json!({ "startAt": schedule("scheduled_start", start)?, "endAt": schedule("scheduled_end", &end)? }))
        }
        None => None,
    };
    let job = by_id(config, &job_id)?.ok_or_else(|| Failure::rejected(format!("Jobber has no job {job_id}")))?;
    let mut fields = json!({});
    for (name, value) in [("title", &input.title), ("instructions", &input.description)] {
        if let Some(value) = value {
            fields[name] = value.as_str().into();
        }
    }
    let texts = fields.as_object().is_some_and(|fields| !fields.is_empty());
    if !texts && times.is_none() && input.technician_id.is_none() && input.status.is_none() {
        return Err(Failure::rejected("There is nothing to change: give at least one field"));
    }
    if texts {
        mutate(config, "job", EDIT, "jobEdit", json!({ "jobId": job_id, "input": fields }))?;
    }
    let visit = open_visits(&job).first().and_then(|visit| text(&visit["id"]));
    let assigned: Vec<&str> = input.technician_id.iter().map(|id| config.user(id)).collect();
    match (visit, times) {
        (Some(visit), times) => {
            if let Some(times) = times {
                mutate(config, "schedule", SCHEDULE, "visitEditSchedule", json!({ "id": visit, "input": times }))?;
            }
            if !assigned.is_empty() {
                mutate(
                    config,
                    "assign",
                    ASSIGN,
                    "visitEditAssignedUsers",
                    json!({ "visitId": visit, "input": { "assignedUserIds": assigned } }),
                )?;
            }
        }
        (None, Some(mut times)) => {
            times["teamMemberIdsToAssign"] = json!(assigned);
            times["notifyTeam"] = true.into();
            let visits = json!({ "visits": [{ "title": input.title.as_deref().or(job["title"].as_str()), "schedule": times }] });
            mutate(config, "visit", VISIT, "visitCreate", json!({ "jobId": job_id, "input": visits }))?;
        }
        (None, None) if assigned.is_empty() => {}
        (None, None) => return Err(Failure::rejected("The job has no visit to assign a technician to: give `scheduled_start` too")),
    }
    if let Some(status) = input.status {
        let visits = if status == Status::Completed { "COMPLETE_PAST_DESTROY_FUTURE" } else { "DESTROY_ALL" };
        mutate(config, "close", CLOSE, "jobClose", json!({ "jobId": job_id, "input": { "modifyIncompleteVisitsBy": visits } }))?;
    }
    if let Some(job) = by_id(config, &job_id)? {
        wrote("job", &job_id, &told(&job, config)?)?;
    }
    log::info("changed a job", &[("job", &job_id)]);
    Ok(UpdatedJob { job_id })
}
