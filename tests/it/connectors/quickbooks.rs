//! `quickbooks`: customers, invoices that are sent once, time activities, and a refresh token that changes with every use.

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct};
use sangam_tests::company;
use serde_json::{Value, json};

use super::{Office, STEP, action, answered, each_request_fails_once, only, patience, refused, requests, those};
use crate::scene::{event, outcomes};

const V3: &str = "/v3/";
const TOKEN: &str = "/oauth2/";

async fn office(actions: &[&str]) -> anyhow::Result<Office> {
    let routes: String = actions.iter().map(|uses| action(uses, 3)).collect();
    Office::start(&["books"], &routes).await
}

fn all(office: &Office, entity: &str) -> Value {
    office.saas.quickbooks.state()[entity].clone()
}

/// An hour and a half of work, and a part that bears 8.25 % tax.
fn job(customer: &str, job_id: &str) -> Value {
    serde_json::from_str(&format!(
        r#"{{ "customer": {{ "display_name": {customer:?}, "email": "pay@client.example" }}, "job_id": {job_id:?}, "date": "2026-11-16", "due_in_days": 14,
            "time": [{{ "hours": 1.5, "rate": 95.00 }}], "parts": [{{ "description": "Valve", "quantity": 3, "unit_price": 11.35, "taxable": true }}] }}"#
    ))
    .expect("an invoice")
}

/// 142.50 + 34.05, and 2.81 (2.809…) tax.
const TOTAL: &str = "179.36";

/// The only customer of that name, the only invoice for it, and the only e-mail with that.
fn invoiced_once(office: &Office, name: &str) -> anyhow::Result<Value> {
    let customers = all(office, "customers");
    let customer = only(&customers, |customer| customer["DisplayName"] == name).context("customers")?;
    let invoices = all(office, "invoices");
    let invoice = only(&invoices, |invoice| invoice["CustomerRef"]["value"] == customer["Id"]).context("invoices")?;
    let emails = all(office, "emails_sent");
    only(&emails, |email| email["invoice"] == invoice["Id"]).context("e-mails")?;
    // Digit by digit: no amount has been a binary fraction on its way.
    let total = invoice["TotalAmt"].to_string();
    ensure!(total == TOTAL, "the total is {total}");
    ensure!(invoice["EmailStatus"] == "EmailSent" && invoice["DueDate"] == "2026-11-30", "{invoice:#}");
    Ok(invoice.clone())
}

#[tokio::test]
async fn an_invoice_is_made_and_sent_once_whichever_request_fails() -> anyhow::Result<()> {
    let office = office(&["books.create-invoice"]).await?;
    let books = &office.saas.quickbooks;
    let tags = each_request_fails_once(&office, (books, V3), "books.create-invoice", async |tag| {
        // Names of their own, and addresses too: by an address that one customer has, that customer is found.
        let mut input = job(&format!("Client {tag}"), tag);
        input["customer"]["email"] = json!(format!("{tag}@client.example"));
        Ok(input)
    })
    .await?;
    // Items, customer by name and by address, customer, invoice, look, send.
    assert_eq!(tags.len(), 1 + 4 * 7);
    for tag in tags {
        let invoice = invoiced_once(&office, &format!("Client {tag}")).with_context(|| tag.clone())?;
        assert!(invoice["PrivateNote"].as_str().is_some_and(|note| note.starts_with(&format!("Job {tag}\n"))), "{tag}");
    }
    assert!(refused(books, &[]).is_empty());
    assert_eq!(all(&office, "tokens")["refreshes"], 1);
    Ok(())
}

#[tokio::test]
async fn an_invoice_may_be_sent_later_and_only_once() -> anyhow::Result<()> {
    let office = office(&["books.create-invoice", "books.send-invoice", "books.find-or-create-customer"]).await?;
    let customer =
        office.done("books.find-or-create-customer", "1", json!({ "display_name": "Mill", "email": "pay@mill.example" })).await?;
    assert_eq!(customer["created"], true);
    let mut input = job("Mill", "j-1");
    input["send"] = json!(false);
    let invoice = office.done("books.create-invoice", "2", input).await?;
    assert_eq!((&invoice["customer_id"], &invoice["sent"]), (&customer["customer_id"], &json!(false)));
    assert_eq!(all(&office, "emails_sent"), json!([]));
    for id in ["3", "4"] {
        let sent = office.done("books.send-invoice", id, json!({ "invoice_id": invoice["invoice_id"] })).await?;
        assert_eq!(sent["sent"], true);
    }
    assert_eq!(all(&office, "emails_sent").as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn time_is_recorded_once_whichever_request_fails() -> anyhow::Result<()> {
    let office = office(&["books.record-time"]).await?;
    let tags = each_request_fails_once(&office, (&office.saas.quickbooks, V3), "books.record-time", async |tag| {
        Ok(json!({
            "employee": "Tom Field", "hours": 2.5, "minutes": 20, "date": "2026-11-16", "description": tag,
            "billable": true, "rate": 95, "customer": { "display_name": "Acme Facilities" },
        }))
    })
    .await?;
    for tag in &tags {
        let activities = all(&office, "time_activities");
        let activity = only(&activities, |activity| activity["Description"] == tag.as_str())?;
        assert_eq!(
            (&activity["Hours"], &activity["Minutes"], &activity["BillableStatus"]),
            (&json!(2), &json!(50), &json!("Billable")),
            "{tag}"
        );
    }
    assert!(refused(&office.saas.quickbooks, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn throttling_is_waited_for_and_costs_no_attempt() -> anyhow::Result<()> {
    let office = Office::start(&["books"], &action("books.create-invoice", 1)).await?;
    let books = &office.saas.quickbooks;
    let throttled =
        json!({ "Fault": { "Error": [{ "Message": "ThrottleExceeded", "Detail": "", "code": "003001" }], "type": "SystemFault" } });
    books.fault(Fault { times: 2, ..Fault::once("/v3/company/*/invoice", answered(429, &[("retry-after", "1")], &throttled)) });
    let document = office.act("books.create-invoice", "1", job("Mill", "j-1")).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    assert_eq!(outcomes(&document, STEP)?, ["rate-limited", "rate-limited", "succeeded"]);
    invoiced_once(&office, "Mill")?;

    // Intuit itself says no time: a minute.
    books.set("requests-per-minute", 0).map_err(anyhow::Error::msg)?;
    let eid = office.send("books.create-invoice", "2", job("Lake", "j-2")).await?;
    let limited = office.attempted(&eid, "rate-limited").await?;
    let wait = patience(&limited)?;
    assert!((50.0..61.0).contains(&wait), "{wait} s");
    books.set("requests-per-minute", Value::Null).map_err(anyhow::Error::msg)?;
    let cancelled = office.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    ensure!(cancelled.status == 200, "{}", cancelled.text);
    let again = office.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
    ensure!(again.status == 200, "{}", again.text);
    office.client().until(&eid, "succeeded").await?;
    Ok(())
}

#[tokio::test]
async fn the_rotated_refresh_token_outlives_the_host() -> anyhow::Result<()> {
    let Office { saas, folder, mut host } = Office::start(&["books"], &action("books.create-invoice", 1)).await?;
    let books = &saas.quickbooks;
    for round in 1..=3 {
        books.set("expire-tokens", true).map_err(anyhow::Error::msg)?;
        let mut eids = Vec::new();
        for job_number in 0..4 {
            let name = format!("Client {round}-{job_number}");
            let mut input = job(&name, &name);
            input["customer"]["email"] = json!(format!("{round}-{job_number}@client.example"));
            eids.push(host.client.send(&event(&name, "books.create-invoice", input)).await?);
        }
        for eid in &eids {
            let document = host.client.until(eid, "succeeded").await?;
            let outcomes = outcomes(&document, STEP)?;
            assert!(outcomes == ["unauthorized", "succeeded"] || outcomes == ["succeeded"], "{outcomes:?}");
        }
        let tokens = books.state()["tokens"].clone();
        assert_eq!((&tokens["refreshes"], &tokens["revoked"]), (&json!(round), &json!(false)));
        // No farewell: what it must not forget is on disk.
        host.kill().await?;
        host = folder.start().await?;
    }
    let office = Office { saas, folder, host };
    assert_eq!(requests(&office.saas.quickbooks, "POST", TOKEN), 3);
    assert_eq!(all(&office, "invoices").as_array().map(Vec::len), Some(12));
    assert_eq!(all(&office, "emails_sent").as_array().map(Vec::len), Some(12));
    assert!(refused(&office.saas.quickbooks, &[401]).is_empty());
    Ok(())
}

#[tokio::test]
async fn a_token_endpoint_that_is_down_is_asked_again() -> anyhow::Result<()> {
    let office = Office::start(&["books"], &action("books.create-invoice", 3)).await?;
    office.saas.quickbooks.fault(Fault::once(format!("{TOKEN}*"), answered(503, &[], &Value::Null)));
    let document = office.act("books.create-invoice", "1", job("Mill", "j-1")).await?;
    ensure!(document["status"] == "succeeded", "{document:#}");
    invoiced_once(&office, "Mill")?;
    Ok(())
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_pauses_the_run_until_somebody_connects_again() -> anyhow::Result<()> {
    let office = Office::start(&["books"], &action("books.create-invoice", 1)).await?;
    office.saas.quickbooks.fault(Fault::once(format!("{TOKEN}*"), FaultAct::LoseAnswer));
    let eid = office.send("books.create-invoice", "1", job("Mill", "j-1")).await?;
    // The only one who got the next refresh token is nobody; asking with the old one again must not end the family.
    let paused = office.client().until(&eid, "waiting").await?;
    ensure!(all(&office, "tokens")["revoked"] == false, "{paused:#}");
    office.folder.secret("quickbooks-refresh", "qbo-refresh-2")?;
    office.client().until(&eid, "succeeded").await?;
    invoiced_once(&office, "Mill")?;
    Ok(())
}

#[tokio::test]
async fn a_name_conflict_is_a_dead_letter_and_its_replay_invoices_once() -> anyhow::Result<()> {
    let office = office(&["books.create-invoice"]).await?;
    let mut input = job("Tom Field", "j-1");
    input["customer"]["email"] = json!("tom@client.example");
    let (eid, error) = office.dead("books.create-invoice", "1", input).await?;
    assert_eq!((&error["kind"], &error["details"]["code"]), (&json!("rejected"), &json!("6240")), "{error:#}");
    assert_eq!((all(&office, "invoices"), all(&office, "emails_sent")), (json!([]), json!([])));
    // The bookkeeper gives the employee another name.
    let employees = all(&office, "employees");
    let tom = only(&employees, |employee| employee["DisplayName"] == "Tom Field")?;
    let renamed = json!({ "Id": tom["Id"], "SyncToken": tom["SyncToken"], "sparse": true, "DisplayName": "Tom Field (staff)", "GivenName": "Tom", "FamilyName": "Field" });
    let answer = office.books()?.post("/v3/company/4620816365/employee", &renamed).await?;
    ensure!(answer.status == 200, "not renamed: {}", answer.text);
    office.replay(&eid).await?;
    invoiced_once(&office, "Tom Field")?;
    Ok(())
}

#[tokio::test]
async fn a_missing_item_is_a_dead_letter_and_its_replay_invoices_once() -> anyhow::Result<()> {
    let plugins = company::plugins(&["books"]).replace(r#"parts-item = "Parts""#, r#"parts-item = "Spare parts""#);
    let office = Office::configured(&(plugins + &action("books.create-invoice", 3))).await?;
    let (eid, error) = office.dead("books.create-invoice", "1", job("Mill", "j-1")).await?;
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("Spare parts")), "{error:#}");
    let item = json!({ "Name": "Spare parts", "Type": "NonInventory", "Taxable": true, "IncomeAccountRef": { "value": "79" } });
    let answer = office.books()?.post("/v3/company/4620816365/item", &item).await?;
    ensure!(answer.status == 200, "no item: {}", answer.text);
    office.replay(&eid).await?;
    invoiced_once(&office, "Mill")?;
    // Another replay, from the start: everything is there already.
    let again = office.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
    ensure!(again.status == 200, "{}", again.text);
    office.client().until(&eid, "succeeded").await?;
    invoiced_once(&office, "Mill")?;
    Ok(())
}

#[tokio::test]
async fn a_job_with_a_number_has_one_living_invoice() -> anyhow::Result<()> {
    let plugins = company::plugins(&["books"]).replace(r#"labour-item = "#, r#"doc-number-prefix = "J-", labour-item = "#);
    let office = Office::configured(&(plugins + &action("books.create-invoice", 3))).await?;
    office.saas.quickbooks.fault(Fault { method: Some("POST".into()), ..Fault::once("/v3/company/*/invoice", FaultAct::LoseAnswer) });
    let invoice = office.done("books.create-invoice", "1", job("Mill", "7")).await?;
    assert_eq!(invoice["doc_number"], "J-7");
    // Another event for the same job.
    let (_, error) = office.dead("books.create-invoice", "2", job("Mill", "7")).await?;
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("J-7 is in QuickBooks already")), "{error:#}");
    invoiced_once(&office, "Mill")?;
    assert_eq!(those(&all(&office, "invoices"), |_| true).len(), 1);
    Ok(())
}
