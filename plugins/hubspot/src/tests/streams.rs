//! The streams against the stand-in: what a person changes comes in once, what we change not at all.

use sangam_far_end::reqwest::Method;
use sangam_saas::hubspot::{APP_ID, PORTAL_ID};
use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::HubSpot;

/// Polls until there is no more.
fn sweep(host: &mut Host, stream: &str, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=30 {
        let page = host.poll::<HubSpot>(stream, cursor.take(), limit).expect("a page");
        assert!(page.set_aside.is_empty(), "{:?}", page.set_aside);
        cursor = page.next_cursor;
        if !page.more {
            return cursor;
        }
    }
    panic!("the stream does not come to an end");
}

fn types(host: &Host) -> Vec<&str> {
    host.events.iter().filter_map(|event| event["type"].as_str()).collect()
}

fn edit(far_end: &FarEnd, edit: Value) {
    far_end.stand().set("edit", edit).expect("written");
}

/// Runs an action with the stream's key-value, as at a real host.
fn act(far_end: &FarEnd, host: &mut Host, action: &str, input: Value) -> Value {
    let mut step = far_end.step();
    step.store = std::mem::take(&mut host.store);
    let output = step.invoke::<HubSpot>(action, input).expect("done");
    host.store = step.store;
    output
}

fn batch(events: Value) -> Inbound {
    Inbound { method: "POST".into(), path: "/hooks/hubspot".into(), body: events.to_string().into_bytes(), ..Inbound::default() }
}

#[test]
fn each_contact_comes_in_once_in_pages_of_any_size() {
    let far_end = FarEnd::start();
    for number in 0..5 {
        edit(&far_end, json!({ "object": "contacts", "properties": { "email": format!("c{number}@x.example") } }));
    }
    let all = far_end.records("contacts").len();
    for limit in [1, 2, 100] {
        let mut host = far_end.step();
        let cursor = sweep(&mut host, "contacts", None, limit);
        let ids: std::collections::BTreeSet<_> = host.events.iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), all, "{limit} at a time");
        host.events.clear();
        sweep(&mut host, "contacts", cursor, limit);
        assert_eq!(host.events.len(), 0, "nothing has changed since");
    }
}

#[test]
fn a_sweep_whose_last_page_is_empty_looks_back_as_any_other() {
    let far_end = FarEnd::start();
    for name in ["one", "two", "last"] {
        edit(&far_end, json!({ "object": "contacts", "properties": { "email": format!("{name}@x.example") } }));
    }
    let all = far_end.records("contacts").len();
    let mut host = far_end.step();
    host.config["overlap-seconds"] = json!(60);
    let mut cursor = None;
    let seen = |host: &Host| host.events.iter().map(|event| event["subject"].to_string()).collect::<std::collections::BTreeSet<_>>().len();
    let asked =
        |host: &Host| host.sent.last().and_then(|sent| sent.json()["filterGroups"][0]["filters"][0]["value"].as_str()?.parse::<i64>().ok());
    for _ in 1..=30 {
        cursor = host.poll::<HubSpot>("contacts", cursor, 1).expect("a page").next_cursor;
        if seen(&host) == all - 1 && cursor.as_ref().is_some_and(|cursor| cursor["after"].is_string()) {
            break;
        }
    }
    // The only record of the page to come goes before it is asked for.
    edit(&far_end, json!({ "object": "contacts", "id": far_end.record("contacts", "email", "last@x.example")["id"], "delete": true }));
    let page = host.poll::<HubSpot>("contacts", cursor, 1).expect("a page");
    assert_eq!((page.more, seen(&host)), (false, all - 1));
    let end = asked(&host).expect("a moment");
    host.poll::<HubSpot>("contacts", page.next_cursor, 1).expect("a page");
    assert_eq!(asked(&host), Some(end - 60_000));
}

#[test]
fn a_person_is_heard_and_our_own_writes_are_not() {
    let far_end = FarEnd::start();
    let mut host = far_end.step();
    host.since = Some("2020-01-01T00:00:00Z".into());
    let mut cursor = sweep(&mut host, "contacts", None, 100);
    host.events.clear();
    let made = act(&far_end, &mut host, "upsert-contact", json!({ "email": "Ours@x.example", "properties": { "firstname": "Ann" } }));
    cursor = sweep(&mut host, "contacts", cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    edit(&far_end, json!({ "object": "contacts", "id": made["id"], "properties": { "phone": "+1 555 7" } }));
    act(&far_end, &mut host, "upsert-contact", json!({ "email": "ours@x.example", "properties": { "city": "Springfield" } }));
    edit(&far_end, json!({ "object": "contacts", "properties": { "email": "new@x.example" } }));
    sweep(&mut host, "contacts", cursor, 100);
    assert_eq!(types(&host), ["contact.changed", "contact.created"]);
    let data = &host.events[0]["data"];
    assert_eq!(
        (&data["contact_id"], &data["changed"], &data["address"]["city"]),
        (&made["id"], &json!(["city", "phone"]), &json!("Springfield"))
    );
}

#[test]
fn a_batch_of_webhooks_brings_in_each_record_once_as_it_is_now() {
    let far_end = FarEnd::start();
    let mut host = far_end.step();
    host.config["portal-id"] = PORTAL_ID.into();
    host.config["app-id"] = APP_ID.into();
    edit(&far_end, json!({ "object": "contacts", "properties": { "email": "new@x.example", "firstname": "Nora" } }));
    let contact = far_end.record("contacts", "email", "new@x.example");
    let id: u64 = contact["id"].as_str().and_then(|id| id.parse().ok()).expect("a number");
    let told = |kind: &str, portal: u64, source: &str, source_id: &str| {
        json!({ "eventId": 1, "subscriptionId": 1, "portalId": portal, "appId": APP_ID, "occurredAt": 1_764_000_000_000_i64, "subscriptionType": kind,
                "attemptNumber": 0, "objectId": id, "changeSource": source, "sourceId": source_id })
    };
    let app = APP_ID.to_string();
    let events = json!([
        told("contact.creation", PORTAL_ID, "CRM_UI", "userId:1"),
        told("contact.propertyChange", PORTAL_ID, "CRM_UI", "userId:1"),
        told("ticket.creation", PORTAL_ID, "CRM_UI", "userId:1"),
    ]);
    host.receive::<HubSpot>("contacts", batch(events.clone())).expect("received");
    host.receive::<HubSpot>("contacts", batch(events)).expect("again");
    assert_eq!(types(&host), ["contact.created"]);
    assert_eq!(host.events[0]["data"]["first_name"], "Nora");
    // Another account, and what our own app did: not even read.
    let asked = host.sent.len();
    let passed =
        json!([told("contact.propertyChange", 1, "CRM_UI", "userId:1"), told("contact.propertyChange", PORTAL_ID, "INTEGRATION", &app)]);
    host.receive::<HubSpot>("contacts", batch(passed)).expect("received");
    assert_eq!((host.events.len(), host.sent.len()), (1, asked));
    host.receive::<HubSpot>("contacts", batch(json!([told("contact.deletion", PORTAL_ID, "CRM_UI", "userId:1")]))).expect("received");
    assert_eq!((types(&host)[1], &host.events[1]["data"]["contact_id"]), ("contact.deleted", &contact["id"]));
    let failure = host.receive::<HubSpot>("contacts", batch(json!({ "no": "list" }))).expect_err("no batch");
    assert_eq!(failure.kind, FailureKind::Rejected);
}

#[test]
fn a_ticket_is_opened_and_closed_with_its_contact() {
    let far_end = FarEnd::start();
    let mut host = far_end.step();
    host.since = Some("2020-01-01T00:00:00Z".into());
    let mut cursor = sweep(&mut host, "tickets", None, 100);
    host.events.clear();
    edit(&far_end, json!({ "object": "tickets", "properties": { "subject": "No heat", "hs_pipeline_stage": "1" } }));
    let ticket = far_end.record("tickets", "subject", "No heat");
    let contact = far_end.records("contacts")[0].clone();
    let path = format!(
        "/crm/v4/objects/tickets/{}/associations/default/contacts/{}",
        ticket["id"].as_str().expect("id"),
        contact["id"].as_str().expect("id")
    );
    far_end.send(Method::PUT, &path, json!({}));
    cursor = sweep(&mut host, "tickets", cursor, 100);
    assert_eq!(types(&host), ["case.opened"]);
    assert_eq!(host.events[0]["data"]["contact"]["email"], contact["properties"]["email"]);
    edit(&far_end, json!({ "object": "tickets", "id": ticket["id"], "properties": { "hs_pipeline_stage": "4" } }));
    cursor = sweep(&mut host, "tickets", cursor, 100);
    assert_eq!((types(&host)[1], &host.events[1]["data"]["changed"]), ("case.closed", &json!(["status"])));
    // Closed by an action of ours: no news.
    edit(&far_end, json!({ "object": "tickets", "id": ticket["id"], "properties": { "hs_pipeline_stage": "1" } }));
    cursor = sweep(&mut host, "tickets", cursor, 100);
    act(&far_end, &mut host, "close-ticket", json!({ "ticket_id": ticket["id"] }));
    sweep(&mut host, "tickets", cursor, 100);
    assert_eq!(types(&host), ["case.opened", "case.closed", "case.changed"]);
}
