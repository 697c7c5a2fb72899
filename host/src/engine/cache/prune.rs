//! Keeps the folder within its size: what was not used for the longest time makes room. Nobody misses a file that goes: who uses its code
//! has it in memory, and who needs it again compiles it again.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What was begun and not finished for so long will not be finished.
const ABANDONED: Duration = Duration::from_secs(3600);

struct Kept {
    path: PathBuf,
    size: u64,
    used: SystemTime,
}

/// Prunes the folder of a file that has just been written, and stays.
pub(super) fn prune(newest: &Path, most: u64) {
    let Some(Ok(entries)) = newest.parent().map(std::fs::read_dir) else { return };
    let mut kept = Vec::new();
    for entry in entries.flatten() {
        let path = entry.path();
        let Ok(metadata) = entry.metadata() else { continue };
        let used = metadata.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("cwasm") => kept.push(Kept { path, size: metadata.len(), used }),
            Some("part") if used.elapsed().is_ok_and(|age| age > ABANDONED) => remove(&path),
            _ => {}
        }
    }
    let mut size: u64 = kept.iter().map(|file| file.size).sum();
    kept.sort_by_key(|file| file.used);
    for file in kept.iter().filter(|file| file.path != newest) {
        if size <= most {
            break;
        }
        remove(&file.path);
        size -= file.size;
    }
}

fn remove(path: &Path) {
    match std::fs::remove_file(path) {
        Ok(()) => tracing::debug!(file = %path.display(), "compiled code that was not used for long made room"),
        // Another process was quicker.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => tracing::warn!(file = %path.display(), %error, "compiled code that was not used for long can't be removed"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_used_for_longest_makes_room() -> std::io::Result<()> {
        let folder = tempfile::tempdir()?;
        let file = |name: &str, age: u64| -> std::io::Result<PathBuf> {
            let path = folder.path().join(name);
            std::fs::write(&path, [0; 1000])?;
            std::fs::File::open(&path)?.set_modified(SystemTime::now() - Duration::from_secs(age))?;
            Ok(path)
        };
        let (old, newest) = (file("old.cwasm", 300)?, file("newest.cwasm", 400)?);
        let (used, part, dead) = (file("used.cwasm", 10)?, file("fresh.part", 10)?, file("dead.part", 7200)?);
        let other = file("other.txt", 7200)?;
        prune(&newest, 2000);
        assert!(!old.exists() && !dead.exists());
        assert!(used.exists() && newest.exists() && part.exists() && other.exists());
        prune(&newest, 10);
        assert!(newest.exists() && !used.exists(), "what was just made stays, whatever its size");
        Ok(())
    }
}
