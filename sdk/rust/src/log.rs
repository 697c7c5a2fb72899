//! Lines for the people who look at the run. Put data into fields, not into the message; never secrets or payloads.
//!
//! ```no_run
//! # use sangam_sdk::prelude::*;
//! log::info("case is already closed", &[("case", &"500A"), ("attempt", &2)]);
//! ```

use std::fmt::Display;

use crate::imports;

pub use crate::bindings::log::Level;

/// Names and values.
pub type Fields<'a> = &'a [(&'a str, &'a dyn Display)];

/// Writes one line.
pub fn log(level: Level, message: &str, fields: Fields<'_>) {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.to_string())).collect();
    imports::log(level, message, &fields);
}

/// Every detail, for the author.
pub fn trace(message: &str, fields: Fields<'_>) {
    log(Level::Trace, message, fields);
}

/// What helps to find a mistake.
pub fn debug(message: &str, fields: Fields<'_>) {
    log(Level::Debug, message, fields);
}

/// What was done.
pub fn info(message: &str, fields: Fields<'_>) {
    log(Level::Info, message, fields);
}

/// What is odd and was coped with.
pub fn warn(message: &str, fields: Fields<'_>) {
    log(Level::Warn, message, fields);
}

/// What went wrong.
pub fn error(message: &str, fields: Fields<'_>) {
    log(Level::Error, message, fields);
}
