//! A job as Jobber has it, and as an event.

use sangam_sdk::prelude::*;

use crate::{
    config::Config,
    graphql::{query, taken, text},
};

/// The fields of a job that are read.
pub const FIELDS: &str = "id jobNumber title instructions jobStatus total jobberWebUri createdAt updatedAt startAt endAt completedAt \
    client { id name companyName emails { address } phones { number } } property { id address { street1 city province postalCode country } } \
    lineItems(first: 50) { nodes { name description quantity unitPrice } } \
    expenses(first: 20) { nodes { title total } } \
    timeSheetEntries(first: 50) { nodes { finalDuration labourRate user { id name { full } } } } \
    visits(first: 20) { nodes { id title startAt endAt completedAt visitStatus isComplete assignedUsers(first: 10) { nodes { id name { full } email { raw } } } } }";

/// Reads a job; none where there is no such.
pub fn by_id(config: &Config, id: &str) -> Result<Option<Value>, Failure> {
    let document = format!("query Job($id: EncodedId!) {{ job(id: $id) {{ {FIELDS} }} }}");
    let job = taken(&mut query(config, &document, json!({ "id": id }))?, "/job");
    Ok(if job.is_null() { None } else { Some(job) })
}

/// Jobber's id of a job that is named by it or by ours.
pub fn named(job_id: Option<String>, external_id: Option<String>) -> Result<String, Failure> {
    match (job_id, external_id) {
        (Some(id), _) => Ok(id),
        (None, Some(external_id)) => {
            let id = kv::get(&link(&external_id))?.ok_or_else(|| {
                Failure::rejected(format!(
                    "No job was created here with the external id {external_id}: Jobber keeps none of other systems; give `job_id`"
                ))
            })?;
            Ok(String::from_utf8_lossy(&id).into_owned())
        }
        (None, None) => Err(Failure::rejected("Give `job_id` or `external_id`")),
    }
}

/// Where the job of an id of ours is remembered.
pub fn link(external_id: &str) -> String {
    format!("job/{}", encode(external_id))
}

/// The visits that are not done, earliest first.
pub fn open_visits(job: &Value) -> Vec<&Value> {
    let mut visits: Vec<&Value> =
        job["visits"]["nodes"].as_array().into_iter().flatten().filter(|visit| visit["isComplete"] != true).collect();
    visits.sort_by_key(|visit| visit["startAt"].as_str().unwrap_or("9"));
    visits
}

/// How far a job is, in our words. Jobber's status of an open job is about its schedule and its invoice.
fn status(job: &Value) -> &'static str {
    match job["jobStatus"].as_str().unwrap_or_default().to_lowercase().as_str() {
        // Work is done where only the invoice is missing.
        "requires_invoicing" => "completed",
        "archived" if job["completedAt"].is_string() => "completed",
        "archived" => "cancelled",
        "unscheduled" => "open",
        _ if job["completedAt"].is_string() => "completed",
        _ if job["startAt"].is_null() && open_visits(job).iter().all(|visit| visit["startAt"].is_null()) => "open",
        _ => "scheduled",
    }
}

fn people(config: &Config, users: &Value) -> Vec<Value> {
    let users = users["nodes"].as_array().into_iter().flatten();
    users
        .map(|user| json!({ "id": config.employee(user["id"].as_str().unwrap_or_default()), "name": user["name"]["full"], "email": user["email"]["raw"] }))
        .collect()
}

fn address(property: &Value) -> Value {
    let at = &property["address"];
    if !at.is_object() {
        return Value::Null;
    }
    json!({ "street": at["street1"], "city": at["city"], "state": at["province"], "postal_code": at["postalCode"], "country": at["country"] })
}

/// A client as a party of an event.
pub fn party(client: &Value) -> Value {
    if !client.is_object() {
        return Value::Null;
    }
    json!({
        "id": client["id"], "name": client["name"], "company": client["companyName"], "email": client["emails"][0]["address"], "phone": client["phones"][0]["number"],
    })
}

/// A job in our words.
pub fn told(job: &Value, config: &Config) -> Result<Value, Failure> {
    let id = text(&job["id"]).ok_or_else(|| Failure::rejected("A job has no id"))?;
    let visit = open_visits(job)
        .first()
        .copied()
        .or_else(|| job["visits"]["nodes"].as_array().and_then(|visits| visits.last()))
        .cloned()
        .unwrap_or_default();
    let technicians = people(config, &visit["assignedUsers"]);
    let times = job["timeSheetEntries"]["nodes"].as_array().cloned().unwrap_or_default();
    let seconds: u64 = times.iter().filter_map(|entry| entry["finalDuration"].as_u64()).sum();
    let date = [&job["completedAt"], &visit["startAt"], &job["startAt"]].into_iter().find_map(|moment| moment.as_str()?.get(..10));
    let labour: Vec<Value> = times
        .iter()
        .filter_map(|entry| {
            let hours = (entry["finalDuration"].as_f64()? / 36.0).round() / 100.0;
            Some(json!({ "hours": hours, "rate": entry["labourRate"], "description": job["title"], "date": date, "technician": entry["user"]["name"]["full"] }))
        })
        .collect();
    let lines = |list: &str| job[list]["nodes"].as_array().cloned().unwrap_or_default();
    let parts: Vec<Value> = lines("lineItems")
        .iter()
        .map(|line| json!({ "item": line["name"], "description": line["description"], "quantity": line["quantity"], "unit_price": line["unitPrice"] }))
        .collect();
    let expenses: Vec<Value> =
        lines("expenses").iter().map(|expense| json!({ "description": expense["title"], "amount": expense["total"] })).collect();
    // Without the line that tells our own job from others.
    let description = job["instructions"].as_str().map(|text| text.split("\n\n[sangam:").next().unwrap_or_default().to_owned());
    Ok(json!({
        "job_id": id,
        "number": job["jobNumber"].as_u64().map(|number| number.to_string()).or_else(|| text(&job["jobNumber"])),
        "status": status(job),
        "title": job["title"],
        "description": description,
        "date": date,
        "scheduled_start": visit["startAt"].as_str().or(job["startAt"].as_str()),
        "scheduled_end": visit["endAt"].as_str().or(job["endAt"].as_str()),
        "completed_at": job["completedAt"],
        "technician": technicians.first(),
        "technicians": technicians,
        "customer": party(&job["client"]),
        "address": address(&job["property"]),
        "worked_minutes": seconds / 60,
        "labour": labour,
        "parts": parts,
        "expenses": expenses,
        "total": job["total"],
        "updated_at": job["updatedAt"],
        "origin": { "system": "jobber", "url": job["jobberWebUri"] },
    }))
}

/// A visit in our words, or nothing where it has no id.
pub fn told_visit(visit: &Value, config: &Config) -> Result<Value, Failure> {
    let id = text(&visit["id"]).ok_or_else(|| Failure::rejected("A visit has no id"))?;
    let technicians = people(config, &visit["assignedUsers"]);
    let status = match (visit["isComplete"] == true, visit["startAt"].is_null()) {
        (true, _) => "completed",
        (false, true) => "open",
        (false, false) => "scheduled",
    };
    Ok(json!({
        "visit_id": id,
        "job_id": visit["job"]["id"],
        "status": status,
        "title": visit["title"],
        "scheduled_start": visit["startAt"],
        "scheduled_end": visit["endAt"],
        "completed_at": visit["completedAt"],
        "technician": technicians.first(),
        "technicians": technicians,
        "customer": party(&visit["client"]),
        "address": address(&visit["property"]),
        "notes": visit["instructions"],
        "origin": { "system": "jobber" },
    }))
}
