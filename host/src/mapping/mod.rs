//! jq expressions: `when`, `with`, `order-by`.
//!
//! [`Expr`] and [`Template`] are compiled once, when the configuration is read. A [`Scope`] is what they see. They are
//! evaluated by an [`Evaluator`], off the async threads (but for the plainest), and have no way to spin, grow or crash the host: every step
//! and every value is paid for from a budget ([`Limits`]), by a meter that they cannot catch.

mod access;
mod arithmetic;
mod diagnosis;
mod evaluator;
mod expr;
mod lookup;
mod meter;
mod natives;
mod order;
mod plain;
mod reads;
mod regex;
mod scope;
mod template;
mod text;
mod value;

#[cfg(test)]
mod tests;

pub use evaluator::{Evaluator, Plain, Session, evaluate};
pub use expr::{CompileError, Expr, MAX_SOURCE};
pub use lookup::{Lookup, member};
pub use reads::{Read, expressions, reads, reads_of_template};
pub use scope::{Scope, TooDeep};
pub use template::{Template, TemplateError, Written};

use std::time::Duration;

/// What one evaluation may use. All but the time are exact: the same expression and data end the same way on any host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Work of one expression, in units of about one byte allocated or eight read; a step of jq counts 128. It bounds
    /// the memory that an expression can hold, too.
    pub work: u64,
    /// Weight of one value: about the bytes of its JSON text.
    pub value: usize,
    /// Levels of arrays and objects within one another, in what expressions see and make.
    pub depth: usize,
    /// JSON text of a result, in bytes.
    pub output: usize,
    /// Processor time of one call of the [`Evaluator`].
    pub time: Duration,
}

impl Limits {
    /// 64 Mi units: half a million steps of jq.
    pub const WORK: u64 = 64 << 20;
    /// 16 MiB.
    pub const VALUE: usize = 16 << 20;
    /// 64 levels.
    pub const DEPTH: usize = 64;
    /// 1 MiB.
    pub const OUTPUT: usize = 1 << 20;
    /// 250 ms.
    pub const TIME: Duration = Duration::from_millis(250);
}

impl Default for Limits {
    fn default() -> Self {
        Self { work: Self::WORK, value: Self::VALUE, depth: Self::DEPTH, output: Self::OUTPUT, time: Self::TIME }
    }
}

/// Why an expression has no result. Only [`Overrun::Time`] and [`EvalError::Thread`] can end otherwise when tried again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EvalError {
    /// It raised an error; the text is jq's.
    #[error("{0}")]
    Raised(String),
    /// It gave nothing, like `empty`.
    #[error("the expression gave no value; it has to give exactly one")]
    NoOutput,
    /// It gave more than one value, like `.[]`.
    #[error("the expression gave more than one value; put it in [ ] for an array of them")]
    ManyOutputs,
    /// Its result is or holds `nan` or `infinite`.
    #[error("the expression gave a number that JSON has no text for (nan or infinite)")]
    NotJson,
    /// Its result is longer than [`Limits::output`].
    #[error("the expression gave more than {limit} bytes")]
    TooLong {
        /// The limit, bytes of JSON text.
        limit: usize,
    },
    /// It was stopped.
    #[error("the expression was stopped: {0}")]
    Overrun(Overrun),
    /// A function of the jq library broke.
    #[error("the expression broke a function of the jq library")]
    Broken,
    /// The operating system gave no thread to evaluate on.
    #[error("no thread to evaluate the expression on: {0}")]
    Thread(String),
}

/// The bound that an expression ran into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Overrun {
    /// [`Limits::work`].
    #[error("it takes too much work")]
    Work,
    /// [`Limits::time`].
    #[error("it takes too long")]
    Time,
    /// [`Limits::depth`].
    #[error("it makes a value that is nested too deeply")]
    Depth,
    /// [`Limits::value`].
    #[error("it makes a value that is too large")]
    Value,
    /// The stack.
    #[error("it calls itself too deeply")]
    Recursion,
}
