use sangam_saas::FaultAct;
use sangam_sdk::prelude::*;

use super::far_end::FarEnd;
use crate::FieldService;

fn job() -> Value {
    json!({
        "title": "Boiler loses pressure", "customer": { "name": "Acme Heating", "email": "ada.stone@acme.example", "address": { "street": "1 Boiler Way" } },
        "scheduled_start": "2026-12-01T09:00:00Z", "scheduled_end": "2026-12-01T11:00:00Z", "technician_id": "emp-1", "case_id": "500A",
    })
}

#[test]
fn a_job_is_created_once_whatever_happens_to_the_answers() {
    for (act, attempts) in [(FaultAct::LoseAnswer, 2), (FaultAct::Reset, 2), (FaultAct::Truncate { bytes: 5 }, 2)] {
        let far_end = FarEnd::start();
        far_end.fault("POST", "/v1/jobs", act.clone());
        let mut host = far_end.host(json!({}));
        let (output, took) = host.insist::<FieldService>("create-job", &job());
        assert_eq!(took, attempts, "{act:?}");
        let [made] = far_end.list("jobs").try_into().expect("one job");
        assert_eq!((output["job_id"].as_str().map(str::to_owned), &made["status"]), (Some(made["id"].to_string()), &json!("scheduled")));
        assert_eq!((&made["technician"]["name"], &made["address"]["street"]), (&json!("Tom Field"), &json!("1 Boiler Way")));

        host.undo::<FieldService>("cancel-job", &job(), &output).expect("undone");
        assert_eq!(far_end.list("jobs")[0]["status"], "cancelled");
    }
}

#[test]
fn a_job_that_is_there_under_our_id_is_not_made_again() {
    let far_end = FarEnd::start();
    let mut input = job();
    input["external_id"] = "case-7".into();
    let (first, _) = far_end.host(json!({})).insist::<FieldService>("create-job", &input);
    let (second, _) = far_end.host(json!({})).insist::<FieldService>("create-job", &input);
    assert_eq!((&first["created"], &second["created"]), (&json!(true), &json!(false)));
    assert_eq!((&first["job_id"], far_end.list("jobs").len()), (&second["job_id"], 1));
    let changed = json!({ "external_id": "case-7", "status": "cancelled", "notes": "The client has called it off" });
    far_end.host(json!({})).insist::<FieldService>("update-job", &changed);
    assert_eq!(far_end.list("jobs")[0]["notes"], "The client has called it off");
    let unknown = json!({ "external_id": "case-8", "status": "cancelled" });
    let failure = far_end.host(json!({})).invoke::<FieldService>("update-job", unknown).expect_err("no such job");
    assert_eq!(failure.reason, "The system has no job with the external id case-8");
}

#[test]
fn a_note_is_added_once_and_can_be_taken_back() {
    let far_end = FarEnd::start();
    let (job, _) = far_end.host(json!({})).insist::<FieldService>("create-job", &job());
    let input = json!({ "job_id": job["job_id"], "note": "Gold contract; the dog bites" });
    far_end.fault("POST", "/v1/jobs/*/notes", FaultAct::LoseAnswer);
    let mut host = far_end.host(json!({}));
    let (output, took) = host.insist::<FieldService>("add-note", &input);
    let [note] = far_end.list("notes").try_into().expect("one note");
    assert_eq!((took, output["note_id"].as_str().map(str::to_owned)), (2, Some(note["id"].to_string())));
    assert!(note["text"].as_str().expect("text").starts_with("Gold contract; the dog bites\n\n[sangam:"), "{note}");
    host.undo::<FieldService>("delete-note", &input, &output).expect("undone");
    assert_eq!(far_end.list("notes"), Vec::<Value>::new());
}

#[test]
fn leave_blocks_the_schedule_and_its_end_frees_it() {
    let far_end = FarEnd::start();
    let config = json!({ "technicians": { "e1": "emp-1" } });
    let input = json!({ "technician_id": "e1", "start": "2026-12-21", "end": "2026-12-24", "reason": "Leave", "external_id": "lv-1" });
    far_end.fault("PUT", "/v1/technicians/*", FaultAct::LoseAnswer);
    let mut host = far_end.host(config.clone());
    host.insist::<FieldService>("set-absence", &input);
    let mut longer = input.clone();
    longer["end"] = "2026-12-31".into();
    let (output, _) = far_end.host(config.clone()).insist::<FieldService>("set-absence", &longer);
    let [absence] = far_end.list("absences").try_into().expect("one absence");
    assert_eq!((&absence["technician_id"], &absence["end"]), (&json!("emp-1"), &json!("2026-12-31")));
    host.undo::<FieldService>("remove-absence", &input, &output).expect("undone");
    assert_eq!(far_end.list("absences").len(), 0);
    // Taking back what is not there is as good.
    far_end.host(config.clone()).insist::<FieldService>("clear-absence", &json!({ "technician_id": "e1", "external_id": "lv-1" }));

    for (field, value, reason) in [
        ("end", "2026-12-01", "`end` (2026-12-01) is before `start` (2026-12-21)"),
        ("start", "soon", "`start` is not a day, YYYY-MM-DD: soon"),
    ] {
        let mut wrong = input.clone();
        wrong[field] = value.into();
        let failure = far_end.host(config.clone()).invoke::<FieldService>("set-absence", wrong).expect_err("no such days");
        assert_eq!(failure.reason, reason);
    }
}

#[test]
fn a_customer_is_kept_like_a_contact() {
    let far_end = FarEnd::start();
    let contact = |email: &str| json!({ "external_id": "003A", "name": "Ada Stone", "email": email });
    let (made, _) = far_end.host(json!({})).insist::<FieldService>("update-customer", &contact("ada@acme.example"));
    let (kept, _) = far_end.host(json!({})).insist::<FieldService>("update-customer", &contact("ada@new.example"));
    assert_eq!((&made["created"], &kept["created"], &made["customer_id"]), (&json!(true), &json!(false), &kept["customer_id"]));
    let [customer] = far_end.list("customers").try_into().expect("one customer");
    assert_eq!(customer["email"], "ada@new.example");
    let nobody = json!({ "external_id": "003B", "name": "B", "create": false });
    let (none, _) = far_end.host(json!({})).insist::<FieldService>("update-customer", &nobody);
    assert_eq!(none, json!({ "customer_id": null, "created": false }));
}

#[test]
fn refusals_are_told_in_the_systems_words() {
    let far_end = FarEnd::start();
    let mut input = job();
    input["technician_id"] = "nobody".into();
    let failure = far_end.host(json!({})).invoke::<FieldService>("create-job", input).expect_err("no such technician");
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.reason.ends_with("answered 422: Unprocessable Entity: `technician.id` is nobody's"), "{failure}");
}
