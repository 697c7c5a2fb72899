//! A look whether a place can be reached: one request with nothing in it, by the way that a plugin's would go.

use std::time::Duration;

use bytes::BytesMut;
use futures::StreamExt as _;
use http::{Method, header};
use jiff::Timestamp;
use rustls_pki_types::CertificateDer;
use url::{Host, Url};

use super::address::AddressGuard;
use super::failure::failed;
use super::request::HttpError;
use super::resolver::GuardedResolver;
use crate::server::certificate_end;
use crate::tls::{self, TlsError, Watched};

/// Most of an answer that is read, bytes.
const MOST_ANSWER: usize = 4 << 20;

/// The way to one place. It follows no redirect, keeps no connection, tries nothing again, and knows no credential.
pub struct Probe {
    http: reqwest::Client,
    guard: Option<AddressGuard>,
    watched: Watched,
}

/// What a place answered.
#[derive(Debug, Clone)]
pub struct Seen {
    /// Its status.
    pub status: u16,
    /// What time it says it is.
    pub date: Option<Timestamp>,
    /// The start of its answer; empty for a `HEAD`.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Probe {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Probe").field("guard", &self.guard).finish_non_exhaustive()
    }
}

impl Probe {
    /// A way that trusts these authorities besides the operating system's. `guard`: which addresses may be dialled; `None`: any, since the
    /// administrator wrote the place and not a plugin. `known`: a certificate that is good whoever issued it.
    ///
    /// # Errors
    /// No TLS on this machine, or no client.
    pub fn new(
        authorities: &[CertificateDer<'static>],
        guard: Option<AddressGuard>,
        known: Option<CertificateDer<'static>>,
        timeout: Duration,
    ) -> Result<Probe, ProbeError> {
        let (config, watched) = tls::client_config_watching(authorities, known)?;
        let builder = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .timeout(timeout)
            .user_agent(concat!("sangam/", env!("CARGO_PKG_VERSION")));
        let builder = match &guard {
            Some(guard) => builder.dns_resolver(GuardedResolver::new(guard.clone())),
            None => builder,
        };
        Ok(Probe { http: builder.build()?, guard, watched })
    }

    /// Asks for the head of a place: a `HEAD` without anything of anybody's in it.
    ///
    /// # Errors
    /// Why there is no answer, in words that say what to do.
    pub async fn head(&self, url: &Url) -> Result<Seen, HttpError> {
        self.ask(Method::HEAD, url, None).await
    }

    /// Reads a place: the host's own API, with the token of who asks.
    ///
    /// # Errors
    /// As [`Probe::head`].
    pub async fn get(&self, url: &Url, token: Option<&str>) -> Result<Seen, HttpError> {
        self.ask(Method::GET, url, token).await
    }

    async fn ask(&self, method: Method, url: &Url, token: Option<&str>) -> Result<Seen, HttpError> {
        let host = url.host_str().unwrap_or_default();
        let address = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            // Checked when it is dialled.
            _ => None,
        };
        if let (Some(address), Some(guard)) = (address, &self.guard) {
            guard.check(address).map_err(|blocked| HttpError::Denied(blocked.to_string()))?;
        }
        let mut request = self.http.request(method, url.clone());
        if let Some(token) = token {
            request = request.bearer_auth(token);
        }
        let response = request.send().await.map_err(|error| {
            let error = error.without_url();
            failed(&error, error.is_connect(), host)
        })?;
        let status = response.status().as_u16();
        let date = response.headers().get(header::DATE).and_then(|date| date.to_str().ok());
        let date = date.and_then(|text| jiff::fmt::rfc2822::parse(text).ok()).map(|date| date.timestamp());
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while let Some(Ok(chunk)) = chunks.next().await {
            body.extend_from_slice(&chunk[..chunk.len().min(MOST_ANSWER - body.len())]);
            if body.len() == MOST_ANSWER {
                break;
            }
        }
        Ok(Seen { status, date, body: body.to_vec() })
    }

    /// The certificate that the place showed last.
    pub fn certificate(&self) -> Option<CertificateDer<'static>> {
        self.watched.certificate()
    }

    /// When that ends.
    pub fn certificate_ends(&self) -> Option<Timestamp> {
        self.certificate().and_then(|certificate| certificate_end(&certificate).ok())
    }
}

/// Why nothing can be looked at from this machine.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// No TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// No client.
    #[error("preparing the HTTP client")]
    Setup(#[from] reqwest::Error),
}
