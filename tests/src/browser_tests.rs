//! Specs of the console, in a real browser: Playwright's runner drives Debian's Chromium at a host under test. See `tests/peers/browser`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tokio::process::Command;

/// What to do where it is missing.
const ADVICE: &str = "the browser for tests is not installed here: install Node.js 20 or later, and Chromium (Debian: `apt-get install nodejs npm \
                      chromium fonts-beng fonts-deva`; elsewhere SANGAM_CHROMIUM names the program), then run `npm ci` in tests/peers/browser";
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
        let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let is_there = node.is_ok_and(|status| status.success()) && BrowserTests::folder().join("node_modules/@playwright/test").is_dir();
        if let Some(chromium) = chromium.filter(|_| is_there) {
            return Ok(Some(BrowserTests { chromium }));
        }
        ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{ADVICE}");
        eprintln!("{ADVICE}; nothing is tested with it now");
        Ok(None)
    }

    /// Runs `specs/NAME.spec.mjs` with these variables, such as `SANGAM_URL`.
    ///
    /// # Errors
    /// When a test of the spec fails: with what the runner says. Screenshots and traces are then in `target/browser/NAME`.
    pub async fn run(&self, spec: &str, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let results = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/browser").join(spec);
        let mut command = Command::new("node");
        command
            .args(["node_modules/@playwright/test/cli.js", "test", &format!("specs/{spec}.spec.mjs")])
            .current_dir(BrowserTests::folder())
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
        Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/browser")
    }
}
