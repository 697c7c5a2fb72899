//! Names of plugins, credentials, routes and steps.

use std::collections::BTreeMap;
use std::ops::Range;

use super::reader::Reader;

/// Most characters of a name.
const MAX_NAME: usize = 64;

/// Whether a text is a name: `[a-z][a-z0-9-]*`, at most 64 characters.
pub(super) fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME
        && text.starts_with(|c: char| c.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// A name that a person gives to something new.
///
/// # Errors
/// A sentence with the rule, and a name that would do.
pub fn new_name(what: &str, text: &str) -> Result<(), String> {
    if is_name(text) {
        return Ok(());
    }
    let mended = mended(text);
    let such_as = if is_name(&mended) { format!(", such as {mended}") } else { String::new() };
    Err(format!(
        "{text:?} can't be the name of a {what}: a letter first, then lower-case letters, digits and hyphens, at most {MAX_NAME}{such_as}"
    ))
}

/// Reports a text that can't be the name of a `what`.
pub(super) fn check(r: &mut Reader<'_>, span: &Range<usize>, what: &str, text: &str) {
    if is_name(text) {
        return;
    }
    let message = format!("{text:?} can't be the name of a {what}");
    let rule = format!("a letter first, then lower-case letters, digits and hyphens, at most {MAX_NAME}");
    let mended = mended(text);
    r.error(span, message).help(if is_name(&mended) { format!("{rule}: such as `{mended}`") } else { rule });
}

/// Reports a name that stands twice in one place, and remembers the first.
pub(super) fn once(r: &mut Reader<'_>, seen: &mut BTreeMap<String, Range<usize>>, span: &Range<usize>, what: &str, name: &str) {
    if let Some(first) = seen.get(name) {
        let (line, _) = r.source.position(first.start);
        r.error(span, format!("there is a {what} `{name}` already, on line {line}")).help("give each its own name");
    } else {
        seen.insert(name.to_owned(), span.clone());
    }
}

fn mended(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let letters = lower.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' });
    letters.collect::<String>().trim_matches('-').to_owned()
}
