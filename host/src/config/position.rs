//! Where in the file a value stands, kept after parsing.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// The place of one key with its value, as byte ranges of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Position {
    /// The key; for an item of an array the item.
    pub key: Range<usize>,
    /// The value; for a table with a header of its own the header.
    pub value: Range<usize>,
}

/// From paths such as `plugins.crm.config.api-version` and `routes[0].steps[1].with.case_id` to places.
///
/// A key that is not bare in TOML stands in quotes: `routes[0].steps[1].with."case id"`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Positions(BTreeMap<String, Position>);

impl Positions {
    /// Walks the whole file.
    pub(super) fn of(root: &DeTable<'_>) -> Self {
        let mut positions = Self::default();
        positions.walk_table("", root);
        positions
    }

    /// The place of exactly this path.
    pub fn get(&self, path: &str) -> Option<&Position> {
        self.0.get(path)
    }

    /// The place of the value that a JSON pointer (RFC 6901) into the value at `path` leads to, or of the nearest
    /// value around it that the file has.
    pub fn locate(&self, path: &str, pointer: &str) -> Option<&Position> {
        let mut path = path.to_owned();
        let mut found = self.get(&path);
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            let (item, member) = (format!("{path}[{token}]"), join(&path, &token));
            let next = [item, member].into_iter().find(|candidate| self.0.contains_key(candidate));
            let Some(next) = next else { break };
            found = self.get(&next);
            path = next;
        }
        found
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Position)> {
        self.0.iter().map(|(path, position)| (path.as_str(), position))
    }

    fn walk_table(&mut self, path: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let path = join(path, key.get_ref());
            self.walk_value(&path, key.span(), value.span(), value.get_ref());
        }
    }

    fn walk_value(&mut self, path: &str, key: Range<usize>, span: Range<usize>, value: &DeValue<'_>) {
        self.0.insert(path.to_owned(), Position { key, value: span });
        match value {
            DeValue::Table(table) => self.walk_table(path, table),
            DeValue::Array(array) => {
                for (index, item) in array.iter().enumerate() {
                    self.walk_value(&format!("{path}[{index}]"), item.span(), item.span(), item.get_ref());
                }
            }
            _ => {}
        }
    }
}

/// The path of a member of the table at `path`.
pub(super) fn join(path: &str, key: &str) -> String {
    let bare = !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    let key = if bare { key.to_owned() } else { format!("{key:?}") };
    if path.is_empty() { key } else { format!("{path}.{key}") }
}

/// The byte range of the file for a byte range of the *content* of the TOML string that stands at `span`.
///
/// Exact for strings of every form; should the two not be found to agree, the start of the string.
pub(super) fn within_string(text: &str, span: &Range<usize>, content: &str, range: &Range<usize>) -> Range<usize> {
    let start = span.start..span.start;
    let Some(raw) = text.get(span.clone()) else {
        return start;
    };
    let Some(offsets) = content_offsets(raw, content) else {
        return start;
    };
    let at = |offset: usize| span.start + offsets[offset.min(offsets.len() - 1)];
    at(range.start)..at(range.end.max(range.start))
}

/// For each byte of `content`, and one beyond, where in `raw` it was written. `None` where they do not agree.
fn content_offsets(raw: &str, content: &str) -> Option<Vec<usize>> {
    let quote = raw.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    let delimiter = quote.to_string().repeat(3);
    let multi_line = raw.len() >= 6 && raw.starts_with(&delimiter);
    let width = if multi_line { 3 } else { 1 };
    let inner = raw.get(width..raw.len().checked_sub(width)?)?;
    let mut at = width;
    if multi_line {
        // A newline right after the opening quotes is no content (TOML 1.1, "String").
        at += if inner.starts_with("\r\n") { 2 } else { usize::from(inner.starts_with('\n')) };
    }
    let mut offsets = Vec::with_capacity(content.len() + 1);
    let mut expected = content.chars().peekable();
    let end = raw.len() - width;
    while at < end {
        let rest = raw.get(at..end)?;
        let escape = quote == '"' && rest.starts_with('\\');
        if escape && multi_line && continues_line(rest) {
            at += 1 + rest[1..].find(|c: char| !c.is_whitespace()).unwrap_or(rest.len() - 1);
            continue;
        }
        let written = if escape { escape_length(rest)? } else { rest.chars().next()?.len_utf8() };
        if rest.starts_with('\r') && expected.peek() == Some(&'\n') {
            at += 1;
            continue;
        }
        let decoded = expected.next()?;
        if !escape && !rest.starts_with(decoded) {
            return None;
        }
        offsets.extend(std::iter::repeat_n(at, decoded.len_utf8()));
        at += written;
    }
    offsets.push(end);
    (offsets.len() == content.len() + 1).then_some(offsets)
}

/// Whether a backslash ends the line, so that white space up to the next text is no content.
fn continues_line(rest: &str) -> bool {
    rest[1..].trim_start_matches([' ', '\t', '\r']).starts_with('\n')
}

fn escape_length(rest: &str) -> Option<usize> {
    Some(match rest.as_bytes().get(1)? {
        b'x' => 4,
        b'u' => 6,
        b'U' => 10,
        _ => 2,
    })
}
