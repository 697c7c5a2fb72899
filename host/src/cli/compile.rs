//! `sangam compile-component`: not for people. See `engine::serve_compiler`.

use std::time::Duration;

use super::Failure;
use crate::engine::{self, EngineError};

/// A component comes in through standard input and leaves through standard output as compiled code.
#[derive(Debug, clap::Args)]
pub(super) struct Compile {
    /// Bytes of memory that it may take
    memory: u64,
    /// Seconds that it may take
    seconds: u64,
}

impl Compile {
    pub(super) fn run(self) -> Result<(), Failure> {
        engine::serve_compiler(self.memory, Duration::from_secs(self.seconds)).map_err(|error| match error {
            // The host says what it was doing.
            EngineError::Compile(why) => Failure::Failed(why),
            other => Failure::failed(other),
        })
    }
}
