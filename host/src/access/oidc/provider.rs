//! The way to the OpenID provider: its metadata, its keys, its token and userinfo endpoints.
//!
//! Sockets go to the configured issuer and to the endpoints that it names, over TLS (or plain to loopback, where the issuer itself is there). No
//! redirect is followed, no answer read that is longer than it may be.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::{SignedDuration, Timestamp};
use reqwest::{RequestBuilder, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::keys::Keys;
use super::{UnderWay, endpoint, shown};
use crate::credentials::{Secret, login_client};

/// For one request, connecting and reading included.
const REQUEST_TIME: Duration = Duration::from_secs(10);
/// Longest answer: key sets of large providers have some ten kilobytes.
const MOST_ANSWER: usize = 256 << 10;
/// How long metadata and keys are good for.
const FRESH: SignedDuration = SignedDuration::from_mins(60);
/// After a failure, nobody asks again so soon: each login would wait for it.
const PAUSE: SignedDuration = SignedDuration::from_secs(3);
/// Keys are asked for again so soon at most where a token names one that is not known: anybody can make such tokens.
const KEYS_PAUSE: SignedDuration = SignedDuration::from_secs(3);

/// Why the provider can't be used. All may pass.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProviderError {
    /// The client can't be made.
    #[error("preparing the HTTP client")]
    Setup(#[source] Arc<reqwest::Error>),
    /// No connection, or it broke.
    #[error("its {0} can't be reached")]
    Unreachable(&'static str, #[source] Arc<reqwest::Error>),
    /// Another status than 200.
    #[error("its {0} answered {1}")]
    Status(&'static str, StatusCode),
    /// It says no to the code or to this client.
    #[error("its token endpoint refused: {0}")]
    Token(String),
    /// Not what its specification says.
    #[error("its {0} answered something else than it must: {1}")]
    Answer(&'static str, &'static str),
}

impl ProviderError {
    /// It answered, and said no.
    pub fn is_refusal(&self) -> bool {
        matches!(self, ProviderError::Token(_))
    }
}

/// What the provider says of itself, as far as it matters here.
#[derive(Debug)]
pub(super) struct Metadata {
    pub(super) authorization_endpoint: Url,
    token_endpoint: Url,
    userinfo_endpoint: Option<Url>,
    jwks_uri: Url,
    /// It names itself in answers (RFC 9207).
    pub(super) says_issuer: bool,
    /// It takes the client secret in the form only.
    secret_in_form: bool,
}

#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    userinfo_endpoint: Option<String>,
    jwks_uri: String,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

/// What a code was exchanged for.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: String,
    pub(super) access_token: Option<String>,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
    error_description: Option<String>,
}

/// The provider.
#[derive(Debug)]
pub(super) struct Provider {
    http: reqwest::Client,
    issuer: String,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    metadata: Option<(Timestamp, Arc<Metadata>)>,
    keys: Option<(Timestamp, Arc<Keys>)>,
    failure: Option<(Timestamp, ProviderError)>,
}

impl Provider {
    pub(super) fn new(issuer: &str, tls: rustls::ClientConfig) -> Result<Provider, ProviderError> {
        let http = login_client(tls, REQUEST_TIME).map_err(|error| ProviderError::Setup(Arc::new(error)))?;
        Ok(Provider { http, issuer: issuer.to_owned(), known: Mutex::default() })
    }

    /// What it says of itself. Asked again after an hour; an answer that fails then leaves the last one good.
    pub(super) async fn metadata(&self, now: Timestamp) -> Result<Arc<Metadata>, ProviderError> {
        let mut known = self.known.lock().await;
        self.metadata_of(&mut known, now).await
    }

    async fn metadata_of(&self, known: &mut Known, now: Timestamp) -> Result<Arc<Metadata>, ProviderError> {
        if let Some((at, metadata)) = &known.metadata
            && now.duration_since(*at) < FRESH
        {
            return Ok(metadata.clone());
        }
        if let Some((at, error)) = &known.failure
            && now.duration_since(*at) < PAUSE
        {
            return known.metadata.as_ref().map(|(_, metadata)| metadata.clone()).ok_or_else(|| error.clone());
        }
        match self.discover().await {
            Ok(metadata) => {
                let metadata = Arc::new(metadata);
                (known.metadata, known.failure) = (Some((now, metadata.clone())), None);
                Ok(metadata)
            }
            Err(error) => {
                known.failure = Some((now, error.clone()));
                known.metadata.as_ref().map(|(_, metadata)| metadata.clone()).ok_or(error)
            }
        }
    }

    /// Its keys. `again`: a token was signed with one that is not among those known.
    pub(super) async fn keys(&self, now: Timestamp, again: bool) -> Result<Arc<Keys>, ProviderError> {
        let mut known = self.known.lock().await;
        if let Some((at, keys)) = &known.keys
            && now.duration_since(*at) < if again { KEYS_PAUSE } else { FRESH }
        {
            return Ok(keys.clone());
        }
        let metadata = self.metadata_of(&mut known, now).await?;
        let (status, body) = self.fetch("key set", self.http.get(metadata.jwks_uri.clone())).await?;
        let read = if status == StatusCode::OK { Keys::parse(&body) } else { None };
        let keys = Arc::new(read.ok_or(ProviderError::Answer("key set", "there is no key set"))?);
        known.keys = Some((now, keys.clone()));
        Ok(keys)
    }

    async fn discover(&self) -> Result<Metadata, ProviderError> {
        const WHAT: &str = "metadata";
        let wrong = |why| ProviderError::Answer(WHAT, why);
        let url = format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        let url = Url::parse(&url).map_err(|_| wrong("the issuer is no URL"))?;
        let (status, body) = self.fetch(WHAT, self.http.get(url.clone())).await?;
        if status != StatusCode::OK {
            return Err(ProviderError::Status(WHAT, status));
        }
        let document: Document = serde_json::from_slice(&body).map_err(|_| wrong("members are missing"))?;
        // Otherwise anybody's metadata would do (OpenID Connect Discovery section 4.3).
        if document.issuer != self.issuer {
            return Err(wrong("it is about another issuer"));
        }
        let endpoint = |text: &str| endpoint(text, &url).ok_or(wrong("an endpoint is neither https nor as local as the issuer"));
        let methods = document.token_endpoint_auth_methods_supported.unwrap_or_default();
        let takes = |method: &str| methods.iter().any(|known| known == method);
        Ok(Metadata {
            authorization_endpoint: endpoint(&document.authorization_endpoint)?,
            token_endpoint: endpoint(&document.token_endpoint)?,
            userinfo_endpoint: document.userinfo_endpoint.as_deref().map(endpoint).transpose()?,
            jwks_uri: endpoint(&document.jwks_uri)?,
            says_issuer: document.authorization_response_iss_parameter_supported,
            secret_in_form: !takes("client_secret_basic") && takes("client_secret_post"),
        })
    }

    /// Exchanges a code for tokens.
    pub(super) async fn exchange(
        &self,
        client_id: &str,
        secret: Option<&Secret>,
        code: &str,
        under_way: &UnderWay,
        now: Timestamp,
    ) -> Result<Tokens, ProviderError> {
        const WHAT: &str = "token endpoint";
        let metadata = self.metadata(now).await?;
        let request = self.exchange_request(&metadata, client_id, secret, code, under_way)?;
        let (status, body) = self.fetch(WHAT, request).await?;
        if status == StatusCode::OK {
            return serde_json::from_slice(&body).map_err(|_| ProviderError::Answer(WHAT, "there is no ID token"));
        }
        match serde_json::from_slice::<TokenError>(&body) {
            Ok(TokenError { error, error_description }) if status.is_client_error() => {
                Err(ProviderError::Token(shown(&format!("{error} {}", error_description.unwrap_or_default()))))
            }
            _ => Err(ProviderError::Status(WHAT, status)),
        }
    }

    fn exchange_request(
        &self,
        metadata: &Metadata,
        client_id: &str,
        secret: Option<&Secret>,
        code: &str,
        under_way: &UnderWay,
    ) -> Result<RequestBuilder, ProviderError> {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("grant_type", "authorization_code")
            .append_pair("code", code)
            .append_pair("redirect_uri", &under_way.redirect_uri)
            .append_pair("code_verifier", &under_way.verifier);
        let mut request = self.http.post(metadata.token_endpoint.clone());
        match secret {
            None => {
                form.append_pair("client_id", client_id);
            }
            Some(secret) if metadata.secret_in_form => {
                form.append_pair("client_id", client_id).append_pair("client_secret", secret.expose());
            }
            // RFC 6749 section 2.3.1: both are form-encoded before they become a user and a password.
            Some(secret) => {
                let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encode(client_id), encode(secret.expose())));
                let mut value = reqwest::header::HeaderValue::from_str(&format!("Basic {}", STANDARD.encode(pair.as_bytes())))
                    .map_err(|_| ProviderError::Answer("token endpoint", "base64 fits into a header"))?;
                value.set_sensitive(true);
                request = request.header(reqwest::header::AUTHORIZATION, value);
            }
        }
        Ok(request
            .header(reqwest::header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(reqwest::header::ACCEPT, "application/json")
            .body(form.finish()))
    }

    /// What it says of the bearer of a token, where it has a place for that.
    pub(super) async fn userinfo(&self, token: &str, now: Timestamp) -> Result<Option<Map<String, Value>>, ProviderError> {
        const WHAT: &str = "userinfo endpoint";
        let metadata = self.metadata(now).await?;
        let Some(url) = &metadata.userinfo_endpoint else { return Ok(None) };
        let (status, body) = self.fetch(WHAT, self.http.get(url.clone()).bearer_auth(token)).await?;
        if status != StatusCode::OK {
            return Err(ProviderError::Status(WHAT, status));
        }
        serde_json::from_slice(&body).map(Some).map_err(|_| ProviderError::Answer(WHAT, "it is no JSON object"))
    }

    async fn fetch(&self, what: &'static str, request: RequestBuilder) -> Result<(StatusCode, Zeroizing<Vec<u8>>), ProviderError> {
        let failed = |error: reqwest::Error| ProviderError::Unreachable(what, Arc::new(error.without_url()));
        let mut response = request.send().await.map_err(failed)?;
        let mut body = Zeroizing::new(Vec::new());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            if body.len() + chunk.len() > MOST_ANSWER {
                return Err(ProviderError::Answer(what, "it is too long"));
            }
            body.extend_from_slice(&chunk);
        }
        Ok((response.status(), body))
    }
}
