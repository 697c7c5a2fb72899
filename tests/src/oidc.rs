//! A real OpenID provider: npm's `oidc-provider`, started for one test on a free port. See `tests/peers/oidc/provider.mjs` for its settings.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};

use crate::client::Client;

/// What to do where it is missing.
const ADVICE: &str = "the OpenID provider for tests is not installed here: install Node.js 20 or later (Debian: `apt-get install nodejs npm`), \
                      then run `npm ci` in tests/peers/oidc";
/// Longest time for it to be ready.
const START: Duration = Duration::from_secs(60);

/// The client that it knows; its redirect URIs are `/login/callback` and `/oauth/callback` on any port of 127.0.0.1.
pub const CLIENT_ID: &str = "sangam";
/// Its secret.
pub const CLIENT_SECRET: &str = "sangam-test-client-secret";

/// A running provider. Ends when it is dropped.
#[derive(Debug)]
pub struct OpenIdProvider {
    /// Its URL, which is the issuer.
    pub issuer: String,
    client: Client,
    // Closed, it ends.
    _input: ChildStdin,
    _child: Child,
}

impl OpenIdProvider {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if node.is_ok_and(|status| status.success()) && folder().join("node_modules/oidc-provider").is_dir() {
            return Ok(true);
        }
        ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{ADVICE}");
        eprintln!("{ADVICE}; nothing is tested with it now");
        Ok(false)
    }

    /// Starts it with settings such as `{"alg": "ES256"}`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(settings: &Value) -> anyhow::Result<OpenIdProvider> {
        let mut child = Command::new("node")
            .arg("provider.mjs")
            .arg(settings.to_string())
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context(ADVICE)?;
        let input = child.stdin.take().context("input is piped")?;
        let mut lines = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        let line = tokio::time::timeout(START, lines.next_line()).await.context("the OpenID provider did not become ready")??;
        let issuer = line.as_deref().and_then(|line| line.strip_prefix("listening on ")).context(ADVICE)?.to_owned();
        Ok(OpenIdProvider { client: Client::new(&issuer), issuer, _input: input, _child: child })
    }

    /// What is wrong with the next ID tokens: one of the modes of `tamper` in `provider.mjs`, or nothing.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn tamper(&self, mode: Option<&str>) -> anyhow::Result<()> {
        self.order("/test/tamper", json!({ "mode": mode })).await
    }

    /// Signs with a new key from now on; the former one is gone from its key set.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn rotate(&self) -> anyhow::Result<()> {
        self.order("/test/rotate", json!({})).await
    }

    /// Answers 503 to everybody, or no longer.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn down(&self, down: bool) -> anyhow::Result<()> {
        self.order("/test/down", json!({ "down": down })).await
    }

    async fn order(&self, path: &str, body: Value) -> anyhow::Result<()> {
        let answer = self.client.post(path, &body).await?;
        ensure!(answer.status == 200, "{path}: {} {}", answer.status, answer.text);
        Ok(())
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/oidc")
}
