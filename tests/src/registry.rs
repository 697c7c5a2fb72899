//! A real registry of OCI artifacts, the one of Debian's package `docker-registry`, on a free loopback port; gone with the test that asked for it.

use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail, ensure};

use crate::tool::{self, on_path};

/// What to do where it is missing.
const ADVICE: &str = "no docker-registry on PATH: on Debian, `apt-get install docker-registry`";
const SKOPEO_ADVICE: &str = "no skopeo on PATH: on Debian, `apt-get install --no-install-recommends skopeo`";
/// Whom a registry with a login lets in.
pub const USER: &str = "publisher";
/// Their password.
pub const PASSWORD: &str = "correct horse";
/// bcrypt of the password.
const USERS: &str = "publisher:$2b$05$ZyT8F.rK805xXvlL8p0v0exWHUi2sj3foj/bI6QYXW.iB0s8R211u\n";
/// Time to be ready.
const START: Duration = Duration::from_secs(20);
/// Tries to get a free port: somebody else may take it first.
const TRIES: u32 = 3;

/// A running registry. Killed when it is dropped.
#[derive(Debug)]
pub struct OciRegistry {
    child: Child,
    port: u16,
    /// Its data.
    _folder: tempfile::TempDir,
}

/// Whether tests can use a registry here. Where it is missing, says how to get it, and fails in CI.
///
/// # Errors
/// In CI, when it is missing.
pub fn is_there() -> anyhow::Result<bool> {
    tool::is_there(program().is_some(), ADVICE)
}

/// Whether tests can use skopeo, the registry client that is not ours. Where it is missing, says how to get it, and fails in CI.
///
/// # Errors
/// In CI, when it is missing.
pub fn is_skopeo_there() -> anyhow::Result<bool> {
    tool::is_there(on_path("skopeo").is_some(), SKOPEO_ADVICE)
}

/// Runs skopeo in a folder, whatever policies this machine has.
///
/// # Errors
/// When it fails, with what it said.
pub fn skopeo(folder: &Path, arguments: &[&str]) -> anyhow::Result<()> {
    let policy = folder.join("policy.json");
    std::fs::write(&policy, r#"{"default":[{"type":"insecureAcceptAnything"}]}"#)?;
    let done = Command::new("skopeo").arg("--policy").arg(policy).args(arguments).current_dir(folder).stdin(Stdio::null()).output()?;
    ensure!(done.status.success(), "skopeo {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    Ok(())
}

impl OciRegistry {
    /// A registry that lets everyone in.
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn open() -> anyhow::Result<OciRegistry> {
        OciRegistry::start("")
    }

    /// A registry that lets [`USER`] in with [`PASSWORD`].
    ///
    /// # Errors
    /// When it is missing or does not start.
    pub fn with_login() -> anyhow::Result<OciRegistry> {
        OciRegistry::start("auth: { htpasswd: { realm: tests, path: users } }\n")
    }

    fn start(auth: &str) -> anyhow::Result<OciRegistry> {
        let program = program().context(ADVICE)?;
        let folder = tempfile::tempdir()?;
        std::fs::write(folder.path().join("users"), USERS)?;
        for _ in 0..TRIES {
            let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
            let config = format!(
                "version: 0.1\nlog: {{ level: error, accesslog: {{ disabled: true }} }}\nhttp: {{ addr: \"127.0.0.1:{port}\" }}\n\
                 storage: {{ filesystem: {{ rootdirectory: data }}, delete: {{ enabled: true }} }}\n{auth}"
            );
            std::fs::write(folder.path().join("config.yml"), config)?;
            let mut child = spawn(&program, folder.path())?;
            if is_ready(&mut child, port)? {
                return Ok(OciRegistry { child, port, _folder: folder });
            }
        }
        bail!("the registry did not start")
    }

    /// `127.0.0.1:PORT`, as references name it.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

impl Drop for OciRegistry {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn program() -> Option<PathBuf> {
    on_path("docker-registry")
}

fn spawn(program: &Path, folder: &Path) -> anyhow::Result<Child> {
    let mut command = Command::new(program);
    command.args(["serve", "config.yml"]).current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Tracing to a collector that is not there is what it does by default.
    command.env("OTEL_TRACES_EXPORTER", "none").spawn().context("starting the registry")
}

/// Waits until it answers; false when it has ended.
fn is_ready(child: &mut Child, port: u16) -> anyhow::Result<bool> {
    let began = Instant::now();
    while began.elapsed() < START {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
    bail!("the registry was not ready within {START:?}")
}
