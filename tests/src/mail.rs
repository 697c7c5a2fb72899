//! A real mail server: Python's `aiosmtpd`, started for one test on a free port. See `tests/peers/mail/server.py` for its settings.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Context as _;
use serde_json::{Value, json};

use crate::authority::Authority;
use crate::speaker::{Speaker, Spoken};
use crate::tool;

/// What to do where it is missing.
const ADVICE: &str =
    "the mail server for tests is not installed here: install Python 3 and aiosmtpd (Debian: `apt-get install python3-aiosmtpd`)";

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
    server: Speaker,
    spoken: Spoken,
    _files: tempfile::TempDir,
}

impl MailServer {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        tool::is_there(python().is_some(), ADVICE)
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
        let mut command = Command::new(python().context(ADVICE)?);
        command.arg(tool::peer("mail").join("server.py")).arg(settings.to_string());
        let (server, spoken, address) = Speaker::serve("the mail server", command, ADVICE).await?;
        let port = address.rsplit(':').next().and_then(|port| port.parse().ok()).context("a port")?;
        Ok(MailServer { address, port, authority: authority.pem(), early: Vec::new(), server, spoken, _files: files })
    }

    /// The next mail it took, as Python's `email` reads it.
    ///
    /// # Errors
    /// When none comes.
    pub async fn mail(&mut self) -> anyhow::Result<Value> {
        if !self.early.is_empty() {
            return Ok(self.early.remove(0));
        }
        Ok(serde_json::from_str(&self.spoken.line().await.context("no mail came")?)?)
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
        self.server.tell(&order).await?;
        loop {
            match self.spoken.line().await? {
                line if line == "ok" => return Ok(()),
                line => self.early.push(serde_json::from_str(&line)?),
            }
        }
    }
}

fn python() -> Option<PathBuf> {
    tool::python_with("aiosmtpd", None)
}
