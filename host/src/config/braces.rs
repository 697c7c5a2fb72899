//! Texts with parts in braces, such as `{timestamp}.{body}`: vendors differ in little else than which parts they put in which order.

use super::header::header_name;
use super::item::Item;
use super::problems::did_you_mean;
use super::reader::Reader;

/// The parts that a text may have.
pub(super) struct Parts<'p, P> {
    /// What they are parts of: `a request`.
    pub(super) of: &'static str,
    /// Those that are a word.
    pub(super) words: &'p [(&'static str, P)],
    /// A header by its name in lower case: `{header:NAME}`.
    pub(super) header: fn(String) -> P,
    /// What stands between them.
    pub(super) text: fn(String) -> P,
}

impl<P: Clone> Parts<'_, P> {
    /// Reads a text of them.
    pub(super) fn read(&self, r: &mut Reader<'_>, item: &Item<'_>) -> Option<Vec<P>> {
        let text = item.text(r)?;
        match self.parsed(text.value) {
            Ok(parts) => Some(parts),
            Err((message, help)) => {
                r.error(&text.span, message).help = help;
                None
            }
        }
    }

    fn parsed(&self, text: &str) -> Result<Vec<P>, (String, Option<String>)> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            if !before.is_empty() {
                parts.push((self.text)(before.to_owned()));
            }
            let Some((name, after)) = after.split_once('}') else {
                return Err(("`{` has no end".to_owned(), Some("close it with `}`".to_owned())));
            };
            let known = self.words.iter().find(|(word, _)| *word == name).map(|(_, part)| part.clone());
            parts.push(match (known, name.strip_prefix("header:")) {
                (Some(part), _) => part,
                (None, Some(header)) => (self.header)(header_name(header).map_err(|message| (message, None))?.to_ascii_lowercase()),
                (None, None) => {
                    let words = self.words.iter().map(|(word, _)| *word).chain(["header:NAME"]);
                    return Err((format!("`{{{name}}}` is no part of {}", self.of), did_you_mean(name, words)));
                }
            });
            rest = after;
        }
        if !rest.is_empty() {
            parts.push((self.text)(rest.to_owned()));
        }
        Ok(parts)
    }
}
