//! The release: the host, the connectors with their descriptors embedded, and for tests the misbehaving guests.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Context as _;

use crate::tools::{cargo, release, root, run, step, target, wasm_target};

/// Builds everything; gives the release folder.
pub(crate) fn all() -> anyhow::Result<PathBuf> {
    wasm_target()?;
    let plugins = packages("plugins")?;
    let guests = packages("tests/guests")?;
    step("build the components", || components(&plugins, &guests))?;
    let builtin = raw("sangam-plugin-http");
    step("build the host and the stand-ins", || {
        let mut build = cargo(&["build", "--release", "-p", "sangam", "-p", "sangam-saas", "-p", "sangam-tests"]);
        run(build.env("SANGAM_BUILTIN_HTTP", &builtin))
    })?;
    for (folder, packages, prefix) in [("plugins", &plugins, "sangam-plugin-"), ("guests", &guests, "sangam-guest-")] {
        for package in packages {
            let name = package.strip_prefix(prefix).unwrap_or(package);
            embed(&raw(package), &release().join(folder).join(format!("{name}.wasm")))?;
        }
    }
    crate::languages::build()?;
    Ok(release())
}

/// What a build sees of the environment, so that tests and benchmarks don't build the host again.
pub(crate) fn builtin() -> (&'static str, PathBuf) {
    ("SANGAM_BUILTIN_HTTP", raw("sangam-plugin-http"))
}

/// Names of the packages in a folder.
pub(crate) fn packages(folder: &str) -> anyhow::Result<Vec<String>> {
    let mut names = Vec::new();
    let folder = root().join(folder);
    if !folder.is_dir() {
        return Ok(names);
    }
    for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let manifest = entry?.path().join("Cargo.toml");
        let Ok(text) = std::fs::read_to_string(&manifest) else { continue };
        let name = text.lines().find_map(|line| line.strip_prefix("name = \"")).and_then(|rest| rest.strip_suffix('"'));
        names.push(name.with_context(|| format!("{} names no package", manifest.display()))?.to_owned());
    }
    names.sort();
    Ok(names)
}

fn components(plugins: &[String], guests: &[String]) -> anyhow::Result<()> {
    let mut build = cargo(&["build", "--profile", "plugin", "--target", "wasm32-wasip2"]);
    for package in plugins.iter().chain(guests) {
        build.args(["-p", package]);
    }
    run(&mut build)
}

/// A component as the toolchain made it.
fn raw(package: &str) -> PathBuf {
    target().join("wasm32-wasip2/plugin").join(format!("{}.wasm", package.replace('-', "_")))
}

/// Embeds the descriptor, unless the plugin is newer than what it is made from.
fn embed(raw: &Path, plugin: &Path) -> anyhow::Result<()> {
    let changed = |file: &Path| std::fs::metadata(file).and_then(|found| found.modified()).ok();
    let host = release().join("sangam");
    let fresh =
        changed(plugin).is_some_and(|made| changed(raw).is_some_and(|raw| raw < made) && changed(&host).is_some_and(|host| host < made));
    if fresh {
        return Ok(());
    }
    run(Command::new(host).args(["plugin", "embed"]).arg(raw).arg("--output").arg(plugin))
}
