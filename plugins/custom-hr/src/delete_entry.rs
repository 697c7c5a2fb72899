//! Action `delete-entry`, which undoes `log-hours`.

use sangam_sdk::{
    Effect, EffectState, Undo,
    path::{fill, text_at},
    prelude::*,
};

use crate::{
    Cx,
    client::{dress, url},
    config::Method,
    entry::{find, values},
    log_hours::{self, LoggedHours},
    shift::Shift,
    week::Week,
};

/// Name of the write.
const WRITE: &str = "delete";

pub fn delete_entry(undo: Undo<Shift, LoggedHours>, cx: &Cx) -> Result<(), Failure> {
    let shift = &undo.input;
    let (entry_id, external_id) = match &undo.output {
        Some(output) => (Some(output.entry_id.clone()), output.external_id.clone()),
        None => match undo.effect(log_hours::WRITE) {
            // It never was sent, or was refused, and its key-value writes never took effect.
            None => return Ok(()),
            Some(effect) if effect.state == EffectState::Failed => return Ok(()),
            Some(effect) => {
                let external_id = shift.external_id.clone().or_else(|| effect.key.clone());
                let external_id = external_id.ok_or_else(|| Failure::rejected("The write to undo has no key"))?;
                (made(effect, shift, &external_id, cx)?, external_id)
            }
        },
    };
    let mut week = Week::read(&shift.employee_ref, shift.day()?)?;
    if let Some(entry_id) = entry_id {
        delete(cx, shift, &external_id, &entry_id)?;
    }
    week.forget(&external_id)
}

/// The system's id of an entry that a failed step may have written.
fn made(effect: &Effect, shift: &Shift, external_id: &str, cx: &Cx) -> Result<Option<String>, Failure> {
    let entries = &cx.config.entries;
    let answer = match &effect.response["body"] {
        Value::String(text) => serde_json::from_str(text).unwrap_or_default(),
        body => body.clone(),
    };
    if let Some(id) = text_at(&answer, &entries.id) {
        return Ok(Some(id));
    }
    match (&entries.lookup, entries.method) {
        (Some(_), _) => find(cx, shift, external_id),
        (None, Method::Put) => Ok(Some(external_id.to_owned())),
        (None, Method::Post) => Err(Failure::rejected(
            "Whether the hours were logged is not known, and `entries.lookup` is not configured: look in the HR system, and delete them by hand",
        )),
    }
}

fn delete(cx: &Cx, shift: &Shift, external_id: &str, entry_id: &str) -> Result<(), Failure> {
    let template = &cx.config.entries.delete_path;
    if template.is_empty() {
        return Err(Failure::rejected(format!(
            "The HR system can't delete entries (`entries.delete-path` is empty): delete {entry_id} by hand"
        )));
    }
    let [external_id, employee_ref, date] = values(shift, external_id);
    let path = fill(template, &[("entry_id", entry_id), external_id, employee_ref, date])?;
    let request = cx.delete(url(&cx.config, &path)).name(WRITE);
    let response = dress(&cx.config, request).send()?;
    if matches!(response.status, 404 | 410) {
        return Ok(()); // deleted before
    }
    response.explained()?;
    log::info("deleted hours", &[("entry", &entry_id)]);
    Ok(())
}
