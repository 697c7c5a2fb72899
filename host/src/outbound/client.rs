//! The client of a pool of connections: hyper's, over TCP or TLS, with nothing around it. No proxy, which would resolve names itself, unchecked; no redirect
//! followed, since each of its hops is the plugin's own request, judged like any other; nothing sent again, which the journal decides; nothing decoded.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, Uri, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tower_service::Service;
use url::Url;

use super::address::AddressGuard;
use super::failure::failed;
use super::request::HttpError;
use super::resolver::GuardedResolver;

/// Time to reach a host: name, connection, TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// After so long without a word a connection is asked whether it is still there, and again, so many times.
const PROBED: (Duration, u32) = (Duration::from_secs(15), 3);
/// How long what was sent may stay without an answer from the other machine's network.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED: Duration = Duration::from_secs(30);
/// Idle connections kept for each host of a plugin.
const IDLE_PER_HOST: usize = 32;
/// What we say we are.
const USER_AGENT: HeaderValue = HeaderValue::from_static(concat!("sangam/", env!("CARGO_PKG_VERSION")));

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Sends requests over connections of its own. Clones share them.
#[derive(Debug, Clone)]
pub(super) struct Client(legacy::Client<Connector, Full<Bytes>>);

impl Client {
    /// One that dials what the guard lets it, and keeps idle connections so long.
    pub(super) fn new(tls: &rustls::ClientConfig, guard: &AddressGuard, keep_alive: Duration) -> Client {
        Client::connecting_within(CONNECT_TIMEOUT, tls, guard, keep_alive)
    }

    fn connecting_within(time: Duration, tls: &rustls::ClientConfig, guard: &AddressGuard, keep_alive: Duration) -> Client {
        let mut tcp = HttpConnector::new_with_resolver(GuardedResolver::new(guard.clone()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        // Shared by a name's addresses: behind one that is mute the next is dialled in time.
        tcp.set_connect_timeout(Some(time));
        let (after, times) = PROBED;
        tcp.set_keepalive(Some(after));
        tcp.set_keepalive_interval(Some(after));
        tcp.set_keepalive_retries(Some(times));
        #[cfg(target_os = "linux")]
        tcp.set_tcp_user_timeout(Some(UNACKNOWLEDGED));
        let connector = Connector { to: HttpsConnector::from((tcp, Arc::new(tls.clone()))), time };
        let client = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(if keep_alive.is_zero() { 0 } else { IDLE_PER_HOST })
            .pool_idle_timeout(keep_alive)
            .build(connector);
        Client(client)
    }

    /// Sends a request, once; gives the answer as soon as its head is there.
    ///
    /// # Errors
    /// Why there is none, and whether the request may have left.
    pub(super) async fn send(
        &self,
        method: Method,
        url: &Url,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<Response<Incoming>, HttpError> {
        let host = url.host_str().unwrap_or_default();
        let uri: Uri = url.as_str().parse().map_err(|error| HttpError::InvalidRequest(format!("the URL can't be asked for: {error}")))?;
        headers.entry(header::ACCEPT).or_insert(const { HeaderValue::from_static("*/*") });
        headers.entry(header::USER_AGENT).or_insert(USER_AGENT);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        *request.headers_mut() = headers;
        self.0.request(request).await.map_err(|error| failed(&error, error.is_connect(), host))
    }
}

/// Over TCP or TLS, to addresses that may be dialled.
type Dial = HttpsConnector<HttpConnector<GuardedResolver>>;

/// Makes connections, each within a time.
#[derive(Debug, Clone)]
struct Connector {
    to: Dial,
    time: Duration,
}

impl Service<Uri> for Connector {
    type Response = <Dial as Service<Uri>>::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.to.poll_ready(context)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let time = self.time;
        let connecting = tokio::time::timeout(time, self.to.call(to));
        let late = move |_| io::Error::new(io::ErrorKind::TimedOut, format!("no connection within {time:?}"));
        Box::pin(async move { connecting.await.map_err(late)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn asked(url: &str) -> HttpError {
        let url = Url::parse(url).expect("a URL");
        let (tls, time) = (crate::tls::client_config().expect("TLS"), Duration::from_millis(50));
        let client = Client::connecting_within(time, &tls, &AddressGuard::default(), Duration::from_secs(30));
        client.send(Method::GET, &url, HeaderMap::new(), Bytes::new()).await.expect_err("no answer")
    }

    #[tokio::test]
    async fn who_never_finishes_a_handshake_has_been_sent_nothing() {
        let mute = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = mute.local_addr().expect("its address");
        let error = asked(&format!("https://{address}/")).await;
        let expected = "can't connect to 127.0.0.1: no connection within 50ms";
        assert!(matches!(&error, HttpError::NotSent(why) if why == expected), "{error:?}");
    }

    #[tokio::test]
    async fn what_can_not_be_asked_for_has_not_left() {
        let error = asked("https://{{hostname}}/").await;
        assert!(matches!(error, HttpError::InvalidRequest(_)) && !error.may_have_left(), "{error:?}");
    }
}
