//! A component made ready: compiled and linked, one instantiation away from a call.

use std::sync::Arc;

use wasmtime::component::Component;

use super::bindings::{connector, source};
use super::call::within;
use super::meter::Meter;
use super::places::Tenant;
use super::state::HostState;
use super::warm::WarmInstances;
use super::{Engine, EngineError};
use crate::config;

/// Ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct LoadedComponent {
    pub(super) connector: Option<Arc<connector::ConnectorPre<HostState>>>,
    pub(super) source: Option<Arc<source::SourcePre<HostState>>>,
    pub(super) warm: Arc<WarmInstances>,
    pub(super) tenant: Tenant,
}

impl std::fmt::Debug for LoadedComponent {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("LoadedComponent")
            .field("actions", &self.connector.is_some())
            .field("events", &self.source.is_some())
            .finish()
    }
}

impl Engine {
    /// Compiles a component (or takes it from the cache) and links it.
    ///
    /// `bytes` must have been inspected by the registry; `digest` is theirs.
    pub async fn load(&self, digest: &str, bytes: &[u8]) -> Result<LoadedComponent, EngineError> {
        let known = self.off_thread(digest, |engine, digest| Ok(engine.0.cache.component(&engine.0.wasmtime, &digest))).await?;
        let component = match known {
            Some(component) => component,
            None => {
                let code = self.0.compiler.compile(&self.0.wasmtime, bytes).await?;
                self.off_thread(digest, move |engine, digest| engine.0.cache.take(&engine.0.wasmtime, &digest, &code)).await?
            }
        };
        self.off_thread("", move |engine, _| engine.link(&component)).await
    }

    /// Files are read and written, and large images mapped, on a thread that may wait.
    async fn off_thread<T: Send + 'static>(
        &self,
        digest: &str,
        work: impl FnOnce(Engine, String) -> Result<T, EngineError> + Send + 'static,
    ) -> Result<T, EngineError> {
        let (engine, digest) = (self.clone(), digest.to_owned());
        tokio::task::spawn_blocking(move || work(engine, digest)).await.map_err(EngineError::compile)?
    }

    fn link(&self, component: &Component) -> Result<LoadedComponent, EngineError> {
        // The first call must not pay for the image.
        component.initialize_copy_on_write_image().map_err(EngineError::compile)?;
        let pre = self.0.linker.instantiate_pre(component).map_err(EngineError::compile)?;
        let connector = connector::ConnectorPre::new(pre.clone());
        let source = source::SourcePre::new(pre);
        if let (Err(error), Err(_)) = (&connector, &source) {
            return Err(EngineError::compile(error));
        }
        let (connector, source) = (connector.ok().map(Arc::new), source.ok().map(Arc::new));
        Ok(LoadedComponent { connector, source, warm: Arc::default(), tenant: Tenant::of(component) })
    }

    /// Runs `describe` within the limits of a call, with every import trapping.
    pub async fn describe(&self, component: &LoadedComponent, limits: &config::Limits) -> Result<String, EngineError> {
        let (engine, component, limits) = (self.clone(), component.clone(), *limits);
        let meter = Meter::new(limits.cpu);
        let within = meter.clone();
        let run = self.0.lanes.run(&meter, async move { engine.describe_here(&component, &limits, &within).await });
        run.await.map_err(|error| EngineError::Describe(error.to_string()))?
    }

    async fn describe_here(&self, component: &LoadedComponent, limits: &config::Limits, meter: &Meter) -> Result<String, EngineError> {
        let _place = self.0.places.take(&component.tenant).ok_or_else(|| EngineError::Describe("all instances are taken".to_owned()))?;
        let mut store = self.store(HostState::describing(limits, meter), limits);
        let run = async {
            match (&component.connector, &component.source) {
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
