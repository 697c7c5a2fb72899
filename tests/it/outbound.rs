//! The way out, attacked: by plugins with their requests, by systems with their answers, by names and by certificates.

mod answers;
mod names;
mod requests;
mod tls;

use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Context as _;
use sangam_tests::{Client, Host, HostFolder, TestStore, guest};
use serde_json::{Value, json};

use crate::scene::{event, step};

/// A host with the plugins `m` and `n`, of the same component, which make the requests that they are asked to.
struct Way {
    client: Client,
    asked: AtomicUsize,
    _host: Host,
    folder: HostFolder,
}

impl Way {
    /// A host whose two plugins have these lines each.
    async fn start(m: &str, n: &str) -> anyhow::Result<Way> {
        Way::within(HostFolder::new(&configuration(m, n))?).await
    }

    /// The same on a file, where nothing else can be reached.
    async fn alone(m: &str, n: &str) -> anyhow::Result<Way> {
        Way::within(HostFolder::on(TestStore::Sqlite, &configuration(m, n))?).await
    }

    async fn within(folder: HostFolder) -> anyhow::Result<Way> {
        let host = folder.start().await?;
        Ok(Way { client: host.client.clone(), asked: AtomicUsize::new(0), _host: host, folder })
    }

    /// What a plugin got for a request: `{"status", "body"}`, or `{"error", "why"}` in the contract's words, or the step's error.
    async fn ask(&self, plugin: &str, request: Value) -> anyhow::Result<Value> {
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let document = self.client.send_and_wait(&event(&format!("{plugin} {number}"), plugin, request)).await?;
        let step = step(&document, "run")?;
        let output = &step["output"];
        Ok(if output.is_null() { json!({ "error": step["error"]["kind"], "why": step["error"]["reason"] }) } else { output.clone() })
    }

    async fn get(&self, plugin: &str, url: &str) -> anyhow::Result<Value> {
        self.ask(plugin, json!({ "url": url })).await
    }

    /// The body of an answer that has the status 200.
    async fn body(&self, plugin: &str, url: &str) -> anyhow::Result<String> {
        let answer = self.get(plugin, url).await?;
        anyhow::ensure!(answer["status"] == 200, "{url}: {answer}");
        answer["body"].as_str().map(str::to_owned).context("a body is text")
    }

    /// Asks, and checks that it is refused in these words.
    async fn refused(&self, plugin: &str, request: Value, error: &str, why: &str) -> anyhow::Result<()> {
        let answer = self.ask(plugin, request.clone()).await?;
        let said = answer["why"].as_str().unwrap_or_default();
        anyhow::ensure!(answer["error"] == error && said.contains(why), "{request}: expected {error} ({why}), not {answer}");
        Ok(())
    }
}

/// Leave to send to these, on loopback too.
fn allow(hosts: &[&str]) -> String {
    format!("allow-hosts = {hosts:?}\nallow-private-addresses = [\"127.0.0.0/8\"]\n")
}

fn configuration(m: &str, n: &str) -> String {
    let part = |name: &str, grants: &str| {
        format!(
            "[plugins.{name}]\ncomponent = {:?}\n{grants}\n[[routes]]\nname = \"{name}\"\non = {{ type = \"{name}\" }}\n\
             [[routes.steps]]\nname = \"run\"\nuses = \"{name}.request\"\nretry = {{ max-attempts = 1 }}\n",
            guest("misbehaving")
        )
    };
    format!("[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\n{}{}", part("m", m), part("n", n))
}
