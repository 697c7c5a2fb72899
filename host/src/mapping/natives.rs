//! Which functions expressions have: jq's, less those that reach outside the expression's input.

use std::sync::Arc;

use jaq_core::data::{DataT, HasLut};
use jaq_core::load::parse::Def;
use jaq_core::native::{Filter, Fun, bome, run, unary, v};
use jaq_core::{Lut, RunPtr};

use super::meter::{VALUE, spend, step};
use super::regex;
use super::text::json_text;
use super::value::{Num, Val};

type Error = jaq_core::Error<Val>;
type ValR = Result<Val, Error>;

/// What filters run on: [`Val`], with every term paid for.
pub(super) struct Sandbox;

impl DataT for Sandbox {
    type V<'a> = Val;
    type Data<'a> = Metered<'a>;
}

/// The look-up table of a filter. jaq asks for it whenever it executes a term, which is where steps are counted.
#[derive(Clone)]
pub(super) struct Metered<'a>(pub(super) &'a Lut<Sandbox>);

impl<'a> HasLut<'a, Sandbox> for Metered<'a> {
    fn lut(&self) -> &'a Lut<Sandbox> {
        step();
        self.0
    }
}

const ENVIRONMENT: &str = "expressions can't read the host's environment";
const CLOCK: &str = "expressions can't read a clock, so that a step's input comes out the same again; use `.event.time`";
const TIME_ZONE: &str = "expressions don't know the host's time zone; use `gmtime`, `strftime` or `strptime`, which are UTC";
const INPUT: &str = "an expression has one input, `.`";
const HALT: &str = "an expression can't end the host; use `error(\"…\")` to fail";
const OUTPUT: &str = "expressions have no output besides their value";
/// Why modules are refused.
pub(super) const MODULES: &str = "expressions can't load modules; use `def` within the expression";

/// Names that jq knows and expressions must not, with the reason.
pub(super) const FORBIDDEN: &[(&str, &str)] = &[
    ("env", ENVIRONMENT),
    ("$ENV", ENVIRONMENT),
    ("$__prog_args", ENVIRONMENT),
    ("now", CLOCK),
    ("localtime", TIME_ZONE),
    ("strflocaltime", TIME_ZONE),
    ("input", INPUT),
    ("inputs", INPUT),
    ("input_filename", INPUT),
    ("input_line_number", INPUT),
    ("halt", HALT),
    ("halt_error", HALT),
    ("debug", OUTPUT),
    ("debug_empty", OUTPUT),
    ("stderr", OUTPUT),
    ("stderr_empty", OUTPUT),
    ("get_search_list", MODULES),
    ("modulemeta", MODULES),
    ("import", MODULES),
    ("include", MODULES),
];

/// Functions of jaq's library that are left out or replaced by [`own`] ones. The time of a Bessel function grows with
/// its order; jaq's regular expressions have no bounds.
const LEFT_OUT: &[&str] = &["jn", "yn", "matches", "split_matches", "split_"];

fn allowed(name: &str) -> bool {
    !FORBIDDEN.iter().any(|(forbidden, _)| *forbidden == name)
}

/// Functions written in jq.
pub(super) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()).filter(|def| allowed(def.name))
}

/// Functions written in Rust.
pub(super) fn functions() -> impl Iterator<Item = Fun<Sandbox>> {
    jaq_core::funs()
        .chain(jaq_std::funs())
        .filter(|(name, ..)| allowed(name) && !LEFT_OUT.contains(name))
        .chain(own().into_vec().into_iter().map(run::<Sandbox>))
}

fn own() -> Box<[Filter<RunPtr<Sandbox>>]> {
    Box::new([
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("tojson", v(0), |cv| {
            spend(cv.1.weight());
            bome(Ok(Val::str(json_text(&cv.1))))
        }),
        ("fromjson", v(0), |cv| bome(from_json(&cv.1))),
        ("contains", v(1), |cv| unary(cv, |x, y| Ok(contains(&x, &y).into()))),
        ("has", v(1), |cv| unary(cv, |x, key| has(&x, &key))),
        ("indices", v(1), |cv| unary(cv, |x, y| indices(&x, &y))),
        ("bsearch", v(1), |cv| unary(cv, |x, y| bsearch(&x, &y))),
        ("matches", v(2), |cv| bome(regex::run(cv, regex::Parts::Matches))),
        ("split_matches", v(2), |cv| bome(regex::run(cv, regex::Parts::Both))),
        ("split_", v(2), |cv| bome(regex::run(cv, regex::Parts::Between))),
    ])
}

fn length(value: &Val) -> ValR {
    Ok(match value {
        Val::Null => 0usize.into(),
        Val::Bool(_) => return Err(Error::str(format_args!("{value} has no length"))),
        Val::Num(Num::Dec(digits)) => Val::num(digits.trim_start_matches('-')),
        Val::Num(number) if *number < Num::Int(0) => return -value.clone(),
        Val::Num(_) => value.clone(),
        Val::Str(text) => {
            spend(text.len() / 8);
            text.chars().count().into()
        }
        Val::Arr(arr) => arr.items().len().into(),
        Val::Obj(obj) => obj.members().len().into(),
    })
}

fn from_json(value: &Val) -> ValR {
    let Val::Str(text) = value else {
        return Err(Error::typ(value.clone(), "string"));
    };
    spend(text.len() * 4);
    let json: serde_json::Value =
        serde_json::from_str(text).map_err(|error| Error::str(format_args!("cannot parse {value} as JSON: {error}")))?;
    // serde_json refuses what is nested deeper than 128; the meter refuses what is deeper than the limit.
    Ok(Val::from_json(&json, usize::MAX).expect("no value has more levels than usize::MAX"))
}

fn contains(whole: &Val, part: &Val) -> bool {
    spend(8);
    match (whole, part) {
        (Val::Str(whole), Val::Str(part)) => {
            spend((whole.len() + part.len()) / 8);
            whole.contains(part.as_str())
        }
        (Val::Arr(whole), Val::Arr(part)) => part.items().iter().all(|part| whole.items().iter().any(|whole| contains(whole, part))),
        (Val::Obj(whole), Val::Obj(part)) => {
            part.members().iter().all(|(key, part)| whole.members().get(key).is_some_and(|whole| contains(whole, part)))
        }
        (whole, part) => whole == part,
    }
}

fn has(value: &Val, key: &Val) -> ValR {
    match (value, key) {
        (Val::Obj(_), Val::Str(_)) | (Val::Arr(_), Val::Num(_)) => Ok(value.get(key)?.is_some().into()),
        _ => Err(Error::index(value.clone(), key.clone())),
    }
}

/// Where `part` begins in a string (in characters) or array, or is an item of the array.
pub(super) fn indices(whole: &Val, part: &Val) -> ValR {
    match (whole, part) {
        (Val::Null, _) => Ok(Val::Null),
        (Val::Str(whole), Val::Str(part)) => {
            let mut found = Vec::new();
            let bytes = part.as_bytes();
            for (char, (at, _)) in whole.char_indices().enumerate() {
                spend(1 + bytes.len() / 8);
                if !bytes.is_empty() && whole.as_bytes()[at..].starts_with(bytes) {
                    found.push(char);
                }
            }
            Ok(found.into_iter().map(Val::from).collect())
        }
        (Val::Arr(_), Val::Arr(part)) if part.items().is_empty() => Ok(Val::arr([])),
        (Val::Arr(whole), Val::Arr(part)) => {
            let windows = whole.items().windows(part.items().len()).enumerate();
            let found = windows.filter(|(_, window)| {
                spend(VALUE);
                *window == part.items()
            });
            Ok(found.map(|(at, _)| at.into()).collect())
        }
        (Val::Arr(whole), item) => {
            let found = whole.items().iter().enumerate().filter(|(_, it)| *it == item);
            Ok(found.map(|(at, _)| at.into()).collect())
        }
        _ => Err(Error::index(whole.clone(), part.clone())),
    }
}

fn bsearch(value: &Val, item: &Val) -> ValR {
    let Val::Arr(arr) = value else {
        return Err(Error::typ(value.clone(), "array"));
    };
    Ok(match arr.items().binary_search(item) {
        Ok(at) => at.into(),
        Err(at) => (-1 - at as isize).into(),
    })
}

/// The key of an object that a regular expression's match is described with.
pub(super) fn key(name: &str) -> Arc<String> {
    Arc::new(name.to_owned())
}
