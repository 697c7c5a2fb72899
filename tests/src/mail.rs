//! A real mail server: Python's `aiosmtpd`, started for one test on a free port. See `tests/peers/mail/server.py` for its settings.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use crate::authority::Authority;

/// What to do where it is missing.
const ADVICE: &str =
    "the mail server for tests is not installed here: install Python 3 and aiosmtpd (Debian: `apt-get install python3-aiosmtpd`)";
/// Longest time for it to be ready, and for a mail to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running mail server. Ends when it is dropped.
#[derive(Debug)]
pub struct MailServer {
    /// `127.0.0.1:PORT`.
    pub address: String,
    /// Its port.
    pub port: u16,
    /// The authority that issued its certificate, as PEM.
    pub authority: String,
    /// Mails that came while something else was waited for.
    early: Vec<Value>,
    lines: Lines<BufReader<ChildStdout>>,
    // Closed, it ends.
    input: ChildStdin,
    _files: tempfile::TempDir,
    _child: Child,
}

impl MailServer {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        if python().is_some() {
            return Ok(true);
        }
        ensure!(std::env::var("CI").map_or(true, |ci| ci != "true"), "{ADVICE}");
        eprintln!("{ADVICE}; nothing is tested with it now");
        Ok(false)
    }

    /// Starts it with settings such as `{"tls": "starttls", "user": "office", "password": "…"}`. Its certificate is for `localhost`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(mut settings: Value) -> anyhow::Result<MailServer> {
        let files = tempfile::tempdir()?;
        let authority = Authority::new()?;
        let identity = authority.identity(&["localhost"])?;
        for (key, name, text) in [("certificate", "certificate.pem", identity.pem()), ("key", "key.pem", identity.key_pem())] {
            let path = files.path().join(name);
            std::fs::write(&path, text)?;
            settings[key] = json!(path);
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/mail/server.py");
        let mut child = Command::new(python().context(ADVICE)?)
            .args([script.as_os_str(), settings.to_string().as_ref()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .context(ADVICE)?;
        let input = child.stdin.take().context("input is piped")?;
        let mut lines = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the mail server did not become ready")??;
        let address = line.as_deref().and_then(|line| line.strip_prefix("listening on ")).context(ADVICE)?.to_owned();
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).context("a port")?;
        Ok(MailServer { address, port, authority: authority.pem(), early: Vec::new(), lines, input, _files: files, _child: child })
    }

    /// The next mail it took, as Python's `email` reads it.
    ///
    /// # Errors
    /// When none comes.
    pub async fn mail(&mut self) -> anyhow::Result<Value> {
        if !self.early.is_empty() {
            return Ok(self.early.remove(0));
        }
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await.context("no mail came")??;
        Ok(serde_json::from_str(&line.context("the mail server has ended")?)?)
    }

    /// The mails that have come by now and that nobody has asked for.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn mails(&mut self) -> anyhow::Result<Vec<Value>> {
        self.order(json!({})).await?;
        Ok(std::mem::take(&mut self.early))
    }

    /// Tells it how to behave from now on.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn order(&mut self, order: Value) -> anyhow::Result<()> {
        self.input.write_all(format!("{order}\n").as_bytes()).await?;
        loop {
            match tokio::time::timeout(PATIENCE, self.lines.next_line()).await.context("the mail server does not answer")?? {
                Some(line) if line == "ok" => return Ok(()),
                Some(line) => self.early.push(serde_json::from_str(&line)?),
                None => bail!("the mail server has ended"),
            }
        }
    }
}

/// The first Python that has it. The one of the system knows Debian's packages, also where another comes first.
fn python() -> Option<&'static str> {
    ["python3", "/usr/bin/python3"].into_iter().find(|python| {
        let asked = std::process::Command::new(python).args(["-c", "import aiosmtpd"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    })
}
