//! Which files of a project have changed: their times and sizes, looked at again and again.
//!
//! That costs a look at each file, and works in any folder, on a network and in a container, where notifications of the system don't.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Folders that builds, installers and hosts write into.
const LEFT_OUT: &[&str] = &["build", "target", "node_modules", "data", "dist", "__pycache__", "venv"];
/// Most files that are looked at, and deepest folder: more is no project.
const MOST_FILES: usize = 20_000;
const DEEPEST: usize = 16;

type Snapshot = BTreeMap<PathBuf, (SystemTime, u64)>;

/// The files of a project as they were when last looked at.
#[derive(Debug)]
pub(super) struct Changes {
    folder: PathBuf,
    /// Files that count too, wherever they are.
    extra: Vec<PathBuf>,
    before: Snapshot,
}

impl Changes {
    /// From now on.
    pub(super) fn of(folder: &Path, extra: Vec<PathBuf>) -> Changes {
        let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
        // The same file by two names would change twice.
        let extra = extra.into_iter().map(|file| std::fs::canonicalize(&file).unwrap_or(file)).collect();
        let mut changes = Changes { folder, extra, before: Snapshot::new() };
        changes.before = changes.snapshot();
        changes
    }

    /// What has changed since the last look: new, gone, or other.
    pub(super) fn look(&mut self) -> Vec<PathBuf> {
        let now = self.snapshot();
        let other = now.iter().filter(|(path, facts)| self.before.get(*path) != Some(facts)).map(|(path, _)| path);
        let gone = self.before.keys().filter(|path| !now.contains_key(*path));
        let changed = other.chain(gone).cloned().collect();
        self.before = now;
        changed
    }

    fn snapshot(&self) -> Snapshot {
        let mut files = Snapshot::new();
        gather(&self.folder, 0, &mut files);
        for file in &self.extra {
            note(file, &mut files);
        }
        files
    }
}

fn gather(folder: &Path, depth: usize, files: &mut Snapshot) {
    // A folder that can't be read has nothing to build from.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if name.starts_with('.') || LEFT_OUT.contains(&name.as_ref()) || is_written_by_tools(&name) || files.len() >= MOST_FILES {
            continue;
        }
        match entry.file_type() {
            Ok(kind) if kind.is_dir() && depth < DEEPEST => gather(&path, depth + 1, files),
            Ok(kind) if kind.is_file() => note(&path, files),
            _ => {}
        }
    }
}

/// Lock files and keys: what the build itself writes must not begin another.
fn is_written_by_tools(name: &str) -> bool {
    ["Cargo.lock", "package-lock.json", "sangam.key", "sangam.lock"].contains(&name) || name.ends_with('~') || name.ends_with(".swp")
}

fn note(file: &Path, files: &mut Snapshot) {
    if let Ok(found) = std::fs::metadata(file) {
        files.insert(file.to_owned(), (found.modified().unwrap_or(SystemTime::UNIX_EPOCH), found.len()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_author_changes_is_seen_once_and_what_tools_write_is_not() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        };
        write("src/lib.rs", "1");
        let mut changes = Changes::of(folder.path(), Vec::new());
        assert!(changes.look().is_empty());
        write("src/lib.rs", "12");
        write("src/new.rs", "");
        for tool in ["target/x", "build/x.wasm", "node_modules/a/index.js", ".venv/x", "data/sangam.db", "Cargo.lock"] {
            write(tool, "");
        }
        let root = std::fs::canonicalize(folder.path()).expect("a folder");
        assert_eq!(changes.look(), [root.join("src/lib.rs"), root.join("src/new.rs")]);
        assert!(changes.look().is_empty());
        std::fs::remove_file(root.join("src/new.rs")).expect("it is there");
        assert_eq!(changes.look(), [root.join("src/new.rs")]);
    }
}
