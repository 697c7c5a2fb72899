//! Which routes want an event.

use std::fmt;

use crate::config::{Route, WEBHOOK_DELIVERY, WEBHOOK_ROUTE};

/// Longest pattern, in bytes.
pub const MAX_PATTERN: usize = 1024;

/// A text to be met exactly, in which `*` stands for any run of characters, also none.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Pattern(String);

/// Why a text is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// It would match nothing.
    #[error("a pattern can't be empty; `*` matches everything")]
    Empty,
    /// It is longer than [`MAX_PATTERN`].
    #[error("a pattern has at most {MAX_PATTERN} bytes")]
    TooLong,
}

impl Pattern {
    /// Takes a pattern as it is written in the configuration.
    pub fn parse(text: &str) -> Result<Self, PatternError> {
        match text.len() {
            0 => Err(PatternError::Empty),
            1..=MAX_PATTERN => Ok(Self(text.to_owned())),
            _ => Err(PatternError::TooLong),
        }
    }

    /// Whether all of `text` fits. Takes time in proportion to both lengths at worst.
    pub fn matches(&self, text: &str) -> bool {
        let mut pieces = self.0.split('*');
        let first = pieces.next().expect("split gives at least one piece");
        let Some(mut rest) = text.strip_prefix(first) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        // The earliest place for each piece leaves the most room for those after it.
        for piece in pieces {
            match rest.find(piece) {
                Some(at) => rest = &rest[at + piece.len()..],
                None => return false,
            }
        }
        rest.ends_with(last)
    }
}

impl Pattern {
    /// Whether whatever fits `other` fits this too, as far as that is plain to see: `false` may be wrong.
    pub fn covers(&self, other: &Pattern) -> bool {
        // A `*` in the text stands for anything, and can only be met by a `*` of this pattern: no piece of a pattern holds one.
        self.matches(&other.0)
    }

    /// Whether it is met by one text only.
    pub fn is_exact(&self) -> bool {
        !self.0.contains('*')
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a route wants events of this type from this source. Its `when` is asked afterwards, by whoever evaluates.
pub fn wants(route: &Route, event_type: &str, source: &str) -> bool {
    // A delivery is its endpoint's alone: a route for everything that tells subscribers would tell them of what they are told.
    if event_type == WEBHOOK_DELIVERY && !route.name.starts_with(WEBHOOK_ROUTE) {
        return false;
    }
    let any = |patterns: &[Pattern], text| patterns.iter().any(|pattern| pattern.matches(text));
    any(&route.types, event_type) && (route.sources.is_empty() || any(&route.sources, source))
}

#[cfg(test)]
mod tests;
