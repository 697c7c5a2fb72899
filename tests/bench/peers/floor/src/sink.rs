//! Where a step sends: connections that are kept alive, as many as are needed at the same time, up to what the host's plugins have.

use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use axum::body::Bytes;
use axum::http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// Most requests at a time: `concurrency` of the host's plugins in the row `chain`.
const CONCURRENCY: usize = 64;
/// Longest wait for an answer.
const ANSWER: Duration = Duration::from_secs(30);

/// One system.
pub struct Sink {
    address: SocketAddr,
    host: String,
    idle: Mutex<Vec<SendRequest<Full<Bytes>>>>,
    room: Semaphore,
}

impl Sink {
    /// From `http://ADDRESS/`.
    pub fn new(url: &str) -> anyhow::Result<Sink> {
        let address = url.strip_prefix("http://").map(|rest| rest.trim_end_matches('/')).and_then(|address| address.parse().ok());
        let address: SocketAddr = address.with_context(|| format!("{url} is not http://ADDRESS/"))?;
        Ok(Sink { address, host: address.to_string(), idle: Mutex::default(), room: Semaphore::new(CONCURRENCY) })
    }

    /// Posts JSON under a key and reads the whole answer.
    pub async fn post(&self, key: &str, body: Bytes) -> anyhow::Result<(u16, Bytes)> {
        let _room = self.room.acquire().await?;
        let request = Request::post("/")
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header("idempotency-key", key)
            .body(Full::new(body))?;
        let exchange = async {
            let idle = self.idle().pop();
            let mut connection = match idle {
                Some(connection) => connection,
                None => self.connect().await?,
            };
            connection.ready().await?;
            let response = connection.send_request(request).await?;
            let status = response.status().as_u16();
            let body = response.into_body().collect().await?.to_bytes();
            self.idle().push(connection);
            Ok((status, body))
        };
        tokio::time::timeout(ANSWER, exchange).await.context("no answer in time")?
    }

    async fn connect(&self) -> anyhow::Result<SendRequest<Full<Bytes>>> {
        let stream = TcpStream::connect(self.address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        // Ends with the sender; what went wrong shows at the next request.
        tokio::spawn(connection);
        Ok(sender)
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<SendRequest<Full<Bytes>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
