//! Tools of others that read the host's OpenAPI document: Redocly's linter (npm, `tests/peers/openapi/lint.mjs`), and schemathesis (pip), which asks a
//! host everything that the document allows and forbids.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

/// What to do where the linter is missing.
const LINTER: &str = "the linter of OpenAPI documents is not installed here: install Node.js 20 or later (Debian: `apt-get install nodejs npm`), \
                      then run `npm ci` in tests/peers/openapi";
/// What to do where schemathesis is missing.
const SCHEMATHESIS: &str =
    "schemathesis is not installed here: `python3 -m venv DIR && DIR/bin/pip install schemathesis==4.32.5`, and put DIR/bin on the PATH";

/// A tool that is missing is said to be; in CI that is a failure.
fn missing<T>(advice: &str) -> anyhow::Result<Option<T>> {
    ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{advice}");
    eprintln!("{advice}; nothing is tested with it now");
    Ok(None)
}

/// What is wrong with a document, a line each; `None` where the linter is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it does not answer.
pub fn linted(document: &str) -> anyhow::Result<Option<Vec<String>>> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !(node.is_ok_and(|status| status.success()) && folder().join("node_modules/@redocly/openapi-core").is_dir()) {
        return missing(LINTER);
    }
    let mut linter =
        Command::new("node").arg("lint.mjs").current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(LINTER)?;
    linter.stdin.take().context("input is piped")?.write_all(document.as_bytes())?;
    let output = linter.wait_with_output()?;
    ensure!(output.status.success(), "the linter ended with {}", output.status);
    Ok(Some(serde_json::from_slice(&output.stdout).context("what the linter says is JSON")?))
}

/// Asks a host with schemathesis, always the same questions; what it found, or nothing. `None` where it is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it can't be started.
pub fn asked(url: &str, token: &str, arguments: &[&str]) -> anyhow::Result<Option<Result<(), String>>> {
    let there = Command::new("schemathesis").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !there.is_ok_and(|status| status.success()) {
        return missing(SCHEMATHESIS);
    }
    let scratch = tempfile::tempdir()?;
    let output = Command::new("schemathesis")
        .args(["run", &format!("{url}/openapi.json"), "--header", &format!("Authorization: Bearer {token}")])
        .args(["--seed", "7", "--generation-deterministic", "--no-color", "--request-timeout", "20"])
        .args(arguments)
        .current_dir(scratch.path())
        .stdin(Stdio::null())
        .output()
        .context(SCHEMATHESIS)?;
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    Ok(Some(if output.status.success() { Ok(()) } else { Err(said) }))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/openapi")
}
