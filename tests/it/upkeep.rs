//! What is over is removed, what is not stays; the store is measured, copied and verified beside a running host.

use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::{Client, HostFolder, TestStore};
use serde_json::{Value, json};

use crate::scene::{self, configuration, event, script};

const ROUTES: &str = r#"
[[routes]]
name = "script"
on = { type = "script" }
deadline = "90d"
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 1 }
"#;

fn keeping(sink: &str, retention: &str) -> String {
    format!("{}\n[store]\n{retention}\n", configuration(sink, "", ROUTES))
}

/// A script of one request.
fn post(id: &str, url: &str) -> Value {
    script(id, json!([{ "do": "write", "name": "x", "url": url }]))
}

async fn until_gone(client: &Client, eid: &str) -> anyhow::Result<()> {
    let look = async {
        while client.get(&format!("/v1/events/{eid}")).await?.status != 404 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(30), look).await.with_context(|| format!("event {eid} was not removed"))?
}

fn verified(folder: &HostFolder) -> anyhow::Result<()> {
    let done = folder.run(&["store", "verify"], "")?;
    ensure!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Ok(())
}

#[tokio::test]
async fn what_is_over_is_removed_and_what_is_not_stays() -> anyhow::Result<()> {
    let sink = scene::sink().await?;
    let folder = HostFolder::new(&keeping(&sink.url(), "retention = \"1d\"\ndedup-window = \"2d\""))?;
    let done = post("done", &format!("{}/done", sink.url()));
    let dead = script("dead", json!([{ "do": "fail", "kind": "rejected", "key": "never" }]));
    // 58 days, in milliseconds.
    let waiting = script("later", json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 5_000_000_000_i64 }]));
    let host = folder.start().await?;
    let done_eid = host.client.send(&done).await?;
    host.client.until(&done_eid, "succeeded").await?;
    let dead_eid = host.client.send(&dead).await?;
    host.client.until(&dead_eid, "dead").await?;
    let unrouted = host.client.send(&event("nobody", "nobody.wants", json!({}))).await?;
    let waiting_eid = host.client.send(&waiting).await?;
    while host.client.event(&waiting_eid).await?["runs"][0]["steps"][0]["attempts"].as_array().is_none_or(Vec::is_empty) {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    host.terminate().await?;

    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "36h")]).await?;
    until_gone(&host.client, &done_eid).await?;
    until_gone(&host.client, &unrouted).await?;
    ensure!(host.client.event(&dead_eid).await?["status"] == "dead", "a dead letter is kept for ever");
    ensure!(host.client.event(&waiting_eid).await?["status"] == "pending", "what has not ended is never removed");
    let again = host.client.send_raw(&done, "").await?;
    ensure!(again.json["accepted"][0]["duplicate"] == true, "its identity outlives the event: {}", again.text);
    host.terminate().await?;
    verified(&folder)?;

    folder.configure(&keeping(&sink.url(), "retention = \"1d\"\ndead-letter-retention = \"3d\"\ndedup-window = \"2d\""))?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "4d")]).await?;
    until_gone(&host.client, &dead_eid).await?;
    ensure!(host.client.event(&waiting_eid).await?["status"] == "pending", "what has not ended is never removed");
    // Identities are forgotten right after the events.
    let anew = async {
        loop {
            let again = host.client.send_raw(&done, "").await?;
            if again.json["accepted"][0]["duplicate"] == false {
                return anyhow::Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), anew).await.context("the identity was never forgotten")??;
    host.terminate().await?;
    verified(&folder)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_is_measured_copied_and_verified_while_the_host_works() -> anyhow::Result<()> {
    let sink = scene::sink().await?;
    let folder = HostFolder::new(&keeping(&sink.url(), ""))?;
    let host = folder.start().await?;
    let client = host.client.clone();
    let url = format!("{}/x", sink.url());
    let sending = async {
        for number in 0..50 {
            client.send_and_wait(&post(&format!("e{number}"), &url)).await?;
        }
        anyhow::Ok(())
    };
    let copy = folder.path().join("copy.db");
    let path = copy.to_str().context("a path in UTF-8")?.to_owned();
    let looking = async {
        // Somewhere in the middle of the load.
        while sink.requests().len() < 10 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        tokio::task::block_in_place(|| folder.run(&["store", "backup", &path], ""))
    };
    let (sent, backup) = tokio::join!(sending, looking);
    sent?;
    let backup = backup?;
    let size = folder.run(&["store", "size", "--json"], "")?;
    let size: Value = serde_json::from_slice(&size.stdout)?;
    let rows = |table: &str| {
        size["tables"].as_array().and_then(|tables| tables.iter().find(|known| known["table"] == table)).map(|known| known["rows"].clone())
    };
    ensure!(rows("event") == Some(json!(50)) && rows("run") == Some(json!(50)), "{size:#}");
    ensure!(size["bytes"].as_u64() > Some(0) && size["open_runs"] == 0, "{size:#}");
    verified(&folder)?;
    if TestStore::wanted()? == TestStore::Postgres {
        ensure!(!backup.status.success());
        ensure!(String::from_utf8_lossy(&backup.stderr).contains("pg_dump"), "{backup:?}");
        return Ok(());
    }
    ensure!(backup.status.success(), "{}", String::from_utf8_lossy(&backup.stderr));
    ensure!(!folder.run(&["store", "backup", &path], "")?.status.success(), "a copy overwrites nothing");
    ensure!(folder.run(&["store", "verify", &path], "")?.status.success(), "a copy is whole");
    // A host on the copy has what was there at that moment, whole, and goes on.
    host.terminate().await?;
    std::fs::copy(&copy, folder.path().join("data/sangam.db"))?;
    for log in ["data/sangam.db-wal", "data/sangam.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(log)); // gone after a clean end
    }
    let host = folder.start().await?;
    let events = host.client.get("/v1/events?limit=100").await?;
    let events = events.json["events"].as_array().context("a list")?;
    ensure!((10..=50).contains(&events.len()), "{} events", events.len());
    for event in events {
        host.client.until(event["eid"].as_str().context("an eid")?, "succeeded").await?;
    }
    // One damaged page is found.
    let mut bytes = std::fs::read(&copy)?;
    let middle = bytes.len() / 2 / 4096 * 4096;
    bytes[middle..middle + 4096].fill(0x5a);
    std::fs::write(&copy, bytes)?;
    let damaged = folder.run(&["store", "verify", &path], "")?;
    ensure!(damaged.status.code() == Some(1), "{}", String::from_utf8_lossy(&damaged.stdout));
    Ok(())
}
