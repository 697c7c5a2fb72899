//! `custom-hr`: hours with their overtime, in the plain shape and in another one by configuration only.

use anyhow::ensure;
use sangam_saas::{Fault, FaultAct};
use sangam_tests::company;
use serde_json::{Value, json};

use super::{Office, STEP, action, each_request_fails_once, only, refused, those};
use crate::scene::outcomes;

/// An HR system of another kind: other paths, other names, hours for minutes, and a POST that makes an entry each time.
const OTHER_SHAPE: &str = r#"
[plugins.hr.config]
base-url = "${env:HR}"
overtime = { daily-after = "8h", weekly-after = "40h" }
[plugins.hr.config.entries]
method      = "POST"
path        = "/hr/api/hours"
fields      = { employee_ref = "emp", date = "day", regular_hours = "hrs", overtime_hours = "ot", external_id = "ref", note = "memo" }
lookup      = { path = "/hr/api/hours?emp={employee_ref}&ref={external_id}", list = "rows", id = "id" }
delete-path = "/hr/api/hours/{entry_id}"
"#;

fn other_shape() -> String {
    let plugins = company::plugins(&["hr"]);
    let plain = plugins
        .lines()
        .find(|line| line.starts_with("config      = { base-url = \"${env:HR}\""))
        .expect("the demo configures HR in a line");
    plugins.replace(plain, OTHER_SHAPE)
}

fn all(office: &Office, list: &str) -> Value {
    office.saas.hr.state()[list].clone()
}

fn hours(employee: &str, date: &str, minutes: u32, note: &str) -> Value {
    json!({ "employee_ref": employee, "date": date, "minutes": minutes, "note": note })
}

#[tokio::test]
async fn hours_are_logged_once_whichever_request_fails() -> anyhow::Result<()> {
    let office = Office::start(&["hr"], &action("hr.log-hours", 3)).await?;
    let tags =
        each_request_fails_once(&office, (&office.saas.hr, "/v1/"), "hr.log-hours", async |tag| Ok(hours("emp-1", "2026-11-16", 150, tag)))
            .await?;
    // Five entries of 2:30 on one day: 8 hours are regular, the rest overtime, however often something was lost.
    assert_eq!(tags.len(), 5);
    let entries = all(&office, "time_entries");
    let mut sums = (0, 0);
    for tag in &tags {
        let entry = only(&entries, |entry| entry["note"] == tag.as_str())?;
        let (regular, overtime) = (entry["regular_minutes"].as_u64().unwrap_or(0), entry["overtime_minutes"].as_u64().unwrap_or(0));
        assert_eq!((regular + overtime, &entry["version"]), (150, &json!(1)), "{tag}");
        sums = (sums.0 + regular, sums.1 + overtime);
    }
    assert_eq!(sums, (480, 270));
    assert!(refused(&office.saas.hr, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn another_shape_needs_only_configuration() -> anyhow::Result<()> {
    let office = Office::configured(&(other_shape() + &action("hr.log-hours", 3))).await?;
    let tags =
        each_request_fails_once(&office, (&office.saas.hr, "/hr/"), "hr.log-hours", async |tag| Ok(hours("emp-2", "2026-11-17", 100, tag)))
            .await?;
    // Look, write.
    assert_eq!(tags.len(), 1 + 4 * 2);
    let rows = all(&office, "hours");
    let mut sums = (0.0, 0.0);
    for tag in &tags {
        let row = only(&rows, |row| row["memo"] == tag.as_str())?;
        sums.0 += row["hrs"].as_f64().unwrap_or(0.0);
        sums.1 += row["ot"].as_f64().unwrap_or(0.0);
    }
    // 15 hours in entries of 1.67; the fifth is 1.33 and 0.33.
    assert!((sums.0 - 8.01).abs() < 0.001 && (sums.1 - 7.01).abs() < 0.001, "{sums:?}");
    assert!(all(&office, "time_entries").as_object().is_some_and(serde_json::Map::is_empty));
    assert!(refused(&office.saas.hr, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn overtime_follows_day_and_week() -> anyhow::Result<()> {
    let office = Office::start(&["hr"], &action("hr.log-hours", 3)).await?;
    // Monday to Friday 9 hours each: an hour of overtime a day, and 40 regular hours. On Saturday the week is full.
    for (day, minutes, regular, overtime) in
        [(16, 540, 480, 60), (17, 540, 480, 60), (18, 540, 480, 60), (19, 540, 480, 60), (20, 540, 480, 60), (21, 90, 0, 90)]
    {
        let date = format!("2026-11-{day}");
        let logged = office.done("hr.log-hours", &date, hours("emp-3", &date, minutes, &date)).await?;
        assert_eq!((&logged["regular_minutes"], &logged["overtime_minutes"]), (&json!(regular), &json!(overtime)), "{date}");
    }
    Ok(())
}

#[tokio::test]
async fn too_many_requests_are_waited_for_and_cost_no_attempt() -> anyhow::Result<()> {
    let office = Office::start(&["hr"], &action("hr.log-hours", 1)).await?;
    office.saas.hr.set("rate-limit", json!({ "requests": 1, "seconds": 1 })).map_err(anyhow::Error::msg)?;
    let mut eids = Vec::new();
    for employee in ["emp-1", "emp-2", "emp-3"] {
        eids.push(office.send("hr.log-hours", employee, hours(employee, "2026-11-16", 60, employee)).await?);
    }
    let mut limited = 0;
    for eid in &eids {
        let document = office.client().until(eid, "succeeded").await?;
        let outcomes = outcomes(&document, STEP)?;
        limited += outcomes.iter().filter(|outcome| *outcome == "rate-limited").count();
        assert_eq!(outcomes.iter().filter(|outcome| *outcome != "rate-limited").count(), 1, "{outcomes:?}");
    }
    assert!(limited >= 2, "{limited} attempts were limited");
    for employee in ["emp-1", "emp-2", "emp-3"] {
        only(&all(&office, "time_entries"), |entry| entry["employee_ref"] == employee)?;
    }
    Ok(())
}

#[tokio::test]
async fn a_wrong_token_pauses_the_run_until_it_is_right() -> anyhow::Result<()> {
    let office = Office::start(&["hr"], &action("hr.log-hours", 1)).await?;
    office.folder.secret("hr-token", "not-this-one")?;
    let office = Office { host: restarted(office.host, &office.folder).await?, ..office };
    let eid = office.send("hr.log-hours", "1", hours("emp-1", "2026-11-16", 60, "paused")).await?;
    let paused = office.client().until(&eid, "waiting").await?;
    assert!(paused["status_reason"].as_str().is_some_and(|reason| reason.contains("401")), "{paused:#}");
    assert!(all(&office, "time_entries").as_object().is_some_and(serde_json::Map::is_empty));
    office.folder.secret("hr-token", "hr-token")?;
    office.client().until(&eid, "succeeded").await?;
    only(&all(&office, "time_entries"), |_| true)?;
    Ok(())
}

#[tokio::test]
async fn two_jobs_of_one_technician_killed_between_the_entry_and_the_settling_come_out_right() -> anyhow::Result<()> {
    for written in [false, true] {
        let office = Office::start(&["hr"], &action("hr.log-hours", 20)).await?;
        // The host dies while HR writes the entry, or when HR has written it and the answer is lost.
        let act = if written { FaultAct::LoseAnswer } else { FaultAct::Delay { ms: 300 } };
        office.saas.hr.fault(Fault { method: Some("PUT".to_owned()), ..Fault::once("/v1/time-entries/*", act) });
        let mut eids = Vec::new();
        for tag in ["one", "two"] {
            eids.push(office.send("hr.log-hours", tag, hours("emp-1", "2026-11-16", 300, tag)).await?);
        }
        let end = tokio::time::Instant::now() + std::time::Duration::from_secs(20);
        let entries = || all(&office, "time_entries").as_object().map_or(0, serde_json::Map::len);
        let asked = || office.saas.hr.requests().iter().any(|request| request.method == "PUT");
        while if written { entries() == 0 } else { !asked() } {
            ensure!(tokio::time::Instant::now() < end, "no entry came");
            tokio::time::sleep(std::time::Duration::from_millis(2)).await;
        }
        let Office { saas, folder, host } = office;
        host.kill().await?;
        let host = folder.start().await?;
        let office = Office { saas, folder, host };
        for eid in &eids {
            office.client().until(eid, "succeeded").await?;
        }
        let entries = all(&office, "time_entries");
        let mut split = Vec::new();
        for tag in ["one", "two"] {
            let entry = only(&entries, |entry| entry["note"] == tag)?;
            split.push((entry["regular_minutes"].as_u64().unwrap_or(0), entry["overtime_minutes"].as_u64().unwrap_or(0)));
        }
        split.sort_unstable();
        // Ten hours on one day: whoever came second has the overtime.
        assert_eq!(split, [(180, 120), (300, 0)], "written: {written}");
        // What they stand in for one another is known to the next job too.
        let third = office.done("hr.log-hours", "three", hours("emp-1", "2026-11-16", 60, "three")).await?;
        assert_eq!((&third["regular_minutes"], &third["overtime_minutes"]), (&json!(0), &json!(60)));
    }
    Ok(())
}

async fn restarted(host: sangam_tests::Host, folder: &sangam_tests::HostFolder) -> anyhow::Result<sangam_tests::Host> {
    host.terminate().await?;
    folder.start().await
}

#[tokio::test]
async fn what_hr_refuses_is_a_dead_letter_and_its_replay_logs_once() -> anyhow::Result<()> {
    let office = Office::start(&["hr"], &action("hr.log-hours", 3)).await?;
    office.done("hr.log-hours", "1", hours("emp-1", "2026-11-16", 400, "before")).await?;
    let (unknown, error) = office.dead("hr.log-hours", "2", hours("emp-9", "2026-11-16", 100, "unknown")).await?;
    assert_eq!((&error["kind"], &error["details"]["status"]), (&json!("rejected"), &json!(422)), "{error:#}");
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("there is no employee emp-9")), "{error:#}");
    office.saas.hr.set("closed-through", "2026-11-16").map_err(anyhow::Error::msg)?;
    let (closed, error) = office.dead("hr.log-hours", "3", hours("emp-1", "2026-11-16", 100, "closed")).await?;
    assert_eq!((&error["kind"], &error["details"]["status"]), (&json!("rejected"), &json!(409)), "{error:#}");
    assert_eq!(those(&all(&office, "time_entries"), |_| true).len(), 1);

    office.saas.hr.set("closed-through", Value::Null).map_err(anyhow::Error::msg)?;
    office
        .saas
        .hr
        .set("add-employees", json!([{ "id": "emp-9", "email": "new@acme.example", "name": "New" }]))
        .map_err(anyhow::Error::msg)?;
    for eid in [&unknown, &closed] {
        office.replay(eid).await?;
    }
    let entries = all(&office, "time_entries");
    ensure!(those(&entries, |_| true).len() == 3, "{entries:#}");
    // 6:40 before it: 1:20 are regular. What was refused had not counted.
    let entry = only(&entries, |entry| entry["note"] == "closed")?;
    assert_eq!((&entry["regular_minutes"], &entry["overtime_minutes"]), (&json!(80), &json!(20)));
    Ok(())
}
