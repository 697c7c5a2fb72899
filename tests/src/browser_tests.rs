//! Specs of the console, in a real browser: Playwright's runner drives Debian's Chromium at a host under test. See `tests/peers/browser`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::tool::{self, NodePeer};

const PEER: NodePeer = NodePeer { folder: "browser", what: "the runner of browser tests is", packages: &["@playwright/test"] };
/// What to do where the browser is missing.
const ADVICE: &str =
    "no Chromium here (Debian: `apt-get install chromium fonts-beng fonts-deva`; elsewhere SANGAM_CHROMIUM names the program)";
/// Longest time for the tests of one spec together, on a slow machine.
const WHOLE_SPEC: Duration = Duration::from_secs(1200);
/// Where the program itself is, rather than a script of a distribution's around it.
const CHROMIUM: &[&str] = &["/usr/lib/chromium/chromium", "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

/// The browser, and the runner of specs.
#[derive(Debug)]
pub struct BrowserTests {
    chromium: PathBuf,
}

impl BrowserTests {
    /// `None` where something is missing; says how to get it.
    ///
    /// # Errors
    /// In CI, when something is missing.
    pub fn here() -> anyhow::Result<Option<BrowserTests>> {
        let chromium = match std::env::var_os("SANGAM_CHROMIUM") {
            Some(named) => Some(PathBuf::from(named)),
            None => CHROMIUM.iter().map(PathBuf::from).find(|path| path.exists()),
        };
        if !tool::is_there(chromium.is_some(), ADVICE)? || !PEER.is_there()? {
            return Ok(None);
        }
        Ok(chromium.map(|chromium| BrowserTests { chromium }))
    }

    /// Runs `specs/NAME.spec.mjs` with these variables, such as `SANGAM_URL`.
    ///
    /// # Errors
    /// When a test of the spec fails: with what the runner says. Screenshots and traces are then in `target/browser/NAME`.
    pub async fn run(&self, spec: &str, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser").join(spec);
        let mut command = Command::from(PEER.script("node_modules/@playwright/test/cli.js"));
        command
            .args(["test", &format!("specs/{spec}.spec.mjs")])
            .env("SANGAM_CHROMIUM", &self.chromium)
            .env("SANGAM_BROWSER_RESULTS", &results)
            // The runner would print another line a second for people.
            .env("CI", "true")
            .env_remove("FORCE_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        for (name, value) in variables {
            command.env(name, value);
        }
        let output = tokio::time::timeout(WHOLE_SPEC, command.output()).await.with_context(|| format!("the spec {spec} did not end"))??;
        if !output.status.success() {
            let said = [output.stdout, output.stderr].concat();
            bail!("the spec {spec} failed; screenshots are in {}:\n{}", results.display(), String::from_utf8_lossy(&said));
        }
        Ok(())
    }

    /// Of the runner.
    pub fn folder() -> PathBuf {
        PEER.folder()
    }
}
