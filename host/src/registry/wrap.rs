//! A core module of a compiler made into a component.

use wasi_preview1_component_adapter_provider::{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER};
use wit_component::ComponentEncoder;

/// Why a module makes no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it makes no component: {0}")]
pub struct WrapError(String);

/// Begins the names of the sections in which bindings say what a module's functions mean.
const WORLD: &[u8] = b"component-type:";

/// Wraps a core module. Its compiler has left behind, in custom sections, what its functions mean in terms of the contract; its WASI preview 1 becomes
/// that of the host (0.2).
///
/// # Errors
/// A sentence that says what is missing or does not fit.
pub fn wrap(module: &[u8]) -> Result<Vec<u8>, WrapError> {
    let failed = |error: &dyn std::fmt::Display| WrapError(format!("{error:#}"));
    if !module.windows(WORLD.len()).any(|bytes| bytes == WORLD) {
        return Err(WrapError("its sources declare no plugin with the SDK (the module has no section component-type:…)".to_owned()));
    }
    let encoder = ComponentEncoder::default().validate(true).module(module).map_err(|error| failed(&error))?;
    let adapter = (WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    // Where the module does not use it, nothing of it gets into the component.
    let encoder = encoder.adapter(adapter.0, adapter.1).map_err(|error| failed(&error));
    encoder?.encode().map_err(|error| failed(&error))
}
