//! `hubspot`: contacts, companies, tickets, notes, and what a technician reads before a visit.

use anyhow::{Context as _, ensure};
use sangam_saas::{Fault, FaultAct};
use sangam_tests::company;
use serde_json::{Value, json};

use super::{Office, STEP, action, each_request_fails_once, only, patience, refused, requests, those};
use crate::scene::{outcomes, step};

const CRM: &str = "/crm/";

async fn office(actions: &[&str]) -> anyhow::Result<Office> {
    let routes: String = actions.iter().map(|uses| action(uses, 3)).collect();
    Office::start(&["desk"], &routes).await
}

fn all(office: &Office, kind: &str) -> Value {
    office.saas.hubspot.state()[kind].clone()
}

/// Notes whose text begins so.
fn notes(office: &Office, text: &str) -> usize {
    let begins = |note: &Value| note["properties"]["hs_note_body"].as_str().is_some_and(|body| body.starts_with(text));
    those(&all(office, "notes"), begins).len()
}

/// How many associations lead from a record to one of a kind.
fn links(office: &Office, from: &str, to: &str) -> usize {
    those(&all(office, "associations"), |link| link["from"] == from && link["to"].as_str().is_some_and(|other| other.starts_with(to))).len()
}

#[tokio::test]
async fn notes_and_tickets_are_done_once_whichever_request_fails() -> anyhow::Result<()> {
    let office = office(&["desk.add-note", "desk.close-ticket"]).await?;
    let desk = company::desk(&office.saas);
    let tags = each_request_fails_once(&office, (&office.saas.hubspot, CRM), "desk.add-note", async |tag| {
        let ticket = company::open_ticket(&desk, tag).await?;
        Ok(json!({ "ticket_id": ticket, "body": format!("{tag}: valve changed") }))
    })
    .await?;
    for tag in tags {
        assert_eq!(notes(&office, &format!("{tag}: ")), 1, "{tag}");
        let tickets = all(&office, "tickets");
        let ticket = only(&tickets, |ticket| ticket["properties"]["subject"] == tag.as_str())?;
        let id = ticket["id"].as_str().context("a ticket has an id")?;
        assert_eq!(links(&office, &format!("tickets/{id}"), "notes/"), 1, "{tag}");
    }
    let tags = each_request_fails_once(&office, (&office.saas.hubspot, CRM), "desk.close-ticket", async |tag| {
        let ticket = company::open_ticket(&desk, &format!("close {tag}")).await?;
        Ok(json!({ "ticket_id": ticket }))
    })
    .await?;
    for tag in tags {
        let tickets = all(&office, "tickets");
        let ticket = only(&tickets, |ticket| ticket["properties"]["subject"] == format!("close {tag}"))?;
        assert_eq!(ticket["properties"]["hs_pipeline_stage"], "4", "{tag}");
    }
    assert!(refused(&office.saas.hubspot, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn contacts_and_companies_are_kept_once() -> anyhow::Result<()> {
    let plugins = company::plugins(&["desk"])
        .replace(r#"base-url = "${env:HUBSPOT}" }"#, r#"base-url = "${env:HUBSPOT}", company-external-id-property = "erp_id" }"#);
    let office = Office::configured(&(plugins + &action("desk.upsert-contact", 3) + &action("desk.upsert-company", 3))).await?;
    let desk = company::desk(&office.saas);
    let property = json!({ "name": "erp_id", "label": "ERP id", "type": "string", "fieldType": "text", "groupName": "companyinformation", "hasUniqueValue": true });
    let made = desk.post("/crm/v3/properties/companies", &property).await?;
    ensure!(made.status == 201, "no property: {}", made.text);
    let companies = each_request_fails_once(&office, (&office.saas.hubspot, CRM), "desk.upsert-company", async |tag| {
        Ok(json!({ "external_id": tag, "domain": format!("{tag}.example"), "properties": { "name": tag } }))
    })
    .await?;
    for tag in &companies {
        let companies = all(&office, "companies");
        let kept = only(&companies, |company| company["properties"]["erp_id"] == tag.as_str())?;
        assert_eq!(kept["properties"]["domain"], format!("{tag}.example"));
    }
    let companies = all(&office, "companies");
    let acme = only(&companies, |company| company["properties"]["domain"] == "acme.example")?["id"].clone();
    let contacts = each_request_fails_once(&office, (&office.saas.hubspot, CRM), "desk.upsert-contact", async |tag| {
        Ok(json!({ "email": format!("{tag}@client.example"), "properties": { "firstname": tag }, "company_id": acme }))
    })
    .await?;
    for tag in &contacts {
        let contacts = all(&office, "contacts");
        let kept = only(&contacts, |contact| contact["properties"]["email"] == format!("{tag}@client.example"))?;
        let id = kept["id"].as_str().context("a contact has an id")?;
        assert!(links(&office, &format!("contacts/{id}"), "companies/") >= 1, "{tag}");
    }
    assert!(refused(&office.saas.hubspot, &[]).is_empty());
    Ok(())
}

#[tokio::test]
async fn a_company_whose_creation_was_lost_is_not_created_again_though_search_is_late() -> anyhow::Result<()> {
    let office = office(&["desk.upsert-company"]).await?;
    office.saas.hubspot.set("search-lag-ms", 3_000).map_err(anyhow::Error::msg)?;
    office.saas.hubspot.fault(Fault::once("/crm/v3/objects/companies", FaultAct::LoseAnswer));
    let document = office.act("desk.upsert-company", "1", json!({ "domain": "mill.example", "properties": { "name": "Mill" } })).await?;
    assert_eq!(document["status"], "succeeded", "{document:#}");
    // The second attempt only looks, sees nothing, and gives the search time, which is no attempt of the policy's.
    assert_eq!(outcomes(&document, STEP)?, ["retry", "rate-limited", "succeeded"]);
    let companies = all(&office, "companies");
    only(&companies, |company| company["properties"]["domain"] == "mill.example")?;
    Ok(())
}

#[tokio::test]
async fn limits_are_waited_for_as_long_as_their_window_and_cost_no_attempt() -> anyhow::Result<()> {
    let office = Office::start(&["desk"], &(action("desk.upsert-company", 1) + &action("desk.add-note", 1))).await?;
    let desk = &office.saas.hubspot;
    let ticket = company::open_ticket(&company::desk(&office.saas), "Pump").await?;
    desk.set("secondly-limit", 0).map_err(anyhow::Error::msg)?;
    desk.set("ten-secondly-limit", 0).map_err(anyhow::Error::msg)?;
    let company =
        office.send("desk.upsert-company", "1", json!({ "domain": "acme.example", "properties": { "phone": "+1 555 0100" } })).await?;
    let note = office.send("desk.add-note", "2", json!({ "ticket_id": ticket, "body": "Late note" })).await?;
    let wait = patience(&office.attempted(&company, "rate-limited").await?)?;
    // The window of a second, not that of ten; a busy machine may be late.
    assert!(wait <= 5.0, "{wait} s");
    let wait = patience(&office.attempted(&note, "rate-limited").await?)?;
    assert!((7.0..11.0).contains(&wait), "{wait} s");
    desk.set("secondly-limit", Value::Null).map_err(anyhow::Error::msg)?;
    desk.set("ten-secondly-limit", Value::Null).map_err(anyhow::Error::msg)?;
    for eid in [&company, &note] {
        office.client().until(eid, "succeeded").await?;
    }
    let companies = all(&office, "companies");
    let acme = only(&companies, |company| company["properties"]["domain"] == "acme.example")?;
    assert_eq!(acme["properties"]["phone"], "+1 555 0100");
    assert_eq!(notes(&office, "Late note"), 1);
    Ok(())
}

#[tokio::test]
async fn an_expired_token_is_refreshed_once() -> anyhow::Result<()> {
    let refreshed = "type = \"oauth2-refresh-token\"\ntoken-url = \"${env:HUBSPOT}/oauth/v1/token\"\nclient-id = \"hs-client\"\n\
                     client-secret = \"${secret:hubspot-client}\"\nrefresh-token = \"${secret:hubspot-refresh}\"\nclient-auth = \"body\"";
    let plugins = company::plugins(&["desk"]).replace("type  = \"bearer\"", refreshed).replace("token = \"${secret:hubspot-token}\"\n", "");
    let saas = sangam_saas::Saas::start().await?;
    let folder = company::folder(&saas, &(plugins + &action("desk.add-note", 1)))?;
    folder.secret("hubspot-client", "hs-secret")?;
    folder.secret("hubspot-refresh", "hs-refresh")?;
    let host = folder.start().await?;
    let office = Office { saas, folder, host };
    let ticket = company::open_ticket(&company::desk(&office.saas), "Pump").await?;
    let input = |text: &str| json!({ "ticket_id": ticket, "body": text });
    office.done("desk.add-note", "1", input("First")).await?;
    office.saas.hubspot.set("expire-tokens", true).map_err(anyhow::Error::msg)?;
    let document = office.act("desk.add-note", "2", input("Second")).await?;
    assert_eq!(outcomes(&document, STEP)?, ["unauthorized", "succeeded"], "{document:#}");
    assert_eq!(requests(&office.saas.hubspot, "POST", "/oauth/"), 2);
    assert_eq!((notes(&office, "First"), notes(&office, "Second")), (1, 1));
    Ok(())
}

#[tokio::test]
async fn what_hubspot_refuses_is_a_dead_letter_with_its_category() -> anyhow::Result<()> {
    let office = office(&["desk.upsert-contact", "desk.close-ticket"]).await?;
    let input = json!({ "email": "ada@client.example", "properties": { "shoe_size": "43" } });
    let (_, error) = office.dead("desk.upsert-contact", "1", input).await?;
    assert_eq!((&error["kind"], &error["details"]["category"]), (&json!("rejected"), &json!("VALIDATION_ERROR")), "{error:#}");
    assert!(those(&all(&office, "contacts"), |contact| contact["properties"]["email"] == "ada@client.example").is_empty());
    let (_, error) = office.dead("desk.close-ticket", "2", json!({ "ticket_id": "99999999" })).await?;
    assert_eq!((&error["kind"], &error["details"]["status"]), (&json!("rejected"), &json!(404)), "{error:#}");
    Ok(())
}

#[tokio::test]
async fn a_technician_reads_a_contacts_companies_open_tickets_and_notes() -> anyhow::Result<()> {
    let office = office(&["desk.contact-context", "desk.add-note", "desk.close-ticket"]).await?;
    let context = office.done("desk.contact-context", "1", json!({ "email": "anna.berg@acme.example" })).await?;
    assert_eq!(context["properties"]["firstname"], "Anna");
    assert_eq!(context["companies"][0]["properties"]["name"], "Acme Facilities");
    assert_eq!(context["open_tickets"][0]["properties"]["subject"], "Boiler in hall 2 loses pressure");
    assert_eq!(context["notes"], json!([]));
    let (contact, ticket) = (context["contact_id"].clone(), context["open_tickets"][0]["id"].clone());
    office.done("desk.add-note", "2", json!({ "contact_id": contact, "body": "Ring twice" })).await?;
    office.done("desk.close-ticket", "3", json!({ "ticket_id": ticket })).await?;
    let context = office.done("desk.contact-context", "4", json!({ "id": contact })).await?;
    assert_eq!(context["open_tickets"], json!([]));
    assert!(context["notes"][0]["properties"]["hs_note_body"].as_str().is_some_and(|body| body.starts_with("Ring twice")), "{context:#}");
    each_request_fails_once(&office, (&office.saas.hubspot, CRM), "desk.contact-context", async |_| Ok(json!({ "id": contact }))).await?;
    // Reads by POST were granted, so none of them is in the journal.
    let document = office.act("desk.contact-context", "5", json!({ "id": contact })).await?;
    let effects = step(&document, STEP)?["attempts"][0]["effects"].as_array().context("an attempt has effects")?;
    assert!(effects.iter().all(|effect| effect["key"].is_null()), "{effects:#?}");
    Ok(())
}
