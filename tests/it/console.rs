//! The console: served by the host, and used in a real browser on a host with real runs.
//!
//! Each test starts a host of its own and runs one spec of `tests/peers/browser/specs` at it.

mod canary;
mod connect;
mod dead_letters;
mod events;
mod flow;
mod frame;
mod lines;
mod names;
mod overview;
mod people;
mod serving;
mod setup;
mod sources;
mod tryout;
mod words;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Client, Host, HostFolder};
use serde_json::{Value, json};

use crate::scene::{SCRIPT, configuration, script, sink};

/// A host with tokens, whose runs a person looks at.
pub struct Watched {
    /// Where requests end.
    pub sink: Stand,
    /// Of the host.
    pub folder: HostFolder,
    /// The host.
    pub host: Host,
    /// Asks it as an administrator.
    pub admin: Client,
}

impl Watched {
    /// A host with the route [`SCRIPT`] and these, which nobody asks without a token.
    pub async fn start(routes: &str) -> anyhow::Result<Watched> {
        let sink = sink().await?;
        let text = configuration(&sink.url(), "", &format!("{SCRIPT}{routes}"));
        Watched::on(sink, &text, &[]).await
    }

    /// A host with a configuration of its own, but for who is asked for a token, and these secrets.
    pub async fn on(sink: Stand, text: &str, secrets: &[(&str, &str)]) -> anyhow::Result<Watched> {
        let folder = HostFolder::new(&text.replace("access = \"open\"\n", ""))?;
        for (name, value) in secrets {
            folder.secret(name, value)?;
        }
        let host = folder.start().await?;
        let mut admin = host.client.clone();
        admin.token = Some(token(&folder, "admin")?);
        Ok(Watched { sink, folder, host, admin })
    }

    /// A token of a role.
    pub fn token(&self, role: &str) -> anyhow::Result<String> {
        token(&self.folder, role)
    }

    /// An event whose script succeeds, and its eid.
    pub async fn succeed(&self, id: &str) -> anyhow::Result<String> {
        let url = format!("{}/ok", self.sink.url());
        self.play(id, json!([{ "do": "log", "key": "looks at it" }, { "do": "write", "name": "w", "url": url, "body": "fine" }])).await
    }

    /// An event whose script writes to `path`, which the sink refuses as often as it has been told to; and its eid.
    pub async fn write(&self, id: &str, path: &str) -> anyhow::Result<String> {
        let url = format!("{}{path}", self.sink.url());
        self.play(id, json!([{ "do": "write", "name": "w", "url": url, "body": format!("letter {id}") }])).await
    }

    /// An event with a script of its own, whose runs end; and its eid.
    pub async fn play(&self, id: &str, lines: Value) -> anyhow::Result<String> {
        let document = self.admin.send_and_wait(&script(id, lines)).await?;
        Ok(document["eid"].as_str().context("an event has an eid")?.to_owned())
    }
}

/// The next request to a path is refused as wrong: its run is a dead letter, and a replay succeeds.
pub fn refusal(path: &str) -> Fault {
    Fault::once(path, FaultAct::Status { status: 422, headers: [].into(), body: "the account is closed".to_owned() })
}

fn token(folder: &HostFolder, role: &str) -> anyhow::Result<String> {
    let made = folder.run(&["token", "create", "--role", role, "--name", role], "")?;
    ensure!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    Ok(String::from_utf8_lossy(&made.stdout).trim().to_owned())
}
