//! Who compiles a component: one process of all that share a folder. The others wait for it.

use std::fs::{File, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Given up when it is dropped, or when the process ends, however it does.
#[derive(Debug)]
pub(in crate::engine) struct Claim(Option<(File, PathBuf)>);

impl Claim {
    /// Where nothing is shared.
    pub(in crate::engine) fn none() -> Claim {
        Claim(None)
    }

    /// `None`: another one has it.
    pub(super) fn take(path: &Path) -> io::Result<Option<Claim>> {
        loop {
            let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path)?;
            match file.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(error)) => return Err(error),
            }
            // Whoever had it before may have removed the file between our opening and our locking it: then it is nobody's any more.
            let ours = file.metadata()?;
            if std::fs::metadata(path).is_ok_and(|there| (there.dev(), there.ino()) == (ours.dev(), ours.ino())) {
                return Ok(Some(Claim(Some((file, path.to_owned())))));
            }
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if let Some((_file, path)) = self.0.take() {
            // While it is still ours, so that nobody else's is removed.
            let _ = std::fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_at_a_time_and_nothing_stays_behind() -> io::Result<()> {
        let folder = tempfile::tempdir()?;
        let path = folder.path().join("x.lock");
        let claim = Claim::take(&path)?.expect("it is free");
        assert!(Claim::take(&path)?.is_none(), "another one has it");
        drop(claim);
        assert_eq!(std::fs::read_dir(folder.path())?.count(), 0);
        assert!(Claim::take(&path)?.is_some());
        Ok(())
    }
}
