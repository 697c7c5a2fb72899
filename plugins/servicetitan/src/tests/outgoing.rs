use sangam_saas::FaultAct;
use sangam_sdk::prelude::*;

use super::far_end::FarEnd;
use crate::ServiceTitan;

fn job() -> Value {
    json!({
        "title": "Boiler loses pressure", "description": "Since Monday", "customer": { "name": "Acme Heating" }, "case_id": "500A", "external_id": "case-7",
        "scheduled_start": "2026-12-01T09:00:00Z", "scheduled_end": "2026-12-01T11:00:00Z", "technician_id": "emp-1",
    })
}

#[test]
fn a_job_is_booked_once_whatever_happens_to_the_answers() {
    for act in [FaultAct::LoseAnswer, FaultAct::Reset, FaultAct::Truncate { bytes: 5 }] {
        let far_end = FarEnd::start();
        far_end.fault_after("POST", "/jpm/v2/tenant/42/jobs", 0, act.clone());
        let mut host = far_end.host(json!({}));
        let (output, took) = host.insist::<ServiceTitan>("create-job", &job());
        let [made] = far_end.list("jobs").try_into().unwrap_or_else(|jobs| panic!("one job: {jobs:?}"));
        assert_eq!((took, output["job_id"].as_str().map(str::to_owned)), (2, Some(made["id"].to_string())), "{act:?}");
        assert_eq!((&made["summary"], far_end.list("customers").len()), (&json!("Boiler loses pressure\n\nSince Monday\n\nCase 500A"), 1));
        assert_eq!(far_end.list("assignments")[0][1], 1017);
        host.undo::<ServiceTitan>("cancel-job", &job(), &output).expect("undone");
        assert_eq!(far_end.list("jobs")[0]["jobStatus"], "Canceled");
    }
}

#[test]
fn a_new_customer_comes_with_the_place_of_the_work() {
    let far_end = FarEnd::start();
    let mut input = job();
    input["customer"] = json!({ "name": "Nora New", "email": "nora@x.example", "address": { "street": "2 Way", "city": "Springfield" } });
    far_end.host(json!({})).insist::<ServiceTitan>("create-job", &input);
    assert_eq!((far_end.list("customers").len(), far_end.list("locations").len()), (2, 2));
    let mut elsewhere = job();
    (elsewhere["external_id"], elsewhere["address"]) = (json!("case-8"), json!({ "street": "3 Road", "city": "Springfield" }));
    far_end.host(json!({})).insist::<ServiceTitan>("create-job", &elsewhere);
    assert_eq!((far_end.list("customers").len(), far_end.list("locations").len(), far_end.list("jobs").len()), (2, 3, 2));
    let mut nowhere = job();
    (nowhere["external_id"], nowhere["customer"]) = (json!("case-9"), json!({ "name": "Someone" }));
    let failure = far_end.host(json!({})).invoke::<ServiceTitan>("create-job", nowhere).expect_err("no place");
    assert_eq!(failure.reason, "Say where the work is, with `address.street`");
}

#[test]
fn a_job_is_moved_handed_on_and_cancelled() {
    let far_end = FarEnd::start();
    far_end.host(json!({})).insist::<ServiceTitan>("create-job", &job());
    let moved = json!({ "external_id": "case-7", "scheduled_start": "2026-12-02T10:00:00Z", "scheduled_end": "2026-12-02T12:00:00Z", "technician_id": "emp-2", "priority": "High" });
    far_end.host(json!({})).insist::<ServiceTitan>("update-job", &moved);
    let appointment = &far_end.list("appointments")[0];
    assert_eq!(
        (&appointment["start"], far_end.list("assignments")),
        (&json!("2026-12-02T10:00:00Z"), vec![json!([appointment["id"], 1018])])
    );
    assert_eq!(far_end.list("jobs")[0]["priority"], "High");
    far_end
        .host(json!({}))
        .insist::<ServiceTitan>("update-job", &json!({ "external_id": "case-7", "status": "cancelled", "reason": "Called off" }));
    assert_eq!(far_end.list("jobs")[0]["jobStatus"], "Canceled");
    for (input, reason) in [
        (json!({ "external_id": "case-8", "priority": "Low" }), "ServiceTitan has no job with the external id case-8"),
        (json!({ "external_id": "case-7", "technician_id": "tom" }), "ServiceTitan's technicians are numbers; which is `tom`?"),
        (json!({ "external_id": "case-7" }), "There is nothing to change"),
    ] {
        let failure = far_end.host(json!({})).invoke::<ServiceTitan>("update-job", input).expect_err("refused");
        assert!(failure.reason.starts_with(reason), "{failure}");
    }
}

#[test]
fn a_note_is_added_once() {
    let far_end = FarEnd::start();
    far_end.host(json!({})).insist::<ServiceTitan>("create-job", &job());
    far_end.fault_after("POST", "/jpm/v2/tenant/42/jobs/*/notes", 0, FaultAct::LoseAnswer);
    let (_, took) =
        far_end.host(json!({})).insist::<ServiceTitan>("add-note", &json!({ "external_id": "case-7", "note": "Gold contract" }));
    assert_eq!((took, far_end.list("notes").len()), (2, 1));
}

#[test]
fn leave_blocks_the_schedule_and_its_end_frees_it() {
    let far_end = FarEnd::start();
    let input = json!({ "technician_id": "emp-1", "start": "2026-12-21", "end": "2026-12-24", "reason": "Leave", "external_id": "lv-1" });
    far_end.fault_after("POST", "/dispatch/v2/tenant/42/non-job-appointments", 0, FaultAct::LoseAnswer);
    let mut host = far_end.host(json!({}));
    host.insist::<ServiceTitan>("set-absence", &input);
    let [absence] = far_end.list("absences").try_into().expect("one absence");
    assert_eq!((&absence["technicianId"], &absence["duration"]), (&json!(1017), &json!("4.00:00:00")));
    let mut clear = far_end.host(json!({}));
    clear.store = host.store.clone();
    clear.insist::<ServiceTitan>("clear-absence", &json!({ "technician_id": "emp-1", "external_id": "lv-1" }));
    assert_eq!(far_end.list("absences").len(), 0);
}
