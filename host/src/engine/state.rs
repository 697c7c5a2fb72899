//! What belongs to one call: the attempt it acts through, its limits, and the little of WASI that it gets.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::limits::Limits;
use super::wasi;
use crate::attempt::{Attempt, Break, VirtualClock};

/// Most resources (streams, pollables) of a call.
const MAX_RESOURCES: usize = 1000;

/// The data of a wasmtime store.
pub(super) struct HostState {
    /// `None` while the plugin describes itself: then every import traps.
    pub(super) attempt: Option<Attempt>,
    pub(super) limits: Limits,
    pub(super) clock: VirtualClock,
    table: ResourceTable,
    wasi: WasiCtx,
}

impl HostState {
    pub(super) fn new(attempt: Attempt, limits: Limits) -> HostState {
        let clock = attempt.clock().clone();
        let wasi = wasi::context(attempt.log(), &clock, attempt.random());
        HostState { attempt: Some(attempt), limits, clock, table: table(), wasi }
    }

    pub(super) fn describing(limits: Limits) -> HostState {
        HostState {
            attempt: None,
            limits,
            clock: VirtualClock::new(jiff::Timestamp::UNIX_EPOCH),
            table: table(),
            wasi: WasiCtx::builder().build(),
        }
    }

    pub(super) fn attempt(&mut self) -> wasmtime::Result<&mut Attempt> {
        self.attempt.as_mut().ok_or_else(|| wasmtime::Error::msg("describe may call no import"))
    }
}

fn table() -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(MAX_RESOURCES);
    table
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// Breaks a call off; found again at its end.
pub(super) fn broken(why: Break) -> wasmtime::Error {
    wasmtime::Error::new(why)
}
