//! An independent receiver of OTLP: OpenTelemetry's own messages for Python behind a small server. See `tests/peers/otlp/receiver.py`.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::task::JoinHandle;

use crate::authority::Authority;

/// What to do where it is missing.
const ADVICE: &str = "OpenTelemetry's messages for Python are not installed here: \
                      `python3 -m venv ~/.cache/sangam-tools/otlp && ~/.cache/sangam-tools/otlp/bin/pip install -r tests/peers/otlp/requirements.txt`";
/// Longest time for it to be ready, and for something to come.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running receiver. Ends when it is dropped.
#[derive(Debug)]
pub struct OtlpReceiver {
    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub url: String,
    /// The authority that issued its certificate, as PEM.
    pub authority: String,
    seen: Arc<Mutex<Vec<Value>>>,
    oks: Arc<tokio::sync::Semaphore>,
    input: ChildStdin,
    reading: JoinHandle<()>,
    _files: tempfile::TempDir,
    _child: Child,
}

impl OtlpReceiver {
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

    /// Starts one, over TLS or not.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start(tls: bool) -> anyhow::Result<OtlpReceiver> {
        OtlpReceiver::at(tls, 0).await
    }

    /// The same on that port; 0: any.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn at(tls: bool, port: u16) -> anyhow::Result<OtlpReceiver> {
        let files = tempfile::tempdir()?;
        let authority = Authority::new()?;
        let mut settings = json!({ "port": port });
        if tls {
            let identity = authority.identity(&["localhost"])?;
            for (key, name, text) in [("certificate", "certificate.pem", identity.pem()), ("key", "key.pem", identity.key_pem())] {
                let path = files.path().join(name);
                std::fs::write(&path, text)?;
                settings[key] = json!(path);
            }
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/otlp/receiver.py");
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
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.context("the receiver did not become ready")??;
        let port = line.as_deref().and_then(|line| line.rsplit(':').next()).context(ADVICE)?.to_owned();
        let (seen, oks) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let (kept, answered) = (seen.clone(), oks.clone());
        let reading = tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str(&line) {
                    Ok(request) => lock(&kept).push(request),
                    Err(_) => answered.add_permits(1),
                }
            }
        });
        let url = if tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        Ok(OtlpReceiver { url, authority: authority.pem(), seen, oks, input, reading, _files: files, _child: child })
    }

    /// Tells it how to behave from now on.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn order(&mut self, order: Value) -> anyhow::Result<()> {
        self.input.write_all(format!("{order}\n").as_bytes()).await?;
        tokio::time::timeout(PATIENCE, self.oks.acquire()).await.context("the receiver does not answer")??.forget();
        Ok(())
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Value> {
        lock(&self.seen).clone()
    }

    /// What has come so far: `spans`, `metrics` or `logs`.
    pub fn all(&self, signal: &str) -> Vec<Value> {
        lock(&self.seen).iter().flat_map(|request| request[signal].as_array().cloned().unwrap_or_default()).collect()
    }

    /// What has come once enough has.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn until(&self, signal: &str, what: &str, enough: impl Fn(&[Value]) -> bool) -> anyhow::Result<Vec<Value>> {
        let end = tokio::time::Instant::now() + PATIENCE;
        loop {
            let all = self.all(signal);
            if enough(&all) {
                return Ok(all);
            }
            ensure!(tokio::time::Instant::now() < end, "{what} did not come; there are {all:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for OtlpReceiver {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

fn lock(seen: &Mutex<Vec<Value>>) -> MutexGuard<'_, Vec<Value>> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The first Python that has them: the one in the path, the system's, or the one that CI makes.
fn python() -> Option<PathBuf> {
    let tools = std::env::var_os("SANGAM_TOOLS").map(PathBuf::from);
    let tools = tools.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/sangam-tools")));
    let own = tools.map(|tools| tools.join("otlp/bin/python3"));
    ["python3", "/usr/bin/python3"].into_iter().map(PathBuf::from).chain(own).find(|python| {
        let asked = std::process::Command::new(python)
            .args(["-c", "import opentelemetry.proto.collector.trace.v1.trace_service_pb2"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        asked.is_ok_and(|status| status.success())
    })
}
