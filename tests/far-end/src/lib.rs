//! The far end of a connector's own tests: one of the stand-ins, spoken to over real HTTP by the SDK's testing host.
//!
//! What the connector sends goes out as the host would send it, with the credential that [`System::attach`] adds.

use std::marker::PhantomData;
use std::sync::Arc;

pub use reqwest;

use reqwest::{Client, RequestBuilder};
use sangam_saas::{Fault, FaultAct, Saas, Stand};
use sangam_sdk::testing::{self, Host, NoAnswer, Sent};
use sangam_sdk::{Connector, Response};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// What a connector's tests say of the system that it speaks to.
pub trait System: Connector + 'static {
    /// Its stand-in.
    fn stand(saas: &Saas) -> &Stand;

    /// The token of the tests.
    fn log_in(client: &Client, stand: &Stand) -> impl Future<Output = String>;

    /// What the host adds to a request.
    fn attach(request: RequestBuilder, _: &Sent, token: &str) -> RequestBuilder {
        request.bearer_auth(token)
    }

    /// What every configuration has beside `base-url`.
    fn configuration() -> Value {
        json!({})
    }
}

/// A stand-in, with a session at it. It serves until this is dropped.
pub struct FarEnd<P> {
    // Before the runtime that it serves on, so that it ends first.
    saas: Saas,
    client: Client,
    token: String,
    runtime: Arc<Runtime>,
    connector: PhantomData<P>,
}

impl<P: System> FarEnd<P> {
    /// Starts the stand-ins and logs in.
    ///
    /// # Panics
    /// Where the machine gives no threads or no loopback ports.
    pub fn start() -> FarEnd<P> {
        // An error says that there is a provider already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Arc::new(Runtime::new().expect("threads"));
        let saas = runtime.block_on(Saas::start()).expect("free loopback ports");
        let client = Client::new();
        let token = runtime.block_on(P::log_in(&client, P::stand(&saas)));
        FarEnd { saas, client, token, runtime, connector: PhantomData }
    }

    /// The stand-in.
    pub fn stand(&self) -> &Stand {
        P::stand(&self.saas)
    }

    /// A host of one step, or of a source, with that configuration beside what all have.
    pub fn host(&self, config: Value) -> Host {
        self.host_with(&self.token, config)
    }

    /// The same with another token.
    pub fn host_with(&self, token: &str, config: Value) -> Host {
        let (runtime, client, token) = (self.runtime.clone(), self.client.clone(), token.to_owned());
        let mut host = Host::new(move |sent: &Sent| runtime.block_on(forward::<P>(&client, &token, sent)));
        host.config = P::configuration();
        host.config["base-url"] = self.stand().url().into();
        for (name, value) in config.as_object().into_iter().flatten() {
            host.config[name] = value.clone();
        }
        host
    }

    /// The next request of that kind fails so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        self.fault_after(method, path, 0, act);
    }

    /// A request of that kind fails so, after some that don't.
    pub fn fault_after(&self, method: &str, path: &str, skip: u32, act: FaultAct) {
        self.stand().fault(Fault { method: Some(method.to_owned()), skip, ..Fault::once(path, act) });
    }

    /// What the system has under that name; nothing where it has no such list.
    pub fn list(&self, name: &str) -> Vec<Value> {
        self.stand().state()[name].as_array().cloned().unwrap_or_default()
    }

    /// How many requests of that method came to such a path.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        let requests = self.stand().requests();
        requests.iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
    }

    /// Changes a setting of the stand-in.
    ///
    /// # Panics
    /// Where it has no such setting, or does not take the value.
    pub fn set(&self, setting: &str, value: impl Into<Value>) {
        self.stand().set(setting, value).expect("a setting");
    }

    /// Somebody in the office or in the field writes a job.
    pub fn edit(&self, job: impl Into<Value>, fields: Value) {
        self.set("edit", json!({ "job": job.into(), "fields": fields }));
    }

    /// Asks the system as somebody else would; gives the answer.
    ///
    /// # Panics
    /// Where that is no success, or no JSON.
    pub fn ask(&self, request: impl FnOnce(&Client, &str) -> RequestBuilder) -> Value {
        let request = request(&self.client, &self.stand().url()).bearer_auth(&self.token);
        let answer = self.runtime.block_on(async { request.send().await?.error_for_status()?.bytes().await }).expect("a success");
        if answer.is_empty() { Value::Null } else { serde_json::from_slice(&answer).expect("JSON") }
    }
}

async fn forward<P: System>(client: &Client, token: &str, sent: &Sent) -> Result<Response, NoAnswer> {
    let broken = |error: reqwest::Error| NoAnswer::Connection(error.to_string());
    let method = sent.method.parse().expect("a method");
    let mut request = P::attach(client.request(method, &sent.url), sent, token).body(sent.body.clone());
    for (name, value) in &sent.headers {
        request = request.header(name, value.as_slice());
    }
    let answer = request.send().await.map_err(broken)?;
    let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
    let body = answer.bytes().await.map_err(broken)?;
    let headers: Vec<_> = headers.iter().filter_map(|(name, value)| Some((name.as_str(), value.to_str().ok()?))).collect();
    Ok(testing::response(status, &headers, body))
}
