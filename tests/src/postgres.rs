//! A throw-away PostgreSQL cluster: one for each test process, a fresh database for each host.
//!
//! Durability is as in an installation (`fsync`, `synchronous_commit`), since that is what the tests are about. The cluster ends with
//! the process, however that ends: a guardian of its own process group holds the other end of a pipe, and tidies up when it closes.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context as _, bail, ensure};

use crate::tool;

/// What to do where it is missing.
const ADVICE: &str =
    "PostgreSQL is not installed here (no initdb on PATH or in /usr/lib/postgresql): on Debian, `apt-get install postgresql`";
/// The database's administrator.
const USER: &str = "sangam";
/// Many hosts run at the same time, each with a pool.
const MAX_CONNECTIONS: u32 = 300;
/// Who runs the server where the tests are root's: PostgreSQL refuses to be.
const SERVANTS: [&str; 2] = ["postgres", "nobody"];
/// Tries to get a free port, or to start again after a kill while the former life's processes still end.
const TRIES: u32 = 100;

/// The cluster of this process. Making it takes a second, so all tests of a process share it; its guardian ends it.
static CLUSTER: Mutex<Option<Arc<Cluster>>> = Mutex::new(None);

/// A running PostgreSQL server.
#[derive(Debug)]
pub struct Cluster {
    folder: tempfile::TempDir,
    programs: PathBuf,
    servant: Option<Servant>,
    port: u16,
    databases: AtomicU32,
    guardian: Child,
}

/// A database of its own; dropped with this.
#[derive(Debug)]
pub struct Database {
    cluster: Arc<Cluster>,
    name: String,
}

/// Whether tests can use PostgreSQL here. Where it is missing, says how to get it, and fails in CI.
///
/// # Errors
/// In CI, when it is missing.
pub fn is_there() -> anyhow::Result<bool> {
    tool::is_there(programs().is_some(), ADVICE)
}

/// A fresh database of this process's cluster.
///
/// # Errors
/// When PostgreSQL is missing or does not start.
pub fn database() -> anyhow::Result<Database> {
    Cluster::shared()?.database()
}

impl Cluster {
    /// The cluster of this process.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub fn shared() -> anyhow::Result<Arc<Cluster>> {
        let mut shared = CLUSTER.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cluster) = &*shared {
            return Ok(cluster.clone());
        }
        let cluster = Arc::new(Cluster::new()?);
        *shared = Some(cluster.clone());
        Ok(cluster)
    }

    /// A cluster of its own, for tests that kill it.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub fn new() -> anyhow::Result<Cluster> {
        let programs = programs().context(ADVICE)?;
        let folder = tempfile::tempdir()?;
        // Who runs this is who owns what it makes.
        let servant = if std::fs::metadata(folder.path())?.uid() == 0 { Some(Servant::find()?) } else { None };
        if let Some(Servant { user, group }) = servant {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group))?;
        }
        let guardian = guard(&programs, servant, folder.path())?;
        let mut cluster = Cluster { folder, programs, servant, port: 0, databases: AtomicU32::new(0), guardian };
        // `no-sync` spares the flushes of making it, not those of using it.
        let data = cluster.data();
        cluster.run(
            "initdb",
            &["--pgdata", &data, "--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync"],
        )?;
        // Somebody else may take a free port before the server does.
        for tried in 1.. {
            cluster.port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            match cluster.try_start() {
                Ok(()) => break,
                Err(error) if tried == 3 => return Err(error),
                Err(_) => {}
            }
        }
        Ok(cluster)
    }

    /// A fresh database.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn database(self: &Arc<Cluster>) -> anyhow::Result<Database> {
        let name = format!("sangam_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.client("createdb", &[&name])?;
        Ok(Database { cluster: self.clone(), name })
    }

    /// SIGKILL to the server: connections break in the middle of whatever they do.
    ///
    /// # Errors
    /// When it does not run.
    pub fn kill(&self) -> anyhow::Result<()> {
        self.run("pg_ctl", &["kill", "KILL", &self.process()?])
    }

    /// Breaks off everything at once, as at a fail-over.
    ///
    /// # Errors
    /// When it does not run.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.run("pg_ctl", &["stop", "--pgdata", &self.data(), "--mode", "immediate", "-w"])
    }

    /// Starts it again after [`Cluster::kill`] or [`Cluster::stop`]; ready when this returns.
    ///
    /// # Errors
    /// When it does not start.
    pub fn start(&self) -> anyhow::Result<()> {
        for _ in 1..TRIES {
            if self.try_start().is_ok() {
                return Ok(());
            }
            // The killed server's processes notice within moments that it is gone; until then its memory is in use.
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        self.try_start()
    }

    fn try_start(&self) -> anyhow::Result<()> {
        let options = format!(
            "-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories= -c max_connections={MAX_CONNECTIONS} -c shared_buffers=64MB",
            self.port
        );
        let log = self.folder.path().join("log").display().to_string();
        self.run("pg_ctl", &["start", "--pgdata", &self.data(), "--log", &log, "--options", &options, "-w", "--silent"])
            .with_context(|| std::fs::read_to_string(&log).unwrap_or_default())
    }

    fn data(&self) -> String {
        self.folder.path().join("data").display().to_string()
    }

    /// The server's process, by its own file.
    fn process(&self) -> anyhow::Result<String> {
        let file = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid")).context("the server does not run")?;
        Ok(file.lines().next().unwrap_or_default().to_owned())
    }

    /// All rows of a database, as text.
    fn dump(&self, database: &str) -> anyhow::Result<String> {
        let file = format!("{database}.sql");
        self.client("pg_dump", &["--file", &file, database])?;
        Ok(std::fs::read_to_string(self.folder.path().join(file))?)
    }

    fn client(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        let port = self.port.to_string();
        let mut all = vec!["--host", "127.0.0.1", "--port", &port, "--username", USER];
        all.extend(arguments);
        self.run(program, &all)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> anyhow::Result<()> {
        // Files rather than pipes: the server inherits them and would keep a pipe open.
        let said = tempfile::tempfile()?;
        let mut command = as_servant(self.servant, &self.programs.join(program));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        let status = command.stdout(said.try_clone()?).stderr(said.try_clone()?).status().with_context(|| format!("starting {program}"))?;
        if !status.success() {
            use std::io::{Read as _, Seek as _};
            let (mut said, mut text) = (said, String::new());
            said.rewind()?;
            said.read_to_string(&mut text)?;
            bail!("{program} failed ({status}): {}", text.trim());
        }
        Ok(())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // The guardian stops the server and removes the folder.
        drop(self.guardian.stdin.take());
        let _ = self.guardian.wait();
    }
}

impl Database {
    /// `postgres://…`.
    pub fn url(&self) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{}", self.cluster.port, self.name)
    }

    /// Makes it read-only, or not, for everyone, and breaks all connections: what hosts see of a fail-over to a server that is not yet (or no
    /// longer) the one that writes.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn read_only(&self, on: bool) -> anyhow::Result<()> {
        let name = &self.name;
        let set = format!("alter database {name} set default_transaction_read_only = {}", if on { "on" } else { "off" });
        let lose = format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
        // From another database: this connection must be neither read-only nor among the broken ones.
        self.cluster.client("psql", &["--dbname", "postgres", "--command", &set, "--command", &lose])
    }

    /// What a statement answers, as lines of values with `|` between them.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn ask(&self, statement: &str) -> anyhow::Result<String> {
        let port = self.cluster.port.to_string();
        let mut command = as_servant(self.cluster.servant, &self.cluster.programs.join("psql"));
        command.args(["--host", "127.0.0.1", "--port", &port, "--username", USER, "--dbname", &self.name, "--no-align", "--tuples-only"]);
        let said = command.args(["--command", statement]).current_dir(self.cluster.folder.path()).stdin(Stdio::null()).output()?;
        ensure!(said.status.success(), "{statement}: {}", String::from_utf8_lossy(&said.stderr));
        Ok(String::from_utf8_lossy(&said.stdout).trim().to_owned())
    }

    /// A database of a cluster that nobody else uses, and that can be killed therefore.
    ///
    /// # Errors
    /// When PostgreSQL is missing or does not start.
    pub fn alone() -> anyhow::Result<Database> {
        Arc::new(Cluster::new()?).database()
    }

    /// All rows of all its tables, as text; bytes are in hexadecimal.
    ///
    /// # Errors
    /// When the server refuses.
    pub fn dump(&self) -> anyhow::Result<String> {
        self.cluster.dump(&self.name)
    }

    /// Where it is.
    pub fn cluster(&self) -> &Cluster {
        &self.cluster
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The whole cluster goes with the process; this only keeps it small meanwhile.
        let _ = self.cluster.client("dropdb", &["--force", &self.name]);
    }
}

/// The folder with `initdb` and its siblings; of several versions the newest.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|folder| folder.join("initdb")).filter_map(|file| file.canonicalize().ok());
    let mut debian: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path().join("bin/initdb")))
        .collect();
    let version = |file: &PathBuf| file.iter().rev().nth(2).and_then(|version| version.to_str()?.parse::<u32>().ok());
    debian.sort_by_key(|file| std::cmp::Reverse(version(file)));
    // Programs that are links, as Debian's are, have their siblings where they lead.
    let mut found = on_path.chain(debian).filter_map(|file| file.parent().map(Path::to_path_buf));
    found.find(|folder| ["initdb", "postgres", "pg_ctl", "createdb", "dropdb", "psql"].iter().all(|program| folder.join(program).is_file()))
}

/// Waits for the end of the pipe that this process holds, and tidies up. Of its own process group: a Ctrl-C in the terminal is not for it.
fn guard(programs: &Path, servant: Option<Servant>, folder: &Path) -> anyhow::Result<Child> {
    let script =
        r#"trap "" INT TERM HUP; cat >/dev/null; "$1/pg_ctl" stop --pgdata "$2/data" --mode immediate -w >/dev/null 2>&1; rm -rf "$2""#;
    let mut command = as_servant(servant, Path::new("/bin/sh"));
    command.args(["-c", script, "guardian"]).arg(programs).arg(folder).current_dir("/");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().context("starting the cluster's guardian")
}

/// The user who runs the server, by number: its group has no name everywhere.
#[derive(Debug, Clone, Copy)]
struct Servant {
    user: u32,
    group: u32,
}

impl Servant {
    fn find() -> anyhow::Result<Servant> {
        let number = |which, name| {
            let said = Command::new("id").args([which, name]).output().ok()?;
            String::from_utf8_lossy(&said.stdout).trim().parse().ok()
        };
        let found = SERVANTS.iter().find_map(|name| Some(Servant { user: number("-u", name)?, group: number("-g", name)? }));
        found.context("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
    }
}

fn as_servant(servant: Option<Servant>, program: &Path) -> Command {
    let Some(Servant { user, group }) = servant else { return Command::new(program) };
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &user.to_string(), "--regid", &group.to_string(), "--clear-groups", "--"]).arg(program);
    command
}
