//! The stand-in, and the host's part of a request: the bearer token.

use sangam_saas::{Fault, FaultAct, Saas, jobber};
use sangam_sdk::{
    prelude::*,
    testing::{self, Host, NoAnswer, Sent},
};
use tokio::runtime::{Handle, Runtime};

use crate::Jobber;

/// Jobber at the far end.
pub struct FarEnd {
    saas: Saas,
    runtime: Runtime,
}

impl FarEnd {
    pub fn start() -> Self {
        // An error says that there is one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let runtime = Runtime::new().expect("a runtime");
        let saas = runtime.block_on(Saas::start()).expect("free loopback ports");
        Self { saas, runtime }
    }

    /// A step's or a source's host, with that configuration beside the base URL.
    pub fn host(&self, config: Value) -> Host {
        let handle = self.runtime.handle().clone();
        let client = reqwest::Client::new();
        let mut host = Host::new(move |sent: &Sent| forward(&handle, &client, sent));
        host.config = config;
        host.config["technicians"] = json!({ "emp-1": "VTE=", "emp-2": "VTI=" });
        host.config["base-url"] = self.saas.jobber.url().into();
        host
    }

    /// A request of that kind fails so, after some that don't.
    pub fn fault_after(&self, method: &str, path: &str, skip: u32, act: FaultAct) {
        self.saas.jobber.fault(Fault { method: Some(method.to_owned()), skip, ..Fault::once(path, act) });
    }

    pub fn list(&self, name: &str) -> Vec<Value> {
        self.saas.jobber.state()[name].as_array().cloned().unwrap_or_default()
    }

    pub fn set(&self, setting: &str, value: Value) {
        self.saas.jobber.set(setting, value).expect("a setting");
    }

    /// Somebody in the office writes a job.
    pub fn edit(&self, job: Value, fields: Value) {
        self.set("edit", json!({ "job": job, "fields": fields }));
    }
}

/// Does an action until it succeeds, as the host does, and says how many attempts it took.
pub fn insist(host: &mut Host, action: &str, input: &Value) -> (Value, u32) {
    for attempt in 1..=8 {
        host.attempt = attempt;
        match host.invoke::<Jobber>(action, input.clone()) {
            Ok(output) => return (output, attempt),
            Err(failure) => assert_ne!(failure.kind, FailureKind::Rejected, "{failure}"),
        }
    }
    panic!("{action} does not come to an end");
}

/// The undo step of a step.
pub fn undo(far_end: &FarEnd, step: &Host, action: &str, input: &Value, output: Value) {
    let writes = step.sent.iter().filter(|sent| sent.method != "GET");
    let effects: Vec<Value> = writes.map(|sent| json!({ "name": sent.name, "key": sent.key, "state": "done" })).collect();
    let undo = json!({ "input": input, "output": output, "effects": effects });
    far_end.host(step.config.clone()).invoke::<Jobber>(action, undo).expect("undone");
}

fn forward(handle: &Handle, client: &reqwest::Client, sent: &Sent) -> Result<Response, NoAnswer> {
    let method = sent.method.parse().expect("a method");
    let mut request = client.request(method, &sent.url).bearer_auth(jobber::TOKEN).body(sent.body.clone());
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
