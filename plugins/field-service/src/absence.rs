//! Actions `set-absence`, `clear-absence` and `remove-absence`: leave in the schedule, so that nobody plans work for it.

use chrono::{Days, NaiveDate};
use sangam_sdk::{
    EffectState, Undo,
    path::{at, fill},
    prelude::*,
};

use crate::{
    Cx,
    client::{delete, list, write},
    config::Config,
    shape::{text, theirs},
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
    /// Only half of the day.
    #[serde(default)]
    half_day: bool,
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
    /// The system's id of it.
    absence_id: String,
}

pub fn set_absence(input: SetAbsence, cx: &Cx) -> Result<AbsenceSet, Failure> {
    let absences = &cx.config.absences;
    if absences.path.is_empty() {
        return Err(Failure::rejected("The system knows no absences (`absences.path` is empty)"));
    }
    let (start, end) = (day("start", &input.start)?, day("end", &input.end)?);
    if end < start {
        return Err(Failure::rejected(format!("`end` ({end}) is before `start` ({start})")));
    }
    let technician = technician(&cx.config, &input.technician_id);
    let after = end.checked_add_days(Days::new(1)).unwrap_or(end);
    let ours = json!({
        "technician_id": technician,
        "external_id": input.external_id,
        "start": start.to_string(),
        "end": end.to_string(),
        "after": after.to_string(),
        "start_time": format!("{start}T00:00:00"),
        "end_time": format!("{end}T23:59:59"),
        "reason": input.reason,
        "half_day": input.half_day,
    });
    let mut body = theirs(&ours, &absences.fields);
    body.extend(absences.constants.clone());
    let values = [("technician_id", technician), ("external_id", &input.external_id)];
    let found = find(cx, &values)?;
    let answer = match &found {
        // Where a path of one is known it can be changed; where not, it is taken away and made anew.
        Some(id) if !absences.delete_path.is_empty() => {
            delete(&cx.config, &fill(&absences.delete_path, &[values[0], values[1], ("absence_id", id)])?, "replace")?;
            write(&cx.config, absences.method, &fill(&absences.path, &values)?, WRITE, &Value::Object(body))?
        }
        Some(id) => return Ok(AbsenceSet { absence_id: id.clone() }),
        None => write(&cx.config, absences.method, &fill(&absences.path, &values)?, WRITE, &Value::Object(body))?,
    };
    log::info("blocked a schedule", &[("technician", &technician), ("start", &start), ("end", &end)]);
    Ok(AbsenceSet { absence_id: text(&answer["id"]).unwrap_or(input.external_id) })
}

pub fn clear_absence(input: ClearAbsence, cx: &Cx) -> Result<(), Failure> {
    clear(cx, &input.technician_id, &input.external_id, None)
}

pub fn remove_absence(undo: Undo<SetAbsence, AbsenceSet>, cx: &Cx) -> Result<(), Failure> {
    if undo.effect(WRITE).is_none_or(|effect| effect.state == EffectState::Failed) {
        return Ok(());
    }
    let SetAbsence { technician_id, external_id, .. } = &undo.input;
    clear(cx, technician_id, external_id, undo.output.as_ref().map(|output| output.absence_id.as_str()))
}

fn clear(cx: &Cx, technician_id: &str, external_id: &str, absence_id: Option<&str>) -> Result<(), Failure> {
    let absences = &cx.config.absences;
    if absences.delete_path.is_empty() {
        return Err(Failure::rejected("The system can't delete absences (`absences.delete-path` is empty): free the schedule by hand"));
    }
    let technician = technician(&cx.config, technician_id);
    let values = [("technician_id", technician), ("external_id", external_id)];
    let found = match absence_id {
        Some(id) => Some(id.to_owned()),
        None if absences.lookup.is_some() => match find(cx, &values)? {
            Some(id) => Some(id),
            None => return Ok(()),
        },
        None => None,
    };
    let id = found.as_deref().unwrap_or(external_id);
    delete(&cx.config, &fill(&absences.delete_path, &[values[0], values[1], ("absence_id", id)])?, "clear")?;
    log::info("freed a schedule", &[("technician", &technician)]);
    Ok(())
}

fn find(cx: &Cx, values: &[(&str, &str)]) -> Result<Option<String>, Failure> {
    let absences = &cx.config.absences;
    let Some(lookup) = &absences.lookup else {
        return Ok(None);
    };
    let found = list(&cx.config, &fill(&lookup.path, values)?, &lookup.list)?;
    let external = absences.fields.get("external_id").map(String::as_str);
    let ours = |record: &&Value| external.is_none_or(|name| text(at(record, name)).as_deref() == Some(values[1].1));
    Ok(found.iter().find(ours).and_then(|record| text(&record["id"])))
}

/// Their technician of our employee.
fn technician<'a>(config: &'a Config, employee: &'a str) -> &'a str {
    config.technicians.get(employee).map_or(employee, String::as_str)
}

fn day(name: &str, text: &str) -> Result<NaiveDate, Failure> {
    text.parse().map_err(|_| Failure::rejected(format!("`{name}` is not a day, YYYY-MM-DD: {text}")))
}
