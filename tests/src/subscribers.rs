//! The other side of webhooks that a host sends: npm's `standardwebhooks` and `cloudevents`, the libraries of subscribers; see
//! `tests/peers/subscribers/verify.mjs`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};
use sangam_saas::Recorded;
use serde_json::{Value, json};

use crate::paths::advice_of;

/// What to do where they are missing.
const ADVICE: &str = "the subscribers' libraries for tests are not installed here: install Node.js 20 or later (Debian: `apt-get install nodejs \
                      npm`), then run `npm ci` in tests/peers/subscribers";

/// Whether tests can use them here. Where they are missing, says how to get them, and fails in CI.
///
/// # Errors
/// In CI, when they are missing.
pub fn are_there() -> anyhow::Result<bool> {
    let node = Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    let library = |name: &str| folder().join("node_modules").join(name).is_dir();
    if node.is_ok_and(|status| status.success()) && library("standardwebhooks") && library("cloudevents") {
        return Ok(true);
    }
    advice_of(ADVICE)?;
    Ok(false)
}

/// What the library makes of requests: the body of a Standard Webhook that it verified with the secret, or a CloudEvent. An error where it refuses.
///
/// # Errors
/// When it does not answer.
pub fn look(kind: &str, requests: &[Recorded], secret: Option<&str>) -> anyhow::Result<Vec<Result<Value, String>>> {
    let mut child = Command::new("node")
        .arg("verify.mjs")
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context(ADVICE)?;
    let mut input = child.stdin.take().context("input is piped")?;
    for request in requests {
        let line = json!({ "kind": kind, "headers": request.headers, "body": request.body, "secret": secret });
        writeln!(input, "{line}")?;
    }
    drop(input);
    let output = child.wait_with_output()?;
    ensure!(output.status.success(), "the subscribers' libraries ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .map(|line| {
            let answer: Value = serde_json::from_str(line)?;
            Ok(match answer["ok"].as_bool() {
                Some(true) => Ok(answer["value"].clone()),
                _ => Err(answer["why"].as_str().unwrap_or_default().to_owned()),
            })
        })
        .collect()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/subscribers")
}
