//! A core module of a compiler made into a component.

use std::path::Path;

use wasi_preview1_component_adapter_provider::{WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// Begins the names of the sections in which bindings say what a module's functions mean.
const WORLD: &[u8] = b"component-type";

/// Why a module makes no component.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it makes no component: {0}")]
pub struct WrapError(String);

fn failed(error: impl std::fmt::Display) -> WrapError {
    WrapError(format!("{error:#}"))
}

/// Wraps a core module. Its compiler has left behind, in custom sections, what its functions mean in terms of the contract; its WASI preview 1 becomes
/// that of the host (0.2), by an adapter of the SDK's own or the usual one.
///
/// # Errors
/// A sentence that says what is missing or does not fit.
pub fn wrap(module: &[u8], adapter: Option<&[u8]>) -> Result<Vec<u8>, WrapError> {
    if !module.windows(WORLD.len()).any(|bytes| bytes == WORLD) {
        return Err(WrapError("its sources declare no plugin with the SDK (the module has no section component-type)".to_owned()));
    }
    let encoder = ComponentEncoder::default().validate(true).module(module).map_err(failed)?;
    // Where the module does not use it, nothing of it gets into the component.
    let adapter = adapter.unwrap_or(WASI_SNAPSHOT_PREVIEW1_REACTOR_ADAPTER);
    let mut encoder = encoder.adapter(WASI_SNAPSHOT_PREVIEW1_ADAPTER_NAME, adapter).map_err(failed)?;
    encoder.encode().map_err(failed)
}

/// Says in a module what its functions mean, for compilers whose bindings don't: a world of the contract in `wit`.
///
/// # Errors
/// When the folder holds no such world.
pub fn with_world(mut module: Vec<u8>, wit: &Path, world: &str) -> Result<Vec<u8>, WrapError> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit).map_err(failed)?;
    let world = resolve.select_world(&[package], Some(world)).map_err(failed)?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).map_err(failed)?;
    Ok(module)
}
