//! One jq expression, compiled.

use std::fmt;
use std::ops::Range;

use jaq_core::load::{Arena, File, Loader, import};
use jaq_core::{Compiler, Ctx, Filter, Vars};

use super::natives::{Metered, Sandbox, definitions, functions};
use super::text::{Room, write_json};
use super::value::Val;
use super::{EvalError, Limits, Scope, access, diagnosis, evaluator, plain};

/// Longest expression, in bytes. It bounds the recursion of jq's parser.
pub const MAX_SOURCE: usize = 16 << 10;

/// Why an expression doesn't compile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct CompileError {
    /// Where in the source, in bytes; empty at the end of it.
    pub range: Range<usize>,
    /// What is wrong, for a person.
    pub message: String,
}

/// A jq expression that compiles.
pub struct Expr {
    source: String,
    /// Terms of a plain expression ([`plain`]).
    terms: Option<usize>,
    /// Of a path of names ([`plain::names`]).
    names: Option<Vec<String>>,
    filter: Filter<Sandbox>,
}

impl fmt::Debug for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expr").field(&self.source).finish()
    }
}

impl PartialEq for Expr {
    /// The source decides.
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

impl Eq for Expr {}

impl Expr {
    /// Compiles jq.
    pub fn compile(source: &str) -> Result<Self, CompileError> {
        evaluator::on_large_stack(|| Self::compile_here(source))
            .unwrap_or_else(|error| Err(CompileError { range: 0..source.len(), message: error.to_string() }))
    }

    /// As it was written.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its terms, if it is plain.
    pub(super) fn terms(&self) -> Option<usize> {
        self.terms
    }

    /// Its names, if it is a path of names such as `.event.data.id`: it sees nothing but what stands there.
    pub fn path(&self) -> Option<&[String]> {
        self.names.as_deref()
    }

    /// Evaluates it on a thread of its own while this one waits, without a limit of time. For commands and tests; the
    /// host has an [`Evaluator`](super::Evaluator).
    pub fn eval(&self, scope: &Scope, limits: &Limits) -> Result<serde_json::Value, EvalError> {
        evaluator::evaluate(limits, |session| session.expr(self, scope))
    }

    /// Compiles on this thread, which has a large stack.
    pub(super) fn compile_here(source: &str) -> Result<Self, CompileError> {
        if source.len() > MAX_SOURCE {
            let message = format!("an expression has at most {MAX_SOURCE} bytes");
            return Err(CompileError { range: 0..source.len(), message });
        }
        let arena = Arena::default();
        let modules =
            Loader::new(definitions()).load(&arena, File { code: source, path: () }).map_err(|errors| diagnosis::load(source, errors))?;
        // The loader refuses modules of code by itself, and those of data are refused here.
        import(&modules, |_| Err(String::new())).map_err(|errors| diagnosis::load(source, errors))?;
        let filter = Compiler::default().with_funs(functions()).compile(modules).map_err(|errors| diagnosis::compile(source, errors))?;
        Ok(Self { source: source.to_owned(), terms: plain::terms(source), names: plain::names(source), filter })
    }

    /// Its one value, on this thread, within a meter.
    pub(super) fn run(&self, input: Val, limits: &Limits) -> Result<Val, EvalError> {
        let value = match self.names.as_ref().and_then(|names| at(&input, names)) {
            Some(value) => value,
            None => self.interpreted(input)?,
        };
        // A character takes six bytes at most, and the weight counts more than the punctuation for each value.
        if value.weight().saturating_mul(6) > limits.output {
            write_json(&value, &mut Room(limits.output)).map_err(|_| EvalError::TooLong { limit: limits.output })?;
        }
        Ok(value)
    }

    fn interpreted(&self, input: Val) -> Result<Val, EvalError> {
        let context = Ctx::<Sandbox>::new(Metered(&self.filter.lut), Vars::new([]));
        let mut outputs = self.filter.id.run((context, input));
        let value = match outputs.next() {
            None => return Err(EvalError::NoOutput),
            Some(Ok(value)) => value,
            Some(Err(exception)) => {
                // Tail calls and breaks are resolved within the filter, and `halt` doesn't compile.
                return Err(exception.get_err().map_or(EvalError::Broken, |error| EvalError::Raised(access::message(error))));
            }
        };
        if outputs.next().is_some() {
            return Err(EvalError::ManyOutputs);
        }
        Ok(value)
    }
}

/// The value at a path of names; `None`: something on the way has no members, and the interpreter has more to say about that.
fn at(input: &Val, names: &[String]) -> Option<Val> {
    let mut value = input;
    for name in names {
        match value {
            Val::Obj(obj) => match obj.members().get(name) {
                Some(member) => value = member,
                None => return Some(Val::Null),
            },
            Val::Null => return Some(Val::Null),
            Val::Bool(_) | Val::Num(_) | Val::Str(_) | Val::Arr(_) => return None,
        }
    }
    Some(value.clone())
}
