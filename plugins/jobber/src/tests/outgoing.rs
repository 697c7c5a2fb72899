use sangam_saas::FaultAct;
use sangam_sdk::prelude::*;

use super::far_end::FarEnd;
use crate::Jobber;

fn job() -> Value {
    json!({
        "title": "Boiler loses pressure", "description": "Since Monday", "customer": { "name": "Acme Heating", "email": "ada.stone@acme.example" },
        "scheduled_start": "2026-12-01T09:00:00+01:00", "technician_id": "emp-1", "case_id": "500A", "external_id": "case-7",
    })
}

#[test]
fn a_job_is_created_once_for_the_client_that_is_there() {
    // The answers of the search, of the job, of reading it, and of the visit are lost in turn.
    for lost in 0..5 {
        let far_end = FarEnd::start();
        far_end.fault_after("POST", "/api/graphql", lost, FaultAct::LoseAnswer);
        let mut host = far_end.host(json!({}));
        let (output, _) = host.insist::<Jobber>("create-job", &job());
        let [made] = far_end.list("jobs").try_into().unwrap_or_else(|jobs| panic!("one job, whatever answer was lost ({lost}): {jobs:?}"));
        assert_eq!((&output["job_id"], far_end.list("visits").len(), far_end.list("clients").len()), (&made["id"], 1, 1), "{lost}");
        assert_eq!(
            (&made["startAt"], &made["visits"]["nodes"][0]["assignedUsers"]["nodes"][0]["name"]["full"]),
            (&json!("2026-12-01T08:00:00Z"), &json!("Tom Field"))
        );
        assert!(made["instructions"].as_str().expect("text").starts_with("Since Monday\n\nCase 500A\n\n[sangam:"), "{made}");

        host.undo::<Jobber>("cancel-job", &job(), &output).expect("undone");
        let closed = &far_end.list("jobs")[0];
        assert_eq!((&closed["jobStatus"], far_end.list("visits").len()), (&json!("archived"), 0));
    }
}

#[test]
fn a_new_client_comes_with_the_place_of_the_work() {
    let far_end = FarEnd::start();
    let input = json!({ "title": "Leak", "customer": { "name": "Nora New", "phone": "+1 555 7", "address": { "street": "2 Way", "city": "Springfield" } } });
    far_end.host(json!({})).insist::<Jobber>("create-job", &input);
    assert_eq!((far_end.list("clients").len(), far_end.list("properties").len(), far_end.list("jobs").len()), (2, 2, 1));
    let nowhere = json!({ "title": "Leak", "customer": { "name": "Someone Else" } });
    let failure = far_end.host(json!({})).invoke::<Jobber>("create-job", nowhere).expect_err("no place");
    assert_eq!(failure.reason, "The client has no property: say where the work is, with `address.street`");
}

#[test]
fn a_job_is_moved_handed_on_and_closed() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    host.insist::<Jobber>("create-job", &job());
    let store = host.store.clone();
    let step = || {
        let mut host = far_end.host(json!({}));
        host.store = store.clone();
        host
    };
    let moved = json!({ "external_id": "case-7", "scheduled_start": "2026-12-02T10:00:00Z", "scheduled_end": "2026-12-02T12:00:00Z", "technician_id": "emp-2", "title": "Boiler" });
    step().insist::<Jobber>("update-job", &moved);
    let made = &far_end.list("jobs")[0];
    assert_eq!(
        (&made["title"], &made["startAt"], &made["visits"]["nodes"][0]["assignedUsers"]["nodes"][0]["id"]),
        (&json!("Boiler"), &json!("2026-12-02T10:00:00Z"), &json!("VTI="))
    );
    step().insist::<Jobber>("update-job", &json!({ "external_id": "case-7", "status": "cancelled" }));
    assert_eq!(far_end.list("jobs")[0]["jobStatus"], "archived");
    let failure =
        far_end.host(json!({})).invoke::<Jobber>("update-job", json!({ "external_id": "case-8", "title": "x" })).expect_err("nobody's");
    assert!(failure.reason.starts_with("No job was created here with the external id case-8"), "{failure}");
}

#[test]
fn a_note_is_added_once_and_can_be_taken_back() {
    let far_end = FarEnd::start();
    let (job, _) = far_end.host(json!({})).insist::<Jobber>("create-job", &job());
    let input = json!({ "job_id": job["job_id"], "note": "Gold contract; the dog bites" });
    far_end.fault_after("POST", "/api/graphql", 0, FaultAct::LoseAnswer);
    let mut host = far_end.host(json!({}));
    let (output, took) = host.insist::<Jobber>("add-note", &input);
    assert_eq!((took, far_end.list("notes").len(), &output["note_id"]), (2, 1, &far_end.list("notes")[0]["id"]));
    host.undo::<Jobber>("delete-note", &input, &output).expect("undone");
    assert_eq!(far_end.list("notes").len(), 0);
}

#[test]
fn leave_blocks_the_calendar_and_its_end_frees_it() {
    let far_end = FarEnd::start();
    let input = json!({ "technician_id": "emp-1", "start": "2026-12-21", "end": "2026-12-24", "reason": "Leave", "external_id": "lv-1" });
    far_end.fault_after("POST", "/api/graphql", 0, FaultAct::LoseAnswer);
    let mut host = far_end.host(json!({}));
    host.insist::<Jobber>("set-absence", &input);
    let [task] = far_end.list("tasks").try_into().expect("one task");
    assert_eq!(
        (&task["assignedTo"], &task["startAt"], &task["endAt"]),
        (&json!(["VTE="]), &json!("2026-12-21T00:00:00Z"), &json!("2026-12-25T00:00:00Z"))
    );
    let mut clear = far_end.host(json!({}));
    clear.store = host.store.clone();
    clear.insist::<Jobber>("clear-absence", &json!({ "technician_id": "emp-1", "external_id": "lv-1" }));
    assert_eq!(far_end.list("tasks").len(), 0);
    clear.insist::<Jobber>("clear-absence", &json!({ "technician_id": "emp-1", "external_id": "lv-1" }));
}

#[test]
fn a_client_is_kept_like_a_contact() {
    let far_end = FarEnd::start();
    let mut host = far_end.host(json!({}));
    let contact = |email: &str| json!({ "external_id": "003A", "first_name": "Ada", "last_name": "Stone", "email": email });
    let (made, _) = host.insist::<Jobber>("update-customer", &contact("ada@x.example"));
    let mut again = far_end.host(json!({}));
    again.store = host.store.clone();
    let (kept, _) = again.insist::<Jobber>("update-customer", &contact("ada@y.example"));
    assert_eq!((&made["created"], &kept["created"], &made["customer_id"]), (&json!(true), &json!(false), &kept["customer_id"]));
    let clients = far_end.list("clients");
    let client = clients.iter().find(|client| client["id"] == made["customer_id"]).expect("made");
    assert_eq!(client["emails"], json!([{ "id": client["emails"][0]["id"], "address": "ada@y.example" }]));
}

#[test]
fn an_empty_bucket_is_waited_for() {
    let far_end = FarEnd::start();
    far_end.set("points", json!({ "available": 0, "restore": 4 }));
    let failure = far_end.host(json!({})).invoke::<Jobber>("create-job", job()).expect_err("no points");
    assert_eq!((failure.kind, failure.after), (FailureKind::RateLimited, Some(Duration::from_secs(5))));
    let mut wrong = job();
    wrong["technician_id"] = "nobody".into();
    far_end.set("points", json!({ "available": 10000, "restore": 500 }));
    let failure = far_end.host(json!({})).invoke::<Jobber>("create-job", wrong).expect_err("no such user");
    assert_eq!(
        (failure.kind, failure.reason.as_str()),
        (FailureKind::Rejected, r#"Jobber refused `visitCreate`: "nobody" is no user (input)"#)
    );
}
