//! Actions `add-note` and `delete-note`.
//!
//! The key of the write stands in the last line of the note; on attempts after the first the job's notes are looked through for it.

use sangam_sdk::{EffectState, Undo, prelude::*};

use crate::{
    Cx,
    graphql::{mutate, query, text},
    job::named,
};

/// Name of the write.
const WRITE: &str = "note";

const CREATE: &str = "mutation JobCreateNote($jobId: EncodedId!, $input: JobCreateNoteInput!) { jobCreateNote(jobId: $jobId, input: $input) { jobNote { id message } userErrors { message path } } }";
const DELETE: &str = "mutation JobDeleteNote($input: JobDeleteNoteInput!) { jobDeleteNote(input: $input) { deletedNote { id } userErrors { message path } } }";
const LIST: &str = "query JobNotes($id: EncodedId!) { job(id: $id) { notes(first: 100) { nodes { ... on JobNote { id message } } } } }";

/// Adds a note to a job that the technician sees, such as what the CRM knows of the client, once: its last line `[sangam:…]` tells it from others when the step is tried again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// Jobber's id of the job.
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
    let message = format!("{}\n\n{}", input.note.trim_end(), marker(&key));
    let payload = mutate(&cx.config, WRITE, CREATE, "jobCreateNote", json!({ "jobId": job_id, "input": { "message": message } }))?;
    log::info("added a note", &[("job", &job_id)]);
    Ok(AddedNote { job_id, note_id: text(&payload["jobNote"]["id"]) })
}

pub fn delete_note(undo: Undo<AddNote, AddedNote>, cx: &Cx) -> Result<(), Failure> {
    let Some(effect) = undo.effect(WRITE).filter(|effect| effect.state != EffectState::Failed).cloned() else {
        return Ok(());
    };
    let note_id = match undo.output {
        Some(AddedNote { note_id: Some(note_id), .. }) => Some(note_id),
        output => {
            let job_id = match output {
                Some(output) => output.job_id,
                None => named(undo.input.job_id.clone(), undo.input.external_id.clone())?,
            };
            find(cx, &job_id, effect.key.as_deref().unwrap_or_default())?
        }
    };
    if let Some(note_id) = note_id {
        mutate(&cx.config, "delete-note", DELETE, "jobDeleteNote", json!({ "input": { "noteId": note_id } }))?;
    }
    Ok(())
}

fn find(cx: &Cx, job_id: &str, key: &str) -> Result<Option<String>, Failure> {
    let found = query(&cx.config, LIST, json!({ "id": job_id }))?;
    let notes =
        found["job"]["notes"]["nodes"].as_array().ok_or_else(|| Failure::rejected(format!("Jobber has no notes of the job {job_id}")))?;
    let ours = notes.iter().find(|note| note["message"].as_str().is_some_and(|message| message.contains(&marker(key))));
    Ok(ours.and_then(|note| text(&note["id"])))
}

fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}
