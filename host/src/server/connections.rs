//! Connections: accepted, counted, bounded in time, served.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use http::header::{CONNECTION, TRANSFER_ENCODING};
use http::{HeaderValue, Method};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, getrlimit, setrlimit};
use rustls_pki_types::CertificateDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;

use super::certificates::Certificates;
use crate::config::Connections;

/// For the TLS handshake; it is a few packets.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// After the system refused to accept, such as for want of file descriptors.
const BREATHER: Duration = Duration::from_millis(100);

/// Lets this process have as many files open as the system allows: most systems begin with 1024, and a connection is one.
pub fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the number of open files stays as it is");
    }
}

/// Who is at the other end of a connection. Every request carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// Its address: perhaps a proxy's.
    pub address: SocketAddr,
    /// Whether the connection is encrypted.
    pub is_encrypted: bool,
}

/// The certificate that the other end of a connection showed, and that `server.tls.client-ca` vouches for. Requests of such a connection carry it.
#[derive(Debug, Clone)]
pub struct ShownCertificate(pub Arc<CertificateDer<'static>>);

/// Serves until `stop`; then lets requests under way finish, and ends.
///
/// A slow client costs a place and nothing else: handshakes and heads have a time limit and are waited for beside the accepting. Where all
/// places are taken, or those of one address, a new connection is closed at once rather than left to wait for what may never come.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    options: Connections,
    certificates: Option<Arc<Certificates>>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(options.most as usize));
    let addresses = Arc::new(Addresses::default());
    let options = Arc::new(options);
    let mut open = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
            // Ended connections leave nothing behind.
            Some(_) = open.join_next() => continue,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_of_one_connection(&error) => continue,
            Err(error) => {
                tracing::error!(%error, "no connection can be accepted now");
                tokio::time::sleep(BREATHER).await;
                continue;
            }
        };
        let Ok(place) = places.clone().try_acquire_owned() else {
            tracing::debug!(%address, "closed: all places are taken (server.max-connections)");
            continue;
        };
        let is_proxy = options.trusted_proxies.iter().any(|block| block.contains(&canonical(address.ip())));
        let most = if is_proxy { u32::MAX } else { options.most_per_address };
        let Some(share) = addresses.take(canonical(address.ip()), most) else {
            tracing::debug!(%address, "closed: this address has all the connections it may (server.max-connections-per-address)");
            continue;
        };
        let (router, options, stop) = (router.clone(), options.clone(), stop.clone());
        let tls = certificates.as_ref().map(|certificates| TlsAcceptor::from(certificates.config()));
        open.spawn(async move {
            let _held = (place, share);
            // Answers are small, and whoever waits for one waits for its last packet.
            let _ = stream.set_nodelay(true);
            match tls {
                None => speak(stream, Peer { address, is_encrypted: false }, None, router, &options, &stop).await,
                Some(tls) => {
                    let Some(stream) = shake_hands(tls, stream, address, &stop).await else { return };
                    let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
                    let shown = shown.map(|shown| ShownCertificate(Arc::new(shown.clone().into_owned())));
                    speak(stream, Peer { address, is_encrypted: true }, shown, router, &options, &stop).await;
                }
            }
        });
    }
    drop(listener);
    while open.join_next().await.is_some() {}
}

async fn shake_hands(
    tls: TlsAcceptor,
    stream: TcpStream,
    address: SocketAddr,
    stop: &CancellationToken,
) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    let shaken = tokio::select! {
        () = stop.cancelled() => return None,
        shaken = tokio::time::timeout(HANDSHAKE, tls.accept(stream)) => shaken,
    };
    match shaken {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(error)) => {
            tracing::debug!(%address, %error, "no TLS with this client");
            None
        }
        Err(_) => {
            tracing::debug!(%address, "the TLS handshake took too long");
            None
        }
    }
}

async fn speak<S>(stream: S, peer: Peer, shown: Option<ShownCertificate>, router: Router, options: &Connections, stop: &CancellationToken)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(peer);
        if let Some(shown) = &shown {
            request.extensions_mut().insert(shown.clone());
        }
        // hyper reads a body with both a length and chunks by its chunks, and forgets the length. A proxy in front may have gone by the length: what
        // comes next on this connection is then somebody's who is not the one that it seems (RFC 9112 section 6.1).
        // Nor does anything come after CONNECT: what a proxy sends then may be somebody's tunnel.
        let is_last = request.headers().contains_key(TRANSFER_ENCODING) || request.method() == Method::CONNECT;
        let answer = router.call(request);
        async move {
            let mut answer = answer.await?;
            if is_last {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(options.header_timeout)
        .max_buf_size(options.max_header_size)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(address = %peer.address, %error, "a connection ended early");
    }
}

/// The connections of each client address.
#[derive(Debug, Default)]
struct Addresses(Mutex<HashMap<IpAddr, u32>>);

/// One connection of an address; given back when dropped.
struct Share {
    addresses: Arc<Addresses>,
    address: IpAddr,
}

impl Addresses {
    fn take(self: &Arc<Self>, address: IpAddr, most: u32) -> Option<Share> {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(address).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Share { addresses: self.clone(), address })
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        let mut counts = self.addresses.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.address);
            }
        }
    }
}

/// An IPv4 address that comes in IPv6 form is that IPv4 address.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

/// Errors that are about the connection that was to be accepted, and over with it.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset)
}
