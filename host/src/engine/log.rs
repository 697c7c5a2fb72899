//! Import `log`.

use super::bindings::log::{Host, Level};
use super::state::HostState;
use crate::attempt;

impl Host for HostState {
    async fn log(&mut self, level: Level, message: String, fields: Vec<(String, String)>) -> wasmtime::Result<()> {
        let level = match level {
            Level::Trace => attempt::Level::Trace,
            Level::Debug => attempt::Level::Debug,
            Level::Info => attempt::Level::Info,
            Level::Warn => attempt::Level::Warn,
            Level::Error => attempt::Level::Error,
        };
        self.attempt()?.log().add(level, &message, fields);
        Ok(())
    }
}
