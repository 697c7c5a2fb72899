//! One function per command.

use std::process::Command;

use crate::build::{all, builtin};
use crate::tools::{cargo, run, step};

/// `cargo xtask demo`.
pub(crate) fn demo(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    run(Command::new(release.join("sangam-demo")).args(arguments))
}

/// `cargo xtask test`: all tests, or those whose name contains a filter.
pub(crate) fn test(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    let (builtin, component) = builtin();
    step("run all tests", || {
        let mut test = cargo(&["test", "--release", "--workspace", "--no-fail-fast"]);
        test.env(builtin, component).env("SANGAM_RELEASE_DIR", release).args(arguments);
        run(&mut test)
    })
}

/// `cargo xtask bench`.
pub(crate) fn bench(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    let (builtin, component) = builtin();
    let mut bench = cargo(&["run", "--release", "--quiet", "-p", "sangam-bench", "--"]);
    run(bench.env(builtin, component).env("SANGAM_RELEASE_DIR", release).args(arguments))
}

/// `cargo xtask lint`.
pub(crate) fn lint() -> anyhow::Result<()> {
    let (builtin, component) = builtin();
    crate::tools::wasm_target()?;
    run(&mut cargo(&["fmt", "--all", "--check"]))?;
    let mut clippy = cargo(&["clippy", "--release", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    if component.is_file() {
        clippy.env(builtin, component);
    }
    run(&mut clippy)
}
