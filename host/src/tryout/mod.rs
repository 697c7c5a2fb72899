//! Tried out without effects: an expression on a sample, or whole routes on a sample event. Nothing is sent that writes, nothing is stored, nothing
//! is counted.
//!
//! Expressions go through the host's evaluator with its budget, plugins through the engine with their present grants and limits ([`DryRun`]).
//!
//! [`DryRun`]: crate::worker::DryRun

mod expression;
mod route;

pub use expression::{Asked, Tested, Trouble, test};
pub use route::{Tryout, unconfigured};
