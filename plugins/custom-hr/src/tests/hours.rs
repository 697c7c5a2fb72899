use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing};

use super::hr::{Hr, other, plain, status};
use crate::CustomHr;

fn shift(id: &str, date: &str, minutes: u32) -> Value {
    json!({ "employee_ref": "emp-1", "date": date, "minutes": minutes, "job_ref": "4711", "note": "Pump", "external_id": id })
}

/// What counted: regular, overtime, doubletime.
fn split(output: &Value) -> [u64; 3] {
    ["regular_minutes", "overtime_minutes", "doubletime_minutes"].map(|field| output[field].as_u64().expect("minutes"))
}

#[test]
fn hours_are_split_by_what_was_logged_before() {
    let hr = Hr::start();
    let mut host = hr.host(plain());
    // Monday to Saturday of one ISO week, then Monday.
    for (id, date, minutes, expected) in [
        ("1", "2026-11-16", 300, [300, 0, 0]),
        ("2", "2026-11-16", 240, [180, 60, 0]),
        ("3", "2026-11-17", 780, [480, 240, 60]),
        ("4", "2026-11-18", 480, [480, 0, 0]),
        ("5", "2026-11-19", 480, [480, 0, 0]),
        ("6", "2026-11-20", 500, [480, 20, 0]),
        ("7", "2026-11-21", 60, [0, 60, 0]),
        ("8", "2026-11-22", 60, [0, 60, 0]),
        ("9", "2026-11-23", 60, [60, 0, 0]),
    ] {
        host.attempt = 1;
        let mut step = hr.host(plain());
        step.store = host.store.clone();
        let output = step.invoke::<CustomHr>("log-hours", shift(id, date, minutes)).expect(id);
        assert_eq!(split(&output), expected, "{id}");
        host = step;
    }
    let state = hr.stand().state();
    let entry = &state["time_entries"]["2"];
    assert_eq!(
        (&entry["regular_minutes"], &entry["overtime_minutes"], &entry["work_date"]),
        (&json!(180), &json!(60), &json!("2026-11-16"))
    );
    assert_eq!(state["time_entries"].as_object().map(|entries| entries.len()), Some(9));
    let keys: Vec<_> = host.store.keys().collect();
    assert_eq!(keys, ["week/emp-1/2026-W47", "week/emp-1/2026-W48"]);
}

#[test]
fn whatever_is_lost_hours_are_logged_once() {
    for config in [plain(), other()] {
        for act in [FaultAct::LoseAnswer, FaultAct::Reset, FaultAct::Truncate { bytes: 3 }, status(503), status(429), status(401)] {
            let hr = Hr::start();
            hr.fault("PUT", "/v1/time-entries/*", act.clone());
            hr.fault("POST", "/hr/api/hours", act.clone());
            let mut host = hr.host(config.clone());
            let input = json!({
                "employee_ref": "emp-1", "date": "2026-11-20",
                "start": "2026-11-20T07:00:00Z", "end": "2026-11-20T20:30:00Z", "break_minutes": 30,
            });
            let (output, attempts) = host.insist::<CustomHr>("log-hours", &input);
            assert_eq!((attempts, split(&output)), (2, [480, 240, 60]), "{act:?}");
            assert_eq!(output["external_id"], testing::key("entry"));
            let state = hr.stand().state();
            let entries = state["time_entries"].as_object().map_or(0, |entries| entries.len());
            let hours = state["hours"].as_array().map_or(0, Vec::len);
            assert_eq!(entries + hours, 1, "{act:?}");
            assert_eq!(host.store.len(), 1);
        }
    }
}

#[test]
fn the_other_shape_gets_its_own_names_and_units() {
    let hr = Hr::start();
    let mut host = hr.host(other());
    let output = host.invoke::<CustomHr>("log-hours", shift("job 4711/1", "2026-11-20", 800)).expect("logged");
    assert_eq!((&output["entry_id"], split(&output)), (&json!("1"), [480, 240, 80]));
    // It has no doubletime: those minutes count as overtime there.
    assert_eq!(
        hr.stand().state()["hours"].to_string(),
        r#"[{"day":"2026-11-20","emp":"emp-1","hrs":8.00,"id":1,"memo":"Pump","ot":5.33,"ref":"job 4711/1"}]"#
    );
    assert_eq!(host.sent[0].header("x-tenant"), Some("acme"));
    // Another step that logs the same finds it, and keeps what was logged.
    let mut step = hr.host(other());
    step.store = host.store.clone();
    let again = step.invoke::<CustomHr>("log-hours", shift("job 4711/1", "2026-11-20", 60)).expect("found");
    assert_eq!((again["entry_id"].clone(), split(&again)), (json!("1"), [480, 240, 80]));
    assert_eq!((hr.requests("POST", "/hr/api/hours"), &step.store), (1, &host.store));
}

#[test]
fn logging_again_under_the_same_name_corrects() {
    let hr = Hr::start();
    let mut host = hr.host(plain());
    host.invoke::<CustomHr>("log-hours", shift("a", "2026-11-20", 600)).expect("logged");
    for (minutes, expected) in [(540, [480, 60, 0]), (60, [60, 0, 0])] {
        let mut step = hr.host(plain());
        step.store = host.store.clone();
        let output = step.invoke::<CustomHr>("log-hours", shift("a", "2026-11-20", minutes)).expect("corrected");
        assert_eq!(split(&output), expected);
        host = step;
    }
    assert_eq!(hr.stand().state()["time_entries"]["a"]["regular_minutes"], 60);
}

#[test]
fn undoing_deletes_the_entry_and_gives_the_minutes_back() {
    for (config, path) in [(plain(), "/v1/time-entries/*"), (other(), "/hr/api/hours/*")] {
        for act in [None, Some(FaultAct::LoseAnswer), Some(status(503))] {
            let hr = Hr::start();
            let mut host = hr.host(config.clone());
            host.invoke::<CustomHr>("log-hours", shift("a", "2026-11-20", 480)).expect("logged");
            let mut step = hr.host(config.clone());
            step.store = host.store;
            let output = step.invoke::<CustomHr>("log-hours", shift("b", "2026-11-20", 60)).expect("logged");
            assert_eq!(split(&output), [0, 60, 0]);
            if let Some(act) = act {
                hr.fault("DELETE", path, act);
            }
            let undo = json!({ "input": shift("b", "2026-11-20", 60), "output": output, "effects": [] });
            let mut undoing = hr.host(config.clone());
            undoing.store = step.store;
            undoing.insist::<CustomHr>("delete-entry", &undo);
            let state = hr.stand().state();
            let entries = state["time_entries"].as_object().map_or(0, |entries| entries.len());
            assert_eq!(entries + state["hours"].as_array().map_or(0, Vec::len), 1);
            let undo = json!({ "input": shift("a", "2026-11-20", 480), "output": null, "effects": [{ "name": "entry", "key": "k", "state": "in-doubt" }] });
            let mut undoing_other = hr.host(config.clone());
            undoing_other.store = undoing.store;
            undoing_other.insist::<CustomHr>("delete-entry", &undo);
            undoing_other.insist::<CustomHr>("delete-entry", &undo);
            assert_eq!(undoing_other.store.len(), 0);
            assert_eq!((hr.stand().state()["time_entries"].clone(), hr.stand().state()["hours"].clone()), (json!({}), json!([])));
        }
    }
}

#[test]
fn what_was_never_written_needs_no_undoing() {
    let hr = Hr::start();
    for effects in [json!([]), json!([{ "name": "entry", "key": "k", "state": "failed" }])] {
        let undo = json!({ "input": shift("a", "2026-11-20", 480), "output": null, "effects": effects });
        hr.host(plain()).invoke::<CustomHr>("delete-entry", undo).expect("nothing to do");
    }
    assert_eq!(hr.requests("DELETE", "/"), 0);
    let mut config = plain();
    config["entries"] = json!({ "method": "POST", "path": "/hr/api/hours", "delete-path": "" });
    let undo = json!({ "input": shift("a", "2026-11-20", 480), "output": null, "effects": [{ "name": "entry", "key": "k", "state": "in-doubt" }] });
    let failure = hr.host(config.clone()).invoke::<CustomHr>("delete-entry", undo).expect_err("no one can know");
    assert!(failure.reason.contains("entries.lookup"), "{}", failure.reason);
}

#[test]
fn refusals_say_why_and_log_nothing() {
    let hr = Hr::start();
    hr.set("closed-through", "2026-10-31");
    for (input, reason) in [
        (shift("a", "2026-10-30", 60), "answered 409: Period closed: pay periods up to 2026-10-31 are closed"),
        (json!({ "employee_ref": "nobody", "date": "2026-11-20", "minutes": 60 }), "employee_ref there is no employee nobody"),
        (shift("a", "20.11.2026", 60), "input.date: `20.11.2026` is not a day, YYYY-MM-DD"),
        (shift("..", "2026-11-20", 60), "`external_id` can't stand in a URL: `..`"),
    ] {
        let mut host = hr.host(plain());
        let failure = host.invoke::<CustomHr>("log-hours", input).expect_err(reason);
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.reason.ends_with(reason), "{}", failure.reason);
        assert_eq!(host.store.len(), 0);
    }
    hr.set("rate-limit", json!({ "requests": 0, "seconds": 9 }));
    let failure = hr.host(plain()).invoke::<CustomHr>("log-hours", shift("a", "2026-11-20", 60)).expect_err("busy");
    assert_eq!(failure.kind, FailureKind::RateLimited);
    assert!(failure.after.is_some());
}
