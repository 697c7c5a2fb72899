//! The calls of the OCI distribution specification 1.1 that move a component: manifests and blobs, read and written.
//!
//! Spoken with the program's own HTTP client rather than `oci-client`: that crate makes a client of its own, which wants a process-wide TLS
//! provider, reads manifests and tokens without a bound, and gives the login to whatever address a registry's answer names.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use url::Url;

use super::login::Login;
use super::manifest::{self, Artifact, MAX_MANIFEST, Manifest, ManifestError};
use super::{Component, digest};
use crate::config::{self, OciReference};
use crate::credentials::SecretError;
use crate::outbound::{AddressGuard, Blocked, GuardedResolver, certificate_trouble};

/// Time to reach a registry: name, connection, TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// Redirects of one request: from the registry to its store, and that one's move to another place.
const MOST_REDIRECTS: usize = 5;
/// Bytes of an error answer that are read.
const MOST_COMPLAINT: u64 = 4 << 10;

/// Why a registry did not give or take a component.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// The client can't be made.
    #[error("preparing the HTTP client for registries")]
    Setup(#[source] reqwest::Error),
    /// No connection, or it broke.
    #[error("{0} can't be reached")]
    Unreachable(String, #[source] reqwest::Error),
    /// Its certificate is not to be trusted.
    #[error("no TLS with {0}: {1}")]
    Certificate(String, String),
    /// Silent for longer than `stall-timeout`.
    #[error("{0} was silent for {1:?}; `stall-timeout` of [registries.{2:?}] says how long is too long")]
    Silent(String, Duration, String),
    /// Longer than `timeout`.
    #[error("it took longer than {0:?}; `timeout` of [registries.{1:?}] says how long is too long")]
    TooSlow(Duration, String),
    /// Not there.
    #[error("registry {registry} has no {what}")]
    Absent {
        /// Which registry.
        registry: String,
        /// What was asked for.
        what: String,
    },
    /// It wants to know who asks, or does not let them.
    #[error("{asked} wants a login or refuses the one it got ({status}); see [registries.{registry:?}] in the configuration")]
    Refused {
        /// Who was asked.
        asked: String,
        /// Its answer.
        status: StatusCode,
        /// Which registry.
        registry: String,
    },
    /// A status that ends it.
    #[error("{asked} answered {status} to {what}{said}")]
    Answer {
        /// Who was asked.
        asked: String,
        /// Its answer.
        status: StatusCode,
        /// What was asked.
        what: String,
        /// The codes it gave, or nothing.
        said: String,
    },
    /// It sends us where we don't go.
    #[error("registry {registry} sends this host to {to}, {why}; if that is right, name it in `allow-hosts` of [registries.{registry:?}]")]
    Elsewhere {
        /// Which registry.
        registry: String,
        /// Where to.
        to: String,
        /// Why not.
        why: String,
    },
    /// Round and round.
    #[error("registry {0} sends this host from place to place, more than {MOST_REDIRECTS} times")]
    Redirects(String),
    /// Not the protocol.
    #[error("registry {registry} does not speak as the OCI distribution specification says: {why}")]
    Protocol {
        /// Which registry.
        registry: String,
        /// What is wrong.
        why: String,
    },
    /// Other bytes than the digest names.
    #[error("registry {registry} gave other bytes than were asked for: the {what} has the digest {actual}, not {wanted}")]
    OtherBytes {
        /// Which registry.
        registry: String,
        /// Manifest, component, configuration.
        what: &'static str,
        /// Of what came.
        actual: String,
        /// What was asked for.
        wanted: String,
    },
    /// Fewer or more bytes than were promised.
    #[error("registry {registry} gave {came} bytes where the {what} has {promised}")]
    OtherSize {
        /// Which registry.
        registry: String,
        /// Manifest, component, configuration.
        what: &'static str,
        /// What came, e.g. `more than 5`.
        came: String,
        /// What it should have been.
        promised: String,
    },
    /// The manifest names no component.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// The login has no value.
    #[error("the login of registry {0} can't be read")]
    Secret(String, #[source] SecretError),
    /// A reference without a tag can't be pushed to.
    #[error("{0} has no tag: a push needs one, such as {0}:1.0")]
    NoTag(String),
}

/// The two ways to a registry's addresses. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Ways {
    /// To addresses that the administrator wrote.
    named: reqwest::Client,
    /// To addresses that a registry's answers name: public ones only.
    told: reqwest::Client,
}

impl Ways {
    /// `named_tls` trusts the authorities that the administrator named besides those of the operating system; `told_tls` these alone.
    pub(super) fn new(named_tls: rustls::ClientConfig, told_tls: rustls::ClientConfig) -> Result<Ways, RegistryError> {
        let client = |tls: rustls::ClientConfig| {
            reqwest::Client::builder()
                .tls_backend_preconfigured(tls)
                .redirect(reqwest::redirect::Policy::none())
                // A proxy would resolve names itself, unchecked.
                .no_proxy()
                .connect_timeout(CONNECT_TIMEOUT)
                .user_agent(concat!("sangam/", env!("CARGO_PKG_VERSION")))
        };
        let guard = GuardedResolver::new(AddressGuard::default());
        let named = client(named_tls).build().map_err(RegistryError::Setup)?;
        let told = client(told_tls).dns_resolver(guard).build().map_err(RegistryError::Setup)?;
        Ok(Ways { named, told })
    }
}

/// Speaks to one registry about one repository.
pub(super) struct Client {
    ways: Ways,
    registry: Arc<config::Registry>,
    reference: OciReference,
    /// `https://HOST/v2/NAME/`.
    base: Url,
    login: Login,
    /// Bytes that came, for whoever looks on.
    received: Arc<AtomicU64>,
}

impl Client {
    pub(super) fn new(ways: Ways, registry: Arc<config::Registry>, reference: OciReference, login: Login) -> Client {
        let scheme = if registry.tls { "https" } else { "http" };
        let base = format!("{scheme}://{}/v2/{}/", reference.registry, reference.repository);
        let base = base.parse().expect("the parts of a reference make a URL");
        Client { ways, registry, reference, base, login, received: Arc::default() }
    }

    /// Bytes that came so far.
    pub(super) fn received(&self) -> Arc<AtomicU64> {
        self.received.clone()
    }

    /// The manifest that the reference names, with its digest, verified where it is pinned.
    pub(super) async fn manifest(&mut self) -> Result<(Vec<u8>, String, Manifest), RegistryError> {
        let wanted = self.reference.wanted();
        let url = self.at(&format!("manifests/{wanted}"));
        let accept = HeaderMap::from_iter([(header::ACCEPT, HeaderValue::from_static(manifest::ACCEPTED))]);
        let response = self.get(url, accept, &format!("{}", self.reference)).await?;
        let media_type = text(response.headers(), header::CONTENT_TYPE);
        let claimed = response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()).map(str::to_owned);
        let bytes = self.body(response, "manifest", MAX_MANIFEST, None).await?;
        let actual = digest(&bytes);
        // A digest that the registry claims is no proof, but one that is wrong is a sign.
        let claimed = claimed.filter(|claimed| config::is_digest(claimed));
        for wanted in self.reference.digest.iter().chain(&claimed) {
            if *wanted != actual {
                return Err(RegistryError::OtherBytes { registry: self.name(), what: "manifest", actual, wanted: wanted.clone() });
            }
        }
        let manifest = Manifest::read(&bytes, media_type.as_deref())?;
        Ok((bytes, actual, manifest))
    }

    /// The bytes of a digest.
    pub(super) async fn blob(&mut self, what: &'static str, blob: &manifest::Blob) -> Result<Vec<u8>, RegistryError> {
        let url = self.at(&format!("blobs/{}", blob.digest));
        let response = self.get(url, HeaderMap::new(), &format!("blob {}", blob.digest)).await?;
        let bytes = self.body(response, what, blob.size, Some(blob.size)).await?;
        let actual = digest(&bytes);
        if actual != blob.digest {
            return Err(RegistryError::OtherBytes { registry: self.name(), what, actual, wanted: blob.digest.clone() });
        }
        Ok(bytes)
    }

    /// Writes a component under the reference's tag: blobs first, since a manifest may only name what is there.
    pub(super) async fn push(&mut self, artifact: &Artifact) -> Result<(), RegistryError> {
        let tag = self.reference.tag.as_deref().ok_or_else(|| RegistryError::NoTag(self.reference.to_string()))?;
        let url = self.at(&format!("manifests/{tag}"));
        let Component { digest: component, bytes, .. } = &artifact.component;
        self.put_blob(component, Bytes::from(bytes.as_ref().clone())).await?;
        self.put_blob(&digest(&artifact.config), artifact.config.clone().into()).await?;
        let content_type = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(manifest::MANIFEST))]);
        let put = Ask { method: Method::PUT, url, headers: content_type, body: artifact.manifest.clone().into() };
        let response = self.send(put).await?;
        let response = self.expect(response, &[StatusCode::CREATED, StatusCode::OK], "PUT of the manifest").await?;
        match response.headers().get("docker-content-digest").and_then(|value| value.to_str().ok()) {
            Some(kept) if kept != artifact.digest => Err(self.wrong("it keeps the manifest under another digest than its bytes have")),
            _ => Ok(()),
        }
    }

    async fn put_blob(&mut self, digest: &str, bytes: Bytes) -> Result<(), RegistryError> {
        let head = Ask { method: Method::HEAD, url: self.at(&format!("blobs/{digest}")), headers: HeaderMap::new(), body: Bytes::new() };
        if self.send(head).await?.status() == StatusCode::OK {
            return Ok(());
        }
        let begin = Ask { method: Method::POST, url: self.at("blobs/uploads/"), headers: HeaderMap::new(), body: Bytes::new() };
        let response = self.send(begin).await?;
        let response = self.expect(response, &[StatusCode::ACCEPTED], "the begin of an upload").await?;
        let place = text(response.headers(), header::LOCATION).ok_or_else(|| self.wrong("an upload without a Location"))?;
        let mut url = self.base.join(&place).map_err(|error| self.wrong(&format!("the Location of an upload is no URL ({error})")))?;
        url.query_pairs_mut().append_pair("digest", digest);
        let octets = HeaderValue::from_static("application/octet-stream");
        let put = Ask { method: Method::PUT, url, headers: HeaderMap::from_iter([(header::CONTENT_TYPE, octets)]), body: bytes };
        let response = self.send(put).await?;
        self.expect(response, &[StatusCode::CREATED], "the upload of a blob").await.map(drop)
    }

    async fn get(&mut self, url: Url, headers: HeaderMap, what: &str) -> Result<reqwest::Response, RegistryError> {
        let response = self.send(Ask { method: Method::GET, url, headers, body: Bytes::new() }).await?;
        if response.status() == StatusCode::NOT_FOUND {
            return Err(RegistryError::Absent { registry: self.name(), what: what.to_owned() });
        }
        self.expect(response, &[StatusCode::OK], &format!("GET of {what}")).await
    }

    /// Sends a request, logging in when it is asked to, once, and following where a reading one is sent.
    async fn send(&mut self, mut ask: Ask) -> Result<reqwest::Response, RegistryError> {
        let (mut asked, mut redirects) = (false, 0);
        loop {
            let home = ask.url.origin() == self.base.origin();
            let mut headers = ask.headers.clone();
            // What is compared with a digest must come as it is.
            headers.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
            // Who we are is for the registry, not for where it sends us.
            if let Some(authorization) = self.login.authorization().await?.filter(|_| home) {
                headers.insert(header::AUTHORIZATION, authorization);
            }
            let response = self.once(&ask.method, &ask.url, headers, ask.body.clone()).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED if home && !asked => {
                    asked = true;
                    self.log_in(response.headers()).await?;
                }
                status if status.is_redirection() && (ask.method == Method::GET || ask.method == Method::HEAD) => {
                    redirects += 1;
                    if redirects > MOST_REDIRECTS {
                        return Err(RegistryError::Redirects(self.name()));
                    }
                    let place = text(response.headers(), header::LOCATION).ok_or_else(|| self.wrong("a redirect without a Location"))?;
                    ask.url =
                        ask.url.join(&place).map_err(|error| self.wrong(&format!("the Location of a redirect is no URL ({error})")))?;
                }
                _ => return Ok(response),
            }
        }
    }

    /// Does what a 401 asks for.
    async fn log_in(&mut self, headers: &HeaderMap) -> Result<(), RegistryError> {
        let Some(token) = self.login.answer(headers).await? else { return Ok(()) };
        let mut headers = HeaderMap::new();
        headers.extend(token.authorization.map(|value| (header::AUTHORIZATION, value)));
        let url = token.url;
        let response = self.once(&Method::GET, &url, headers, Bytes::new()).await?;
        if response.status() != StatusCode::OK {
            return Err(self.refused(&url, response.status()));
        }
        let bytes = self.body(response, "token", super::login::MOST_TOKEN, None).await?;
        self.login.take(&bytes).map_err(|why| self.wrong(&why))
    }

    /// One request to one address, if that is one we go to.
    async fn once(&self, method: &Method, url: &Url, headers: HeaderMap, body: Bytes) -> Result<reqwest::Response, RegistryError> {
        let client = self.way_to(url)?;
        let mut request = client.request(method.clone(), url.clone()).headers(headers);
        if *method != Method::GET && *method != Method::HEAD {
            request = request.body(body);
        }
        let place = url.origin().ascii_serialization();
        // A large body may take its time to leave; then only the time of the whole bounds it.
        let patience = if *method == Method::PUT { self.registry.timeout } else { self.registry.stall_timeout };
        match tokio::time::timeout(patience, request.send()).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(self.failed(url, error)),
            Err(_) => Err(RegistryError::Silent(place, patience, self.name())),
        }
    }

    /// The client for an address: the administrator named it, or it is public and speaks TLS.
    fn way_to(&self, url: &Url) -> Result<&reqwest::Client, RegistryError> {
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let port = url.port_or_known_default().unwrap_or_default();
        let named = self.registry.hosts.iter().any(|origin| origin.matches(url.scheme(), host, port));
        if named || url.origin() == self.base.origin() {
            return Ok(&self.ways.named);
        }
        let elsewhere = |why: String| {
            let to = url.origin().ascii_serialization();
            RegistryError::Elsewhere { registry: self.name(), to, why }
        };
        if url.scheme() != "https" {
            return Err(elsewhere("which is not reached by https".to_owned()));
        }
        // Addresses are not resolved, so that the resolver does not see them.
        if let Ok(address) = host.parse()
            && let Err(Blocked { what, .. }) = AddressGuard::default().check(address)
        {
            return Err(elsewhere(format!("which is {what}")));
        }
        Ok(&self.ways.told)
    }

    /// The body of an answer, of at most so many bytes, or of exactly so many.
    async fn body(
        &self,
        mut response: reqwest::Response,
        what: &'static str,
        most: u64,
        exactly: Option<u64>,
    ) -> Result<Vec<u8>, RegistryError> {
        let promised = || exactly.map_or_else(|| format!("{most} at most"), |size| size.to_string());
        let other = |came: String| RegistryError::OtherSize { registry: self.name(), what, came, promised: promised() };
        let url = response.url().clone();
        let announced = response.content_length();
        if let Some(length) = announced.filter(|length| *length > most || exactly.is_some_and(|size| *length != size)) {
            return Err(other(length.to_string()));
        }
        // Grows with what comes: a registry that promises much and gives nothing costs nothing.
        let mut bytes = Vec::new();
        loop {
            let patience = self.registry.stall_timeout;
            let chunk = tokio::time::timeout(patience, response.chunk())
                .await
                .map_err(|_| RegistryError::Silent(url.origin().ascii_serialization(), patience, self.name()))?
                .map_err(|error| self.failed(&url, error))?;
            let Some(chunk) = chunk else { break };
            self.received.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            if bytes.len() as u64 + chunk.len() as u64 > most {
                return Err(other(format!("more than {most}")));
            }
            bytes.extend_from_slice(&chunk);
        }
        match exactly {
            Some(size) if size != bytes.len() as u64 => Err(other(bytes.len().to_string())),
            _ => Ok(bytes),
        }
    }

    /// The answer, if its status is one of these.
    async fn expect(&self, response: reqwest::Response, statuses: &[StatusCode], what: &str) -> Result<reqwest::Response, RegistryError> {
        let (status, url) = (response.status(), response.url().clone());
        if statuses.contains(&status) {
            return Ok(response);
        }
        if status == StatusCode::UNAUTHORIZED || status == StatusCode::FORBIDDEN {
            return Err(self.refused(&url, status));
        }
        let said = self.body(response, "answer", MOST_COMPLAINT, None).await.map(|bytes| codes(&bytes)).unwrap_or_default();
        Err(RegistryError::Answer { asked: url.origin().ascii_serialization(), status, what: what.to_owned(), said })
    }

    fn at(&self, path: &str) -> Url {
        self.base.join(path).expect("a digest or a tag makes a path")
    }

    fn name(&self) -> String {
        self.registry.host.clone()
    }

    fn wrong(&self, why: &str) -> RegistryError {
        RegistryError::Protocol { registry: self.name(), why: why.to_owned() }
    }

    fn refused(&self, url: &Url, status: StatusCode) -> RegistryError {
        RegistryError::Refused { asked: url.origin().ascii_serialization(), status, registry: self.name() }
    }

    fn failed(&self, url: &Url, error: reqwest::Error) -> RegistryError {
        let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
        while let Some(present) = cause {
            if let Some(Blocked { address, what }) = present.downcast_ref() {
                let to = url.origin().ascii_serialization();
                return RegistryError::Elsewhere { registry: self.name(), to, why: format!("at {address}, which is {what}") };
            }
            cause = present.source();
        }
        let asked = url.origin().ascii_serialization();
        match certificate_trouble(&error, &format!("[registries.{:?}]", self.registry.host)) {
            Some(why) => RegistryError::Certificate(asked, why),
            None => RegistryError::Unreachable(asked, error.without_url()),
        }
    }
}

/// One request, before it is known where it ends.
struct Ask {
    method: Method,
    url: Url,
    headers: HeaderMap,
    body: Bytes,
}

/// The codes of an error answer, such as `: DENIED`. Not its messages: a registry could echo the login there.
fn codes(answer: &[u8]) -> String {
    let answer: serde_json::Value = serde_json::from_slice(answer).unwrap_or_default();
    let codes = answer["errors"].as_array().into_iter().flatten().filter_map(|error| error["code"].as_str());
    let known = |code: &&str| code.len() <= 40 && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    let codes: Vec<&str> = codes.filter(known).take(3).collect();
    if codes.is_empty() { String::new() } else { format!(": {}", codes.join(", ")) }
}

fn text(headers: &HeaderMap, name: header::HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
