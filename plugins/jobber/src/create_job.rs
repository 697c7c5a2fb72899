//! Actions `create-job` and `cancel-job`.
//!
//! Jobber has no idempotency keys and keeps no ids of other systems. So the key of the write stands in the last line of the job's instructions; on attempts after the first the
//! property's jobs are looked through for it. Which job an external id stands for is kept here, in key-value.

use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{Address, Customer},
    graphql::{mutate, query, taken, text},
    job::{by_id, link, told},
    look::wrote,
    moment::{later_by, schedule},
};

/// Name of the write.
const WRITE: &str = "job";
/// Hours of a visit that no end is said for.
const HOURS: i64 = 1;

const CREATE: &str = "mutation JobCreate($input: JobCreateAttributes!) { jobCreate(input: $input) { job { id jobNumber title instructions jobStatus } userErrors { message path } } }";
const VISIT: &str = "mutation VisitCreate($jobId: EncodedId!, $input: VisitCreateInput!) { visitCreate(jobId: $jobId, input: $input) { createdVisits { id startAt } userErrors { message path } } }";
pub const CLOSE: &str = "mutation JobClose($jobId: EncodedId!, $input: JobCloseInput!) { jobClose(jobId: $jobId, input: $input) { job { id jobStatus } userErrors { message path } } }";
const OF_CLIENT: &str =
    "query ClientJobs($id: EncodedId!) { client(id: $id) { jobs(first: 100) { nodes { id jobNumber title instructions jobStatus } } } }";

/// Creates a job with one visit, once, for a client that is found or created. Without a time it waits for the office to schedule it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// What is to be done, in a line.
    title: String,
    /// What is to be done, at length.
    description: Option<String>,
    /// For whom.
    customer: Customer,
    /// Where, if not at the customer's own address.
    address: Option<Address>,
    /// When, RFC 3339.
    scheduled_start: Option<String>,
    /// Until when, RFC 3339; an hour later where it is not said.
    scheduled_end: Option<String>,
    /// Who does it: the employee's id.
    technician_id: Option<String>,
    priority: Option<String>,
    /// For the technician.
    notes: Option<String>,
    /// Id of the case that it is for; stands in the instructions.
    case_id: Option<String>,
    /// Our id of the job: a second job with it is not made, and other actions find the job by it.
    external_id: Option<String>,
}

/// The job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatedJob {
    /// Jobber's id.
    pub job_id: String,
    /// Its number, as people know it.
    number: Option<String>,
    /// Our id of it.
    external_id: Option<String>,
    /// Whether this attempt made it.
    created: bool,
}

pub fn create_job(input: CreateJob, cx: &Cx) -> Result<CreatedJob, Failure> {
    let linked = match &input.external_id {
        Some(external_id) => kv::get(&link(external_id))?,
        None => None,
    };
    if let Some(id) = linked {
        let id = String::from_utf8_lossy(&id).into_owned();
        if let Some(job) = by_id(&cx.config, &id)? {
            return Ok(CreatedJob { job_id: id, number: number(&job), external_id: input.external_id, created: false });
        }
    }
    // What is wrong with the times is said before anything is written.
    let times = input.times()?;
    let client = match input.customer.find(cx)? {
        Some(client) => client,
        None => input.customer.create(cx, json!({}))?,
    };
    let key = cx.key(WRITE);
    let found = if cx.first_attempt() { None } else { find(cx, client["id"].as_str().unwrap_or_default(), &key)? };
    let (job, created) = match found {
        Some(job) => (job, false),
        None => {
            let property = input.customer.property(&client, input.address.as_ref(), cx)?;
            let attributes = json!({
                "propertyId": property,
                "title": input.title,
                "instructions": input.instructions(&key),
                "invoicing": { "invoicingType": cx.config.invoicing_type, "invoicingSchedule": cx.config.invoicing_schedule },
                "scheduling": { "createVisits": false, "notifyTeam": false },
            });
            let mut payload = mutate(&cx.config, WRITE, CREATE, "jobCreate", json!({ "input": attributes }))?;
            (taken(&mut payload, "/job"), true)
        }
    };
    let job_id = text(&job["id"]).ok_or_else(|| Failure::rejected("Jobber made a job without an id"))?;
    let whole = by_id(&cx.config, &job_id)?.unwrap_or_default();
    if let Some(mut schedule) = times.filter(|_| whole["visits"]["nodes"].as_array().is_none_or(|visits| visits.is_empty())) {
        schedule["teamMemberIdsToAssign"] = input.technician_id.iter().map(|id| cx.config.user(id)).collect();
        schedule["notifyTeam"] = true.into();
        let visit = json!({ "visits": [{ "title": input.title, "schedule": schedule }] });
        mutate(&cx.config, "visit", VISIT, "visitCreate", json!({ "jobId": job_id, "input": visit }))?;
    }
    if let Some(external_id) = &input.external_id {
        kv::set(&link(external_id), &job_id)?;
    }
    if let Some(job) = by_id(&cx.config, &job_id)? {
        wrote("job", &job_id, &told(&job, &cx.config)?)?;
    }
    log::info("created a job", &[("job", &job_id)]);
    Ok(CreatedJob { job_id, number: number(&job), external_id: input.external_id, created })
}

pub fn cancel_job(undo: Undo<CreateJob, CreatedJob>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed) else {
        return Ok(()); // it was there before, or never was made
    };
    let job_id = match &undo.output {
        Some(output) => output.job_id.clone(),
        None => {
            let Some(client) = undo.input.customer.find(cx)? else { return Ok(()) };
            let key = effect.key.clone().unwrap_or_default();
            match find(cx, client["id"].as_str().unwrap_or_default(), &key)? {
                Some(job) => text(&job["id"]).unwrap_or_default(),
                None => return Ok(()),
            }
        }
    };
    let input = json!({ "modifyIncompleteVisitsBy": "DESTROY_ALL" });
    mutate(&cx.config, "cancel", CLOSE, "jobClose", json!({ "jobId": job_id, "input": input }))?;
    log::info("closed a job", &[("job", &job_id)]);
    Ok(())
}

/// The client's job that the write with that key made.
fn find(cx: &Cx, client: &str, key: &str) -> Result<Option<Value>, Failure> {
    let mut found = query(&cx.config, OF_CLIENT, json!({ "id": client }))?;
    let Value::Array(jobs) = taken(&mut found, "/client/jobs/nodes") else {
        return Err(Failure::rejected(format!("Jobber answered without the jobs of the client {client}")));
    };
    Ok(jobs.into_iter().find(|job| job["instructions"].as_str().is_some_and(|text| text.contains(&marker(key)))))
}

fn number(job: &Value) -> Option<String> {
    job["jobNumber"].as_u64().map(|number| number.to_string()).or_else(|| text(&job["jobNumber"]))
}

fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}

impl CreateJob {
    fn times(&self) -> Result<Option<Value>, Failure> {
        let Some(start) = &self.scheduled_start else {
            return Ok(None);
        };
        let from = schedule("scheduled_start", start)?;
        let end = self.scheduled_end.clone().or_else(|| later_by(start, HOURS)).unwrap_or_else(|| start.clone());
        Ok(Some(json!({ "startAt": from, "endAt": schedule("scheduled_end", &end)? })))
    }

    fn instructions(&self, key: &str) -> String {
        let priority = self.priority.as_ref().map(|priority| format!("Priority: {priority}"));
        let case = self.case_id.as_ref().map(|case| format!("Case {case}"));
        let parts = [self.description.clone(), self.notes.clone(), priority, case, Some(marker(key))];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }
}
