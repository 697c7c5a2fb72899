//! Speaks to a running host.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::{Method, StatusCode};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::Value;

use super::Failure;
use crate::tls;

/// Longest time for an answer, beyond what `--wait` asks for.
const TIMEOUT: Duration = Duration::from_secs(75);

/// Which host, and who asks.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct Client {
    /// Address of the host
    #[arg(long, env = "SANGAM_URL", default_value = "http://127.0.0.1:7070", value_name = "URL")]
    url: String,
    /// API token
    #[arg(long, env = "SANGAM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
    /// PEM file with the authority of the host's certificate, where the operating system does not know it
    #[arg(long, env = "SANGAM_CA_FILE", value_name = "FILE")]
    ca_file: Option<PathBuf>,
}

impl Client {
    /// A host by its address.
    pub(super) fn at(url: String, token: Option<String>) -> Client {
        Client { url, token, ca_file: None }
    }

    fn tls(&self) -> Result<rustls::ClientConfig, Failure> {
        let Some(path) = &self.ca_file else { return tls::client_config().map_err(|error| Failure::error(&error)) };
        let unreadable = |error: &dyn std::fmt::Display| Failure::Usage(format!("--ca-file {}: {error}", path.display()));
        let pem = std::fs::read(path).map_err(|error| unreadable(&error))?;
        let authorities: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&pem).collect::<Result<_, _>>().unwrap_or_default();
        if authorities.is_empty() {
            return Err(unreadable(&"there is no certificate in PEM in it"));
        }
        tls::client_config_trusting(&authorities).map_err(|error| Failure::error(&error))
    }

    pub(super) async fn get(&self, path: &str, query: &[(&str, String)]) -> Result<Value, Failure> {
        self.ask(Method::GET, path, query, None).await.map(|(_, value)| value)
    }

    pub(super) async fn post(&self, path: &str, body: Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, &[], Some(("application/json", body.to_string().into_bytes()))).await.map(|(_, value)| value)
    }

    /// Gives status and body of a success; a problem document becomes the failure's text.
    pub(super) async fn ask(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<(&str, Vec<u8>)>,
    ) -> Result<(StatusCode, Value), Failure> {
        let response = self.send(method, path, query, body, |client| client.timeout(TIMEOUT)).await?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok((status, value));
        }
        Err(refused(status, &bytes, &value))
    }

    /// Posts JSON and gives each line of the answer, JSON too, as it comes: an answer may take as long as it likes, but not be silent for long.
    pub(super) async fn lines(&self, path: &str, body: &Value, mut on: impl FnMut(Value) -> Result<(), Failure>) -> Result<(), Failure> {
        let body = ("application/json", body.to_string().into_bytes());
        let mut response = self.send(Method::POST, path, &[], Some(body), |client| client.read_timeout(TIMEOUT)).await?;
        let status = response.status();
        if !status.is_success() {
            let bytes = response.bytes().await.map_err(|error| self.unreachable(error))?;
            let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
            return Err(refused(status, &bytes, &value));
        }
        let mut begun: Vec<u8> = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.unreachable(error))? {
            begun.extend_from_slice(&chunk);
            while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = begun.drain(..=end).collect();
                on(serde_json::from_slice(&line).map_err(|error| Failure::failed(format!("the host's answer is not JSON: {error}")))?)?;
            }
        }
        Ok(())
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, String)],
        body: Option<(&str, Vec<u8>)>,
        bounds: impl FnOnce(reqwest::ClientBuilder) -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Response, Failure> {
        let tls = self.tls()?;
        let client = bounds(reqwest::Client::builder().tls_backend_preconfigured(tls)).build().map_err(|error| Failure::error(&error))?;
        let mut url = url::Url::parse(&self.url)
            .and_then(|url| url.join(path))
            .map_err(|error| Failure::Usage(format!("--url {}: {error}", self.url)))?;
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = client.request(method, url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        request.send().await.map_err(|error| self.unreachable(error))
    }

    fn unreachable(&self, error: reqwest::Error) -> Failure {
        Failure::Unreachable(format!(
            "no host answers at {} ({}); `sangam up` starts one, --url names another",
            self.url,
            crate::telemetry::chain(&error.without_url())
        ))
    }
}

/// A problem document as text.
fn refused(status: StatusCode, bytes: &[u8], value: &Value) -> Failure {
    let detail = value["detail"].as_str().map_or_else(|| String::from_utf8_lossy(bytes).into_owned(), str::to_owned);
    let mut text = format!("{}: {}", status.as_u16(), super::plain_lines(&detail));
    for error in value["errors"].as_array().into_iter().flatten() {
        text.push_str(&format!("\n  event {}: {}", error["index"], super::plain(error["detail"].as_str().unwrap_or(""))));
    }
    Failure::Failed(text)
}
