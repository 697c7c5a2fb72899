//! Where `cargo xtask` put what is tested.

use std::path::PathBuf;

/// The folder of the release build: `SANGAM_RELEASE_DIR`, or beside this very program.
fn release() -> PathBuf {
    if let Some(folder) = std::env::var_os("SANGAM_RELEASE_DIR") {
        return PathBuf::from(folder);
    }
    let program = std::env::current_exe().expect("a program knows its own path");
    program.ancestors().find(|folder| folder.join("sangam").is_file()).map(PathBuf::from).unwrap_or_else(|| PathBuf::from("target/release"))
}

fn built(path: PathBuf) -> PathBuf {
    assert!(path.is_file(), "{} is not there: `cargo xtask build` makes it", path.display());
    path
}

/// The program.
pub fn sangam() -> PathBuf {
    built(release().join("sangam"))
}

/// A connector, such as `quickbooks`.
pub fn plugin(name: &str) -> PathBuf {
    built(release().join("plugins").join(format!("{name}.wasm")))
}

/// A test guest, such as `misbehaving`.
pub fn guest(name: &str) -> PathBuf {
    built(release().join("guests").join(format!("{name}.wasm")))
}

/// A copy of a guest's bytes, to be broken on purpose.
pub fn fresh_guest(name: &str) -> Vec<u8> {
    std::fs::read(guest(name)).expect("a file that is there can be read")
}
