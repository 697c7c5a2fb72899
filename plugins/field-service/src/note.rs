//! Actions `add-note` and `delete-note`.
//!
//! A note has no external id, so the key of its write stands in its last line, and on attempts after the first the job's notes are looked through for it.

use sangam_sdk::{
    EffectState, Undo,
    path::{at, fill},
    prelude::*,
};

use crate::{
    Cx,
    client::{delete, list, write},
    config::Method,
    job::named,
    shape::text,
};

/// Name of the write.
const WRITE: &str = "note";

/// Adds a note that the technician sees, such as what the CRM knows of the client, once: its last line `[sangam:…]` tells it from others when the step is tried again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// The system's id of the job.
    job_id: Option<String>,
    /// Our id of the job.
    external_id: Option<String>,
    note: String,
}

/// The note.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddedNote {
    /// The system's id of the job.
    job_id: String,
    /// The system's id of the note; null where it tells none.
    note_id: Option<String>,
}

pub fn add_note(input: AddNote, cx: &Cx) -> Result<AddedNote, Failure> {
    let job_id = named(&cx.config, input.job_id, input.external_id)?;
    let key = cx.key(WRITE);
    if !cx.first_attempt()
        && let Some(note_id) = find(cx, &job_id, &key)?
    {
        return Ok(AddedNote { job_id, note_id: Some(note_id) });
    }
    let notes = &cx.config.notes;
    let mut body = serde_json::Map::new();
    sangam_sdk::path::put(&mut body, &notes.text, format!("{}\n\n{}", input.note.trim_end(), marker(&key)).into());
    body.extend(notes.constants.clone());
    let path = fill(&notes.path, &[("job_id", &job_id)])?;
    let answer = write(&cx.config, Method::Post, &path, WRITE, &Value::Object(body))?;
    log::info("added a note", &[("job", &job_id)]);
    Ok(AddedNote { job_id, note_id: text(&answer["id"]) })
}

pub fn delete_note(undo: Undo<AddNote, AddedNote>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed).cloned() else {
        return Ok(());
    };
    let (job_id, note_id) = match undo.output {
        Some(AddedNote { job_id, note_id: Some(note_id) }) => (job_id, note_id),
        output => {
            let job_id = match output {
                Some(output) => output.job_id,
                None => named(&cx.config, undo.input.job_id.clone(), undo.input.external_id.clone())?,
            };
            let key = effect.key.clone().unwrap_or_default();
            match find(cx, &job_id, &key)? {
                Some(note_id) => (job_id, note_id),
                None => return Ok(()),
            }
        }
    };
    let template = &cx.config.notes.delete_path;
    if template.is_empty() {
        return Err(Failure::rejected(format!(
            "The system can't delete notes (`notes.delete-path` is empty): delete {note_id} of job {job_id} by hand"
        )));
    }
    delete(&cx.config, &fill(template, &[("job_id", &job_id), ("note_id", &note_id)])?, "delete-note")
}

/// The note of a write.
fn find(cx: &Cx, job_id: &str, key: &str) -> Result<Option<String>, Failure> {
    let notes = &cx.config.notes;
    let found = list(&cx.config, &fill(&notes.path, &[("job_id", job_id)])?, &notes.list)?;
    let ours = |note: &&Value| at(note, &notes.text).as_str().is_some_and(|text| text.contains(&marker(key)));
    Ok(found.iter().find(ours).and_then(|note| text(&note["id"])))
}

fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}
