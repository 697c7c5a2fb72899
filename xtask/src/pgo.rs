//! `cargo xtask pgo`: the host, compiled by what it does under load (profile-guided optimization, the rustc book's chapter of that name).
//!
//! It is built three times: as always, with a counter in each branch, and by what these counted while the benchmark ran. What runs often then stands
//! together and is inlined, and what never runs is out of the way.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::SystemTime;

use anyhow::{Context as _, bail, ensure};

use crate::build::{all, builtin};
use crate::tools::{cargo, run, step, sysroot, target};

/// Rows of the benchmark that are played: what a host on SQLite does day by day, and the compiling of components at a first start.
const PLAYED: [&str; 8] = ["intake", "batch", "chain", "batches", "order", "latency", "start", "journal"];
/// The program.
const PROGRAM: &str = "sangam";

/// Builds; gives the folder of the release, which is like the ordinary one but for the host.
pub(crate) fn pgo() -> anyhow::Result<PathBuf> {
    let merge = profdata()?;
    let release = all()?;
    let own = target().join("pgo");
    let (counts, profile, built) = (own.join("counts"), own.join("sangam.profdata"), own.join("built"));
    let counting =
        step("build the host with counters", || host(&own.join("counting"), &format!("-Cprofile-generate={}", counts.display())))?;
    if changed(&profile) <= changed(&counting) {
        let played = own.join("played");
        beside(&release, &played)?;
        stand_in(&counting, &played)?;
        emptied(&counts)?;
        step("play the benchmark", || play(&played, &counts))?;
        // Cargo does not look into the profile: all is compiled anew by another one.
        emptied(&built)?;
        step("gather what was counted", || run(Command::new(&merge).args(["merge", "--output"]).arg(&profile).arg(&counts)))?;
    }
    let program = step("build the host by what was counted", || host(&built, &format!("-Cprofile-use={}", profile.display())))?;
    let folder = own.join("release");
    beside(&release, &folder)?;
    std::fs::copy(&program, folder.join(PROGRAM))?;
    Ok(folder)
}

/// The host, compiled with a flag more, in a target folder of its own.
fn host(folder: &Path, flag: &str) -> anyhow::Result<PathBuf> {
    let (name, component) = builtin();
    let triple = compiler("host")?;
    // With a target the flag is not for what runs while it builds: scripts, and macros.
    let mut build = cargo(&["build", "--release", "-p", PROGRAM, "--bin", PROGRAM, "--target", &triple]);
    run(build.env(name, component).env("RUSTFLAGS", flag).env("CARGO_TARGET_DIR", folder))?;
    Ok(folder.join(triple).join("release").join(PROGRAM))
}

fn play(release: &Path, counts: &Path) -> anyhow::Result<()> {
    let (name, component) = builtin();
    let mut bench = cargo(&["run", "--release", "--quiet", "-p", "sangam-bench", "--", "--quick"]);
    bench.args(PLAYED).env(name, component).env("SANGAM_RELEASE_DIR", release);
    run(bench.env("LLVM_PROFILE_FILE", counts.join("%m.profraw")))?;
    ensure!(std::fs::read_dir(counts)?.next().is_some(), "the benchmark's hosts have counted nothing");
    Ok(())
}

/// Has the host with counters be the one of a release. Under a name that is not its own it compiles components in itself, and so counts that as well: a
/// compiler of its own may write no file, and so no counts.
fn stand_in(counting: &Path, release: &Path) -> anyhow::Result<()> {
    let named = release.join("sangam-counting");
    std::fs::copy(counting, &named)?;
    let program = release.join(PROGRAM);
    std::fs::write(&program, format!("#!/bin/sh\nexec '{}' \"$@\"\n", named.display()))?;
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).context("a script is run")
}

/// A folder with links to all that another one has, but for the host.
fn beside(release: &Path, folder: &Path) -> anyhow::Result<()> {
    emptied(folder)?;
    for entry in std::fs::read_dir(release)? {
        let entry = entry?;
        if entry.file_name() != PROGRAM {
            std::os::unix::fs::symlink(entry.path(), folder.join(entry.file_name()))?;
        }
    }
    Ok(())
}

fn emptied(folder: &Path) -> anyhow::Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("making {}", folder.display()))
}

/// `None`, which is before all times: it is not there.
fn changed(file: &Path) -> Option<SystemTime> {
    std::fs::metadata(file).and_then(|found| found.modified()).ok()
}

/// `llvm-profdata`, of the compiler's own LLVM or of one of the same major version.
fn profdata() -> anyhow::Result<PathBuf> {
    let own = sysroot()?.join("lib/rustlib").join(compiler("host")?).join("bin/llvm-profdata");
    let version = compiler("LLVM version")?;
    let major = version.split('.').next().unwrap_or_default();
    let places = [own, format!("/usr/lib/llvm-{major}/bin/llvm-profdata").into()];
    match places.iter().find(|place| place.is_file()) {
        Some(place) => Ok(place.clone()),
        None => bail!("llvm-profdata of LLVM {major} is not there: `rustup component add llvm-tools`, or Debian's package llvm-{major}"),
    }
}

/// What the compiler says of itself.
fn compiler(what: &str) -> anyhow::Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .current_dir(crate::tools::root())
        .output()
        .context("rustc is not there: install Rust with rustup")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix(what)?.strip_prefix(": "));
    Ok(line.with_context(|| format!("`rustc -vV` says no {what}"))?.to_owned())
}
