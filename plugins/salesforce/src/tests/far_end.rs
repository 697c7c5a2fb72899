//! The stand-in over real HTTP, for the SDK's host: it attaches the credential as the host would.

use std::sync::Arc;

use reqwest::{Client, Method};
use sangam_saas::{Fault, FaultAct, Saas, Stand, salesforce};
use sangam_sdk::{
    Response,
    testing::{self, Host, NoAnswer, Sent},
};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// The stand-in, and a session at it.
pub struct FarEnd {
    // Before the runtime that it serves on, so that it ends first.
    saas: Saas,
    client: Client,
    token: String,
    runtime: Arc<Runtime>,
}

impl FarEnd {
    pub fn start() -> FarEnd {
        // An error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Arc::new(Runtime::new().expect("threads"));
        let saas = runtime.block_on(Saas::start()).expect("free loopback ports");
        let client = Client::new();
        let form = format!("grant_type=client_credentials&client_id={}&client_secret={}", salesforce::CLIENT_ID, salesforce::CLIENT_SECRET);
        let granted = client
            .post(format!("{}/services/oauth2/token", saas.salesforce.url()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(form);
        let granted = runtime.block_on(async { granted.send().await?.bytes().await }).expect("answered");
        let granted: Value = serde_json::from_slice(&granted).expect("JSON");
        let token = granted["access_token"].as_str().expect("a token").to_owned();
        FarEnd { saas, client, token, runtime }
    }

    pub fn stand(&self) -> &Stand {
        &self.saas.salesforce
    }

    /// A host whose requests go to the stand-in: one step.
    pub fn step(&self) -> Host {
        let (runtime, client, token) = (Arc::clone(&self.runtime), self.client.clone(), self.token.clone());
        let mut host = Host::new(move |sent: &Sent| runtime.block_on(forward(&client, &token, sent)));
        host.config = json!({
            "base-url": self.stand().url(),
            "case-external-id-field": "Job_Id__c",
            "preference-fields": ["Preferred_Channel__c", "Preferred_Technician__c"],
            "contract-fields": ["Response_Hours__c", "Hourly_Rate__c"],
        });
        host
    }

    /// The next write to that path fails so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        let fault = Fault { method: Some(method.to_owned()), ..Fault::once(path, act) };
        self.stand().fault(fault);
    }

    pub fn refuse(&self, method: &str, path: &str, status: u16, body: Value) {
        let act = FaultAct::Status { status, headers: Default::default(), body: body.to_string() };
        self.fault(method, path, act);
    }

    /// The records of an object, without deleted ones.
    pub fn records(&self, object: &str) -> Vec<Value> {
        self.stand().state()["records"][object].as_array().cloned().unwrap_or_default()
    }

    pub fn record(&self, object: &str, field: &str, value: &str) -> Value {
        let found = self.records(object).into_iter().find(|record| record[field] == value);
        found.unwrap_or_else(|| panic!("a record of {object} with {field} = {value}"))
    }

    /// Writes a record as somebody else would.
    pub fn send(&self, method: Method, path: &str, fields: Value) {
        let url = format!("{}/services/data/v66.0/{path}", self.stand().url());
        let request = self.client.request(method, url).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(fields.to_string());
        let status = self.runtime.block_on(request.send()).expect("answered").status();
        assert!(status.is_success(), "{status}");
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
