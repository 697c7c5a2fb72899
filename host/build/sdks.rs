//! The SDKs, packed for `sangam plugin new`: what an author's project needs of `sdk/*`, and the contract.

use std::fs;
use std::path::{Path, PathBuf};

/// More would be a folder of somebody's tools that got in.
const MOST_BYTES: usize = 6 << 20;

/// Folders that tools make, or that only this tree needs.
const LEFT_OUT: &[&str] = &["node_modules", "target", "build", "dist", "test", "tests", "__pycache__", "venv"];

/// A tar of `sdk/LANG/…` as `LANG/…`, and of `wit/…`, the same for the same files: sorted, without owners and times.
pub fn pack(root: &Path) -> Vec<u8> {
    let mut files = Vec::new();
    for language in entries(&root.join("sdk")).into_iter().filter(|path| path.is_dir()) {
        let name = PathBuf::from(language.file_name().expect("an entry has a name"));
        gather(&language, &name, false, &mut files);
    }
    gather(&root.join("wit"), Path::new("wit"), false, &mut files);
    let mut archive = tar::Builder::new(Vec::new());
    for (name, file) in files {
        // Each file and not its folder: what a tool puts beside it must not make the host anew.
        println!("cargo::rerun-if-changed={}", file.display());
        let bytes = fs::read(&file).unwrap_or_else(|error| panic!("can't read {}: {error}", file.display()));
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, bytes.as_slice()).expect("memory can be written");
    }
    let bytes = archive.into_inner().expect("memory can be written");
    assert!(bytes.len() <= MOST_BYTES, "the SDKs have {} bytes, at most {MOST_BYTES}: what got in?", bytes.len());
    bytes
}

/// The files of a folder and those below it. A template is taken whole, hidden files too; a link leads to `wit`, which is packed once.
/// Gives whether nothing was left out: then the folder itself can be watched for new files.
fn gather(folder: &Path, name: &Path, in_template: bool, files: &mut Vec<(PathBuf, PathBuf)>) -> bool {
    let mut whole = true;
    for path in entries(folder) {
        let entry = path.file_name().expect("an entry has a name").to_string_lossy().into_owned();
        let in_template = in_template || entry == "template";
        let unwanted = path.is_symlink()
            || (!in_template && (entry.starts_with('.') || LEFT_OUT.contains(&entry.as_str())))
            || ["package-lock.json", "conftest.py"].contains(&entry.as_str())
            || entry.ends_with("_test.go")
            || entry == "__pycache__";
        if unwanted {
            whole = false;
        } else if path.is_dir() {
            whole &= gather(&path, &name.join(&entry), in_template, files);
        } else {
            // Python puts a folder of its own beside what it has read, and everything would be built again for that.
            whole &= path.extension().is_none_or(|extension| extension != "py");
            files.push((name.join(&entry), path));
        }
    }
    if whole {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    whole
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("can't read {}: {error}", folder.display()));
    let mut entries: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry of a folder that is being read").path()).collect();
    entries.sort();
    entries
}
