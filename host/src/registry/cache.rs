//! Components and manifests on this machine's disk, each under its digest: what was fetched once is not fetched again, and a start needs no network.
//!
//! Nothing here is trusted: bytes are compared with the digest that names them at every reading, and damaged ones are as good as absent. So several
//! hosts may share a folder, and anybody may delete from it at any time.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::{MAX_COMPONENT, digest};

/// Beginnings of files that are being written. What a crash left of them is removed after a day.
const PART: &str = "part-";
const LEFT_BEHIND: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// The folder.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    folder: PathBuf,
}

impl Cache {
    pub(super) fn new(folder: PathBuf) -> Cache {
        Cache { folder }
    }

    /// Where it is.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The bytes of a digest, verified.
    pub(super) fn get(&self, wanted: &str) -> Option<Vec<u8>> {
        let path = self.path(wanted);
        let file = std::fs::File::open(&path).ok()?;
        let size = file.metadata().ok().filter(|metadata| metadata.is_file())?.len();
        let mut bytes = Vec::with_capacity(usize::try_from(size.min(MAX_COMPONENT)).unwrap_or_default());
        let read = file.take(MAX_COMPONENT + 1).read_to_end(&mut bytes);
        if read.is_ok() && digest(&bytes) == wanted {
            return Some(bytes);
        }
        tracing::warn!(file = %path.display(), "this file does not hold what its name says, and is fetched again");
        None
    }

    /// Keeps bytes under their digest: whole or not at all, whoever else does the same.
    pub(super) fn put(&self, bytes: &[u8]) -> std::io::Result<String> {
        let name = digest(bytes);
        std::fs::create_dir_all(&self.folder)?;
        self.sweep();
        let part = self.folder.join(format!("{PART}{}", uuid::Uuid::new_v4()));
        let written = write(&part, bytes).and_then(|()| std::fs::rename(&part, self.path(&name)));
        if written.is_err() {
            let _ = std::fs::remove_file(&part);
        }
        written?;
        // The name too must outlive a power cut.
        std::fs::File::open(&self.folder)?.sync_all()?;
        Ok(name)
    }

    fn path(&self, digest: &str) -> PathBuf {
        self.folder.join(digest.replace(':', "-"))
    }

    fn sweep(&self) {
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let old = || entry.metadata().ok()?.modified().ok()?.elapsed().ok().map(|age| age > LEFT_BEHIND);
            if entry.file_name().to_string_lossy().starts_with(PART) && old() == Some(true) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::File::create_new(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_found_and_what_was_changed_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let cache = Cache::new(folder.path().join("components"));
        let name = cache.put(b"component").expect("a writable folder");
        assert_eq!(cache.put(b"component").expect("once more"), name);
        assert_eq!(cache.get(&name).as_deref(), Some(&b"component"[..]));
        assert_eq!(std::fs::read_dir(cache.folder()).expect("the folder").count(), 1, "nothing is left of the writing");
        std::fs::write(cache.path(&name), b"componenT").expect("a writable file");
        assert_eq!(cache.get(&name), None);
        cache.put(b"component").expect("a writable folder");
        assert_eq!(cache.get(&name).as_deref(), Some(&b"component"[..]), "what was damaged is mended");
        assert_eq!(cache.get(&digest(b"other")), None);
    }

    #[test]
    fn many_may_write_and_read_the_same_at_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let (bytes, cache) = (vec![7; 1 << 20], Cache::new(folder.path().join("components")));
        let name = digest(&bytes);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    assert_eq!(cache.put(&bytes).expect("a writable folder"), name);
                    assert!(cache.get(&name).is_some(), "what was put whole is never seen by half");
                });
            }
        });
        assert_eq!(std::fs::read_dir(cache.folder()).expect("the folder").count(), 1);
    }
}
