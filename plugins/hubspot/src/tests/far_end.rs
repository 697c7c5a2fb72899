//! The stand-in over real HTTP, for the SDK's host: it attaches the credential as the host would.

use std::sync::Arc;

use reqwest::{Client, Method};
use sangam_saas::{Fault, FaultAct, Saas, Stand, hubspot};
use sangam_sdk::{
    Response,
    testing::{self, Host, NoAnswer, Sent},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The stand-in.
pub struct FarEnd {
    // Before the runtime that it serves on, so that it ends first.
    saas: Saas,
    client: Client,
    runtime: Arc<Runtime>,
}

impl FarEnd {
    pub fn start() -> FarEnd {
        // An error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Arc::new(Runtime::new().expect("threads"));
        let saas = runtime.block_on(Saas::start()).expect("free loopback ports");
        FarEnd { saas, client: Client::new(), runtime }
    }

    pub fn stand(&self) -> &Stand {
        &self.saas.hubspot
    }

    /// A host whose requests go to the stand-in with that bearer token: one step.
    pub fn step_with(&self, token: &'static str) -> Host {
        let (runtime, client) = (Arc::clone(&self.runtime), self.client.clone());
        let mut host = Host::new(move |sent: &Sent| runtime.block_on(forward(&client, token, sent)));
        host.config = json!({ "base-url": self.stand().url() });
        host.event["time"] = json!("2026-11-20T09:30:00Z");
        host
    }

    pub fn step(&self) -> Host {
        self.step_with(hubspot::TOKEN)
    }

    /// The next request of that kind fails so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        let fault = Fault { method: Some(method.to_owned()), ..Fault::once(path, act) };
        self.stand().fault(fault);
    }

    /// The live records of a type, such as `notes`.
    pub fn records(&self, object: &str) -> Vec<Value> {
        self.stand().state()[object].as_array().cloned().unwrap_or_default()
    }

    /// The only record with that property.
    pub fn record(&self, object: &str, property: &str, value: &str) -> Value {
        let mut found = self.records(object);
        found.retain(|record| record["properties"][property] == value);
        assert_eq!(found.len(), 1, "records of {object} with {property} = {value}");
        found.remove(0)
    }

    /// Writes a record as somebody else would, and gives the answer.
    pub fn send(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.stand().url());
        let request = self.client.request(method, url).bearer_auth(hubspot::TOKEN);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = self.runtime.block_on(async { request.send().await?.error_for_status()?.bytes().await });
        serde_json::from_slice(&answer.expect("a success")).expect("JSON")
    }
}

async fn forward(client: &Client, token: &str, sent: &Sent) -> Result<Response, NoAnswer> {
    let broken = |error: reqwest::Error| NoAnswer::Connection(error.to_string());
    let method = Method::from_bytes(sent.method.as_bytes()).expect("a method");
    let mut request = client.request(method, &sent.url).bearer_auth(token).body(sent.body.clone());
    for (name, value) in &sent.headers {
        request = request.header(name, value.as_slice());
    }
    let response = request.send().await.map_err(broken)?;
    let status = response.status().as_u16();
    let headers: Vec<(String, String)> =
        response.headers().iter().map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())).collect();
    let headers: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let body = response.bytes().await.map_err(broken)?;
    Ok(testing::response(status, &headers, body))
}
