//! Components: fetched, looked at before anything of them runs, kept by digest.

mod builtin;
mod custom_section;
mod descriptor;
mod inspection;
#[cfg(test)]
mod tests;

pub use custom_section::embed;
pub use descriptor::{Action, Descriptor, DescriptorError, Stream};
pub use inspection::{CONTRACT, InspectError, Inspection};

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::config::ComponentSource;

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
                if std::fs::metadata(path).map_err(read)?.len() > MAX_COMPONENT {
                    return Err(ComponentError::TooLarge);
                }
                std::fs::read(path).map_err(read)?
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
