//! Webhooks that a stand-in sends: to the address that a test sets, signed as the vendor signs, one after another.
//!
//! What is not answered with a success is sent again a few times, as vendors do, only sooner.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinHandle;

/// Times that a delivery is sent, and the pause after the first; it doubles.
const ATTEMPTS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(100);
/// Longest that a receiver may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Deliveries that are remembered for tests.
const MAX_REMEMBERED: usize = 1_000;

/// Where webhooks go: `{"url": "http://127.0.0.1:7070/hooks/crm", "secret": "…", …}`. What more a vendor wants is among `options`.
#[derive(Debug, Clone, Deserialize)]
pub struct Target {
    /// A loopback address.
    pub url: String,
    /// The secret to sign with.
    #[serde(default)]
    pub secret: String,
    /// Everything else of the setting.
    #[serde(flatten)]
    pub options: serde_json::Map<String, Value>,
}

/// A request to send.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Names and values.
    pub headers: Vec<(&'static str, String)>,
    /// As it goes out.
    pub body: Vec<u8>,
}

/// What became of a delivery: what tests read.
#[derive(Debug, Clone, Serialize)]
struct Sent {
    attempt: u32,
    status: Option<u16>,
    body: String,
}

/// Makes a delivery; it is asked anew for each attempt, whose number it gets, since some vendors sign the moment of sending.
type Make = Box<dyn Fn(&Target, u32) -> Delivery + Send>;

/// The webhooks of one stand-in.
pub struct Hooks {
    target: Mutex<Option<Target>>,
    sent: Arc<Mutex<VecDeque<Sent>>>,
    queue: UnboundedSender<(Target, Make)>,
    /// Sends as long as the stand-in is there; none outside of a runtime, where nothing is sent.
    worker: Option<JoinHandle<()>>,
}

impl Hooks {
    /// Without a target: nothing is sent.
    #[expect(clippy::new_without_default, reason = "it starts a task")]
    pub fn new() -> Hooks {
        let (queue, waiting) = unbounded_channel();
        let sent = Arc::default();
        let worker = Handle::try_current().ok().map(|runtime| runtime.spawn(work(waiting, Arc::clone(&sent))));
        Hooks { target: Mutex::default(), sent, queue, worker }
    }

    /// Sets where they go; null: nowhere.
    pub fn set(&self, value: Value) -> Result<(), String> {
        let target: Option<Target> =
            serde_json::from_value(value).map_err(|error| format!("`webhook` takes {{\"url\", \"secret\"}} or null: {error}"))?;
        if let Some(target) = &target {
            address(&target.url).map_err(|error| error.to_string())?;
        }
        *self.target() = target;
        Ok(())
    }

    /// Sends one, if there is a target.
    pub fn send(&self, make: impl Fn(&Target, u32) -> Delivery + Send + 'static) {
        if let Some(target) = self.target().clone() {
            // Without a worker there is nobody to send it.
            let _ = self.queue.send((target, Box::new(make)));
        }
    }

    /// The target's option of that name.
    pub fn option(&self, name: &str) -> Value {
        self.target().as_ref().and_then(|target| target.options.get(name).cloned()).unwrap_or_default()
    }

    /// What was sent so far.
    pub fn state(&self) -> Value {
        json!(self.sent.lock().unwrap_or_else(PoisonError::into_inner).iter().collect::<Vec<_>>())
    }

    /// Nothing is sent from now on.
    pub fn reset(&self) {
        *self.target() = None;
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn target(&self) -> MutexGuard<'_, Option<Target>> {
        self.target.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Hooks {
    fn drop(&mut self) {
        if let Some(worker) = &self.worker {
            worker.abort();
        }
    }
}

async fn work(mut waiting: UnboundedReceiver<(Target, Make)>, sent: Arc<Mutex<VecDeque<Sent>>>) {
    while let Some((target, make)) = waiting.recv().await {
        let mut pause = PAUSE;
        for attempt in 1..=ATTEMPTS {
            let delivery = make(&target, attempt);
            let status = tokio::time::timeout(PATIENCE, post(&target.url, &delivery)).await.ok().and_then(Result::ok);
            let body = String::from_utf8_lossy(&delivery.body).into_owned();
            {
                let mut sent = sent.lock().unwrap_or_else(PoisonError::into_inner);
                sent.push_back(Sent { attempt, status, body });
                if sent.len() > MAX_REMEMBERED {
                    sent.pop_front();
                }
            }
            if status.is_some_and(|status| (200..300).contains(&status)) {
                break;
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
}

/// Host and path of a loopback URL.
fn address(url: &str) -> anyhow::Result<(String, String)> {
    let url = url::Url::parse(url).context("the address of a webhook")?;
    let host = url.host_str().unwrap_or_default();
    let loopback = host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback());
    anyhow::ensure!(url.scheme() == "http" && loopback, "{url} is no http:// address of this machine");
    let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
    Ok((format!("{host}:{}", url.port_or_known_default().unwrap_or(80)), path))
}

/// One POST on a connection of its own, by hand: this crate has servers, and no other need of a client.
async fn post(url: &str, delivery: &Delivery) -> anyhow::Result<u16> {
    let (host, path) = address(url)?;
    let mut connection = TcpStream::connect(&host).await?;
    let mut head = format!("POST {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\ncontent-length: {}\r\n", delivery.body.len());
    for (name, value) in &delivery.headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    connection.write_all(format!("{head}\r\n").as_bytes()).await?;
    connection.write_all(&delivery.body).await?;
    let mut answer = Vec::new();
    connection.take(64 * 1024).read_to_end(&mut answer).await?;
    let line = String::from_utf8_lossy(answer.split(|byte| *byte == b'\r').next().unwrap_or_default()).into_owned();
    let status = line.split(' ').nth(1).context("no status line")?;
    Ok(status.parse()?)
}
