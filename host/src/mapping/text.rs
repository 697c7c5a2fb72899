//! Values written as JSON text, and as text within text.

use std::borrow::Cow;
use std::fmt::{self, Write};

use super::value::{Num, Val};

/// Longest excerpt of a value in an error message, in bytes.
const EXCERPT: usize = 80;

/// A number as jq writes it: digits from outside unchanged, whole results of a calculation without a fraction.
pub(super) fn number_text(number: &Num) -> Cow<'_, str> {
    match number {
        Num::Int(value) => value.to_string().into(),
        Num::BigInt(value) => value.to_string().into(),
        Num::Dec(digits) => digits.as_str().into(),
        Num::Float(value) if value.is_nan() => "null".into(),
        Num::Float(value) if value.is_infinite() => number_text(&Num::Float(f64::MAX.copysign(*value))).into_owned().into(),
        // `{:.0}` writes -0.0 as "-0".
        Num::Float(0.0) => "0".into(),
        Num::Float(value) if value.fract() == 0.0 && value.abs() < 1e17 => format!("{value:.0}").into(),
        Num::Float(value) => serde_json::Number::from_f64(*value).expect("a finite number has a JSON text").to_string().into(),
    }
}

/// Writes JSON without spaces, members in order of their keys.
pub(super) fn write_json(value: &Val, out: &mut impl Write) -> fmt::Result {
    match value {
        Val::Null => out.write_str("null"),
        Val::Bool(value) => write!(out, "{value}"),
        Val::Num(number) => out.write_str(&number_text(number)),
        Val::Str(text) => write_string(text, out),
        Val::Arr(arr) => {
            out.write_char('[')?;
            for (at, item) in arr.items().iter().enumerate() {
                if at > 0 {
                    out.write_char(',')?;
                }
                write_json(item, out)?;
            }
            out.write_char(']')
        }
        Val::Obj(obj) => {
            out.write_char('{')?;
            for (at, (key, value)) in obj.members().iter().enumerate() {
                if at > 0 {
                    out.write_char(',')?;
                }
                write_string(key, out)?;
                out.write_char(':')?;
                write_json(value, out)?;
            }
            out.write_char('}')
        }
    }
}

fn write_string(text: &str, out: &mut impl Write) -> fmt::Result {
    out.write_char('"')?;
    let mut written = 0;
    for (at, byte) in text.bytes().enumerate() {
        // All of these are single bytes, so the slices fall on character boundaries.
        let escape: Cow<'_, str> = match byte {
            b'"' => "\\\"".into(),
            b'\\' => "\\\\".into(),
            b'\n' => "\\n".into(),
            b'\r' => "\\r".into(),
            b'\t' => "\\t".into(),
            0..0x20 | 0x7f => format!("\\u{byte:04x}").into(),
            _ => continue,
        };
        out.write_str(&text[written..at])?;
        out.write_str(&escape)?;
        written = at + 1;
    }
    out.write_str(&text[written..])?;
    out.write_char('"')
}

/// Its JSON text.
pub(super) fn json_text(value: &Val) -> String {
    let mut text = String::new();
    write_json(value, &mut text).expect("a String takes all text");
    text
}

/// What stands for it within text: a string itself, anything else as JSON.
pub(super) fn plain_text(value: &Val) -> Cow<'_, str> {
    match value {
        Val::Str(text) => text.as_str().into(),
        other => json_text(other).into(),
    }
}

/// Room left in a text; writing more is an error.
pub(super) struct Room(pub(super) usize);

impl Write for Room {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = self.0.checked_sub(text.len()).ok_or(fmt::Error)?;
        Ok(())
    }
}

/// The start of its JSON text: what error messages show of it.
impl fmt::Display for Val {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        struct Excerpt(String);
        impl Write for Excerpt {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                let end = text.floor_char_boundary(EXCERPT - self.0.len());
                self.0.push_str(&text[..end]);
                if end < text.len() { Err(fmt::Error) } else { Ok(()) }
            }
        }
        let mut excerpt = Excerpt(String::new());
        let whole = write_json(self, &mut excerpt).is_ok();
        f.write_str(&excerpt.0)?;
        if whole { Ok(()) } else { f.write_str("…") }
    }
}
