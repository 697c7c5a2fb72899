//! Speaks to a running host.

use std::time::Duration;

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::Failure;
use crate::tls;

/// Longest time for an answer, beyond what `--wait` asks for.
const TIMEOUT: Duration = Duration::from_secs(75);

/// Which host, and who asks.
#[derive(Debug, clap::Args)]
pub(super) struct Client {
    /// Address of the host
    #[arg(long, env = "SANGAM_URL", default_value = "http://127.0.0.1:7070", value_name = "URL")]
    url: String,
    /// API token
    #[arg(long, env = "SANGAM_TOKEN", hide_env_values = true, value_name = "TOKEN")]
    token: Option<String>,
}

impl Client {
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
        let tls = tls::client_config().map_err(|error| Failure::error(&error))?;
        let client =
            reqwest::Client::builder().tls_backend_preconfigured(tls).timeout(TIMEOUT).build().map_err(|error| Failure::error(&error))?;
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
        let unreachable = |error: reqwest::Error| {
            Failure::Unreachable(format!(
                "no host answers at {} ({}); `sangam up` starts one, --url names another",
                self.url,
                crate::telemetry::chain(&error.without_url())
            ))
        };
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(unreachable)?;
        let value: Value = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok((status, value));
        }
        let detail = value["detail"].as_str().map_or_else(|| String::from_utf8_lossy(&bytes).into_owned(), str::to_owned);
        let mut text = format!("{}: {}", status.as_u16(), super::plain_lines(&detail));
        for error in value["errors"].as_array().into_iter().flatten() {
            text.push_str(&format!("\n  event {}: {}", error["index"], super::plain(error["detail"].as_str().unwrap_or(""))));
        }
        Err(Failure::Failed(text))
    }
}
