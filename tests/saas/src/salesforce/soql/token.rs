//! A query's text to words, symbols and literals.

use std::fmt;
use std::iter::Peekable;
use std::str::Chars;

use super::{Glyph, Text, refused};
use crate::salesforce::refusal::Refusal;

/// The smallest part of a query.
#[derive(Debug)]
pub(super) struct Token {
    pub(super) kind: Kind,
    /// Offset in characters.
    pub(super) at: usize,
}

/// What a token is.
#[derive(Debug)]
pub(super) enum Kind {
    Word(String),
    Symbol(&'static str),
    Text(Text),
    Number(String),
    Date(String),
    DateTime(String),
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Kind::Text(text) => write!(out, "'{}'", text.text()),
            Kind::Symbol(text) => write!(out, "'{text}'"),
            Kind::Word(text) | Kind::Number(text) | Kind::Date(text) | Kind::DateTime(text) => {
                write!(out, "'{text}'")
            }
        }
    }
}

/// Longer symbols before those they start with.
const SYMBOLS: [&str; 11] = ["!=", "<>", "<=", ">=", "=", "<", ">", "(", ")", ",", "."];

/// Cuts a query into tokens.
pub(super) fn read(soql: &str) -> Result<Vec<Token>, Refusal> {
    let mut reader = Reader { soql, rest: soql.chars().peekable(), at: 0 };
    let mut tokens = Vec::new();
    while let Some(token) = reader.token()? {
        tokens.push(token);
    }
    Ok(tokens)
}

struct Reader<'a> {
    soql: &'a str,
    rest: Peekable<Chars<'a>>,
    at: usize,
}

impl Reader<'_> {
    fn token(&mut self) -> Result<Option<Token>, Refusal> {
        while self.rest.peek().is_some_and(|c| c.is_whitespace()) {
            self.take();
        }
        let at = self.at;
        let kind = match self.rest.peek() {
            None => return Ok(None),
            Some('\'') => Kind::Text(self.text()?),
            Some(c) if c.is_ascii_alphabetic() => Kind::Word(self.run(|c| c.is_ascii_alphanumeric() || c == '_')),
            Some(c) if c.is_ascii_digit() || matches!(c, '-' | '+') => self.number(at)?,
            Some(_) => Kind::Symbol(self.symbol().ok_or_else(|| self.unexpected(at))?),
        };
        Ok(Some(Token { kind, at }))
    }

    fn take(&mut self) -> Option<char> {
        let taken = self.rest.next();
        self.at += usize::from(taken.is_some());
        taken
    }

    fn run(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let mut run = String::new();
        while let Some(c) = self.rest.next_if(|c| belongs(*c)) {
            self.at += 1;
            run.push(c);
        }
        run
    }

    fn symbol(&mut self) -> Option<&'static str> {
        let ahead: String = self.rest.clone().take(2).collect();
        let symbol = SYMBOLS.into_iter().find(|symbol| ahead.starts_with(symbol))?;
        for _ in symbol.chars() {
            self.take();
        }
        Some(symbol)
    }

    fn number(&mut self, at: usize) -> Result<Kind, Refusal> {
        let text = self.run(|c| c.is_ascii_digit() || matches!(c, '-' | '+' | '.' | ':' | 'T' | 'Z' | 'e' | 'E'));
        if text.parse::<f64>().is_ok() {
            Ok(Kind::Number(text))
        } else if text.contains('T') && crate::salesforce::value::instant(&text).is_some() {
            Ok(Kind::DateTime(text))
        } else if text.parse::<jiff::civil::Date>().is_ok() {
            Ok(Kind::Date(text))
        } else {
            Err(self.unexpected(at))
        }
    }

    fn text(&mut self) -> Result<Text, Refusal> {
        let start = self.at;
        self.take();
        let mut glyphs = Vec::new();
        loop {
            match self.take() {
                Some('\'') => return Ok(Text(glyphs)),
                Some('\\') => glyphs.push(Glyph::Escaped(self.escaped()?)),
                Some(c) => glyphs.push(Glyph::Plain(c)),
                None => {
                    return Err(refused("MALFORMED_QUERY", self.soql, start, "line breaks not allowed in string literals"));
                }
            }
        }
    }

    fn escaped(&mut self) -> Result<char, Refusal> {
        let at = self.at;
        match self.take() {
            Some(c @ ('\'' | '"' | '\\' | '_' | '%')) => Ok(c),
            Some('n' | 'N') => Ok('\n'),
            Some('r' | 'R') => Ok('\r'),
            Some('t' | 'T') => Ok('\t'),
            Some('b' | 'B') => Ok('\u{8}'),
            Some('f' | 'F') => Ok('\u{c}'),
            Some('u') => {
                let digits: String = std::iter::from_fn(|| self.take()).take(4).collect();
                let c = u32::from_str_radix(&digits, 16).ok().and_then(char::from_u32);
                c.ok_or_else(|| refused("MALFORMED_QUERY", self.soql, at, "invalid unicode escape"))
            }
            _ => Err(refused("MALFORMED_QUERY", self.soql, at, "invalid string escape")),
        }
    }

    fn unexpected(&self, at: usize) -> Refusal {
        let c = self.soql.chars().nth(at).unwrap_or(' ');
        refused("MALFORMED_QUERY", self.soql, at, &format!("unexpected token: '{c}'"))
    }
}
