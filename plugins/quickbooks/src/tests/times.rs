use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing};

use super::books::{Books, status};
use crate::QuickBooks;

fn shift() -> Value {
    json!({
        "employee": "Tom Field", "hours": 2.25, "minutes": 10, "date": "2026-11-20",
        "customer": { "id": "58" }, "rate": "85.00", "billable": true, "description": "Pump",
    })
}

#[test]
fn time_is_recorded_once_though_answers_are_lost() {
    for act in [FaultAct::LoseAnswer, FaultAct::Reset, FaultAct::Truncate { bytes: 5 }, status(500)] {
        let books = Books::open();
        books.fault("POST", "timeactivity", act);
        let (output, attempts) = books.host().insist::<QuickBooks>("record-time", &shift());
        assert_eq!((attempts, &output["minutes"]), (2, &json!(145)));
        let state = books.state();
        let times = state["time_activities"].as_array().expect("a list");
        assert_eq!(times.len(), 1);
        let fields = ["Hours", "Minutes", "HourlyRate", "BillableStatus"].map(|field| times[0][field].clone());
        assert_eq!(fields, [json!(2), json!(25), json!(85), json!("Billable")]);
        assert_eq!((&times[0]["EmployeeRef"]["value"], &times[0]["ItemRef"]["value"]), (&json!("60"), &json!("21")));
    }
}

#[test]
fn workers_are_employees_or_vendors_by_name_or_id() {
    for (who, field, id) in [("60", "EmployeeRef", "60"), ("northside subcontracting", "VendorRef", "63"), ("63", "VendorRef", "63")] {
        let books = Books::open();
        let input = json!({ "employee": who, "hours": 1, "date": "2026-11-20" });
        books.host().invoke::<QuickBooks>("record-time", input).expect("recorded");
        assert_eq!(books.state()["time_activities"][0][field]["value"], id);
    }
    let books = Books::open();
    let input = json!({ "employee": "Nobody", "hours": 1, "date": "2026-11-20" });
    let failure = books.host().invoke::<QuickBooks>("record-time", input).expect_err("nobody");
    assert_eq!(failure.reason, "QuickBooks has no active employee or vendor `Nobody`");
    let mut unpriced = shift();
    unpriced["rate"] = Value::Null;
    let failure = books.host().invoke::<QuickBooks>("record-time", unpriced).expect_err("no rate");
    assert_eq!(failure.reason, "Billable time needs a `customer` and a `rate`");
}

#[test]
fn billed_time_counts_as_billed_until_the_invoice_is_void() {
    let books = Books::open();
    let time = books.host().invoke::<QuickBooks>("record-time", shift()).expect("recorded");
    let input = json!({
        "customer": { "id": "58" }, "job_id": "1",
        "time": [{ "hours": 2.4166667, "rate": 85, "time_activity_id": time["time_activity_id"] }],
    });
    let output = books.host().invoke::<QuickBooks>("create-invoice", input.clone()).expect("an invoice");
    assert_eq!(output["total"].to_string(), "205.42");
    let status = || books.state()["time_activities"][0]["BillableStatus"].clone();
    assert_eq!(status(), "HasBeenBilled");
    books.host().insist::<QuickBooks>("void-invoice", &json!({ "input": input, "output": output, "effects": [] }));
    assert_eq!(status(), "Billable");
}

#[test]
fn undoing_leaves_no_time_behind() {
    let effect = |state: &str| json!([{ "name": "time-activity", "key": testing::key("time-activity"), "state": state }]);
    for (recorded, known, effects) in
        [(true, true, json!([])), (true, false, effect("in-doubt")), (false, false, effect("intent")), (false, false, json!([]))]
    {
        let books = Books::open();
        let mut output = Value::Null;
        if recorded {
            output = books.host().invoke::<QuickBooks>("record-time", shift()).expect("recorded");
        }
        books.fault("POST", "timeactivity?operation=delete*", FaultAct::LoseAnswer);
        let undo = json!({ "input": shift(), "output": if known { output } else { Value::Null }, "effects": effects });
        books.host().insist::<QuickBooks>("delete-time-activity", &undo);
        books.host().insist::<QuickBooks>("delete-time-activity", &undo);
        assert_eq!(books.count("time_activities"), 0, "{effects}");
    }
}

#[test]
fn times_of_several_runs_are_one_request_recorded_once_though_the_answer_is_lost() {
    let books = Books::open();
    let by_name = json!({ "employee": "tom field", "hours": 1, "date": "2026-11-20", "customer": { "id": "58" } });
    let vendor = json!({ "employee": "63", "minutes": 30, "date": "2026-11-20" });
    let nobody = json!({ "employee": "Nobody", "hours": 1, "date": "2026-11-20" });
    let new = json!({ "employee": "60", "hours": 1, "date": "2026-11-20", "customer": { "display_name": "Somebody new" } });
    let unpriced = json!({ "employee": "60", "hours": 1, "date": "2026-11-20", "billable": true });
    let inputs = [shift(), by_name, vendor, nobody, new, unpriced];
    let mut host = books.host();
    books.fault("POST", "batch*", FaultAct::LoseAnswer);
    let lost = host.invoke_batch::<QuickBooks>("record-time", &inputs);
    assert!(lost.iter().all(Result::is_err), "{lost:?}");
    host.attempt += 1;
    let results = host.invoke_batch::<QuickBooks>("record-time", &inputs);
    let minutes = [0, 1, 2].map(|place: usize| results[place].clone().expect("recorded")["minutes"].clone());
    assert_eq!((minutes, books.count("time_activities")), ([json!(145), json!(60), json!(30)], 3));
    assert_eq!(host.sent.iter().filter(|sent| sent.path().ends_with("/batch")).count(), 2);
    let failures = [3, 4, 5].map(|place: usize| results[place].clone().expect_err("not recorded"));
    assert_eq!(
        failures.each_ref().map(|failure| failure.kind),
        [FailureKind::Rejected, FailureKind::Retry, FailureKind::Rejected],
        "{failures:?}"
    );
    assert_eq!(failures[0].reason, "QuickBooks has no active employee or vendor `Nobody`");
    // What QuickBooks refuses of one is that run's alone.
    let gone = json!({ "employee": "60", "hours": 1, "date": "2026-11-20", "customer": { "id": "99999" } });
    let results = Books::open().host().invoke_batch::<QuickBooks>("record-time", &[shift(), gone]);
    assert!(results[0].is_ok(), "{results:?}");
    assert!(results[1].clone().expect_err("no such customer").reason.starts_with("QuickBooks answered"), "{results:?}");
}
