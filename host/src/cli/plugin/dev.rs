//! `sangam plugin dev`: builds, runs and shows a connector, again after each change.

mod changes;
mod guest_host;
mod outcomes;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::build;
use crate::cli::client::Client;
use crate::cli::{Failure, one_line};
use crate::engine::Engine;
use changes::Changes;
use guest_host::GuestHost;
use outcomes::Outcomes;

/// How often files and events are looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Builds the connector, runs a host with the project's sangam.toml (or uses one that runs, --url), and after each change builds again and reloads. A build
/// that fails leaves the version before running. Shows what becomes of events, with the plugin's logs. Ctrl-C stops everything.
#[derive(Debug, clap::Args)]
pub(super) struct Dev {
    /// The project
    #[arg(default_value = ".", value_name = "DIR")]
    folder: PathBuf,
    /// Configuration of the host; default DIR/sangam.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Send this event after each reload, under a new id
    #[arg(long, value_name = "FILE")]
    send: Option<PathBuf>,
    /// A running host to reload instead of starting one; its configuration names DIR/build/NAME.wasm
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// API token for that host
    #[arg(long, env = "SANGAM_TOKEN", hide_env_values = true, value_name = "TOKEN", requires = "url")]
    token: Option<String>,
    /// Show every command, and all that the tools say
    #[arg(long)]
    verbose: bool,
}

/// What is under way.
struct Session {
    folder: PathBuf,
    config: PathBuf,
    send: Option<PathBuf>,
    given: Option<Client>,
    verbose: bool,
    engine: Engine,
    /// Ours, once it runs.
    host: Option<GuestHost>,
    outcomes: Outcomes,
    /// Once one build has succeeded there is something to run.
    built: bool,
}

impl Dev {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let config = self.config.unwrap_or_else(|| self.folder.join("sangam.toml"));
        if self.url.is_none() && !config.is_file() {
            return Err(Failure::Usage(format!(
                "there is no {}: a host needs a configuration (--config names another, --url a host that runs)",
                config.display()
            )));
        }
        let absolute = |path: &Path| std::path::absolute(path).map_err(Failure::failed);
        let mut session = Session {
            folder: self.folder,
            config: absolute(&config)?,
            send: self.send.as_deref().map(absolute).transpose()?,
            given: self.url.map(|url| Client::at(url, self.token)),
            verbose: self.verbose,
            engine: build::engine()?,
            host: None,
            outcomes: Outcomes::from_now(),
            built: false,
        };
        let mut stop = Stop::listen()?;
        let ended = tokio::select! {
            () = stop.asked() => Ok(()),
            ended = session.go_on() => ended,
        };
        if let Some(host) = session.host.take() {
            host.stop().await;
        }
        ended
    }
}

impl Session {
    /// Until it is stopped, or the host it was given is gone.
    async fn go_on(&mut self) -> Result<(), Failure> {
        let extra = [Some(&self.config), self.send.as_ref()];
        let mut changes = Changes::of(&self.folder, extra.into_iter().flatten().cloned().collect());
        self.round(None).await;
        loop {
            tokio::time::sleep(LOOK).await;
            let changed = changes.look();
            if !changed.is_empty() {
                self.round(Some(&changed)).await;
            }
            if self.host.as_mut().is_some_and(GuestHost::has_ended) {
                self.host = None;
                say("the host has ended; it is started again after the next change");
            }
            if let Some(client) = self.client() {
                self.outcomes.show(&client).await;
            }
        }
    }

    /// What a change asks for. What goes wrong is said, and waits for the next one. `None`: the first round.
    async fn round(&mut self, changed: Option<&[PathBuf]>) {
        if let Some(changed) = changed {
            say(&format!("changed: {}", names(changed, &self.folder)));
        }
        let only = |file: &Path| changed.is_some_and(|changed| changed.iter().all(|path| path == file));
        let done = if self.send.as_deref().is_some_and(only) {
            self.send_event().await
        } else {
            let needs_build = !self.built || !only(&self.config);
            self.renew(needs_build).await
        };
        if let Err(failure) = done {
            anstream::eprintln!("{}", failure.to_string().trim_end());
            let left = if self.client().is_some() { "the version before keeps running" } else { "nothing runs yet" };
            say(&format!("{left}; waiting for a change"));
        }
    }

    /// Builds, then starts the host or has it reload.
    async fn renew(&mut self, needs_build: bool) -> Result<(), Failure> {
        if needs_build {
            let built = build::build(&self.folder, None, self.verbose, &self.engine).await?;
            say(&built.line());
            self.built = true;
        }
        let begun = Instant::now();
        match self.client() {
            Some(client) => {
                let answer = client.post("/v1/reload", Value::Null).await?;
                say(&format!("reloaded in {}: revision {}", build::time(begun.elapsed()), answer["revision"]));
            }
            None => {
                let host = GuestHost::start(&self.config).await?;
                say(&format!("listening on {} after {} (ctrl-c stops)", host.url(), build::time(begun.elapsed())));
                self.host = Some(host);
            }
        }
        self.send_event().await
    }

    /// Sends the example under an id of its own: the same event twice would be one event.
    async fn send_event(&self) -> Result<(), Failure> {
        let (Some(file), Some(client)) = (&self.send, self.client()) else { return Ok(()) };
        let about = |error: &dyn std::fmt::Display| Failure::Failed(format!("{}: {error}", file.display()));
        let text = std::fs::read_to_string(file).map_err(|error| about(&error))?;
        let mut event: Value = serde_json::from_str(&text).map_err(|error| about(&error))?;
        let Some(members) = event.as_object_mut() else { return Err(about(&"it is not an event, which is a JSON object")) };
        let id = members.get("id").and_then(Value::as_str).unwrap_or("event").to_owned();
        members.insert("id".to_owned(), json!(format!("{id}/{}", uuid::Uuid::now_v7())));
        let body = ("application/cloudevents+json", event.to_string().into_bytes());
        client.ask(reqwest::Method::POST, "/v1/events", &[], Some(body)).await?;
        Ok(())
    }

    /// The host that was given, or ours.
    fn client(&self) -> Option<Client> {
        self.given.clone().or_else(|| self.host.as_ref().map(GuestHost::client))
    }
}

/// Ctrl-C, or a supervisor's wish.
struct Stop {
    interrupt: Signal,
    terminate: Signal,
}

impl Stop {
    fn listen() -> Result<Stop, Failure> {
        let listen = |kind| signal(kind).map_err(Failure::failed);
        Ok(Stop { interrupt: listen(SignalKind::interrupt())?, terminate: listen(SignalKind::terminate())? })
    }

    async fn asked(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

fn say(text: &str) {
    anstream::println!("── {text}");
}

/// The first few of what changed.
fn names(changed: &[PathBuf], folder: &Path) -> String {
    const SHOWN: usize = 3;
    let folder = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let names = changed.iter().take(SHOWN).map(|path| one_line(&path.strip_prefix(&folder).unwrap_or(path).display().to_string()));
    let mut text = names.collect::<Vec<_>>().join(", ");
    if changed.len() > SHOWN {
        text.push_str(&format!(" and {} more", changed.len() - SHOWN));
    }
    text
}
