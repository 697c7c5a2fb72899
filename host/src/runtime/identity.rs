//! Who this host is to the others on a shared store.
//!
//! A host that is started again in the same folder is the same host: it takes its former life's runs up at once instead of waiting for their
//! leases to end. The file that says who it is stays locked while it runs, so that a second host in the folder is somebody else.

use std::fs::File;
use std::io::{Read as _, Seek as _, Write as _};
use std::path::Path;

/// A host's name in leases.
#[derive(Debug)]
pub struct Identity {
    /// A UUID.
    pub name: String,
    /// It may have had a former life, which is over.
    pub had_former_life: bool,
    /// Keeps others from being the same host.
    _lock: Option<File>,
}

impl Identity {
    /// The host of a folder; where its file can't be had, a new one.
    pub fn of(folder: &Path) -> Identity {
        match known(folder) {
            Ok(Some(identity)) => identity,
            Ok(None) => Identity::new(),
            Err(error) => {
                tracing::warn!(%error, folder = %folder.display(), "this host can't keep its name; after a crash its runs wait for their leases to end");
                Identity::new()
            }
        }
    }

    fn new() -> Identity {
        Identity { name: uuid::Uuid::new_v4().to_string(), had_former_life: false, _lock: None }
    }
}

/// `None`: another host of this folder is running.
fn known(folder: &Path) -> std::io::Result<Option<Identity>> {
    std::fs::create_dir_all(folder)?;
    let mut file = File::options().create(true).truncate(false).read(true).write(true).open(folder.join("host.id"))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => return Ok(None),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    let mut text = String::new();
    file.read_to_string(&mut text)?;
    if let Ok(name) = text.trim().parse::<uuid::Uuid>() {
        return Ok(Some(Identity { name: name.to_string(), had_former_life: true, _lock: Some(file) }));
    }
    let identity = Identity::new();
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(identity.name.as_bytes())?;
    file.sync_all()?;
    Ok(Some(Identity { _lock: Some(file), ..identity }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_one_host_at_a_time_and_the_same_one_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let first = Identity::of(folder.path());
        assert!(!first.had_former_life);
        let beside = Identity::of(folder.path());
        assert_ne!(first.name, beside.name);
        let name = first.name.clone();
        drop(first);
        let again = Identity::of(folder.path());
        assert_eq!((again.name.as_str(), again.had_former_life), (name.as_str(), true));
    }
}
