//! A leave, as the system has it and as an event.

use chrono::{DateTime, FixedOffset, NaiveDate};
use sangam_sdk::{
    path::{at, text_at},
    prelude::*,
};

use crate::config::Leaves;

/// The types of events.
pub const TYPES: [&str; 6] =
    ["leave.requested", "leave.approved", "leave.declined", "leave.cancelled", "sick-leave.reported", "sick-leave.cancelled"];

/// Our kind of sick leave.
const SICK: &str = "sick";

/// How far a leave is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Asked for.
    Requested,
    /// Granted.
    Approved,
    /// Refused.
    Declined,
    /// Taken back.
    Cancelled,
}

/// The data of an event.
#[derive(Debug, Serialize)]
struct Leave<'a> {
    id: &'a str,
    employee_ref: String,
    kind: String,
    status: Status,
    start: String,
    end: String,
    half_day: bool,
    updated_at: &'a str,
}

/// When a record was changed, where that can be read.
pub fn updated_at(record: &Value, leaves: &Leaves) -> Option<(String, DateTime<FixedOffset>)> {
    let text = at(record, &leaves.fields.updated_at).as_str()?;
    Some((text.to_owned(), DateTime::parse_from_rfc3339(text).ok()?))
}

/// The event of a record, or what is wrong with the record.
pub fn event(record: &Value, leaves: &Leaves) -> Result<NewEvent, String> {
    let fields = &leaves.fields;
    let text = |name: &str| text_at(record, name).ok_or_else(|| format!("`{name}` is missing"));
    let day = |name: &str| {
        let text = text(name)?;
        let day: NaiveDate = text.parse().map_err(|_| format!("`{name}` is not a day: {text}"))?;
        Ok::<_, String>(day)
    };
    let id = text(&fields.id)?;
    let (updated_at, _) =
        updated_at(record, leaves).ok_or_else(|| format!("`{}` is missing, or not a date and time with an offset", fields.updated_at))?;
    let (start, end) = (day(&fields.start)?, day(&fields.end)?);
    if end < start {
        return Err(format!("`{}` is before `{}`", fields.end, fields.start));
    }
    let kind = text(&fields.kind)?;
    let leave = Leave {
        id: &id,
        employee_ref: text(&fields.employee_ref)?,
        kind: leaves.kinds.get(&kind).cloned().unwrap_or(kind),
        status: status(&text(&fields.status)?, leaves)?,
        start: start.to_string(),
        end: end.to_string(),
        half_day: at(record, &fields.half_day).as_bool().unwrap_or_default(),
        updated_at: &updated_at,
    };
    let event = NewEvent::new(type_of(&leave), &leave).map_err(|failure| failure.reason)?;
    Ok(event.id(format!("{id}/{updated_at}")).subject(&leave.employee_ref).time(&updated_at))
}

fn status(theirs: &str, leaves: &Leaves) -> Result<Status, String> {
    if let Some(status) = leaves.statuses.get(theirs) {
        return Ok(*status);
    }
    serde_json::from_value(theirs.into()).map_err(|_| format!("the status `{theirs}` is not known: see configuration.leaves.statuses"))
}

/// Nobody asks to be sick: sick leave is reported, whatever the system's procedure.
fn type_of(leave: &Leave<'_>) -> &'static str {
    match (leave.kind.as_str(), leave.status) {
        (SICK, Status::Requested | Status::Approved) => "sick-leave.reported",
        (SICK, Status::Declined | Status::Cancelled) => "sick-leave.cancelled",
        (_, Status::Requested) => "leave.requested",
        (_, Status::Approved) => "leave.approved",
        (_, Status::Declined) => "leave.declined",
        (_, Status::Cancelled) => "leave.cancelled",
    }
}
