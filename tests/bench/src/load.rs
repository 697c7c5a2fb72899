//! Requests from many connections, each sending its next one when the last is answered, for a bounded time.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Most requests of one measurement, whatever its time.
const MOST_REQUESTS: u64 = 2_000_000;
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(30);

/// One kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> anyhow::Result<Connection> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; what went wrong shows at the next request.
        tokio::spawn(connection);
        Ok(Connection { sender, host: address.to_string() })
    }

    /// Posts a body and reads the whole answer.
    pub async fn post(&mut self, path: &str, content_type: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type);
        self.ask(request, body).await
    }

    /// The same with an idempotency key.
    pub async fn post_with_key(&mut self, path: &str, content_type: &str, key: &str, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::post(path).header(header::CONTENT_TYPE, content_type).header("idempotency-key", key);
        self.ask(request, body).await
    }

    /// Gets a path.
    pub async fn get(&mut self, path: &str) -> anyhow::Result<(StatusCode, Bytes)> {
        self.ask(Request::get(path), Bytes::new()).await
    }

    async fn ask(&mut self, request: http::request::Builder, body: Bytes) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = request.header(header::HOST, &self.host).body(Full::new(body))?;
        let exchange = async {
            self.sender.ready().await?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            Ok::<_, hyper::Error>((status, response.into_body().collect().await?.to_bytes()))
        };
        Ok(tokio::time::timeout(ANSWER, exchange).await.context("no answer in time")??)
    }
}

/// Requests of one kind, numbered through over all rounds.
#[derive(Debug, Clone)]
pub struct Load {
    /// Connections at the same time.
    pub connections: usize,
    /// Of the bodies.
    pub content_type: &'static str,
    /// Events in a request.
    pub events: u64,
    /// The body that starts with that serial number.
    pub body: fn(u64) -> String,
    /// The next serial number.
    pub next: Arc<AtomicU64>,
}

/// What was answered.
#[derive(Debug, Default)]
pub struct Answered {
    /// First serial number of each request that was answered with 202.
    pub accepted: Vec<u64>,
    /// Requests that were answered otherwise.
    pub refused: u64,
    /// From the first request to the last answer.
    pub time: Duration,
}

impl Load {
    /// Sends for that long; what is under way then is still waited for.
    pub async fn send(&self, address: SocketAddr, time: Duration) -> anyhow::Result<Answered> {
        let mut connections = Vec::with_capacity(self.connections);
        for _ in 0..self.connections {
            connections.push(Connection::open(address).await?);
        }
        let started = Instant::now();
        let sent = Arc::new(AtomicU64::new(0));
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let (load, sent) = (self.clone(), sent.clone());
            tasks.spawn(async move {
                let mut answered = Answered::default();
                while started.elapsed() < time && sent.fetch_add(1, Ordering::Relaxed) < MOST_REQUESTS {
                    let serial = load.next.fetch_add(load.events, Ordering::Relaxed);
                    let body = Bytes::from((load.body)(serial));
                    match connection.post("/v1/events", load.content_type, body).await? {
                        (StatusCode::ACCEPTED, _) => answered.accepted.push(serial),
                        _ => answered.refused += 1,
                    }
                }
                Ok::<_, anyhow::Error>(answered)
            });
        }
        let mut all = Answered::default();
        while let Some(answered) = tasks.join_next().await {
            let answered = answered.context("a connection's task broke")??;
            all.accepted.extend(answered.accepted);
            all.refused += answered.refused;
        }
        all.time = started.elapsed();
        Ok(all)
    }
}
