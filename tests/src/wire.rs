//! A server that shows the bytes it got and sends those it was told to, HTTP or not.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// Most bytes of one request.
const MAX_REQUEST: usize = 4 << 20;

/// What is sent in answer to a request.
#[derive(Debug, Clone)]
pub enum Act {
    /// These bytes; the connection stays.
    Send(Vec<u8>),
    /// These bytes, and the connection ends.
    Close(Vec<u8>),
    /// The first bytes, a pause, the others; the connection stays.
    Later(Vec<u8>, Duration, Vec<u8>),
    /// The first bytes at once, then one byte of the others at a time.
    Drip(Vec<u8>, Vec<u8>, Duration),
    /// The first bytes, then the others again and again until nobody takes them.
    Flood(Vec<u8>, Vec<u8>),
}

impl Act {
    /// A whole answer that says how long it is.
    pub fn answer(body: &str) -> Act {
        Act::Send(answer("", body))
    }
}

/// `200 OK` with these header lines (each with its line end) and this body.
pub fn answer(headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// On which connection, from 1.
    pub connection: usize,
    /// Head and body, byte for byte.
    pub text: String,
}

impl Seen {
    /// The first line.
    pub fn line(&self) -> &str {
        self.text.split("\r\n").next().unwrap_or_default()
    }

    /// Values of a header, in the order in which they came.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let head = self.text.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
        fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// What came after the head.
    pub fn body(&self) -> &str {
        self.text.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }
}

#[derive(Debug, Default)]
struct Log {
    seen: Vec<Seen>,
    opened: usize,
    ended: usize,
}

type Acts = dyn Fn(&Seen) -> Act + Send + Sync;

/// A running server. It serves until this is dropped.
pub struct Wire {
    /// Where it listens.
    pub addr: SocketAddr,
    log: Arc<Mutex<Log>>,
    serving: JoinHandle<()>,
    scheme: &'static str,
}

impl Wire {
    /// Serves plain HTTP on a free port of loopback, as `acts` says.
    pub async fn start(acts: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> anyhow::Result<Wire> {
        Wire::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), None, acts).await
    }

    /// The same over TLS.
    pub async fn tls(config: rustls::ServerConfig, acts: impl Fn(&Seen) -> Act + Send + Sync + 'static) -> anyhow::Result<Wire> {
        Wire::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Some(config), acts).await
    }

    /// The same at that address.
    pub async fn at(
        addr: SocketAddr,
        tls: Option<rustls::ServerConfig>,
        acts: impl Fn(&Seen) -> Act + Send + Sync + 'static,
    ) -> anyhow::Result<Wire> {
        let listener = TcpListener::bind(addr).await?;
        let addr = listener.local_addr()?;
        let log: Arc<Mutex<Log>> = Arc::default();
        let acts: Arc<Acts> = Arc::new(acts);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let tls = tls.map(|config| TlsAcceptor::from(Arc::new(config)));
        let serving = tokio::spawn(accept(listener, tls, log.clone(), acts));
        Ok(Wire { addr, log, serving, scheme })
    }

    /// The origin, with `127.0.0.1` or whatever address it is.
    pub fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.addr)
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        lock(&self.log).seen.clone()
    }

    /// Connections that were opened so far.
    pub fn opened(&self) -> usize {
        lock(&self.log).opened
    }

    /// Connections that have ended.
    pub fn ended(&self) -> usize {
        lock(&self.log).ended
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(log: &Mutex<Log>) -> MutexGuard<'_, Log> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, log: Arc<Mutex<Log>>, acts: Arc<Acts>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let connection = {
            let mut log = lock(&log);
            log.opened += 1;
            log.opened
        };
        let (tls, log, acts) = (tls.clone(), log.clone(), acts.clone());
        connections.spawn(async move {
            match tls {
                // A handshake that fails is what some tests are about.
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, connection, &log, &*acts).await;
                    }
                }
                None => serve(stream, connection, &log, &*acts).await,
            }
            lock(&log).ended += 1;
        });
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, connection: usize, log: &Mutex<Log>, acts: &Acts) {
    let mut bytes = Vec::new();
    while let Some(length) = request(&mut stream, &mut bytes).await {
        let rest = bytes.split_off(length);
        let seen = Seen { connection, text: String::from_utf8_lossy(&bytes).into_owned() };
        bytes = rest;
        let act = acts(&seen);
        lock(log).seen.push(seen);
        if perform(&mut stream, act).await.is_err() {
            return;
        }
    }
}

/// Reads until `bytes` begins with a whole request, and says how long that is. `None`: the other side has ended.
async fn request(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(length) = whole(bytes) {
            return Some(length);
        }
        let mut chunk = [0; 8192];
        let read = stream.read(&mut chunk).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&chunk[..read]);
        if bytes.len() > MAX_REQUEST {
            return None;
        }
    }
}

fn whole(bytes: &[u8]) -> Option<usize> {
    let find = |what: &[u8], from: usize| {
        bytes.get(from..)?.windows(what.len()).position(|window| window == what).map(|at| from + at + what.len())
    };
    let head = find(b"\r\n\r\n", 0)?;
    let text = String::from_utf8_lossy(&bytes[..head]).to_ascii_lowercase();
    let field =
        |name: &str| text.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim).map(str::to_owned));
    if field("transfer-encoding").is_some() {
        return find(b"0\r\n\r\n", head);
    }
    let length = head + field("content-length").and_then(|length| length.parse::<usize>().ok()).unwrap_or(0);
    (bytes.len() >= length).then_some(length)
}

/// An error where the connection is over.
async fn perform(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), act: Act) -> std::io::Result<()> {
    match act {
        Act::Send(bytes) => stream.write_all(&bytes).await?,
        Act::Close(bytes) => {
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            return Err(std::io::ErrorKind::ConnectionAborted.into());
        }
        Act::Later(first, pause, second) => {
            stream.write_all(&first).await?;
            stream.flush().await?;
            tokio::time::sleep(pause).await;
            stream.write_all(&second).await?;
        }
        Act::Drip(first, bytes, every) => {
            stream.write_all(&first).await?;
            for byte in bytes {
                stream.write_all(&[byte]).await?;
                stream.flush().await?;
                tokio::time::sleep(every).await;
            }
        }
        Act::Flood(first, again) => {
            stream.write_all(&first).await?;
            loop {
                stream.write_all(&again).await?;
            }
        }
    }
    stream.flush().await
}
