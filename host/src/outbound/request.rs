//! What a plugin asks for, what it gets, and why it gets nothing.

use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::far_end::Asked;
use crate::credentials::Remedy;
use crate::telemetry::{TraceContext, trace_headers};

/// Longest URL.
const MAX_URL: usize = 16 << 10;
/// Most headers of a request.
const MAX_HEADERS: usize = 128;
/// Longest header value.
const MAX_HEADER_VALUE: usize = 16 << 10;
/// Longest method.
const MAX_METHOD: usize = 32;
/// Headers that a plugin can't set, in three groups; those that begin as [`RESERVED_PREFIXES`] say, too.
const RESERVED: &[&str] = &[
    // They belong to the connection (RFC 9110 section 7.6.1) or to the host's client: two of them, or one that lies, and the systems
    // between here and there disagree about where a request ends.
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "te",
    "trailer",
    "upgrade",
    "http2-settings",
    "keep-alive",
    "expect",
    // They make of the request another one than was granted and journalled.
    "x-http-method-override",
    "x-http-method",
    "x-method-override",
    "x-original-url",
    "x-rewrite-url",
    // They claim that somebody else is asking. The host is nobody's proxy.
    "forwarded",
    "via",
    "x-real-ip",
    "x-original-host",
];
/// `proxy-`: for a proxy, not for the system; `x-forwarded-`: as `forwarded`; `sangam-`: what the host itself says.
const RESERVED_PREFIXES: &[&str] = &["proxy-", "x-forwarded-", "sangam-"];
/// Longest text of a plugin that an error repeats.
const MAX_SHOWN: usize = 200;

/// A request as a plugin gave it.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// HTTP method.
    pub method: String,
    /// Absolute URL.
    pub url: String,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Empty: none.
    pub body: Vec<u8>,
    /// Of the whole exchange.
    pub timeout: Option<Duration>,
    /// Name of a write.
    pub name: Option<String>,
    /// The plugin says it only reads.
    pub read_only: bool,
}

/// A complete answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Whole.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpError {
    /// Policy forbids it. Nothing left.
    #[error("{0}")]
    Denied(String),
    /// The request is malformed. Nothing left.
    #[error("{0}")]
    InvalidRequest(String),
    /// A write of that name has succeeded in this attempt.
    #[error("a write named {0:?} has already succeeded in this attempt")]
    NameUsed(String),
    /// No complete answer in time.
    #[error("{0}")]
    Timeout(String),
    /// Provably nothing left: there was no connection.
    #[error("{0}")]
    NotSent(String),
    /// Broke off after it may have left.
    #[error("{0}")]
    Connection(String),
    /// The answer is larger than allowed.
    #[error("the answer is larger than {0} bytes (limits.response-size)")]
    ResponseTooLarge(u64),
    /// The call has used up its requests.
    #[error("the call has made its {0} requests (limits.http-calls)")]
    TooManyCalls(u32),
    /// No credential to send it with, and what would help. Nothing left.
    #[error("{0}")]
    Credential(String, Remedy),
    /// The host is left alone: its breaker is open. Nothing left.
    #[error("{why}")]
    Unavailable {
        /// Which host, and since what.
        why: String,
        /// How much longer.
        after: Duration,
    },
}

impl HttpError {
    /// Whether the request may have reached the other side.
    pub fn may_have_left(&self) -> bool {
        match self {
            HttpError::Timeout(_) | HttpError::Connection(_) | HttpError::ResponseTooLarge(_) => true,
            HttpError::Denied(_)
            | HttpError::InvalidRequest(_)
            | HttpError::NameUsed(_)
            | HttpError::NotSent(_)
            | HttpError::TooManyCalls(_)
            | HttpError::Credential(..)
            | HttpError::Unavailable { .. } => false,
        }
    }
}

/// A request that may leave.
#[derive(Debug, Clone)]
pub struct Exchange {
    pub(super) prepared: Prepared,
    /// It changes nothing on the other side.
    pub reads: bool,
    pub(super) name: Option<String>,
}

impl Exchange {
    /// The request says where in a trace it stands, unless the plugin says so itself.
    pub fn hand_on(&mut self, place: &TraceContext) {
        if self.prepared.headers.contains_key("traceparent") {
            return;
        }
        for (name, value) in trace_headers(place) {
            if let Ok(value) = HeaderValue::from_str(&value) {
                self.prepared.headers.insert(name, value);
            }
        }
    }

    /// The host it goes to.
    pub fn host(&self) -> &str {
        self.prepared.url.host_str().unwrap_or("")
    }

    /// HTTP method.
    pub fn method(&self) -> &str {
        self.prepared.method.as_str()
    }

    /// The URL, normalised.
    pub fn url(&self) -> &Url {
        &self.prepared.url
    }

    /// What a far end is asked.
    pub(super) fn asked(&self, key: Option<&str>) -> Asked {
        let Prepared { method, url, headers, body, .. } = &self.prepared;
        Asked {
            method: method.to_string(),
            url: url.clone(),
            headers: headers.iter().map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec())).collect(),
            body: body.clone(),
            name: self.name.clone(),
            key: key.map(str::to_owned),
            reads: self.reads,
        }
    }
}

/// A request in the client's own types.
#[derive(Debug, Clone)]
pub(super) struct Prepared {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: bytes::Bytes,
    pub(super) timeout: Option<Duration>,
}

impl Prepared {
    pub(super) fn new(request: &Request) -> Result<Prepared, HttpError> {
        let invalid = |what: String| HttpError::InvalidRequest(what);
        let method = Some(&request.method).filter(|method| method.len() <= MAX_METHOD);
        let method = method
            .and_then(|method| Method::from_bytes(method.as_bytes()).ok())
            .ok_or_else(|| invalid(format!("{:?} is not an HTTP method", shortened(&request.method))))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(HttpError::Denied(format!("method {method} is not available to plugins")));
        }
        if request.url.len() > MAX_URL {
            return Err(invalid(format!("the URL is longer than {MAX_URL} bytes")));
        }
        // Parsers skip some and take others for slashes: what two of them read differently is refused by one.
        if request.url.contains(|c: char| c.is_ascii_control()) || before_query(&request.url).contains('\\') {
            return Err(invalid(format!("{:?} has control characters or backslashes", shortened(&request.url))));
        }
        let mut url =
            Url::parse(&request.url).map_err(|error| invalid(format!("{:?} is not an absolute URL: {error}", shortened(&request.url))))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(invalid(format!("{:?} is not an http or https URL", shortened(&request.url))));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(HttpError::Denied("a URL with user information is refused; credentials are attached by the host".to_owned()));
        }
        url.set_fragment(None);
        if request.headers.len() > MAX_HEADERS {
            return Err(invalid(format!("more than {MAX_HEADERS} headers")));
        }
        let mut headers = HeaderMap::with_capacity(request.headers.len() + 2);
        for (name, value) in &request.headers {
            let name =
                HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid(format!("{:?} is not a header name", shortened(name))))?;
            if is_reserved(&name) {
                return Err(HttpError::Denied(format!("header {name} is set by the host")));
            }
            if value.len() > MAX_HEADER_VALUE {
                return Err(invalid(format!("the value of header {name} is longer than {MAX_HEADER_VALUE} bytes")));
            }
            let value =
                HeaderValue::from_bytes(value).map_err(|_| invalid(format!("the value of header {name} has control characters")))?;
            headers.append(name, value);
        }
        Ok(Prepared { method, url, headers, body: bytes::Bytes::copy_from_slice(&request.body), timeout: request.timeout })
    }
}

/// Some servers take `_` in a name for `-`.
fn is_reserved(name: &HeaderName) -> bool {
    let name = name.as_str().replace('_', "-");
    RESERVED.contains(&name.as_str()) || RESERVED_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

fn before_query(url: &str) -> &str {
    url.split(['?', '#']).next().unwrap_or_default()
}

/// The start of a text, for an error.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(MAX_SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}
