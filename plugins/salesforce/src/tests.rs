//! The actions against the Salesforce stand-in: what is there afterwards, whatever happened to the answers.

mod far_end;
mod streams;

use far_end::FarEnd;
use sangam_far_end::reqwest::Method;
use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing::Host};

use crate::Salesforce;

const COMMENTS: &str = "/services/data/*/sobjects/CaseComment";
const CASES: &str = "/services/data/*/sobjects/Case/*";

fn again(host: &mut Host, action: &str, input: Value) -> Result<Value, Failure> {
    host.attempt += 1;
    host.invoke::<Salesforce>(action, input)
}

/// The undo step of a step: its effects are what the step sent.
fn undo(far_end: &FarEnd, step: &Host, action: &str, input: Value, output: Value, state: &str) -> Result<Value, Failure> {
    let writes = step.sent.iter().filter(|sent| sent.method != "GET");
    let effects: Vec<Value> = writes.map(|sent| json!({ "name": sent.name, "key": sent.key, "state": state })).collect();
    let undo = json!({ "input": input, "output": output, "effects": effects });
    far_end.step().invoke::<Salesforce>(action, undo)
}

fn resolve() -> Value {
    json!({ "external_id": "job-1001", "comment": "Valve changed.", "publish_comment": true })
}

fn boiler(far_end: &FarEnd) -> Value {
    far_end.record("Case", "Job_Id__c", "job-1001")
}

#[test]
fn a_case_is_found_by_each_of_its_names() {
    let far_end = FarEnd::start();
    let boiler = boiler(&far_end);
    for input in [
        json!({ "external_id": "job-1001" }),
        json!({ "case_number": boiler["CaseNumber"], "external_id": null }),
        json!({ "case_id": boiler["Id"] }),
    ] {
        let found = far_end.step().invoke::<Salesforce>("find-case", input).expect("found");
        assert_eq!(found["subject"], "Boiler loses pressure");
        assert_eq!((&found["case_id"], &found["closed"]), (&boiler["Id"], &json!(false)));
    }
    for (input, reason) in [
        (json!({ "external_id": "job-'9" }), r"Salesforce has no case with Job_Id__c = 'job-\'9'"),
        (json!({}), "Give one of"),
        (json!({ "case_id": "1", "case_number": "2" }), "Give one of"),
    ] {
        let failure = far_end.step().invoke::<Salesforce>("find-case", input).expect_err("no such case");
        assert_eq!(failure.kind, FailureKind::Rejected);
        assert!(failure.reason.starts_with(reason), "{failure}");
    }
}

#[test]
fn a_case_is_resolved_and_opened_again() {
    let far_end = FarEnd::start();
    let mut step = far_end.step();
    let output = step.invoke::<Salesforce>("resolve-case", resolve()).expect("resolved");
    let comment = far_end.record("CaseComment", "Id", output["comment_id"].as_str().expect("an id"));
    assert_eq!((&output["status"], &output["previous_status"]), (&json!("Closed"), &json!("Working")));
    assert_eq!((&boiler(&far_end)["Status"], &comment["IsPublished"]), (&json!("Closed"), &json!(true)));
    let body = comment["CommentBody"].as_str().expect("text");
    assert!(body.starts_with("Valve changed.\n\n[sangam:"), "{body}");

    let reopened = undo(&far_end, &step, "reopen-case", resolve(), output, "done").expect("reopened");
    assert_eq!(reopened["status"], "Working");
    assert_eq!((&boiler(&far_end)["Status"], far_end.records("CaseComment").len()), (&json!("Working"), 0));
}

#[test]
fn lost_answers_leave_one_comment_and_a_closed_case() {
    let far_end = FarEnd::start();
    let mut step = far_end.step();
    far_end.fault("POST", COMMENTS, FaultAct::LoseAnswer);
    let lost = step.invoke::<Salesforce>("resolve-case", resolve()).expect_err("no answer");
    assert_eq!(lost.kind, FailureKind::Retry);
    assert_eq!(far_end.records("CaseComment").len(), 1);

    far_end.fault("PATCH", CASES, FaultAct::LoseAnswer);
    let lost = again(&mut step, "resolve-case", resolve()).expect_err("no answer");
    assert_eq!((lost.kind, &boiler(&far_end)["Status"]), (FailureKind::Retry, &json!("Closed")));

    let output = again(&mut step, "resolve-case", resolve()).expect("resolved");
    let [comment] = far_end.records("CaseComment").try_into().expect("one comment");
    assert_eq!(output["comment_id"], comment["Id"]);
    // The third attempt finds a closed case; the comment knows what it was.
    assert_eq!(output["previous_status"], "Working");
    let posts = step.sent.iter().filter(|sent| sent.method == "POST").count();
    assert_eq!(posts, 1, "the comment is looked for, not sent again");
}

#[test]
fn a_comment_that_an_error_kept_out_is_sent_again() {
    let far_end = FarEnd::start();
    let mut step = far_end.step();
    let busy = json!([{ "message": "Server too busy.", "errorCode": "SERVER_UNAVAILABLE" }]);
    far_end.refuse("POST", COMMENTS, 503, busy);
    let input = json!({ "external_id": "job-1001", "comment": "Valve changed." });
    assert_eq!(step.invoke::<Salesforce>("add-comment", input.clone()).expect_err("503").kind, FailureKind::Retry);
    assert_eq!(far_end.records("CaseComment").len(), 0);
    let output = again(&mut step, "add-comment", input.clone()).expect("added");
    // Once more after the success, as after a crash of the host: answered without a second comment.
    assert_eq!(again(&mut step, "add-comment", input.clone()), Ok(output.clone()));
    assert_eq!(far_end.records("CaseComment").len(), 1);

    undo(&far_end, &step, "delete-comment", input.clone(), output.clone(), "done").expect("deleted");
    assert_eq!(far_end.records("CaseComment").len(), 0);
    undo(&far_end, &step, "delete-comment", input, output, "done").expect("gone already is as good");
}

#[test]
fn a_marker_is_found_behind_pages_of_comments() {
    let far_end = FarEnd::start();
    let mut step = far_end.step();
    let input = json!({ "external_id": "job-1001", "comment": "Valve changed." });
    far_end.fault("POST", COMMENTS, FaultAct::LoseAnswer);
    step.invoke::<Salesforce>("add-comment", input.clone()).expect_err("no answer");
    let case = boiler(&far_end)["Id"].clone();
    for n in 0..205 {
        let note = json!({ "ParentId": case, "CommentBody": format!("Note {n}") });
        far_end.send(Method::POST, "sobjects/CaseComment", note);
    }
    let output = again(&mut step, "add-comment", input).expect("found");
    assert_eq!(far_end.records("CaseComment").len(), 206);
    let found = far_end.record("CaseComment", "Id", output["comment_id"].as_str().expect("an id"));
    assert!(found["CommentBody"].as_str().expect("text").starts_with("Valve changed."));
}

#[test]
fn a_step_that_failed_half_way_is_undone_from_what_it_sent() {
    let far_end = FarEnd::start();
    let mut step = far_end.step();
    far_end.fault("PATCH", CASES, FaultAct::LoseAnswer);
    step.invoke::<Salesforce>("resolve-case", resolve()).expect_err("no answer");
    undo(&far_end, &step, "reopen-case", resolve(), Value::Null, "in-doubt").expect("reopened");
    assert_eq!((&boiler(&far_end)["Status"], far_end.records("CaseComment").len()), (&json!("Working"), 0));
}

#[test]
fn what_the_step_did_not_close_is_not_opened() {
    let far_end = FarEnd::start();
    let id = boiler(&far_end)["Id"].as_str().expect("an id").to_owned();
    far_end.send(Method::PATCH, &format!("sobjects/Case/{id}"), json!({ "Status": "Closed" }));
    let mut step = far_end.step();
    let input = json!({ "case_id": id });
    let output = step.invoke::<Salesforce>("resolve-case", input.clone()).expect("closed already");
    assert!(step.sent.iter().all(|sent| sent.method == "GET"));
    undo(&far_end, &step, "reopen-case", input, output, "done").expect("nothing to undo");
    assert_eq!(boiler(&far_end)["Status"], "Closed");

    // And what somebody has opened since stays as it is.
    let input = json!({ "external_id": "job-1002" });
    let mut step = far_end.step();
    let output = step.invoke::<Salesforce>("resolve-case", input.clone()).expect("resolved");
    let id = output["case_id"].as_str().expect("an id");
    far_end.send(Method::PATCH, &format!("sobjects/Case/{id}"), json!({ "Status": "Escalated" }));
    undo(&far_end, &step, "reopen-case", input, output.clone(), "done").expect("open already");
    assert_eq!(far_end.record("Case", "Id", id)["Status"], "Escalated");
}

#[test]
fn the_closed_status_is_the_orgs_own_unless_it_is_given() {
    for (configured, given, expected) in
        [(Value::Null, Value::Null, "Done"), (json!("Invoiced"), Value::Null, "Invoiced"), (json!("Invoiced"), json!("Done"), "Done")]
    {
        let far_end = FarEnd::start();
        let statuses = json!([["New", false], ["Working", false], ["Done", true], ["Invoiced", true]]);
        far_end.stand().set("case-statuses", statuses).expect("a setting");
        let mut step = far_end.step();
        step.config["closed-status"] = configured;
        let input = json!({ "external_id": "job-1001", "status": given, "fields": { "Reason": "Worn valve" } });
        let output = step.invoke::<Salesforce>("resolve-case", input).expect("resolved");
        assert_eq!(output["status"], expected);
        let boiler = boiler(&far_end);
        assert_eq!((&boiler["Status"], &boiler["Reason"]), (&json!(expected), &json!("Worn valve")));
    }
}

#[test]
fn upserting_again_after_a_lost_answer_leaves_one_record() {
    let far_end = FarEnd::start();
    let account = json!({
        "external_id": "cust/400", "name": "Canal Bakery", "billing_city": "Utrecht", "phone": null,
        "fields": { "Industry": "Food" },
    });
    let mut step = far_end.step();
    far_end.fault("PATCH", "/services/data/*/sobjects/Account/*", FaultAct::LoseAnswer);
    step.invoke::<Salesforce>("upsert-account", account.clone()).expect_err("no answer");
    let output = again(&mut step, "upsert-account", account).expect("upserted");
    assert_eq!(output["created"], false);
    assert_eq!(far_end.records("Account").iter().filter(|record| record["Name"] == "Canal Bakery").count(), 1);
    let record = far_end.record("Account", "External_Id__c", "cust/400");
    assert_eq!((&record["BillingCity"], &record["Industry"]), (&json!("Utrecht"), &json!("Food")));

    let contact = json!({
        "external_id": "contact-401", "last_name": "Vos", "email": "vos@bakery.example",
        "account_external_id": "cust/400", "fields": { "DoNotCall": true },
    });
    let output = far_end.step().invoke::<Salesforce>("upsert-contact", contact).expect("upserted");
    assert_eq!(output["created"], true);
    let contact = far_end.record("Contact", "External_Id__c", "contact-401");
    assert_eq!((&contact["AccountId"], &contact["DoNotCall"]), (&record["Id"], &json!(true)));
}

#[test]
fn contacts_of_several_runs_are_one_request_and_each_has_its_own_result() {
    let far_end = FarEnd::start();
    let contact = |id: &str, name: &str| json!({ "external_id": id, "last_name": name, "account_external_id": "cust-100" });
    let mut unknown = contact("batch-3", "Odd");
    unknown["fields"] = json!({ "Nope__c": 1 });
    let inputs = [contact("batch-1", "One"), contact("batch-2", "Two"), unknown, contact("batch-1", "Uno"), contact("", "None")];
    let mut step = far_end.step();
    far_end.fault("PATCH", "/services/data/*/composite/sobjects/Contact/*", FaultAct::LoseAnswer);
    let lost = step.invoke_batch::<Salesforce>("upsert-contact", &inputs);
    assert!(lost[..4].iter().all(|result| result.as_ref().is_err_and(|failure| failure.kind == FailureKind::Retry)), "{lost:?}");
    step.attempt += 1;
    let results = step.invoke_batch::<Salesforce>("upsert-contact", &inputs);
    let ids = [0, 1, 3].map(|place: usize| results[place].clone().expect("kept")["id"].clone());
    let one = far_end.record("Contact", "External_Id__c", "batch-1");
    assert_eq!((&ids[0], &ids[2], &one["LastName"]), (&one["Id"], &one["Id"], &json!("Uno")));
    assert_eq!(ids[1], far_end.record("Contact", "External_Id__c", "batch-2")["Id"]);
    assert_eq!(one["AccountId"], far_end.record("Account", "External_Id__c", "cust-100")["Id"]);
    let refused = results[2].clone().expect_err("no such field");
    assert_eq!((refused.kind, &refused.details.expect("details")["code"]), (FailureKind::Rejected, &json!("INVALID_FIELD")));
    assert_eq!(results[4].clone().expect_err("no id").kind, FailureKind::Rejected);
    assert_eq!(far_end.records("Contact").iter().filter(|record| record["LastName"] == "One").count(), 0);
}

#[test]
fn an_ambiguous_external_id_is_rejected() {
    let far_end = FarEnd::start();
    far_end.stand().set("unique-external-ids", false).expect("a setting");
    let blue = far_end.record("Account", "External_Id__c", "cust-200");
    let path = format!("sobjects/Account/{}", blue["Id"].as_str().expect("an id"));
    far_end.send(Method::PATCH, &path, json!({ "External_Id__c": "cust-100" }));
    let input = json!({ "external_id": "cust-100", "name": "Acme" });
    let failure = far_end.step().invoke::<Salesforce>("upsert-account", input).expect_err("ambiguous");
    assert_eq!(failure.kind, FailureKind::Rejected);
    assert!(failure.reason.starts_with("Several records of Account have External_Id__c = cust-100"), "{failure}");
}

#[test]
fn the_orgs_refusals_say_whether_to_try_again() {
    let far_end = FarEnd::start();
    let id = boiler(&far_end)["Id"].clone();
    far_end.stand().set("lock-rows", json!([id])).expect("a setting");
    let locked = far_end.step().invoke::<Salesforce>("resolve-case", resolve()).expect_err("locked");
    assert_eq!(locked.kind, FailureKind::Retry);
    assert!(locked.reason.contains("UNABLE_TO_LOCK_ROW"), "{locked}");

    let unknown = json!({ "external_id": "x", "name": "X", "fields": { "Nope__c": 1 } });
    let failure = far_end.step().invoke::<Salesforce>("upsert-account", unknown).expect_err("no such field");
    assert_eq!((failure.kind, &failure.details.expect("details")["code"]), (FailureKind::Rejected, &json!("INVALID_FIELD")));

    far_end.stand().set("rate-limit", json!({ "requests": 0, "seconds": 60 })).expect("a setting");
    let failure = far_end.step().invoke::<Salesforce>("resolve-case", resolve()).expect_err("no quota");
    assert_eq!(failure.kind, FailureKind::RateLimited);
    assert!(failure.after.is_some());

    far_end.stand().set("expire-sessions", true).expect("a setting");
    let failure = far_end.step().invoke::<Salesforce>("resolve-case", resolve()).expect_err("expired");
    assert_eq!(failure.kind, FailureKind::Unauthorized);
}

#[test]
fn a_clients_context_is_read_from_contact_case_and_account() {
    let far_end = FarEnd::start();
    let read = |input| far_end.step().invoke::<Salesforce>("client-context", input).expect("read");
    let by_contact = read(json!({ "contact_external_id": "contact-101" }));
    assert_eq!(
        by_contact["preferences"],
        json!({
            "do_not_call": false, "email_opt_out": false, "Preferred_Channel__c": "Email",
            "Preferred_Technician__c": "Tom Field",
        })
    );
    assert_eq!(by_contact["account"]["name"], "Acme Heating");
    assert_eq!(by_contact["contract"]["special_terms"], "Parts at cost");
    assert_eq!(by_contact["contract"]["end_date"], "2027-12-31");
    assert_eq!(by_contact["contract"]["fields"], json!({ "Response_Hours__c": 4, "Hourly_Rate__c": 95 }));
    assert_eq!(by_contact["open_cases"].as_array().map(Vec::len), Some(2));

    assert_eq!(read(json!({ "case_id": boiler(&far_end)["Id"] })), by_contact);

    let by_account = read(json!({ "account_external_id": "cust-300" }));
    assert_eq!(by_account["account"]["name"], "O'Hara & Sons");
    for absent in ["contact", "preferences", "contract"] {
        assert_eq!(by_account[absent], Value::Null);
    }
    assert_eq!(by_account["open_cases"], json!([]));

    let unknown = json!({ "contact_external_id": "nobody" });
    let failure = far_end.step().invoke::<Salesforce>("client-context", unknown).expect_err("no such contact");
    assert_eq!(failure.reason, "Salesforce has no Contact with External_Id__c = 'nobody'");
}

#[test]
fn it_describes_itself() {
    let descriptor: Value = serde_json::from_str(&crate::descriptor()).expect("JSON");
    let actions = descriptor["actions"].as_array().expect("a list");
    let undone = |name: &str| actions.iter().find(|action| action["name"] == name).map_or(Value::Null, |action| action["undo"].clone());
    assert_eq!((undone("resolve-case"), undone("add-comment")), (json!("reopen-case"), json!("delete-comment")));
    assert!(actions.iter().all(|action| action["description"].is_string()));
    assert_eq!(descriptor["configuration"]["required"], json!(["base-url"]));
    let defaults = &descriptor["configuration"]["properties"];
    assert_eq!(defaults["account-external-id-field"]["default"], "External_Id__c");

    let mut host = Host::new(|_| sangam_sdk::testing::text(200, ""));
    host.config = json!({ "base-url": "https://a.example", "case-external-id-field": "Id = null OR Id" });
    let failure = host.invoke::<Salesforce>("find-case", json!({ "external_id": "1" })).expect_err("no field");
    assert!(failure.reason.contains("`Id = null OR Id` is no API name of a field"), "{failure}");
}
