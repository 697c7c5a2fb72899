//! The way to the collector: our own HTTP client with our own TLS, under OpenTelemetry's exporters. What a collector says of later is heeded.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, Request, Response, StatusCode, header};
use jiff::Timestamp;
use opentelemetry_http::{Bytes, HttpClient, HttpError};

/// Pause after the first failure; it doubles.
const PAUSE: Duration = Duration::from_millis(200);
/// Longest pause that we take by ourselves.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// Longest answer that is read: it says at most what was not taken, and why.
const MAX_ANSWER: usize = 64 << 10;

/// Speaks to a collector. One batch takes no longer than `time`, with everything that is tried again.
#[derive(Debug, Clone)]
pub(super) struct Collector {
    http: reqwest::Client,
    time: Duration,
    /// What went wrong last: the exporters only say that something did.
    trouble: Arc<Mutex<Option<String>>>,
}

impl Collector {
    pub(super) fn new(tls: rustls::ClientConfig, time: Duration) -> Result<Collector, reqwest::Error> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            // Headers may hold a secret.
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(1)
            .user_agent(concat!("sangam/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Collector { http, time, trouble: Arc::default() })
    }

    /// Another one like it, with troubles of its own.
    pub(super) fn another(&self) -> Collector {
        Collector { trouble: Arc::default(), ..self.clone() }
    }

    /// What went wrong last, once.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let result = self.tried(request).await;
        let trouble = match &result {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("it answered {}", response.status().as_u16())),
            Err(error) => Some(error.to_string()),
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        result
    }

    async fn tried(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let until = Instant::now() + self.time;
        let (parts, body) = request.into_parts();
        let mut pause = PAUSE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let once = self.http.request(parts.method.clone(), parts.uri.to_string()).headers(parts.headers.clone()).body(body.clone());
            let result = tokio::time::timeout(left, answer(once)).await;
            let (result, asked) = match result {
                Err(_) => return Err(format!("no answer within {:?}", self.time).into()),
                Ok(Ok(response)) if !comes_later(response.status()) => return Ok(response),
                Ok(Ok(response)) => {
                    let asked = retry_after(response.headers());
                    (Ok(response), asked)
                }
                Ok(Err(error)) => (Err(error), None),
            };
            let wait = asked.unwrap_or(pause);
            if Instant::now() + wait >= until {
                return result.map_err(|error| super::super::chain(&error.without_url()).into());
            }
            tokio::time::sleep(wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

async fn answer(request: reqwest::RequestBuilder) -> Result<Response<Bytes>, reqwest::Error> {
    let mut response = request.send().await?;
    let (status, headers) = (response.status(), response.headers().clone());
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        body.extend_from_slice(&chunk[..chunk.len().min(MAX_ANSWER - body.len())]);
        if body.len() == MAX_ANSWER {
            break;
        }
    }
    let mut answer = Response::new(Bytes::from(body));
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// The statuses after which the specification of OTLP has a sender try again.
fn comes_later(status: StatusCode) -> bool {
    matches!(status.as_u16(), 429 | 502 | 503 | 504)
}

/// `Retry-After`: seconds, or a date.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp();
    Some(Duration::try_from(at.duration_since(Timestamp::now())).unwrap_or_default())
}

impl HttpClient for Collector {
    // What the macro of the `async_trait` crate would write.
    fn send_bytes<'a, 'f>(
        &'a self,
        request: Request<Bytes>,
    ) -> Pin<Box<dyn Future<Output = Result<Response<Bytes>, HttpError>> + Send + 'f>>
    where
        'a: 'f,
        Self: 'f,
    {
        Box::pin(self.send(request))
    }
}
