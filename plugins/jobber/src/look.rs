//! A look at a record that comes in: is it news, and what happened?

use sangam_sdk::{path::at, prelude::*};

use crate::{
    config::Config,
    graphql::text,
    job::{party, told, told_visit},
    moment::not_before,
};

/// The types of events.
pub const TYPES: [&str; 14] = [
    "job.created",
    "job.scheduled",
    "job.rescheduled",
    "job.completed",
    "job.cancelled",
    "job.changed",
    "visit.created",
    "visit.scheduled",
    "visit.rescheduled",
    "visit.completed",
    "visit.cancelled",
    "contact.created",
    "contact.changed",
    "contact.deleted",
];

/// What of a job or a visit is news when it changes.
const NEWS: [&str; 9] =
    ["status", "title", "description", "scheduled_start", "scheduled_end", "technician.id", "customer.id", "address", "notes"];
/// A change of these moves it.
const MOVES: [&str; 3] = ["scheduled_start", "scheduled_end", "technician.id"];

/// Remembers a record, in our words, as an action has just written it.
pub fn wrote(object: &str, id: &str, record: &Value) -> Result<(), Failure> {
    echo::wrote(object, id, NEWS.iter().map(|name| (*name, at(record, name))).filter(|(_, value)| !value.is_null()))
}

/// The event of a job. `all`: also what is known is told.
pub fn job(record: &Value, config: &Config, all: bool) -> Result<Option<NewEvent>, Failure> {
    // The webhook about a job of ours comes before the step that made it is over.
    let marked = record["instructions"].as_str().is_some_and(|text| text.contains("[sangam:"));
    let by_us = marked && record["completedAt"].is_null() && record["jobStatus"] != "archived";
    staged("job", "job_id", told(record, config)?, &record["updatedAt"], by_us, all)
}

/// The event of a visit.
pub fn visit(record: &Value, config: &Config, at: &Value) -> Result<Option<NewEvent>, Failure> {
    staged("visit", "visit_id", told_visit(record, config)?, at, false, false)
}

fn staged(object: &str, id: &str, mut data: Value, changed_at: &Value, by_us: bool, all: bool) -> Result<Option<NewEvent>, Failure> {
    let id = text(&data[id]).unwrap_or_default();
    let change = echo::look(object, &id, NEWS.iter().map(|name| (*name, at(&data, name))), by_us)?;
    let changed = match change {
        echo::Change::Ours | echo::Change::Same if !all => return Ok(None),
        echo::Change::Fields(changed) => Some(changed),
        _ => None,
    };
    let status = data["status"].as_str().unwrap_or_default();
    let has = |names: &[&str]| changed.as_ref().is_some_and(|changed| changed.iter().any(|name| names.contains(&name.as_str())));
    let happened = match status {
        _ if changed.is_none() || has(&["status"]) => match status {
            "open" => "created",
            "scheduled" => "scheduled",
            "completed" => "completed",
            _ => "cancelled",
        },
        "scheduled" if has(&MOVES) => "rescheduled",
        _ if object == "visit" => return Ok(None),
        _ => "changed",
    };
    if let Some(changed) = changed {
        data["changed"] = changed.into();
    }
    let at = text(changed_at).unwrap_or_default();
    // A visit tells no time of its own changes: what it comes to makes its version.
    let version = if object == "job" { at.clone() } else { format!("{happened}/{}", data["scheduled_start"].as_str().unwrap_or_default()) };
    let event = NewEvent::new(format!("{object}.{happened}"), data)?.id(format!("{id}/{version}")).subject(id);
    Ok(Some(if at.is_empty() { event } else { event.time(at) }))
}

/// The event of a client.
pub fn client(record: &Value) -> Result<Option<NewEvent>, Failure> {
    let id = text(&record["id"]).ok_or_else(|| Failure::rejected("A client has no id"))?;
    let main = party(record);
    let news = [
        ("name", &record["name"]),
        ("first_name", &record["firstName"]),
        ("last_name", &record["lastName"]),
        ("company", &record["companyName"]),
        ("email", &main["email"]),
        ("phone", &main["phone"]),
    ];
    let change = echo::look("client", &id, news, false)?;
    let (created, updated) = (text(&record["createdAt"]).unwrap_or_default(), text(&record["updatedAt"]).unwrap_or_default());
    let changed = match change {
        echo::Change::Ours | echo::Change::Same => return Ok(None),
        echo::Change::Fields(changed) => Some(changed),
        echo::Change::New => None,
    };
    // First seen: made just now, or known since long.
    let is_new = changed.is_none() && not_before(&created, &crate::moment::before(&updated, 300));
    let billing = &record["billingAddress"];
    let data = json!({
        "contact_id": id,
        "name": record["name"],
        "first_name": record["firstName"],
        "last_name": record["lastName"],
        "email": main["email"],
        "phone": main["phone"],
        "company": text(&record["companyName"]).map(|name| json!({ "name": name })),
        "address": if billing.is_object() { json!({ "street": billing["street1"], "city": billing["city"], "state": billing["province"], "postal_code": billing["postalCode"], "country": billing["country"] }) } else { Value::Null },
        "changed": changed,
        "updated_at": updated,
        "version": updated,
        "origin": { "system": "jobber", "url": record["jobberWebUri"] },
    });
    let kind = if is_new { "contact.created" } else { "contact.changed" };
    Ok(Some(NewEvent::new(kind, data)?.id(format!("{id}/{updated}")).subject(id).time(updated)))
}

/// The event of a record that is gone.
pub fn gone(object: &str, id: &str, at: &str) -> Result<NewEvent, Failure> {
    echo::forget(object, id)?;
    let (kind, data) = match object {
        "job" => ("job.cancelled", json!({ "job_id": id, "status": "cancelled", "deleted": true })),
        "visit" => ("visit.cancelled", json!({ "visit_id": id, "status": "cancelled", "deleted": true })),
        _ => ("contact.deleted", json!({ "contact_id": id, "updated_at": (!at.is_empty()).then_some(at) })),
    };
    let event = NewEvent::new(kind, data)?.id(format!("{id}/{at}/deleted")).subject(id);
    // Not every sender says when.
    Ok(if at.is_empty() { event } else { event.time(at) })
}
