//! A look at a record that comes in: is it news, and what happened?

use sangam_sdk::{path::at, prelude::*};

use crate::{
    client::text,
    config::Config,
    customer::full_name,
    job::told,
    moment::{before, not_before},
};

/// The types of events.
pub const TYPES: [&str; 10] = [
    "job.created",
    "job.scheduled",
    "job.rescheduled",
    "job.started",
    "job.completed",
    "job.cancelled",
    "job.changed",
    "contact.created",
    "contact.changed",
    "contact.deleted",
];

/// What of a job is news when it changes.
const NEWS: [&str; 8] = ["status", "title", "scheduled_start", "scheduled_end", "technician.id", "customer.id", "address", "notes"];
/// A change of these moves it.
const MOVES: [&str; 3] = ["scheduled_start", "scheduled_end", "technician.id"];

/// Remembers a job, in our words, as an action has just written it.
pub fn wrote(job_id: &str, job: &Value) -> Result<(), Failure> {
    // What is taken away was written too: a job off the schedule has no times.
    echo::wrote("job", job_id, NEWS.iter().map(|name| (*name, at(job, name))))
}

/// The event of a job; none where it is no news. `all`: also what is known is told.
pub fn job(record: &Value, config: &Config, all: bool) -> Result<Option<NewEvent>, Failure> {
    let mut job = told(record, config)?;
    let id = text(&job["job_id"]).unwrap_or_default();
    // The webhook about a job of ours comes before the step that made it is over.
    let marked =
        record["notes"].as_array().into_iter().flatten().any(|note| note["content"].as_str().is_some_and(|text| text.contains("[sangam:")));
    let by_us = marked && matches!(job["status"].as_str(), Some("open" | "scheduled"));
    let changed = match echo::look("job", &id, NEWS.iter().map(|name| (*name, at(&job, name))), by_us)? {
        echo::Change::Ours | echo::Change::Same if !all => return Ok(None),
        echo::Change::Fields(changed) => Some(changed),
        _ => None,
    };
    let has = |names: &[&str]| changed.as_ref().is_some_and(|changed| changed.iter().any(|name| names.contains(&name.as_str())));
    let kind = match job["status"].as_str().unwrap_or_default() {
        status if changed.is_none() || has(&["status"]) => match status {
            "open" => "job.created",
            "scheduled" => "job.scheduled",
            "started" => "job.started",
            "completed" => "job.completed",
            _ => "job.cancelled",
        },
        "scheduled" | "started" if has(&MOVES) => "job.rescheduled",
        _ => "job.changed",
    };
    let updated = text(&job["updated_at"]).ok_or_else(|| Failure::rejected("A job has no updated_at"))?;
    if let Some(changed) = changed {
        job["changed"] = changed.into();
    }
    Ok(Some(NewEvent::new(kind, job)?.id(format!("{id}/{updated}")).subject(id).time(updated)))
}

/// The event of a customer.
pub fn customer(record: &Value) -> Result<Option<NewEvent>, Failure> {
    let id = text(&record["id"]).ok_or_else(|| Failure::rejected("A customer has no id"))?;
    let news = [
        ("first_name", &record["first_name"]),
        ("last_name", &record["last_name"]),
        ("company", &record["company"]),
        ("email", &record["email"]),
        ("phone", &record["mobile_number"]),
    ];
    let changed = match echo::look("customer", &id, news, false)? {
        echo::Change::Ours | echo::Change::Same => return Ok(None),
        echo::Change::Fields(changed) => Some(changed),
        echo::Change::New => None,
    };
    let (created, updated) = (text(&record["created_at"]).unwrap_or_default(), text(&record["updated_at"]).unwrap_or_default());
    // First seen: made just now, or known since long.
    let is_new = changed.is_none() && not_before(&created, &before(&updated, 300));
    let place = &record["addresses"][0];
    let data = json!({
        "contact_id": id,
        "name": text(&record["company"]).or_else(|| full_name(record)),
        "first_name": record["first_name"],
        "last_name": record["last_name"],
        "email": record["email"],
        "phone": record["mobile_number"],
        "company": text(&record["company"]).map(|name| json!({ "name": name })),
        "address": if place.is_object() { json!({ "street": place["street"], "city": place["city"], "state": place["state"], "postal_code": place["zip"], "country": place["country"] }) } else { Value::Null },
        "changed": changed,
        "updated_at": updated,
        "version": updated,
        "origin": { "system": "housecall-pro" },
    });
    let kind = if is_new { "contact.created" } else { "contact.changed" };
    Ok(Some(NewEvent::new(kind, data)?.id(format!("{id}/{updated}")).subject(id).time(updated)))
}

/// The event of a record that is gone.
pub fn gone(object: &str, id: &str, at: &str) -> Result<NewEvent, Failure> {
    echo::forget(object, id)?;
    let (kind, data) = match object {
        "job" => ("job.cancelled", json!({ "job_id": id, "status": "cancelled", "deleted": true })),
        _ => ("contact.deleted", json!({ "contact_id": id, "updated_at": (!at.is_empty()).then_some(at) })),
    };
    let event = NewEvent::new(kind, data)?.id(format!("{id}/{at}/deleted")).subject(id);
    // Not every sender says when.
    Ok(if at.is_empty() { event } else { event.time(at) })
}
