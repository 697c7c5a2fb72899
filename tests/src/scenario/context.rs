//! `client-context`.

use anyhow::{Context as _, ensure};
use serde_json::json;

use super::{Stage, appears, set};
use crate::company;

pub(super) async fn play(stage: &Stage) -> anyhow::Result<Vec<String>> {
    let (crm, field) = (&stage.saas.hubspot, &stage.saas.fieldservice);
    let desk = company::desk(&stage.saas);
    let contact = json!({ "properties": { "email": "grace.hill@bluelake.example", "firstname": "Grace", "lastname": "Hill", "phone": "+44 20 7946 0018" } });
    let contact = desk.post("/crm/v3/objects/contacts", &contact).await?;
    ensure!(contact.status == 201, "the CRM refused a contact: {}", contact.text);
    let contact = contact.json["id"].as_str().context("a contact has an id")?.to_owned();
    let note = json!({
        "properties": { "hs_note_body": "Ring at the side entrance; the dog is friendly.", "hs_timestamp": "2026-11-02T09:00:00Z" },
        "associations": [{ "to": { "id": contact }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202 }] }],
    });
    let note = desk.post("/crm/v3/objects/notes", &note).await?;
    ensure!(note.status == 201, "the CRM refused a note: {}", note.text);
    stage.tells(field, "field")?;
    let fields = json!({
        "title": "Yearly service", "status": "scheduled",
        "scheduled_start": "2026-12-07T08:00:00Z", "scheduled_end": "2026-12-07T10:00:00Z",
        "technician": { "id": "emp-1" }, "customer": { "name": "Blue Lake Hotel", "email": "grace.hill@bluelake.example" },
    });
    set(field, "edit", json!({ "job": null, "fields": fields }))?;
    let note =
        appears(field, "notes", "a note on the job", |note| note["text"].as_str().is_some_and(|text| text.contains("Grace Hill"))).await?;
    let text = note["text"].as_str().unwrap_or_default();
    ensure!(text.contains("side entrance") && text.contains("+44 20 7946 0018"), "the note lacks something: {text}");
    stage.settled().await?;
    let _ = crm;
    let mut told = vec![
        "CRM            knows Grace Hill: her number, and that one rings at the side entrance".to_owned(),
        "field service  a visit at hers is planned for 7 December, with Tom Field".to_owned(),
        "field service  the job has a note for him:".to_owned(),
    ];
    // The last line is the connector's mark, by which it knows its own note.
    told.extend(text.lines().filter(|line| line.contains(": ")).map(|line| format!("                 {line}")));
    Ok(told)
}
