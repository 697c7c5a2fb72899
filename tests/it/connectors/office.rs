//! The connectors in other languages than Rust: a morning's jobs reach the warehouse, the overtime policy, the payroll office and Slack, each once,
//! though answers are lost.

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct, Saas};
use sangam_tests::morning::{JOBS, Morning};
use sangam_tests::{company, tool};
use serde_json::{Value, json};

use crate::scene::step;

#[tokio::test]
async fn a_morning_reaches_the_systems_of_all_languages_once() -> anyhow::Result<()> {
    let (configuration, missing) = company::all();
    if !missing.is_empty() {
        return tool::missing(&format!(
            "connectors were not built: {}; `cargo xtask build` says which tools they need",
            missing.join(", ")
        ));
    }
    let saas = Saas::start().await?;
    let morning = Morning::open(&saas, 3001, "2026-11-16").await?;
    let folder = company::folder(&saas, &configuration)?;
    let host = folder.start().await?;
    // Answers that get lost: what was asked for was done all the same.
    saas.slack.fault(Fault { times: 2, ..Fault::once("/api/chat.postMessage", FaultAct::LoseAnswer) });
    saas.warehouse.fault(Fault { times: 2, ..Fault::once("/api/stock-movements", FaultAct::LoseAnswer) });
    saas.files.fault(Fault::once("/files/*", FaultAct::LoseAnswer));
    let mut documents = Vec::new();
    for index in 0..JOBS.len() {
        let eid = host.client.send(&morning.event(index)).await?;
        documents.push(host.client.until(&eid, "succeeded").await.with_context(|| format!("job {index}"))?);
    }
    let due = json!({ "specversion": "1.0", "id": "due", "source": "/office", "type": "payroll.due", "data": { "period": "2026-11" } });
    let file = host.client.send_and_wait(&due).await?;
    ensure!(file["status"] == "succeeded", "{file:#}");

    // Slack knows no keys: each message is there once because the connector looked for it.
    let slack = saas.slack.state();
    let messages = slack["messages"]["C0FIELD01"].as_array().context("messages")?;
    assert_eq!((messages.len(), &slack["posted"]), (JOBS.len(), &json!(JOBS.len())));
    // Numbers keep their digits all the way: 0.4 kg.
    let stock = saas.warehouse.state();
    let left = |item: &str| stock["stock"][item]["main"].to_string();
    assert_eq!(
        (left("PUMP-15-60"), left("R290"), left("RELAY-24V"), left("FIT-22")),
        ("11".into(), "19.6".into(), "56".into(), "115".into())
    );
    assert_eq!(stock["movements"].as_array().map(Vec::len), Some(JOBS.iter().map(|job| job.parts.len()).sum()));
    // Tom's third job of the day goes beyond eight hours: 2.5 + 4 + 3.5; Ana's, too: 1.25 + 2 + 5.5.
    let overtime: u64 = documents.iter().map(overtime_minutes).sum::<anyhow::Result<u64>>()?;
    assert_eq!(overtime, 120 + 45);
    let text = saas.files.state()["files"]["payroll-2026-11.txt"].as_str().context("the file")?.to_owned();
    assert!(text.starts_with("H202611Acme Field Service"), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 5, "a header, three people's day, a trailer: {text}");
    assert!(lines[1].starts_with("Demp-1     2026111600600"), "{text}");
    Ok(())
}

fn overtime_minutes(document: &Value) -> anyhow::Result<u64> {
    let runs = document["runs"].as_array().context("runs")?;
    let run = runs.iter().find(|run| run["route"] == "working-time").context("the route")?;
    let split = step(&json!({ "runs": [run] }), "split")?["output"].clone();
    Ok(split["overtime"].as_array().context("an output")?.iter().filter_map(|part| part["minutes"].as_u64()).sum())
}
