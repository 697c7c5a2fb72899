//! What a machine needs, and how it is had.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, bail};

/// Root of the checkout.
pub(crate) fn root() -> PathBuf {
    // xtask/ is a folder of the root.
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().map_or_else(|| PathBuf::from("."), Path::to_path_buf)
}

/// Where cargo builds: `CARGO_TARGET_DIR`, or `target`.
pub(crate) fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |folder| root().join(folder))
}

/// Where the release is.
pub(crate) fn release() -> PathBuf {
    target().join("release")
}

/// Runs a command; its failure is ours.
pub(crate) fn run(command: &mut Command) -> anyhow::Result<()> {
    let shown = format!("{command:?}");
    let status = command.status().with_context(|| format!("can't start {shown}"))?;
    if !status.success() {
        bail!("{shown} failed ({status})");
    }
    Ok(())
}

/// Cargo, at the root.
pub(crate) fn cargo(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(arguments).current_dir(root());
    // Who runs this program says with these that it runs xtask. Build scripts look at them (ring's does), and would run again, with all that builds on them,
    // whenever cargo is called now by hand and now from here, or in another folder.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| ["CARGO_MANIFEST_", "CARGO_PKG_"].iter().any(|begins| name.starts_with(begins))) {
            command.env_remove(name);
        }
    }
    command
}

/// Does something that takes a while, and says how long it took.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<T> {
    eprintln!("── {what}");
    let started = Instant::now();
    let done = work().with_context(|| what.to_owned())?;
    eprintln!("── {what}: {:.1} s", started.elapsed().as_secs_f64());
    Ok(done)
}

/// Where the compiler is, with its libraries and documents.
pub(crate) fn sysroot() -> anyhow::Result<PathBuf> {
    let output = Command::new("rustc")
        .args(["--print", "sysroot"])
        .current_dir(root())
        .output()
        .context("rustc is not there: install Rust with rustup")?;
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// Adds the target that components are built for, where rustup manages the toolchain.
pub(crate) fn wasm_target() -> anyhow::Result<()> {
    if sysroot()?.join("lib/rustlib/wasm32-wasip2").is_dir() {
        return Ok(());
    }
    run(Command::new("rustup").args(["target", "add", "wasm32-wasip2"]).current_dir(root()))
        .context("the target wasm32-wasip2 is missing and rustup could not add it; where Rust comes from a package, install its wasm32-wasip2 standard library")
}
