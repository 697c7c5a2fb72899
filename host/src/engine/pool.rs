//! Pools of places for instances, there before anybody calls: a fresh instance costs no system call for its memory.
//!
//! There are two, each with an engine of its own, so that neither kind of component can take what the other needs: one with many places for
//! small components, and one with fewer, larger ones for components that bring a runtime with them (Go, JavaScript, Python). Code is the same for both.

use std::num::NonZeroUsize;
use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use super::places::Places;
use super::state::HostState;
use super::{
    CALL_STACK, EngineError, GUEST_STACK, MAX_INSTANCES, MAX_MEMORIES, MAX_MEMORY, MAX_TABLE, MAX_TABLES, TICK, bindings, wasi, wasi_http,
};

/// How large a pool is.
#[derive(Debug)]
pub(super) struct Size {
    /// Calls at the same time, over all plugins. A component may take several places of these.
    pub(super) calls: u32,
    /// Memories of a call. Each reserves address space (4 GiB), of which there is no more than 128 TiB.
    pub(super) memories: u32,
    /// Tables of a call.
    pub(super) tables: u32,
    /// Bytes of a memory, from its beginning, that are made anew after a call rather than faulted in by the next one. Of a guest with a small stack that
    /// is all of it; a large stack comes first, and keeps what is used of the memory out.
    resident: usize,
    /// The same for tables.
    table_resident: usize,
    /// Places that keep their memory beyond which another component's are taken rather than new ones.
    kept: u32,
    is_big: bool,
}

pub(super) const SMALL: Size =
    Size { calls: 512, memories: 4, tables: 8, resident: 512 << 10, table_resident: 16 << 10, kept: 100, is_big: false };
/// A call of an interpreter touches some hundred pages all over its memory, and to fault them in takes several times as long as the call: so all of
/// it is kept, up to a bound, until nobody has called for a while ([`super::ahead`]).
pub(super) const BIG: Size =
    Size { calls: 128, memories: 2, tables: 16, resident: 20 << 20, table_resident: 64 << 10, kept: 16, is_big: true };

/// Instances that are taken apart beside other calls at the same time.
const TURNS: usize = 4;

/// An engine with its places.
pub(super) struct Pool {
    pub(super) wasmtime: wasmtime::Engine,
    pub(super) linker: Linker<HostState>,
    pub(super) places: Places,
    pub(super) size: &'static Size,
    /// Turns of making memory anew beside other calls.
    turns: Arc<Semaphore>,
}

impl Pool {
    pub(super) fn start(size: &'static Size) -> Result<Pool, EngineError> {
        let wasmtime = wasmtime::Engine::new(&configuration(Some(allocation(size)))).map_err(EngineError::start)?;
        let mut linker = Linker::new(&wasmtime);
        bindings::link(&mut linker).map_err(EngineError::start)?;
        wasi::link(&mut linker).map_err(EngineError::start)?;
        wasi_http::link(&mut linker).map_err(EngineError::start)?;
        start_ticker(&wasmtime).map_err(EngineError::start)?;
        Ok(Pool { wasmtime, linker, places: Places::new(size.calls), size, turns: Arc::new(Semaphore::new(TURNS)) })
    }

    /// A turn of taking an instance apart while its call's answer is on its way; `None`: that is done at once, since it takes no time, or since much of it
    /// waits already.
    pub(super) fn makes_anew_beside(&self) -> Option<OwnedSemaphorePermit> {
        if !self.is_big() {
            return None;
        }
        self.turns.clone().try_acquire_owned().ok()
    }

    /// Whether instances of its components are worth being made ahead.
    pub(super) fn is_big(&self) -> bool {
        self.size.is_big
    }
}

fn allocation(size: &Size) -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(size.calls)
        // Only counted: nothing is reserved for them.
        .total_core_instances(size.calls * MAX_INSTANCES)
        .total_memories(size.calls * size.memories)
        .total_tables(size.calls * size.tables)
        .total_stacks(size.calls)
        .max_core_instances_per_component(MAX_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(MAX_TABLE)
        .max_tables_per_module(MAX_TABLES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(size.resident)
        .table_keep_resident(size.table_resident)
        .async_stack_keep_resident(64 << 10)
        .max_unused_warm_slots(size.kept)
        // A place that waited for others to give memory back with them would be nobody's: a further one would be used meanwhile, and it would be
        // passed over when all is given back.
        .decommit_batch_size(1)
        // On wasmtime 48 it can show one instance another's pages (wasmtime #14357).
        .pagemap_scan(Enabled::No);
    pool
}

/// How code is compiled and run. Where it is compiled only, nothing needs a pool; the code is the same.
pub(super) fn configuration(pool: Option<PoolingAllocationConfig>) -> Config {
    let mut config = Config::new();
    config
        .wasm_component_model(true)
        .wasm_memory64(false)
        .wasm_multi_memory(true)
        .epoch_interruption(true)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_init_cow(true)
        .max_wasm_stack(GUEST_STACK)
        .async_stack_size(CALL_STACK)
        .wasm_backtrace_max_frames(NonZeroUsize::new(16))
        // Where in a module a trap was, and tables for debuggers of the host: a tenth of the code that would be read, checked and kept.
        .generate_address_map(false)
        .native_unwind_info(false);
    if let Some(pool) = pool {
        config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    }
    config
}

/// One ticker for the engine, on a thread of its own: on a busy runtime it would starve, and with it every deadline. It ends with the engine.
fn start_ticker(engine: &wasmtime::Engine) -> std::io::Result<()> {
    let weak = engine.weak();
    std::thread::Builder::new().name("epoch".to_owned()).spawn(move || {
        loop {
            std::thread::sleep(TICK);
            let Some(engine) = weak.upgrade() else { break };
            engine.increment_epoch();
        }
    })?;
    Ok(())
}
