//! wasmtime, and nothing of it outside this module: compile, cache, link, instantiate, limit, call.
//!
//! Whatever a plugin does leaves here as a value ([`CallEnd`]), never as a panic of the host. Each call has a fresh instance: its own memory,
//! deadline, memory ceiling and effects. Guests run on threads of their own, so that one that spins delays no answer of the host.

mod bindings;
mod cache;
mod call;
mod component;
mod http;
mod key_value;
mod limits;
mod log;
mod state;
mod warm;
mod wasi;

pub use call::{Call, CallEnd, CallOutcome, PluginFailure, PluginFailureKind, PolledPage};
pub use component::LoadedComponent;

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use wasmtime::component::Linker;
use wasmtime::{Config, Enabled, InstanceAllocationStrategy, OptLevel, PoolingAllocationConfig};

use cache::Cache;
use state::HostState;

/// How often running guests are looked at: the grain of `limits.cpu`.
const TICK: Duration = Duration::from_millis(5);
/// Calls at the same time, over all plugins.
const MAX_CALLS: u32 = 512;
/// Core instances at the same time: a Rust guest takes one, a Python guest 38.
const MAX_CORE_INSTANCES: u32 = 2048;
/// Largest linear memory that any plugin can be given.
pub const MAX_MEMORY: usize = 1 << 30;
/// Stack of guest code.
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
    guests: Option<tokio::runtime::Runtime>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Engine").finish_non_exhaustive()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        // A runtime must not be waited for from within another: what still runs in guests is abandoned.
        if let Some(guests) = self.guests.take() {
            guests.shutdown_background();
        }
    }
}

impl Engine {
    /// Starts an engine. Compiled code is kept in `cache`, authenticated with `cache_secret`; without a folder it is not kept.
    ///
    /// # Errors
    /// [`EngineError::Start`]: not on this machine.
    pub fn start(cache: Option<PathBuf>, cache_secret: [u8; 32]) -> Result<Engine, EngineError> {
        let wasmtime = wasmtime::Engine::new(&configuration()).map_err(EngineError::start)?;
        let mut linker = Linker::new(&wasmtime);
        bindings::link(&mut linker).map_err(EngineError::start)?;
        wasi::link(&mut linker).map_err(EngineError::start)?;
        let guests = tokio::runtime::Builder::new_multi_thread().thread_name("guest").enable_all().build().map_err(EngineError::start)?;
        start_ticker(&wasmtime).map_err(EngineError::start)?;
        let cache = Cache::new(cache, cache_secret, &wasmtime);
        Ok(Engine(Arc::new(Inner { wasmtime, linker, cache, guests: Some(guests) })))
    }

    fn guests(&self) -> &tokio::runtime::Handle {
        self.0.guests.as_ref().expect("the runtime lives as long as the engine").handle()
    }
}

fn configuration() -> Config {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(MAX_CALLS)
        .total_core_instances(MAX_CORE_INSTANCES)
        .total_memories(MAX_CORE_INSTANCES)
        .total_tables(2 * MAX_CORE_INSTANCES)
        .total_stacks(MAX_CALLS)
        .max_core_instances_per_component(64)
        .max_memories_per_component(32)
        .max_tables_per_component(64)
        .max_core_instance_size(4 << 20)
        .max_component_instance_size(4 << 20)
        .table_elements(100_000)
        .max_tables_per_module(2)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(256 << 10)
        .table_keep_resident(16 << 10)
        .async_stack_keep_resident(64 << 10)
        .decommit_batch_size(32)
        // On wasmtime 48 it can show one instance another's pages (wasmtime #14357).
        .pagemap_scan(Enabled::No);
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
        .allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
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
