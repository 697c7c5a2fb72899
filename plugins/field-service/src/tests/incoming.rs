use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::FieldService;

/// Polls until there is no more.
fn sweep(host: &mut Host, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=20 {
        let page = host.poll::<FieldService>("jobs", cursor.take(), limit).expect("a page");
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

fn hook(body: Value) -> Inbound {
    Inbound { method: "POST".into(), path: "/hooks/jobs".into(), body: body.to_string().into_bytes(), ..Inbound::default() }
}

#[test]
fn what_happens_to_a_job_comes_in_step_by_step() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    far_end.edit(Value::Null, json!({ "title": "Boiler" }));
    let mut cursor = sweep(&mut host, None, 100);
    for fields in [
        json!({ "status": "scheduled", "scheduled_start": "2026-12-01T09:00:00Z", "technician": { "id": "emp-1" } }),
        json!({ "scheduled_start": "2026-12-02T09:00:00Z" }),
        json!({ "status": "started" }),
        json!({ "notes": "Pump replaced" }),
        json!({ "status": "completed", "worked_minutes": 150, "labour": [{ "hours": 2.5, "rate": 95 }], "parts": [], "expenses": [] }),
        json!({ "internal": "nothing that is told" }),
    ] {
        far_end.edit(json!(1001), fields);
        cursor = sweep(&mut host, cursor, 100);
    }
    assert_eq!(types(&host), ["job.created", "job.scheduled", "job.rescheduled", "job.started", "job.changed", "job.completed"]);
    let done = &host.events[5];
    assert_eq!((&done["subject"], &done["data"]["job_id"]), (&json!("1001"), &json!("1001")));
    assert_eq!(done["id"], format!("1001/{}", done["data"]["updated_at"].as_str().expect("a time")));
    assert_eq!((&done["data"]["technician"]["name"], &done["data"]["labour"][0]["hours"]), (&json!("Tom Field"), &json!(2.5)));
}

#[test]
fn pages_of_any_size_bring_each_job_once() {
    let far_end = FarEnd::start();
    for number in 0..7 {
        far_end.edit(Value::Null, json!({ "title": format!("Job {number}") }));
    }
    for limit in [1, 3, 100] {
        let mut host = far_end.host(json!({}));
        let cursor = sweep(&mut host, None, limit);
        assert_eq!(host.events.len(), 7, "{limit} at a time");
        far_end.edit(json!(1003), json!({ "title": format!("Another, {limit}") }));
        sweep(&mut host, cursor, limit);
        assert_eq!((host.events.len(), host.events[7]["subject"].as_str()), (8, Some("1003")));
    }
    // A list that keeps to no limit is taken piece by piece.
    let mut host = far_end.host(json!({ "jobs": { "list": { "limit": "" } } }));
    sweep(&mut host, None, 2);
    assert_eq!(host.events.len(), 7);
}

#[test]
fn what_our_own_actions_write_does_not_come_back() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    let input = json!({ "title": "Boiler", "scheduled_start": "2026-12-01T09:00:00Z", "technician_id": "emp-1", "external_id": "case-7" });
    let (job, _) = host.insist::<FieldService>("create-job", &input);
    let cursor = sweep(&mut host, Some(json!({ "since": null, "page": null, "newest": null, "first": false, "begun": false })), 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    // One space of key-value, as at a real host: only the step is another.
    let store = host.store.clone();
    host = far_end.host(json!({}));
    host.store = store;
    host.insist::<FieldService>("update-job", &json!({ "job_id": job["job_id"], "status": "cancelled" }));
    let cursor = sweep(&mut host, cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    far_end.edit(json!(1001), json!({ "status": "scheduled" }));
    sweep(&mut host, cursor, 100);
    assert_eq!(types(&host), ["job.scheduled"]);
}

#[test]
fn a_webhook_brings_in_the_job_as_it_is_now() {
    let far_end = FarEnd::start();
    far_end.edit(Value::Null, json!({ "title": "Boiler", "status": "scheduled" }));
    let mut host = far_end.host(json!({}));
    let told = json!({ "type": "job.updated", "data": { "id": 1001 } });
    host.receive::<FieldService>("jobs", hook(told.clone())).expect("received");
    // The same again, and one about something else.
    host.receive::<FieldService>("jobs", hook(told)).expect("received");
    host.receive::<FieldService>("jobs", hook(json!({ "type": "invoice.created", "data": { "id": 7 } }))).expect("passed over");
    host.receive::<FieldService>("jobs", hook(json!({ "type": "job.deleted", "data": { "id": 1001 } }))).expect("received");
    assert_eq!(types(&host), ["job.scheduled", "job.cancelled"]);
    assert_eq!(host.events[1]["data"]["deleted"], true);
    let failure = host.receive::<FieldService>("jobs", hook(json!({ "type": "job.updated", "data": {} }))).expect_err("no id");
    assert_eq!(failure.reason, "The webhook has no id of a job at `id`: see configuration.hook.id");
}

#[test]
fn another_shape_is_a_matter_of_configuration() {
    let config = json!({
        "base-url": "https://other.example",
        "technicians": { "emp-1": "17" },
        "jobs": {
            "path": "/api/workorders", "wrapper": "workorder",
            "fields": { "job_id": "wo", "status": "state", "title": "subject", "technician.id": "assignee.no", "customer.name": "account.name", "updated_at": "changed" },
            "statuses": { "ASSIGNED": "scheduled", "CLOSED": "completed" },
            "lists": { "parts": { "path": "lines", "fields": { "item": "sku", "quantity": "qty" } } },
            "list": { "list": "result.rows", "next": "result.next" },
        },
        "hook": { "list": "", "read": false, "kind": "", "kinds": [] },
    });
    let order = json!({ "wo": 5, "state": "CLOSED", "subject": "Boiler", "assignee": { "no": 17 }, "account": { "name": "Acme" }, "changed": "2026-11-20T08:00:00Z", "lines": [{ "sku": "P1", "qty": 2, "x": 1 }] });
    let answer = order.clone();
    let mut host =
        Host::new(move |_| sangam_sdk::testing::json(200, json!({ "result": { "rows": [answer, { "wo": 6, "state": "ODD" }] } })));
    host.config = config;
    let page = host.poll::<FieldService>("jobs", None, 100).expect("a page");
    let told = json!({
        "job_id": "5", "status": "completed", "title": "Boiler", "technician": { "id": "emp-1" }, "customer": { "name": "Acme" },
        "updated_at": "2026-11-20T08:00:00Z", "parts": [{ "item": "P1", "quantity": 2 }],
    });
    assert_eq!(host.events[0]["data"], told);
    assert_eq!(page.set_aside[0].reason, "the status `ODD` is not known: see configuration.jobs.statuses");
    // A webhook with the same job is no news; one with another stage is.
    host.receive::<FieldService>("jobs", hook(order.clone())).expect("received");
    let mut again = order;
    again["state"] = "ASSIGNED".into();
    again["changed"] = "2026-11-21T08:00:00Z".into();
    host.receive::<FieldService>("jobs", hook(again)).expect("received");
    assert_eq!(types(&host), ["job.completed", "job.scheduled"]);
}
