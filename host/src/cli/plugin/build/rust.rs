//! Rust: cargo makes the component by itself.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tokio::process::Command;

use super::tool::{Need, Workshop};
use crate::cli::Failure;

const TARGET: &str = "wasm32-wasip2";

const CARGO: Need = Need {
    what: "cargo",
    variable: "CARGO",
    programs: &["cargo"],
    get: "Install Rust with rustup (https://rustup.rs; Debian, Ubuntu: `apt install rustup && rustup default stable`; macOS: `brew install rustup`)",
};

/// What there is to build with.
pub(super) async fn tools(folder: &Path, workshop: Workshop) -> Result<String, Failure> {
    let cargo = CARGO.find()?;
    has_target(folder, workshop).await?;
    Ok(cargo.display().to_string())
}

/// Gives the component.
pub(super) async fn component(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let cargo = tools(folder, workshop).await?;
    let mut build = Command::new(&cargo);
    build.args(["build", "--release", "--target", TARGET, "--message-format", "json-render-diagnostics"]);
    build.current_dir(folder);
    // Of a cargo that runs us: they describe its package, and this is another.
    for variable in ["CARGO_MANIFEST_DIR", "CARGO_ENCODED_RUSTFLAGS", "RUSTC_WORKSPACE_WRAPPER"] {
        build.env_remove(variable);
    }
    let said = workshop.output("cargo build", &mut build).await?;
    let manifest = std::fs::canonicalize(folder.join("Cargo.toml")).map_err(Failure::failed)?;
    artifact(&String::from_utf8_lossy(&said), &manifest).ok_or_else(|| {
        Failure::Failed(format!(
            "{} built, but it makes no component: it needs `[lib]` with `crate-type = [\"cdylib\"]`",
            folder.join("Cargo.toml").display()
        ))
    })
}

/// Rust's standard library for components is where rustc looks for it.
async fn has_target(folder: &Path, workshop: Workshop) -> Result<(), Failure> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let mut ask = Command::new(rustc);
    ask.args(["--print", "target-libdir", "--target", TARGET]).current_dir(folder);
    let libraries = workshop.asked(&mut ask).await;
    if libraries.is_empty() || Path::new(&libraries).is_dir() {
        // Where rustc can't say, cargo will.
        return Ok(());
    }
    Err(Failure::Failed(format!(
        "Rust's standard library for {TARGET} is not installed: `rustup target add {TARGET}` installs it; where Rust comes from a package of \
         the system, so does it"
    )))
}

/// The component of this package among what cargo says that it made.
fn artifact(said: &str, manifest: &Path) -> Option<PathBuf> {
    let made = said.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let ours = made.filter(|message| {
        message["reason"] == "compiler-artifact" && message["manifest_path"].as_str().is_some_and(|path| Path::new(path) == manifest)
    });
    let files = ours.flat_map(|message| message["filenames"].as_array().cloned().unwrap_or_default());
    files.filter_map(|file| file.as_str().map(PathBuf::from)).find(|file| file.extension().is_some_and(|extension| extension == "wasm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_component_is_that_of_the_package_and_not_of_a_dependency() {
        let said = r#"{"reason":"compiler-artifact","manifest_path":"/x/dep/Cargo.toml","filenames":["/t/dep.wasm"]}
not json
{"reason":"compiler-artifact","manifest_path":"/x/Cargo.toml","filenames":["/t/libx.rlib","/t/x.wasm"]}"#;
        assert_eq!(artifact(said, Path::new("/x/Cargo.toml")), Some(PathBuf::from("/t/x.wasm")));
        assert_eq!(artifact(said, Path::new("/y/Cargo.toml")), None);
    }
}
