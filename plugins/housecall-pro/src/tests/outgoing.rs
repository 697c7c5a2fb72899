use sangam_saas::FaultAct;
use sangam_sdk::prelude::*;

use super::far_end::FarEnd;
use crate::HousecallPro;

fn job() -> Value {
    json!({
        "title": "Boiler loses pressure", "description": "Since Monday", "customer": { "name": "Acme Heating", "email": "ada.stone@acme.example" },
        "scheduled_start": "2026-12-01T09:00:00Z", "scheduled_end": "2026-12-01T11:00:00Z", "technician_id": "emp-1", "case_id": "500A", "external_id": "case-7",
    })
}

#[test]
fn a_job_is_created_once_whatever_happens_to_the_answers() {
    for act in [FaultAct::LoseAnswer, FaultAct::Reset, FaultAct::Truncate { bytes: 5 }] {
        let far_end = FarEnd::start();
        far_end.fault_after("POST", "/jobs", 0, act.clone());
        let mut host = far_end.host(json!({}));
        let (output, took) = host.insist::<HousecallPro>("create-job", &job());
        let [made] = far_end.list("jobs").try_into().unwrap_or_else(|jobs| panic!("one job: {jobs:?}"));
        assert_eq!((took, &output["job_id"], far_end.list("customers").len()), (2, &made["id"], 1), "{act:?}");
        assert_eq!((&made["work_status"], &made["assigned_employees"][0]["first_name"]), (&json!("scheduled"), &json!("Tom")));
        assert!(made["notes"][0]["content"].as_str().expect("a note").starts_with("Since Monday\n\nCase 500A\n\n[sangam:"), "{made}");
        host.undo::<HousecallPro>("unschedule-job", &job(), &output).expect("undone");
        assert_eq!(far_end.list("jobs")[0]["work_status"], "unscheduled");
    }
}

#[test]
fn a_new_customer_comes_with_the_place_of_the_work() {
    let far_end = FarEnd::start();
    let input = json!({ "title": "Leak", "customer": { "name": "Nora New", "address": { "street": "2 Way", "city": "Springfield" } } });
    far_end.host(json!({})).insist::<HousecallPro>("create-job", &input);
    assert_eq!((far_end.list("customers").len(), far_end.list("jobs").len()), (2, 1));
    let nowhere = json!({ "title": "Leak", "customer": { "name": "Someone" } });
    let failure = far_end.host(json!({})).invoke::<HousecallPro>("create-job", nowhere).expect_err("no place");
    assert_eq!(failure.reason, "The customer has no address: say where the work is, with `address.street`");
}

#[test]
fn a_job_is_moved_handed_on_and_taken_off_the_schedule() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    host.insist::<HousecallPro>("create-job", &job());
    let store = host.store.clone();
    let step = || {
        let mut host = far_end.host(json!({}));
        host.store = store.clone();
        host
    };
    let moved = json!({ "external_id": "case-7", "scheduled_start": "2026-12-02T10:00:00Z", "scheduled_end": "2026-12-02T12:00:00Z", "technician_id": "emp-2" });
    step().insist::<HousecallPro>("update-job", &moved);
    let made = &far_end.list("jobs")[0];
    assert_eq!(
        (&made["schedule"]["scheduled_start"], &made["assigned_employees"][0]["id"]),
        (&json!("2026-12-02T10:00:00Z"), &json!("pro_2"))
    );
    step().insist::<HousecallPro>("update-job", &json!({ "external_id": "case-7", "unschedule": true }));
    assert_eq!(far_end.list("jobs")[0]["work_status"], "unscheduled");
    let failure =
        step().invoke::<HousecallPro>("update-job", json!({ "external_id": "case-7", "technician_id": "nobody" })).expect_err("nobody");
    assert!(failure.reason.ends_with("answered 422: Employee not found"), "{failure}");
}

#[test]
fn a_note_is_added_once_and_can_be_taken_back() {
    let far_end = FarEnd::start();
    let (made, _) = far_end.host(json!({})).insist::<HousecallPro>("create-job", &job());
    let input = json!({ "job_id": made["job_id"], "note": "Gold contract" });
    far_end.fault_after("POST", "/jobs/*/notes", 0, FaultAct::LoseAnswer);
    let mut host = far_end.host(json!({}));
    let (output, took) = host.insist::<HousecallPro>("add-note", &input);
    let notes = |far_end: &FarEnd| far_end.list("jobs")[0]["notes"].as_array().map_or(0, Vec::len);
    assert_eq!((took, notes(&far_end), output["note_id"].is_string()), (2, 2, true));
    host.undo::<HousecallPro>("delete-note", &input, &output).expect("undone");
    assert_eq!(notes(&far_end), 1);
}

#[test]
fn a_customer_is_kept_like_a_contact() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    let contact = |email: &str| json!({ "external_id": "003A", "first_name": "Nora", "last_name": "New", "email": email });
    let (made, _) = host.insist::<HousecallPro>("update-customer", &contact("nora@x.example"));
    let mut again = far_end.host(json!({}));
    again.store = host.store.clone();
    let (kept, _) = again.insist::<HousecallPro>("update-customer", &contact("nora@y.example"));
    assert_eq!((&made["created"], &kept["created"], &made["customer_id"]), (&json!(true), &json!(false), &kept["customer_id"]));
    let customers = far_end.list("customers");
    assert_eq!(customers.iter().find(|customer| customer["id"] == made["customer_id"]).expect("made")["email"], "nora@y.example");
}
