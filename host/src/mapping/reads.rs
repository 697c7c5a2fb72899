//! What an expression reads for certain: paths from its input, followed through `|`, `map`, `select` and the like.
//!
//! Whatever is not followed (variables, folds, definitions, other functions) reads nothing here, so that nothing is claimed that need not be so.

use std::ops::Range;

use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::load::{lex::StrPart, parse, span};
use jaq_core::path::Part;
use serde_json::Value;

use super::{evaluator, template};

/// One path that an expression reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// From the whole input down: names of members, `None` for any item.
    pub path: Vec<Option<String>>,
    /// Where each stands in the source, in bytes; for an item the place of the name before it.
    pub places: Vec<Range<usize>>,
}

impl Read {
    fn down(&self, name: Option<&str>, place: Range<usize>) -> Read {
        let mut next = self.clone();
        next.path.push(name.map(str::to_owned));
        next.places.push(place);
        next
    }

    fn item(&self) -> Read {
        let place = self.places.last().cloned().unwrap_or(0..0);
        self.down(None, place)
    }
}

/// What an expression reads. Empty for one that does not compile.
pub fn reads(source: &str) -> Vec<Read> {
    if source.len() > super::MAX_SOURCE {
        return Vec::new();
    }
    evaluator::on_large_stack(|| here(source)).unwrap_or_default()
}

/// What the expressions of a `with` read: the JSON pointer of each string, and paths with their places in it.
pub fn reads_of_template(value: &Value) -> Vec<(String, Read)> {
    evaluator::on_large_stack(|| of_template(value)).unwrap_or_default()
}

/// The expressions of a text with `${ … }`, each with its place: what is within the braces.
pub fn expressions(text: &str) -> Vec<(usize, &str)> {
    evaluator::on_large_stack(|| template::sources(text)).unwrap_or_default()
}

fn of_template(value: &Value) -> Vec<(String, Read)> {
    let mut found = Vec::new();
    strings(value, String::new(), &mut found);
    let mut all = Vec::new();
    for (pointer, text) in found {
        for (start, source) in template::sources(text) {
            if source.len() > super::MAX_SOURCE {
                continue;
            }
            let moved = here(source)
                .into_iter()
                .map(|read| Read { places: read.places.iter().map(|place| place.start + start..place.end + start).collect(), ..read });
            all.extend(moved.map(|read| (pointer.clone(), read)));
        }
    }
    all
}

fn strings<'v>(value: &'v Value, pointer: String, found: &mut Vec<(String, &'v str)>) {
    match value {
        Value::String(text) if text.contains("${") => found.push((pointer, text)),
        Value::Array(items) => items.iter().enumerate().for_each(|(at, item)| strings(item, format!("{pointer}/{at}"), found)),
        Value::Object(members) => {
            members.iter().for_each(|(name, member)| strings(member, format!("{pointer}/{}", crate::schema::escaped(name)), found));
        }
        _ => {}
    }
}

fn here(source: &str) -> Vec<Read> {
    let Some(term) = parse(source, |parser| parser.term()) else { return Vec::new() };
    let mut walk = Walk { source, found: Vec::new() };
    walk.term(&term, Some(&Read { path: Vec::new(), places: Vec::new() }));
    walk.found
}

struct Walk<'s> {
    source: &'s str,
    found: Vec<Read>,
}

impl Walk<'_> {
    /// Notes what is read of `input`, and gives the place of the result, if it is a place of the whole input.
    fn term(&mut self, term: &Term<&str>, input: Option<&Read>) -> Option<Read> {
        match term {
            Term::Id => input.cloned(),
            Term::Path(from, path) => {
                let mut at = self.term(from, input);
                for (part, _) in &path.0 {
                    at = match part {
                        Part::Index(index) => self.index(index, at, input),
                        Part::Range(None, None) => at.map(|at| at.item()),
                        Part::Range(start, end) => {
                            for bound in [start, end].into_iter().flatten() {
                                self.term(bound, input);
                            }
                            at
                        }
                    };
                }
                at
            }
            Term::BinOp(left, BinaryOp::Pipe(None), right) => {
                let between = self.term(left, input);
                self.term(right, between.as_ref())
            }
            // What stands right of `as $x |` has the same input.
            Term::BinOp(left, _, right) => {
                self.term(left, input);
                self.term(right, input);
                None
            }
            Term::Call(name, arguments) => self.call(name, arguments, input),
            Term::Str(_, parts) => {
                for part in parts {
                    if let StrPart::Term(term) = part {
                        self.term(term, input);
                    }
                }
                None
            }
            Term::Arr(Some(inner)) | Term::Neg(inner) => {
                self.term(inner, input);
                None
            }
            Term::Obj(members) => {
                for (key, value) in members {
                    match value {
                        Some(value) => {
                            self.term(key, input);
                            self.term(value, input);
                        }
                        // `{name}` reads `.name`.
                        None => drop(self.index(key, input.cloned(), input)),
                    }
                }
                None
            }
            Term::TryCatch(inner, _) => self.term(inner, input),
            Term::IfThenElse(cases, otherwise) => {
                for (when, then) in cases {
                    self.term(when, input);
                    self.term(then, input);
                }
                if let Some(otherwise) = otherwise {
                    self.term(otherwise, input);
                }
                None
            }
            Term::Fold(_, over, _, _) => {
                self.term(over, input);
                None
            }
            Term::Arr(None) | Term::Recurse | Term::Num(_) | Term::Label(..) | Term::Break(_) | Term::Def(..) | Term::Var(_) => None,
        }
    }

    fn index(&mut self, index: &Term<&str>, at: Option<Read>, input: Option<&Read>) -> Option<Read> {
        match index {
            Term::Str(None, parts) => match parts.as_slice() {
                [StrPart::Str(name)] => {
                    let read = at?.down(Some(name), span(self.source, name));
                    self.found.push(read.clone());
                    Some(read)
                }
                _ => None,
            },
            Term::Num(_) => at.map(|at| at.item()),
            other => {
                self.term(other, input);
                None
            }
        }
    }

    fn call(&mut self, name: &str, arguments: &[Term<&str>], input: Option<&Read>) -> Option<Read> {
        match (name, arguments) {
            ("map", [each]) => {
                let item = input.map(Read::item);
                self.term(each, item.as_ref());
                None
            }
            ("select", [when]) => {
                self.term(when, input);
                input.cloned()
            }
            ("first" | "last", []) => input.map(Read::item),
            ("first" | "last" | "any" | "all" | "test" | "has" | "startswith" | "endswith", [argument]) => {
                let input = if matches!(name, "any" | "all") { input.map(Read::item) } else { input.cloned() };
                self.term(argument, input.as_ref());
                None
            }
            ("sort_by" | "group_by" | "min_by" | "max_by" | "unique_by", [by]) => {
                let item = input.map(Read::item);
                self.term(by, item.as_ref());
                None
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(source: &str) -> Vec<String> {
        let name = |step: &Option<String>| step.as_ref().map_or("[]".to_owned(), |name| format!(".{name}"));
        reads(source).iter().map(|read| read.path.iter().map(name).collect()).collect()
    }

    #[test]
    fn what_is_read_is_followed_as_far_as_it_is_certain() {
        assert_eq!(paths(".event.data.customer.email"), [".event", ".event.data", ".event.data.customer", ".event.data.customer.email"]);
        assert_eq!(
            paths(".event.data | .parts[] | {sku: .item, quantity}")[2..],
            [".event.data.parts", ".event.data.parts[].item", ".event.data.parts[].quantity"]
        );
        assert_eq!(paths("[.a[] | select(.b > 1) | del(.c)]"), [".a", ".a[].b"]);
        assert_eq!(paths(".a[\"b c\"]?.d // \"\\(.e)\""), [".a", ".a.b c", ".a.b c.d", ".e"]);
        assert_eq!(paths("if .a then (.b | length) else .c[0].d end"), [".a", ".b", ".c", ".c[].d"]);
        assert_eq!(paths(".a | map(.b) | .c"), [".a", ".a[].b"]);
        assert_eq!(paths(". as $x | $x.a, .b"), [".b"]);
        assert_eq!(paths("def f: .a; .b | f"), [""; 0]);
        assert_eq!(paths("\".a\" | test(\"x\")"), [""; 0]);
        assert_eq!(paths(".a | with_entries(.b) | walk(.c)"), [".a"]);
        assert_eq!(paths(".("), [""; 0]);
    }

    #[test]
    fn places_are_those_in_the_string() {
        let text = "Job ${ .event.data.job } of ${ .x }";
        let found = reads_of_template(&serde_json::json!({ "a": [text] }));
        let last: Vec<(&str, &str)> =
            found.iter().map(|(pointer, read)| (pointer.as_str(), &text[read.places[read.places.len() - 1].clone()])).collect();
        assert_eq!(last, [("/a/0", "event"), ("/a/0", "data"), ("/a/0", "job"), ("/a/0", "x")]);
    }
}
