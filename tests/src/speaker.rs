//! A program beside the test that is spoken with in lines. It ends when its input is closed, or when this is dropped.

use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

/// Longest time for it to be ready, and for a line of it: the first use loads a language's libraries.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The running program, which is told things.
#[derive(Debug)]
pub(crate) struct Speaker {
    what: &'static str,
    input: ChildStdin,
    _child: Child,
}

/// What it says.
#[derive(Debug)]
pub(crate) struct Spoken {
    what: &'static str,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Speaker {
    /// Starts it. `what` it is begins sentences.
    ///
    /// # Errors
    /// When it can't be started: then with the advice.
    pub(crate) fn start(what: &'static str, command: Command, advice: &str) -> anyhow::Result<(Speaker, Spoken)> {
        let mut command = tokio::process::Command::from(command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| advice.to_owned())?;
        let input = child.stdin.take().context("input is piped")?;
        let lines = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        Ok((Speaker { what, input, _child: child }, Spoken { what, lines }))
    }

    /// Starts a server; gives also what it listens on, by its first line.
    ///
    /// # Errors
    /// When it does not start, or is not ready in time.
    pub(crate) async fn serve(what: &'static str, command: Command, advice: &str) -> anyhow::Result<(Speaker, Spoken, String)> {
        let (speaker, mut spoken) = Speaker::start(what, command, advice)?;
        let line = spoken.line().await.with_context(|| advice.to_owned())?;
        let address = line.strip_prefix("listening on ").with_context(|| format!("{what} said {line:?}"))?.to_owned();
        Ok((speaker, spoken, address))
    }

    /// Tells it something.
    ///
    /// # Errors
    /// When it has ended.
    pub(crate) async fn tell(&mut self, order: &Value) -> anyhow::Result<()> {
        let told = self.input.write_all(format!("{order}\n").as_bytes()).await;
        told.with_context(|| format!("{} has ended", self.what))
    }
}

impl Spoken {
    /// The next line, once it is there.
    ///
    /// # Errors
    /// When none comes.
    pub(crate) async fn line(&mut self) -> anyhow::Result<String> {
        let line = tokio::time::timeout(PATIENCE, self.lines.next_line()).await;
        line.with_context(|| format!("{} says nothing", self.what))??.with_context(|| format!("{} has ended", self.what))
    }

    /// The next line however long it takes; nothing at its end.
    pub(crate) async fn any_line(&mut self) -> Option<String> {
        self.lines.next_line().await.ok().flatten()
    }
}
