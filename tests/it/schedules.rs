//! Schedules: an event at each moment that a cron line means, once, whatever becomes of hosts.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use sangam_tests::{Client, HostFolder, TestStore, guest, postgres};
use serde_json::{Value, json};

/// SIGKILL.
const KILLED: i32 = 9;

fn configuration(source: &str) -> String {
    format!(
        "[server]\nlisten = \"127.0.0.1:0\"\naccess = \"open\"\nlease = \"1s\"\n[plugins.s]\ncomponent = {:?}\nallow-hosts = []\n\
         [[sources]]\nname = \"tick\"\ntype = \"schedule\"\n{source}\n",
        guest("scripted")
    )
}

/// Events by id, and how often each is there.
async fn fired(client: &Client) -> anyhow::Result<BTreeMap<String, u32>> {
    let mut ids = BTreeMap::new();
    let page = client.get("/v1/events?source=/sources/tick&limit=500").await?.json;
    for event in page["events"].as_array().context("a list of events")? {
        *ids.entry(event["event"]["id"].as_str().unwrap_or_default().to_owned()).or_default() += 1;
    }
    Ok(ids)
}

async fn until(client: &Client, what: &str, wanted: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
    let mut last = Value::Null;
    for _ in 0..800 {
        let answer = client.get("/v1/sources/tick").await?;
        ensure!(answer.status == 200, "{}", answer.text);
        last = answer.json;
        if wanted(&last) {
            return Ok(last);
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    anyhow::bail!("the schedule never {what}: {last:#}")
}

#[tokio::test]
async fn a_schedule_fires_at_its_moments_and_says_when_the_next_is() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration(
        "cron = \"* * * * * *\"\ntime-zone = \"Asia/Kolkata\"\nevent-type = \"tick.second\"\nevent = { subject = \"${ .time_zone }\", data = { at = \"${ .scheduled_at }\" } }",
    ))?;
    let host = folder.start().await?;
    let shown = until(&host.client, "fired three times", |source| source["events"].as_u64() >= Some(3)).await?;
    assert_eq!(shown["upcoming"].as_array().map(Vec::len), Some(3), "{shown:#}");
    assert!(shown["next_at"].is_string());
    let page = host.client.get("/v1/events?source=/sources/tick&limit=500").await?.json;
    let events: Vec<&Value> = page["events"].as_array().context("a list")?.iter().map(|event| &event["event"]).collect();
    let mut times: Vec<jiff::Timestamp> = Vec::new();
    for event in events.iter().rev() {
        let at: jiff::Timestamp = event["id"].as_str().context("an id")?.parse()?;
        assert_eq!(
            (&event["time"], &event["type"], &event["subject"]),
            (&json!(at.to_string()), &json!("tick.second"), &json!("Asia/Kolkata"))
        );
        let said = event["data"]["at"].as_str().context("when")?;
        assert!(said.ends_with("+05:30") && said.parse::<jiff::Timestamp>()? == at, "{said} is not {at}");
        times.push(at);
    }
    assert!(times.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_secs() == 1), "one each second: {times:?}");
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_every_point_a_schedule_fires_each_moment_once() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration("cron = \"* * * * * *\"\nevent-type = \"tick\"\nmissed = \"all\"\nmissed-after = \"1m\""))?;
    let mut count = 0;
    for at in ["sourcing", "firing", "fired", "firing:2", "fired:3"] {
        if let Some(mut host) = folder.start_armed(at).await? {
            ensure!(host.died().await? == Some(KILLED), "at {at}");
        }
        let host = folder.start().await?;
        until(&host.client, "went on", |source| source["events"].as_u64() >= Some(count + 2))
            .await
            .with_context(|| format!("after {at}"))?;
        count = u64::try_from(fired(&host.client).await?.len())?;
        host.kill().await?;
    }
    let host = folder.start().await?;
    let ids = fired(&host.client).await?;
    let mut times = ids.keys().map(|id| Ok(id.parse::<jiff::Timestamp>()?)).collect::<anyhow::Result<Vec<_>>>()?;
    times.sort();
    assert!(ids.values().all(|count| *count == 1));
    // Every second since the first: those that fell into a death were made up for.
    assert!(times.windows(2).all(|pair| pair[1].duration_since(pair[0]).as_secs() == 1), "{times:?}");
    host.kill().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hosts_that_share_a_store_fire_each_moment_once() -> anyhow::Result<()> {
    if !postgres::is_there()? {
        return Ok(());
    }
    let folder = HostFolder::on(TestStore::Postgres, &configuration("cron = \"* * * * * *\"\nevent-type = \"tick\""))?;
    let (first, second, third) = tokio::try_join!(folder.start(), folder.start(), folder.start())?;
    until(&first.client, "fired", |source| source["events"].as_u64() >= Some(6)).await?;
    let shown = until(&second.client, "fired", |source| source["events"].as_u64() >= Some(7)).await?;
    let ids = fired(&third.client).await?;
    assert!(ids.values().all(|count| *count == 1), "{ids:?}");
    assert_eq!(shown["duplicates"], 0, "nobody else had the same moment");
    first.kill().await?;
    second.kill().await?;
    third.kill().await
}

/// Starts a host days later; gives what it has fired by then.
async fn days_later(missed: &str) -> anyhow::Result<(Vec<Value>, Value)> {
    let folder =
        HostFolder::new(&configuration(&format!("cron = \"0 9 * * *\"\ntime-zone = \"Europe/Berlin\"\nevent-type = \"tick\"\n{missed}")))?;
    let host = folder.start().await?;
    until(&host.client, "was known", |source| source["next_at"].is_string()).await?;
    assert_eq!(fired(&host.client).await?.len(), 0, "what was meant before it was there does not fire");
    host.kill().await?;
    let host = folder.start_with(&[("SANGAM_CLOCK_AHEAD", "10d")]).await?;
    let now = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(9 * 24);
    let shown = until(&host.client, "looked ahead", |source| {
        source["next_at"].as_str().and_then(|at| at.parse::<jiff::Timestamp>().ok()).is_some_and(|at| at > now)
    })
    .await?;
    let page = host.client.get("/v1/events?source=/sources/tick&limit=500").await?.json;
    let events = page["events"].as_array().context("a list")?.iter().rev().map(|event| event["event"].clone()).collect();
    host.kill().await?;
    Ok((events, shown))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn firings_that_no_host_saw_are_made_up_for_by_policy() -> anyhow::Result<()> {
    let (skipped, _) = days_later("missed = \"skip\"").await?;
    assert_eq!(skipped, Vec::<Value>::new());
    let (once, _) = days_later("missed = \"once\"").await?;
    assert_eq!(once.len(), 1, "{once:#?}");
    assert_eq!(once[0]["data"]["missed"], true);
    let (all, shown) = days_later("missed = \"all\"").await?;
    assert!((9..=11).contains(&all.len()), "{} of ten days: {shown:#}", all.len());
    let (bounded, _) = days_later("missed = \"all\"\nmissed-most = 3").await?;
    assert_eq!(bounded.len(), 3);
    assert_eq!(bounded.last().map(|event| &event["id"]), all.last().map(|event| &event["id"]), "the last ones");
    Ok(())
}

#[tokio::test]
async fn a_paused_schedule_does_not_make_up_for_what_was_meant_meanwhile() -> anyhow::Result<()> {
    let folder = HostFolder::new(&configuration("cron = \"* * * * * *\"\nevent-type = \"tick\"\nmissed = \"all\""))?;
    let host = folder.start().await?;
    until(&host.client, "fired", |source| source["events"].as_u64() >= Some(1)).await?;
    ensure!(host.client.post("/v1/sources/tick/pause", &json!({})).await?.status == 200);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = fired(&host.client).await?.len();
    tokio::time::sleep(Duration::from_millis(3000)).await;
    assert_eq!(fired(&host.client).await?.len(), before);
    ensure!(host.client.post("/v1/sources/tick/resume", &json!({})).await?.status == 200);
    until(&host.client, "went on", |source| source["events"].as_u64() > Some(before as u64)).await?;
    let ids = fired(&host.client).await?;
    let times: Vec<jiff::Timestamp> = ids.keys().map(|id| Ok(id.parse()?)).collect::<anyhow::Result<_>>()?;
    let longest = times.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).max();
    assert!(longest >= Some(3), "{times:?}");
    host.kill().await
}

#[test]
fn check_shows_the_next_firings_and_refuses_what_never_fires() -> anyhow::Result<()> {
    let folder = HostFolder::on(
        TestStore::Sqlite,
        &configuration("cron = \"30 2 * * *\"\ntime-zone = \"Australia/Lord_Howe\"\nevent-type = \"tick\""),
    )?;
    let said = folder.run(&["check"], "")?;
    let text = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    assert!(text.contains("source tick: schedule 30 2 * * * (Australia/Lord_Howe)"), "{text}");
    assert_eq!(text.lines().filter(|line| line.contains("fires at") && line.contains("02:30:00 +1")).count(), 3, "{text}");
    for (line, said) in [
        ("cron = \"0 0 30 2 *\"", "never fires"),
        ("cron = \"at nine\"", "no cron line"),
        ("cron = \"0 9 * * *\"\ntime-zone = \"Mars/Olympus\"", "nobody knows the time zone \"Mars/Olympus\""),
        ("cron = \"0 9 * * *\"\nmissed = \"never\"", "`missed` can't be \"never\""),
        ("cron = \"0 9 * * *\"\njitter = \"2h\"", "must be from 0s to 1h"),
    ] {
        folder.configure(&configuration(&format!("{line}\nevent-type = \"tick\"")))?;
        let output = folder.run(&["check"], "")?;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.code() == Some(2) && text.contains(said), "{line}: {text}");
    }
    Ok(())
}
