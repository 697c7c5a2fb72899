//! JSON with `${ … }` in its strings.
//!
//! A string that is one `${ … }` and nothing else becomes the value of the expression, whatever its type. Otherwise
//! the values are written into the text as jq's `tostring` writes them: strings as they are, numbers with their
//! digits, arrays and objects as JSON, and null as `null`. A missing value that silently left a gap would be worse
//! than one that can be seen; `${ .x // "" }` says what else is wanted. `$${` is a literal `${`. Keys of objects are
//! literal.

use std::fmt::Write;
use std::ops::Range;

use jaq_core::load::lex::{Expect, Lexer};
use serde_json::{Map, Value};

use super::text::{Room, plain_text, write_json};
use super::value::Val;
use super::{CompileError, EvalError, Expr, Limits, Lookup, Scope, Session, diagnosis, evaluator};

/// What is wrong with one string of a template.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// JSON pointer (RFC 6901) to the string.
    pub pointer: String,
    /// Where in the string, in bytes.
    pub range: Range<usize>,
    /// What is wrong, for a person.
    pub message: String,
}

/// JSON with expressions, compiled.
#[derive(Debug, PartialEq, Eq)]
pub struct Template {
    root: Node,
    /// Terms of all expressions, where every one is plain.
    terms: Option<usize>,
}

#[derive(Debug, PartialEq, Eq)]
enum Node {
    /// Neither an expression nor anything that holds one.
    Literal(Value),
    Expr(Expr),
    Text(Vec<Part>),
    Array(Vec<Node>),
    Object(Vec<(String, Node)>),
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Expr(Expr),
}

impl Template {
    /// Compiles every string; reports all that are wrong.
    pub fn compile(value: &Value) -> Result<Self, Vec<TemplateError>> {
        let compiled = evaluator::on_large_stack(|| {
            let mut errors = Vec::new();
            let root = compile(value, "", Limits::DEPTH, &mut errors);
            if !errors.is_empty() {
                return Err(errors);
            }
            let mut found = Vec::new();
            collect(&root, &mut found);
            let terms = found.iter().map(|expr| expr.terms()).sum();
            Ok(Self { root, terms })
        });
        compiled.unwrap_or_else(|error| Err(vec![whole("", error.to_string())]))
    }

    /// All expressions, in the order of the keys.
    pub fn expressions(&self) -> Vec<&Expr> {
        let mut found = Vec::new();
        collect(&self.root, &mut found);
        found
    }

    /// Terms of all expressions, where every one is plain.
    pub(super) fn terms(&self) -> Option<usize> {
        self.terms
    }

    /// What it gives where every expression is looked up; `None`: one of them is not, or it is long.
    pub fn looked_up(&self, lookup: &mut Lookup<'_>) -> Option<Value> {
        look_up(&self.root, lookup)
    }

    pub(super) fn eval(&self, session: &Session, scope: &Scope) -> Result<Value, EvalError> {
        let mut room = Room(session.limits().output);
        eval(&self.root, session, scope, &mut room)
    }

    /// The text of a template that is one string, for people to read.
    pub(super) fn text(&self, session: &Session, scope: &Scope, written: Written) -> Result<String, EvalError> {
        let limit = session.limits().output;
        let mut text = String::new();
        let write = |expr: &Expr, text: &mut String| {
            let value = session.part(expr, scope)?;
            match written.piece(&value) {
                Some(piece) => text.push_str(&piece),
                None => {
                    let why = format!("`${{ {} }}` gives null; write `// \"\"` and what else belongs there", expr.source().trim());
                    return Err(EvalError::Raised(why));
                }
            }
            if text.len() > limit { Err(EvalError::TooLong { limit }) } else { Ok(()) }
        };
        match &self.root {
            Node::Literal(Value::String(literal)) => text.push_str(literal),
            Node::Literal(other) => text.push_str(&other.to_string()),
            Node::Expr(expr) => write(expr, &mut text)?,
            Node::Text(parts) => {
                for part in parts {
                    match part {
                        Part::Literal(literal) => text.push_str(literal),
                        Part::Expr(expr) => write(expr, &mut text)?,
                    }
                }
            }
            Node::Array(_) | Node::Object(_) => return Err(EvalError::Raised("this template is no text".to_owned())),
        }
        Ok(text)
    }
}

/// How values are written into a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// As they are.
    Plain,
    /// Escaped for HTML, between tags and in quoted attributes; `{html: "…"}` goes in as it is.
    Html,
}

impl Written {
    /// A value as text; `None`: it is null, which nobody should read in a letter.
    fn piece(self, value: &Val) -> Option<String> {
        match (self, value) {
            (_, Val::Null) => None,
            (Self::Plain, value) => Some(plain_text(value).into_owned()),
            (Self::Html, Val::Obj(obj)) if obj.members().len() == 1 => match obj.members().iter().next() {
                Some((key, Val::Str(html))) if key.as_str() == "html" => Some(html.to_string()),
                _ => Some(escaped(&plain_text(value))),
            },
            (Self::Html, value) => Some(escaped(&plain_text(value))),
        }
    }
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

fn whole(pointer: &str, message: String) -> TemplateError {
    TemplateError { pointer: pointer.to_owned(), range: 0..0, message }
}

fn compile(value: &Value, pointer: &str, levels: usize, errors: &mut Vec<TemplateError>) -> Node {
    if levels == 0 && (value.is_array() || value.is_object()) {
        errors.push(whole(pointer, format!("nested more than {} levels deep", Limits::DEPTH)));
        return Node::Literal(Value::Null);
    }
    match value {
        Value::String(text) => match parse(text) {
            Ok(parts) => string(parts),
            Err(CompileError { range, message }) => {
                errors.push(TemplateError { pointer: pointer.to_owned(), range, message });
                Node::Literal(Value::Null)
            }
        },
        Value::Array(items) => {
            let compiled = items.iter().enumerate().map(|(at, item)| compile(item, &format!("{pointer}/{at}"), levels - 1, errors));
            let nodes: Vec<_> = compiled.collect();
            if nodes.iter().all(Node::is_plain) { Node::Literal(value.clone()) } else { Node::Array(nodes) }
        }
        Value::Object(members) => {
            let compiled = members.iter().map(|(key, member)| {
                let token = key.replace('~', "~0").replace('/', "~1");
                let node = compile(member, &format!("{pointer}/{token}"), levels - 1, errors);
                (key.clone(), node)
            });
            Node::Object(compiled.collect())
        }
        other => Node::Literal(other.clone()),
    }
}

impl Node {
    /// Nothing in it was written differently from what it means.
    fn is_plain(&self) -> bool {
        matches!(self, Self::Literal(value) if !value.is_string())
    }
}

fn string(mut parts: Vec<Part>) -> Node {
    match parts.as_mut_slice() {
        [] => Node::Literal(Value::String(String::new())),
        [Part::Literal(text)] => Node::Literal(Value::String(std::mem::take(text))),
        [Part::Expr(_)] => match parts.pop() {
            Some(Part::Expr(expr)) => Node::Expr(expr),
            _ => unreachable!("the only part is an expression"),
        },
        _ => Node::Text(parts),
    }
}

/// Literal text and expressions in turn, no literal empty.
fn parse(text: &str) -> Result<Vec<Part>, CompileError> {
    let mut parts = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(found) = text[at..].find("${") {
        let open = at + found;
        if text[at..open].ends_with('$') {
            literal.push_str(&text[at..open - 1]);
            literal.push_str("${");
            at = open + 2;
            continue;
        }
        literal.push_str(&text[at..open]);
        let start = open + 2;
        let end = start + expression_end(&text[start..]).map_err(|error| within(error, start))?;
        let expr = Expr::compile_here(&text[start..end]).map_err(|error| within(error, start))?;
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(&mut literal)));
        }
        parts.push(Part::Expr(expr));
        at = end + 1;
    }
    literal.push_str(&text[at..]);
    if !literal.is_empty() {
        parts.push(Part::Literal(literal));
    }
    Ok(parts)
}

/// The expressions in a text, each with its place: what [`Template::compile`] compiles of it.
pub(super) fn sources(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find("${").map(|open| at + open) {
        let escaped = text[at..open].ends_with('$');
        at = open + 2;
        if escaped {
            continue;
        }
        let Ok(length) = expression_end(&text[at..]) else { break };
        found.push((at, &text[at..at + length]));
        at += length + 1;
    }
    found
}

fn within(error: CompileError, start: usize) -> CompileError {
    CompileError { range: error.range.start + start..error.range.end + start, ..error }
}

/// Where the `}` is that ends the expression at the start of `text`: the first that is no token of jq's.
fn expression_end(text: &str) -> Result<usize, CompileError> {
    let unclosed = || CompileError { range: text.len()..text.len(), message: "expected a `}` at the end of `${`".to_owned() };
    match Lexer::new(text).lex() {
        Ok(_) => Err(unclosed()),
        Err(errors) => match errors.first() {
            Some((Expect::Token, rest)) if rest.starts_with('}') => Ok(text.len() - rest.len()),
            Some((expected, found)) => Err(diagnosis::lex(text, expected, found)),
            None => Err(unclosed()),
        },
    }
}

fn collect<'a>(node: &'a Node, found: &mut Vec<&'a Expr>) {
    match node {
        Node::Literal(_) => {}
        Node::Expr(expr) => found.push(expr),
        Node::Text(parts) => found.extend(parts.iter().filter_map(|part| match part {
            Part::Literal(_) => None,
            Part::Expr(expr) => Some(expr),
        })),
        Node::Array(nodes) => nodes.iter().for_each(|node| collect(node, found)),
        Node::Object(members) => members.iter().for_each(|(_, node)| collect(node, found)),
    }
}

fn look_up(node: &Node, lookup: &mut Lookup<'_>) -> Option<Value> {
    Some(match node {
        Node::Literal(value) => lookup.takes(value)?.clone(),
        Node::Expr(expr) => {
            let found = lookup.find(expr)?;
            lookup.takes(&found)?;
            found.into_owned()
        }
        Node::Text(parts) => {
            let mut text = String::new();
            for part in parts {
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Expr(expr) => match &*lookup.find(expr)? {
                        Value::String(found) => text.push_str(found),
                        Value::Number(number) => text.push_str(number.as_str()),
                        Value::Bool(true) => text.push_str("true"),
                        Value::Bool(false) => text.push_str("false"),
                        Value::Null => text.push_str("null"),
                        // How these are written in a text is for jq to say.
                        Value::Array(_) | Value::Object(_) => return None,
                    },
                }
                lookup.has_room(text.len())?;
            }
            let text = Value::String(text);
            lookup.takes(&text)?;
            text
        }
        Node::Array(nodes) => Value::Array(nodes.iter().map(|node| look_up(node, lookup)).collect::<Option<_>>()?),
        Node::Object(members) => {
            let member = |(key, node): &(String, Node)| Some((key.clone(), look_up(node, lookup)?));
            Value::Object(members.iter().map(member).collect::<Option<_>>()?)
        }
    })
}

fn eval(node: &Node, session: &Session, scope: &Scope, room: &mut Room) -> Result<Value, EvalError> {
    let too_long = |_| EvalError::TooLong { limit: session.limits().output };
    match node {
        Node::Literal(value) => {
            room.write_str(&value.to_string()).map_err(too_long)?;
            Ok(value.clone())
        }
        Node::Expr(expr) => {
            let value = session.part(expr, scope)?;
            write_json(&value, room).map_err(too_long)?;
            value.to_json().ok_or(EvalError::NotJson)
        }
        Node::Text(parts) => {
            let mut text = String::new();
            for part in parts {
                let written = text.len();
                match part {
                    Part::Literal(literal) => text.push_str(literal),
                    Part::Expr(expr) => {
                        let value = session.part(expr, scope)?;
                        text.push_str(&plain_text(&value));
                    }
                }
                room.write_str(&text[written..]).map_err(too_long)?;
            }
            Ok(Value::String(text))
        }
        Node::Array(nodes) => {
            let items = nodes.iter().map(|node| eval(node, session, scope, room));
            Ok(Value::Array(items.collect::<Result<_, _>>()?))
        }
        Node::Object(members) => {
            let mut object = Map::new();
            for (key, node) in members {
                room.write_str(key).map_err(too_long)?;
                object.insert(key.clone(), eval(node, session, scope, room)?);
            }
            Ok(Value::Object(object))
        }
    }
}
