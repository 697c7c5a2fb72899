//! A component made ready: compiled and linked, one instantiation away from a call.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wasmtime::component::Component;

use super::ahead::Ahead;
use super::bindings::{batching, connector, source};
use super::cache::Claim;
use super::call::{store, within};
use super::meter::Meter;
use super::pace::Pace;
use super::places::{Needs, Tenant};
use super::pool::Pool;
use super::progress::{named, telling};
use super::state::HostState;
use super::warm::WarmInstances;
use super::{Engine, EngineError};
use crate::config;

/// Between two looks whether another process has compiled what is needed.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Bytes of a page, in which components say how much memory they need.
const PAGE: u64 = 64 << 10;

/// Ready to be called. Cheap to clone; clones are the same.
#[derive(Clone)]
pub struct LoadedComponent {
    pub(super) code: Arc<Code>,
    pub(super) warm: Arc<WarmInstances>,
    pub(super) ahead: Arc<Ahead>,
    pub(super) tenant: Tenant,
    pub(super) pace: Pace,
}

/// Code that is compiled and linked. Plugins with the same component share it: nothing that a call leaves behind is in it.
pub(super) struct Code {
    linked: Mutex<Arc<Linked>>,
    digest: String,
    pub(super) pool: Arc<Pool>,
    /// Bytes of the largest memory of an instance, to begin with.
    pub(super) memory: u64,
    needs: Needs,
}

/// What instances are made from.
pub(super) struct Linked {
    pub(super) connector: Option<connector::ConnectorPre<HostState>>,
    pub(super) source: Option<source::SourcePre<HostState>>,
    /// It has actions that take several invocations at once.
    pub(super) batching: Option<batching::BatchingPre<HostState>>,
}

impl Code {
    /// What instances are made from now.
    pub(super) fn linked(&self) -> Arc<Linked> {
        self.linked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl std::fmt::Debug for LoadedComponent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let linked = self.code.linked();
        formatter
            .debug_struct("LoadedComponent")
            .field("actions", &linked.connector.is_some())
            .field("events", &linked.source.is_some())
            .finish()
    }
}

impl LoadedComponent {
    /// Whether it exports `batches`.
    pub fn takes_batches(&self) -> bool {
        self.code.linked().batching.is_some()
    }
}

impl Engine {
    /// Compiles a component (or takes it from the cache) and links it. `name` is its name for people.
    ///
    /// `bytes` must have been inspected by the registry; `digest` is theirs.
    pub async fn load(&self, name: &str, digest: &str, bytes: &[u8]) -> Result<LoadedComponent, EngineError> {
        let shelf = self.0.shelves.of(digest);
        // Who asks for the same meanwhile gets the same.
        let mut shelf = shelf.lock().await;
        let code = match shelf.upgrade() {
            Some(code) => code,
            None => {
                let pool = self.pool_for(bytes.len()).await?;
                let component = self.compiled(&pool, &named(name, bytes.len()), digest, bytes).await?;
                let code = Arc::new(self.off_thread(digest, move |_, digest| code(&pool, &component, digest)).await?);
                *shelf = Arc::downgrade(&code);
                code
            }
        };
        let tenant = Tenant::new(code.needs);
        Ok(LoadedComponent {
            warm: Arc::default(),
            ahead: Arc::new(Ahead::new(code.clone(), tenant.clone())),
            tenant,
            pace: Pace::unknown(),
            code,
        })
    }

    /// Gives back what is kept of the memories of a component's instances for the next ones: the pool does so when nothing is left that was made from what
    /// it knows the component by, so that is made anew from the cache. Without a cache it is kept.
    pub(super) async fn rest(&self, code: &Code) {
        let pool = code.pool.clone();
        let anew = self.off_thread(&code.digest, move |engine, digest| match engine.0.cache.component(&pool.wasmtime, &digest) {
            Some(component) => link(&pool, &component).map(Some),
            None => Ok(None),
        });
        match anew.await {
            Ok(Some(linked)) => *code.linked.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(linked),
            Ok(None) => {}
            Err(error) => tracing::debug!(error = crate::telemetry::chain(&error), "the memory of idle instances is kept"),
        }
    }

    /// From the cache; if it is not there, by the one process that compiles it.
    async fn compiled(&self, pool: &Arc<Pool>, what: &str, digest: &str, bytes: &[u8]) -> Result<Component, EngineError> {
        if let Some(component) = self.cached(pool, digest).await? {
            return Ok(component);
        }
        let (_claim, waited) = self.claim(what, digest).await?;
        if waited && let Some(component) = self.cached(pool, digest).await? {
            return Ok(component);
        }
        let code = self.0.compiler.compile(&pool.wasmtime, what, bytes, &self.0.progress).await?;
        let pool = pool.clone();
        self.off_thread(digest, move |engine, digest| engine.0.cache.take(&pool.wasmtime, &digest, &code)).await
    }

    async fn cached(&self, pool: &Arc<Pool>, digest: &str) -> Result<Option<Component>, EngineError> {
        let pool = pool.clone();
        self.off_thread(digest, move |engine, digest| Ok(engine.0.cache.component(&pool.wasmtime, &digest))).await
    }

    /// Waits until no other process compiles the component; says whether one did.
    async fn claim(&self, what: &str, digest: &str) -> Result<(Option<Claim>, bool), EngineError> {
        let mut waited = false;
        let claim = async {
            loop {
                match self.off_thread(digest, |engine, digest| Ok(engine.0.cache.claim(&digest))).await? {
                    Ok(Some(claim)) => return Ok(Some(claim)),
                    Ok(None) => waited = true,
                    // Where files can't be locked or written, each process works for itself.
                    Err(error) => {
                        tracing::debug!(%error, "the cache of compiled code can't be shared");
                        return Ok(None);
                    }
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        };
        let what = format!("waiting for another process that compiles {what}");
        // By then the other one has given up, or hangs: then the work is done twice rather than not at all.
        let longest = self.0.compiler.time().saturating_mul(2);
        let claim = telling(&self.0.progress, &what, tokio::time::timeout(longest, claim)).await;
        Ok((claim.unwrap_or(Ok(None))?, waited))
    }

    /// Files are read and written, and large images mapped, on a thread that may wait.
    pub(super) async fn off_thread<T: Send + 'static>(
        &self,
        digest: &str,
        work: impl FnOnce(Engine, String) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (engine, digest) = (self.clone(), digest.to_owned());
        tokio::task::spawn_blocking(move || work(engine, digest)).await.map_err(EngineError::compile)?
    }

    /// Runs `describe` within the limits of a call, with every import of the contract trapping; WASI answers the same each time.
    pub async fn describe(&self, component: &LoadedComponent, limits: &config::Limits) -> Result<String, EngineError> {
        let (engine, component, limits) = (self.clone(), component.clone(), *limits);
        let meter = Meter::new(limits.cpu);
        let within = meter.clone();
        let pace = Pace::unknown();
        let run = self.0.lanes.run(&meter, &pace, Box::pin(async move { engine.describe_here(&component, &limits, &within).await }));
        run.await.map_err(|error| EngineError::Describe(error.to_string()))?
    }

    async fn describe_here(&self, component: &LoadedComponent, limits: &config::Limits, meter: &Meter) -> Result<String, EngineError> {
        let _place = component
            .code
            .pool
            .places
            .take(&component.tenant)
            .ok_or_else(|| EngineError::Describe("all instances are taken".to_owned()))?;
        let mut store = store(&component.code.pool, HostState::describing(limits, meter), limits);
        let run = async {
            let linked = component.code.linked();
            match (&linked.connector, &linked.source) {
                (Some(connector), _) => {
                    let instance = connector.instantiate_async(&mut store).await?;
                    instance.sangam_connector_plugin().call_describe(&mut store).await
                }
                (None, Some(source)) => {
                    let instance = source.instantiate_async(&mut store).await?;
                    instance.sangam_connector_plugin().call_describe(&mut store).await
                }
                (None, None) => unreachable!("a loaded component has actions or events"),
            }
        };
        let ended = within(limits, meter, run).await;
        let text = match ended {
            Err(_) => Err(format!("it took longer than {:?} (limits.time)", limits.time)),
            Ok(Ok(text)) => Ok(text),
            Ok(Err(error)) => Err(store.data().limits.reached(&error).unwrap_or_else(|| format!("{error:#}"))),
        };
        text.map_err(EngineError::Describe)
    }
}

fn code(pool: &Arc<Pool>, component: &Component, digest: String) -> Result<Code, EngineError> {
    let linked = link(pool, component)?;
    let pages = component.resources_required().and_then(|needed| needed.max_initial_memory_size).unwrap_or(0);
    let memory = pages.saturating_mul(PAGE);
    let needs = Needs::of(component, pool.size);
    Ok(Code { linked: Mutex::new(Arc::new(linked)), digest, pool: pool.clone(), memory, needs })
}

fn link(pool: &Pool, component: &Component) -> Result<Linked, EngineError> {
    // The first call must not pay for the image.
    component.initialize_copy_on_write_image().map_err(EngineError::compile)?;
    let pre = pool.linker.instantiate_pre(component).map_err(EngineError::compile)?;
    let connector = connector::ConnectorPre::new(pre.clone());
    let source = source::SourcePre::new(pre.clone());
    let batching = batching::BatchingPre::new(pre).ok();
    if let (Err(error), Err(_)) = (&connector, &source) {
        return Err(EngineError::compile(error));
    }
    Ok(Linked { connector: connector.ok(), source: source.ok(), batching })
}
