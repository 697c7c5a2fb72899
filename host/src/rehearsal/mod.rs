//! Connectors played against systems that are not there: everything is the host's own (engine, journal, grants, limits, store, run), but
//! the network, the time and the dice.
//!
//! A [`Case`] says what is asked of a connector, what the systems answer, and what is to come of it; [`Script`] answers from it, in place of
//! the network. A [`Stage`] is a host in a folder of its own on which one run after another is played, with a [`Fault`] put at any request or
//! the instance dropped in the middle. [`trial`] judges cases, [`certificate`] whole connectors. [`openapi`] answers from a description
//! instead, and [`recorder`] asks the real system and makes a case of it.

mod case;
mod difference;
mod fault;
mod generate;
mod pattern;
mod reading;
mod recorder;
mod script;
mod stage;

pub mod certificate;
pub mod openapi;
pub mod trial;

pub use case::{Case, CaseError, Context, Exchange, Expectation, FoundCases, OnDoubt, PollCase};
pub use certificate::{Certificate, Check, Effort};
pub use fault::{Fault, Injection};
pub use openapi::{Described, Description, DescriptionError, Descriptions};
pub use reading::{PlayedPage, Read};
pub use recorder::{Recorder, expectation};
pub use script::{Script, Seen, Teaching};
pub use stage::{Cast, Play, Played, PlayedAttempt, Project, Stage, StageError};

/// The JSON Schema of case files: what `sangam schema case` prints.
pub const CASE_SCHEMA: &str = include_str!("case.schema.json");
