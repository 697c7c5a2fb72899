//! `cargo xtask deny`: licences, sources and known weaknesses of the dependencies, by `deny.toml`.

use std::process::Command;

use anyhow::{Context as _, bail};

use crate::tools::{root, run};

/// How to get the tool.
const GET: &str = "`cargo install --locked cargo-deny` installs it";

/// Checks what can be checked without a network, then the advisories.
pub(crate) fn deny() -> anyhow::Result<()> {
    if !Command::new("cargo-deny").arg("--version").output().is_ok_and(|output| output.status.success()) {
        if std::env::var("CI").is_ok_and(|ci| ci == "true") {
            bail!("cargo-deny is not there: {GET}");
        }
        eprintln!("── the look at licences and advisories is skipped, since cargo-deny is not there: {GET}");
        return Ok(());
    }
    let deny = || {
        let mut command = Command::new("cargo-deny");
        command.current_dir(root());
        command
    };
    run(deny().args(["check", "licenses", "bans", "sources"]))?;
    let advisories = deny().args(["check", "advisories"]).output().context("running cargo-deny")?;
    let said = String::from_utf8_lossy(&advisories.stderr);
    if advisories.status.success() {
        eprint!("{said}");
    } else if said.contains("failed to fetch advisory database") {
        // It comes from a public repository, which a machine without a way out does not reach. That is not a finding.
        eprintln!("── advisories were not looked at: their database can't be reached from here");
    } else {
        bail!("{}", said.trim_end());
    }
    Ok(())
}
