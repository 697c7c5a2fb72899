//! A look at a job that comes in: is it news, and what happened?

use sangam_sdk::{path::at, prelude::*};

use crate::{
    config::Config,
    job::{OBJECT, incoming},
};

/// The types of events.
pub const TYPES: [&str; 7] =
    ["job.created", "job.scheduled", "job.rescheduled", "job.started", "job.completed", "job.cancelled", "job.changed"];

/// What of a job is news when it changes.
const NEWS: [&str; 13] = [
    "status",
    "title",
    "description",
    "scheduled_start",
    "scheduled_end",
    "technician.id",
    "customer.id",
    "customer.name",
    "address",
    "case_id",
    "external_id",
    "notes",
    "priority",
];
/// A change of these moves a job.
const MOVES: [&str; 3] = ["scheduled_start", "scheduled_end", "technician.id"];

/// What of a job, in our words, is news.
pub fn news(job: &Value) -> Vec<(&'static str, Value)> {
    NEWS.iter().map(|name| (*name, at(job, name).clone())).collect()
}

/// The event of a record; none where it is no news, or the reason why it can't be read. `all`: also what is known is told.
pub fn look(record: &Value, config: &Config, all: bool) -> Result<Result<Option<NewEvent>, String>, Failure> {
    let job = match incoming(record, config) {
        Ok(job) => Value::Object(job),
        Err(reason) => return Ok(Err(reason)),
    };
    let id = job["job_id"].as_str().unwrap_or_default().to_owned();
    let news = news(&job);
    let change = echo::look(OBJECT, &id, news.iter().map(|(name, value)| (*name, value)), false)?;
    let changed = match change {
        echo::Change::Ours | echo::Change::Same if !all => return Ok(Ok(None)),
        echo::Change::Fields(changed) => Some(changed),
        _ => None,
    };
    event(job, &id, changed).map(|event| Ok(Some(event)))
}

/// The event of a job that is gone.
pub fn gone(id: &str, at: Option<String>) -> Result<NewEvent, Failure> {
    echo::forget(OBJECT, id)?;
    let data = json!({ "job_id": id, "status": "cancelled", "deleted": true, "reason": "deleted" });
    let event = NewEvent::new("job.cancelled", data)?.id(format!("{id}/deleted")).subject(id);
    Ok(match at {
        Some(at) => event.time(at),
        None => event,
    })
}

fn event(mut job: Value, id: &str, changed: Option<Vec<String>>) -> Result<NewEvent, Failure> {
    let status = job["status"].as_str().unwrap_or_default();
    let has = |names: &[&str]| changed.as_ref().is_some_and(|changed| changed.iter().any(|name| names.contains(&name.as_str())));
    let kind = match status {
        // Seen for the first time, or at another stage now.
        _ if changed.is_none() || has(&["status"]) => match status {
            "open" => "job.created",
            "scheduled" => "job.scheduled",
            "started" => "job.started",
            "completed" => "job.completed",
            _ => "job.cancelled",
        },
        "scheduled" | "started" if has(&MOVES) => "job.rescheduled",
        _ => "job.changed",
    };
    let moment = ["updated_at", "completed_at", "started_at"].into_iter().find_map(|name| job[name].as_str()).map(str::to_owned);
    // Where the system tells no time of the change, what was changed makes the version.
    let version = job["updated_at"].as_str().map_or_else(|| mark(&job), str::to_owned);
    if let Some(changed) = changed {
        job["changed"] = changed.into();
    }
    let event = NewEvent::new(kind, &job)?.id(format!("{id}/{version}")).subject(id);
    Ok(match moment {
        Some(moment) => event.time(moment),
        None => event,
    })
}

/// A record in a few characters: FNV-1a.
fn mark(record: &Value) -> String {
    let text = record.to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    format!("{hash:016x}")
}
