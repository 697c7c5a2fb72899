//! A slow or dead system holds back no other, and nobody spins for it.

use std::time::Duration;

use anyhow::Context as _;
use sangam_saas::FaultAct;
use serde_json::{Value, json};

use crate::scene::{Scene, event};

/// Runs of the slow route that wait: far more than may be under way.
const BACKLOG: usize = 3000;

/// A route that posts its event's number to a path of its name.
fn route(name: &str, plugin: &str) -> String {
    format!(
        "[[routes]]\nname = \"{name}\"\non = {{ type = \"{name}\" }}\n[[routes.steps]]\nname = \"run\"\nuses = \"{plugin}\"\n\
         retry = {{ max-attempts = 3, initial = \"10ms\", factor = 1, jitter = 0 }}\n"
    )
}

fn write(scene: &Scene, id: &str, kind: &str) -> Value {
    event(id, kind, json!({ "lines": [{ "do": "write", "name": "w", "url": scene.url(&format!("/{kind}")) }] }))
}

/// Gives the `eid`s of those that are claimed first.
async fn pile_up(scene: &Scene, kind: &str) -> anyhow::Result<Vec<String>> {
    let mut early = Vec::new();
    for portion in 0..BACKLOG / 500 {
        let batch: Vec<Value> = (0..500).map(|number| write(scene, &format!("{kind}-{portion}-{number}"), kind)).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "").await?;
        anyhow::ensure!(answer.status == 202, "{}", answer.text);
        let accepted = answer.json["accepted"].as_array().into_iter().flatten();
        early.extend(accepted.filter_map(|accepted| accepted["eid"].as_str().map(str::to_owned)));
    }
    early.truncate(200);
    Ok(early)
}

#[tokio::test]
async fn a_backlog_for_a_hanging_system_holds_back_no_other_route() -> anyhow::Result<()> {
    let scene = Scene::start(&(route("slow", "s.run") + &route("quick", "m.fine"))).await?;
    // Each call takes all its time: eight at once, none of which ends while this test runs.
    scene.fault("/slow", FaultAct::Delay { ms: 25_000 }, u32::MAX);
    pile_up(&scene, "slow").await?;
    scene.arrived("/slow").await?;
    for number in 0..50 {
        let document = scene.client().send_and_wait(&event(&format!("quick-{number}"), "quick", json!({}))).await?;
        assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
    }
    assert!(scene.requests("/slow").len() <= 8, "more calls at once than the plugin's concurrency");
    let depth = scene.client().get("/metrics").await?.text;
    let depth = depth.lines().find_map(|line| line.strip_prefix("sangam_queue_depth ")).and_then(|depth| depth.parse::<usize>().ok());
    assert_eq!(depth, Some(BACKLOG), "all others of the slow route still wait");
    Ok(())
}

#[tokio::test]
async fn a_backlog_behind_an_open_breaker_is_not_looked_at_again_and_again() -> anyhow::Result<()> {
    let scene = Scene::granting("breaker = { failures = 3, cooldown = \"20s\" }", &route("down", "s.run")).await?;
    scene.answer("/down", 503, u32::MAX);
    let early = pile_up(&scene, "down").await?;
    // The breaker opens with the first few; whatever comes after finds it open.
    let opened = loop {
        let plugins = scene.client().get("/v1/plugins").await?.json;
        let plugin = plugins["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "s").cloned().unwrap_or_default();
        let host = plugin["breaker"]["hosts"][0].clone();
        if host["state"] == "open" {
            break host;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert!(opened["open_until"].is_string() && opened["failures"].as_u64().is_some_and(|failures| failures >= 3), "{opened}");
    let attempts = |text: &str| -> usize {
        let busy = text.lines().filter(|line| line.starts_with("sangam_step_attempts_total") && line.contains("outcome=\"busy\""));
        busy.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
    };
    // A window that narrows by one with each run that finds nothing to do: about as many looks as it is wide, then a few a second.
    let mut before = 0;
    let calm = loop {
        let now = attempts(&scene.client().get("/metrics").await?.text);
        if now > 0 && now - before <= 60 {
            break now;
        }
        before = now;
        tokio::time::sleep(Duration::from_secs(1)).await;
    };
    assert!(calm < BACKLOG / 2, "{calm} looks at a system that is left alone");
    assert!(scene.requests("/down").len() <= 3 + 8, "{} requests to it", scene.requests("/down").len());
    // Some found no slot, some the breaker open; which is a matter of moments.
    let mut held = None;
    for eid in &early {
        let document = scene.client().event(eid).await?;
        let held_back = document["status_reason"].as_str().is_some_and(|reason| reason.contains("busy") && reason.contains("breaker"));
        held = held.or(held_back.then_some(document));
    }
    let held = held.context("no held run says that the breaker holds it")?;
    assert_eq!(held["status"], "pending");
    assert!(held["runs"][0]["next_attempt_at"].is_string(), "{held:#}");
    Ok(())
}

/// A limiter's test on a store that hosts share; skipped with a word where there is no PostgreSQL.
async fn shared(grants: &str) -> anyhow::Result<Option<(Scene, sangam_tests::Host)>> {
    if !sangam_tests::postgres::is_there()? {
        return Ok(None);
    }
    let sink = crate::scene::sink().await?;
    let text = crate::scene::configuration(&sink.url(), grants, &route("t", "s.run").replace("max-attempts = 3", "max-attempts = 20"));
    let folder = sangam_tests::HostFolder::on(sangam_tests::TestStore::Postgres, &text)?;
    let host = folder.start().await?;
    let other = folder.start().await?;
    Ok(Some((Scene { sink, folder, host }, other)))
}

#[tokio::test]
async fn hosts_on_one_store_share_a_breaker_and_its_one_probe() -> anyhow::Result<()> {
    let Some((scene, other)) = shared("breaker = { failures = 3, cooldown = \"3s\" }").await? else { return Ok(()) };
    // Each host counts what it sees itself; of twelve failures one of the two sees three in a row.
    scene.answer("/t", 503, 12);
    let batch: Vec<Value> = (0..40).map(|number| write(&scene, &number.to_string(), "t")).collect();
    assert_eq!(scene.client().send_raw(&Value::Array(batch), "").await?.status, 202);
    let state = async |client: &sangam_tests::Client| -> anyhow::Result<String> {
        let plugins = client.get("/v1/plugins").await?.json;
        let plugin = plugins["plugins"].as_array().into_iter().flatten().find(|plugin| plugin["name"] == "s").cloned().unwrap_or_default();
        Ok(plugin["breaker"]["hosts"][0]["state"].as_str().unwrap_or("closed").to_owned())
    };
    for client in [scene.client(), &other.client] {
        let end = tokio::time::Instant::now() + Duration::from_secs(20);
        while state(client).await? == "closed" {
            assert!(tokio::time::Instant::now() < end, "a host does not know of it");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while scene.effects("/t") < 40 {
        assert!(tokio::time::Instant::now() < end, "{} of 40 came through", scene.effects("/t"));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // What was already under way when it opened (eight calls on each host), a probe at a time, and then the rest at once.
    let requests = scene.requests("/t");
    let pauses: Vec<i128> = requests.windows(2).map(|pair| pair[1].at.duration_since(pair[0].at).as_millis()).collect();
    assert!(pauses.iter().any(|pause| *pause >= 2_500), "nobody was spared: {pauses:?}");
    assert_eq!(state(&other.client).await?, "closed");
    assert_eq!(state(scene.client()).await?, "closed");
    Ok(())
}

#[tokio::test]
async fn hosts_on_one_store_share_a_rate() -> anyhow::Result<()> {
    let Some((scene, other)) = shared("rate-limit = { requests = 10, per = \"1s\" }").await? else { return Ok(()) };
    let working = async |client: &sangam_tests::Client| -> anyhow::Result<bool> {
        Ok(client.get("/metrics").await?.text.contains("sangam_outbound_requests_total{plugin=\"s\""))
    };
    // Who takes which run is nobody's promise: a host that does nothing of one wave gets its turn in another.
    for wave in 0..5 {
        rate_of_a_wave(&scene, &other, wave).await?;
        if working(scene.client()).await? && working(&other.client).await? {
            return Ok(());
        }
    }
    anyhow::bail!("one host did it all: nothing was shared")
}

/// Forty requests, half of them by way of each host, keep to the rate together.
async fn rate_of_a_wave(scene: &Scene, other: &sangam_tests::Host, wave: usize) -> anyhow::Result<()> {
    let before = 40 * wave;
    for (half, client) in [scene.client(), &other.client].into_iter().enumerate() {
        let batch: Vec<Value> = (0..20).map(|number| write(scene, &format!("{wave}-{half}-{number}"), "t")).collect();
        assert_eq!(client.send_raw(&Value::Array(batch), "").await?.status, 202);
    }
    let end = tokio::time::Instant::now() + Duration::from_secs(60);
    while scene.requests("/t").len() < before + 40 {
        assert!(tokio::time::Instant::now() < end, "{} came through", scene.requests("/t").len());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let requests = &scene.requests("/t")[before..];
    // Ten at once, then ten a second; turns may be used a tenth of a second late, and so may come nearer to each other.
    let took = requests[39].at.duration_since(requests[0].at).as_millis();
    assert!(took >= 2_800, "40 requests within {took} ms");
    Ok(())
}

#[tokio::test]
async fn a_plugin_that_takes_all_the_places_it_can_get_leaves_enough_for_others() -> anyhow::Result<()> {
    /// As many as may be under way at once, and more than there are places.
    const CALLS: usize = 700;
    let grants = "concurrency = 512\nlimits = { time = \"25s\" }";
    let scene = Scene::granting(grants, &(route("greedy", "s.run") + &route("quick", "m.fine"))).await?;
    let sleep = |number: usize| event(&format!("greedy-{number}"), "greedy", json!({ "lines": [{ "do": "sleep", "amount": 3_600_000 }] }));
    let answer = scene.client().send_raw(&(0..CALLS).map(sleep).collect(), "").await?;
    anyhow::ensure!(answer.status == 202, "{}", answer.text);
    let gauge =
        |text: &str, name: &str| -> usize { text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok()).unwrap_or(0) };
    // It is refused further places, so it holds all that it gets.
    let held = tokio::time::timeout(Duration::from_secs(20), async {
        loop {
            let text = scene.client().get("/metrics").await?.text;
            if busy(&text) > 0 {
                return anyhow::Ok(gauge(&text, "sangam_plugin_calls{plugin=\"s\"}"));
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    });
    let held = held.await.context("nobody ever refused it a place")??;
    assert!(held >= 100, "{held} calls are no crowd");
    for number in 0..30 {
        let document = scene.client().send_and_wait(&event(&format!("quick-{number}"), "quick", json!({}))).await?;
        assert_eq!(document["status"], "succeeded", "{}", document["status_reason"]);
    }
    let text = scene.client().get("/metrics").await?.text;
    assert!(gauge(&text, "sangam_plugin_calls{plugin=\"s\"}") >= 100, "the crowd was gone before the others were done");
    Ok(())
}

/// Attempts that found no place.
fn busy(metrics: &str) -> usize {
    let busy = metrics.lines().filter(|line| line.starts_with("sangam_step_attempts_total") && line.contains("outcome=\"busy\""));
    busy.filter_map(|line| line.rsplit(' ').next()?.parse::<usize>().ok()).sum()
}
