//! Which expressions are plain: so few steps, on so little data, that they are evaluated where they are asked for.
//!
//! To hand an expression to a thread of its own, and its value back, costs more than most expressions do. What is plain can't run for long whatever it is
//! given: no loop, no recursion, no function with work of its own, nothing made of what was made (which could double again and again); each of its
//! few terms is executed once, on data no larger than what is checked on the spot elsewhere. The meter and its limits are the same.

use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{lex::StrPart, parse};
use jaq_core::path::Part;

/// Most terms of one expression. It bounds how deeply they stand in one another, too, and so the stack.
const MOST_TERMS: usize = 48;
/// Most terms of all expressions that are evaluated together.
pub(super) const MOST_TOGETHER: usize = 512;
/// Weight of the scope: about the bytes of its JSON text.
pub(super) const MOST_WEIGHT: usize = 16 << 10;

/// Functions without arguments whose work is in proportion to their input, and whose output is no larger.
const FUNCTIONS: [&str; 4] = ["not", "length", "ascii_downcase", "ascii_upcase"];

/// Terms of a plain expression; `None`: it is not plain. For a source that compiles, on a large stack.
pub(super) fn terms(source: &str) -> Option<usize> {
    let term = parse(source, |parser| parser.term())?;
    let mut left = MOST_TERMS;
    is_plain(&term, true, &mut left).then_some(MOST_TERMS - left)
}

/// The names of an expression that is a path of names, such as `.event.data.id`: it needs no interpreter. For a source that compiles, on a large stack.
pub(super) fn names(source: &str) -> Option<Vec<String>> {
    let Term::Path(from, path) = parse(source, |parser| parser.term())? else { return None };
    let name = |part: &(Part<Term<&str>>, _)| match &part.0 {
        Part::Index(Term::Str(None, text)) => match &text[..] {
            [StrPart::Str(name)] => Some((*name).to_owned()),
            _ => None,
        },
        Part::Index(_) | Part::Range(..) => None,
    };
    matches!(*from, Term::Id).then(|| path.0.iter().map(name).collect())?
}

/// `makes`: texts and objects may be made.
fn is_plain(term: &Term<&str>, makes: bool, left: &mut usize) -> bool {
    let Some(rest) = left.checked_sub(1) else { return false };
    *left = rest;
    match term {
        Term::Id | Term::Num(_) | Term::Arr(None) => true,
        Term::Str(None, parts) => parts.iter().all(|part| match part {
            StrPart::Term(term) => makes && is_plain(term, false, left),
            StrPart::Str(_) | StrPart::Char(_) => true,
        }),
        Term::Path(from, path) => {
            is_plain(from, makes, left)
                && path.0.iter().all(|(part, _)| match part {
                    // Names and numbers as they stand there: what is looked up does not depend on data.
                    Part::Index(index @ (Term::Str(None, _) | Term::Num(_))) => is_plain(index, false, left),
                    Part::Index(_) | Part::Range(..) => false,
                })
        }
        Term::BinOp(one, BinaryOp::Pipe(None), other) => is_plain(one, makes, left) && is_plain(other, false, left),
        Term::BinOp(one, BinaryOp::Alt | BinaryOp::Or | BinaryOp::And | BinaryOp::Cmp(_), other) => {
            is_plain(one, makes, left) && is_plain(other, makes, left)
        }
        Term::Obj(members) => {
            let plain = |(key, value): &(Term<&str>, Option<Term<&str>>)| {
                is_plain(key, false, left) && value.iter().all(|value| is_plain(value, makes, left))
            };
            makes && members.iter().all(plain)
        }
        Term::IfThenElse(cases, otherwise) => {
            cases.iter().all(|(when, then)| is_plain(when, makes, left) && is_plain(then, makes, left))
                && otherwise.iter().all(|otherwise| is_plain(otherwise, makes, left))
        }
        Term::Call(name, arguments) => arguments.is_empty() && FUNCTIONS.contains(name),
        // A list of what comes out of a term, folds, definitions, variables, arithmetic (`*` repeats a text), updates and what is not known here.
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_names_is_known_as_one() {
        let is = |source: &str, wanted: &[&str]| {
            let names = names(source);
            assert_eq!(names, Some(wanted.iter().map(|name| (*name).to_owned()).collect()), "{source}");
        };
        is(".a", &["a"]);
        is(".event.data[\"job id\"]", &["event", "data", "job id"]);
        is(".\"a\".b?", &["a", "b"]);
        for other in [".", ".a[0]", ".a | .b", ".a[.b]", ".a[1:]", ".a // 1", "$x.a", "\"a\"", ".\"a\\(.b)\"", ".\"a\\n\"", ".."] {
            assert_eq!(names(other), None, "{other}");
        }
    }

    #[test]
    fn only_what_ends_after_a_few_steps_is_plain() {
        for plain in [
            ".event.data.job_id",
            ".a[\"b c\"][0]?.d // \"none\"",
            "\"Job \\(.a) of \\(.b)\"",
            "if .a == 1 and (.b | not) then {a, b: .c} else [] end",
            ".a | length > 3",
        ] {
            assert!(terms(plain).is_some(), "{plain}");
        }
        for other in [
            "..",
            ".[]",
            ".a[]",
            "[.a]",
            ".a[.b]",
            ".a, .b",
            "\"ab\" * 100000000",
            "def f: f; f",
            "recurse(.a)",
            "range(1000000000)",
            "reduce .a as $x (0; 1)",
            ". as $x | $x",
            "test(\"(a+)+\")",
            ".a = 1",
            "\"\\(.)\\(.)\" | \"\\(.)\\(.)\"",
            "{a: ., b: .} | {a: ., b: .}",
            "\"\\({a: .})\"",
            "tostring",
            "label $f | break $f",
        ] {
            assert_eq!(terms(other), None, "{other}");
        }
        let long = vec![".a"; MOST_TERMS].join(" // ");
        assert_eq!(terms(&long), None, "it has too many terms");
    }
}
