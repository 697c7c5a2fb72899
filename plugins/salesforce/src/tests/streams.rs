//! The streams against the stand-in: what a person changes comes in once, what we change not at all.

use sangam_saas::salesforce::{ORG_ID, USER_ID};
use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::Salesforce;

fn host(far_end: &FarEnd) -> Host {
    let mut host = far_end.step();
    host.config["integration-user"] = USER_ID.into();
    host
}

/// Polls until there is no more.
fn sweep(host: &mut Host, stream: &str, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=30 {
        let page = host.poll::<Salesforce>(stream, cursor.take(), limit).expect("a page");
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

fn ada(far_end: &FarEnd) -> String {
    far_end.record("Contact", "External_Id__c", "contact-101")["Id"].as_str().expect("an id").to_owned()
}

#[test]
fn each_contact_comes_in_once_in_pages_of_any_size() {
    let far_end = FarEnd::start();
    let all = far_end.records("Contact").len();
    for limit in [1, 2, 200] {
        let mut host = host(&far_end);
        let cursor = sweep(&mut host, "contacts", None, limit);
        let mut ids: Vec<_> = host.events.iter().map(|event| event["subject"].clone()).collect();
        ids.dedup();
        assert_eq!((host.events.len(), ids.len()), (all, all), "{limit} at a time");
        sweep(&mut host, "contacts", cursor, limit);
        assert_eq!(host.events.len(), all, "nothing has changed since");
    }
}

#[test]
fn what_a_person_changes_comes_in_with_the_names_of_what_changed() {
    let far_end = FarEnd::start();
    let mut host = host(&far_end);
    let cursor = sweep(&mut host, "contacts", None, 200);
    host.events.clear();
    let id = ada(&far_end);
    edit(&far_end, json!({ "object": "Contact", "id": id, "fields": { "Email": "ada@new.example", "Preferred_Channel__c": "Phone" } }));
    edit(&far_end, json!({ "object": "Contact", "fields": { "LastName": "New", "FirstName": "Nora" } }));
    let cursor = sweep(&mut host, "contacts", cursor, 1);
    assert_eq!(types(&host), ["contact.changed", "contact.created"]);
    let data = &host.events[0]["data"];
    assert_eq!((&data["contact_id"], &data["email"], &data["external_id"]), (&json!(id), &json!("ada@new.example"), &json!("contact-101")));
    assert_eq!(data["changed"], json!(["Preferred_Channel__c", "email"]));
    assert_eq!((&data["company"]["name"], &data["preferences"]["Preferred_Channel__c"]), (&json!("Acme Heating"), &json!("Phone")));
    let nora = host.events[1]["subject"].clone();

    edit(&far_end, json!({ "object": "Contact", "id": nora, "delete": true }));
    let cursor = sweep(&mut host, "contacts", cursor, 200);
    assert_eq!(types(&host)[2..], ["contact.deleted"]);
    // It stays in the recycle bin; the look back sees it again, under the same id.
    sweep(&mut host, "contacts", cursor, 200);
    assert!(host.events[2..].iter().all(|event| event["id"] == host.events[2]["id"]));
}

#[test]
fn a_change_behind_the_last_one_comes_in_also_where_the_sweep_ended_on_a_whole_page() {
    for limit in [1, 200] {
        let far_end = FarEnd::start();
        let mut host = host(&far_end);
        let nora = json!({ "object": "Contact", "fields": { "LastName": "New" }, "at": "2030-01-01T00:00:00Z" });
        edit(&far_end, nora);
        let cursor = sweep(&mut host, "contacts", None, limit);
        host.events.clear();
        // One transaction ended late, and one has the same stamp as the last record and a lesser id.
        edit(&far_end, json!({ "object": "Contact", "fields": { "LastName": "Late" }, "at": "2029-12-31T23:59:30Z" }));
        edit(&far_end, json!({ "object": "Contact", "id": ada(&far_end), "fields": { "Title": "Owner" }, "at": "2030-01-01T00:00:00Z" }));
        let cursor = sweep(&mut host, "contacts", cursor, limit);
        assert_eq!(types(&host), ["contact.created", "contact.changed"], "{limit} at a time");
        sweep(&mut host, "contacts", cursor, limit);
        assert_eq!(host.events.len(), 2, "what is seen twice is no news");
    }
}

#[test]
fn an_echo_of_our_own_writes_is_no_news_and_hides_nobody_elses() {
    let far_end = FarEnd::start();
    let mut host = host(&far_end);
    let mut cursor = sweep(&mut host, "contacts", None, 200);
    host.events.clear();
    let write = |host: &mut Host, fields: Value| {
        host.attempt += 1;
        let store = std::mem::take(&mut host.store);
        let mut step = far_end.step();
        step.store = store;
        step.invoke::<Salesforce>("upsert-contact", fields).expect("kept");
        host.store = step.store;
    };
    // A contact of ours, and a change of ours to one of theirs.
    write(&mut host, json!({ "external_id": "c-1", "last_name": "Ours", "email": "o@x.example", "account_external_id": "cust-100" }));
    write(&mut host, json!({ "external_id": "contact-101", "last_name": "Stone", "phone": "+1 555 9999" }));
    cursor = sweep(&mut host, "contacts", cursor, 200);
    assert_eq!(types(&host), Vec::<&str>::new());
    // A person's change just before ours is not lost, though we wrote last.
    edit(&far_end, json!({ "object": "Contact", "id": ada(&far_end), "fields": { "Title": "Owner" } }));
    write(&mut host, json!({ "external_id": "contact-101", "last_name": "Stone", "phone": "+1 555 8888" }));
    sweep(&mut host, "contacts", cursor, 200);
    assert_eq!(types(&host), ["contact.changed"]);
    assert_eq!(host.events[0]["data"]["changed"], json!(["phone", "title"]));
}

#[test]
fn a_case_is_opened_changed_and_closed() {
    let far_end = FarEnd::start();
    let mut host = host(&far_end);
    host.since = Some("2999-01-01T00:00:00Z".into());
    let none = sweep(&mut host, "cases", None, 200);
    assert_eq!((host.events.len(), none.expect("a cursor")["since"].clone()), (0, json!("2999-01-01T00:00:00.000Z")));

    host.since = Some("2020-01-01T00:00:00Z".into());
    let mut cursor = sweep(&mut host, "cases", None, 200);
    host.events.clear();
    let account = far_end.record("Account", "External_Id__c", "cust-100")["Id"].clone();
    edit(
        &far_end,
        json!({ "object": "Case", "fields": { "Subject": "No heat", "AccountId": account, "ContactId": ada(&far_end), "Priority": "High" } }),
    );
    cursor = sweep(&mut host, "cases", cursor, 200);
    let opened = host.events[0].clone();
    assert_eq!((&opened["type"], &opened["data"]["customer"]["name"]), (&json!("case.opened"), &json!("Acme Heating")));
    assert_eq!((&opened["data"]["contact"]["email"], &opened["data"]["priority"]), (&json!("ada.stone@acme.example"), &json!("High")));

    // The route links the case to its job: no news.
    let store = std::mem::take(&mut host.store);
    let mut step = far_end.step();
    step.store = store;
    step.invoke::<Salesforce>("update-case", json!({ "case_id": opened["subject"], "job_id": "J-1", "status": "Working" }))
        .expect("changed");
    host.store = step.store;
    cursor = sweep(&mut host, "cases", cursor, 200);
    edit(&far_end, json!({ "object": "Case", "id": opened["subject"], "fields": { "Priority": "Low" } }));
    cursor = sweep(&mut host, "cases", cursor, 200);
    edit(&far_end, json!({ "object": "Case", "id": opened["subject"], "fields": { "Status": "Closed" } }));
    sweep(&mut host, "cases", cursor, 200);
    assert_eq!(types(&host), ["case.opened", "case.changed", "case.closed"]);
    assert_eq!((&host.events[1]["data"]["changed"], &host.events[2]["data"]["job_id"]), (&json!(["priority"]), &json!("J-1")));
}

fn message(object: &str, ids: &[&str], organization: &str) -> Inbound {
    let records: String = ids
        .iter()
        .map(|id| format!(r#"<Notification><Id>04l</Id><sObject xsi:type="sf:{object}" xmlns:sf="urn:sobject.enterprise.soap.sforce.com"><sf:Id>{id}</sf:Id></sObject></Notification>"#))
        .collect();
    let body = format!(
        r#"<?xml version="1.0"?><e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><e:Body><notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{organization}</OrganizationId>{records}</notifications></e:Body></e:Envelope>"#
    );
    Inbound { method: "POST".into(), path: "/hooks/crm".into(), body: body.into_bytes(), ..Inbound::default() }
}

#[test]
fn an_outbound_message_brings_in_the_records_as_they_are_and_is_acknowledged() {
    let far_end = FarEnd::start();
    let mut host = host(&far_end);
    host.config["organization-id"] = ORG_ID.into();
    let id = ada(&far_end);
    edit(&far_end, json!({ "object": "Contact", "id": id, "fields": { "Email": "ada@new.example" } }));
    for times in [1, 1] {
        let received = host.receive::<Salesforce>("contacts", message("Contact", &[&id, &id], ORG_ID)).expect("received");
        assert!(String::from_utf8_lossy(&received.reply.body).contains("<Ack>true</Ack>"));
        assert_eq!(received.reply.headers[0].1, b"text/xml; charset=utf-8");
        assert_eq!(host.events.len(), times, "a message that comes twice is one event");
    }
    assert_eq!((&host.events[0]["type"], &host.events[0]["data"]["email"]), (&json!("contact.created"), &json!("ada@new.example")));
    for (object, organization, reason) in [
        ("Contact", "00DXX0000000001MAA", "The message is of organization `00DXX0000000001MAA`"),
        ("Case", ORG_ID, "The message tells of Case; this stream is of Contact"),
    ] {
        let failure = host.receive::<Salesforce>("contacts", message(object, &[&id], organization)).expect_err("refused");
        assert!(failure.reason.starts_with(reason), "{failure}");
    }
}

#[test]
fn a_failure_leaves_the_cursor_where_it_was() {
    let far_end = FarEnd::start();
    far_end.refuse("GET", "/services/data/v66.0/queryAll", 403, json!([{ "message": "No.", "errorCode": "REQUEST_LIMIT_EXCEEDED" }]));
    let mut host = host(&far_end);
    let failure = host.poll::<Salesforce>("contacts", None, 10).expect_err("no page");
    assert_eq!((failure.kind, host.store.len()), (FailureKind::RateLimited, 0));
}
