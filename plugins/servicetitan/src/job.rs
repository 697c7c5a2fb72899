//! Jobs in our words: ServiceTitan's own record has only ids, so the customers, locations, appointments and technicians of a page are read beside it, each kind in one request.

use sangam_sdk::prelude::*;

use crate::{
    client::{get, id, ids, list},
    config::Config,
};

/// Reads a kind of record by ids; nothing is asked for where there are none.
fn named(config: &Config, module: &str, resource: &str, parameter: &str, ids: &str) -> Result<Vec<Value>, Failure> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    list(get(config, module, resource).query(parameter, ids).query("pageSize", 200))
}

/// Jobs of theirs in our words, or what is wrong with one.
pub fn gather(config: &Config, jobs: &[Value]) -> Result<Vec<Result<Value, Failure>>, Failure> {
    let field = |name: &str| ids(jobs.iter().map(|job| &job[name]));
    let customers = named(config, "crm", "customers", "ids", &field("customerId"))?;
    let locations = named(config, "crm", "locations", "ids", &field("locationId"))?;
    let appointments = field("lastAppointmentId");
    let assignments = named(config, "dispatch", "appointment-assignments", "appointmentIds", &appointments)?;
    let appointments = named(config, "jpm", "appointments", "ids", &appointments)?;
    let find = |records: &[Value], name: &str, wanted: &Value| {
        records.iter().find(|record| record[name] == *wanted && !wanted.is_null()).cloned().unwrap_or_default()
    };
    let told = |job: &Value| {
        let job_id = id(&job["id"]).ok_or_else(|| Failure::rejected("A job has no id"))?;
        let customer = find(&customers, "id", &job["customerId"]);
        let location = find(&locations, "id", &job["locationId"]);
        let appointment = find(&appointments, "id", &job["lastAppointmentId"]);
        let technicians: Vec<Value> = assignments
                .iter()
                .filter(|assignment| assignment["appointmentId"] == job["lastAppointmentId"] && assignment["active"] != false)
                .map(|assignment| json!({ "id": config.employee(&id(&assignment["technicianId"]).unwrap_or_default()), "name": assignment["technicianName"] }))
                .collect();
        let moment = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let date = moment(&job["completedOn"]).or_else(|| moment(&appointment["start"]));
        let at = &location["address"];
        Ok(json!({
            "job_id": job_id,
            "number": id(&job["jobNumber"]),
            "status": status(job["jobStatus"].as_str().unwrap_or_default())?,
            "title": job["summary"].as_str().and_then(|summary| summary.lines().next()),
            "description": job["summary"],
            "date": date.as_deref().and_then(|date| date.get(..10)),
            "scheduled_start": appointment["start"],
            "scheduled_end": appointment["end"],
            "completed_at": job["completedOn"],
            "technician": technicians.first(),
            "technicians": technicians,
            "customer": { "id": id(&job["customerId"]), "name": customer["name"] },
            "address": if at.is_object() { json!({ "street": at["street"], "city": at["city"], "state": at["state"], "postal_code": at["zip"], "country": at["country"] }) } else { Value::Null },
            "priority": job["priority"],
            "invoice_id": id(&job["invoiceId"]),
            "total": job["total"],
            "updated_at": job["modifiedOn"],
            "origin": { "system": "servicetitan" },
        }))
    };
    Ok(jobs.iter().map(told).collect())
}

/// One job in our words.
pub fn told(config: &Config, job: Value) -> Result<Value, Failure> {
    gather(config, &[job])?.pop().unwrap_or_else(|| Err(Failure::rejected("There is no job")))
}

fn status(theirs: &str) -> Result<&'static str, Failure> {
    Ok(match theirs {
        "Scheduled" | "Dispatched" | "Hold" => "scheduled",
        "InProgress" | "Working" => "started",
        "Completed" => "completed",
        "Canceled" => "cancelled",
        other => return Err(Failure::rejected(format!("the status `{other}` of a job is not known"))),
    })
}
