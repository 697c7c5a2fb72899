//! Webhooks as their vendors sign them, by the vendors' own libraries: a Node.js program. See `tests/peers/webhooks/sign.mjs`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// What to do where it is missing.
const ADVICE: &str = "the vendors' libraries that sign webhooks for tests are not installed here: install Node.js 20 or later \
                      (Debian: `apt-get install nodejs npm`), then run `npm ci` in tests/peers/webhooks";
/// Longest time for one signature; the first one loads all the libraries.
const ANSWER: Duration = Duration::from_secs(60);

/// A request as a vendor would send it.
#[derive(Debug, Clone, PartialEq)]
pub struct Signed {
    /// As the vendor sees it.
    pub url: String,
    /// Names as the vendor writes them.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: String,
}

impl Signed {
    /// Path and query.
    pub fn target(&self) -> &str {
        let rest = self.url.split_once("://").map_or(self.url.as_str(), |(_, rest)| rest);
        rest.find('/').map_or("/", |at| &rest[at..])
    }

    /// The place of a header, whatever case its name is in.
    pub fn place(&self, name: &str) -> anyhow::Result<usize> {
        let place = self.headers.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
        place.with_context(|| format!("there is no header {name}"))
    }
}

/// The program that signs. Ends when it is dropped.
#[derive(Debug)]
pub struct WebhookSigner {
    input: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
    _child: Child,
}

impl WebhookSigner {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        let node = std::process::Command::new("node").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        if node.is_ok_and(|status| status.success()) && folder().join("node_modules/standardwebhooks").is_dir() {
            return Ok(true);
        }
        ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{ADVICE}");
        eprintln!("{ADVICE}; nothing is tested with them now");
        Ok(false)
    }

    /// Starts it.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start() -> anyhow::Result<WebhookSigner> {
        let mut child = Command::new("node")
            .arg("sign.mjs")
            .current_dir(folder())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .kill_on_drop(true)
            .spawn()
            .context(ADVICE)?;
        let input = child.stdin.take().context("input is piped")?;
        let lines = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        Ok(WebhookSigner { input, lines, _child: child })
    }

    /// Signs what `order` says: the members that `sign.mjs` names at its beginning.
    ///
    /// # Errors
    /// When it can't, with its reason.
    pub async fn sign(&mut self, order: &Value) -> anyhow::Result<Signed> {
        let answer = self.ask(order).await?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let headers = answer["headers"].as_array().context("headers are a list")?;
        let headers = headers.iter().map(|pair| (text(&pair[0]), text(&pair[1]))).collect();
        Ok(Signed { url: text(&answer["url"]), headers, body: text(&answer["body"]) })
    }

    /// The public key that goes with an algorithm of RFC 9421: PEM, and of Ed25519 the 32 bytes in base64.
    ///
    /// # Errors
    /// When there is no such algorithm.
    pub async fn public_key(&mut self, algorithm: &str) -> anyhow::Result<(String, Option<String>)> {
        let answer = self.ask(&json!({ "scheme": "public-key", "key": algorithm })).await?;
        let pem = answer["body"].as_str().context("a key is text")?.to_owned();
        Ok((pem, answer["raw"].as_str().map(str::to_owned)))
    }

    async fn ask(&mut self, order: &Value) -> anyhow::Result<Value> {
        self.input.write_all(format!("{order}\n").as_bytes()).await?;
        let line = tokio::time::timeout(ANSWER, self.lines.next_line()).await.context("the signer does not answer")??;
        let answer: Value = serde_json::from_str(&line.context("the signer has ended")?)?;
        match answer["error"].as_str() {
            None => Ok(answer),
            Some(error) => anyhow::bail!("{error}"),
        }
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/webhooks")
}
