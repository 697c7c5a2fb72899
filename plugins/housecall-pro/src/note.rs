//! Actions `add-note` and `delete-note`.

use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    client::{delete, record, text, write},
    create_job::{marker, named},
};

/// Name of the write.
const WRITE: &str = "note";

/// Adds a note to a job that the technician sees, such as what the CRM knows of the client, once: its last line `[sangam:…]` tells it from others when the step is tried again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// Housecall Pro's id of the job.
    job_id: Option<String>,
    /// Our id of the job.
    external_id: Option<String>,
    note: String,
}

/// The note.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
pub struct AddedNote {
    job_id: String,
    note_id: Option<String>,
}

pub fn add_note(input: AddNote, cx: &Cx) -> Result<AddedNote, Failure> {
    let job_id = named(input.job_id, input.external_id)?;
    let key = cx.key(WRITE);
    if !cx.first_attempt()
        && let Some(note_id) = find(cx, &job_id, &key)?
    {
        return Ok(AddedNote { job_id, note_id: Some(note_id) });
    }
    let body = json!({ "content": format!("{}\n\n{}", input.note.trim_end(), marker(&key)) });
    let made = write(&cx.config, "POST", &format!("jobs/{}/notes", encode(&job_id)), WRITE, &body)?;
    log::info("added a note", &[("job", &job_id)]);
    Ok(AddedNote { job_id, note_id: text(&made["id"]) })
}

pub fn delete_note(undo: Undo<AddNote, AddedNote>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed).cloned() else {
        return Ok(());
    };
    let job_id = match &undo.output {
        Some(output) => output.job_id.clone(),
        None => named(undo.input.job_id.clone(), undo.input.external_id.clone())?,
    };
    let known = undo.output.and_then(|output| output.note_id);
    let note_id = match known {
        Some(id) => Some(id),
        None => find(cx, &job_id, effect.key.as_deref().unwrap_or_default())?,
    };
    if let Some(note_id) = note_id {
        delete(&cx.config, &format!("jobs/{}/notes/{}", encode(&job_id), encode(&note_id)), "delete-note")?;
    }
    Ok(())
}

fn find(cx: &Cx, job_id: &str, key: &str) -> Result<Option<String>, Failure> {
    let job = record(&cx.config, &format!("jobs/{}", encode(job_id)))?;
    let job = job.ok_or_else(|| Failure::rejected(format!("Housecall Pro has no job {job_id}")))?;
    let mut notes = job["notes"].as_array().into_iter().flatten();
    Ok(notes.find(|note| note["content"].as_str().is_some_and(|text| text.contains(&marker(key)))).and_then(|note| text(&note["id"])))
}
