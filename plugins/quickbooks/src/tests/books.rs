//! The stand-in, and the host's part of a request: the bearer token.

use sangam_saas::{Fault, FaultAct, Saas, quickbooks};
use sangam_sdk::{
    prelude::*,
    testing::{self, Host, NoAnswer, Sent},
};
use tokio::runtime::{Handle, Runtime};

use crate::QuickBooks;

/// A company's books at the far end.
pub struct Books {
    saas: Saas,
    runtime: Runtime,
    token: String,
}

impl Books {
    pub fn open() -> Self {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().expect("a runtime");
        let saas = runtime.block_on(Saas::start()).expect("free loopback ports");
        let token = runtime.block_on(token(&saas.quickbooks.url()));
        Self { saas, runtime, token }
    }

    /// A step's host whose requests go to the books.
    pub fn host(&self) -> Host {
        let (handle, token) = (self.runtime.handle().clone(), self.token.clone());
        let client = reqwest::Client::new();
        let mut host = Host::new(move |sent: &Sent| forward(&handle, &client, &token, sent));
        host.config = self.config();
        host
    }

    pub fn config(&self) -> Value {
        json!({
            "base-url": self.saas.quickbooks.url(),
            "realm-id": quickbooks::REALM,
            "labour-item": "Labor hours",
            "parts-item": "Parts",
            "expense-item": "Travel expense",
        })
    }

    /// The next requests of that path fail so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        let method = Some(method.to_owned());
        let path = format!("/v3/company/*/{path}");
        self.saas.quickbooks.fault(Fault { method, ..Fault::once(path, act) });
    }

    pub fn state(&self) -> Value {
        self.saas.quickbooks.state()
    }

    /// How many of these there are.
    pub fn count(&self, list: &str) -> usize {
        self.state()[list].as_array().map_or(0, Vec::len)
    }

    /// Someone else writes a record.
    pub fn post(&self, path: &str, body: &Value) -> Value {
        let url = format!("{}/v3/company/{}/{path}", self.saas.quickbooks.url(), quickbooks::REALM);
        let request = reqwest::Client::new().post(url).bearer_auth(&self.token).header("accept", "application/json");
        self.runtime.block_on(async { request.json(body).send().await?.json().await }).expect("JSON")
    }

    pub fn set(&self, setting: &str, value: impl Into<Value>) {
        self.saas.quickbooks.set(setting, value).expect("a setting");
    }
}

/// Does an action until it succeeds, as the host does, and says how many attempts it took.
pub fn insist(host: &mut Host, action: &str, input: &Value) -> (Value, u32) {
    for attempt in 1..=8 {
        host.attempt = attempt;
        match host.invoke::<QuickBooks>(action, input.clone()) {
            Ok(output) => return (output, attempt),
            Err(failure) => assert_ne!(failure.kind, FailureKind::Rejected, "{failure}"),
        }
    }
    panic!("{action} does not come to an end");
}

/// An answer without a body.
pub fn status(status: u16) -> FaultAct {
    FaultAct::Status { status, headers: Default::default(), body: String::new() }
}

async fn token(base: &str) -> String {
    let form = [("grant_type", "refresh_token"), ("refresh_token", quickbooks::REFRESH_TOKEN)];
    let request = reqwest::Client::new()
        .post(format!("{base}/oauth2/v1/tokens/bearer"))
        .basic_auth(quickbooks::CLIENT_ID, Some(quickbooks::CLIENT_SECRET))
        .form(&form);
    let answer: Value = request.send().await.expect("answered").json().await.expect("JSON");
    answer["access_token"].as_str().expect("a token").to_owned()
}

fn forward(handle: &Handle, client: &reqwest::Client, token: &str, sent: &Sent) -> Result<Response, NoAnswer> {
    let method = sent.method.parse().expect("a method");
    let mut request = client.request(method, &sent.url).bearer_auth(token).body(sent.body.clone());
    for (name, value) in &sent.headers {
        request = request.header(name, value.as_slice());
    }
    let answer = handle.block_on(async {
        let answer = request.send().await?;
        let status = answer.status().as_u16();
        let headers = answer.headers().clone();
        Ok((status, headers, answer.bytes().await?))
    });
    let (status, headers, body) = answer.map_err(|error: reqwest::Error| NoAnswer::Connection(error.to_string()))?;
    let headers: Vec<_> = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    Ok(testing::response(status, &headers, body.to_vec()))
}
