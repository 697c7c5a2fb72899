//! The AsyncAPI initiative's own parser, npm's `@asyncapi/parser`: see `tests/peers/asyncapi/parse.mjs`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use serde_json::Value;

/// What to do where it is missing.
const ADVICE: &str = "the AsyncAPI parser is not installed here: install Node.js 20 or later (Debian: `apt-get install nodejs npm`), \
                      then run `npm ci` in tests/peers/asyncapi";

/// What the parser makes of a document: `{wrong, version, servers, channels, operations, data}`; `None` where it is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it does not answer.
pub fn parsed(document: &str) -> anyhow::Result<Option<Value>> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    if !(node.is_ok_and(|status| status.success()) && folder().join("node_modules/@asyncapi/parser").is_dir()) {
        ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{ADVICE}");
        eprintln!("{ADVICE}; nothing is tested with it now");
        return Ok(None);
    }
    let mut parser =
        Command::new("node").arg("parse.mjs").current_dir(folder()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context(ADVICE)?;
    parser.stdin.take().context("input is piped")?.write_all(document.as_bytes())?;
    let output = parser.wait_with_output()?;
    ensure!(output.status.success(), "the parser ended with {}", output.status);
    Ok(Some(serde_json::from_slice(&output.stdout).context("what the parser says is JSON")?))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/asyncapi")
}
