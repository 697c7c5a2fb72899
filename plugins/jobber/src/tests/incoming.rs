use sangam_saas::jobber::ACCOUNT_ID;
use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::Jobber;

/// Polls until there is no more.
fn sweep(host: &mut Host, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=20 {
        let page = host.poll::<Jobber>("jobs", cursor.take(), limit).expect("a page");
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

fn hook(topic: &str, account: &str, id: &Value) -> Inbound {
    let event = json!({ "topic": topic, "appId": "a", "accountId": account, "itemId": id, "occurredAt": "2026-11-28T10:00:00-06:00" });
    let body = json!({ "data": { "webHookEvent": event } }).to_string();
    Inbound { method: "POST".into(), path: "/hooks/jobber".into(), body: body.into_bytes(), ..Inbound::default() }
}

#[test]
fn webhooks_bring_in_the_job_as_it_is_now() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({ "account-id": ACCOUNT_ID }));
    far_end.edit(Value::Null, json!({ "title": "Boiler" }));
    let id = far_end.list("jobs")[0]["id"].clone();
    host.receive::<Jobber>("jobs", hook("JOB_CREATE", ACCOUNT_ID, &id)).expect("received");
    host.receive::<Jobber>("jobs", hook("JOB_CREATE", ACCOUNT_ID, &id)).expect("again");
    far_end.edit(id.clone(), json!({ "startAt": "2026-12-01T09:00:00Z", "lineItems": [{ "name": "PUMP", "quantity": 1, "unitPrice": 189.9 }], "timeSheetEntries": [{ "finalDuration": 9000, "labourRate": 95.0 }] }));
    host.receive::<Jobber>("jobs", hook("JOB_UPDATE", ACCOUNT_ID, &id)).expect("received");
    far_end.set("complete", id.clone());
    for topic in ["JOB_CLOSED", "JOB_UPDATE", "QUOTE_SENT"] {
        host.receive::<Jobber>("jobs", hook(topic, ACCOUNT_ID, &id)).expect("received");
    }
    host.receive::<Jobber>("jobs", hook("JOB_DESTROY", "Mg==", &id)).expect("another account's");
    assert_eq!(types(&host), ["job.created", "job.scheduled", "job.completed"]);
    let done = &host.events[2]["data"];
    assert_eq!(
        (&done["job_id"], &done["customer"]["email"], &done["worked_minutes"]),
        (&id, &json!("ada.stone@acme.example"), &json!(150))
    );
    assert_eq!(
        (&done["labour"][0]["hours"], &done["parts"][0]["item"], &done["technician"]["id"]),
        (&json!(2.5), &json!("PUMP"), &json!("emp-1"))
    );
    let visit = far_end.list("visits")[0]["id"].clone();
    host.receive::<Jobber>("jobs", hook("VISIT_UPDATE", ACCOUNT_ID, &visit)).expect("received");
    assert_eq!((types(&host)[3], &host.events[3]["data"]["job_id"]), ("visit.completed", &id));
    let failure = host.receive::<Jobber>("jobs", Inbound { body: b"{}".to_vec(), ..Inbound::default() }).expect_err("no webhook");
    assert_eq!(failure.kind, FailureKind::Rejected);
}

#[test]
fn clients_come_in_with_what_changed() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    let id = far_end.list("clients")[0]["id"].clone();
    host.receive::<Jobber>("jobs", hook("CLIENT_CREATE", ACCOUNT_ID, &id)).expect("received");
    far_end.set("edit", json!({ "client": id, "fields": { "companyName": "Acme Heating and Cooling" } }));
    host.receive::<Jobber>("jobs", hook("CLIENT_UPDATE", ACCOUNT_ID, &id)).expect("received");
    assert_eq!(types(&host), ["contact.created", "contact.changed"]);
    assert_eq!(host.events[1]["data"]["changed"], json!(["company", "name"]));
    host.receive::<Jobber>("jobs", hook("CLIENT_DESTROY", ACCOUNT_ID, &id)).expect("received");
    assert_eq!(types(&host)[2], "contact.deleted");
}

#[test]
fn a_poll_brings_each_job_once_and_none_of_our_own() {
    let far_end = FarEnd::start();
    for number in 0..5 {
        far_end.edit(Value::Null, json!({ "title": format!("Job {number}") }));
    }
    for limit in [1, 2, 100] {
        let mut host = far_end.host(json!({}));
        let mut cursor = sweep(&mut host, None, limit);
        assert_eq!(host.events.len(), 5, "{limit} at a time");
        host.events.clear();
        let before = far_end.list("jobs").len();
        let mut step = far_end.host(json!({}));
        step.store = host.store.clone();
        let ours = json!({ "title": "Ours", "customer": { "name": "Acme Heating" }, "scheduled_start": "2026-12-01T09:00:00Z" });
        let (made, _) = step.insist::<Jobber>("create-job", &ours);
        host.store = step.store.clone();
        assert_eq!(far_end.list("jobs").len(), before + 1);
        cursor = sweep(&mut host, cursor, limit);
        assert_eq!(types(&host), Vec::<&str>::new());
        far_end.edit(made["job_id"].clone(), json!({ "title": "Theirs now" }));
        sweep(&mut host, cursor, limit);
        assert_eq!((types(&host), &host.events[0]["data"]["changed"]), (vec!["job.changed"], &json!(["title"])));
        // For the next turn only the five are left.
        far_end.set("forget", made["job_id"].clone());
    }
}
