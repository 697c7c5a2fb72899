//! JavaScript and TypeScript: npm brings the tools, the SDK's own script bundles the sources and makes the component.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use tokio::process::Command;

use super::raw;
use super::tool::{Need, Workshop};
use crate::cli::Failure;

const NODE: Need = Need {
    what: "Node.js 20 or later",
    variable: "SANGAM_NODE",
    programs: &["node"],
    get: "Get it at nodejs.org or from your system (Debian, Ubuntu: `apt install nodejs npm`; macOS: `brew install node`), then run this again",
};
const NPM: Need = Need {
    what: "npm, which comes with Node.js",
    variable: "SANGAM_NPM",
    programs: &["npm"],
    get: "Get it with Node.js at nodejs.org or from your system (Debian, Ubuntu: `apt install npm`), then run this again",
};

/// Oldest version of Node.js that the tools run on.
const OLDEST: u32 = 20;

/// What there is to build with.
pub(super) async fn tools(workshop: Workshop) -> Result<String, Failure> {
    let node = NODE.find()?;
    let version = workshop.asked(Command::new(&node).arg("--version")).await;
    if major(&version).is_some_and(|major| major < OLDEST) {
        return Err(NODE.missing(&format!("{} is {version}", node.display())));
    }
    NPM.find()?;
    Ok(node.display().to_string())
}

/// Gives the component.
pub(super) async fn component(folder: &Path, workshop: Workshop) -> Result<PathBuf, Failure> {
    let node = tools(workshop).await?;
    if outdated(folder) {
        install(folder, workshop).await?;
    }
    // In this tree the SDK stands beside the project instead of in it, and npm leaves the tools of such a one alone.
    let sdk = folder.join("node_modules/@sangam/sdk").canonicalize().unwrap_or_default();
    if sdk.join("package.json").is_file()
        && !folder.canonicalize().is_ok_and(|folder| sdk.starts_with(folder))
        && !sdk.join("node_modules").is_dir()
    {
        install(&sdk, workshop).await?;
    }
    let output = raw(folder);
    let mut build = Command::new(node);
    build.arg("node_modules/@sangam/sdk/bin/sangam-js.mjs").arg("build").arg("--output").arg(&output).current_dir(folder);
    workshop.run("the build of the JavaScript component", &mut build).await?;
    Ok(output)
}

/// Installs what `package.json` names into `node_modules`. No script of a dependency is run.
async fn install(folder: &Path, workshop: Workshop) -> Result<(), Failure> {
    let npm = NPM.find()?;
    let what = "installing tools into node_modules (npm)";
    let command = |verb: &str| {
        let mut install = Command::new(&npm);
        install.args([verb, "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(folder);
        install
    };
    // A lock file that no longer fits `package.json` is brought up to date, as npm's own `install` does.
    if folder.join("package-lock.json").is_file() && workshop.quietly(what, &mut command("ci")).await.is_ok() {
        return Ok(());
    }
    workshop.quietly(what, &mut command("install")).await
}

fn outdated(folder: &Path) -> bool {
    let changed = |file: &str| std::fs::metadata(folder.join(file)).and_then(|found| found.modified()).ok();
    let installed: Option<SystemTime> = changed("node_modules/.package-lock.json");
    !folder.join("node_modules/@sangam/sdk/bin").is_dir()
        || installed.is_none()
        || changed("package.json") > installed
        || changed("package-lock.json") > installed
}

/// `20` of `v20.20.2`.
fn major(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_node_is_read_off_what_it_prints() {
        assert_eq!(major("v20.20.2"), Some(20));
        assert_eq!(major("18.0.0"), None);
        assert_eq!(major(""), None);
    }

    #[test]
    fn tools_are_installed_again_once_the_manifest_has_changed() {
        let folder = tempfile::tempdir().expect("a folder");
        let write = |file: &str, at: u64| {
            let path = folder.path().join(file);
            std::fs::create_dir_all(path.parent().expect("a file in a folder")).expect("a folder");
            std::fs::File::create(path)
                .and_then(|file| file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(at)))
                .expect("a file");
        };
        write("package.json", 10);
        assert!(outdated(folder.path()), "nothing is installed");
        write("node_modules/@sangam/sdk/bin/sangam-js.mjs", 10);
        write("node_modules/.package-lock.json", 20);
        assert!(!outdated(folder.path()));
        write("package.json", 30);
        assert!(outdated(folder.path()));
    }
}
