//! Tools of others that read the host's OpenAPI document: Redocly's linter (npm, `tests/peers/openapi/lint.mjs`), and schemathesis (pip), which asks a
//! host everything that the document allows and forbids.

use std::process::{Command, Stdio};

use anyhow::Context as _;

use crate::tool::{self, NodePeer};

const LINTER: NodePeer = NodePeer { folder: "openapi", what: "the linter of OpenAPI documents is", packages: &["@redocly/openapi-core"] };
/// What to do where schemathesis is missing.
const SCHEMATHESIS: &str =
    "schemathesis is not installed here: `python3 -m venv DIR && DIR/bin/pip install schemathesis==4.32.5`, and put DIR/bin on the PATH";

/// What is wrong with a document, a line each; `None` where the linter is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it does not answer.
pub fn linted(document: &str) -> anyhow::Result<Option<Vec<String>>> {
    if !LINTER.is_there()? {
        return Ok(None);
    }
    let answer = LINTER.answer("lint.mjs", document.as_bytes())?;
    Ok(Some(serde_json::from_str(&answer).context("what the linter says is JSON")?))
}

/// Asks a host with schemathesis, always the same questions; what it found, or nothing. `None` where it is missing, which it says.
///
/// # Errors
/// In CI, when it is missing; when it can't be started.
pub fn asked(url: &str, token: &str, arguments: &[&str]) -> anyhow::Result<Option<Result<(), String>>> {
    if !tool::is_there(tool::runs("schemathesis", &["--version"]), SCHEMATHESIS)? {
        return Ok(None);
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
