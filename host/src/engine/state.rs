//! What belongs to one call: the attempt it acts through, its limits, and the little of WASI that it gets.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxView, WasiView};

use super::limits::Limits;
use super::meter::Meter;
use super::wasi;
use super::wasi_http::Room;
use crate::attempt::{Attempt, AttemptId, Break, KeyedRandom, LogBuffer, Present, Surroundings, VirtualClock};
use crate::config;

/// The data of a wasmtime store.
pub(super) struct HostState {
    /// `None` while the plugin describes itself, when every import of the contract traps, and while an instance waits for its call.
    pub(super) attempt: Option<Box<Attempt>>,
    pub(super) limits: Limits,
    pub(super) present: Present,
    pub(super) room: Room,
    table: ResourceTable,
    /// Made when the guest asks for something of WASI: most never do.
    wasi: Option<WasiCtx>,
}

impl HostState {
    pub(super) fn new(attempt: Box<Attempt>, config: &config::Limits, meter: &Meter) -> HostState {
        let present = Present::new(attempt.surroundings().clone());
        let limits = Limits::new(config, meter.clone());
        HostState { attempt: Some(attempt), limits, present, room: Room::new(config), table: table(config), wasi: None }
    }

    /// Makes the state of an instance that was reused, or made ahead, that of an attempt.
    pub(super) fn begin(&mut self, attempt: Box<Attempt>, config: &config::Limits, meter: &Meter) {
        self.present.set(attempt.surroundings().clone());
        self.attempt = Some(attempt);
        self.limits.renew(config, meter.clone());
        self.table.set_max_capacity(config.handles);
        self.room.resize(config);
    }

    /// Nobody's: the clock stands at 1970 and ticks, random bytes are the same each time, output goes nowhere.
    pub(super) fn describing(config: &config::Limits, meter: &Meter) -> HostState {
        let nobody = AttemptId {
            run: String::new(),
            root: String::new(),
            fence: 0,
            step: String::new(),
            round: 0,
            number: 0,
            plugin: String::new(),
            component: String::new(),
        };
        let random = KeyedRandom::new(&[0; 32], &nobody);
        let present = Present::new(Surroundings::new(VirtualClock::new(jiff::Timestamp::UNIX_EPOCH), &random, LogBuffer::new(0)));
        let limits = Limits::new(config, meter.clone());
        HostState { attempt: None, limits, present, room: Room::new(config), table: table(config), wasi: None }
    }

    /// The resources that the guest has of the host.
    pub(super) fn table(&mut self) -> &mut ResourceTable {
        &mut self.table
    }

    pub(super) fn attempt(&mut self) -> wasmtime::Result<&mut Attempt> {
        self.attempt.as_deref_mut().ok_or_else(|| wasmtime::Error::msg("describe may call no import"))
    }
}

fn table(config: &config::Limits) -> ResourceTable {
    let mut table = ResourceTable::new();
    table.set_max_capacity(config.handles);
    table
}

impl WasiView for HostState {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let HostState { present, table, wasi: made, .. } = self;
        WasiCtxView { ctx: made.get_or_insert_with(|| wasi::context(present)), table }
    }
}

/// Breaks a call off; found again at its end.
pub(super) fn broken(why: Break) -> wasmtime::Error {
    wasmtime::Error::new(why)
}
