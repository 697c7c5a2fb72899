//! Asks a host over HTTP, as any other program would.

use anyhow::Context as _;
use reqwest::Method;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::Value;

/// An answer of whatever status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub text: String,
    /// JSON, or null where it is none.
    pub json: Value,
}

impl Answer {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// A client of one host.
#[derive(Debug, Clone)]
pub struct Client {
    /// Without a trailing slash.
    pub url: String,
    /// Sent as a bearer token.
    pub token: Option<String>,
    http: reqwest::Client,
}

impl Client {
    /// A client of the host at an address.
    pub fn new(url: &str) -> Client {
        Client::made(url, reqwest::redirect::Policy::default())
    }

    /// A client that shows redirects rather than following them.
    pub fn unfollowing(url: &str) -> Client {
        Client::made(url, reqwest::redirect::Policy::none())
    }

    fn made(url: &str, redirects: reqwest::redirect::Policy) -> Client {
        // Plain HTTP to loopback; the client still wants to know how TLS would be done.
        let tls = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has the default versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).redirect(redirects).build().expect("a client can be built");
        Client { url: url.to_owned(), token: None, http }
    }

    /// A client of the host at an https address, which trusts that authority (PEM) and perhaps shows a certificate with its key (PEM).
    ///
    /// # Errors
    /// When a text is no PEM.
    pub fn trusting(url: &str, authority: &str, identity: Option<(&str, &str)>) -> anyhow::Result<Client> {
        let tls = tls_trusting(authority, identity)?;
        let http = reqwest::Client::builder().tls_backend_preconfigured(tls).build()?;
        Ok(Client { url: url.to_owned(), token: None, http })
    }

    /// Sends a request.
    pub async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Vec<u8>) -> anyhow::Result<Answer> {
        let mut request = self.http.request(method, format!("{}{path}", self.url)).body(body);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| format!("asking {path}"))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect();
        let text = response.text().await?;
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Answer { status, headers, text, json })
    }

    /// GET.
    pub async fn get(&self, path: &str) -> anyhow::Result<Answer> {
        self.ask(Method::GET, path, &[], Vec::new()).await
    }

    /// Follows a stream of server-sent events.
    pub async fn follow(&self, path: &str, headers: &[(&str, &str)]) -> anyhow::Result<Following> {
        let mut request = self.http.get(format!("{}{path}", self.url));
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.with_context(|| format!("following {path}"))?;
        let status = response.status().as_u16();
        anyhow::ensure!(status == 200, "{path} is answered {status}: {}", response.text().await?);
        Ok(Following { response, rest: String::new(), id: None })
    }

    /// POST of JSON.
    pub async fn post(&self, path: &str, body: &Value) -> anyhow::Result<Answer> {
        self.ask(Method::POST, path, &[("content-type", "application/json")], body.to_string().into_bytes()).await
    }

    /// Sends an event (structured) and gives its `eid`.
    pub async fn send(&self, event: &Value) -> anyhow::Result<String> {
        let answer = self.send_raw(event, "").await?;
        anyhow::ensure!(answer.status == 202, "the event was refused: {} {}", answer.status, answer.text);
        Ok(answer.json["accepted"][0]["eid"].as_str().context("an accepted event has an eid")?.to_owned())
    }

    /// Sends an event and waits until its runs have ended; gives its document.
    pub async fn send_and_wait(&self, event: &Value) -> anyhow::Result<Value> {
        let answer = self.send_raw(event, "?wait=30s").await?;
        anyhow::ensure!(answer.status == 200, "the runs did not end: {} {}", answer.status, answer.text);
        Ok(answer.json["events"][0].clone())
    }

    /// Sends an event or a batch, with a query such as `?wait=5s`.
    pub async fn send_raw(&self, event: &Value, query: &str) -> anyhow::Result<Answer> {
        let kind = if event.is_array() { "application/cloudevents-batch+json" } else { "application/cloudevents+json" };
        self.ask(Method::POST, &format!("/v1/events{query}"), &[("content-type", kind)], event.to_string().into_bytes()).await
    }

    /// The document of an event.
    pub async fn event(&self, eid: &str) -> anyhow::Result<Value> {
        let answer = self.get(&format!("/v1/events/{eid}")).await?;
        anyhow::ensure!(answer.status == 200, "no event {eid}: {}", answer.text);
        Ok(answer.json)
    }

    /// The document of an event once it has that status; fails after 30 s.
    pub async fn until(&self, eid: &str, status: &str) -> anyhow::Result<Value> {
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
        loop {
            let event = self.event(eid).await?;
            if event["status"] == status {
                return Ok(event);
            }
            anyhow::ensure!(tokio::time::Instant::now() < end, "event {eid} is {} and not {status}: {event:#}", event["status"]);
            // The API has no notification yet; a look every 20 ms is bounded by the 30 s above.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }
}

/// Server-sent events (WHATWG HTML, section 9.2) as they come.
#[derive(Debug)]
pub struct Following {
    response: reqwest::Response,
    rest: String,
    /// Id of the last one, with which a stream goes on where it broke off.
    pub id: Option<String>,
}

/// A server-sent event.
#[derive(Debug, Clone, PartialEq)]
pub struct Told {
    /// `event`
    pub kind: String,
    /// `data`, JSON.
    pub data: Value,
}

impl Following {
    /// A header of the answer.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next event; `None`: the stream has ended. Fails after 30 s.
    pub async fn next(&mut self) -> anyhow::Result<Option<Told>> {
        let next = async {
            loop {
                if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                    let field =
                        |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim_start().to_owned());
                    let (kind, data, id) = (field("event:"), field("data:"), field("id:"));
                    self.rest = rest.to_owned();
                    self.id = id.or(self.id.take());
                    if let (Some(kind), Some(data)) = (kind, data) {
                        return Ok(Some(Told { kind, data: serde_json::from_str(&data)? }));
                    }
                    continue;
                }
                match self.response.chunk().await {
                    Ok(Some(chunk)) => self.rest.push_str(std::str::from_utf8(&chunk)?),
                    Ok(None) | Err(_) => return anyhow::Ok(None),
                }
            }
        };
        tokio::time::timeout(std::time::Duration::from_secs(30), next).await.context("nothing was told for 30 s")?
    }

    /// What is told up to and with the first for which that is so.
    pub async fn until(&mut self, is_it: impl Fn(&Told) -> bool) -> anyhow::Result<Vec<Told>> {
        let mut all = Vec::new();
        while let Some(told) = self.next().await? {
            let found = is_it(&told);
            all.push(told);
            if found {
                return Ok(all);
            }
        }
        anyhow::bail!("the stream ended: {all:?}")
    }

    /// The place of somebody who has read nothing yet.
    pub async fn begun(&mut self) -> anyhow::Result<String> {
        while self.id.is_none() {
            let chunk = self.response.chunk().await?.context("the stream ended")?;
            self.rest.push_str(std::str::from_utf8(&chunk)?);
            if let Some((frame, rest)) = self.rest.split_once("\n\n") {
                anyhow::ensure!(!frame.contains("event:"), "something was told already: {frame}");
                self.id = frame.lines().find_map(|line| line.strip_prefix("id:")).map(|id| id.trim().to_owned());
                self.rest = rest.to_owned();
            }
        }
        self.id.clone().context("a place")
    }
}

/// TLS that trusts an authority (PEM) and perhaps shows a certificate with its key (PEM).
///
/// # Errors
/// When a text is no PEM.
pub fn tls_trusting(authority: &str, identity: Option<(&str, &str)>) -> anyhow::Result<rustls::ClientConfig> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(authority.as_bytes())?)?;
    let builder = rustls::ClientConfig::builder_with_provider(std::sync::Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    Ok(match identity {
        None => builder.with_no_client_auth(),
        Some((certificate, key)) => {
            let chain = vec![CertificateDer::from_pem_slice(certificate.as_bytes())?];
            builder.with_client_auth_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?
        }
    })
}
