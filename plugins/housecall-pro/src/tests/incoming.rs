use sangam_saas::housecall::COMPANY_ID;
use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::HousecallPro;

/// Polls until there is no more.
fn sweep(host: &mut Host, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=20 {
        let page = host.poll::<HousecallPro>("jobs", cursor.take(), limit).expect("a page");
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

fn hook(event: &str, company: &str, object: &str, id: &Value) -> Inbound {
    let body =
        json!({ "event": event, "event_occurred_at": "2026-11-28T10:00:00Z", "company_id": company, object: { "id": id } }).to_string();
    Inbound { method: "POST".into(), path: "/hooks/hcp".into(), body: body.into_bytes(), ..Inbound::default() }
}

#[test]
fn webhooks_bring_in_the_job_as_it_is_now() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({ "company-id": COMPANY_ID }));
    far_end.edit(Value::Null, json!({ "description": "Boiler" }));
    let id = far_end.list("jobs")[0]["id"].clone();
    host.receive::<HousecallPro>("jobs", hook("job.created", COMPANY_ID, "job", &id)).expect("received");
    host.receive::<HousecallPro>("jobs", hook("job.created", COMPANY_ID, "job", &id)).expect("again");
    let started = json!({ "work_status": "in progress", "schedule": { "scheduled_start": "2026-12-01T09:00:00Z" }, "work_timestamps": { "started_at": "2026-12-01T09:05:00Z" } });
    far_end.edit(id.clone(), started);
    host.receive::<HousecallPro>("jobs", hook("job.started", COMPANY_ID, "job", &id)).expect("received");
    far_end.edit(id.clone(), json!({ "work_status": "complete unrated", "total_amount": 18990, "line_items": [{ "name": "PUMP", "quantity": 1, "unit_price": 18990 }] }));
    host.receive::<HousecallPro>("jobs", hook("job.completed", COMPANY_ID, "job", &id)).expect("received");
    host.receive::<HousecallPro>("jobs", hook("job.completed", "co_2", "job", &id)).expect("another company's");
    host.receive::<HousecallPro>("jobs", hook("estimate.sent", COMPANY_ID, "estimate", &id)).expect("something else");
    assert_eq!(types(&host), ["job.created", "job.started", "job.completed"]);
    let done = &host.events[2]["data"];
    assert_eq!(
        (&done["customer"]["name"], done["total"].to_string().as_str(), &done["parts"][0]["item"]),
        (&json!("Acme Heating"), "189.90", &json!("PUMP"))
    );
    far_end.set("delete-job", id.clone());
    host.receive::<HousecallPro>("jobs", hook("job.deleted", COMPANY_ID, "job", &id)).expect("received");
    let customer = far_end.list("customers")[0]["id"].clone();
    host.receive::<HousecallPro>("jobs", hook("customer.created", COMPANY_ID, "customer", &customer)).expect("received");
    far_end.set("edit", json!({ "customer": customer, "fields": { "email": "ada@new.example" } }));
    host.receive::<HousecallPro>("jobs", hook("customer.updated", COMPANY_ID, "customer", &customer)).expect("received");
    assert_eq!(types(&host)[3..], ["job.cancelled", "contact.created", "contact.changed"]);
    assert_eq!(host.events[5]["data"]["changed"], json!(["email"]));
}

#[test]
fn a_poll_brings_each_job_once_and_none_of_our_own() {
    let far_end = FarEnd::start();
    for number in 0..5 {
        far_end.edit(Value::Null, json!({ "description": format!("Job {number}") }));
    }
    for limit in [1, 2, 100] {
        let mut host = far_end.host(json!({}));
        let cursor = sweep(&mut host, None, limit);
        assert_eq!(host.events.len(), 5, "{limit} at a time");
        sweep(&mut host, cursor, limit);
        assert_eq!(host.events.len(), 5, "nothing has changed");
    }
    let mut host = far_end.host(json!({}));
    let mut cursor = sweep(&mut host, None, 100);
    host.events.clear();
    let ours = json!({ "title": "Ours", "customer": { "name": "Acme Heating" }, "scheduled_start": "2026-12-01T09:00:00Z", "scheduled_end": "2026-12-01T10:00:00Z" });
    let mut step = far_end.host(json!({}));
    step.store = host.store.clone();
    let (made, _) = step.insist::<HousecallPro>("create-job", &ours);
    host.store = step.store.clone();
    cursor = sweep(&mut host, cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    far_end.edit(made["job_id"].clone(), json!({ "schedule": { "scheduled_start": "2026-12-02T09:00:00Z" } }));
    sweep(&mut host, cursor, 100);
    assert_eq!(types(&host), ["job.rescheduled"]);
}
