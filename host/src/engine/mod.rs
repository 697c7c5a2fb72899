//! wasmtime, and nothing of it outside this module: compile, cache, link, instantiate, limit, call.
//!
//! Whatever a plugin does leaves here as a value ([`CallEnd`]), never as a panic of the host. Each call has a fresh instance: its own memory,
//! deadline, memory ceiling and effects. Guests run on threads of their own, so that one that spins delays no answer of the host.

mod bindings;
mod cache;
mod call;
mod compiler;
mod component;
mod http;
mod key_value;
mod lanes;
mod limits;
mod log;
mod meter;
mod places;
mod progress;
mod shelves;
mod state;
mod tools;
mod warm;
mod wasi;
mod wasi_http;

pub use call::{Call, CallEnd, CallOutcome, PluginFailure, PluginFailureKind, PolledPage};
pub use compiler::{VERB as COMPILER, serve as serve_compiler};
pub use component::LoadedComponent;
pub use progress::Progress;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use cache::Cache;
use compiler::Compiler;
use lanes::Lanes;
use places::Places;
use shelves::Shelves;
use state::HostState;

use crate::config;

/// How often running guests are looked at: the grain of `limits.cpu`.
const TICK: Duration = Duration::from_millis(5);
/// Calls at the same time, over all plugins.
const MAX_CALLS: u32 = 512;
/// Memories at the same time, and half the tables: each reserves address space (4 GiB), of which there is no more than 128 TiB.
const MAX_POOLED_MEMORIES: u32 = 2048;
/// Core instances of a component: a Rust guest takes one, a Python guest 38.
const MAX_INSTANCES: u32 = 64;
/// Memories of a component.
const MAX_MEMORIES: u32 = 32;
/// Tables of a component.
const MAX_TABLES: u32 = 64;
/// Largest linear memory that any plugin can be given.
pub const MAX_MEMORY: usize = 1 << 30;
/// Elements of the largest table that any plugin can be given.
const MAX_TABLE: usize = 1_000_000;
/// Components read from the cache at the same time.
const LOADS: usize = 4;
/// Stack of guest code. The same for all: it is compiled into the code, and set once for an engine.
const GUEST_STACK: usize = 512 << 10;
/// Stack of a call, host functions included.
const CALL_STACK: usize = 2 << 20;

/// Why the engine or a component in it can't be used.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine can't start on this machine.
    #[error("can't start the WebAssembly engine: {0}")]
    Start(String),
    /// The component is valid but can't be compiled or linked.
    #[error("can't compile the component: {0}")]
    Compile(String),
    /// `describe` failed.
    #[error("the plugin does not describe itself: {0}")]
    Describe(String),
}

impl EngineError {
    fn start(error: impl std::fmt::Display) -> EngineError {
        EngineError::Start(format!("{error:#}"))
    }

    fn compile(error: impl std::fmt::Display) -> EngineError {
        EngineError::Compile(format!("{error:#}"))
    }
}

/// The engine. Cheap to clone.
#[derive(Clone)]
pub struct Engine(Arc<Inner>);

struct Inner {
    wasmtime: wasmtime::Engine,
    linker: Linker<HostState>,
    cache: Cache,
    compiler: Compiler,
    lanes: Lanes,
    places: Places,
    shelves: Shelves,
    progress: Progress,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Engine {
    /// Starts an engine. Compiled code is kept in `cache`, authenticated with `cache_secret`; without a folder it is not kept. What takes long
    /// is said to `progress`.
    ///
    /// # Errors
    /// [`EngineError::Start`]: not on this machine.
    pub fn start(
        cache: Option<PathBuf>,
        cache_secret: [u8; 32],
        limits: &config::Engine,
        progress: Progress,
    ) -> Result<Engine, EngineError> {
        let wasmtime = wasmtime::Engine::new(&configuration(Some(pool()))).map_err(EngineError::start)?;
        let mut linker = Linker::new(&wasmtime);
        bindings::link(&mut linker).map_err(EngineError::start)?;
        wasi::link(&mut linker).map_err(EngineError::start)?;
        wasi_http::link(&mut linker).map_err(EngineError::start)?;
        let lanes = Lanes::start().map_err(EngineError::start)?;
        start_ticker(&wasmtime).map_err(EngineError::start)?;
        let cache = Cache::new(cache, cache_secret, limits.cache_size, &wasmtime);
        let (compiler, places) = (Compiler::new(limits), Places::new(MAX_CALLS));
        let shelves = Shelves::default();
        Ok(Engine(Arc::new(Inner { wasmtime, linker, cache, compiler, lanes, places, shelves, progress })))
    }
}

/// Components that are loaded at the same time: as many as are compiled, and a few that are only read.
pub fn loads_at_once(limits: &config::Engine) -> usize {
    compiler::at_once(limits).max(LOADS)
}

/// Places that are there before anybody calls: a fresh instance costs no system call for its memory.
fn pool() -> PoolingAllocationConfig {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_CALLS)
        // Only counted: nothing is reserved for them.
        .total_core_instances(MAX_CALLS * MAX_INSTANCES)
        .total_memories(MAX_POOLED_MEMORIES)
        .total_tables(2 * MAX_POOLED_MEMORIES)
        .total_stacks(MAX_CALLS)
        .max_core_instances_per_component(MAX_INSTANCES)
        .max_memories_per_component(MAX_MEMORIES)
        .max_tables_per_component(MAX_TABLES)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(MAX_TABLE)
        .max_tables_per_module(MAX_TABLES)
        .max_memories_per_module(MAX_MEMORIES)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(64 << 10)
        .decommit_batch_size(32)
        // On wasmtime 48 it can show one instance another's pages (wasmtime #14357).
        .pagemap_scan(Enabled::No);
    pool
}

/// How code is compiled and run. Where it is compiled only, nothing needs a pool; the code is the same.
fn configuration(pool: Option<PoolingAllocationConfig>) -> Config {
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
