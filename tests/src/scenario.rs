//! The scenarios of `tests/demo/scenarios`: routes ready to be taken over, each played against stand-ins of its systems. What happened is told in words.

mod calls;
mod cases;
mod contacts;
mod context;
mod invoices;
mod leads;
mod leave;
mod reminders;

use std::future::Future;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use sangam_saas::messages::Messages;
use sangam_saas::{Saas, Stand};
use serde_json::{Value, json};

use crate::client::Client;
use crate::company;
use crate::host::{Host, HostFolder};
use crate::mail::MailServer;

/// Longest that a change may take from one system to the other.
const PATIENCE: Duration = Duration::from_secs(60);
/// Secret that vendors sign their webhooks with.
pub const HOOK_SECRET: &str = "hook-secret-of-the-demo";
/// Token of the telephony provider.
pub const TELEPHONY_TOKEN: &str = "telephony-token";

/// One of them.
#[derive(Debug)]
pub struct Scenario {
    /// As `--scenario` names it: the file without its ending.
    pub name: &'static str,
    /// Its sources and routes.
    pub routes: &'static str,
}

/// All that are played.
pub const ALL: &[Scenario] = &[
    Scenario { name: "leave-to-schedule", routes: include_str!("../demo/scenarios/leave-to-schedule.toml") },
    Scenario { name: "client-context", routes: include_str!("../demo/scenarios/client-context.toml") },
    Scenario { name: "contact-sync", routes: include_str!("../demo/scenarios/contact-sync.toml") },
    Scenario { name: "invoice-paid", routes: include_str!("../demo/scenarios/invoice-paid.toml") },
    Scenario { name: "case-to-job", routes: include_str!("../demo/scenarios/case-to-job.toml") },
    Scenario { name: "lead-form", routes: include_str!("../demo/scenarios/lead-form.toml") },
    Scenario { name: "missed-call", routes: include_str!("../demo/scenarios/missed-call.toml") },
    Scenario { name: "reminders", routes: include_str!("../demo/scenarios/reminders.toml") },
];

impl Scenario {
    /// The one of that name.
    pub fn named(name: &str) -> Option<&'static Scenario> {
        ALL.iter().find(|scenario| scenario.name == name)
    }

    /// What it does: the comment that its file begins with.
    pub fn title(&self) -> String {
        let lines = self.routes.lines().take_while(|line| !line.starts_with("# Systems:"));
        lines.map(|line| line.trim_start_matches('#').trim()).collect::<Vec<_>>().join(" ")
    }

    /// The plugins that it needs.
    fn systems(&self) -> Vec<&'static str> {
        let line = self.routes.lines().find_map(|line| line.strip_prefix("# Systems:"));
        line.unwrap_or_default().split(',').map(str::trim).collect()
    }

    /// Whether it can be played here: one that writes to people needs a mail server. Says how to get what is missing.
    ///
    /// # Errors
    /// In CI, when something is missing.
    pub fn can_be_played(&self) -> anyhow::Result<bool> {
        if self.systems().contains(&"mail") { MailServer::is_there() } else { Ok(true) }
    }

    /// Its configuration, as it is in the demo: the stand-ins are looked at every second, for what happens from `since` on, and are where they are.
    pub fn configuration(&self, saas: &Saas, since: jiff::Timestamp) -> String {
        let routes = self
            .routes
            .replace("every  = \"1m\"", "every  = \"1s\"")
            .replace("2026-12-01T00:00:00Z", &since.to_string())
            .replace("https://api.hubapi.com", &saas.hubspot.url());
        // What the connectors bring in is what the catalogue says of it; what is not would be set aside, and be missed.
        let events = "[[events]]\ntype = \"*\"\nsource = \"/sources/*\"\nschema = \"catalogue\"\n";
        format!("{}\n{events}\n{routes}", company::plugins(&self.systems()))
    }
}

/// A host with one scenario, and the systems.
pub struct Stage {
    /// The systems.
    pub saas: Saas,
    /// The host's folder.
    pub folder: HostFolder,
    /// The host.
    pub host: Host,
    /// Where messages to people end, of a scenario that writes some.
    people: Option<People>,
}

/// Where messages to people end.
struct People {
    mail: MailServer,
    sms: Stand,
}

impl People {
    async fn start() -> anyhow::Result<People> {
        let sms = Stand::start(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), Arc::new(Messages::new())).await?;
        Ok(People { mail: MailServer::start(json!({ "tls": "none" })).await?, sms })
    }

    /// A configuration that leads there.
    fn reached_by(&self, configuration: &str) -> String {
        configuration.replace("${env:SMS}", &self.sms.url()).replace("port = 25 ", &format!("port = {} ", self.mail.port))
    }
}

impl Stage {
    /// Starts both.
    ///
    /// # Errors
    /// When one does not start.
    pub async fn start(scenario: &Scenario) -> anyhow::Result<Stage> {
        let saas = Saas::start().await?;
        let since = next_second().await?;
        let mut configuration = scenario.configuration(&saas, since);
        let people = if scenario.systems().contains(&"mail") { Some(People::start().await?) } else { None };
        if let Some(people) = &people {
            configuration = people.reached_by(&configuration);
        }
        let folder = company::folder(&saas, &configuration)?;
        let host = folder.start().await.with_context(|| format!("starting a host with the scenario {}", scenario.name))?;
        Ok(Stage { saas, folder, host, people })
    }

    /// Plays a scenario; gives what happened, in words.
    ///
    /// # Errors
    /// When something did not happen that should have.
    pub async fn play(&mut self, scenario: &Scenario) -> anyhow::Result<Vec<String>> {
        match self.played(scenario).await {
            Ok(told) => Ok(told),
            Err(error) => Err(error.context(format!("the host has: {}", self.troubles().await?))),
        }
    }

    async fn played(&mut self, scenario: &Scenario) -> anyhow::Result<Vec<String>> {
        match scenario.name {
            "leave-to-schedule" => leave::play(self).await,
            "client-context" => context::play(self).await,
            "contact-sync" => contacts::play(self).await,
            "invoice-paid" => invoices::play(self).await,
            "case-to-job" => cases::play(self).await,
            "lead-form" => leads::play(self).await,
            "missed-call" => calls::play(self).await,
            "reminders" => reminders::play(self).await,
            other => bail!("nobody knows how to play {other}"),
        }
    }

    /// What went wrong, as the host has it: events that are not through, and what it could not make events of.
    async fn troubles(&self) -> anyhow::Result<String> {
        let listed = self.client().get("/v1/events?limit=20").await?.json;
        let mut troubles = Vec::new();
        for event in listed["events"].as_array().into_iter().flatten().filter(|event| event["status"] != "succeeded") {
            let shown = self.client().event(event["eid"].as_str().unwrap_or_default()).await?;
            troubles.push(format!("{shown:#}"));
        }
        let sources = self.client().get("/v1/sources").await?.json;
        Ok(format!("{}\n{sources:#}", troubles.join("\n")))
    }

    /// Stops the host, and starts it again with its clock so far ahead.
    async fn moves_on(&mut self, ahead: jiff::SignedDuration) -> anyhow::Result<()> {
        self.host.stop().await?;
        self.host = self.folder.start_with(&[("SANGAM_CLOCK_AHEAD", &format!("{}s", ahead.as_secs()))]).await?;
        Ok(())
    }

    /// Asks the host.
    pub fn client(&self) -> &Client {
        &self.host.client
    }

    /// Has a system tell of changes at that source, signed as its vendor does.
    fn tells(&self, system: &Stand, source: &str) -> anyhow::Result<()> {
        set(system, "webhook", json!({ "url": format!("{}/hooks/{source}", self.client().url), "secret": HOOK_SECRET }))
    }

    /// Events of a source, newest first.
    ///
    /// # Errors
    /// When the host does not answer.
    pub async fn events(&self, source: &str) -> anyhow::Result<Vec<Value>> {
        let answer = self.client().get(&format!("/v1/events?source=/sources/{source}&limit=100")).await?;
        ensure!(answer.status == 200, "the host does not list events: {}", answer.text);
        Ok(answer.json["events"].as_array().cloned().unwrap_or_default())
    }

    /// Waits until all events that came have been seen to.
    ///
    /// # Errors
    /// When one is dead, or they take too long.
    pub async fn settled(&self) -> anyhow::Result<()> {
        eventually("all events to be through", async || {
            let listed = self.client().get("/v1/events?limit=100").await?.json;
            let events = listed["events"].as_array().cloned().unwrap_or_default();
            if let Some(dead) = events.iter().find(|event| event["status"] == "dead") {
                bail!("an event is dead: {dead:#}");
            }
            Ok(events.iter().all(|event| event["status"] == "succeeded" || event["status"] == "unrouted").then_some(()))
        })
        .await
    }
}

/// Waits for the next whole second; gives it. Some systems tell times in seconds: what they have made so far was before it, and what they will make is not.
async fn next_second() -> anyhow::Result<jiff::Timestamp> {
    let now = jiff::Timestamp::now();
    let next = jiff::Timestamp::from_second(now.as_second() + 1)?;
    tokio::time::sleep(Duration::try_from(next.duration_since(now))?).await;
    Ok(next)
}

/// Changes a setting of a stand-in, or has somebody do something there.
fn set(system: &Stand, setting: &str, value: Value) -> anyhow::Result<()> {
    system.set(setting, value).map_err(|why| anyhow::anyhow!("the stand-in refuses `{setting}`: {why}"))
}

/// Asks again until there is an answer.
///
/// # Errors
/// What asking fails with, or that there was none for a minute.
pub async fn eventually<T, F>(what: &str, ask: impl Fn() -> F) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<Option<T>>>,
{
    let end = tokio::time::Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await? {
            return Ok(found);
        }
        ensure!(tokio::time::Instant::now() < end, "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Waits for a record in a system's list.
async fn appears(system: &Stand, list: &str, what: &str, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    eventually(what, async || {
        let state = system.state();
        Ok(crate::morning::records(&state[list]).find(|record| is_it(record)).cloned())
    })
    .await
    .with_context(|| format!("{list}: {:#}", system.state()[list]))
}
