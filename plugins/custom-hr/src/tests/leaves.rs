use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing::Host};

use super::hr::{Hr, status};
use crate::CustomHr;

/// Polls until there is no more, and says how often.
fn sweep(host: &mut Host, mut cursor: Option<Value>, limit: u32) -> (Option<Value>, u32) {
    for polls in 1..=20 {
        let page = host.poll::<CustomHr>("leave", cursor.take(), limit).expect("a page");
        cursor = page.next_cursor;
        if !page.more {
            return (cursor, polls);
        }
    }
    panic!("the stream does not come to an end");
}

fn types(host: &Host) -> Vec<&str> {
    host.events.iter().filter_map(|event| event["type"].as_str()).collect()
}

fn ids(host: &Host) -> Vec<&str> {
    host.events.iter().filter_map(|event| event["id"].as_str()).collect()
}

#[test]
fn each_leave_comes_in_once_by_its_last_change() {
    let hr = Hr::start();
    for (size, limit, polls) in [(50, 100, 1), (2, 100, 3), (50, 2, 3), (2, 1, 5)] {
        hr.set("leave-page", size);
        let mut host = hr.host(json!({}));
        let (cursor, took) = sweep(&mut host, None, limit);
        assert_eq!(took, polls, "pages of {size}, {limit} wanted");
        let all = [
            "lv-1/2026-10-01T08:00:00Z",
            "lv-3/2026-11-10T12:00:00Z",
            "lv-4/2026-11-15T09:00:00Z",
            "lv-5/2026-11-18T16:45:00Z",
            "lv-2/2026-11-19T06:30:00Z",
        ];
        assert_eq!(ids(&host), all);
        assert_eq!(types(&host), ["leave.approved", "leave.requested", "leave.cancelled", "leave.approved", "sick-leave.reported"]);
        let (cursor, _) = sweep(&mut host, cursor, limit);
        assert_eq!(host.events.len(), 5, "nothing changed");
        assert_eq!(cursor.expect("a cursor")["since"], "2026-11-19T06:30:00Z");
    }
}

#[test]
fn changes_at_the_very_moment_of_the_last_are_seen() {
    let hr = Hr::start();
    let mut host = hr.host(json!({}));
    host.since = Some("2026-11-19T00:00:00Z".into());
    let (cursor, _) = sweep(&mut host, None, 100);
    assert_eq!(types(&host), ["sick-leave.reported"]);
    assert_eq!(
        host.events[0],
        json!({
            "specversion": "1.0", "id": "lv-2/2026-11-19T06:30:00Z", "type": "sick-leave.reported",
            "subject": "emp-2", "time": "2026-11-19T06:30:00Z",
            "data": {
                "id": "lv-2", "employee_ref": "emp-2", "kind": "sick", "status": "approved", "start": "2026-11-19",
                "end": "2026-11-20", "half_day": false, "updated_at": "2026-11-19T06:30:00Z",
            },
        })
    );
    let leave = |id: &str, kind: &str, status: &str, at: &str| json!({ "id": id, "employee_ref": "emp-3", "kind": kind, "status": status, "start": "2026-12-01", "end": "2026-12-01", "half_day": true, "updated_at": at });
    hr.set(
        "add-leaves",
        json!([leave("lv-6", "vacation", "declined", "2026-11-19T06:30:00Z"), leave("lv-2", "sick", "cancelled", "2026-11-20T06:30:00Z"),]),
    );
    sweep(&mut host, cursor, 100);
    assert_eq!(types(&host)[1..], ["leave.declined", "sick-leave.cancelled"]);
}

#[test]
fn records_that_can_not_be_read_are_set_aside_and_stop_nothing() {
    let hr = Hr::start();
    let good = json!({ "id": 7, "employee_ref": "emp-1", "kind": "parental", "status": "approved", "start": "2026-12-01", "end": "2026-12-02", "updated_at": "2026-11-20T08:00:00+01:00" });
    let broken = |field: &str, value: Value| {
        let mut record = good.clone();
        record[field] = value;
        record
    };
    let records = json!({ "items": [
        broken("status", json!("pending")), broken("end", json!("2026-11-01")), broken("start", json!("soon")),
        broken("updated_at", json!(null)), broken("id", json!("")), "?", good,
    ] });
    let answer = || FaultAct::Status {
        status: 200,
        headers: [("content-type".to_owned(), "application/json".to_owned())].into(),
        body: records.to_string(),
    };
    hr.fault("GET", "/v1/leaves", answer());
    let mut host = hr.host(json!({}));
    let page = host.poll::<CustomHr>("leave", None, 100).expect("a page");
    let reasons: Vec<_> = page.set_aside.iter().map(|aside| aside.reason.as_str()).collect();
    assert_eq!(
        reasons,
        [
            "the status `pending` is not known: see configuration.leaves.statuses",
            "`end` is before `start`",
            "`start` is not a day: soon",
            "`updated_at` is missing, or not a date and time with an offset",
            "`id` is missing",
            "`id` is missing",
        ]
    );
    assert_eq!(page.set_aside[0].record["status"], "pending");
    assert_eq!((ids(&host), types(&host)), (vec!["7/2026-11-20T08:00:00+01:00"], vec!["leave.approved"]));
    assert_eq!(host.events[0]["data"]["kind"], "parental");
    // They are set aside once, however often the system shows them.
    hr.fault("GET", "/v1/leaves", answer());
    let again = host.poll::<CustomHr>("leave", page.next_cursor, 100).expect("a page");
    assert_eq!((again.set_aside.len(), host.events.len()), (0, 1));
}

#[test]
fn other_shapes_are_a_matter_of_configuration() {
    let hr = Hr::start();
    let body = json!({ "data": { "absences": [{
        "absence": { "no": "A1", "reason": "SICK_LEAVE", "state": "CONFIRMED" }, "person": "p1",
        "from": "2026-12-01", "till": "2026-12-03", "half": true, "changed": "2026-11-20T08:00:00Z",
    }] } });
    hr.fault("GET", "/absences", FaultAct::Status { status: 200, headers: Default::default(), body: body.to_string() });
    let mut host = hr.host(json!({ "leaves": {
        "path": "/absences?type=all", "since": "changedSince", "list": "data.absences", "next": "data.next",
        "fields": {
            "id": "absence.no", "kind": "absence.reason", "status": "absence.state", "employee_ref": "person",
            "start": "from", "end": "till", "half_day": "half", "updated_at": "changed",
        },
        "kinds": { "SICK_LEAVE": "sick" }, "statuses": { "CONFIRMED": "approved" },
    } }));
    host.since = Some("2026-11-01T00:00:00Z".into());
    sweep(&mut host, None, 10);
    assert_eq!(types(&host), ["sick-leave.reported"]);
    assert_eq!((&host.events[0]["subject"], &host.events[0]["data"]["half_day"]), (&json!("p1"), &json!(true)));
    assert!(host.sent[0].url.ends_with("/absences?type=all&changedSince=2026-11-01T00%3A00%3A00Z"), "{}", host.sent[0].url);
}

#[test]
fn a_stale_page_begins_the_sweep_again() {
    let hr = Hr::start();
    hr.set("leave-page", 2);
    let mut host = hr.host(json!({}));
    let page = host.poll::<CustomHr>("leave", None, 100).expect("a page");
    let mut cursor = page.next_cursor.expect("a cursor");
    cursor["page"] = "not theirs".into();
    sweep(&mut host, Some(cursor), 100);
    let mut ids = ids(&host);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 5);
}

#[test]
fn failures_leave_the_cursor_where_it_was() {
    let hr = Hr::start();
    for (act, kind) in [
        (FaultAct::LoseAnswer, FailureKind::Retry),
        (status(503), FailureKind::Retry),
        (status(429), FailureKind::RateLimited),
        (status(401), FailureKind::Unauthorized),
        (status(400), FailureKind::Rejected),
        (FaultAct::Status { status: 200, headers: Default::default(), body: "{}".into() }, FailureKind::Rejected),
    ] {
        hr.fault("GET", "/v1/leaves", act.clone());
        let mut host = hr.host(json!({}));
        let failure = host.poll::<CustomHr>("leave", None, 100).expect_err("no page");
        assert_eq!((failure.kind, host.events.len()), (kind, 0), "{act:?}");
    }
}

fn hook(body: &Value) -> Inbound {
    Inbound { method: "POST".into(), path: "/hooks/leave".into(), body: body.to_string().into_bytes(), ..Inbound::default() }
}

#[test]
fn a_webhook_is_the_same_event_as_the_poll() {
    let hr = Hr::start();
    let mut host = hr.host(json!({}));
    sweep(&mut host, None, 100);
    let polled = host.events.pop().expect("sick leave");
    let record =
        hr.stand().state()["leaves"].as_array().and_then(|all| all.iter().find(|leave| leave["id"] == "lv-2")).cloned().expect("lv-2");
    for body in [record.clone(), json!([record])] {
        host.events.clear();
        host.receive::<CustomHr>("leave", hook(&body)).expect("received");
        assert_eq!(host.events, std::slice::from_ref(&polled));
    }
}

#[test]
fn a_webhook_may_be_wrapped_or_tell_only_an_id() {
    let leave = json!({ "id": 7, "employee_ref": "emp-1", "kind": "sick", "status": "requested", "start": "2026-12-01", "end": "2026-12-02", "updated_at": "2026-11-20T08:00:00Z" });
    let hr = Hr::start();
    let mut host = hr.host(json!({ "leaves": { "hook": { "list": "data.leaves" } } }));
    host.receive::<CustomHr>("leave", hook(&json!({ "data": { "leaves": [leave] } }))).expect("received");
    hr.fault(
        "GET",
        "/v1/leaves/7",
        FaultAct::Status { status: 200, headers: Default::default(), body: json!({ "leave": leave }).to_string() },
    );
    host.config["leaves"] = json!({ "hook": { "path": "/v1/leaves/{id}", "id": "leave_id", "record": "leave" } });
    host.receive::<CustomHr>("leave", hook(&json!({ "leave_id": 7 }))).expect("received");
    assert_eq!(types(&host), ["sick-leave.reported"; 2]);
    assert_eq!(host.events[0], host.events[1]);
}

#[test]
fn a_webhook_that_can_not_be_read_is_refused_with_the_reason() {
    let hr = Hr::start();
    let mut host = hr.host(json!({}));
    for (body, reason) in
        [(json!(7), "The webhook has no leave at ``"), (json!({ "id": "lv-9" }), "The webhook's leave can't be read: `updated_at`")]
    {
        let failure = host.receive::<CustomHr>("leave", hook(&body)).expect_err("no leave");
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.reason.starts_with(reason), "{failure}");
    }
    assert!(host.events.is_empty());
}
