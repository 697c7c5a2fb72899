//! Hosts that are killed, or asleep, in the middle of a batch: each run of it is done once, by whoever is left.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Stand};
use sangam_tests::{Host, HostFolder, TestStore, postgres};
use serde_json::{Value, json};

use super::{FOUR, ROUTES, arrivals, effects, four, gather, once, sent};
use crate::scene::{configuration, outcomes, sink};

const SIGKILL: i32 = 9;

fn events(sink: &Stand) -> Vec<Value> {
    (1..=4).map(|id| gather(sink, id, json!({}))).collect()
}

async fn live(folder: &HostFolder, at: &str) -> anyhow::Result<Host> {
    folder.start_with(&[("SANGAM_CRASH_AT", at)]).await
}

/// Runs that share a batch, on a database for several hosts.
fn shared(sink: &Stand) -> anyhow::Result<HostFolder> {
    let text = configuration(&sink.url(), FOUR, ROUTES).replace("[server]", "[server]\nlease = \"3s\"");
    HostFolder::on(TestStore::Postgres, &text)
}

/// Each event's run succeeds on that host, and each id took effect once.
async fn each_is_done_once(host: &Host, sink: &Stand, events: &[Value]) -> anyhow::Result<()> {
    for event in events {
        let eid = host.client.send(event).await?;
        host.client.until(&eid, "succeeded").await?;
    }
    ensure!(effects(sink) == once(1..=4), "{:?}", sent(sink));
    Ok(())
}

fn verified(folder: &HostFolder) -> anyhow::Result<()> {
    let verified = folder.run(&["store", "verify"], "")?;
    ensure!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
    Ok(())
}

fn signal(host: &Host, signal: &str) -> anyhow::Result<()> {
    let id = host.process().context("the host runs")?.to_string();
    ensure!(Command::new("kill").args([signal, &id]).status()?.success());
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_point_of_a_batch_each_of_its_runs_is_done_once() -> anyhow::Result<()> {
    // The first event, alone, passes some of them once.
    for at in ["batching", "batched", "intended:2", "answered:2", "sharing", "shared", "settling:3"] {
        let sink = sink().await?;
        let folder = HostFolder::new(&configuration(&sink.url(), FOUR, ROUTES))?;
        let events = events(&sink);
        let mut host = live(&folder, at).await?;
        let client = host.client.clone();
        // Whatever is answered when it dies.
        let (_, signal) = tokio::join!(four(&client, &sink, &events), host.died());
        ensure!(signal? == Some(SIGKILL), "{at}: it did not die there");
        let host = folder.start().await?;
        each_is_done_once(&host, &sink, &events).await.with_context(|| format!("killed at {at}"))?;
        host.terminate().await?;
        verified(&folder).context(at)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_host_finishes_the_batch_of_one_that_was_killed() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    for at in ["batched", "answered:2", "sharing", "shared"] {
        let sink = sink().await?;
        let folder = shared(&sink)?;
        let mut gone = live(&folder, at).await?;
        let left = folder.start().await?;
        let events = events(&sink);
        let client = gone.client.clone();
        let (_, signal) = tokio::join!(four(&client, &sink, &events), gone.died());
        ensure!(signal? == Some(SIGKILL), "{at}: it did not die there");
        each_is_done_once(&left, &sink, &events).await.with_context(|| format!("killed at {at}"))?;
        let sent = sent(&sink);
        ensure!(sent.iter().all(|one| *one == sent[0]), "{at}: the same runs under the same key: {sent:?}");
        left.terminate().await?;
        verified(&folder).context(at)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_host_that_slept_through_its_leases_adds_nothing_to_what_another_did() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let folder = shared(&sink)?;
    let sleeper = folder.start().await?;
    let awake = folder.start().await?;
    let events = events(&sink);
    sink.fault(Fault::once("/all", FaultAct::Delay { ms: 3000 }));
    let eids = four(&sleeper.client, &sink, &events).await?;
    arrivals(&sink, 1).await?;
    signal(&sleeper, "-STOP")?;
    each_is_done_once(&awake, &sink, &events).await?;
    signal(&sleeper, "-CONT")?;
    let told = async {
        while sleeper.log().matches("this outcome is discarded").count() < eids.len() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), told).await.with_context(|| sleeper.log())?;
    for eid in &eids {
        let document = sleeper.client.until(eid, "succeeded").await?;
        assert_eq!(outcomes(&document, "run")?, ["interrupted", "succeeded"], "{document:#}");
    }
    assert_eq!((sent(&sink).len(), effects(&sink)), (2, once(1..=4)));
    sleeper.terminate().await?;
    awake.terminate().await?;
    verified(&folder)
}
