//! Hosts on one store that renew one credential.

use super::*;

/// Events for each host.
const EVENTS: usize = 60;

/// How long an access token is good.
const TOKEN_LIFE: Duration = Duration::from_secs(3);

/// A route whose steps read at the vendor and take their time, so that tokens end meanwhile.
const ROUTE: &str = r#"
[[routes]]
name = "script"
on = { type = "script" }
[[routes.steps]]
name = "run"
uses = "s.run"
retry = { max-attempts = 8, initial = "200ms", factor = 2, jitter = 0.2 }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_hosts_renew_a_rotating_token_once_each_time_and_one_dies_in_the_middle() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let vendor = vendor().await?;
    // Due after half of it, and used all the time.
    vendor.set("access-token-life-s", TOKEN_LIFE.as_secs()).map_err(anyhow::Error::msg)?;
    let first = refreshing(TestStore::Postgres, &vendor, ROUTE).await?;
    let database = first.database().context("it is on PostgreSQL")?;
    let text = std::fs::read_to_string(first.path().join("sangam.toml"))?;
    // Each in a folder of its own, where its name in leases is.
    let mut hosts = Vec::new();
    for number in 0..3 {
        let folder = HostFolder::on(TestStore::Sqlite, &text)?;
        std::fs::copy(first.path().join("sangam.key"), folder.path().join("sangam.key"))
            .with_context(|| format!("the key of host {number}"))?;
        let host = folder.start().await?;
        hosts.push((std::fs::read_to_string(folder.path().join("data/host.id"))?.trim().to_owned(), host, folder));
    }
    let mut eids = Vec::new();
    let mut number = 0;
    let mut send = async |hosts: &[(String, Host, HostFolder)], eids: &mut Vec<String>| -> anyhow::Result<()> {
        for (_, host, _) in hosts {
            number += 1;
            let lines = json!([
                { "do": "read", "url": format!("{}/api/r{number}", vendor.url()) },
                { "do": "sleep", "amount": 50 },
                { "do": "write", "name": "w", "url": format!("{}/api/w{number}", vendor.url()) },
            ]);
            eids.push(host.client.send(&script(&number.to_string(), lines)).await?);
        }
        Ok(())
    };
    // Tokens end while all three use them.
    for _ in 0..EVENTS / 2 {
        send(&hosts, &mut eids).await?;
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    ensure!(vendor.state()["refreshes"].as_u64() >= Some(2), "no token ended: {}", vendor.state());
    // The next refresh reaches the vendor and is not looked at; whoever asked is killed over it.
    vendor.fault(Fault { times: 1, ..Fault::once("/token", FaultAct::Hang) });
    let asked = vendor.requests().iter().filter(|request| request.path == "/token").count();
    let hung = async {
        while vendor.requests().iter().filter(|request| request.path == "/token").count() == asked {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    send(&hosts, &mut eids).await?;
    tokio::time::timeout(Duration::from_secs(30), hung).await.context("nobody refreshed")?;
    let holder = database.ask("select lease_holder from credential where name = 'books'")?;
    let at = hosts.iter().position(|(name, ..)| holder.starts_with(name)).with_context(|| format!("nobody has the turn: {holder:?}"))?;
    let (_, dead, _folder) = hosts.remove(at);
    dead.kill().await?;
    // The token they have is good for a while yet; the events after that need one that a living host fetched.
    tokio::time::sleep(TOKEN_LIFE).await;
    for _ in 0..EVENTS / 2 {
        send(&hosts, &mut eids).await?;
    }
    let client = hosts[0].1.client.clone();
    for eid in &eids {
        let done = async {
            loop {
                let document = client.event(eid).await?;
                if document["status"] == "succeeded" {
                    return anyhow::Ok(());
                }
                ensure!(document["status"] != "dead", "{document:#}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        // The dead host's turn ends after 45 s, and the others wait for that.
        tokio::time::timeout(Duration::from_secs(120), done).await.with_context(|| format!("{eid} is not done"))??;
    }
    let books = vendor.state();
    assert_eq!((&books["most_uses"], &books["revoked"]), (&json!(1), &json!(false)), "a refresh token was used twice: {books}");
    let writes = vendor.requests().into_iter().filter(|request| request.path.starts_with("/api/w") && request.status == Some(200));
    let written: std::collections::BTreeSet<String> = writes.map(|request| request.path).collect();
    assert_eq!(written.len(), eids.len(), "every event did its write");
    let mut counted = 0;
    for (_, host, _folder) in hosts {
        let metrics = host.client.get("/metrics").await?.text;
        let line = metrics.lines().find(|line| line.starts_with("sangam_credential_refreshes_total{credential=\"books\",outcome=\"ok\"}"));
        counted += line.and_then(|line| line.rsplit(' ').next()?.parse::<u64>().ok()).context("no metric")?;
        assert_eq!(host.terminate().await?, Some(0));
    }
    assert!(counted > 0 && counted <= books["refreshes"].as_u64().unwrap_or(0), "{counted} of {books}");
    Ok(())
}

#[tokio::test]
async fn a_host_that_is_started_again_takes_its_refresh_up_at_once() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let folder = refreshing(TestStore::wanted()?, &vendor, SCRIPT).await?;
    let host = folder.start().await?;
    vendor.fault(Fault::once("/token", FaultAct::Hang));
    let eid = host.client.send(&script("1", json!([{ "do": "read", "url": format!("{}/api/r", vendor.url()) }]))).await?;
    let asked = async {
        while vendor.requests().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), asked).await?;
    host.kill().await?;
    let host = folder.start().await?;
    // Long before the turn of the former life would have ended.
    let document = tokio::time::timeout(Duration::from_secs(20), host.client.until(&eid, "succeeded")).await??;
    assert_eq!(document["status"], "succeeded");
    assert_eq!(vendor.state()["most_uses"], 1);
    host.kill().await
}
