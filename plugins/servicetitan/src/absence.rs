//! Actions `set-absence`, `clear-absence` and `remove-absence`: non-job appointments.

use chrono::NaiveDate;
use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{delete, get, id, list, write},
};

/// Name of the write.
const WRITE: &str = "absence";

/// Blocks a technician's schedule from one day to another. Setting it again under the same external id changes it.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAbsence {
    /// The employee's id.
    technician_id: String,
    /// First day, `YYYY-MM-DD`.
    start: String,
    /// Last day.
    end: String,
    /// As people see it; keep illness out of it where that is nobody's business.
    reason: Option<String>,
    /// Our id of the absence, such as the leave's.
    external_id: String,
}

/// Frees a technician's schedule of an absence. One that is not there is as good.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearAbsence {
    /// The employee's id.
    technician_id: String,
    /// Our id of the absence.
    external_id: String,
}

/// The absence.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AbsenceSet {
    /// ServiceTitan's id of the non-job appointment.
    absence_id: String,
}

pub fn set_absence(input: SetAbsence, cx: &Cx) -> Result<AbsenceSet, Failure> {
    let (start, end) = (day("start", &input.start)?, day("end", &input.end)?);
    let days = (end - start).num_days() + 1;
    if days < 1 {
        return Err(Failure::rejected(format!("`end` ({end}) is before `start` ({start})")));
    }
    let technician = cx.config.technician(&input.technician_id)?;
    let body = json!({
        "technicianId": technician,
        "start": format!("{start}T00:00:00Z"),
        "duration": format!("{days}.00:00:00"),
        "name": input.reason.as_deref().unwrap_or("Absent"),
        "summary": marker(&input.external_id),
        "timesheetCodeId": cx.config.timesheet_code_id,
        "clearDispatchBoard": false,
        "clearTechnicianView": false,
        "showOnTechnicianSchedule": true,
        "removeTechnicianFromCapacityPlanning": true,
        "active": true,
    });
    let made = match find(cx, technician, &input.external_id)? {
        Some(id) => {
            write(&cx.config, "PUT", "dispatch", &format!("non-job-appointments/{id}"), "change", &body).map(|_| json!({ "id": id }))?
        }
        None => write(&cx.config, "POST", "dispatch", "non-job-appointments", WRITE, &body)?,
    };
    let absence_id = id(&made["id"]).ok_or_else(|| Failure::rejected("ServiceTitan made a non-job appointment without an id"))?;
    kv::set(&link(&input.external_id), &absence_id)?;
    log::info("blocked a schedule", &[("technician", &technician), ("start", &start), ("end", &end)]);
    Ok(AbsenceSet { absence_id })
}

pub fn clear_absence(input: ClearAbsence, cx: &Cx) -> Result<(), Failure> {
    clear(cx, &input.technician_id, &input.external_id, None)
}

pub fn remove_absence(undo: Undo<SetAbsence, AbsenceSet>, cx: &Cx) -> Result<(), Failure> {
    if undo.effect(WRITE).is_none_or(|effect| effect.state == EffectState::Failed) {
        return Ok(());
    }
    let SetAbsence { technician_id, external_id, .. } = &undo.input;
    clear(cx, technician_id, external_id, undo.output.as_ref().map(|output| output.absence_id.clone()))
}

fn clear(cx: &Cx, technician_id: &str, external_id: &str, known: Option<String>) -> Result<(), Failure> {
    let known = match known {
        Some(id) => Some(id),
        None => find(cx, cx.config.technician(technician_id)?, external_id)?,
    };
    let Some(id) = known else {
        return Ok(());
    };
    delete(&cx.config, "dispatch", &format!("non-job-appointments/{id}"), "clear")?;
    kv::delete(&link(external_id))?;
    log::info("freed a schedule", &[("appointment", &id)]);
    Ok(())
}

/// The appointment of an absence: the one that is remembered, else the technician's that says so.
fn find(cx: &Cx, technician: u64, external_id: &str) -> Result<Option<String>, Failure> {
    if let Some(id) = kv::get(&link(external_id))? {
        return Ok(Some(String::from_utf8_lossy(&id).into_owned()));
    }
    if cx.first_attempt() {
        return Ok(None);
    }
    let found = list(get(&cx.config, "dispatch", "non-job-appointments").query("technicianId", technician).query("pageSize", 200))?;
    let ours = |appointment: &&Value| appointment["summary"].as_str().is_some_and(|text| text.contains(&marker(external_id)));
    Ok(found.iter().find(ours).and_then(|appointment| id(&appointment["id"])))
}

fn link(external_id: &str) -> String {
    format!("absence/{}", encode(external_id))
}

fn marker(external_id: &str) -> String {
    format!("[sangam:absence:{external_id}]")
}

fn day(name: &str, text: &str) -> Result<NaiveDate, Failure> {
    text.parse().map_err(|_| Failure::rejected(format!("`{name}` is not a day, YYYY-MM-DD: {text}")))
}
