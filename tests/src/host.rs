//! The program, started in a folder of its own.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command as AsyncCommand};

use crate::client::Client;
use crate::paths;

/// Longest time for a host to be ready.
const START: Duration = Duration::from_secs(60);

/// A folder with a configuration, in which hosts are started one after another.
#[derive(Debug)]
pub struct HostFolder {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
}

impl HostFolder {
    /// A folder with that `sangam.toml`.
    pub fn new(configuration: &str) -> anyhow::Result<HostFolder> {
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("sangam.toml"), configuration)?;
        Ok(HostFolder { folder, env: Vec::new() })
    }

    /// Sets an environment variable for everything started from here.
    pub fn env(mut self, name: &str, value: &str) -> HostFolder {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes another `sangam.toml`.
    pub fn configure(&self, configuration: &str) -> anyhow::Result<()> {
        std::fs::write(self.path().join("sangam.toml"), configuration)?;
        Ok(())
    }

    /// Runs the program to its end.
    pub fn run(&self, arguments: &[&str], input: &str) -> anyhow::Result<Output> {
        let mut child = self.command(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        // A program that does not read its input may have closed it.
        let _ = child.stdin.take().context("input is piped")?.write_all(input.as_bytes());
        Ok(child.wait_with_output()?)
    }

    /// Keeps a secret in the store.
    pub fn secret(&self, name: &str, value: &str) -> anyhow::Result<()> {
        let done = self.run(&["secret", "set", name], value)?;
        anyhow::ensure!(done.status.success(), "secret set: {}", String::from_utf8_lossy(&done.stderr));
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(paths::sangam());
        command.args(arguments).current_dir(self.path()).envs(self.env.iter().cloned());
        command
    }

    /// Starts a host and waits until it is ready.
    pub async fn start(&self) -> anyhow::Result<Host> {
        let log = self.path().join("host.log");
        let stderr = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut child = AsyncCommand::from(self.command(&["up"]))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(stderr)
            .kill_on_drop(true)
            .spawn()
            .context("starting the host")?;
        let mut lines = BufReader::new(child.stdout.take().context("output is piped")?).lines();
        let line = tokio::time::timeout(START, lines.next_line()).await.context("the host did not become ready")??;
        let url = line.as_deref().and_then(|line| line.strip_prefix("listening on ")).map(str::to_owned);
        let Some(url) = url else {
            anyhow::bail!("the host did not start: {}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        Ok(Host { client: Client::new(&url), child, log })
    }
}

/// A running host. Killed when it is dropped.
#[derive(Debug)]
pub struct Host {
    /// Asks it.
    pub client: Client,
    child: Child,
    log: PathBuf,
}

impl Host {
    /// Pulls the plug: SIGKILL.
    pub async fn kill(mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// SIGTERM; gives the exit code.
    pub async fn terminate(mut self) -> anyhow::Result<Option<i32>> {
        let id = self.child.id().context("the host runs")?;
        // No library for one signal: the shell's own command sends it.
        Command::new("kill").args(["-TERM", &id.to_string()]).status()?;
        let status = tokio::time::timeout(START, self.child.wait()).await.context("the host did not stop")??;
        Ok(status.code())
    }

    /// What it has logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its process.
    pub fn process(&self) -> Option<u32> {
        self.child.id()
    }
}
