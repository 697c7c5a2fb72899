//! A source of `type = "schedule"`.

use super::shape::Shaped;
use crate::config::model::{Missed, Schedule};
use crate::config::reader::{Reader, not_yet};
use crate::config::section::Section;

/// Reads what only schedules have.
pub(super) fn schedule(r: &mut Reader<'_>, section: &mut Section<'_>, shape: &Shaped) -> Option<Schedule> {
    let cron = section.required(r, "cron", "\"0 9 * * MON\"").and_then(|item| item.text(r)).map(|text| text.value.to_owned());
    let time_zone = section.get("time-zone").and_then(|item| item.text(r)).map(|text| text.value.to_owned());
    let choices = [("skip", Missed::Skip), ("once", Missed::Once), ("all", Missed::All)];
    let missed = section.get("missed").and_then(|item| item.choice(r, &choices));
    shape.require_type(r, section, "");
    not_yet(r, &section.span, "a source of type `schedule`", "let a cron job of the system run `sangam send FILE`");
    Some(Schedule { cron: cron?, time_zone, missed: missed.unwrap_or(Missed::Skip) })
}
