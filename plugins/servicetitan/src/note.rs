//! Action `add-note`. A note can't be deleted over the API.

use sangam_sdk::prelude::*;

use crate::{
    Cx,
    client::{get, list, write},
    create_job::named,
};

/// Name of the write.
const WRITE: &str = "note";

/// Adds a note to a job that the technician sees, such as what the CRM knows of the client, once: its last line `[sangam:…]` tells it from others when the step is tried again.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// ServiceTitan's id of the job.
    job_id: Option<String>,
    /// Our id of the job.
    external_id: Option<String>,
    note: String,
    /// Whether it stands above the others.
    #[serde(default)]
    pin: bool,
}

/// Where the note is.
#[derive(Debug, Serialize, JsonSchema)]
pub struct AddedNote {
    job_id: String,
}

pub fn add_note(input: AddNote, cx: &Cx) -> Result<AddedNote, Failure> {
    let job_id = named(cx, input.job_id, input.external_id)?;
    let resource = format!("jobs/{}/notes", encode(&job_id));
    let marker = format!("[sangam:{}]", cx.key(WRITE));
    if !cx.first_attempt() {
        let notes = list(get(&cx.config, "jpm", &resource).query("pageSize", 200))?;
        if notes.iter().any(|note| note["text"].as_str().is_some_and(|text| text.contains(&marker))) {
            return Ok(AddedNote { job_id });
        }
    }
    let body = json!({ "text": format!("{}\n\n{marker}", input.note.trim_end()), "pinToTop": input.pin });
    write(&cx.config, "POST", "jpm", &resource, WRITE, &body)?;
    log::info("added a note", &[("job", &job_id)]);
    Ok(AddedNote { job_id })
}
