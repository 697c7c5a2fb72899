//! `event-type`, `event` and `each`: how one delivery becomes events.

use std::ops::Range;
use std::sync::Arc;

use toml::de::DeValue;

use crate::config::expression::{expression, template};
use crate::config::item::Item;
use crate::config::model::Shape;
use crate::config::reader::Reader;
use crate::config::section::Section;
use crate::event::MAX_ATTRIBUTE;
use crate::mapping::Expr;

/// What an event of a source may have of its own.
const MEMBERS: [&str; 5] = ["type", "id", "subject", "time", "data"];

/// A shape as it was read, and where its keys stand, for types of sources that can't have some of them.
pub(super) struct Shaped {
    /// `None`: something of it is wrong.
    pub(super) shape: Option<Shape>,
    /// Whether something says which type the events have.
    pub(super) has_type: bool,
    /// The keys that are there.
    pub(super) keys: Vec<(&'static str, Range<usize>)>,
}

impl Shaped {
    /// Refuses the shape where events come ready-made: from a plugin.
    pub(super) fn refuse(&self, r: &mut Reader<'_>, why: &str) {
        for (key, span) in &self.keys {
            r.error(span, format!("`{key}` means nothing here: {why}")).help("leave it out");
        }
    }

    /// Says that the type of the events is missing.
    pub(super) fn require_type(&self, r: &mut Reader<'_>, section: &Section<'_>, otherwise: &str) {
        if !self.has_type {
            r.error(&section.span, format!("nothing in {} says of which type its events are", section.label))
                .help(format!("add event-type = \"contact.changed\", or event = {{ type = \"${{ .body.eventType }}\" }}{otherwise}"));
        }
    }
}

/// Reads the three keys.
pub(super) fn shape(r: &mut Reader<'_>, section: &mut Section<'_>) -> Shaped {
    let type_item = section.get("event-type");
    let event_item = section.get("event");
    let each_item = section.get("each");
    let event_type = type_item.as_ref().map(|item| item.parsed(r, event_type));
    let each = each_item.as_ref().map(|item| each(r, item));
    let event = event_item.as_ref().map(|item| event(r, item));
    let has_own_type = event_item.as_ref().and_then(|item| item.value.as_table()).is_some_and(|table| table.contains_key("type"));
    if let Some(item) = type_item.as_ref().filter(|_| has_own_type) {
        r.error(&item.key, "`event-type` and the `type` of `event` both say of which type the events are").help("keep one of the two");
    }
    let keys = [("event-type", &type_item), ("event", &event_item), ("each", &each_item)];
    let keys = keys.into_iter().filter_map(|(key, item)| Some((key, item.as_ref()?.key.clone()))).collect();
    let shape = match (event_type, each, event) {
        (Some(None), _, _) | (_, Some(None), _) | (_, _, Some(None)) => None,
        (event_type, each, event) => Some(Shape { event_type: event_type.flatten(), each: each.flatten(), event: event.flatten() }),
    };
    Shaped { shape, has_type: type_item.is_some() || has_own_type, keys }
}

fn event_type(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > MAX_ATTRIBUTE || text.chars().any(char::is_control) {
        return Err(format!("a type of events has 1 to {MAX_ATTRIBUTE} bytes and no control characters"));
    }
    if text.contains("${") {
        return Err("`event-type` is one fixed type; write event = { type = \"${ … }\" } where it depends on what came".to_owned());
    }
    if text == "sangam" || text.starts_with("sangam.") {
        return Err("types that begin with `sangam.` are the host's own".to_owned());
    }
    Ok(text.to_owned())
}

/// Compiles `each` twice: as it is written, so that a mistake has its place, and as the array of all that it gives.
fn each(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<Expr>> {
    let written = expression(r, item)?;
    // A comment at its end must not swallow the bracket.
    match Expr::compile(&format!("[{}\n]", written.source())) {
        Ok(all) => Some(Arc::new(all)),
        Err(error) => {
            r.error(&item.span, format!("this expression can't stand in a list: {}", error.message));
            None
        }
    }
}

fn event(r: &mut Reader<'_>, item: &Item<'_>) -> Option<Arc<crate::mapping::Template>> {
    let mut section = item.table(r, "`event`")?;
    let mut fine = true;
    for key in MEMBERS {
        let Some(member) = section.get(key) else { continue };
        if key != "data" && !matches!(member.value, DeValue::String(_)) {
            fine = member.wrong_type(r, "a string, perhaps with ${ … }").unwrap_or(false);
        }
    }
    section.finish(r);
    let template = template(r, item)?;
    fine.then_some(template)
}
