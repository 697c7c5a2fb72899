//! Where `cargo xtask` put what is tested.

use std::path::PathBuf;

use crate::tool::missing;

/// The folder of the release build: `SANGAM_RELEASE_DIR`, or beside this very program.
fn release() -> PathBuf {
    if let Some(folder) = std::env::var_os("SANGAM_RELEASE_DIR") {
        return PathBuf::from(folder);
    }
    let program = std::env::current_exe().expect("a program knows its own path");
    program.ancestors().find(|folder| folder.join("sangam").is_file()).map(PathBuf::from).unwrap_or_else(|| PathBuf::from("target/release"))
}

/// Where what the tests start keeps compiled code: not among what the user's own tools compile.
pub fn code() -> PathBuf {
    std::path::absolute(release().join("compiled")).expect("a path that is not empty can be made absolute")
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

/// A test guest, such as `misbehaving`. `SANGAM_TEST_SCRIPTED=python` has that language's guest stand for `scripted`, in all tests.
pub fn guest(name: &str) -> PathBuf {
    if name == "scripted"
        && let Ok(language) = std::env::var("SANGAM_TEST_SCRIPTED")
    {
        return built(release().join("guests").join(format!("scripted-{language}.wasm")));
    }
    built(release().join("guests").join(format!("{name}.wasm")))
}

/// A guest in a language whose tools may be missing here, such as `scripted-python`. Then it says how to get them, and fails in CI.
///
/// # Errors
/// In CI, when it was not built.
pub fn built_guest(name: &str) -> anyhow::Result<Option<PathBuf>> {
    optional(release().join("guests").join(format!("{name}.wasm")))
}

/// The same for a connector.
///
/// # Errors
/// In CI, when it was not built.
pub fn built_plugin(name: &str) -> anyhow::Result<Option<PathBuf>> {
    optional(release().join("plugins").join(format!("{name}.wasm")))
}

fn optional(path: PathBuf) -> anyhow::Result<Option<PathBuf>> {
    if path.is_file() {
        return Ok(Some(path));
    }
    missing(&format!("{} was not built: `cargo xtask build` says which tool it needs and how to get it", path.display()))?;
    Ok(None)
}

/// A copy of a guest's bytes, to be broken on purpose.
pub fn fresh_guest(name: &str) -> Vec<u8> {
    std::fs::read(guest(name)).expect("a file that is there can be read")
}
