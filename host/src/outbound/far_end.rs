//! What answers in place of the network: a script, a description, or whatever else a rehearsal puts there.

use bytes::Bytes;
use futures::future::BoxFuture;
use url::Url;

use super::request::{HttpError, Response};

/// Answers requests in place of the network. Policy, rate and credentials come before it as they come before the network.
pub trait FarEnd: std::fmt::Debug + Send + Sync {
    /// Answers a request. What is dropped before it is answered was broken off by a crash.
    fn answer(&self, asked: Asked) -> BoxFuture<'_, Result<Response, HttpError>>;
}

/// A request as the plugin made it: without any credential.
#[derive(Debug, Clone)]
pub struct Asked {
    /// HTTP method.
    pub method: String,
    /// Normalised.
    pub url: Url,
    /// Names in lower case, as the plugin set them.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Empty: none.
    pub body: Bytes,
    /// Name of a write.
    pub name: Option<String>,
    /// Idempotency key of a write.
    pub key: Option<String>,
    /// It changes nothing on the other side.
    pub reads: bool,
}
