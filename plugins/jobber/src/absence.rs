//! Actions `set-absence`, `clear-absence` and `remove-absence`. Jobber knows no absences; what keeps a day free in its calendar is a task that the technician is assigned to.

use chrono::Days;
use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    graphql::{mutate, query, text},
    moment::day,
};

/// Name of the write.
const WRITE: &str = "absence";

const CREATE: &str =
    "mutation TaskCreate($input: TaskCreateInput!) { taskCreate(input: $input) { task { id } userErrors { message path } } }";
const EDIT: &str = "mutation TaskEdit($taskId: EncodedId!, $input: TaskEditInput!) { taskEdit(taskId: $taskId, input: $input) { task { id } userErrors { message path } } }";
const DELETE: &str = "mutation TaskDelete($taskIds: [EncodedId!]!) { taskDelete(taskIds: $taskIds) { userErrors { message path } } }";
const LIST: &str = "query Tasks { tasks(first: 100, sort: [{ key: START_AT, direction: DESC }]) { nodes { id instructions } } }";

/// Blocks a technician's calendar from one day to another by a task. Setting it again under the same external id changes it.
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

/// Frees a technician's calendar of an absence. One that is not there is as good.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClearAbsence {
    /// The employee's id.
    #[serde(default)]
    #[allow(dead_code, reason = "as other connectors have it; Jobber's task is found by the external id alone")]
    technician_id: Option<String>,
    /// Our id of the absence.
    external_id: String,
}

/// The absence.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AbsenceSet {
    /// Jobber's id of the task.
    absence_id: String,
}

pub fn set_absence(input: SetAbsence, cx: &Cx) -> Result<AbsenceSet, Failure> {
    let (start, end) = (day("start", &input.start)?, day("end", &input.end)?);
    if end < start {
        return Err(Failure::rejected(format!("`end` ({end}) is before `start` ({start})")));
    }
    let after = end.checked_add_days(Days::new(1)).unwrap_or(end);
    let task = json!({
        "title": input.reason.as_deref().unwrap_or("Absent"),
        "instructions": marker(&input.external_id),
        "startAt": format!("{start}T00:00:00Z"),
        "endAt": format!("{after}T00:00:00Z"),
        "assignedTo": [cx.config.user(&input.technician_id)],
    });
    let payload = match find(cx, &input.external_id)? {
        Some(id) => mutate(&cx.config, "change", EDIT, "taskEdit", json!({ "taskId": id, "input": task }))?,
        None => mutate(&cx.config, WRITE, CREATE, "taskCreate", json!({ "input": task }))?,
    };
    let absence_id = text(&payload["task"]["id"]).ok_or_else(|| Failure::rejected("Jobber made a task without an id"))?;
    kv::set(&link(&input.external_id), &absence_id)?;
    log::info("blocked a calendar", &[("technician", &input.technician_id), ("start", &start), ("end", &end)]);
    Ok(AbsenceSet { absence_id })
}

pub fn clear_absence(input: ClearAbsence, cx: &Cx) -> Result<(), Failure> {
    clear(cx, &input.external_id, None)
}

pub fn remove_absence(undo: Undo<SetAbsence, AbsenceSet>, cx: &Cx) -> Result<(), Failure> {
    if undo.effect(WRITE).is_none_or(|effect| effect.state == EffectState::Failed) {
        return Ok(());
    }
    clear(cx, &undo.input.external_id, undo.output.as_ref().map(|output| output.absence_id.clone()))
}

fn clear(cx: &Cx, external_id: &str, known: Option<String>) -> Result<(), Failure> {
    let known = match known {
        Some(id) => Some(id),
        None => find(cx, external_id)?,
    };
    let Some(id) = known else {
        return Ok(());
    };
    mutate(&cx.config, "clear", DELETE, "taskDelete", json!({ "taskIds": [id] }))?;
    kv::delete(&link(external_id))?;
    log::info("freed a calendar", &[("task", &id)]);
    Ok(())
}

/// The task of an absence: the one that is remembered, else on later attempts the one that says so.
fn find(cx: &Cx, external_id: &str) -> Result<Option<String>, Failure> {
    if let Some(id) = kv::get(&link(external_id))? {
        return Ok(Some(String::from_utf8_lossy(&id).into_owned()));
    }
    if cx.first_attempt() {
        return Ok(None);
    }
    let found = query(&cx.config, LIST, json!({}))?;
    let tasks = found["tasks"]["nodes"].as_array().ok_or_else(|| Failure::rejected("Jobber answered without tasks"))?;
    let ours = tasks.iter().find(|task| task["instructions"].as_str().is_some_and(|text| text.contains(&marker(external_id))));
    Ok(ours.and_then(|task| text(&task["id"])))
}

fn link(external_id: &str) -> String {
    format!("absence/{}", encode(external_id))
}

fn marker(external_id: &str) -> String {
    format!("[sangam:absence:{external_id}]")
}
