//! A slow or dead system holds back no other, and nobody spins for it.

use std::time::Duration;

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

async fn pile_up(scene: &Scene, kind: &str) -> anyhow::Result<()> {
    for portion in 0..BACKLOG / 500 {
        let batch: Vec<Value> = (0..500).map(|number| write(scene, &format!("{kind}-{portion}-{number}"), kind)).collect();
        let answer = scene.client().send_raw(&Value::Array(batch), "").await?;
        anyhow::ensure!(answer.status == 202, "{}", answer.text);
    }
    Ok(())
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
    pile_up(&scene, "down").await?;
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
    let waiting = scene.client().get("/v1/events?type=down&status=pending&limit=500").await?.json;
    let held = waiting["events"].as_array().into_iter().flatten().find(|event| event["status_reason"].is_string()).cloned();
    let held = held.expect("a held run says why");
    assert!(held["status_reason"].as_str().is_some_and(|reason| reason.contains("breaker")), "{held:#}");
    let document = scene.client().event(held["eid"].as_str().unwrap_or("")).await?;
    assert!(document["runs"][0]["next_attempt_at"].is_string(), "{document:#}");
    Ok(())
}
