//! Components: fetched, looked at before anything of them runs, kept by digest.

mod builtin;
mod bundle;
mod cache;
mod client;
mod custom_section;
mod descriptor;
mod inspection;
mod login;
mod manifest;
mod permissions;
mod signature;
mod signing_key;
mod sources;
mod supply;
#[cfg(test)]
mod tests;
mod trust;
mod wrap;

pub use bundle::{Bundle, BundleError, Held, Packed, create as create_bundle, install as install_bundle, look as look_at_bundle};
pub use client::RegistryError;
pub use custom_section::embed;
pub use descriptor::{Action, Descriptor, DescriptorError, Stream};
pub use inspection::{CONTRACT, InspectError, Inspection};
pub use manifest::ManifestError;
pub use signature::{SignatureError, sign};
pub use signing_key::{SigningKey, SigningKeyError};
pub use sources::{Progress, Pulled, Sources};
pub use supply::{Supply, SupplyError};
pub use trust::TrustError;
pub use wrap::{WrapError, with_world, wrap};

use std::io::Read as _;
use std::path::Path;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::config::{ComponentSource, Permissions, Pin, PluginFacts};
use crate::credentials::VaultError;
use crate::store::StoreError;
use crate::tls::TlsError;

/// Largest component.
pub const MAX_COMPONENT: u64 = 128 << 20;

/// A component's bytes and what can be read off them.
#[derive(Debug, Clone)]
pub struct Component {
    /// `sha256:` and 64 hexadecimal digits.
    pub digest: String,
    /// The file.
    pub bytes: Arc<Vec<u8>>,
    /// What can be read off it.
    pub inspection: Arc<Inspection>,
}

/// Why a component can't be had.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// The file can't be read.
    #[error("can't read {path}")]
    Read {
        /// Which file.
        path: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// Too large.
    #[error("it is larger than {MAX_COMPONENT} bytes")]
    TooLarge,
    /// No such connector in the binary.
    #[error("there is no builtin:{name}; in this binary: {known}")]
    UnknownBuiltin {
        /// As written.
        name: String,
        /// What there is.
        known: String,
    },
    /// The bytes are not those that were pinned.
    #[error("its digest is {actual}, not the pinned one; if the new component is meant, write its digest into the configuration")]
    Digest {
        /// Of the bytes.
        actual: String,
    },
    /// A tag alone, that leads to another component tomorrow.
    #[error(
        "{reference} has no digest pin, and a tag can lead to another component tomorrow; today it is {pinned}: look at it with `sangam plugin inspect`, and write that, or let `sangam plugin approve` pin it"
    )]
    Unpinned {
        /// As written.
        reference: String,
        /// What to write.
        pinned: String,
    },
    /// A tag alone, and nobody can say what it is today.
    #[error("{reference} has no digest pin (name:tag@sha256:…), and what it is today can't be found out")]
    UnpinnedUnknown {
        /// As written.
        reference: String,
        /// Why not.
        #[source]
        source: Box<ComponentError>,
    },
    /// The registry did not give it.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// It can't be kept.
    #[error("can't write to {folder}, where fetched components are kept")]
    Cache {
        /// Which folder.
        folder: String,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No TLS.
    #[error("TLS to registries can't be opened")]
    Tls(#[from] TlsError),
    /// The store has the login, and can't be opened.
    #[error("the store that has the login of the registry can't be opened")]
    Store(#[from] StoreError),
    /// The login can't be unsealed.
    #[error("the secrets that have the login of the registry can't be opened")]
    Vault(#[from] VaultError),
    /// The work was broken off.
    #[error("reading it was broken off")]
    Broken,
    /// It is not a plugin this host can run.
    #[error(transparent)]
    Inspect(#[from] InspectError),
}

impl Component {
    /// Fetches a component and looks at it: the one way to get its bytes.
    ///
    /// # Errors
    /// Why it can't be had. Nothing has changed then, but for what is in the cache.
    pub async fn fetch(sources: &Sources, source: &ComponentSource, pinned: Option<&str>) -> Result<Component, ComponentError> {
        let component = match source {
            ComponentSource::Oci(reference) => sources.component(reference, pinned).await?,
            ComponentSource::Builtin(name) => of(at_hand(name)?).await?,
            ComponentSource::Path(path) => of(sources.file(path, pinned).await?).await?,
        };
        match pinned {
            Some(pinned) if pinned != component.digest => Err(ComponentError::Digest { actual: component.digest }),
            _ => Ok(component),
        }
    }

    /// Looks at a component that is on this machine. `None`: it is in a registry, which nobody is asked for what is only looked at in passing.
    pub fn here(source: &ComponentSource) -> Option<Result<Component, ComponentError>> {
        let bytes = match source {
            ComponentSource::Oci(_) => return None,
            ComponentSource::Builtin(name) => at_hand(name),
            ComponentSource::Path(path) => read(path),
        };
        Some(bytes.and_then(Component::new))
    }

    /// A component from bytes that are at hand.
    pub fn new(bytes: Vec<u8>) -> Result<Component, ComponentError> {
        let inspection = Inspection::of(&bytes)?;
        Ok(Component { digest: digest(&bytes), bytes: Arc::new(bytes), inspection: Arc::new(inspection) })
    }

    /// What it may ask for. `descriptor`: what it says of itself, where that was asked; otherwise what is embedded counts.
    pub fn permissions(&self, descriptor: Option<&Descriptor>) -> Permissions {
        permissions::permissions(&self.inspection, descriptor.or(self.inspection.descriptor.as_ref()))
    }

    /// What a configuration is checked against.
    pub fn facts(&self, descriptor: &Descriptor) -> PluginFacts {
        descriptor.facts(self.permissions(Some(descriptor)).sends())
    }

    /// What there is to pin of it. `source`: as the configuration writes it.
    pub fn pin(&self, source: &str, descriptor: Option<&Descriptor>) -> Pin {
        let said = descriptor.or(self.inspection.descriptor.as_ref());
        Pin {
            source: source.to_owned(),
            digest: self.digest.clone(),
            plugin: said.map(|said| said.name.clone()).unwrap_or_default(),
            release: said.map(|said| said.version.clone()).unwrap_or_default(),
            contract: self.inspection.contract.clone(),
            signed_by: self.inspection.signed_by.clone(),
            permissions: self.permissions(descriptor),
        }
    }
}

/// Looked at off the async threads: that takes a while with millions of bytes.
async fn of(bytes: Vec<u8>) -> Result<Component, ComponentError> {
    tokio::task::spawn_blocking(move || Component::new(bytes)).await.map_err(|_| ComponentError::Broken)?
}

fn at_hand(name: &str) -> Result<Vec<u8>, ComponentError> {
    let unknown = || ComponentError::UnknownBuiltin { name: name.to_owned(), known: builtin::names().join(", ") };
    builtin::find(name).map(<[u8]>::to_vec).ok_or_else(unknown)
}

fn read(path: &Path) -> Result<Vec<u8>, ComponentError> {
    let failed = |source| ComponentError::Read { path: path.display().to_string(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    // A file that grows, or has no end, is read no further.
    let mut bytes = Vec::new();
    file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_COMPONENT { Err(ComponentError::TooLarge) } else { Ok(bytes) }
}

/// `sha256:` and 64 hexadecimal digits.
pub fn digest(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(71);
    text.push_str("sha256:");
    for byte in Sha256::digest(bytes) {
        write!(text, "{byte:02x}").expect("writing to a string does not fail");
    }
    text
}
