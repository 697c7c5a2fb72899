//! The reason for it all: one finished job updates four systems, once.

use anyhow::{Context as _, ensure};
use sangam_saas::Saas;
use sangam_tests::morning::{CUSTOMERS, JOBS, Morning};
use sangam_tests::{HostFolder, company};
use serde_json::{Value, json};

use super::{Office, only, refused, those};
use crate::outcome::{TOTALS, cents_of, check_job, hours_of};

/// The demo's configuration with quick retries.
fn quick() -> String {
    let quick = company::CONFIGURATION.replace(r#"initial = "500ms", factor = 2"#, r#"initial = "50ms", factor = 1"#);
    assert_ne!(quick, company::CONFIGURATION, "the demo's retries are written otherwise now");
    quick
}

async fn office(configuration: &str) -> anyhow::Result<(Office, Morning)> {
    let office = Office::configured(configuration).await?;
    let morning = Morning::open(&office.saas, 2001, "2026-11-16").await?;
    Ok((office, morning))
}

/// Requests that were made of all systems.
fn asked(saas: &Saas) -> usize {
    [&saas.salesforce, &saas.hubspot, &saas.quickbooks, &saas.hr].into_iter().map(|stand| stand.requests().len()).sum()
}

#[tokio::test]
async fn one_finished_job_updates_four_systems() -> anyhow::Result<()> {
    let (office, morning) = office(&quick()).await?;
    let document = office.client().send_and_wait(&morning.event(0)).await?;
    ensure!(document["status"] == "succeeded", "{document:#}");
    check_job(&office.saas, &morning, 0)?;
    let saas = &office.saas;
    let crm = saas.salesforce.state()["records"].clone();
    let comment = only(&crm["CaseComment"], |_| true)?["CommentBody"].as_str().unwrap_or("").to_owned();
    assert!(comment.starts_with("Job job-2001, Tom Field: Replaced the circulation pump and bled the system\n"), "{comment}");

    let books = saas.quickbooks.state();
    let invoice = only(&books["invoices"], |_| true)?;
    let line = |text: &str| only(&invoice["Line"], |line| line["Description"] == text).cloned();
    for (text, amount, tax) in [(JOBS[0].notes, "237.50", "NON"), ("Pump", "189.90", "TAX"), ("Travel", "24.00", "NON")] {
        let line = line(text).context(text)?;
        assert_eq!(cents(&line["Amount"]), cents_of(amount), "{text}");
        assert_eq!(line["SalesItemLineDetail"]["TaxCodeRef"]["value"], tax, "{text}");
    }
    assert_eq!(cents(&invoice["TxnTaxDetail"]["TotalTax"]), cents_of("15.67"));
    assert_eq!(cents(&invoice["TotalAmt"]), cents_of("467.07"));
    assert_eq!((&invoice["TxnDate"], &invoice["DueDate"]), (&json!("2026-11-16"), &json!("2026-11-30")));
    assert_eq!(books["emails_sent"][0]["to"], CUSTOMERS[0].1);

    let hr = saas.hr.state();
    let entry = only(&hr["time_entries"], |_| true)?;
    assert_eq!((&entry["employee_ref"], &entry["regular_minutes"], &entry["overtime_minutes"]), (&json!("emp-1"), &json!(150), &json!(0)));

    // The customer's address is hidden from whoever looks at the run.
    assert!(!document.to_string().contains(CUSTOMERS[0].1));

    // The same event again.
    let before = asked(saas);
    let answer = office.client().send_raw(&morning.event(0), "?wait=10s").await?;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.json["accepted"][0]["duplicate"], true, "{}", answer.text);
    assert_eq!(answer.json["accepted"][0]["eid"], document["eid"]);
    assert_eq!(asked(saas), before);
    for stand in [&saas.salesforce, &saas.hubspot, &saas.quickbooks, &saas.hr] {
        assert!(refused(stand, &[]).is_empty());
    }
    Ok(())
}

#[tokio::test]
async fn the_whole_morning_adds_up_in_order_and_without() -> anyhow::Result<()> {
    // Without `order-by` the jobs of a technician are logged side by side: only the claims on the week's hours keep them apart.
    let side_by_side = quick().replace("order-by = ", "# order-by = ");
    assert_ne!(side_by_side, quick());
    for configuration in [quick(), side_by_side] {
        let (office, morning) = office(&configuration).await?;
        let batch: Vec<Value> = (0..JOBS.len()).map(|index| morning.event(index)).collect();
        let answer = office.client().send_raw(&json!(batch), "?wait=60s").await?;
        ensure!(answer.status == 200, "{}", answer.text);
        for event in answer.json["events"].as_array().into_iter().flatten() {
            assert_eq!(event["status"], "succeeded", "{event:#}");
        }
        for index in 0..JOBS.len() {
            check_job(&office.saas, &morning, index)?;
        }
        // Tom: 10 hours, Ana: 8:45, Lee: 4:30, on one day.
        assert_eq!(hours_of(&office.saas, &morning, "emp-1"), (480, 120));
        assert_eq!(hours_of(&office.saas, &morning, "emp-2"), (480, 45));
        assert_eq!(hours_of(&office.saas, &morning, "emp-3"), (270, 0));
        let books = office.saas.quickbooks.state();
        assert_eq!(books["invoices"].as_array().map(Vec::len), Some(JOBS.len()));
        let total: i64 = books["invoices"].as_array().into_iter().flatten().map(|invoice| cents(&invoice["TotalAmt"])).sum();
        assert_eq!(total, TOTALS.iter().map(|total| cents_of(total)).sum::<i64>());
        // Customers whose first two jobs came at once were made once.
        for (name, _) in CUSTOMERS {
            only(&books["customers"], |customer| customer["DisplayName"] == *name)?;
        }
    }
    Ok(())
}

#[tokio::test]
async fn a_dead_job_that_is_mended_and_replayed_doubles_nothing() -> anyhow::Result<()> {
    let (office, morning) = office(&quick()).await?;
    let mut event = morning.event(0);
    // A vendor has this name, so no customer can.
    event["data"]["customer"] = json!({ "name": "Northside Subcontracting", "email": "pay@northside.example" });
    let document = office.client().send_and_wait(&event).await?;
    ensure!(document["status"] == "dead", "{document:#}");
    let eid = document["eid"].as_str().context("a document has an eid")?;
    let letters = office.client().get("/v1/dead-letters").await?;
    assert!(letters.text.contains("6240"), "{}", letters.text);
    // The other steps are done. The administrator mends the route: such customers get another name.
    let mended = quick().replace(
        r#"display_name = "${ .event.data.customer.name }""#,
        r#"display_name = "${ .event.data.customer.name + " (customer)" }""#,
    );
    let mended =
        mended.replace(r#""${ .event.data.customer.name + " (customer)" }""#, r#"'${ .event.data.customer.name + " (customer)" }'"#);
    assert_ne!(mended, quick());
    office.folder.configure(&mended)?;
    let reloaded = office.client().post("/v1/reload", &json!({})).await?;
    ensure!(reloaded.status == 200, "{}", reloaded.text);
    office.replay(eid).await?;
    check_job(&office.saas, &morning, 0)?;
    let books = office.saas.quickbooks.state();
    only(&books["customers"], |customer| customer["DisplayName"] == "Northside Subcontracting (customer)")?;
    assert_eq!(those(&books["invoices"], |_| true).len(), 1);
    Ok(())
}

#[tokio::test]
async fn the_demos_configuration_is_without_mistakes() -> anyhow::Result<()> {
    let saas = Saas::start().await?;
    let folder: HostFolder = company::folder(&saas, company::CONFIGURATION)?;
    let check = folder.run(&["check"], "")?;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    Ok(())
}

fn cents(amount: &Value) -> i64 {
    cents_of(&amount.to_string())
}
