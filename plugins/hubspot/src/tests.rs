//! The actions against the HubSpot stand-in: what is there afterwards, whatever happened to the answers.

mod far_end;
mod streams;

use far_end::FarEnd;
use sangam_far_end::reqwest::Method;
use sangam_saas::FaultAct;
use sangam_sdk::{prelude::*, testing::Host};

use crate::HubSpot;

fn again(host: &mut Host, action: &str, input: Value) -> Result<Value, Failure> {
    host.attempt += 1;
    host.invoke::<HubSpot>(action, input)
}

/// The undo step of a step: its effects are what the step wrote.
fn undo(far_end: &FarEnd, step: &Host, action: &str, input: Value, output: Value, state: &str) -> Result<Value, Failure> {
    let writes = step.sent.iter().filter(|sent| sent.method != "GET" && !sent.read_only);
    let effects: Vec<Value> = writes.map(|sent| json!({ "name": sent.name, "key": sent.key, "state": state })).collect();
    let undo = json!({ "input": input, "output": output, "effects": effects });
    far_end.step().invoke::<HubSpot>(action, undo)
}

fn boiler(far_end: &FarEnd) -> Value {
    far_end.record("tickets", "subject", "Boiler in hall 2 loses pressure")
}

fn anna(far_end: &FarEnd) -> Value {
    far_end.record("contacts", "email", "anna.berg@acme.example")
}

fn stage(far_end: &FarEnd) -> Value {
    boiler(far_end)["properties"]["hs_pipeline_stage"].clone()
}

#[test]
fn upserting_a_contact_again_after_a_lost_answer_leaves_one() {
    let far_end = FarEnd::start();
    let acme = far_end.record("companies", "domain", "acme.example");
    let input = json!({
        "email": "Piet.Vos@acme.example", "properties": { "firstname": "Piet", "lastname": "Vos" }, "company_id": acme["id"],
    });
    let mut step = far_end.step();
    far_end.fault("POST", "/crm/v3/objects/contacts/batch/upsert", FaultAct::LoseAnswer);
    let lost = step.invoke::<HubSpot>("upsert-contact", input.clone()).expect_err("no answer");
    assert_eq!(lost.kind, FailureKind::Retry);
    far_end.fault("PUT", "*/associations/default/*", FaultAct::LoseAnswer);
    again(&mut step, "upsert-contact", input.clone()).expect_err("no answer");
    let output = again(&mut step, "upsert-contact", input).expect("kept");
    let piet = far_end.record("contacts", "email", "piet.vos@acme.example");
    assert_eq!((&output["id"], &piet["properties"]["lastname"]), (&piet["id"], &json!("Vos")));
    let link = |link: &&Value| {
        link["from"] == format!("contacts/{}", output["id"].as_str().expect("an id"))
            && link["to"] == format!("companies/{}", acme["id"].as_str().expect("an id"))
    };
    assert_eq!(far_end.records("associations").iter().filter(link).count(), 1);
}

#[test]
fn contacts_of_several_runs_are_one_request_and_each_has_its_own_result() {
    let far_end = FarEnd::start();
    let acme = far_end.record("companies", "domain", "acme.example");
    let contact = |email: &str, name: &str| json!({ "email": email, "properties": { "firstname": name } });
    let mut linked = contact("piet@batch.example", "Piet");
    linked["company_id"] = acme["id"].clone();
    let mut nowhere = contact("dora@batch.example", "Dora");
    nowhere["company_id"] = json!("999999999");
    let odd = json!({ "email": "odd@batch.example", "properties": { "no_such_property": "x" } });
    let inputs = [linked, contact("Ana@batch.example", "Ana"), contact("ana@batch.example", "Anna"), nowhere, odd];
    let mut step = far_end.step();
    let results = step.invoke_batch::<HubSpot>("upsert-contact", &inputs);
    let upserts = step.sent.iter().filter(|sent| sent.path().ends_with("contacts/batch/upsert")).count();
    assert_eq!((upserts, step.sent.len()), (2, 3), "one request, one more for the address that comes twice, one for companies");
    let id = |place: usize| results[place].as_ref().expect("kept")["id"].clone();
    assert_eq!(id(0), far_end.record("contacts", "email", "piet@batch.example")["id"]);
    assert_eq!((id(1), &far_end.record("contacts", "email", "ana@batch.example")["properties"]["firstname"]), (id(2), &json!("Anna")));
    let [no_company, refused] = [3, 4].map(|place| results[place].clone().expect_err("refused"));
    assert_eq!((no_company.kind, refused.kind), (FailureKind::Retry, FailureKind::Rejected), "{no_company} / {refused}");
    assert!(refused.reason.contains("no_such_property"), "{refused}");
    let from = format!("contacts/{}", id(0).as_str().expect("an id"));
    assert_eq!(far_end.records("associations").iter().filter(|link| link["from"] == from.as_str()).count(), 1);
}

#[test]
fn a_batch_that_is_refused_whole_sends_each_alone() {
    let far_end = FarEnd::start();
    let inputs = [json!({ "email": "a@batch.example" }), json!({ "email": "b@batch.example" })];
    let body = json!({ "category": "VALIDATION_ERROR", "message": "no" }).to_string();
    far_end.fault("POST", "*/contacts/batch/upsert", FaultAct::Status { status: 400, headers: Default::default(), body });
    for result in far_end.step().invoke_batch::<HubSpot>("upsert-contact", &inputs) {
        let failure = result.expect_err("refused");
        assert_eq!((failure.kind, failure.after), (FailureKind::Retry, Some(Duration::ZERO)));
    }
}

#[test]
fn a_company_is_kept_by_its_domain_although_search_is_late() {
    let far_end = FarEnd::start();
    let input = json!({ "domain": "bakery.example", "properties": { "name": "Canal Bakery" } });
    let companies = || far_end.records("companies").iter().filter(|one| one["properties"]["domain"] == "bakery.example").count();
    far_end.stand().set("search-lag-ms", 3_600_000).expect("a setting");
    let mut step = far_end.step();
    far_end.fault("POST", "/crm/v3/objects/companies", FaultAct::LoseAnswer);
    step.invoke::<HubSpot>("upsert-company", input.clone()).expect_err("no answer");

    let unsure = again(&mut step, "upsert-company", input.clone()).expect_err("search is late");
    assert_eq!((unsure.kind, companies()), (FailureKind::RateLimited, 1));
    assert!(unsure.after.is_some());

    far_end.stand().set("search-lag-ms", 0).expect("a setting");
    let output = again(&mut step, "upsert-company", input.clone()).expect("found");
    assert_eq!((&output["created"], companies()), (&json!(false), 1));

    // Later runs update it.
    let change = json!({ "domain": "bakery.example", "properties": { "city": "Utrecht" } });
    far_end.step().invoke::<HubSpot>("upsert-company", change).expect("updated");
    let bakery = far_end.record("companies", "domain", "bakery.example");
    assert_eq!((&bakery["properties"]["name"], &bakery["properties"]["city"]), (&json!("Canal Bakery"), &json!("Utrecht")));
}

#[test]
fn a_company_that_an_error_kept_out_is_made_by_a_later_attempt() {
    let far_end = FarEnd::start();
    let input = json!({ "domain": "bakery.example" });
    let mut step = far_end.step();
    let act = FaultAct::Status { status: 502, headers: Default::default(), body: String::new() };
    far_end.fault("POST", "/crm/v3/objects/companies", act);
    step.invoke::<HubSpot>("upsert-company", input.clone()).expect_err("502");
    again(&mut step, "upsert-company", input.clone()).expect_err("only looks");
    let output = again(&mut step, "upsert-company", input).expect("made");
    assert_eq!(far_end.record("companies", "domain", "bakery.example")["id"], output["id"]);
}

#[test]
fn a_company_is_kept_by_its_external_id_where_a_property_is_configured() {
    let far_end = FarEnd::start();
    let input = json!({ "external_id": "cust-400", "domain": "bakery.example", "properties": { "name": "Bakery" } });
    let failure = far_end.step().invoke::<HubSpot>("upsert-company", input.clone()).expect_err("not configured");
    assert!(failure.reason.contains("company-external-id-property"), "{failure}");

    let property = json!({
        "name": "external_id", "label": "External id", "type": "string", "fieldType": "text",
        "groupName": "companyinformation", "hasUniqueValue": true,
    });
    far_end.send(Method::POST, "/crm/v3/properties/companies", property);
    let mut step = far_end.step();
    step.config["company-external-id-property"] = json!("external_id");
    far_end.fault("POST", "/crm/v3/objects/companies/batch/upsert", FaultAct::LoseAnswer);
    step.invoke::<HubSpot>("upsert-company", input.clone()).expect_err("no answer");
    let output = again(&mut step, "upsert-company", input).expect("kept");
    let bakery = far_end.record("companies", "external_id", "cust-400");
    assert_eq!((&output["id"], &bakery["properties"]["name"]), (&bakery["id"], &json!("Bakery")));
}

#[test]
fn a_ticket_is_closed_and_opened_again() {
    let far_end = FarEnd::start();
    let input = json!({ "ticket_id": boiler(&far_end)["id"], "properties": { "hs_resolution": "Valve changed" } });
    let mut step = far_end.step();
    let output = step.invoke::<HubSpot>("close-ticket", input.clone()).expect("closed");
    let expected = json!({ "ticket_id": input["ticket_id"], "pipeline": "0", "stage": "4", "previous_stage": "1" });
    assert_eq!(output, expected);
    assert_eq!(boiler(&far_end)["properties"]["hs_resolution"], "Valve changed");
    let reopened = undo(&far_end, &step, "reopen-ticket", input, output, "done").expect("reopened");
    assert_eq!((&reopened["stage"], stage(&far_end)), (&json!("1"), json!("1")));
}

#[test]
fn a_ticket_whose_answer_is_lost_is_closed_and_can_be_opened() {
    let far_end = FarEnd::start();
    let input = json!({ "ticket_id": boiler(&far_end)["id"] });
    let mut step = far_end.step();
    far_end.fault("PATCH", "/crm/v3/objects/tickets/*", FaultAct::LoseAnswer);
    step.invoke::<HubSpot>("close-ticket", input.clone()).expect_err("no answer");
    assert_eq!(stage(&far_end), "4");
    let output = again(&mut step, "close-ticket", input.clone()).expect("closed");
    assert_eq!(step.sent.iter().filter(|sent| sent.method == "PATCH").count(), 1);
    assert_eq!((&output["stage"], &output["previous_stage"]), (&json!("4"), &Value::Null));
    undo(&far_end, &step, "reopen-ticket", input, Value::Null, "in-doubt").expect("reopened");
    assert_eq!(stage(&far_end), "1");
}

#[test]
fn a_ticket_that_the_step_did_not_close_is_not_opened() {
    let far_end = FarEnd::start();
    let id = boiler(&far_end)["id"].clone();
    let path = format!("/crm/v3/objects/tickets/{}", id.as_str().expect("an id"));
    far_end.send(Method::PATCH, &path, json!({ "properties": { "hs_pipeline_stage": "4" } }));
    let input = json!({ "ticket_id": id });
    let mut step = far_end.step();
    let output = step.invoke::<HubSpot>("close-ticket", input.clone()).expect("closed already");
    assert!(step.sent.iter().all(|sent| sent.method == "GET"));
    undo(&far_end, &step, "reopen-ticket", input, output, "done").expect("nothing to undo");
    assert_eq!(stage(&far_end), "4");
}

#[test]
fn a_note_is_added_once_and_deleted() {
    let far_end = FarEnd::start();
    let input = json!({ "body": "Valve changed.", "contact_id": anna(&far_end)["id"], "ticket_id": boiler(&far_end)["id"] });
    // Search does not show it; associations do.
    far_end.stand().set("search-lag-ms", 3_600_000).expect("a setting");
    let mut step = far_end.step();
    far_end.fault("POST", "/crm/v3/objects/notes", FaultAct::LoseAnswer);
    let lost = step.invoke::<HubSpot>("add-note", input.clone()).expect_err("no answer");
    assert_eq!((lost.kind, far_end.records("notes").len()), (FailureKind::Retry, 1));
    let output = again(&mut step, "add-note", input.clone()).expect("found");
    let [note] = far_end.records("notes").try_into().expect("one note");
    assert_eq!(output["note_id"], note["id"]);
    let properties = &note["properties"];
    assert!(properties["hs_note_body"].as_str().expect("text").starts_with("Valve changed.<br><br>[sangam:"));
    assert!(properties["hs_timestamp"].as_str().expect("a time").starts_with("2026-11-20T09:30:00"));
    let from_note = |link: &&Value| link["from"] == format!("notes/{}", note["id"].as_str().expect("an id"));
    assert_eq!(far_end.records("associations").iter().filter(from_note).count(), 2);

    undo(&far_end, &step, "delete-note", input.clone(), output.clone(), "in-doubt").expect("deleted");
    assert_eq!(far_end.records("notes").len(), 0);
    undo(&far_end, &step, "delete-note", input, output, "in-doubt").expect("gone already is as good");
}

#[test]
fn a_note_is_neither_doubled_by_a_second_attempt_nor_mistaken_for_another() {
    let far_end = FarEnd::start();
    let id = anna(&far_end)["id"].clone();
    for n in 0..120 {
        let kind = json!({ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 202 });
        let note = json!({
            "properties": { "hs_note_body": format!("Call {n}"), "hs_timestamp": "2026-11-01T00:00:00Z" },
            "associations": [{ "to": { "id": id }, "types": [kind] }],
        });
        far_end.send(Method::POST, "/crm/v3/objects/notes", note);
    }
    let input = json!({ "body": "Valve changed.", "contact_id": id, "timestamp": "2026-11-02T00:00:00Z" });
    let mut step = far_end.step();
    let act = FaultAct::Status { status: 503, headers: Default::default(), body: String::new() };
    far_end.fault("POST", "/crm/v3/objects/notes", act);
    step.invoke::<HubSpot>("add-note", input.clone()).expect_err("503");
    let output = again(&mut step, "add-note", input.clone()).expect("added");
    assert_eq!(again(&mut step, "add-note", input), Ok(output));
    assert_eq!(far_end.records("notes").len(), 121);
}

#[test]
fn a_note_that_failed_half_way_is_deleted_by_its_marker() {
    let far_end = FarEnd::start();
    let input = json!({ "body": "Valve changed.", "company_id": far_end.record("companies", "domain", "acme.example")["id"] });
    let mut step = far_end.step();
    far_end.fault("POST", "/crm/v3/objects/notes", FaultAct::LoseAnswer);
    step.invoke::<HubSpot>("add-note", input.clone()).expect_err("no answer");
    undo(&far_end, &step, "delete-note", input, Value::Null, "in-doubt").expect("deleted");
    assert_eq!(far_end.records("notes").len(), 0);

    let failure = far_end.step().invoke::<HubSpot>("add-note", json!({ "body": "For nobody" })).expect_err("no record");
    assert_eq!(failure.kind, FailureKind::Rejected);
}

#[test]
fn a_contacts_context_is_the_same_by_email_and_id_and_in_both_forms_of_paths() {
    let far_end = FarEnd::start();
    let id = anna(&far_end)["id"].clone();
    for n in 1..=12 {
        let note = json!({ "body": format!("Visit {n}"), "contact_id": id, "timestamp": format!("2026-10-{n:02}T08:00:00Z") });
        far_end.step().invoke::<HubSpot>("add-note", note).expect("added");
    }
    let mut contexts = Vec::new();
    for version in ["v3", "2026-09"] {
        for input in [json!({ "email": "anna.berg@acme.example" }), json!({ "id": id, "email": null })] {
            let mut step = far_end.step();
            step.config["api-version"] = json!(version);
            step.config["contact-properties"] = json!(["lifecyclestage"]);
            contexts.push(step.invoke::<HubSpot>("contact-context", input).expect("read"));
            assert!(step.sent.iter().all(|sent| sent.method == "GET" || sent.read_only));
        }
    }
    let context = contexts.pop().expect("a context");
    assert!(contexts.iter().all(|other| *other == context));
    assert_eq!(context["contact_id"], id);
    assert_eq!(context["properties"]["phone"], "+15550100");
    assert_eq!(context["properties"]["lifecyclestage"], Value::Null);
    assert_eq!(context["companies"][0]["properties"]["name"], "Acme Facilities");
    assert_eq!(context["open_tickets"][0]["properties"]["subject"], "Boiler in hall 2 loses pressure");
    let notes = context["notes"].as_array().expect("a list");
    assert_eq!(notes.len(), 10);
    assert!(notes[0]["properties"]["hs_note_body"].as_str().expect("text").starts_with("Visit 12"));

    let ticket = json!({ "ticket_id": boiler(&far_end)["id"] });
    far_end.step().invoke::<HubSpot>("close-ticket", ticket).expect("closed");
    let after = far_end.step().invoke::<HubSpot>("contact-context", json!({ "id": id })).expect("read");
    assert_eq!(after["open_tickets"], json!([]));
}

#[test]
fn writes_work_under_date_versions() {
    let far_end = FarEnd::start();
    let step = || {
        let mut step = far_end.step();
        step.config["api-version"] = json!("2026-09");
        step
    };
    let acme = far_end.record("companies", "domain", "acme.example")["id"].clone();
    let contact = json!({ "email": "piet@acme.example", "company_id": acme });
    let id = step().invoke::<HubSpot>("upsert-contact", contact).expect("kept")["id"].clone();
    step().invoke::<HubSpot>("upsert-company", json!({ "domain": "acme.example" })).expect("kept");
    step().invoke::<HubSpot>("add-note", json!({ "body": "Hello", "contact_id": id })).expect("added");
    step().invoke::<HubSpot>("close-ticket", json!({ "ticket_id": boiler(&far_end)["id"] })).expect("closed");
    let paths = far_end.stand().requests();
    assert!(paths.iter().all(|request| request.path.contains("/2026-09/")), "{paths:?}");
}

#[test]
fn the_portals_refusals_say_whether_to_try_again() {
    let far_end = FarEnd::start();
    let read = |step: &mut Host| step.invoke::<HubSpot>("contact-context", json!({ "email": "anna.berg@acme.example" }));
    let failure = read(&mut far_end.step_with("hs-other")).expect_err("unknown token");
    assert_eq!(failure.kind, FailureKind::Unauthorized);

    let unknown = json!({ "email": "x@x.example", "properties": { "nope": 1 } });
    let failure = far_end.step().invoke::<HubSpot>("upsert-contact", unknown).expect_err("no such property");
    assert_eq!((failure.kind, &failure.details.expect("details")["category"]), (FailureKind::Rejected, &json!("VALIDATION_ERROR")));

    let missing = json!({ "ticket_id": "999999" });
    let failure = far_end.step().invoke::<HubSpot>("close-ticket", missing).expect_err("no such ticket");
    assert_eq!(failure.reason, "HubSpot answered 404: resource not found (OBJECT_NOT_FOUND)");

    far_end.stand().set("secondly-limit", 0).expect("a setting");
    let search = far_end.step().invoke::<HubSpot>("upsert-company", json!({ "domain": "a.example" })).expect_err("429");
    assert_eq!((search.kind, search.after.map(|after| after.as_secs())), (FailureKind::RateLimited, Some(1)));
    far_end.stand().set("ten-secondly-limit", 0).expect("a setting");
    let failure = read(&mut far_end.step()).expect_err("429");
    assert_eq!((failure.kind, failure.after.map(|after| after.as_secs())), (FailureKind::RateLimited, Some(10)));
}

#[test]
fn it_describes_itself() {
    let descriptor: Value = serde_json::from_str(&crate::descriptor()).expect("JSON");
    let actions = descriptor["actions"].as_array().expect("a list");
    assert!(actions.iter().all(|action| action["description"].is_string()));
    let undone = |name: &str| actions.iter().find(|action| action["name"] == name).map_or(Value::Null, |action| action["undo"].clone());
    assert_eq!((undone("close-ticket"), undone("add-note")), (json!("reopen-ticket"), json!("delete-note")));
    assert_eq!(descriptor["read_only"], json!(["POST /crm/*/*/*/search", "POST /crm/*/*/*/batch/read", "POST /crm/*/*/*/*/batch/read"]));
    assert_eq!(descriptor["configuration"]["properties"]["base-url"]["default"], "https://api.hubapi.com");
}
