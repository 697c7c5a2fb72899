//! Actions `create-job` and `cancel-job`.
//!
//! ServiceTitan keeps ids of other systems with a job, under the application's GUID, and finds jobs by them: so a job is looked for before it is booked.

use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{get, id, list, write},
    customer::{Address, Customer},
    job::told,
    look::wrote,
};

/// Name of the write.
const WRITE: &str = "job";
/// Key that our ids are kept under.
const KEY: &str = "sangam";

/// Books a job with one appointment, once, for a customer that is found or created.
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
    scheduled_start: String,
    /// Until when, RFC 3339.
    scheduled_end: String,
    /// Who does it: the employee's id.
    technician_id: Option<String>,
    /// `Low`, `Normal`, `High` or `Urgent`; `Normal` where it is not said.
    priority: Option<String>,
    /// For the technician.
    notes: Option<String>,
    /// Id of the case that it is for.
    case_id: Option<String>,
    /// Our id of the job; by default the idempotency key.
    external_id: Option<String>,
    /// In place of the configured one.
    business_unit_id: Option<u64>,
    /// In place of the configured one.
    job_type_id: Option<u64>,
}

/// The job.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct CreatedJob {
    /// ServiceTitan's id.
    pub job_id: String,
    /// Its number, as people know it.
    number: Option<String>,
    /// Our id of it.
    external_id: String,
    /// Whether this attempt made it.
    created: bool,
}

pub fn create_job(input: CreateJob, cx: &Cx) -> Result<CreatedJob, Failure> {
    let config = &cx.config;
    let external_id = input.external_id.clone().unwrap_or_else(|| cx.key(WRITE));
    if (input.external_id.is_some() || !cx.first_attempt())
        && let Some(found) = by_external_id(cx, &external_id)?
    {
        return finish(&found, external_id, false);
    }
    let needed = |given: Option<u64>, own: Option<u64>, name: &str| {
        given.or(own).ok_or_else(|| Failure::rejected(format!("To book a job ServiceTitan needs a `{name}`: give it, or configure it")))
    };
    let unit = needed(input.business_unit_id, config.business_unit_id, "business-unit-id")?;
    let kind = needed(input.job_type_id, config.job_type_id, "job-type-id")?;
    let technicians: Vec<u64> = input.technician_id.iter().map(|id| config.technician(id)).collect::<Result<_, _>>()?;
    let (customer, location) = input.customer.find_or_create(input.address.as_ref(), cx)?;
    let case = input.case_id.as_ref().map(|case| format!("Case {case}"));
    let summary: Vec<String> = [Some(input.title), input.description, input.notes, case].into_iter().flatten().collect();
    let appointment = json!({
        "start": input.scheduled_start, "end": input.scheduled_end, "arrivalWindowStart": input.scheduled_start, "arrivalWindowEnd": input.scheduled_end,
        "technicianIds": technicians,
    });
    let mut body = json!({
        "customerId": customer,
        "locationId": location,
        "businessUnitId": unit,
        "jobTypeId": kind,
        "priority": input.priority.as_deref().unwrap_or("Normal"),
        "campaignId": config.campaign_id,
        "summary": summary.join("\n\n"),
        "appointments": [appointment],
    });
    if let Some(guid) = &config.application_guid {
        body["externalData"] = json!({ "applicationGuid": guid, "externalData": [{ "key": KEY, "value": external_id }] });
    }
    let made = write(config, "POST", "jpm", "jobs", WRITE, &body)?;
    let created = finish(&made, external_id, true)?;
    wrote(&created.job_id, &told(config, made)?)?;
    log::info("booked a job", &[("job", &created.job_id)]);
    Ok(created)
}

fn finish(job: &Value, external_id: String, created: bool) -> Result<CreatedJob, Failure> {
    let job_id = id(&job["id"]).ok_or_else(|| Failure::rejected("ServiceTitan answered with a job that has no id"))?;
    Ok(CreatedJob { job_id, number: id(&job["jobNumber"]), external_id, created })
}

pub fn cancel_job(undo: Undo<CreateJob, CreatedJob>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed) else {
        return Ok(()); // it was there before, or never was made
    };
    let job_id = match &undo.output {
        Some(output) => output.job_id.clone(),
        None => {
            let external_id = undo.input.external_id.clone().or_else(|| effect.key.clone()).unwrap_or_default();
            match by_external_id(cx, &external_id)? {
                Some(job) => id(&job["id"]).unwrap_or_default(),
                None => return Ok(()),
            }
        }
    };
    cancel(cx, &job_id, "Taken back by the integration that booked it")
}

/// Cancels a job.
pub fn cancel(cx: &Cx, job_id: &str, memo: &str) -> Result<(), Failure> {
    let reason = cx
        .config
        .cancel_reason_id
        .ok_or_else(|| Failure::rejected("To cancel a job ServiceTitan needs a reason: configure `cancel-reason-id`"))?;
    let body = json!({ "reasonId": reason, "memo": memo });
    write(&cx.config, "PUT", "jpm", &format!("jobs/{}/cancel", encode(job_id)), "cancel", &body)?;
    log::info("cancelled a job", &[("job", &job_id)]);
    Ok(())
}

/// The job of an id of ours.
pub fn by_external_id(cx: &Cx, external_id: &str) -> Result<Option<Value>, Failure> {
    let Some(guid) = &cx.config.application_guid else {
        return Ok(None);
    };
    let request = get(&cx.config, "jpm", "jobs").query("externalDataApplicationGuid", guid);
    Ok(list(request.query("externalDataKey", KEY).query("externalDataValues", external_id))?.into_iter().next())
}

/// ServiceTitan's id of a job that is named by it or by ours.
pub fn named(cx: &Cx, job_id: Option<String>, external_id: Option<String>) -> Result<String, Failure> {
    match (job_id, external_id) {
        (Some(id), _) => Ok(id),
        (None, Some(external_id)) => {
            let found = by_external_id(cx, &external_id)?;
            let found = found.as_ref().and_then(|job| id(&job["id"]));
            found.ok_or_else(|| {
                Failure::rejected(format!("ServiceTitan has no job with the external id {external_id} (configuration.application-guid)"))
            })
        }
        (None, None) => Err(Failure::rejected("Give `job_id` or `external_id`")),
    }
}
