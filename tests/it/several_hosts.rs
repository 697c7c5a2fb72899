//! Hosts that share one database, as far as the loss of one of them goes.

use anyhow::Context as _;
use sangam_saas::{Fault, FaultAct};
use sangam_tests::{HostFolder, TestStore, postgres};
use serde_json::json;

use crate::scene::{SCRIPT, configuration, event, outcomes, script, sink};

#[tokio::test]
async fn a_host_that_does_not_come_back_is_stood_in_for_under_the_same_keys() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", SCRIPT).replace("[server]", "[server]\nlease = \"1s\"");
    let folder = HostFolder::on(TestStore::Postgres, &text)?;
    let gone = folder.start().await?;
    // Longer than another host takes to start.
    sink.fault(Fault::once("/w", FaultAct::Delay { ms: 5000 }));
    let write = json!([{ "do": "write", "name": "w", "url": format!("{}/w", sink.url()) }]);
    let eid = gone.client.send(&script("1", write)).await?;
    let arrived = async {
        while sink.requests().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), arrived).await?;
    // It is there before the other goes, and not by the same name.
    let left = folder.start().await?;
    gone.kill().await?;
    let document = left.client.until(&eid, "succeeded").await?;
    assert_eq!(outcomes(&document, "run")?, ["interrupted", "succeeded"]);
    let keys: Vec<_> = sink.requests().iter().map(|request| request.headers["idempotency-key"].clone()).collect();
    assert_eq!((keys.len(), &keys[0]), (2, &keys[1]));
    assert_eq!(sink.state()["count"], 1, "done once");
    left.kill().await
}

/// Waits until an event's first run has that reason.
async fn until_said(client: &sangam_tests::Client, eid: &str, said: &str) -> anyhow::Result<()> {
    let look = async {
        loop {
            let event = client.event(eid).await?;
            if event["runs"][0]["status_reason"].as_str().is_some_and(|reason| reason.contains(said)) {
                return anyhow::Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(90), look).await.with_context(|| format!("event {eid} never said {said:?}"))?
}

#[tokio::test]
async fn a_host_leaves_to_others_what_it_cannot_serve() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let text = configuration(&sink.url(), "", SCRIPT);
    let folder = HostFolder::on(TestStore::Postgres, &text)?;
    let able = folder.start_with(&[("ONLY_HERE", "hello")]).await?;
    let unable = folder.start().await?;
    // From now on the plugin's configuration needs what only one of them has.
    folder.configure(&text.replace("[plugins.s]\n", "[plugins.s]\nconfig = { greeting = \"${env:ONLY_HERE}\" }\n"))?;
    let reloaded = able.client.post("/v1/reload", &json!({})).await?;
    assert_eq!(reloaded.status, 200, "{}", reloaded.text);
    for number in 0..8 {
        let lines = json!([{ "do": "write", "name": "w", "url": format!("{}/w{number}", sink.url()) }]);
        let event = able.client.send_and_wait(&script(&format!("new-{number}"), lines.clone())).await?;
        assert_eq!((&event["status"], &event["runs"][0]["revision"]), (&json!("succeeded"), &json!(2)), "{event:#}");
        // The other one goes on with what it has.
        let event = unable.client.send_and_wait(&script(&format!("old-{number}"), lines)).await?;
        assert_eq!((&event["status"], &event["runs"][0]["revision"]), (&json!("succeeded"), &json!(1)), "{event:#}");
    }
    // Nobody is left who can: the run says so, and waits.
    let later = json!([{ "do": "fail", "kind": "rate-limited", "key": "later", "amount": 1000, "on": [1] }]);
    let eid = able.client.send(&script("waits", later)).await?;
    able.client.until(&eid, "pending").await?;
    able.kill().await?;
    until_said(&unable.client, &eid, "no host that is up can load revision 2").await?;
    let able = folder.start_with(&[("ONLY_HERE", "hello")]).await?;
    able.client.until(&eid, "succeeded").await?;
    unable.kill().await?;
    able.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repetition_that_comes_while_another_host_removes_its_event_is_known() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let sink = sink().await?;
    let in_line = SCRIPT.replace("name = \"script\"", "name = \"line\"\norder-by = \".event.data.key\"").replace("\"script\"", "\"line\"");
    let folder = HostFolder::on(TestStore::Postgres, &configuration(&sink.url(), "", &format!("{SCRIPT}{in_line}")))?;
    let host = folder.start().await?;
    for kind in ["script", "line"] {
        let event = event(kind, kind, json!({ "key": "k", "lines": [] }));
        let document = host.client.send_and_wait(&event).await?;
        let eid = document["eid"].as_str().context("it has an eid")?.to_owned();
        // What a pass of the retention writes, and the repetition in the middle of it.
        let removed = format!(
            "begin; insert into seen (source, id, eid, digest, until) select source, id, eid, digest, seen_until from event where eid = '{eid}'; \
             delete from event where eid = '{eid}'; select pg_sleep(2); commit"
        );
        let client = host.client.clone();
        let again = tokio::spawn(async move {
            tokio::time::sleep(std::time::Duration::from_millis(700)).await;
            client.send_raw(&event, "").await
        });
        let database = folder.database().context("it is on PostgreSQL")?;
        tokio::task::block_in_place(|| database.ask(&removed))?;
        let again = again.await??;
        assert_eq!(
            (&again.json["accepted"][0]["duplicate"], &again.json["accepted"][0]["eid"]),
            (&json!(true), &json!(eid)),
            "{kind}: {}",
            again.text
        );
        assert_eq!(database.ask("select count(*) from event")?, "0", "{kind}: and nothing is left of the repetition");
    }
    host.terminate().await?;
    Ok(())
}
