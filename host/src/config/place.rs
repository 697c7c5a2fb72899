//! `in` of a placeholder: the places where the host fills the secret in.

use super::header::header_name;
use super::model::Place;
use super::reader::Reader;
use super::section::Section;

/// Reads `in`.
pub(super) fn places(r: &mut Reader<'_>, section: &mut Section<'_>) -> Option<Vec<Place>> {
    let item = section.required(r, "in", "[\"path\"]")?;
    let texts = item.texts(r);
    if item.value.as_array().is_some_and(|array| array.is_empty()) {
        r.error(&item.span, "`in` names no place, so that the secret would never be filled in").help(HELP);
        return None;
    }
    let parsed: Vec<Option<Place>> = texts
        .iter()
        .map(|text| {
            let place = place(text.value);
            place.map_err(|message| r.error(&text.span, message).help(HELP)).ok()
        })
        .collect();
    parsed.into_iter().collect()
}

const HELP: &str =
    "write \"path\", \"query:NAME\", \"body:NAME\", \"body:/json/pointer\", \"header:NAME\", or \"query\" or \"body\" for anywhere in it";

fn place(text: &str) -> Result<Place, String> {
    let (place, name) = match text.split_once(':') {
        Some((place, name)) => (place, Some(name.to_owned())),
        None => (text, None),
    };
    if name.as_ref().is_some_and(String::is_empty) {
        return Err(format!("{text:?} names nothing after the colon"));
    }
    match (place, name) {
        ("path", None) => Ok(Place::Path),
        ("query", name) => Ok(Place::Query(name)),
        ("body", name) => Ok(Place::Body(name)),
        ("header", Some(name)) => header_name(&name).map(|name| Place::Header(name.to_ascii_lowercase())),
        _ => Err(format!("{text:?} is not a place of a request")),
    }
}
