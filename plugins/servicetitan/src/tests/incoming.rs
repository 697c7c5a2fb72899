use sangam_sdk::{prelude::*, testing::Host};

use super::far_end::FarEnd;
use crate::ServiceTitan;

/// Polls until there is no more.
fn sweep(host: &mut Host, mut cursor: Option<Value>, limit: u32) -> Option<Value> {
    for _ in 1..=20 {
        let page = host.poll::<ServiceTitan>("jobs", cursor.take(), limit).expect("a page");
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

#[test]
fn the_feed_brings_each_job_once_in_pages_of_any_size() {
    let far_end = FarEnd::start();
    for number in 0..5 {
        far_end.edit(Value::Null, json!({ "summary": format!("Job {number}") }));
    }
    for (page, limit) in [(500, 100), (500, 2), (2, 100), (2, 1)] {
        far_end.set("export-page", page);
        let mut host = far_end.host(json!({}));
        let cursor = sweep(&mut host, None, limit);
        assert_eq!(host.events.len(), 5, "pages of {page}, {limit} wanted");
        sweep(&mut host, cursor, limit);
        assert_eq!(host.events.len(), 5, "nothing has changed");
    }
}

#[test]
fn a_job_that_changes_while_its_page_is_read_hides_no_other() {
    // The first of the page, which moves the second to its place, and the last that was told.
    for changed in [0, 1] {
        let far_end = FarEnd::start();
        for number in 0..5 {
            far_end.edit(Value::Null, json!({ "summary": format!("Job {number}") }));
        }
        let mut host = far_end.host(json!({}));
        let page = host.poll::<ServiceTitan>("jobs", None, 2).expect("a page");
        let id = host.events[changed]["subject"].as_str().and_then(|id| id.parse::<u64>().ok()).expect("a number");
        far_end.edit(id, json!({ "summary": "Changed" }));
        sweep(&mut host, page.next_cursor, 2);
        let ids: std::collections::BTreeSet<_> = host.events.iter().map(|event| event["subject"].to_string()).collect();
        assert_eq!(ids.len(), 5, "{changed}");
    }
}

/// A route that writes each job back as soon as it comes in: all of them go to the end of the page under way, again and again.
#[test]
fn a_first_sweep_ends_though_routes_write_back_to_its_jobs() {
    let far_end = FarEnd::start();
    for number in 0..6 {
        far_end.edit(Value::Null, json!({ "summary": format!("Job {number}") }));
    }
    let mut host = far_end.host(json!({}));
    let mut cursor = None;
    for polls in 1.. {
        let before = host.events.len();
        let page = host.poll::<ServiceTitan>("jobs", cursor, 2).expect("a page");
        let told: Vec<String> = host.events[before..].iter().map(|event| event["subject"].as_str().expect("an id").to_owned()).collect();
        for id in told {
            host.insist::<ServiceTitan>("update-job", &json!({ "job_id": id, "description": "Seen" }));
        }
        cursor = page.next_cursor;
        if !page.more {
            break;
        }
        assert!(polls < 30, "the sweep has told {} events and does not end", host.events.len());
    }
    let ids: std::collections::BTreeSet<_> = host.events.iter().map(|event| event["subject"].to_string()).collect();
    assert_eq!((ids.len(), host.events.len()), (6, 6), "each once");
}

#[test]
fn what_happens_to_a_job_comes_in_and_what_we_do_does_not() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    let cursor = sweep(&mut host, None, 100);
    let input = json!({ "title": "Boiler", "customer": { "name": "Acme Heating" }, "scheduled_start": "2026-12-01T09:00:00Z", "scheduled_end": "2026-12-01T11:00:00Z", "technician_id": "emp-1" });
    let (made, _) = host.insist::<ServiceTitan>("create-job", &input);
    let mut cursor = sweep(&mut host, cursor, 100);
    assert_eq!(types(&host), Vec::<&str>::new());
    let id: u64 = made["job_id"].as_str().and_then(|id| id.parse().ok()).expect("a number");
    for fields in [
        json!({ "start": "2026-12-01T10:00:00Z" }),
        json!({ "jobStatus": "InProgress" }),
        json!({ "jobStatus": "Completed", "total": 189.9 }),
    ] {
        far_end.edit(id, fields);
        cursor = sweep(&mut host, cursor, 100);
    }
    assert_eq!(types(&host), ["job.rescheduled", "job.started", "job.completed"]);
    let done = &host.events[2]["data"];
    assert_eq!(
        (&done["customer"]["name"], &done["technician"], &done["address"]["street"]),
        (&json!("Acme Heating"), &json!({ "id": "emp-1", "name": "Tom Field" }), &json!("1 Boiler Way"))
    );
    far_end.edit(id, json!({ "jobStatus": "Odd" }));
    let page = host.poll::<ServiceTitan>("jobs", cursor, 100).expect("a page");
    assert_eq!(page.set_aside[0].reason, "the status `Odd` of a job is not known");
}

#[test]
fn a_webhook_is_read_wherever_it_has_the_id() {
    let far_end = FarEnd::start();
    far_end.edit(Value::Null, json!({ "summary": "Boiler" }));
    let id = far_end.list("jobs")[0]["id"].clone();
    let hook = |body: Value| Inbound {
        method: "POST".into(),
        path: "/hooks/st".into(),
        body: body.to_string().into_bytes(),
        ..Inbound::default()
    };
    for body in
        [json!({ "eventType": "job.updated", "jobId": id }), json!({ "data": { "id": id } }), json!({ "job": { "id": id }, "id": 1 })]
    {
        let mut host = far_end.host(json!({}));
        host.receive::<ServiceTitan>("jobs", hook(body)).expect("received");
        assert_eq!(types(&host), ["job.scheduled"]);
    }
    let mut host = far_end.host(json!({ "hook-id": "payload.job" }));
    host.receive::<ServiceTitan>("jobs", hook(json!({ "payload": { "job": id } }))).expect("received");
    let failure = host.receive::<ServiceTitan>("jobs", hook(json!({ "jobId": id }))).expect_err("not there");
    assert!(failure.reason.contains("configuration.hook-id"), "{failure}");
}
