//! `salesforce`: cases, comments, accounts, contacts, and what a technician reads before a visit.

use anyhow::ensure;
use sangam_saas::Fault;
use sangam_tests::company;
use serde_json::{Value, json};

use super::{Office, STEP, action, answered, each_request_fails_once, only, patience, refused, requests, those};
use crate::scene::{outcomes, step};

const DATA: &str = "/services/data/";
const TOKEN: &str = "/services/oauth2/token";

async fn office(actions: &[&str]) -> anyhow::Result<Office> {
    let routes: String = actions.iter().map(|uses| action(uses, 3)).collect();
    Office::start(&["crm"], &routes).await
}

/// Opens a case; gives its id.
async fn case(office: &Office, job: &str) -> anyhow::Result<String> {
    company::open_case(&company::crm(&office.saas).await?, job, "Pump").await
}

fn all(office: &Office, object: &str) -> Value {
    office.saas.salesforce.state()["records"][object].clone()
}

/// The comments of a case.
fn comments(office: &Office, case: &str) -> usize {
    those(&all(office, "CaseComment"), |comment| comment["ParentId"] == case).len()
}

#[tokio::test]
async fn a_case_is_resolved_once_whichever_request_fails() -> anyhow::Result<()> {
    let office = office(&["crm.resolve-case"]).await?;
    let tags = each_request_fails_once(&office, (&office.saas.salesforce, DATA), "crm.resolve-case", async |tag| {
        case(&office, tag).await?;
        Ok(json!({ "external_id": tag, "comment": format!("Job {tag} is done") }))
    })
    .await?;
    // Find, closed status, comment, change.
    assert_eq!(tags.len(), 1 + 4 * 4);
    for tag in tags {
        let cases = all(&office, "Case");
        let case = only(&cases, |case| case["Job_Id__c"] == tag.as_str())?;
        assert_eq!(case["Status"], "Closed", "{tag}");
        assert_eq!(comments(&office, case["Id"].as_str().unwrap_or("")), 1, "{tag}");
    }
    assert!(refused(&office.saas.salesforce, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn the_status_before_is_known_even_after_a_lost_change() -> anyhow::Result<()> {
    let office = office(&["crm.resolve-case"]).await?;
    case(&office, "j-1").await?;
    office
        .saas
        .salesforce
        .fault(Fault { method: Some("PATCH".into()), ..Fault::once(format!("{DATA}*"), sangam_saas::FaultAct::LoseAnswer) });
    let output = office.done("crm.resolve-case", "1", json!({ "external_id": "j-1", "comment": "Done" })).await?;
    assert_eq!((&output["previous_status"], &output["status"]), (&json!("Working"), &json!("Closed")));
    Ok(())
}

#[tokio::test]
async fn comments_accounts_and_contacts_are_kept_once() -> anyhow::Result<()> {
    let office = office(&["crm.add-comment", "crm.upsert-account", "crm.upsert-contact"]).await?;
    let crm = &office.saas.salesforce;
    let tags = each_request_fails_once(&office, (crm, DATA), "crm.add-comment", async |tag| {
        Ok(json!({ "case_id": case(&office, tag).await?, "comment": "Filter ordered", "publish": true }))
    })
    .await?;
    for tag in &tags {
        let cases = all(&office, "Case");
        let case = only(&cases, |case| case["Job_Id__c"] == tag.as_str())?;
        assert_eq!((comments(&office, case["Id"].as_str().unwrap_or("")), &case["Status"]), (1, &json!("Working")), "{tag}");
    }
    let accounts = each_request_fails_once(&office, (crm, DATA), "crm.upsert-account", async |tag| {
        Ok(json!({ "external_id": tag, "name": format!("Client {tag}"), "billing_city": "Springfield", "fields": { "Type": "Customer" } }))
    })
    .await?;
    let contacts = each_request_fails_once(&office, (crm, DATA), "crm.upsert-contact", async |tag| {
        Ok(json!({ "external_id": tag, "last_name": tag, "email": format!("{tag}@client.example"), "account_external_id": "cust-100" }))
    })
    .await?;
    for tag in &accounts {
        let accounts = all(&office, "Account");
        let account = only(&accounts, |account| account["External_Id__c"] == tag.as_str())?;
        assert_eq!((&account["BillingCity"], &account["Type"]), (&json!("Springfield"), &json!("Customer")));
    }
    let acme = all(&office, "Account");
    let acme = only(&acme, |account| account["External_Id__c"] == "cust-100")?;
    for tag in &contacts {
        let contacts = all(&office, "Contact");
        let contact = only(&contacts, |contact| contact["External_Id__c"] == tag.as_str())?;
        assert_eq!(contact["AccountId"], acme["Id"]);
    }
    assert!(refused(crm, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn upserting_again_changes_what_is_given() -> anyhow::Result<()> {
    let office = office(&["crm.upsert-account"]).await?;
    let first = office.done("crm.upsert-account", "1", json!({ "external_id": "a-1", "name": "Mill", "phone": "1" })).await?;
    let second = office.done("crm.upsert-account", "2", json!({ "external_id": "a-1", "name": "Mill Ltd", "phone": null })).await?;
    assert_eq!((&first["created"], &second["created"]), (&json!(true), &json!(false)));
    assert_eq!(first["id"], second["id"]);
    let accounts = all(&office, "Account");
    let account = only(&accounts, |account| account["External_Id__c"] == "a-1")?;
    assert_eq!((&account["Name"], &account["Phone"]), (&json!("Mill Ltd"), &json!("1")));
    Ok(())
}

#[tokio::test]
async fn a_used_up_allocation_is_waited_for_and_costs_no_attempt() -> anyhow::Result<()> {
    let office = Office::start(&["crm"], &action("crm.resolve-case", 1)).await?;
    let crm = &office.saas.salesforce;
    let case_id = case(&office, "j-1").await?;
    // With `Retry-After`, as Salesforce's gateways may send it.
    let limit = answered(
        403,
        &[("retry-after", "1")],
        &json!([{ "errorCode": "REQUEST_LIMIT_EXCEEDED", "message": "TotalRequests Limit exceeded." }]),
    );
    crm.fault(Fault { times: 2, ..Fault::once(format!("{DATA}*"), limit) });
    let document = office.act("crm.resolve-case", "1", json!({ "external_id": "j-1", "comment": "Done" })).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    assert_eq!(outcomes(&document, STEP)?, ["rate-limited", "rate-limited", "succeeded"]);
    assert_eq!(comments(&office, &case_id), 1);

    // Without: a minute. Nobody has to wait for it who cancels and replays.
    let case_id = case(&office, "j-2").await?;
    crm.set("rate-limit", json!({ "requests": 0, "seconds": 600 })).map_err(anyhow::Error::msg)?;
    let eid = office.send("crm.resolve-case", "2", json!({ "external_id": "j-2", "comment": "Done" })).await?;
    let limited = office.attempted(&eid, "rate-limited").await?;
    let wait = patience(&limited)?;
    assert!((50.0..61.0).contains(&wait), "{wait} s");
    crm.set("rate-limit", Value::Null).map_err(anyhow::Error::msg)?;
    let cancelled = office.client().post(&format!("/v1/events/{eid}/cancel"), &json!({})).await?;
    ensure!(cancelled.status == 200, "{}", cancelled.text);
    let again = office.client().post(&format!("/v1/events/{eid}/replay"), &json!({ "from": "start" })).await?;
    ensure!(again.status == 200, "{}", again.text);
    office.client().until(&eid, "succeeded").await?;
    assert_eq!(comments(&office, &case_id), 1);
    Ok(())
}

#[tokio::test]
async fn an_expired_session_is_renewed_once_for_all() -> anyhow::Result<()> {
    let office = Office::start(&["crm"], &action("crm.resolve-case", 1)).await?;
    let crm = &office.saas.salesforce;
    let mut cases = Vec::new();
    for job in ["j-0", "j-1", "j-2", "j-3", "j-4"] {
        cases.push(case(&office, job).await?);
    }
    let input = |job: &str| json!({ "external_id": job, "comment": "Done" });
    office.done("crm.resolve-case", "0", input("j-0")).await?;
    let before = requests(crm, "POST", TOKEN);
    crm.set("expire-sessions", true).map_err(anyhow::Error::msg)?;
    let mut eids = Vec::new();
    for job in ["j-1", "j-2", "j-3", "j-4"] {
        eids.push(office.send("crm.resolve-case", job, input(job)).await?);
    }
    let mut refused_once = 0;
    for eid in &eids {
        let document = office.client().until(eid, "succeeded").await?;
        let outcomes = outcomes(&document, STEP)?;
        assert!(outcomes == ["unauthorized", "succeeded"] || outcomes == ["succeeded"], "{outcomes:?}");
        refused_once += outcomes.len() - 1;
    }
    assert!(refused_once > 0, "the old session was still good");
    assert_eq!(requests(crm, "POST", TOKEN) - before, 1);
    for case in cases {
        assert_eq!(comments(&office, &case), 1);
    }
    assert!(refused(crm, &[401]).is_empty());
    Ok(())
}

#[tokio::test]
async fn what_salesforce_refuses_is_a_dead_letter_with_its_code() -> anyhow::Result<()> {
    let office = office(&["crm.resolve-case", "crm.upsert-contact"]).await?;
    let input = json!({ "external_id": "c-1", "last_name": "Reed", "fields": { "Shoe_Size__c": 43 } });
    let (_, error) = office.dead("crm.upsert-contact", "1", input).await?;
    assert_eq!((&error["kind"], &error["details"]["code"]), (&json!("rejected"), &json!("INVALID_FIELD")), "{error:#}");
    assert!(those(&all(&office, "Contact"), |contact| contact["External_Id__c"] == "c-1").is_empty());
    let (_, error) = office.dead("crm.resolve-case", "2", json!({ "external_id": "nobody", "comment": "Done" })).await?;
    assert!(error["reason"].as_str().is_some_and(|reason| reason.contains("no case")), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_replay_after_the_lock_is_gone_comments_once() -> anyhow::Result<()> {
    let office = office(&["crm.resolve-case"]).await?;
    let crm = &office.saas.salesforce;
    let case_id = case(&office, "j-1").await?;
    // The comment is made on the first attempt; only the case itself is held.
    crm.set("lock-rows", json!([case_id])).map_err(anyhow::Error::msg)?;
    let (eid, error) = office.dead("crm.resolve-case", "1", json!({ "external_id": "j-1", "comment": "Done" })).await?;
    assert_eq!((&error["kind"], &error["details"]["code"]), (&json!("retry"), &json!("UNABLE_TO_LOCK_ROW")), "{error:#}");
    crm.set("lock-rows", json!([])).map_err(anyhow::Error::msg)?;
    office.replay(&eid).await?;
    let cases = all(&office, "Case");
    assert_eq!(only(&cases, |case| case["Job_Id__c"] == "j-1")?["Status"], "Closed");
    assert_eq!(comments(&office, &case_id), 1);
    Ok(())
}

#[tokio::test]
async fn a_technician_reads_what_the_client_wants_and_was_promised() -> anyhow::Result<()> {
    let wishes = r#", preference-fields = ["Preferred_Channel__c", "Preferred_Technician__c"], contract-fields = ["Response_Hours__c"] }"#;
    let plugins = company::plugins(&["crm"])
        .replace(r#"case-external-id-field = "Job_Id__c" }"#, &format!(r#"case-external-id-field = "Job_Id__c"{wishes}"#));
    let office = Office::configured(&(plugins + &action("crm.client-context", 3))).await?;
    let context = office.done("crm.client-context", "1", json!({ "contact_external_id": "contact-101" })).await?;
    assert_eq!(context["account"]["name"], "Acme Heating");
    assert_eq!(context["contact"]["email"], "ada.stone@acme.example");
    assert_eq!(context["preferences"]["Preferred_Technician__c"], "Tom Field");
    assert_eq!(context["preferences"]["Preferred_Channel__c"], "Email");
    assert_eq!(context["contract"]["special_terms"], "Parts at cost");
    assert_eq!(context["contract"]["fields"]["Response_Hours__c"], 4);
    let subjects: Vec<&str> = context["open_cases"].as_array().into_iter().flatten().filter_map(|case| case["subject"].as_str()).collect();
    assert!(subjects.contains(&"Boiler loses pressure") && subjects.contains(&"Filter change"), "{subjects:?}");
    // Reading writes nothing.
    assert_eq!(requests(&office.saas.salesforce, "POST", DATA) + requests(&office.saas.salesforce, "PATCH", DATA), 0);
    each_request_fails_once(&office, (&office.saas.salesforce, DATA), "crm.client-context", async |_| {
        Ok(json!({ "account_external_id": "cust-200" }))
    })
    .await?;
    let document = office.act("crm.client-context", "2", json!({ "contact_external_id": "nobody' OR Name != '" })).await?;
    assert_eq!(step(&document, STEP)?["error"]["kind"], "rejected", "{document:#}");
    Ok(())
}
