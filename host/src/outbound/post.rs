//! Posts to an endpoint that the administrator named: one pool of connections for each, addresses checked when dialled, no redirect followed.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method};
use http_body_util::BodyExt as _;
use url::{Host, Url};

use super::address::AddressGuard;
use super::pool::Pool;
use super::request::{HttpError, Response};

/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(60);
/// What is read of an answer: enough to see why something was refused.
pub const MAX_ANSWER: usize = 4 << 10;

/// The way out to one endpoint.
pub struct Poster {
    pool: Pool,
    guard: AddressGuard,
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Poster").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Poster {
    /// A way out that reaches public addresses and these blocks.
    pub fn new(tls: rustls::ClientConfig, private_addresses: Vec<ipnet::IpNet>) -> Poster {
        let guard = AddressGuard::new(private_addresses);
        Poster { pool: Pool::new(tls, guard.clone(), KEEP_ALIVE), guard }
    }

    /// Posts a body; gives the status, the headers, and the start of the answer.
    ///
    /// # Errors
    /// Why there is no answer; whether it may have left.
    pub async fn post(&self, url: &Url, headers: HeaderMap, body: Vec<u8>, timeout: Duration) -> Result<Response, HttpError> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            // Checked when it is dialled.
            _ => None,
        };
        if let Some(address) = address {
            self.guard.check(address).map_err(|blocked| HttpError::Denied(of_webhook(&blocked.to_string())))?;
        }
        let host = url.host_str().unwrap_or_default().to_owned();
        let exchange = async {
            let mut response = self.pool.client(url).send(Method::POST, url, headers, Bytes::from(body)).await.map_err(said)?;
            let status = response.status().as_u16();
            let headers = response.headers().iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()));
            let headers = headers.take(64).filter(|(_, value)| value.len() <= 1024).collect();
            let mut start = BytesMut::new();
            // The status has come, and is what counts: an answer that breaks off or goes on for ever changes nothing.
            while let Some(Ok(frame)) = response.frame().await {
                let Ok(chunk) = frame.into_data() else { continue };
                start.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - start.len())]);
                if start.len() == MAX_ANSWER {
                    break;
                }
            }
            Ok(Response { status, headers, body: start.to_vec() })
        };
        let late = |_| Err(HttpError::Timeout(format!("{host} did not answer completely within {timeout:?}")));
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(late)
    }
}

/// The sentences are written for plugins, which are most of those who meet one.
fn of_webhook(text: &str) -> String {
    text.replace("this plugin", "this webhook")
}

fn said(error: HttpError) -> HttpError {
    match error {
        HttpError::Denied(why) => HttpError::Denied(of_webhook(&why)),
        HttpError::NotSent(why) => HttpError::NotSent(of_webhook(&why)),
        HttpError::Connection(why) => HttpError::Connection(of_webhook(&why)),
        other => other,
    }
}
