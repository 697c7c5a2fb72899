//! What a plugin that behaves notices of plugins that do not: latency from intake to its outgoing request, alone and beside attackers.

use std::net::SocketAddr;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use serde_json::{Value, json};

use super::latency::{IDLE, through};
use super::{About, Row, Running, When};
use crate::configuration::{Configuration, HTTP};
use crate::event;
use crate::figures::{Rounds, quantile};
use crate::line::{DURABLE, Figure, Line};
use crate::load::Connection;
use crate::program::Program;
use crate::sinks::Sinks;
use crate::{Bench, Effort};

/// What the attackers do: an action of the guest `misbehaving`, and its input.
const ATTACKS: &[(&str, &str)] = &[
    ("loop", "{}"),
    ("allocate", "{}"),
    ("log-flood", r#"{"lines": 100000000, "bytes": 8000}"#),
    ("many-calls", r#"{"count": 100000000, "url": "http://127.0.0.1:9/", "method": "POST", "name": "same"}"#),
];
/// Events of each attack: as many as a plugin has slots.
const EACH: usize = 8;
/// Events before the first that counts.
const WARM_UP: usize = 5;
/// Before the attackers are all at it.
const BUILD_UP: std::time::Duration = std::time::Duration::from_millis(300);

/// The row `beside`.
pub(super) struct Beside;

impl Row for Beside {
    fn about(&self) -> About {
        About {
            name: "beside",
            what: "latency of a plugin that behaves beside plugins that loop, allocate and flood",
            goal: "flat",
            reference: "the same host without attackers",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(bench.effort))
    }
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Line>> {
    let sinks = Sinks::start(1).await?;
    let folder = tempfile::tempdir()?;
    configuration(sinks.addresses[0]).save(folder.path())?;
    let host = Program::host(folder.path()).await?;
    let mut scene = Scene { to_host: Connection::open(host.address).await?, sinks, serial: 0, accepted: Vec::new() };
    scene.latencies(WARM_UP).await?;
    let samples = effort.samples.div_ceil(effort.rounds);
    let (mut middle, mut tail) = (Rounds::default(), Rounds::default());
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for round in 0..effort.rounds {
        let before = scene.latencies(samples).await?;
        let attacks = scene.attack(round).await?;
        tokio::time::sleep(BUILD_UP).await;
        let during = scene.latencies(samples).await?;
        scene.cancel(&attacks).await?;
        let after = scene.latencies(samples).await?;
        for (rounds, share) in [(&mut middle, 0.5), (&mut tail, 0.99)] {
            rounds.before.push(quantile(&before, share));
            rounds.subject.push(quantile(&during, share));
            rounds.after.push(quantile(&after, share));
        }
        alone.extend(before.into_iter().chain(after));
        beside.extend(during);
    }
    host.stop().await?;
    let fault = scene.sinks.count(&scene.accepted)?.fault();
    let rows = [("beside attackers p50", 0.5, middle), ("beside attackers p99", 0.99, tail)].into_iter().map(|(name, share, rounds)| {
        let mut row = Line::new(name, "flat", DURABLE);
        row.value = Some(Figure::new("", quantile(&beside, share), "ms"));
        row.reference = Some(Figure::new("the same host without attackers", quantile(&alone, share), "ms"));
        row.ratio = Some(rounds.ratio());
        row.against_itself = Some(rounds.against_itself());
        row.void_if(fault.clone());
        row.notes.push(format!(
            "{} events beside {} calls at a time of attackers ({}), {IDLE:?} apart, one http step; from intake to the sink; A/A: alone, before \
             and after",
            beside.len(),
            ATTACKS.len() * EACH,
            ATTACKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
        ));
        row
    });
    Ok(rows.collect())
}

struct Scene {
    to_host: Connection,
    sinks: Sinks,
    serial: u64,
    accepted: Vec<u64>,
}

impl Scene {
    /// Milliseconds of so many events, one after another.
    async fn latencies(&mut self, samples: usize) -> anyhow::Result<Vec<f64>> {
        let mut times = Vec::new();
        for _ in 0..samples {
            self.serial += 1;
            self.accepted.push(self.serial);
            let body = Bytes::from(event::structured("bench.latency", self.serial));
            times.push(through(&mut self.to_host, "/v1/events", body, &self.sinks, self.serial).await?);
            tokio::time::sleep(IDLE).await;
        }
        Ok(times)
    }

    /// Starts the attacks of a round; gives their events.
    async fn attack(&mut self, round: usize) -> anyhow::Result<Vec<String>> {
        let mut batch = Vec::new();
        for (action, input) in ATTACKS {
            for index in 0..EACH {
                let data: Value = serde_json::from_str(input)?;
                batch.push(json!({
                    "specversion": "1.0", "id": format!("{action}-{round}-{index}"), "source": "/attackers", "type": action, "data": data,
                }));
            }
        }
        let body = Bytes::from(serde_json::to_vec(&batch)?);
        let (status, answer) = self.to_host.post("/v1/events", "application/cloudevents-batch+json", body).await?;
        ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        let answer: Value = serde_json::from_slice(&answer)?;
        let accepted = answer["accepted"].as_array().context("a batch is accepted as a list")?;
        accepted.iter().map(|event| Ok(event["eid"].as_str().context("an event has an id")?.to_owned())).collect()
    }

    /// Ends them: they would go on for ever.
    async fn cancel(&mut self, events: &[String]) -> anyhow::Result<()> {
        for eid in events {
            let (status, answer) = self.to_host.post(&format!("/v1/events/{eid}/cancel"), "application/json", Bytes::from("{}")).await?;
            ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
        }
        // What is still in their guests has a second.
        tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
        Ok(())
    }
}

/// One plugin that behaves, and one for each attack, with limits and retries as they come.
fn configuration(sink: SocketAddr) -> Configuration {
    let behaves =
        Configuration::new().plugin("http", HTTP, sink, "").route("latency", "bench.latency", "").step("send", "http", sink, "", &[]);
    let component = sangam_tests::guest("misbehaving").display().to_string();
    ATTACKS.iter().fold(behaves, |configuration, (action, _)| {
        configuration
            .text(&format!("\n[plugins.{action}]\ncomponent = {component:?}\n"))
            .route(action, action, "")
            .text(&format!("\n[[routes.steps]]\nname = \"attack\"\nuses = \"{action}.{action}\"\n"))
    })
}
