//! Actions `add-note` and `delete-note`.
//!
//! HubSpot has no idempotency keys, so the write's key stands in the last line of the note. After an attempt that may
//! have left one, the notes of the record that it was for are compared: associations are there at once, search is not.

use sangam_sdk::{Effect, EffectState, prelude::*};

use crate::{
    client::{associated, id, objects, property, read},
    config::Config,
    errors::ok,
};

/// The write of a note.
const WRITE: &str = "note";
/// Notes that are looked through for a marker, the newest ones: five requests of a step's twenty.
const LOOKED_THROUGH: usize = 500;

/// Adds a note to a contact, ticket or company, once: its last line `[sangam:…]` tells it from others when the step
/// is tried again. It is associated with all records that are given, at least one.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AddNote {
    /// Text, in which HubSpot takes simple HTML such as `<br>`; at most 65,536 characters with the last line.
    body: String,
    ticket_id: Option<String>,
    contact_id: Option<String>,
    company_id: Option<String>,
    /// When it was: RFC 3339, or milliseconds since 1970 as text. Default: the time of the event, else now.
    timestamp: Option<String>,
}

/// Where the note is.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct NoteAdded {
    note_id: String,
}

/// A record that a note is for.
struct Target<'a> {
    object: &'static str,
    id: &'a str,
    /// HubSpot's type of an association from a note to it.
    association: u32,
}

impl AddNote {
    /// The record with the fewest notes, as a rule, comes first.
    fn targets(&self) -> Result<Vec<Target<'_>>, Failure> {
        let target = |object, id, association| Some(Target { object, id, association });
        let ticket = self.ticket_id.as_deref().and_then(|id| target("tickets", id, 228));
        let contact = self.contact_id.as_deref().and_then(|id| target("contacts", id, 202));
        let company = self.company_id.as_deref().and_then(|id| target("companies", id, 190));
        let targets: Vec<Target<'_>> = [ticket, contact, company].into_iter().flatten().collect();
        if targets.is_empty() {
            return Err(Failure::rejected("Give at least one of `ticket_id`, `contact_id` and `company_id`"));
        }
        Ok(targets)
    }
}

pub fn add_note(input: AddNote, cx: &Context<Config>) -> Result<NoteAdded, Failure> {
    let targets = input.targets()?;
    let marker = marker(&cx.key(WRITE));
    if !cx.first_attempt()
        && let Some(note_id) = look_for(cx, &targets[0], &marker)?
    {
        return Ok(NoteAdded { note_id });
    }
    let associations: Vec<Value> = targets
        .iter()
        .map(|target| {
            let kind = json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": target.association });
            json!({ "to": { "id": target.id }, "types": [kind] })
        })
        .collect();
    let body = json!({
        "properties": {
            "hs_note_body": format!("{}<br><br>{marker}", input.body),
            "hs_timestamp": input.timestamp.clone().or_else(|| cx.event.time.clone()).unwrap_or_else(now),
        },
        "associations": associations,
    });
    let created = cx.post(objects(cx, "notes")).name(WRITE).json(&body).send().and_then(ok)?;
    let note_id = id(&created.json::<Value>()?["id"]).unwrap_or_default();
    log::info("added a note", &[("note", &note_id)]);
    Ok(NoteAdded { note_id })
}

pub fn delete_note(undo: Undo<AddNote, NoteAdded>, cx: &Context<Config>) -> Result<(), Failure> {
    let maybe_done = |effect: &&Effect| effect.state != EffectState::Failed;
    let key = undo.effect(WRITE).filter(maybe_done).and_then(|effect| effect.key.clone());
    let note_id = match (undo.output, key) {
        (Some(output), _) => Some(output.note_id),
        (None, Some(key)) => look_for(cx, &undo.input.targets()?[0], &marker(&key))?,
        (None, None) => None,
    };
    let Some(note_id) = note_id else {
        return Ok(());
    };
    let response = cx.delete(objects(cx, &format!("notes/{}", encode(note_id)))).name("delete").send()?;
    // One that is gone already is as good.
    if response.status != 404 {
        ok(response)?;
    }
    Ok(())
}

fn marker(key: &str) -> String {
    format!("[sangam:{key}]")
}

/// The note of a record that carries a marker.
fn look_for(cx: &Context<Config>, target: &Target<'_>, marker: &str) -> Result<Option<String>, Failure> {
    let ids = associated(cx, &format!("{}/{}", target.object, encode(target.id)), "notes")?;
    let newest = &ids[ids.len().saturating_sub(LOOKED_THROUGH)..];
    let notes = read(cx, "notes", newest, &["hs_note_body"])?;
    let marked = |note: &&Value| property(note, "hs_note_body").is_some_and(|body| body.contains(marker));
    Ok(notes.iter().find(marked).and_then(|note| id(&note["id"])))
}

/// Milliseconds since 1970, on the host's clock: the same on every attempt.
fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_millis().to_string()
}
