//! A component made ready: compiled and linked, one instantiation away from a call.

use std::sync::Arc;
use std::time::Duration;

use wasmtime::Store;

use super::bindings::{connector, source};
use super::limits::Limits;
use super::state::HostState;
use super::warm::WarmInstances;
use super::{Engine, EngineError};

/// Longest time `describe` may take.
const DESCRIBE_TIME: Duration = Duration::from_secs(10);
/// Processor time of `describe`.
const DESCRIBE_CPU: Duration = Duration::from_secs(2);
/// Memory of `describe`.
const DESCRIBE_MEMORY: usize = 128 << 20;
/// Longest descriptor.
pub(crate) const MAX_DESCRIPTOR: usize = 1 << 20;

/// Ready to be called. Cheap to clone.
#[derive(Clone)]
pub struct LoadedComponent {
    pub(super) connector: Option<Arc<connector::ConnectorPre<HostState>>>,
    pub(super) source: Option<Arc<source::SourcePre<HostState>>>,
    pub(super) warm: Arc<WarmInstances>,
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
    /// Compiles a component (or takes it from the cache) and links it. Takes as long as compiling takes: call it off the async threads.
    ///
    /// `bytes` must have been inspected by the registry; `digest` is theirs.
    pub fn load(&self, digest: &str, bytes: &[u8]) -> Result<LoadedComponent, EngineError> {
        let component = self.0.cache.component(&self.0.wasmtime, digest, bytes)?;
        // The first call must not pay for the image.
        component.initialize_copy_on_write_image().map_err(EngineError::compile)?;
        let pre = self.0.linker.instantiate_pre(&component).map_err(EngineError::compile)?;
        let connector = connector::ConnectorPre::new(pre.clone());
        let source = source::SourcePre::new(pre);
        if let (Err(error), Err(_)) = (&connector, &source) {
            return Err(EngineError::compile(error));
        }
        Ok(LoadedComponent { connector: connector.ok().map(Arc::new), source: source.ok().map(Arc::new), warm: Arc::default() })
    }

    /// Runs `describe`, with every import trapping.
    pub async fn describe(&self, component: &LoadedComponent) -> Result<String, EngineError> {
        let engine = self.clone();
        let component = component.clone();
        let run = async move {
            let mut store = Store::new(&engine.0.wasmtime, HostState::describing(Limits::new(DESCRIBE_MEMORY, DESCRIBE_CPU)));
            store.limiter(|state| &mut state.limits);
            store.set_epoch_deadline(1);
            store.epoch_deadline_callback(|mut store| Ok(store.data_mut().limits.tick()));
            let text = match (&component.connector, &component.source) {
                (Some(connector), _) => {
                    let instance = connector.instantiate_async(&mut store).await?;
                    instance.sangam_connector_plugin().call_describe(&mut store).await
                }
                (None, Some(source)) => {
                    let instance = source.instantiate_async(&mut store).await?;
                    instance.sangam_connector_plugin().call_describe(&mut store).await
                }
                (None, None) => unreachable!("a loaded component has actions or events"),
            }?;
            Ok::<_, wasmtime::Error>(text)
        };
        let task = self.guests().spawn(tokio::time::timeout(DESCRIBE_TIME, run));
        let text = task
            .await
            .map_err(|error| EngineError::Describe(error.to_string()))?
            .map_err(|_| EngineError::Describe(format!("describe took longer than {DESCRIBE_TIME:?}")))?
            .map_err(|error| EngineError::Describe(format!("{error:#}")))?;
        if text.len() > MAX_DESCRIPTOR {
            return Err(EngineError::Describe(format!("the descriptor has {} bytes; at most {MAX_DESCRIPTOR}", text.len())));
        }
        Ok(text)
    }
}
