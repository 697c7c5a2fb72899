//! Compiled code on disk, shared by all processes that have its key.
//!
//! Compiled code is native code that runs unchecked: a file is loaded only if it carries a tag that this installation made (HMAC-SHA256 with
//! a secret of the store), over the component's digest, the engine's configuration and the code: one that was damaged, planted, or put in
//! another's place is said and ignored. What was checked is what runs: it is copied into sealed memory while it is checked, so that whoever
//! can write into the folder gains nothing by doing so later.

mod claim;
mod prune;
mod sealed;

use std::fs::File;
use std::hash::{Hash as _, Hasher as _};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::hmac;
use subtle::ConstantTimeEq as _;
use wasmtime::component::Component;

use super::EngineError;
pub(super) use claim::Claim;
use sealed::{Code, Sealed};

const TAG: usize = 32;
/// Read at a time: small enough to stay in the processor's cache between copying and checking.
const CHUNK: usize = 256 << 10;
/// No component makes more code than this: of 128 MiB, three times as much.
const MOST_CODE: u64 = 1 << 30;

pub(super) struct Cache {
    folder: Option<PathBuf>,
    key: hmac::Key,
    /// Of the engine's configuration and of the key: who has another of either never comes across this one's files.
    own: u64,
    /// Bytes of all files.
    most: u64,
}

impl Cache {
    pub(super) fn new(folder: Option<PathBuf>, secret: [u8; 32], most: u64, engine: &wasmtime::Engine) -> Cache {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
        let mut hasher = std::hash::DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hmac::sign(&key, b"file names").as_ref().hash(&mut hasher);
        Cache { folder, key, own: hasher.finish(), most }
    }

    fn name(&self, digest: &str) -> String {
        format!("{}-{:016x}", digest.trim_start_matches("sha256:"), self.own)
    }

    fn file(&self, digest: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{}.cwasm", self.name(digest))))
    }

    /// The component, if it is there.
    pub(super) fn component(&self, engine: &wasmtime::Engine, digest: &str) -> Option<Component> {
        let path = self.file(digest)?;
        let file = File::open(&path).ok()?;
        let why = match self.read(&file, digest) {
            Ok(Some(code)) => match load(engine, &code) {
                Ok(component) => {
                    // What is not used makes room first. Somebody else's file is of the same use without that.
                    let _ = file.set_modified(SystemTime::now());
                    return Some(component);
                }
                Err(error) => format!("{error:#}"),
            },
            Ok(None) => "it is damaged, or was not made by this installation".to_owned(),
            Err(error) => error.to_string(),
        };
        tracing::warn!(file = %path.display(), why, "compiled code in the cache is not used; the component is compiled again");
        None
    }

    /// The code in a file, copied while it is checked; `None`: its tag is wrong.
    fn read(&self, mut file: &File, digest: &str) -> io::Result<Option<Code>> {
        let size = file.metadata()?.len();
        if size > MOST_CODE {
            return Err(io::Error::other(format!("it has {size} bytes")));
        }
        let mut tag = [0; TAG];
        if let Err(error) = file.read_exact(&mut tag) {
            return if error.kind() == io::ErrorKind::UnexpectedEof { Ok(None) } else { Err(error) };
        }
        let mut check = self.tagging(digest);
        let mut target = Sealed::new(size)?;
        let mut chunk = vec![0; CHUNK];
        // A file that grows meanwhile is wrong anyway.
        let mut file = file.take(size);
        loop {
            let count = file.read(&mut chunk)?;
            let Some(part) = chunk.get(..count).filter(|part| !part.is_empty()) else { break };
            check.update(part);
            target.write_all(part)?;
        }
        let right = bool::from(check.sign().as_ref().ct_eq(&tag));
        if right { target.seal().map(Some) } else { Ok(None) }
    }

    /// Takes over code that our own compiler has just made, and keeps it.
    pub(super) fn take(&self, engine: &wasmtime::Engine, digest: &str, code: &[u8]) -> Result<Component, EngineError> {
        let mut target = Sealed::new(code.len() as u64).map_err(EngineError::compile)?;
        target.write_all(code).map_err(EngineError::compile)?;
        let component = load(engine, &target.seal().map_err(EngineError::compile)?).map_err(EngineError::compile)?;
        if let Some(file) = self.file(digest) {
            match self.save(code, digest, &file) {
                Ok(()) => prune::prune(&file, self.most),
                // Works without it, only slower at the next start.
                Err(error) => tracing::warn!(file = %file.display(), %error, "compiled code could not be kept"),
            }
        }
        Ok(component)
    }

    fn save(&self, code: &[u8], digest: &str, file: &Path) -> io::Result<()> {
        make_folder(file.parent().unwrap_or(file))?;
        let partial = file.with_extension(format!("{}.part", uuid::Uuid::new_v4()));
        let mut tagging = self.tagging(digest);
        tagging.update(code);
        let mut target = std::fs::OpenOptions::new().create_new(true).write(true).mode(0o600).open(&partial)?;
        let written =
            target.write_all(tagging.sign().as_ref()).and_then(|()| target.write_all(code)).and_then(|()| std::fs::rename(&partial, file));
        if written.is_err() {
            // What could not be finished is of no use to anybody.
            let _ = std::fs::remove_file(&partial);
        }
        written
    }

    /// To be the one process that compiles a component; `None` while another one does. Where no claims can be had there are none.
    pub(super) fn claim(&self, digest: &str) -> io::Result<Option<Claim>> {
        let Some(folder) = &self.folder else { return Ok(Some(Claim::none())) };
        make_folder(folder)?;
        Claim::take(&folder.join(format!("{}.lock", self.name(digest))))
    }

    fn tagging(&self, digest: &str) -> hmac::Context {
        let mut tagging = hmac::Context::with_key(&self.key);
        tagging.update(self.name(digest).as_bytes());
        tagging.update(&[0]);
        tagging
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

#[allow(unsafe_code, reason = "the one way to load compiled code; our own compiler has just made it, or the tag shows that it did")]
fn load(engine: &wasmtime::Engine, code: &Code) -> wasmtime::Result<Component> {
    // SAFETY: `code` was made by `Engine::precompile_component`, either just now by this very program, over a pipe that nobody else has an end of,
    // or earlier and authenticated since. It is memory of this process alone that nobody can change any more: sealed by the kernel, or a
    // copy that wasmtime takes. wasmtime itself checks version and configuration.
    unsafe {
        match code {
            // A system that maps no such files as code still has room for a copy.
            Code::Sealed(file) => Component::deserialize_file(engine, sealed::path(file))
                .or_else(|error| std::fs::read(sealed::path(file)).map_or(Err(error), |bytes| Component::deserialize(engine, bytes))),
            Code::Bytes(bytes) => Component::deserialize(engine, bytes),
        }
    }
}
