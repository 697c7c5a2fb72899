//! The scene of most tests: one host, the guests `scripted` and `misbehaving`, and one sink that keeps what it receives.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use sangam_saas::{Fault, FaultAct, Recorded, Stand, sink::Sink};
use sangam_tests::{Answer, Client, Host, HostFolder, TestStore, guest};
use serde_json::{Value, json};

/// A route that gives its event's data to `scripted`, with quick retries.
pub const SCRIPT: &str = r#"
[[routes]]
name = "script"
on = { type = "script" }
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 3, initial = "10ms", factor = 1, jitter = 0 }
"#;

/// A sink on a free port.
pub async fn sink() -> anyhow::Result<Stand> {
    Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(Sink::new())).await
}

/// A configuration with both guests and these routes. `{sink}` stands for the sink's origin, `{grants}` is added to both plugins.
pub fn configuration(sink: &str, grants: &str, routes: &str) -> String {
    let plugin = |name: &str, file: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {:?}\nallow-hosts = [\"{sink}\"]\nallow-private-addresses = [\"127.0.0.0/8\"]\n{grants}\n",
            guest(file)
        )
    };
    let server = "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n";
    format!("{server}\n{}\n{}\n{}", plugin("s", "scripted"), plugin("m", "misbehaving"), routes.replace("{sink}", sink))
}

/// A running scene.
pub struct Scene {
    /// Where requests end.
    pub sink: Stand,
    /// Of the host.
    pub folder: HostFolder,
    /// The host.
    pub host: Host,
}

impl Scene {
    /// A host with these routes.
    pub async fn start(routes: &str) -> anyhow::Result<Scene> {
        Scene::granting("", routes).await
    }

    /// A host with these routes, whose plugins are granted more.
    pub async fn granting(grants: &str, routes: &str) -> anyhow::Result<Scene> {
        Scene::on(TestStore::wanted()?, grants, routes).await
    }

    /// The same on a store of that kind.
    pub async fn on(store: TestStore, grants: &str, routes: &str) -> anyhow::Result<Scene> {
        Scene::with(store, grants, routes, |folder| folder).await
    }

    /// The same, its hosts keeping their compiled code for themselves.
    pub async fn with_code_of_its_own(routes: &str) -> anyhow::Result<Scene> {
        Scene::with(TestStore::wanted()?, "", routes, HostFolder::with_code_of_its_own).await
    }

    async fn with(store: TestStore, grants: &str, routes: &str, made: fn(HostFolder) -> HostFolder) -> anyhow::Result<Scene> {
        let sink = sink().await?;
        let folder = made(HostFolder::on(store, &configuration(&sink.url(), grants, routes))?);
        let host = folder.start().await?;
        Ok(Scene { sink, folder, host })
    }

    /// Asks the host.
    pub fn client(&self) -> &Client {
        &self.host.client
    }

    /// A URL of the sink.
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.sink.url())
    }

    /// Writes another configuration of the same shape.
    pub fn configure(&self, grants: &str, routes: &str) -> anyhow::Result<()> {
        self.folder.configure(&configuration(&self.sink.url(), grants, routes))
    }

    /// Sends a script and waits until it has ended.
    pub async fn play(&self, id: &str, lines: Value) -> anyhow::Result<Value> {
        self.client().send_and_wait(&script(id, lines)).await
    }

    /// Next requests to a path are answered so.
    pub fn answer(&self, path: &str, status: u16, times: u32) {
        self.fault(path, FaultAct::Status { status, headers: [].into(), body: String::new() }, times);
    }

    /// Next requests to a path suffer that.
    pub fn fault(&self, path: &str, act: FaultAct, times: u32) {
        self.sink.fault(Fault { times, ..Fault::once(path, act) });
    }

    /// Requests that came to a path.
    pub fn requests(&self, path: &str) -> Vec<Recorded> {
        self.sink.requests().into_iter().filter(|request| request.path.split('?').next() == Some(path)).collect()
    }

    /// Waits until a request came to a path.
    pub async fn arrived(&self, path: &str) -> anyhow::Result<()> {
        let look = async {
            while self.requests(path).is_empty() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), look).await.with_context(|| format!("nothing came to {path}"))
    }

    /// Applies the configuration file; gives the answer.
    pub async fn reload(&self) -> anyhow::Result<Answer> {
        self.client().post("/v1/reload", &json!({})).await
    }

    /// Writes another configuration of the same shape and applies it.
    pub async fn change(&self, grants: &str, routes: &str) -> anyhow::Result<()> {
        self.configure(grants, routes)?;
        let answer = self.reload().await?;
        anyhow::ensure!(answer.status == 200, "the configuration was refused: {}", answer.text);
        Ok(())
    }

    /// Their idempotency keys.
    pub fn keys(&self, path: &str) -> Vec<String> {
        self.requests(path).iter().map(|request| request.headers.get("idempotency-key").cloned().unwrap_or_default()).collect()
    }

    /// Effects at the sink: requests to a path that it did not recognise as repetitions.
    pub fn effects(&self, path: &str) -> u64 {
        self.sink.state()["by_path"][path].as_u64().unwrap_or(0)
    }
}

/// An event.
pub fn event(id: &str, kind: &str, data: Value) -> Value {
    json!({ "specversion": "1.0", "id": id, "source": "/test", "type": kind, "data": data })
}

/// An event whose data is a script.
pub fn script(id: &str, lines: Value) -> Value {
    event(id, "script", json!({ "lines": lines }))
}

/// The step of that name in the newest run.
pub fn step<'a>(event: &'a Value, name: &str) -> anyhow::Result<&'a Value> {
    let runs = event["runs"].as_array().context("an event has runs")?;
    let run = runs.last().context("the event has a run")?;
    let steps = run["steps"].as_array().context("a run has steps")?;
    steps.iter().find(|step| step["name"] == name).with_context(|| format!("no step {name} in {run:#}"))
}

/// Results of a script that succeeded.
pub fn results(event: &Value) -> anyhow::Result<&Value> {
    anyhow::ensure!(event["status"] == "succeeded", "the script did not succeed: {event:#}");
    Ok(&step(event, "run")?["output"]["results"])
}

/// Why the script's step failed.
pub fn reason(event: &Value) -> anyhow::Result<&str> {
    anyhow::ensure!(event["status"] == "dead", "the script is not dead: {event:#}");
    step(event, "run")?["error"]["reason"].as_str().context("a failed step has a reason")
}

/// How the attempts of a step ended.
pub fn outcomes(event: &Value, name: &str) -> anyhow::Result<Vec<String>> {
    let attempts = step(event, name)?["attempts"].as_array().context("a step has attempts")?;
    Ok(attempts.iter().map(|attempt| attempt["outcome"].as_str().unwrap_or("").to_owned()).collect())
}

/// The effects of an attempt, from 1.
pub fn effects(event: &Value, attempt: usize) -> anyhow::Result<&Vec<Value>> {
    step(event, "run")?["attempts"][attempt - 1]["effects"].as_array().context("an attempt has effects")
}
