//! The scenarios of `tests/demo/scenarios`, played as the demo plays them: from one system through the host to another, and no further.

use std::path::Path;

use anyhow::Context as _;
use sangam_tests::plugin as component_of;
use sangam_tests::scenario::{ALL, Scenario, Stage};
use serde_json::Value;

async fn plays(name: &str) -> anyhow::Result<Vec<String>> {
    let scenario = Scenario::named(name).unwrap_or_else(|| panic!("there is no scenario {name}"));
    if !scenario.can_be_played()? {
        return Ok(Vec::new());
    }
    let mut stage = Stage::start(scenario).await?;
    let told = stage.play(scenario).await?;
    let checked = stage.folder.run(&["check"], "")?;
    assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    asks_for_no_more_memory(&stage).await?;
    assert_eq!(stage.host.terminate().await?, Some(0));
    Ok(told)
}

/// A call that asks for memory waits for the other processors to be told, and once more when it is given back: a chain of such calls does a sixth fewer events. So
/// what a call of a connector in Rust needs is there from the beginning (`.cargo/config.toml`).
async fn asks_for_no_more_memory(stage: &Stage) -> anyhow::Result<()> {
    let listed = stage.client().get("/v1/plugins").await?;
    let plugins = listed.json["plugins"].as_array().with_context(|| format!("no plugins in {}", listed.text))?;
    let mut asked = 0;
    for plugin in plugins {
        let name = plugin["plugin"].as_str().unwrap_or_default();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../plugins").join(name).join("Cargo.toml");
        let peak = &plugin["use"]["peak_memory"];
        if !manifest.is_file() || plugin["use"]["calls"] == 0 {
            continue;
        }
        let component = component_of(name);
        let inspected = stage.folder.run(&["plugin", "inspect", &component.display().to_string(), "--json"], "")?;
        let inspected: Value = serde_json::from_slice(&inspected.stdout)?;
        assert_eq!(*peak, inspected["memory"], "{name}: most that a call had, and what it begins with");
        asked += 1;
    }
    assert_ne!(asked, 0, "no connector in Rust was called: {}", listed.text);
    Ok(())
}

#[test]
fn every_file_is_a_scenario_with_a_title_and_a_place_in_the_documentation() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join("../docs/scenarios.md"))?;
    for entry in std::fs::read_dir(root.join("demo/scenarios"))? {
        let name = entry?.file_name().to_string_lossy().trim_end_matches(".toml").to_owned();
        assert!(page.contains(&format!("## `{name}`")), "docs/scenarios.md has no section about {name}");
    }
    for scenario in ALL {
        assert!(scenario.title().len() > 20, "{} has no title", scenario.name);
        assert!(page.contains(&format!("(../tests/demo/scenarios/{}.toml)", scenario.name)), "{}", scenario.name);
    }
    Ok(())
}

#[tokio::test]
async fn who_has_not_paid_is_reminded_as_days_go_by_and_no_more_once_accounting_says_paid() -> anyhow::Result<()> {
    plays("reminders").await.map(drop)
}

#[tokio::test]
async fn leave_in_hr_keeps_a_technician_off_the_schedule() -> anyhow::Result<()> {
    plays("leave-to-schedule").await.map(drop)
}

#[tokio::test]
async fn what_the_crm_knows_of_a_client_is_on_the_job_before_the_visit() -> anyhow::Result<()> {
    plays("client-context").await.map(drop)
}

#[tokio::test]
async fn a_contact_is_the_same_in_three_systems_and_our_own_changes_stop_when_they_come_back() -> anyhow::Result<()> {
    plays("contact-sync").await.map(drop)
}

#[tokio::test]
async fn a_paid_invoice_is_told_at_the_case_of_its_job() -> anyhow::Result<()> {
    plays("invoice-paid").await.map(drop)
}

#[tokio::test]
async fn a_case_becomes_one_job_and_knows_it() -> anyhow::Result<()> {
    plays("case-to-job").await.map(drop)
}

#[tokio::test]
async fn a_lead_of_a_web_form_is_in_the_crm_once() -> anyhow::Result<()> {
    plays("lead-form").await.map(drop)
}

#[tokio::test]
async fn a_missed_call_is_a_task_and_a_call_that_was_taken_is_not() -> anyhow::Result<()> {
    plays("missed-call").await.map(drop)
}
