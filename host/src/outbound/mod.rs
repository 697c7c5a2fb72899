//! HTTP that leaves on a plugin's behalf: granted hosts only, addresses checked when they are dialled, credentials attached
//! by the host, one pool of connections for each plugin, everything bounded.
//!
//! What is done once and what is repeated is not decided here but in [`crate::attempt`], the journal of one try.

mod address;
mod breaker;
mod client;
mod failure;
mod far_end;
mod identity;
mod policy;
mod pool;
mod post;
mod probe;
mod rate;
mod request;
mod resolver;
mod shared;
#[cfg(test)]
mod tests;
mod turns;

pub use address::{AddressGuard, Blocked};
pub use breaker::BreakerState;
pub(crate) use failure::{certificate_trouble, described as tls_trouble};
pub use far_end::{Asked, FarEnd};
pub use identity::client_certificate;
pub use policy::Policy;
pub use post::{MAX_ANSWER, Poster};
pub use probe::{Probe, ProbeError, Seen};
pub use rate::RateUse;
pub use request::{Exchange, HttpError, Request, Response};
pub(crate) use resolver::GuardedResolver;
pub(crate) use turns::Turns;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use http::{HeaderMap, HeaderValue, Method, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::config;
use crate::credentials::{Attached, Broker, CredentialError, Outgoing};
use crate::store::{BreakerRow, Store};
use breaker::{Breaker, Pass, Went};
use failure::failed;
use pool::Pool;
use rate::RateLimiter;
use request::Prepared;
use shared::Shared;

/// Bytes of header names and values of a response that are kept.
pub(crate) const MAX_RESPONSE_HEADERS: usize = 64 << 10;

/// A plugin's way out.
pub struct Outbound {
    policy: Policy,
    idempotency_header: Option<http::HeaderName>,
    credentials: Vec<String>,
    response_size: usize,
    pool: Pool,
    certificate: Option<Arc<config::ClientCertificate>>,
    broker: Arc<Broker>,
    rate: Option<Arc<RateLimiter>>,
    breaker: Option<Arc<Breaker>>,
    shared: Option<Shared>,
    far_end: Option<Arc<dyn FarEnd>>,
}

impl std::fmt::Debug for Outbound {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Outbound").field("policy", &self.policy).finish_non_exhaustive()
    }
}

/// What a request became besides its answer.
#[derive(Debug, Default)]
pub struct Sent {
    /// The credential that was attached, for the case that it is refused.
    pub attached: Option<Attached>,
    /// How long it took.
    pub duration: Duration,
}

impl Outbound {
    /// The way out for a plugin with its present grants. What its breaker and its rate know is taken over from `before`, the plugin's way out
    /// until now, where their settings are the same: a reload must not set a system under fire that is being spared.
    pub fn new(
        plugin: &config::Plugin,
        broker: Arc<Broker>,
        tls: rustls::ClientConfig,
        store: &Store,
        before: Option<&Outbound>,
    ) -> Outbound {
        let kept_rate = before.and_then(|before| before.rate.clone()).filter(|rate| Some(rate.limit) == plugin.rate_limit);
        let kept_breaker = before.and_then(|before| before.breaker.clone()).filter(|breaker| Some(breaker.policy) == plugin.breaker);
        let guard = AddressGuard::new(plugin.grants.private_addresses.clone());
        let pool = Pool::new(tls, guard.clone(), plugin.keep_alive);
        Outbound {
            policy: Policy::new(&plugin.grants, guard),
            idempotency_header: plugin.idempotency_header.as_deref().and_then(|name| name.parse().ok()),
            credentials: plugin.grants.credentials.clone(),
            response_size: plugin.limits.response_size,
            pool,
            certificate: plugin.grants.certificate.clone(),
            broker,
            rate: kept_rate.or_else(|| plugin.rate_limit.map(|limit| Arc::new(RateLimiter::new(limit)))),
            shared: Shared::new(&plugin.name, store),
            breaker: kept_breaker.or_else(|| plugin.breaker.map(|policy| Arc::new(Breaker::new(policy)))),
            far_end: None,
        }
    }

    /// The same way out, at whose end something else than the network answers.
    pub fn to(self, far_end: Arc<dyn FarEnd>) -> Outbound {
        Outbound { far_end: Some(far_end), ..self }
    }

    /// Checks a request against the grants. Nothing leaves.
    ///
    /// # Errors
    /// [`HttpError::Denied`], [`HttpError::InvalidRequest`].
    pub fn prepare(&self, request: &Request) -> Result<Exchange, HttpError> {
        let prepared = Prepared::new(request)?;
        self.policy.check(&prepared.method, &prepared.url)?;
        let reads = self.policy.reads(&prepared.method, prepared.url.path(), request.read_only);
        Ok(Exchange { prepared, reads, name: request.name.clone() })
    }

    /// Sends a request and reads the whole answer, within `timeout`. `key` is the idempotency key of a write.
    pub async fn exchange(
        &self,
        exchange: &Exchange,
        key: Option<&str>,
        timeout: Duration,
        cancel: &CancellationToken,
    ) -> (Sent, Result<Response, HttpError>) {
        let started = Instant::now();
        let mut sent = Sent::default();
        let timeout = exchange.prepared.timeout.map_or(timeout, |wanted| wanted.min(timeout));
        let work = async {
            // Asked first: a host that is left alone costs neither a turn nor a token.
            let pass = match &self.breaker {
                Some(breaker) => Some(self.pass(breaker, exchange.host(), timeout).await?),
                None => None,
            };
            // Until here nothing has left, and the other side has nothing to do with it.
            let request = match tokio::time::timeout(timeout, self.ready(exchange, key, timeout, &mut sent)).await {
                Ok(ready) => ready?,
                Err(_) => {
                    return Err(HttpError::NotSent(format!("the credential for {} was not there within {timeout:?}", exchange.host())));
                }
            };
            let left = timeout.saturating_sub(started.elapsed());
            let answer = async {
                match &self.far_end {
                    Some(far_end) => self.rehearsed(&**far_end, exchange.asked(key)).await,
                    None => self.send(request, exchange.host(), sent.attached.as_ref()).await,
                }
            };
            let result = match tokio::time::timeout(left, answer).await {
                Ok(result) => result,
                Err(_) => Err(HttpError::Timeout(format!("{} did not answer completely within {timeout:?}", exchange.host()))),
            };
            if let (Some(attached), Ok(response)) = (&sent.attached, &result) {
                self.broker.answered(attached, response.status);
            }
            if let Some(pass) = pass {
                let change = pass.tell(told(&result), Timestamp::now());
                if let Some(shared) = &self.shared {
                    shared.tell(exchange.host(), change).await;
                }
            }
            result
        };
        let result = tokio::select! {
            result = work => result,
            () = cancel.cancelled() => Err(HttpError::Connection("the host is shutting down".to_owned())),
        };
        sent.duration = started.elapsed();
        (sent, result)
    }

    /// Leave to send a request to a host. The probe of a breaker that is shared is the one of all hosts.
    async fn pass(&self, breaker: &Arc<Breaker>, host: &str, timeout: Duration) -> Result<Pass, HttpError> {
        let pass = breaker.pass(host, Timestamp::now(), timeout)?;
        let Some(shared) = self.shared.as_ref().filter(|_| pass.is_probe()) else { return Ok(pass) };
        match shared.probe(host, Timestamp::now(), timeout).await {
            Ok(()) => Ok(pass),
            // Closed meanwhile, open again, or another host's probe is under way: the breaker knows now, and decides.
            Err(known) => {
                pass.void();
                breaker.learn(host, known.as_ref());
                breaker.pass(host, Timestamp::now(), timeout)
            }
        }
    }

    /// Learns what the hosts on the store know of this plugin's breaker.
    pub fn learn(&self, rows: &[BreakerRow]) {
        if let Some(breaker) = &self.breaker {
            breaker.learn_all(rows);
        }
    }

    /// Its breaker's hosts that are not simply well; `None` without a breaker.
    pub fn breaker(&self) -> Option<Vec<BreakerState>> {
        self.breaker.as_ref().map(|breaker| breaker.states(Timestamp::now()))
    }

    /// Use of its rate; `None` without one.
    pub fn rate(&self) -> Option<RateUse> {
        self.rate.as_ref().map(|rate| rate.usage())
    }

    /// The request as it will leave: its turn has come, its credential is attached.
    async fn ready(&self, exchange: &Exchange, key: Option<&str>, timeout: Duration, sent: &mut Sent) -> Result<Outgoing, HttpError> {
        if let Some(rate) = &self.rate {
            rate.wait(timeout, self.shared.as_ref()).await?;
        }
        let prepared = &exchange.prepared;
        if let Some(certificate) = self.certificate.as_ref().filter(|_| prepared.url.scheme() == "https")
            && let Some(identity) = identity::look_up(certificate, &self.broker, self.pool.shown()).await?
        {
            self.pool.show(identity);
        }
        let mut headers = prepared.headers.clone();
        if let (Some(key), Some(name)) = (key, &self.idempotency_header)
            && !headers.contains_key(name)
        {
            headers.insert(name.clone(), HeaderValue::from_str(key).expect("a UUID is a header value"));
        }
        if prepared.body.is_empty() && matches!(prepared.method, Method::POST | Method::PUT | Method::PATCH) {
            // Without it some servers answer 411: they expect a body of these (RFC 9110 section 8.6).
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from_static("0"));
        }
        // From here on it may hold secrets: journal, log and errors know the exchange as the plugin made it.
        let mut outgoing = Outgoing { method: prepared.method.clone(), url: prepared.url.clone(), headers, body: prepared.body.clone() };
        sent.attached = self.broker.attach(&self.credentials, &mut outgoing).await.map_err(|error| match error {
            CredentialError::Placeholder { .. } => HttpError::Denied(error.to_string()),
            error => HttpError::Credential(crate::telemetry::chain(&error), error.remedy()),
        })?;
        if sent.attached.is_some() {
            // An answer that echoes a secret is read before the plugin gets it; it has to be readable.
            outgoing.headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        }
        Ok(outgoing)
    }

    /// An answer of something else than the network, within the same bounds.
    async fn rehearsed(&self, far_end: &dyn FarEnd, asked: Asked) -> Result<Response, HttpError> {
        let response = far_end.answer(asked).await?;
        if response.body.len() > self.response_size {
            return Err(HttpError::ResponseTooLarge(self.response_size as u64));
        }
        Ok(response)
    }

    async fn send(&self, request: Outgoing, host: &str, attached: Option<&Attached>) -> Result<Response, HttpError> {
        let Outgoing { method, url, headers, body } = request;
        let response = self.pool.client(&url).send(method, &url, headers, body).await?;
        self.collect(response, host, attached).await
    }

    async fn collect(
        &self,
        mut response: http::Response<Incoming>,
        host: &str,
        attached: Option<&Attached>,
    ) -> Result<Response, HttpError> {
        let status = response.status().as_u16();
        if status == 101 {
            return Err(HttpError::Connection(format!("{host} went over to another protocol, which nobody had asked for")));
        }
        let is_opaque = attached.is_some() && is_encoded(response.headers());
        let headers = self.headers(response.headers(), attached);
        let mut body = BytesMut::new();
        if let Some(length) = response.body().size_hint().exact() {
            if length > self.response_size as u64 {
                return Err(HttpError::ResponseTooLarge(self.response_size as u64));
            }
            body.reserve(usize::try_from(length).unwrap_or(0));
        }
        while let Some(frame) = response.frame().await {
            let Ok(chunk) = frame.map_err(|error| failed(&error, false, host))?.into_data() else { continue };
            if body.len() + chunk.len() > self.response_size {
                return Err(HttpError::ResponseTooLarge(self.response_size as u64));
            }
            body.extend_from_slice(&chunk);
        }
        if is_opaque && !body.is_empty() {
            return Err(HttpError::Connection(format!(
                "the answer of {host} is compressed, though it was asked not to be, so that a credential in it could not be masked"
            )));
        }
        let body = self.broker.redact_answer(attached, &body).into_owned();
        Ok(Response { status, headers, body })
    }

    fn headers(&self, headers: &HeaderMap, attached: Option<&Attached>) -> Vec<(String, Vec<u8>)> {
        let mut left = MAX_RESPONSE_HEADERS;
        headers
            .iter()
            .take_while(|(name, value)| {
                let size = name.as_str().len() + value.len();
                let fits = size <= left;
                left = left.saturating_sub(size);
                fits
            })
            .map(|(name, value)| (name.as_str().to_owned(), self.broker.redact_answer(attached, value.as_bytes()).into_owned()))
            .collect()
    }
}

/// What an exchange tells about the host.
fn told(result: &Result<Response, HttpError>) -> Went {
    match result {
        Ok(response) if response.status < 500 => Went::Well,
        Ok(_) | Err(HttpError::NotSent(_) | HttpError::Timeout(_) | HttpError::Connection(_)) => Went::Badly,
        // An address that may not be dialled, an answer that is too large: says nothing about the host.
        Err(_) => Went::Nowhere,
    }
}

fn is_encoded(headers: &HeaderMap) -> bool {
    let codings = headers.get_all(header::CONTENT_ENCODING).iter();
    codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).any(|coding| {
        let coding = coding.trim_ascii();
        !coding.is_empty() && !coding.eq_ignore_ascii_case(b"identity")
    })
}
