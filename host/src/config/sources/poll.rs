//! A source of `type = "poll"`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::shape::Shaped;
use super::stream;
use crate::config::model::Poll;
use crate::config::reader::{Reader, not_yet};
use crate::config::section::Section;
use crate::config::units::MAX_DURATION;

/// Reads what only polled sources have.
pub(super) fn poll(r: &mut Reader<'_>, section: &mut Section<'_>, plugins: &BTreeSet<String>, shape: &Shaped) -> Option<Poll> {
    let stream = stream(r, section, plugins);
    let every = section.required(r, "every", "\"5m\"").and_then(|item| item.duration(r, Duration::from_secs(1)..=MAX_DURATION));
    let since = section.get("since").and_then(|item| item.text(r)).map(|text| text.value.to_owned());
    shape.refuse(r, "the plugin says what the events are");
    not_yet(r, &section.span, "a source of type `poll`", "let the other system post its changes to a source of type `webhook`");
    Some(Poll { stream: stream?, every: every?, since })
}
