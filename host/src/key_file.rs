//! A file that holds a key: its owner's alone, whole or not there, and the same for all who make it at once.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Makes the file with these bytes. On disk when this returns: what is sealed or signed with a key that is lost after a power cut is lost with it.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`]: it is there, maybe since a moment ago; its key counts, not this one.
pub fn make(path: &Path, key: &[u8]) -> io::Result<()> {
    let partial = beside(path, &format!("{}.part", uuid::Uuid::new_v4()));
    // A link, unlike a rename, replaces nothing.
    let made = write_new(&partial, key).and_then(|()| fs::hard_link(&partial, path));
    match (made, fs::remove_file(&partial)) {
        (Ok(()), removed) => removed.and_then(|()| sync_folder(path)),
        (Err(error), _) => Err(error),
    }
}

fn write_new(path: &Path, key: &[u8]) -> io::Result<()> {
    let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(key)?;
    file.sync_all()
}

/// A file beside another: its name with a word at the end.
pub fn beside(path: &Path, word: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(word);
    PathBuf::from(name)
}

/// The folder that a file is in.
pub fn folder(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Names that were given or taken in the file's folder are on disk when this returns.
///
/// # Errors
/// What the system says.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(folder(path))?.sync_all()
}

/// Its mode, if anyone but the owner has any right.
pub fn exposed(metadata: &fs::Metadata) -> Option<u32> {
    let mode = metadata.mode() & 0o777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_many_make_at_once_is_one_of_theirs_and_whole() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("key");
        let start = std::sync::Barrier::new(4);
        let made = std::thread::scope(|threads| {
            let make = |key: u8| {
                let (start, path) = (&start, &path);
                threads.spawn(move || {
                    start.wait();
                    make(path, &[key; 32]).map(|()| key)
                })
            };
            let makers = [1, 2, 3, 4].map(make);
            makers.map(|maker| maker.join().expect("it does not panic"))
        });
        let first: Vec<u8> = made.iter().filter_map(|made| made.as_ref().ok().copied()).collect();
        let others = made.iter().filter_map(|made| made.as_ref().err());
        assert!(others.map(io::Error::kind).all(|kind| kind == io::ErrorKind::AlreadyExists), "{made:?}");
        assert_eq!(first.len(), 1, "{made:?}");
        assert_eq!(fs::read(&path).expect("it is there"), [first[0]; 32]);
        assert_eq!(exposed(&path.metadata().expect("it is there")), None);
        assert_eq!(fs::read_dir(folder.path()).expect("there").count(), 1, "nothing is left beside it");
    }
}
