//! `${env:NAME}`, `${file:PATH}`, `${secret:NAME}`: what stands in the file for what does not.

use std::ops::Range;
use std::path::Path;

use super::item::Text;
use super::model::{Reference, ReferencePart};
use super::position::within_string;
use super::problems::near;
use super::reader::Reader;

const KINDS: [&str; 3] = ["env", "file", "secret"];

/// A text that is no [`Reference`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ReferenceError {
    /// Byte range in the text.
    pub range: Range<usize>,
    /// What is wrong there.
    pub message: String,
    /// What was probably meant.
    pub help: Option<String>,
}

impl Reference {
    /// Reads a text with references. Paths are made absolute against `base`.
    ///
    /// # Errors
    ///
    /// A `${` that begins none of the three kinds, has no end, or names nothing.
    pub fn parse(text: &str, base: &Path) -> Result<Self, ReferenceError> {
        let mut parts = Vec::new();
        for piece in pieces(text)? {
            parts.push(match piece {
                Piece::Text(text) => ReferencePart::Text(text.to_owned()),
                Piece::Reference { kind: "env", name, .. } => ReferencePart::Env(name.to_owned()),
                Piece::Reference { kind: "file", name, .. } => ReferencePart::File(base.join(name)),
                Piece::Reference { name, .. } => ReferencePart::Secret(name.to_owned()),
            });
        }
        Ok(Self { parts })
    }

    /// Whether all of it stands in the file in clear text.
    pub fn is_literal(&self) -> bool {
        self.parts.iter().all(|part| matches!(part, ReferencePart::Text(_)))
    }
}

enum Piece<'t> {
    Text(&'t str),
    Reference { kind: &'t str, name: &'t str, range: Range<usize> },
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, ReferenceError> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(offset) = text[at..].find("${") {
        let start = at + offset;
        if start > at {
            pieces.push(Piece::Text(&text[at..start]));
        }
        let wrong = |range: Range<usize>, message: String, help: &str| ReferenceError { range, message, help: Some(help.to_owned()) };
        let Some(length) = text[start..].find('}') else {
            let message = "`${` has no end".to_owned();
            return Err(wrong(start..text.len(), message, "close it with `}`"));
        };
        let range = start..start + length + 1;
        let inner = &text[start + 2..start + length];
        let (kind, name) = inner.split_once(':').unwrap_or((inner, ""));
        if !KINDS.contains(&kind) {
            let help = match near(kind, KINDS) {
                Some(kind) => format!("did you mean `${{{kind}:{name}}}`?"),
                None => "write ${env:NAME}, ${file:PATH} or ${secret:NAME}".to_owned(),
            };
            return Err(wrong(range, format!("`${{{inner}}}` is not a reference"), &help));
        }
        if name.is_empty() || name.trim() != name {
            let message = format!("`${{{inner}}}` names nothing");
            return Err(wrong(range, message, "write the name right after the colon, without spaces"));
        }
        pieces.push(Piece::Reference { kind, name, range: range.clone() });
        at = range.end;
    }
    if at < text.len() || pieces.is_empty() {
        pieces.push(Piece::Text(&text[at..]));
    }
    Ok(pieces)
}

/// The secrets that texts of a configuration name, wherever they stand in it; each once.
pub(crate) fn secrets_named(content: &serde_json::Value) -> std::collections::BTreeSet<String> {
    let mut named = std::collections::BTreeSet::new();
    let mut left = vec![content];
    while let Some(value) = left.pop() {
        match value {
            serde_json::Value::String(text) if has_reference(text) => {
                // Expressions begin with `${` too, and are no references.
                for piece in pieces(text).unwrap_or_default() {
                    if let Piece::Reference { kind: "secret", name, .. } = piece {
                        named.insert(name.to_owned());
                    }
                }
            }
            serde_json::Value::Array(items) => left.extend(items),
            serde_json::Value::Object(members) => left.extend(members.values()),
            _ => {}
        }
    }
    named
}

/// Reads a value that stays a reference until it is used. That its variables and files exist is checked now.
pub(super) fn kept(r: &mut Reader<'_>, text: &Text<'_>) -> Option<Reference> {
    resolve(r, text, true)?;
    Reference::parse(text.value, r.base).ok()
}

/// Reads a value that is needed now: variables and files are put in their places, secrets are refused.
pub(super) fn resolved(r: &mut Reader<'_>, text: &Text<'_>) -> Option<String> {
    resolve(r, text, false)
}

/// What a reference stands for, where no secret is needed to tell. What is missing was reported by [`kept`].
pub(super) fn resolved_as_far_as_possible(r: &Reader<'_>, reference: &Reference) -> Option<String> {
    let part = |part: &ReferencePart| match part {
        ReferencePart::Text(text) => Some(text.clone()),
        ReferencePart::Env(name) => (r.outside.env)(name),
        ReferencePart::File(path) => (r.outside.file)(path).ok(),
        ReferencePart::Secret(_) => None,
    };
    reference.parts.iter().map(part).collect()
}

/// Whether a text holds a reference, rather than a `${ … }` that means something else.
pub(super) fn has_reference(text: &str) -> bool {
    KINDS.iter().any(|kind| text.contains(&format!("${{{kind}:")))
}

fn resolve(r: &mut Reader<'_>, text: &Text<'_>, secrets: bool) -> Option<String> {
    let place = |range: &Range<usize>, r: &Reader<'_>| within_string(r.source.text(), &text.span, text.value, range);
    let pieces = match pieces(text.value) {
        Ok(pieces) => pieces,
        Err(error) => {
            let span = place(&error.range, r);
            r.error(&span, error.message).help = error.help;
            return None;
        }
    };
    let mut whole = Some(String::new());
    for piece in pieces {
        let value = match piece {
            Piece::Text(text) => Some(text.to_owned()),
            Piece::Reference { kind, name, range } => {
                let span = place(&range, r);
                look_up(r, &span, kind, name, secrets)
            }
        };
        whole = whole.zip(value).map(|(whole, value)| whole + &value);
    }
    whole
}

fn look_up(r: &mut Reader<'_>, span: &Range<usize>, kind: &str, name: &str, secrets: bool) -> Option<String> {
    match kind {
        "env" => {
            let value = (r.outside.env)(name);
            if value.is_none() {
                r.error(span, format!("the environment variable `{name}` is not set"))
                    .help(format!("set {name} for the host before it starts, or use ${{secret:…}}"));
            }
            value
        }
        "file" => {
            let path = r.absolute(name);
            match (r.outside.file)(&path) {
                Ok(text) => Some(text.trim_end_matches(['\r', '\n']).to_owned()),
                Err(error) => {
                    r.error(span, format!("can't read {}: {error}", path.display()))
                        .help("the path is relative to the folder of this file");
                    None
                }
            }
        }
        _ if secrets => Some(String::new()),
        _ => {
            r.error(span, "`${secret:…}` can't stand here: this value is no secret and plugins or people can see it")
                .help("secrets belong into [credentials.NAME]; the host attaches them to requests");
            None
        }
    }
}
