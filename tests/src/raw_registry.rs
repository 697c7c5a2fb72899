//! A registry that lies: every answer is what a test says, byte for byte. It keeps what it was asked.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Largest request that is read.
const MAX_REQUEST: usize = 64 << 10;
/// Longest life of a connection: what never ends for the other side does end for the test.
const LIFE: Duration = Duration::from_secs(60);

/// One request.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Method.
    pub method: String,
    /// Path with its query.
    pub path: String,
    /// Names in lower case.
    pub headers: BTreeMap<String, String>,
}

/// One answer. The connection is closed after it.
#[derive(Debug, Clone)]
pub enum Reply {
    /// These bytes.
    Whole(Vec<u8>),
    /// These bytes, and then zeros for ever.
    Endless(Vec<u8>),
    /// These bytes, and then nothing, without closing.
    Silent(Vec<u8>),
    /// These bytes, the second half one every fifth of a second.
    Dripping(Vec<u8>),
}

/// A running one.
#[derive(Debug)]
pub struct RawRegistry {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl RawRegistry {
    /// Answers as it is told.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn start(answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> anyhow::Result<RawRegistry> {
        RawRegistry::with(None, answer).await
    }

    /// The same over TLS.
    ///
    /// # Errors
    /// When no port is free.
    pub async fn tls(
        config: rustls::ServerConfig,
        answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static,
    ) -> anyhow::Result<RawRegistry> {
        RawRegistry::with(Some(TlsAcceptor::from(Arc::new(config))), answer).await
    }

    async fn with(tls: Option<TlsAcceptor>, answer: impl Fn(&Asked) -> Reply + Send + Sync + 'static) -> anyhow::Result<RawRegistry> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (answer, kept) = (Arc::new(answer), asked.clone());
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, kept, tls) = (answer.clone(), kept.clone(), tls.clone());
                tokio::spawn(tokio::time::timeout(LIFE, async move {
                    let _ = match tls {
                        Some(tls) => match tls.accept(stream).await {
                            Ok(stream) => serve(stream, &*answer, &kept).await,
                            Err(refused) => Err(refused),
                        },
                        None => serve(stream, &*answer, &kept).await,
                    };
                }));
            }
        });
        Ok(RawRegistry { address, asked, task })
    }

    /// `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for RawRegistry {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    answer: &impl Fn(&Asked) -> Reply,
    kept: &Mutex<Vec<Asked>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|window| window == b"\r\n\r\n") {
        if head.len() > MAX_REQUEST || stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let mut lines = text.lines();
    let mut first = lines.next().unwrap_or_default().split(' ').map(str::to_owned);
    let (method, path) = (first.next().unwrap_or_default(), first.next().unwrap_or_default());
    let headers = lines.filter_map(|line| line.split_once(": ")).map(|(name, value)| (name.to_lowercase(), value.to_owned())).collect();
    let asked = Asked { method, path, headers };
    kept.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    match answer(&asked) {
        Reply::Whole(bytes) => stream.write_all(&bytes).await?,
        Reply::Endless(bytes) => {
            stream.write_all(&bytes).await?;
            loop {
                stream.write_all(&[0; 16 << 10]).await?;
            }
        }
        Reply::Dripping(bytes) => {
            let (now, later) = bytes.split_at(bytes.len() / 2);
            stream.write_all(now).await?;
            for byte in later {
                tokio::time::sleep(Duration::from_millis(200)).await;
                stream.write_all(&[*byte]).await?;
            }
        }
        Reply::Silent(bytes) => {
            stream.write_all(&bytes).await?;
            tokio::time::sleep(LIFE).await;
        }
    }
    stream.shutdown().await
}

/// `HTTP/1.1 STATUS` with these header lines and that body, which is as long as it says.
pub fn reply(status: &str, headers: &[&str], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|header| format!("{header}\r\n")).collect();
    let mut bytes = format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n{headers}\r\n", body.len()).into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// `sha256:…`
pub fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
