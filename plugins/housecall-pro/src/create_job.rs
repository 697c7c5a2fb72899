//! Actions `create-job` and `unschedule-job`.
//!
//! Housecall Pro has no idempotency keys and keeps no ids of other systems. So the key of the write stands in a note of the job; on attempts after the first the customer's jobs are looked through for
//! it. Which job an external id stands for is kept here, in key-value.

use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{delete, get, page, record, text, write},
    customer::{Address, Customer},
    job::told,
    look::wrote,
};

/// Name of the write.
const WRITE: &str = "job";

/// Creates a job, once, for a customer that is found or created.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CreateJob {
    /// What is to be done, in a line: the job's line item and description.
    title: String,
    /// What is to be done, at length: stands in the note.
    description: Option<String>,
    /// For whom.
    customer: Customer,
    /// Where, if not at the customer's own address.
    address: Option<Address>,
    /// When, RFC 3339.
    scheduled_start: Option<String>,
    /// Until when, RFC 3339.
    scheduled_end: Option<String>,
    /// Who does it: the employee's id.
    technician_id: Option<String>,
    /// For the technician.
    notes: Option<String>,
    /// Id of the case that it is for; stands in the note.
    case_id: Option<String>,
    /// Our id of the job: a second job with it is not made, and other actions find the job by it.
    external_id: Option<String>,
}

/// The job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatedJob {
    /// Housecall Pro's id.
    pub job_id: String,
    /// Its invoice number, as people know it.
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
    if let Some(id) = linked
        && let Some(job) = record(&cx.config, &format!("jobs/{}", encode(String::from_utf8_lossy(&id))))?
    {
        return finish(&job, input.external_id, false);
    }
    let customer = match input.customer.find(cx)? {
        Some(customer) => customer,
        None => input.customer.create(cx)?,
    };
    let key = cx.key(WRITE);
    let customer_id = text(&customer["id"]).unwrap_or_default();
    let found = if cx.first_attempt() { None } else { find(cx, &customer_id, &key)? };
    let (job, created) = match found {
        Some(job) => (job, false),
        None => {
            let place = input.customer.place(&customer, input.address.as_ref(), cx)?;
            let mut body = json!({
                "customer_id": customer_id,
                "address_id": place,
                "line_items": [{ "name": input.title, "quantity": 1, "unit_price": 0 }],
                "notes": input.note(&key),
                "assigned_employee_ids": input.technician_id.iter().map(|id| cx.config.theirs(id)).collect::<Vec<_>>(),
            });
            if let Some(start) = &input.scheduled_start {
                body["schedule"] = json!({ "scheduled_start": start, "scheduled_end": input.scheduled_end });
            }
            (write(&cx.config, "POST", "jobs", WRITE, &body)?, true)
        }
    };
    let made = finish(&job, input.external_id.clone(), created)?;
    if let Some(external_id) = &input.external_id {
        kv::set(&link(external_id), &made.job_id)?;
    }
    if let Some(job) = record(&cx.config, &format!("jobs/{}", encode(&made.job_id)))? {
        wrote(&made.job_id, &told(&job, &cx.config)?)?;
    }
    log::info("created a job", &[("job", &made.job_id)]);
    Ok(made)
}

fn finish(job: &Value, external_id: Option<String>, created: bool) -> Result<CreatedJob, Failure> {
    let job_id = text(&job["id"]).ok_or_else(|| Failure::rejected("Housecall Pro answered with a job that has no id"))?;
    Ok(CreatedJob { job_id, number: text(&job["invoice_number"]), external_id, created })
}

pub fn unschedule_job(undo: Undo<CreateJob, CreatedJob>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed) else {
        return Ok(()); // it was there before, or never was made
    };
    let job_id = match &undo.output {
        Some(output) => output.job_id.clone(),
        None => {
            let Some(customer) = undo.input.customer.find(cx)? else { return Ok(()) };
            match find(cx, customer["id"].as_str().unwrap_or_default(), effect.key.as_deref().unwrap_or_default())? {
                Some(job) => text(&job["id"]).unwrap_or_default(),
                None => return Ok(()),
            }
        }
    };
    let path = format!("jobs/{}", encode(&job_id));
    delete(&cx.config, &format!("{path}/schedule"), "unschedule")?;
    log::info("took a job off the schedule", &[("job", &job_id)]);
    Ok(())
}

/// The customer's job that the write with that key made.
fn find(cx: &Cx, customer: &str, key: &str) -> Result<Option<Value>, Failure> {
    let request = get(&cx.config, "jobs")
        .query("customer_id", customer)
        .query("page_size", 100)
        .query("sort_by", "created_at")
        .query("sort_direction", "desc");
    let (jobs, _) = page(request, "jobs")?;
    let marked = |job: &Value| {
        job["notes"].as_array().into_iter().flatten().any(|note| note["content"].as_str().is_some_and(|text| text.contains(&marker(key))))
    };
    Ok(jobs.into_iter().find(marked))
}

/// Where the job of an id of ours is remembered.
fn link(external_id: &str) -> String {
    format!("job/{}", encode(external_id))
}

/// Housecall Pro's id of a job that is named by it or by ours.
pub fn named(job_id: Option<String>, external_id: Option<String>) -> Result<String, Failure> {
    match (job_id, external_id) {
        (Some(id), _) => Ok(id),
        (None, Some(external_id)) => {
            let id = kv::get(&link(&external_id))?.ok_or_else(|| {
                Failure::rejected(format!(
                    "No job was created here with the external id {external_id}: Housecall Pro keeps none of other systems; give `job_id`"
                ))
            })?;
            Ok(String::from_utf8_lossy(&id).into_owned())
        }
        (None, None) => Err(Failure::rejected("Give `job_id` or `external_id`")),
    }
}

/// What tells a write of ours from others.
pub fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}

impl CreateJob {
    fn note(&self, key: &str) -> String {
        let case = self.case_id.as_ref().map(|case| format!("Case {case}"));
        let parts = [self.description.clone(), self.notes.clone(), case, Some(marker(key))];
        parts.into_iter().flatten().collect::<Vec<_>>().join("\n\n")
    }
}
