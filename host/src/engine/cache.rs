//! Compiled code on disk, keyed by the component's digest and the engine's configuration.
//!
//! Compiled code is native code that runs unchecked: a file is loaded only if it carries a tag that this installation made (HMAC-SHA256 with
//! a secret of the store).

use std::hash::{Hash as _, Hasher as _};
use std::path::PathBuf;

use ring::hmac;
use wasmtime::component::Component;

use super::EngineError;

const TAG: usize = 32;

pub(super) struct Cache {
    folder: Option<PathBuf>,
    key: hmac::Key,
    configuration: u64,
}

impl Cache {
    pub(super) fn new(folder: Option<PathBuf>, secret: [u8; 32], engine: &wasmtime::Engine) -> Cache {
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        Cache { folder, key: hmac::Key::new(hmac::HMAC_SHA256, &secret), configuration: hasher.finish() }
    }

    fn file(&self, digest: &str) -> Option<PathBuf> {
        let name = || format!("{}-{:016x}.cwasm", digest.trim_start_matches("sha256:"), self.configuration);
        self.folder.as_ref().map(|folder| folder.join(name()))
    }

    /// The component, if it is there.
    pub(super) fn component(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let bytes = std::fs::read(self.file(digest)?).ok()?;
        let (tag, code) = bytes.split_at_checked(TAG)?;
        hmac::verify(&self.key, code, tag).ok()?;
        deserialize(engine, code).ok()
    }

    /// Takes over code that our own compiler has just made, and keeps it.
    pub(super) fn take(&self, engine: &wasmtime::Engine, digest: &str, code: &[u8]) -> Result<Component, EngineError> {
        let component = deserialize(engine, code).map_err(EngineError::compile)?;
        if let Some(file) = self.file(digest)
            && let Err(error) = self.save(code, &file)
        {
            // Works without it, only slower at the next start.
            tracing::warn!(file = %file.display(), %error, "compiled code could not be kept");
        }
        Ok(component)
    }

    fn save(&self, code: &[u8], file: &PathBuf) -> std::io::Result<()> {
        use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
        let folder = file.parent().unwrap_or(file);
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let partial = file.with_extension(format!("{}.part", uuid::Uuid::new_v4()));
        let mut target = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial)?;
        std::io::Write::write_all(&mut target, hmac::sign(&self.key, code).as_ref())?;
        std::io::Write::write_all(&mut target, code)?;
        std::fs::rename(&partial, file)
    }
}

#[allow(unsafe_code, reason = "the one way to load compiled code; our own compiler has just made it, or the tag shows that it did")]
fn deserialize(engine: &wasmtime::Engine, code: &[u8]) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Engine::precompile_component`, either just now by this very program, over a pipe that nobody else has an end of,
    // or earlier and authenticated since. wasmtime itself checks version and configuration.
    unsafe { Component::deserialize(engine, code) }
}
