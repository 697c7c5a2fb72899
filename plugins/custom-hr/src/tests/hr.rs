//! The stand-in, in both of its shapes, and the host's part of a request: the bearer token.

use sangam_saas::{Fault, FaultAct, Saas, hr};
use sangam_sdk::{
    prelude::*,
    testing::{self, Host, NoAnswer, Sent},
};
use tokio::runtime::{Handle, Runtime};

use crate::CustomHr;

/// An HR system at the far end.
pub struct Hr {
    saas: Saas,
    runtime: Runtime,
}

impl Hr {
    pub fn open() -> Self {
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
        host.config["base-url"] = self.saas.hr.url().into();
        host
    }

    /// The next requests of that path fail so.
    pub fn fault(&self, method: &str, path: &str, act: FaultAct) {
        let method = Some(method.to_owned());
        self.saas.hr.fault(Fault { method, ..Fault::once(path, act) });
    }

    pub fn state(&self) -> Value {
        self.saas.hr.state()
    }

    pub fn set(&self, setting: &str, value: impl Into<Value>) {
        self.saas.hr.set(setting, value).expect("a setting");
    }

    /// How many requests of that method came to such a path.
    pub fn requests(&self, method: &str, path: &str) -> usize {
        let requests = self.saas.hr.requests();
        requests.iter().filter(|request| request.method == method && request.path.starts_with(path)).count()
    }
}

/// The usual rules.
pub fn rules() -> Value {
    json!({ "daily-after": "8h", "weekly-after": "40h", "daily-doubletime-after": "12h" })
}

/// The proposed shape, which needs nothing said.
pub fn plain() -> Value {
    json!({ "overtime": rules() })
}

/// The stand-in's other shape, with another header.
pub fn other() -> Value {
    json!({
        "overtime": rules(),
        "headers": { "x-tenant": "acme" },
        "entries": {
            "method": "POST",
            "path": "/hr/api/hours",
            "fields": { "employee_ref": "emp", "date": "day", "regular_hours": "hrs", "overtime_hours": "ot", "external_id": "ref", "note": "memo" },
            "lookup": { "path": "/hr/api/hours?emp={employee_ref}&ref={external_id}", "list": "rows" },
            "delete-path": "/hr/api/hours/{entry_id}",
        },
    })
}

/// Does an action until it succeeds, as the host does, and says how many attempts it took.
pub fn insist(host: &mut Host, action: &str, input: &Value) -> (Value, u32) {
    for attempt in 1..=8 {
        host.attempt = attempt;
        match host.invoke::<CustomHr>(action, input.clone()) {
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

fn forward(handle: &Handle, client: &reqwest::Client, sent: &Sent) -> Result<Response, NoAnswer> {
    let method = sent.method.parse().expect("a method");
    let mut request = client.request(method, &sent.url).bearer_auth(hr::TOKEN).body(sent.body.clone());
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
