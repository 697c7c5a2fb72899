//! A real NATS server: Debian's `nats-server`, started for one test on a free port, its streams in a folder of its own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use async_nats::jetstream::{self, stream};
use tokio::process::{Child, Command};

use crate::tool::{self, on_path};

/// What to do where it is missing.
const ADVICE: &str = "the NATS server for tests is not installed here (Debian: `apt-get install nats-server`; elsewhere `nats-server` from \
                      nats.io in the PATH)";
/// Longest time for it to be ready.
const START: Duration = Duration::from_secs(30);

/// A running server with JetStream. Killed when it is dropped.
#[derive(Debug)]
pub struct NatsServer {
    folder: tempfile::TempDir,
    program: PathBuf,
    port: u16,
    child: Child,
}

impl NatsServer {
    /// Whether tests can use one here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        tool::is_there(program().is_some(), ADVICE)
    }

    /// Starts one with more lines of its own configuration, such as `authorization { token: "t" }`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(more: &str) -> anyhow::Result<NatsServer> {
        let folder = tempfile::tempdir()?;
        let program = program().context(ADVICE)?;
        let text = format!("jetstream {{ store_dir: {:?} }}\n{more}\n", folder.path().join("streams"));
        std::fs::write(folder.path().join("server.conf"), text)?;
        // It takes a free port itself, and writes down which.
        let child = spawn(&program, folder.path(), -1)?;
        let mut server = NatsServer { folder, program, port: 0, child };
        server.port = server.ready().await?;
        Ok(server)
    }

    /// Waits until it has written down its port, and answers there.
    async fn ready(&mut self) -> anyhow::Result<u16> {
        let ports = async {
            loop {
                let file = std::fs::read_dir(self.folder.path())?.filter_map(Result::ok).map(|entry| entry.path());
                let text = file
                    .filter(|path| path.extension().is_some_and(|kind| kind == "ports"))
                    .find_map(|path| std::fs::read_to_string(path).ok());
                let port = text.and_then(|text| {
                    let json: serde_json::Value = serde_json::from_str(&text).ok()?;
                    json["nats"][0].as_str()?.rsplit(':').next()?.parse::<u16>().ok()
                });
                if let Some(port) = port
                    && tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok()
                {
                    return anyhow::Ok(port);
                }
                ensure!(self.child.try_wait()?.is_none(), "the NATS server ended");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(START, ports).await.context("the NATS server did not become ready")?
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its folder, for certificates and the like.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// SIGKILL. Its streams stay.
    ///
    /// # Errors
    /// When it can't be killed.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill().await?;
        Ok(())
    }

    /// Starts it again on its port, with its streams.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start_again(&mut self) -> anyhow::Result<()> {
        for entry in std::fs::read_dir(self.folder.path())?.filter_map(Result::ok) {
            if entry.path().extension().is_some_and(|kind| kind == "ports") {
                std::fs::remove_file(entry.path())?;
            }
        }
        self.child = spawn(&self.program, self.folder.path(), self.port.into())?;
        self.ready().await?;
        Ok(())
    }

    /// A client of it.
    ///
    /// # Errors
    /// When it can't be reached.
    pub async fn client(&self, options: async_nats::ConnectOptions) -> anyhow::Result<jetstream::Context> {
        Ok(jetstream::new(options.connect(self.url()).await?))
    }

    /// A stream of everything under `SUBJECT.>`.
    ///
    /// # Errors
    /// When it can't be made.
    pub async fn stream(jetstream: &jetstream::Context, name: &str, subject: &str) -> anyhow::Result<stream::Stream> {
        let config = stream::Config { name: name.to_owned(), subjects: vec![format!("{subject}.>")], ..stream::Config::default() };
        Ok(jetstream.create_stream(config).await?)
    }
}

fn spawn(program: &Path, folder: &Path, port: i32) -> anyhow::Result<Child> {
    let log = std::fs::File::options().create(true).append(true).open(folder.join("server.log"))?;
    Command::new(program)
        .args(["-a", "127.0.0.1", "-p", &port.to_string(), "-c"])
        .arg(folder.join("server.conf"))
        .arg("--ports_file_dir")
        .arg(folder)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .context(ADVICE)
}

/// In the PATH, or where Debian has it, which is in root's alone.
fn program() -> Option<PathBuf> {
    let elsewhere =
        || ["/usr/sbin/nats-server", "/usr/local/bin/nats-server"].map(PathBuf::from).into_iter().find(|program| program.is_file());
    on_path("nats-server").or_else(elsewhere)
}
