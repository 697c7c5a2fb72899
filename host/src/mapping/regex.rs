//! Regular expressions, in linear time and of bounded size.

use jaq_core::Cv;
use regex::{Captures, Regex, RegexBuilder};

use super::meter::spend;
use super::natives::{Sandbox, key};
use super::value::Val;

type Error = jaq_core::Error<Val>;

/// Largest compiled expression, in bytes.
const MAX_COMPILED: usize = 512 << 10;
/// Longest text that one is applied to, in bytes.
const MAX_TEXT: usize = 256 << 10;
/// Price of compiling one, and per byte of its source.
const COMPILE: usize = 4096;

/// What comes out of a text.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Parts {
    /// What matches.
    Matches,
    /// What is between the matches.
    Between,
    /// Both in turn.
    Both,
}

struct Flags {
    global: bool,
    ignore_empty: bool,
}

/// `text | matches(regex; flags)` and its kind: an array of matches (arrays of the whole match and its groups) and of
/// the strings between them.
pub(super) fn run(mut cv: Cv<'_, Sandbox>, parts: Parts) -> Result<Val, Error> {
    let flags = cv.0.pop_var();
    let source = cv.0.pop_var();
    let (text, source, flags) = (string(&cv.1)?, string(&source)?, string(&flags)?);
    if text.len() > MAX_TEXT {
        return Err(Error::str(format_args!("a text of more than {} KiB is too long for a regular expression", MAX_TEXT >> 10)));
    }
    let (regex, flags) = compile(source, flags)?;

    let mut found = Vec::new();
    let mut between = 0;
    let mut chars = Chars { text, byte: 0, char: 0 };
    let mut at = 0;
    let mut last_end = None;
    while at <= text.len() {
        spend(64);
        let Some(captures) = regex.captures_at(text, at) else {
            break;
        };
        let whole = captures.get_match();
        spend(whole.end() - at);
        if whole.is_empty() && last_end == Some(whole.end()) {
            // The same empty match again: go on behind the next character.
            at = whole.end() + text[whole.end()..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        last_end = Some(whole.end());
        at = whole.end();
        if whole.is_empty() && flags.ignore_empty {
            continue;
        }
        if parts != Parts::Matches {
            found.push(Val::str(&text[between..whole.start()]));
            between = whole.end();
        }
        if parts != Parts::Between {
            found.push(groups(&regex, &captures, &mut chars));
        }
        if !flags.global {
            break;
        }
    }
    if parts != Parts::Matches {
        found.push(Val::str(&text[between..]));
    }
    Ok(Val::arr(found))
}

fn string(value: &Val) -> Result<&str, Error> {
    match value {
        Val::Str(text) => Ok(text),
        other => Err(Error::typ(other.clone(), "string")),
    }
}

fn compile(source: &str, letters: &str) -> Result<(Regex, Flags), Error> {
    spend(COMPILE + 32 * source.len());
    let mut flags = Flags { global: false, ignore_empty: false };
    let mut builder = RegexBuilder::new(source);
    builder.size_limit(MAX_COMPILED).dfa_size_limit(MAX_COMPILED);
    for letter in letters.chars() {
        match letter {
            'g' => flags.global = true,
            'n' => flags.ignore_empty = true,
            'i' => _ = builder.case_insensitive(true),
            'm' => _ = builder.multi_line(true),
            's' => _ = builder.dot_matches_new_line(true),
            'p' => _ = builder.multi_line(true).dot_matches_new_line(true),
            'l' => _ = builder.swap_greed(true),
            'x' => _ = builder.ignore_whitespace(true),
            other => return Err(Error::str(format_args!("invalid regex flag: {other}"))),
        }
    }
    let regex = builder.build().map_err(|error| Error::str(format_args!("invalid regex: {error}")))?;
    Ok((regex, flags))
}

/// The whole match and its groups as `{offset, length, string, name}`. A group that took no part is left out, unless
/// it has a name: then its string is null.
fn groups(regex: &Regex, captures: &Captures<'_>, chars: &mut Chars<'_>) -> Val {
    let described = captures.iter().zip(regex.capture_names()).filter_map(|(group, name)| {
        let (offset, length, string) = match group {
            Some(group) => {
                // Groups may lie before one another; only the whole match is found in order.
                let mut ahead = Chars { ..*chars };
                let offset = ahead.advance(group.start());
                (Val::from(offset), group.as_str().chars().count(), Val::str(group.as_str()))
            }
            None => (Val::from(-1isize), 0, Val::Null),
        };
        if group.is_none() && name.is_none() {
            return None;
        }
        let name = name.map(|name| (key("name"), Val::str(name)));
        let members = [(key("offset"), offset), (key("length"), length.into()), (key("string"), string)];
        Some(Val::obj(members.into_iter().chain(name)))
    });
    let described = Val::arr(described.collect::<Vec<_>>());
    chars.advance(captures.get_match().start());
    described
}

/// Counts characters from a position on.
struct Chars<'a> {
    text: &'a str,
    byte: usize,
    char: usize,
}

impl Chars<'_> {
    /// The number of characters before `byte`, which is not before the last one asked for.
    fn advance(&mut self, byte: usize) -> usize {
        spend(byte - self.byte);
        self.char += self.text[self.byte..byte].chars().count();
        self.byte = byte;
        self.char
    }
}
