//! Tools that tests use and a machine may lack. Without one its tests are left out, with a sentence that says how to get it; in CI that is a failure.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// Says that something is missing here, and so nothing is tested with it.
///
/// # Errors
/// In CI.
pub fn missing(advice: &str) -> anyhow::Result<()> {
    ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{advice}");
    eprintln!("{advice}; nothing is tested with it now");
    Ok(())
}

/// Whether tests can use a tool that was looked for. Where it was not found, says how to get it.
///
/// # Errors
/// In CI, when it was not found.
pub fn is_there(found: bool, advice: &str) -> anyhow::Result<bool> {
    if !found {
        missing(advice)?;
    }
    Ok(found)
}

/// Whether a program can be started with these arguments, and ends well.
pub fn runs(program: impl AsRef<Path>, arguments: &[&str]) -> bool {
    let tried = Command::new(program.as_ref()).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// A program of that name in a folder of `PATH`.
pub fn on_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// A Python with that module: the one in the path, the system's (which knows Debian's packages), or one of these.
pub(crate) fn python_with(module: &str, more: Option<PathBuf>) -> Option<PathBuf> {
    let usual = ["python3", "/usr/bin/python3"].into_iter().map(PathBuf::from);
    usual.chain(more).find(|python| runs(python, &["-c", &format!("import {module}")]))
}

/// A folder of `tests/peers`.
pub(crate) fn peer(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(name)
}

/// Others' libraries from npm, in a folder of `tests/peers`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodePeer {
    /// Its name there.
    pub(crate) folder: &'static str,
    /// What it is, as the beginning of a sentence.
    pub(crate) what: &'static str,
    /// Those without which it is not there.
    pub(crate) packages: &'static [&'static str],
}

impl NodePeer {
    /// Of the packages and their lock file.
    pub(crate) fn folder(&self) -> PathBuf {
        peer(self.folder)
    }

    /// What to do where it is missing.
    pub(crate) fn advice(&self) -> String {
        let NodePeer { folder, what, .. } = self;
        format!(
            "{what} not installed here: install Node.js 20 or later (Debian: `apt-get install nodejs npm`), then run `npm ci` in tests/peers/{folder}"
        )
    }

    /// Whether Node.js and the packages are here.
    pub(crate) fn is_installed(&self) -> bool {
        let modules = self.folder().join("node_modules");
        self.packages.iter().all(|package| modules.join(package).is_dir()) && runs("node", &["--version"])
    }

    /// The same; where something is missing, says how to get it.
    ///
    /// # Errors
    /// In CI, when something is missing.
    pub(crate) fn is_there(&self) -> anyhow::Result<bool> {
        is_there(self.is_installed(), &self.advice())
    }

    /// Its script, to be started in its folder.
    pub(crate) fn script(&self, name: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(name).current_dir(self.folder());
        command
    }

    /// What a script of it answers to this input.
    ///
    /// # Errors
    /// When it does not run to its end.
    pub(crate) fn answer(&self, script: &str, input: &[u8]) -> anyhow::Result<String> {
        use std::io::Write as _;
        let mut child = self.script(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().with_context(|| self.advice())?;
        child.stdin.take().context("input is piped")?.write_all(input)?;
        let output = child.wait_with_output()?;
        ensure!(output.status.success(), "{script} in tests/peers/{} ended with {}", self.folder, output.status);
        Ok(String::from_utf8(output.stdout)?)
    }
}
