//! Metrics, dashboard and alert rules, as Prometheus' own tool reads them.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::Context as _;
use sangam_tests::tool;
use serde_json::{Value, json};

use crate::scene::{SCRIPT, Scene, script};

const ADVICE: &str = "promtool is not installed here: install Prometheus (Debian: `apt-get install --no-install-recommends prometheus`)";

/// Whether tests can use it here. Where it is missing, says how to get it, and fails in CI.
fn is_there() -> anyhow::Result<bool> {
    tool::is_there(tool::runs("promtool", &["--version"]), ADVICE)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../packaging/telemetry")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// A host with something of everything, and its metrics.
async fn metrics() -> anyhow::Result<(Scene, String)> {
    let more = r#"
[credentials.crm]
type = "bearer"
token = "${secret:crm}"
hosts = ["http://127.0.0.1:1"]

[webhooks.ear]
url = "http://127.0.0.1:1/ear"
allow-private-addresses = ["127.0.0.0/8"]
secret = "${secret:ear}"

[[sources]]
name = "hook"
type = "webhook"
verify = "none"
event-type = "hooked"

[[sources]]
name = "tick"
type = "schedule"
cron = "* * * * * *"
event-type = "ticked"

[telemetry.otlp]
endpoint = "http://127.0.0.1:1"
"#;
    let scene = Scene::granting("breaker = { failures = 3, cooldown = \"1s\" }", &format!("{SCRIPT}\n{more}")).await?;
    scene.play("1", json!([{ "do": "write", "name": "w", "url": scene.url("/w"), "body": 1 }])).await?;
    scene.client().send(&script("2", json!([{ "do": "fail", "on": [1], "kind": "rejected" }]))).await?;
    scene.client().ask(reqwest::Method::POST, "/hooks/hook", &[("content-type", "application/json")], b"{}".to_vec()).await?;
    let text = scene.client().get("/metrics").await?.text;
    Ok((scene, text))
}

/// Names of metrics in a text of PromQL or of JSON that holds some.
fn names(text: &str) -> BTreeSet<String> {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let words =
        text.split(|c| !word(c)).filter(|word| (word.starts_with("sangam_") || word.starts_with("process_")) && !word.contains(':'));
    words.map(str::to_owned).collect()
}

#[tokio::test]
async fn prometheus_finds_nothing_to_say_about_the_metrics() -> anyhow::Result<()> {
    if !is_there()? {
        return Ok(());
    }
    let (scene, text) = metrics().await?;
    let mut child =
        Command::new("promtool").args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    std::io::Write::write_all(&mut child.stdin.take().context("input is piped")?, text.as_bytes())?;
    let done = child.wait_with_output()?;
    assert!(done.status.success() && said(&done).is_empty(), "{}\n{text}", said(&done));
    let accept = [("accept", "application/openmetrics-text; version=1.0.0")];
    let open = scene.client().ask(reqwest::Method::GET, "/metrics", &accept, Vec::new()).await?;
    assert!(open.header("content-type").is_some_and(|kind| kind.starts_with("application/openmetrics-text")));
    assert!(open.text.ends_with("# EOF\n") && open.text.contains("# UNIT sangam_plugin_call_duration_seconds seconds"), "{}", open.text);
    assert!(!text.contains("# EOF") && text.contains("# TYPE sangam_events_accepted_total counter"), "{text}");
    for name in [
        "sangam_events_accepted_total{source=",
        "sangam_runs_total{route=\"script\",status=\"succeeded\"}",
        "sangam_step_attempts_total{plugin=\"s\",action=\"run\",outcome=\"succeeded\"}",
        "sangam_step_duration_seconds_bucket{",
        "sangam_plugin_cpu_seconds_total{plugin=\"s\"}",
        "sangam_outbound_requests_total{plugin=\"s\",host=\"127.0.0.1\",status=\"200\"} 1",
        "sangam_store_commit_seconds_count",
        "sangam_store_size_bytes ",
        "sangam_credential_up{credential=\"crm\"}",
        "sangam_plugin_calls_limit{plugin=\"s\"}",
        "sangam_build_info{version=",
        "sangam_configuration_revision 1",
        "process_cpu_seconds_total ",
        "process_open_fds ",
        "process_start_time_seconds ",
        "sangam_telemetry_dropped_total{signal=\"traces\"} 0",
    ] {
        assert!(text.lines().any(|line| line.starts_with(name)), "{name} is not in\n{text}");
    }
    Ok(())
}

#[tokio::test]
async fn dashboard_and_rules_ask_only_for_what_a_host_tells() -> anyhow::Result<()> {
    let (_scene, text) = metrics().await?;
    // A family without a value yet has its description.
    let known: BTreeSet<&str> = text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect();
    let mut asked = BTreeSet::new();
    for file in ["dashboard.json", "rules.yml", "alerts.yml"] {
        let text = std::fs::read_to_string(folder().join(file))?;
        let found = names(&text);
        assert!(found.len() >= 3, "{file} asks for hardly anything: {found:?}");
        asked.extend(found);
    }
    for name in asked {
        let base = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| name.strip_suffix(part)).unwrap_or(&name);
        assert!(known.contains(name.as_str()) || known.contains(base), "no host tells {name}");
    }
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(folder().join("dashboard.json"))?)?;
    let panels = dashboard["panels"].as_array().context("panels")?;
    assert!(panels.len() >= 10, "{} panels", panels.len());
    let ids: BTreeSet<i64> = panels.iter().filter_map(|panel| panel["id"].as_i64()).collect();
    assert_eq!(ids.len(), panels.len(), "every panel has an id of its own");
    Ok(())
}

#[test]
fn alerts_fire_when_they_should_and_are_quiet_otherwise() -> anyhow::Result<()> {
    if !is_there()? {
        return Ok(());
    }
    for (command, files) in [("check", vec!["rules.yml", "alerts.yml"]), ("test", vec!["tests.yml"])] {
        let done = Command::new("promtool").args([command, "rules"]).args(files).current_dir(folder()).output()?;
        assert!(done.status.success(), "{}", said(&done));
    }
    let alerts = std::fs::read_to_string(folder().join("alerts.yml"))?;
    let tests = std::fs::read_to_string(folder().join("tests.yml"))?;
    let operations = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/telemetry.md"))?;
    for line in alerts.lines() {
        if let Some(name) = line.trim().strip_prefix("- alert: ") {
            assert!(tests.contains(&format!("alertname: {name}")), "no test of {name}");
        }
        if let Some(link) = line.trim().strip_prefix("runbook_url: ") {
            let anchor = link.split('#').nth(1).context("a runbook link has an anchor")?;
            let heading = |line: &str| line.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
            assert!(operations.lines().any(|line| line.starts_with('#') && heading(line) == anchor), "no runbook {anchor}");
        }
    }
    Ok(())
}
