//! What a host tells when a credential breaks and when it works again.

use super::*;

/// A route that reacts to both events, by a plugin whose only credential is the one that breaks.
const ALERTS: &str = r#"
[[routes]]
name = "alert"
on = { type = "sangam.credential.*" }
[[routes.steps]]
name = "tell"
uses = "s.run"
with = { lines = [{ do = "write", name = "alert", url = "{alerts}/${ .event.type }", body = "${ .event.data }" }] }
retry = { max-attempts = 3, initial = "10ms" }
"#;

async fn until(what: &str, mut holds: impl AsyncFnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
    let end = tokio::time::Instant::now() + Duration::from_secs(30);
    while !holds().await? {
        ensure!(tokio::time::Instant::now() < end, "{what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

/// Types of the host's own events, the oldest first.
async fn told(client: &Client) -> anyhow::Result<Vec<String>> {
    let listed = client.get("/v1/events?source=/sangam/credentials/books").await?;
    let mut types: Vec<String> = listed.json["events"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|event| event["event"]["type"].as_str().unwrap_or_default().to_owned())
        .collect();
    types.reverse();
    Ok(types)
}

#[tokio::test]
async fn a_break_and_its_end_are_each_told_once_by_several_hosts() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let (vendor, alerts) = (vendor().await?, sink().await?);
    let routes = format!("{SCRIPT}{}", ALERTS.replace("{alerts}", &alerts.url()));
    let folder = refreshing(TestStore::Postgres, &vendor, &routes).await?;
    let text = std::fs::read_to_string(folder.path().join("sangam.toml"))?;
    folder.configure(&text.replace(
        &format!("allow-hosts = [\"{}\"]", vendor.url()),
        &format!("allow-hosts = [\"{}\", \"{}\"]", vendor.url(), alerts.url()),
    ))?;
    let hosts = [folder.start().await?, folder.start().await?];
    let read = |id: &str| script(id, json!([{ "do": "read", "url": format!("{}/api/r", vendor.url()) }]));
    hosts[0].client.send_and_wait(&read("1")).await?;
    vendor.set("revoke", true).map_err(anyhow::Error::msg)?;
    // Both hosts meet the revoked token.
    let waiting = [hosts[0].client.send(&read("2")).await?, hosts[1].client.send(&read("3")).await?];
    for eid in &waiting {
        hosts[0].client.until(eid, "waiting").await?;
    }
    until("no alert came", async || Ok(!alerts.requests().is_empty())).await?;
    tokio::time::sleep(Duration::from_secs(6)).await; // a look of each host
    assert_eq!(told(&hosts[1].client).await?, ["sangam.credential.broken"]);
    let alert: Value = serde_json::from_str(&alerts.requests()[0].body)?;
    assert_eq!((&alert["credential"], &alert["type"]), (&json!("books"), &json!("oauth2-refresh-token")));
    assert!(alert["reason"].as_str().is_some_and(|reason| reason.contains("invalid_grant")), "{alert}");
    // Each host says so, whichever of them met it; one that was started a moment ago, too.
    let late = folder.start().await?;
    for host in hosts.iter().chain([&late]) {
        let broken = state(&host.client, "books").await?;
        assert_eq!((&broken["state"], broken["broken_at"].is_string()), (&json!("broken"), true), "{broken}");
        assert!(broken["last_error"].as_str().is_some_and(|why| why.contains("invalid_grant")), "{broken}");
        let overview = host.client.get("/v1/overview").await?.json;
        assert_eq!(overview["credentials"][0]["state"], "broken", "{overview:#}");
    }
    let listed = folder.run(&["credentials", "list", "--url", &late.client.url], "")?;
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(listed.contains("books") && listed.contains("invalid_grant"), "{listed}");
    late.kill().await?;

    // Somebody sets a good refresh token in place of the old one.
    vendor.set("refresh-token", "strict-refresh-another").map_err(anyhow::Error::msg)?;
    folder.secret("first", "strict-refresh-another")?;
    for eid in &waiting {
        hosts[0].client.until(eid, "succeeded").await?;
    }
    until("its end was not told", async || Ok(told(&hosts[0].client).await?.len() == 2)).await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(told(&hosts[1].client).await?, ["sangam.credential.broken", "sangam.credential.healed"]);
    assert_eq!(alerts.requests().len(), 2);
    for host in &hosts {
        assert_ne!(state(&host.client, "books").await?["state"], "broken", "it works again");
    }
    for host in hosts {
        host.kill().await?;
    }
    Ok(())
}

#[tokio::test]
async fn an_alert_that_needs_what_is_broken_waits_and_makes_no_further_alerts() -> anyhow::Result<()> {
    let vendor = vendor().await?;
    let routes = format!("{SCRIPT}{}", ALERTS.replace("{alerts}", &format!("{}/api", vendor.url())));
    let folder = refreshing(TestStore::wanted()?, &vendor, &routes).await?;
    let host = folder.start().await?;
    vendor.set("revoke", true).map_err(anyhow::Error::msg)?;
    let eid = host.client.send(&script("1", json!([{ "do": "read", "url": format!("{}/api/r", vendor.url()) }]))).await?;
    host.client.until(&eid, "waiting").await?;
    until("nothing was told", async || Ok(told(&host.client).await? == ["sangam.credential.broken"])).await?;
    let listed = host.client.get("/v1/events?source=/sangam/credentials/books").await?;
    let alert = listed.json["events"][0]["eid"].as_str().unwrap_or_default().to_owned();
    host.client.until(&alert, "waiting").await?;
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(told(&host.client).await?, ["sangam.credential.broken"]);
    // The vendor is asked again only when something has changed.
    let asked = vendor.requests().iter().filter(|request| request.path == "/token").count();
    assert!(asked <= 2, "{asked} times");
    host.kill().await
}

#[tokio::test]
async fn a_fixed_value_that_its_system_refuses_is_broken_until_another_is_set() -> anyhow::Result<()> {
    let sink = sink().await?;
    let credential = format!("[credentials.books]\ntype = \"bearer\"\nhosts = [\"{}\"]\ntoken = \"${{secret:value}}\"\n", sink.url());
    let folder = HostFolder::new(&configuration(&sink.url(), "credentials = [\"books\"]", &format!("{SCRIPT}{credential}")))?;
    folder.secret("value", "value-of-old")?;
    let host = folder.start().await?;
    // A plugin's word alone breaks nothing.
    let claim = json!([{ "do": "write", "name": "w", "url": format!("{}/a", sink.url()) }, { "do": "fail", "kind": "unauthorized", "key": "so I say" }]);
    let claimed = host.client.send(&script("1", claim)).await?;
    host.client.until(&claimed, "waiting").await?;
    assert_eq!(state(&host.client, "books").await?["state"], "ok");
    let refusal = FaultAct::Status { status: 401, headers: [].into(), body: String::new() };
    sink.fault(Fault { times: 9, ..Fault::once("/b", refusal) });
    let refused = host.client.send(&script("2", json!([{ "do": "read", "url": format!("{}/b", sink.url()) }]))).await?;
    host.client.until(&refused, "waiting").await?;
    let broken = state(&host.client, "books").await?;
    assert_eq!(broken["state"], "broken", "{broken}");
    until("it was not told", async || Ok(told(&host.client).await? == ["sangam.credential.broken"])).await?;
    // The system is well with another.
    sink.reset();
    folder.secret("value", "value-of-new")?;
    until("its end was not told", async || Ok(told(&host.client).await?.len() == 2)).await?;
    assert_eq!(told(&host.client).await?[1], "sangam.credential.healed");
    host.kill().await
}
