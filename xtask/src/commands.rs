//! One function per command.

use std::process::{Command, Stdio};

use crate::build::{all, builtin};
use crate::tools::{cargo, run, step};

/// `cargo xtask demo`.
pub(crate) fn demo(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    run(Command::new(release.join("sangam-demo")).args(arguments))
}

/// `cargo xtask test`: all tests, or those whose name contains a filter; what is tested at the edge, on both stores. Without a filter also a look at the
/// dependencies and a short run of the fuzz targets.
pub(crate) fn test(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    let (builtin, component) = builtin();
    let tests = |scope: &[&str], store: &str, skipped: &[&str]| {
        let mut test = cargo(&["test", "--release", "--no-fail-fast"]);
        test.args(scope).env(builtin, &component).env("SANGAM_RELEASE_DIR", &release).env("SANGAM_TEST_STORE", store).args(arguments);
        if !skipped.is_empty() {
            test.arg("--").args(skipped.iter().flat_map(|name| ["--skip", name]));
        }
        run(&mut test)
    };
    let sqlite = step("run all tests, on SQLite", || tests(&["--workspace", "--exclude", "sangam-fuzz"], "sqlite", &[]));
    // The one line says how to get PostgreSQL where it is missing; in CI that is a failure.
    let postgres = run(Command::new(release.join("sangam-crash")).arg("--has-postgres").stdout(Stdio::null())).is_ok();
    if postgres || std::env::var("CI").is_ok_and(|ci| ci == "true") {
        step("run the integration tests on PostgreSQL", || {
            tests(&["--workspace", "--exclude", "sangam-fuzz", "--test", "it"], "postgres", &WITHOUT_A_STORE)
        })?;
    }
    sqlite?;
    if arguments.is_empty() {
        crate::languages::test()?;
        step("make the book", crate::book::book)?;
        step("look at the dependencies", crate::deny::deny)?;
        crate::fuzz::fuzz(&[])?;
    }
    Ok(())
}

/// Tests that another store would tell nothing new: of documents, of what authors do on their own machines, of components before they run, of their
/// sandbox and its limits, of the network's two sides and what vendors make of requests, of logins, and of most of the console in a browser, whose answers other
/// tests ask for on both stores.
const WITHOUT_A_STORE: [&str; 44] = [
    "ahead::",
    "authoring::",
    "book::",
    "bundles::",
    "certify::",
    "compiled::",
    "components::",
    "conformance::",
    "connectors::answers",
    "connectors::custom_hr",
    "connectors::hubspot",
    "connectors::messages",
    "connectors::office",
    "connectors::quickbooks",
    "connectors::salesforce",
    "console::canary",
    "console::connect",
    "console::dead_letters",
    "console::events",
    "console::flow",
    "console::frame",
    "console::names",
    "console::overview",
    "console::serving",
    "console::setup",
    "console::sources",
    "console::tryout",
    "console::words",
    "frozen::",
    "house::",
    "limits::",
    "login::",
    "mail::",
    "malformed::",
    "outbound::",
    "packaging::",
    "registry::",
    "registry_lies::",
    "sandbox::",
    "supply::",
    "tls::",
    "top::",
    "wasi_http::",
    "written_in_go::",
];

/// `cargo xtask crash`.
pub(crate) fn crash(arguments: &[String]) -> anyhow::Result<()> {
    let release = all()?;
    run(Command::new(release.join("sangam-crash")).env("SANGAM_RELEASE_DIR", &release).args(arguments))
}

/// `cargo xtask bench`. `--pgo`: the host is one that is compiled by what it does.
pub(crate) fn bench(arguments: &[String]) -> anyhow::Result<()> {
    let by_what_it_does = arguments.iter().any(|argument| argument == "--pgo");
    let release = if by_what_it_does { crate::pgo::pgo()? } else { all()? };
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
