//! Action `log-hours`.

use sangam_sdk::{
    Write,
    path::{fill, text_at},
    prelude::*,
};

use crate::{
    Cx,
    client::{dress, url},
    config::Method,
    entry::{Entry, find, values},
    shift::Shift,
    week::Week,
};

/// Name of the write.
pub const WRITE: &str = "entry";

/// The entry.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct LoggedHours {
    /// The system's id of it.
    pub entry_id: String,
    /// Our name of it.
    pub external_id: String,
    /// Regular time.
    regular_minutes: u32,
    /// Overtime, by the day or the week.
    overtime_minutes: u32,
    /// Doubletime.
    doubletime_minutes: u32,
}

pub fn log_hours(shift: Shift, cx: &Cx) -> Result<LoggedHours, Failure> {
    let (day, worked) = (shift.day()?, shift.worked()?);
    let external_id = shift.external_id.clone().unwrap_or_else(|| cx.key(WRITE));
    let mut week = Week::read(&shift.employee_ref, day)?;
    let (of_day, of_week) = (week.worked(day, &external_id), week.regular(&external_id));
    let mut split = cx.config.overtime.split(worked, of_day, of_week);

    let entry_id = match find(cx, &shift, &external_id)? {
        // Made by an earlier try whose answer was lost, or long ago: a system that has to be searched can't replace it.
        Some(id) => {
            split = week.logged(&external_id).unwrap_or(split);
            id
        }
        None => {
            let entry = Entry { shift: &shift, external_id: &external_id, split };
            write(&entry, cx)?
        }
    };
    week.log(&external_id, day, split)?;
    log::info("logged hours", &[("entry", &entry_id)]);
    Ok(LoggedHours {
        entry_id,
        external_id,
        regular_minutes: split.regular,
        overtime_minutes: split.overtime,
        doubletime_minutes: split.doubletime,
    })
}

/// Writes the entry and gives the system's id. Whatever a success says, the hours are logged: an answer that can't be read fails
/// nothing.
fn write(entry: &Entry<'_>, cx: &Cx) -> Result<String, Failure> {
    let entries = &cx.config.entries;
    let path = fill(&entries.path, &values(entry.shift, entry.external_id))?;
    let method = match entries.method {
        Method::Put => "PUT",
        Method::Post => "POST",
    };
    let request = Write::new(method, url(&cx.config, &path)).name(WRITE);
    let response = dress(&cx.config, request).json(&entry.body(entries)).send()?.explained()?;
    let answer: Value = response.json().unwrap_or_default();
    Ok(text_at(&answer, &entries.id).unwrap_or_else(|| entry.external_id.to_owned()))
}
