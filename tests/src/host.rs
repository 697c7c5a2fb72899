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
use crate::postgres::{self, Database};

/// Longest time for a host to be ready.
const START: Duration = Duration::from_secs(180);

/// A folder with a configuration, in which hosts are started one after another.
#[derive(Debug)]
pub struct HostFolder {
    folder: tempfile::TempDir,
    env: Vec<(String, String)>,
    database: Option<Database>,
    /// Its hosts keep compiled code as they do for anybody.
    own_code: bool,
}

impl HostFolder {
    /// A folder with that `sangam.toml`, on the store that `SANGAM_TEST_STORE` names.
    pub fn new(configuration: &str) -> anyhow::Result<HostFolder> {
        HostFolder::on(TestStore::wanted()?, configuration)
    }

    /// A folder with that `sangam.toml`, on a store of its own of that kind.
    pub fn on(store: TestStore, configuration: &str) -> anyhow::Result<HostFolder> {
        let database = match store {
            TestStore::Sqlite => None,
            TestStore::Postgres => Some(postgres::database()?),
        };
        HostFolder::make(database, configuration)
    }

    /// A folder with that `sangam.toml`, on that database.
    pub fn in_database(database: Database, configuration: &str) -> anyhow::Result<HostFolder> {
        HostFolder::make(Some(database), configuration)
    }

    fn make(database: Option<Database>, configuration: &str) -> anyhow::Result<HostFolder> {
        let folder = HostFolder { folder: tempfile::tempdir()?, env: Vec::new(), database, own_code: false };
        folder.configure(configuration)?;
        Ok(folder)
    }

    /// Leaves it where it is, with its logs and its store if that is a file; gives its path.
    pub fn keep(mut self) -> PathBuf {
        self.folder.disable_cleanup(true);
        self.path().to_owned()
    }

    /// Its database, if it is on PostgreSQL.
    pub fn database(&self) -> Option<&Database> {
        self.database.as_ref()
    }

    /// Sets an environment variable for everything started from here.
    pub fn env(mut self, name: &str, value: &str) -> HostFolder {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Hosts started from here keep compiled code beside their store, as they do unless somebody says otherwise. Those of other tests share it: to compile the
    /// same guests for each test took a second of a processor each time.
    pub fn with_code_of_its_own(mut self) -> HostFolder {
        self.own_code = true;
        self
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes another `sangam.toml`.
    pub fn configure(&self, configuration: &str) -> anyhow::Result<()> {
        let text = match &self.database {
            Some(database) => with_store(configuration, &database.url()),
            None => configuration.to_owned(),
        };
        std::fs::write(self.path().join("sangam.toml"), text)?;
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
        command.args(arguments).current_dir(self.path()).env("SANGAM_CACHE", paths::code()).envs(self.env.iter().cloned());
        command
    }

    /// Starts a host and waits until it is ready.
    pub async fn start(&self) -> anyhow::Result<Host> {
        self.start_with(&[]).await
    }

    /// Starts a host with more environment than the folder's and waits until it is ready.
    pub async fn start_with(&self, env: &[(&str, &str)]) -> anyhow::Result<Host> {
        let log = self.path().join("host.log");
        let stderr = std::fs::File::options().create(true).append(true).open(&log)?;
        let mut command = self.command(if self.own_code { &["up"] } else { &["up", "--shared-cache"] });
        command.envs(env.iter().copied());
        let mut child = AsyncCommand::from(command)
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
            let status = tokio::time::timeout(START, child.wait()).await.context("the host neither starts nor ends")??;
            anyhow::bail!("the host did not start ({status}): {}", std::fs::read_to_string(&log).unwrap_or_default());
        };
        Ok(Host { client: Client::new(&url), child, log })
    }
}

impl HostFolder {
    /// Starts a host that is killed when it passes a crash point; nothing, where that was before it could say that it is ready.
    ///
    /// # Errors
    /// When it ended for another reason.
    pub async fn start_armed(&self, at: &str) -> anyhow::Result<Option<Host>> {
        match self.start_with(&[("SANGAM_CRASH_AT", at)]).await {
            Ok(host) => Ok(Some(host)),
            Err(error) if format!("{error:#}").contains("signal: 9") => Ok(None),
            Err(error) => Err(error.context(format!("armed at {at}"))),
        }
    }
}

/// Which database is under the hosts of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TestStore {
    /// A file in the folder.
    Sqlite,
    /// A database of this process's cluster.
    Postgres,
}

impl TestStore {
    /// What `SANGAM_TEST_STORE` asks for: `sqlite` (also where it is not set) or `postgres`.
    ///
    /// # Errors
    /// Names what it may be.
    pub fn wanted() -> anyhow::Result<TestStore> {
        match std::env::var("SANGAM_TEST_STORE").as_deref() {
            Err(_) | Ok("" | "sqlite") => Ok(TestStore::Sqlite),
            Ok("postgres") => Ok(TestStore::Postgres),
            Ok(other) => anyhow::bail!("SANGAM_TEST_STORE is sqlite or postgres, not {other:?}"),
        }
    }
}

/// The configuration on another store: its `[store]` keeps everything but the URL. A file without one gets it at the end, so that lines
/// keep their numbers.
fn with_store(configuration: &str, url: &str) -> String {
    let Some((before, section)) = configuration.split_once("[store]\n") else {
        return format!("{configuration}\n[store]\nurl = \"{url}\"\n");
    };
    let (own, after) = section.split_at(section.find("\n[").unwrap_or(section.len()));
    let own: Vec<&str> = own.lines().filter(|line| !line.trim_start().starts_with("url")).collect();
    format!("{before}[store]\nurl = \"{url}\"\n{}\n{after}", own.join("\n"))
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

    /// Waits until it has ended by itself; gives the signal that ended it, if one did.
    pub async fn died(&mut self) -> anyhow::Result<Option<i32>> {
        use std::os::unix::process::ExitStatusExt as _;
        let status = tokio::time::timeout(START, self.child.wait()).await.context("the host still runs")??;
        Ok(status.signal())
    }

    /// SIGTERM; gives the exit code.
    pub async fn terminate(mut self) -> anyhow::Result<Option<i32>> {
        self.stop().await
    }

    /// SIGTERM to one whose place another is to take; gives the exit code.
    pub async fn stop(&mut self) -> anyhow::Result<Option<i32>> {
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
