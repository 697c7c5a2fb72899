//! What is wrong with an expression, said to a person.

use std::collections::BTreeSet;
use std::ops::Range;

use jaq_core::compile::{self, Undefined};
use jaq_core::load::lex::{Expect as Lexed, Lexer, StrPart, Tok, Token};
use jaq_core::load::parse::Expect as Parsed;
use jaq_core::load::{self, span};

use super::expr::CompileError;
use super::natives::{FORBIDDEN, MODULES, definitions, functions};

/// What an expression sees at its top; people forget the dot.
const MEMBERS: &[&str] = &["event", "steps", "run"];
/// How alike a name must be to be suggested, from 0 to 1.
const NEAR: f64 = 0.8;

fn error(range: Range<usize>, message: String) -> CompileError {
    CompileError { range, message }
}

/// The first problem that the loader found.
pub(super) fn load(source: &str, errors: load::Errors<&str, ()>) -> CompileError {
    let first = errors.into_iter().next().and_then(|(_, errors)| match errors {
        load::Error::Lex(errors) => errors.into_iter().next().map(|(expected, found)| lex(source, &expected, found)),
        load::Error::Parse(errors) => errors.into_iter().next().map(|(expected, found)| parse(source, &expected, found)),
        load::Error::Io(errors) => errors.into_iter().next().map(|(path, _)| error(span(source, path), MODULES.to_owned())),
    });
    first.unwrap_or_else(|| error(0..source.len(), "not a jq expression".to_owned()))
}

/// What the lexer expected and where it was.
pub(super) fn lex(source: &str, expected: &Lexed<&str>, found: &str) -> CompileError {
    let start = span(source, found).start;
    let first = found.chars().next();
    let range = start..start + first.map_or(0, char::len_utf8);
    let found = first.map_or_else(|| "the end".to_owned(), |char| format!("`{char}`"));
    let message = match expected {
        Lexed::Token => format!("{found} means nothing in jq here"),
        Lexed::Escape => format!("expected an escape like \\n or \\\" after `\\`, found {found}"),
        Lexed::Delim(_) => format!("expected a {}, found {found}", expected.as_str()),
        _ => format!("expected {}, found {found}", article(expected.as_str())),
    };
    error(range, message)
}

fn parse(source: &str, expected: &Parsed<&str>, found: &str) -> CompileError {
    let expected = match expected {
        Parsed::Just(token) => format!("`{token}`"),
        Parsed::Nothing => "the end".to_owned(),
        Parsed::Term => "a value or function".to_owned(),
        Parsed::ElseOrEnd => "`else` or `end`".to_owned(),
        Parsed::CommaOrRBrack => "`,` or `]`".to_owned(),
        Parsed::CommaOrRBrace => "`,` or `}`".to_owned(),
        Parsed::SemicolonOrRParen => "`;` or `)`".to_owned(),
        other => article(other.as_str()),
    };
    let shown = match found {
        "" => "the end".to_owned(),
        _ if found.starts_with(['(', '[', '{', '"']) => format!("`{}`", &found[..1]),
        _ => format!("`{found}`"),
    };
    error(span(source, found), format!("expected {expected}, found {shown}"))
}

fn article(noun: &str) -> String {
    let vowel = noun.starts_with(['a', 'e', 'i', 'o', 'u']);
    format!("{} {noun}", if vowel { "an" } else { "a" })
}

/// The first name that the compiler didn't find.
pub(super) fn compile(source: &str, errors: compile::Errors<&str, ()>) -> CompileError {
    let undefined = errors.into_iter().flat_map(|(_, errors)| errors);
    let first = undefined.min_by_key(|(name, _)| span(source, name).start);
    let Some((name, kind)) = first else {
        return error(0..source.len(), "not a jq expression".to_owned());
    };
    let range = span(source, name);
    if let Some((_, why)) = FORBIDDEN.iter().find(|(forbidden, _)| *forbidden == name) {
        return error(range, format!("`{name}` is not allowed: {why}"));
    }
    let message = match kind {
        Undefined::Filter(arity) => function(source, name, arity),
        Undefined::Var => {
            let near = near(name, variables(source).iter().map(String::as_str));
            format!("there is no variable `{name}`{near}")
        }
        Undefined::Label => format!("there is no `label {name}` around this `break`"),
        _ => format!("there is no {} `{name}`", kind.as_str()),
    };
    error(range, message)
}

fn function(source: &str, name: &str, arity: usize) -> String {
    let mut known: BTreeSet<(&str, usize)> = definitions().map(|def| (def.name, def.args.len())).collect();
    known.extend(functions().map(|(name, args, _)| (name, args.len())));

    let arities: Vec<_> = known.iter().filter(|(known, _)| *known == name).collect();
    if !arities.is_empty() {
        let counts: Vec<_> = arities.iter().map(|(_, count)| count.to_string()).collect();
        let noun = if counts == ["1"] { "argument" } else { "arguments" };
        return format!("`{name}` takes {} {noun}, not {arity}", counts.join(" or "));
    }
    if MEMBERS.contains(&name) {
        return format!("there is no function `{name}`; did you mean `.{name}`?");
    }
    // What the expression defines itself is near, too.
    let own = words(source);
    let defined = own.windows(2).filter(|pair| pair[0] == "def").map(|pair| pair[1].as_str());
    let near = near(name, known.iter().map(|(name, _)| *name).chain(defined));
    format!("there is no function `{name}`{near}")
}

fn near<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> String {
    let alike = known
        .filter(|known| *known != name)
        .map(|known| (strsim::jaro_winkler(name, known), known))
        .filter(|(alike, _)| *alike >= NEAR)
        .max_by(|left, right| left.0.total_cmp(&right.0));
    alike.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
}

fn words(source: &str) -> Vec<String> {
    collect(source, |token| matches!(token, Tok::Word))
}

fn variables(source: &str) -> Vec<String> {
    collect(source, |token| matches!(token, Tok::Var))
}

fn collect(source: &str, wanted: impl Fn(&Tok<&str>) -> bool) -> Vec<String> {
    fn walk(tokens: &[Token<&str>], wanted: &impl Fn(&Tok<&str>) -> bool, found: &mut Vec<String>) {
        for Token(text, token) in tokens {
            if wanted(token) {
                found.push((*text).to_owned());
            }
            match token {
                Tok::Block(inner) => walk(inner, wanted, found),
                Tok::Str(parts) => {
                    for part in parts {
                        if let StrPart::Term(term) = part {
                            walk(std::slice::from_ref(term), wanted, found);
                        }
                    }
                }
                _ => {}
            }
        }
    }
    let mut found = Vec::new();
    // Its tokens were lexed before, when it was parsed.
    if let Ok(tokens) = Lexer::new(source).lex() {
        walk(&tokens, &wanted, &mut found);
    }
    found
}
