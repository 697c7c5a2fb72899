//! The way to token endpoints: one HTTP client that follows no redirects and reads no more than it must.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use rustls::ClientConfig;
use url::Url;

use super::oauth2::TokenRequest;
use crate::clock;

/// Time for one request, connecting and reading included. The refresh lease outlives it.
pub const REQUEST_TIME: Duration = Duration::from_secs(30);
/// Longest answer, in bytes: a token of a few kilobytes with room to spare.
pub const MOST_ANSWER: usize = 64 * 1024;
/// Longest `Retry-After` that is believed.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Why there is no answer from a token endpoint. All but [`EndpointError::Setup`] may pass.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The client can't be made.
    #[error("preparing the HTTP client for token endpoints")]
    Setup(#[source] reqwest::Error),
    /// No connection, or it broke.
    #[error("the token endpoint can't be reached")]
    Unreachable(#[source] reqwest::Error),
    /// Took longer than [`REQUEST_TIME`].
    #[error("the token endpoint did not answer within {} s", REQUEST_TIME.as_secs())]
    TimedOut,
    /// Longer than [`MOST_ANSWER`].
    #[error("the token endpoint's answer is longer than {} KiB", MOST_ANSWER / 1024)]
    TooLong,
    /// Secrets are not sent on to where a redirect points.
    #[error("the token endpoint answered {0}, a redirect, which is not followed: put the final address into `token-url`")]
    Redirect(StatusCode),
    /// The client id or secret has characters that a header can't carry.
    #[error("the client's credentials don't fit into a header")]
    Header,
}

/// Speaks to token endpoints. Cheap to clone.
#[derive(Debug, Clone)]
pub struct TokenClient(reqwest::Client);

/// What came back.
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) retry_after: Option<Timestamp>,
    pub(super) body: BytesMut,
}

/// A client for places where somebody logs in. No request takes longer than `time`, connecting and reading included.
pub fn login_client(tls: ClientConfig, time: Duration) -> Result<reqwest::Client, reqwest::Error> {
    // Port 0 stands for the port of the URL. Whoever answers for DNS must not decide where `http://localhost` is.
    let loopback = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)].map(|ip| SocketAddr::new(ip, 0));
    reqwest::Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(reqwest::redirect::Policy::none())
        // A code or a refresh token may be good for one request only.
        .retry(reqwest::retry::never())
        // Plain HTTP to loopback would go through a proxy in the clear.
        .no_proxy()
        .resolve_to_addrs("localhost", &loopback)
        .timeout(time)
        // Requests are minutes apart: a kept connection would mostly be a dead one.
        .pool_max_idle_per_host(0)
        .user_agent(concat!("sangam/", env!("CARGO_PKG_VERSION")))
        .build()
}

impl TokenClient {
    /// A client with this TLS configuration.
    pub fn new(tls: ClientConfig) -> Result<Self, EndpointError> {
        login_client(tls, REQUEST_TIME).map(Self).map_err(EndpointError::Setup)
    }

    /// Posts the form. Every status but a redirect is a reply.
    pub(super) async fn post(&self, url: &Url, request: &TokenRequest, now: Timestamp) -> Result<Reply, EndpointError> {
        let mut post = self
            .0
            .post(url.clone())
            .header(header::ACCEPT, "application/json")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(request.form.expose().to_owned());
        if let Some(authorization) = &request.authorization {
            let mut value = HeaderValue::from_str(authorization.expose()).map_err(|_| EndpointError::Header)?;
            value.set_sensitive(true);
            post = post.header(header::AUTHORIZATION, value);
        }
        let mut response = post.send().await.map_err(failed)?;
        if response.status().is_redirection() {
            return Err(EndpointError::Redirect(response.status()));
        }
        let retry_after = retry_after(response.headers(), now);
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MOST_ANSWER {
                return Err(EndpointError::TooLong);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Reply { status: response.status(), retry_after, body })
    }
}

fn failed(error: reqwest::Error) -> EndpointError {
    if error.is_timeout() { EndpointError::TimedOut } else { EndpointError::Unreachable(error.without_url()) }
}

/// RFC 9110 section 10.2.3: seconds or a date.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let at = match text.parse::<u64>() {
        Ok(seconds) => clock::later(now, Duration::from_secs(seconds)),
        Err(_) => jiff::fmt::rfc2822::parse(text).ok()?.timestamp(),
    };
    Some(at.min(clock::later(now, LONGEST_WAIT)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date_and_at_most_an_hour() {
        let now: Timestamp = "2026-03-01T10:00:00Z".parse().expect("a time");
        for (text, expected) in [
            ("0", Some("2026-03-01T10:00:00Z")),
            (" 90 ", Some("2026-03-01T10:01:30Z")),
            ("Sun, 01 Mar 2026 10:00:30 GMT", Some("2026-03-01T10:00:30Z")),
            ("99999999999999", Some("2026-03-01T11:00:00Z")),
            ("Mon, 01 Mar 2027 10:00:30 GMT", Some("2026-03-01T11:00:00Z")),
            ("soon", None),
            ("-5", None),
        ] {
            let headers = HeaderMap::from_iter([(header::RETRY_AFTER, HeaderValue::from_static(text))]);
            let expected = expected.map(|at| at.parse().expect("a time"));
            assert_eq!(retry_after(&headers, now), expected, "{text}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
