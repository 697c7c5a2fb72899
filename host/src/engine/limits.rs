//! Memory, tables and processor time of one call.

use std::time::Duration;

use wasmtime::{ResourceLimiter, UpdateDeadline};

use super::TICK;

/// Most elements of a table.
const MAX_TABLE: usize = 100_000;

/// Ceilings of one call and what it has used.
#[derive(Debug, Clone)]
pub(super) struct Limits {
    memory: usize,
    ticks: u64,
    ticks_used: u64,
    memory_used: usize,
    /// The plugin asked for more memory than it may have.
    pub(super) memory_refused: bool,
    /// The plugin used up its processor time.
    pub(super) cpu_spent: bool,
}

impl Limits {
    pub(super) fn new(memory: usize, cpu: Duration) -> Limits {
        Limits { memory, ticks: ticks(cpu), ticks_used: 0, memory_used: 0, memory_refused: false, cpu_spent: false }
    }

    /// For another call of the same instance, which keeps its memory.
    pub(super) fn renew(&mut self, memory: usize, cpu: Duration) {
        *self = Limits { memory_used: self.memory_used, ..Limits::new(memory, cpu) };
    }

    /// Time spent in guest code, in whole ticks.
    pub(super) fn cpu_used(&self) -> Duration {
        TICK * u32::try_from(self.ticks_used).unwrap_or(u32::MAX)
    }

    /// Called at each tick that finds the guest running (or that passed while it waited for the host: then once).
    pub(super) fn tick(&mut self) -> UpdateDeadline {
        self.ticks_used += 1;
        if self.ticks_used > self.ticks {
            self.cpu_spent = true;
            return UpdateDeadline::Interrupt;
        }
        // A plain yield may be polled again at once and starve the timers (wasmtime, spin #3278).
        UpdateDeadline::YieldCustom(1, Box::pin(tokio::task::yield_now()))
    }
}

fn ticks(cpu: Duration) -> u64 {
    u64::try_from(cpu.as_nanos().div_ceil(TICK.as_nanos()).max(1)).unwrap_or(u64::MAX)
}

impl ResourceLimiter for Limits {
    fn memory_growing(&mut self, current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        // Of all memories of the call together.
        let used = self.memory_used.saturating_add(desired.saturating_sub(current));
        if used > self.memory {
            self.memory_refused = true;
            return Ok(false);
        }
        self.memory_used = used;
        Ok(true)
    }

    fn table_growing(&mut self, _current: usize, desired: usize, _maximum: Option<usize>) -> wasmtime::Result<bool> {
        Ok(desired <= MAX_TABLE)
    }

    fn instances(&self) -> usize {
        64
    }

    fn tables(&self) -> usize {
        64
    }

    fn memories(&self) -> usize {
        32
    }
}
