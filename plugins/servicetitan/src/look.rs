//! A look at a job that comes in: is it news, and what happened?

use sangam_sdk::{path::at, prelude::*};

/// The types of events.
pub const TYPES: [&str; 6] = ["job.scheduled", "job.rescheduled", "job.started", "job.completed", "job.cancelled", "job.changed"];

/// What of a job is news when it changes.
const NEWS: [&str; 7] = ["status", "description", "scheduled_start", "scheduled_end", "technician.id", "customer.id", "priority"];
/// A change of these moves it.
const MOVES: [&str; 3] = ["scheduled_start", "scheduled_end", "technician.id"];

/// Remembers a job, in our words, as an action has just written it.
pub fn wrote(job_id: &str, job: &Value) -> Result<(), Failure> {
    echo::wrote("job", job_id, NEWS.iter().map(|name| (*name, at(job, name))).filter(|(_, value)| !value.is_null()))
}

/// The event of a job, in our words; none where it is no news. `all`: also what is known is told.
pub fn job(mut job: Value, all: bool) -> Result<Option<NewEvent>, Failure> {
    let id = job["job_id"].as_str().unwrap_or_default().to_owned();
    let changed = match echo::look("job", &id, NEWS.iter().map(|name| (*name, at(&job, name))), false)? {
        echo::Change::Ours | echo::Change::Same if !all => return Ok(None),
        echo::Change::Fields(changed) => Some(changed),
        _ => None,
    };
    let has = |names: &[&str]| changed.as_ref().is_some_and(|changed| changed.iter().any(|name| names.contains(&name.as_str())));
    let status = job["status"].as_str().unwrap_or_default();
    let kind = match status {
        _ if changed.is_none() || has(&["status"]) => format!("job.{status}"),
        "scheduled" | "started" if has(&MOVES) => "job.rescheduled".to_owned(),
        _ => "job.changed".to_owned(),
    };
    let updated = job["updated_at"].as_str().unwrap_or_default().to_owned();
    if let Some(changed) = changed {
        job["changed"] = changed.into();
    }
    let event = NewEvent::new(kind, job)?.id(format!("{id}/{updated}")).subject(id);
    Ok(Some(if updated.is_empty() { event } else { event.time(updated) }))
}
