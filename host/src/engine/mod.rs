//! wasmtime, and nothing of it outside this module: compile, cache, link, instantiate, limit, call.
//!
//! Whatever a plugin does leaves here as a value ([`CallEnd`]), never as a panic of the host. Each call has a fresh instance: its own memory,
//! deadline, memory ceiling and effects. Guests run on threads of their own, so that one that spins delays no answer of the host.

mod ahead;
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
mod pace;
mod places;
mod pool;
mod progress;
mod shelves;
mod state;
mod tools;
mod warm;
mod wasi;
mod wasi_http;

pub use call::{Call, CallEnd, CallOutcome, InboundRequest, PluginFailure, PluginFailureKind, PolledPage, ReceivedEvents};
pub use compiler::{VERB as COMPILER, serve as serve_compiler};
pub use component::LoadedComponent;
pub use progress::Progress;
pub use tools::cache_of_the_user;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::OnceCell;

use ahead::Stock;
use cache::Cache;
use compiler::Compiler;
use lanes::Lanes;
use pool::{Pool, configuration};
use shelves::Shelves;

use crate::config;

/// How often running guests are looked at: the grain of `limits.cpu`.
const TICK: Duration = Duration::from_millis(5);
/// From here on a component is a big one: with its own runtime or interpreter in it, as those in Go, JavaScript and Python are.
pub(crate) const BIG: usize = 1 << 20;
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
    small: Arc<Pool>,
    /// Of components with a whole interpreter or runtime in them: made when the first of them is loaded.
    big: OnceCell<Arc<Pool>>,
    cache: Cache,
    compiler: Compiler,
    lanes: Lanes,
    shelves: Shelves,
    stock: Stock,
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
        let small = Arc::new(Pool::start(&pool::SMALL)?);
        let lanes = Lanes::start().map_err(EngineError::start)?;
        let cache = Cache::new(cache, cache_secret, limits.cache_size, &small.wasmtime);
        let compiler = Compiler::new(limits);
        let (big, shelves, stock) = (OnceCell::new(), Shelves::default(), Stock::new(limits));
        Ok(Engine(Arc::new(Inner { small, big, cache, compiler, lanes, shelves, stock, progress })))
    }

    /// Where instances of a component of that size live.
    async fn pool_for(&self, bytes: usize) -> Result<Arc<Pool>, EngineError> {
        if bytes < BIG {
            return Ok(self.0.small.clone());
        }
        let start = async || self.off_thread("", |_, _| Pool::start(&pool::BIG).map(Arc::new)).await;
        self.0.big.get_or_try_init(start).await.cloned()
    }
}

/// Components that are loaded at the same time: as many as are compiled, and a few that are only read.
pub fn loads_at_once(limits: &config::Engine) -> usize {
    compiler::at_once(limits).max(LOADS)
}
