//! Actions `create-job` and `cancel-job`.

use sangam_sdk::{EffectState, Undo, path::at, prelude::*, serde_json::Map};

use crate::{
    Cx,
    client::write,
    config::Method,
    job::{Address, Status, by_external_id, incoming, outgoing, wrapped, wrote},
    shape::text,
    update_job::change,
};

/// Name of the write.
pub const WRITE: &str = "job";

/// Creates a job, once: one that has the external id already is left as it is.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// What is to be done, in a line.
    title: String,
    /// What is to be done, at length.
    description: Option<String>,
    /// For whom.
    customer: Option<Customer>,
    /// Where, if not at the customer's own address.
    address: Option<Address>,
    /// When, RFC 3339.
    scheduled_start: Option<String>,
    /// Until when, RFC 3339.
    scheduled_end: Option<String>,
    /// Who does it: the employee's id.
    technician_id: Option<String>,
    priority: Option<String>,
    /// For the technician.
    notes: Option<String>,
    /// Id of the case that it is for.
    case_id: Option<String>,
    /// Our id of the job; by default the idempotency key.
    pub external_id: Option<String>,
    /// Further fields, by their names.
    #[serde(default)]
    fields: Map<String, Value>,
}

/// A customer.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Customer {
    /// The system's id.
    id: Option<String>,
    name: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    address: Option<Address>,
}

/// The job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatedJob {
    /// The system's id.
    pub job_id: String,
    /// Its number, as people know it.
    number: Option<String>,
    /// Our id of it.
    pub external_id: String,
    /// Whether this attempt made it.
    created: bool,
}

pub fn create_job(input: CreateJob, cx: &Cx) -> Result<CreatedJob, Failure> {
    let config = &cx.config;
    let external_id = input.external_id.clone().unwrap_or_else(|| cx.key(WRITE));
    // An id of our own may be there since long; a key only since an earlier attempt.
    if (input.external_id.is_some() || !cx.first_attempt())
        && let Some(found) = by_external_id(config, &external_id)?
    {
        return finish(&found, external_id, false, cx);
    }
    let status = if input.scheduled_start.is_some() { Status::Scheduled } else { Status::Open };
    let mut job = json!({
        "title": input.title,
        "description": input.description,
        "customer": input.customer,
        "address": input.address.as_ref().or_else(|| input.customer.as_ref()?.address.as_ref()),
        "scheduled_start": input.scheduled_start,
        "scheduled_end": input.scheduled_end,
        "technician": { "id": input.technician_id },
        "status": status,
        "priority": input.priority,
        "notes": input.notes,
        "case_id": input.case_id,
        "external_id": external_id,
    });
    job["job_id"] = Value::Null;
    let Value::Object(mut record) = outgoing(job.clone(), config) else { unreachable!("a job is an object") };
    for (name, value) in config.jobs.constants.iter().chain(&input.fields) {
        record.insert(name.clone(), value.clone());
    }
    let answer = write(config, Method::Post, &config.jobs.path, WRITE, &wrapped(record, &config.jobs))?;
    let created = finish(at(&answer, &config.jobs.wrapper), external_id, true, cx)?;
    log::info("created a job", &[("job", &created.job_id)]);
    Ok(created)
}

/// What the step gives of a job of theirs. What they made of it is what we wrote: a number, a default, a name in another case.
fn finish(record: &Value, external_id: String, created: bool, cx: &Cx) -> Result<CreatedJob, Failure> {
    let id = cx.config.jobs.fields.get("job_id").map_or("id", String::as_str);
    let job_id = text(at(record, id))
        .ok_or_else(|| Failure::rejected(format!("The answer has no job with an id at `{id}`: see configuration.jobs")))?;
    let job = incoming(record, &cx.config).unwrap_or_default();
    let number = job.get("number").and_then(text);
    if created {
        wrote(&job_id, &Value::Object(job))?;
    }
    Ok(CreatedJob { job_id, number, external_id, created })
}

pub fn cancel_job(undo: Undo<CreateJob, CreatedJob>, cx: &Cx) -> Result<(), Failure> {
    let job_id = match &undo.output {
        // It was there before the step.
        Some(output) if !output.created && undo.effect(WRITE).is_none() => return Ok(()),
        Some(output) => output.job_id.clone(),
        None => {
            let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed) else {
                return Ok(());
            };
            let external_id = undo.input.external_id.clone().or_else(|| effect.key.clone());
            let external_id = external_id.ok_or_else(|| Failure::rejected("The write to undo has no key"))?;
            if cx.config.jobs.lookup.is_none() {
                let reason = "Whether the job was created is not known, and `jobs.lookup` is not configured: look in the system, and cancel it by hand";
                return Err(Failure::rejected(reason));
            }
            let Some(found) = by_external_id(&cx.config, &external_id)? else {
                return Ok(());
            };
            let id = cx.config.jobs.fields.get("job_id").map_or("id", String::as_str);
            text(at(&found, id)).ok_or_else(|| Failure::rejected("The system has the job, but without an id"))?
        }
    };
    change(cx, &job_id, "cancel", json!({ "status": Status::Cancelled }), &Map::new())?;
    log::info("cancelled a job", &[("job", &job_id)]);
    Ok(())
}
