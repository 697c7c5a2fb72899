//! An independent receiver of OTLP: OpenTelemetry's own messages for Python behind a small server. See `tests/peers/otlp/receiver.py`.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::authority::Authority;
use crate::speaker::{PATIENCE, Speaker};
use crate::tool;

/// What to do where it is missing.
const ADVICE: &str = "OpenTelemetry's messages for Python are not installed here: \
                      `python3 -m venv ~/.cache/sangam-tools/otlp && ~/.cache/sangam-tools/otlp/bin/pip install -r tests/peers/otlp/requirements.txt`";

/// A running receiver. Ends when it is dropped.
#[derive(Debug)]
pub struct OtlpReceiver {
    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT`.
    pub url: String,
    /// The authority that issued its certificate, as PEM.
    pub authority: String,
    seen: Arc<Mutex<Vec<Value>>>,
    oks: Arc<tokio::sync::Semaphore>,
    receiver: Speaker,
    reading: JoinHandle<()>,
    _files: tempfile::TempDir,
}

impl OtlpReceiver {
    /// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
    ///
    /// # Errors
    /// In CI, when it is missing.
    pub fn is_there() -> anyhow::Result<bool> {
        tool::is_there(python().is_some(), ADVICE)
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
        let mut command = Command::new(python().context(ADVICE)?);
        command.arg(tool::peer("otlp").join("receiver.py")).arg(settings.to_string());
        let (receiver, mut spoken, address) = Speaker::serve("the receiver", command, ADVICE).await?;
        let port = address.rsplit(':').next().context("a port")?.to_owned();
        let (seen, oks) = (Arc::<Mutex<Vec<Value>>>::default(), Arc::new(tokio::sync::Semaphore::new(0)));
        let (kept, answered) = (seen.clone(), oks.clone());
        let reading = tokio::spawn(async move {
            while let Some(line) = spoken.any_line().await {
                match serde_json::from_str(&line) {
                    Ok(request) => lock(&kept).push(request),
                    Err(_) => answered.add_permits(1),
                }
            }
        });
        let url = if tls { format!("https://localhost:{port}") } else { format!("http://127.0.0.1:{port}") };
        Ok(OtlpReceiver { url, authority: authority.pem(), seen, oks, receiver, reading, _files: files })
    }

    /// Tells it how to behave from now on.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn order(&mut self, order: Value) -> anyhow::Result<()> {
        self.receiver.tell(&order).await?;
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

/// One that has them, or the one that CI makes.
fn python() -> Option<PathBuf> {
    let tools = std::env::var_os("SANGAM_TOOLS").map(PathBuf::from);
    let tools = tools.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache/sangam-tools")));
    tool::python_with("opentelemetry.proto.collector.trace.v1.trace_service_pb2", tools.map(|tools| tools.join("otlp/bin/python3")))
}
