//! Components: fetched, looked at before anything of them runs, kept by digest.

mod builtin;
mod custom_section;
mod descriptor;
mod inspection;
mod permissions;
mod signature;
mod signing_key;
mod supply;
#[cfg(test)]
mod tests;
mod trust;

pub use custom_section::embed;
pub use descriptor::{Action, Descriptor, DescriptorError, Stream};
pub use inspection::{CONTRACT, InspectError, Inspection};
pub use signature::{SignatureError, sign};
pub use signing_key::{SigningKey, SigningKeyError};
pub use supply::{Supply, SupplyError};
pub use trust::TrustError;

use std::io::Read as _;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::config::{ComponentSource, Permissions, Pin, PluginFacts};

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
    /// It is not a plugin this host can run.
    #[error(transparent)]
    Inspect(#[from] InspectError),
}

impl Component {
    /// Fetches a component and looks at it.
    pub fn fetch(source: &ComponentSource, pinned: Option<&str>) -> Result<Component, ComponentError> {
        let bytes = match source {
            ComponentSource::Builtin(name) => builtin::find(name)
                .ok_or_else(|| ComponentError::UnknownBuiltin { name: name.clone(), known: builtin::names().join(", ") })?
                .to_vec(),
            ComponentSource::Path(path) => {
                let read = |source| ComponentError::Read { path: path.display().to_string(), source };
                let file = std::fs::File::open(path).map_err(read)?;
                let expected = file.metadata().map_err(read)?.len().min(MAX_COMPONENT);
                let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or(0));
                // What is read here is hashed, judged, compiled and kept: nobody opens the file again. It may grow meanwhile.
                file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes).map_err(read)?;
                if bytes.len() as u64 > MAX_COMPONENT {
                    return Err(ComponentError::TooLarge);
                }
                bytes
            }
        };
        let component = Component::new(bytes)?;
        match pinned {
            Some(pinned) if pinned != component.digest => Err(ComponentError::Digest { actual: component.digest }),
            _ => Ok(component),
        }
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
