//! Memory, tables and processor time of one call, and which limit ended it.

use wasmtime::component::ResourceTableError;
use wasmtime::{ResourceLimiter, Trap, UpdateDeadline};

use super::meter::{Meter, Spent};
use super::wasi_http::TooMuchHeld;
use super::{GUEST_STACK, MAX_INSTANCES, MAX_MEMORIES, MAX_TABLES};
use crate::config;

/// Ceilings of one call and what it has used.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    config: config::Limits,
    meter: Meter,
    memory_used: usize,
    elements_used: usize,
    refused: Option<Refused>,
}

/// What a plugin asked for more of than it may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Memory,
    Elements,
    Time,
}

impl Limits {
    pub(super) fn new(config: &config::Limits, meter: Meter) -> Limits {
        Limits { config: *config, meter, memory_used: 0, elements_used: 0, refused: None }
    }

    /// Bytes of memory that the instance has. It never gives any back.
    pub(super) fn memory_used(&self) -> usize {
        self.memory_used
    }

    /// For another call of the same instance, which keeps its memory and tables.
    pub(super) fn renew(&mut self, config: &config::Limits, meter: Meter) {
        *self = Limits { memory_used: self.memory_used, elements_used: self.elements_used, ..Limits::new(config, meter) };
    }

    /// Called at each tick that finds the guest running (or that passed while it waited for the host: then once).
    pub(super) fn tick(&mut self) -> UpdateDeadline {
        if self.meter.is_spent() {
            self.refused = Some(Refused::Time);
            return UpdateDeadline::Interrupt;
        }
        // A plain yield may be polled again at once and starve the timers (wasmtime, spin #3278).
        UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
    }

    /// The limit that ended the call, in words with its option; `None`: it was something else.
    pub(super) fn reached(&self, error: &wasmtime::Error) -> Option<String> {
        let config = &self.config;
        if self.refused == Some(Refused::Time) || error.is::<Spent>() {
            return Some(format!("it used up its {:?} of processor time (limits.cpu)", config.cpu));
        }
        if error.downcast_ref::<ResourceTableError>().is_some_and(|error| matches!(error, ResourceTableError::Full)) {
            return Some(self.handles());
        }
        if error.is::<TooMuchHeld>() {
            let most = config.host_call_size;
            return Some(format!("it has the host hold more than {most} bytes of headers and bodies (limits.host-call-size)"));
        }
        // Of these the engine has no types.
        let text = format!("{error:#}");
        if text.contains("store handle limit exceeded") {
            return Some(self.handles());
        }
        if text.contains("fuel allocated for hostcalls has been exhausted") {
            let most = config.host_call_size;
            return Some(format!("one call of the host, or its answer, holds more than {most} bytes (limits.host-call-size)"));
        }
        match (error.downcast_ref::<Trap>(), self.refused) {
            (Some(Trap::StackOverflow), _) => {
                Some(format!("its call stack overflowed the {} KiB that every plugin has", GUEST_STACK >> 10))
            }
            (_, Some(Refused::Memory)) => Some(format!("it asked for more than its {} bytes of memory (limits.memory)", config.memory)),
            (_, Some(Refused::Elements)) => {
                Some(format!("it asked for more than its {} table elements (limits.table-elements)", config.table_elements))
            }
            _ => None,
        }
    }

    fn handles(&self) -> String {
        format!("it holds more than its {} resources at once (limits.handles)", self.config.handles)
    }
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Of all memories of the call together.
        let used = self.memory_used.saturating_add(desired.saturating_sub(current));
        if used > self.config.memory {
            self.refused = Some(Refused::Memory);
            return Ok(false);
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        let used = self.elements_used.saturating_add(desired.saturating_sub(current));
        if used > self.config.table_elements {
            self.refused = Some(Refused::Elements);
            return Ok(false);
        }
        self.elements_used = used;
        Ok(true)
    }

    fn instances(&self) -> usize {
        MAX_INSTANCES as usize
    }

    fn tables(&self) -> usize {
        MAX_TABLES as usize
    }

    fn memories(&self) -> usize {
        MAX_MEMORIES as usize
    }
}
