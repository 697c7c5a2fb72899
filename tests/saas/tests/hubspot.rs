//! The HubSpot stand-in over HTTP, its answers checked against the vendor's schemas.

mod client;
mod contract;

use contract::conforms;
use reqwest::{Client, Method};
use sangam_saas::Saas;
use serde_json::{Value, json};

const SPEC: &str = include_str!("../specs/hubspot.json");

struct HubSpot {
    saas: Saas,
    client: Client,
}

impl HubSpot {
    async fn start() -> HubSpot {
        HubSpot { saas: Saas::start().await.expect("free loopback ports"), client: client::client() }
    }

    async fn call(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = self.client.request(method, format!("{}{path}", self.saas.hubspot.url())).bearer_auth("hs-token");
        let request = if body.is_null() { request } else { request.json(&body) };
        let response = request.send().await.expect("answered");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a text");
        let body = if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") };
        if status >= 400 {
            conforms(SPEC, "Error", &body);
        }
        (status, body)
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, Value::Null).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, body).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::PATCH, path, body).await
    }

    /// Ids that a search by one property finds.
    async fn found(&self, kind: &str, property: &str, value: &str) -> Vec<Value> {
        let body = json!({ "filterGroups": [{ "filters": [{ "propertyName": property, "operator": "EQ", "value": value }] }] });
        let (status, body) = self.post(&format!("/crm/v3/objects/{kind}/search"), body).await;
        assert_eq!(status, 200);
        conforms(SPEC, "CollectionResponseWithTotalSimplePublicObjectForwardPaging", &body);
        body["results"].as_array().expect("a list").iter().map(|result| result["id"].clone()).collect()
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

#[tokio::test]
async fn a_contact_is_created_read_changed_and_archived_under_either_form_of_version() {
    let hubspot = HubSpot::start().await;
    let new = json!({ "properties": { "email": "Nia@New.example", "firstname": "Nia" }, "associations": [] });
    conforms(SPEC, "SimplePublicObjectInputForCreate", &new);
    let (status, contact) = hubspot.post("/crm/v3/objects/contacts", new).await;
    assert_eq!(status, 201);
    conforms(SPEC, "SimplePublicObject", &contact);
    assert_eq!(contact["properties"]["email"], "nia@new.example");

    let by_email = "/crm/objects/2026-09/contacts/nia%40new.example?idProperty=email";
    let (status, read) = hubspot.get(by_email).await;
    assert_eq!((status, &read["id"]), (200, &contact["id"]));
    conforms(SPEC, "SimplePublicObjectWithAssociations", &read);

    let (status, changed) = hubspot.patch(by_email, json!({ "properties": { "phone": "+15550111" } })).await;
    assert_eq!((status, &changed["properties"]["phone"]), (200, &json!("+15550111")));

    let path = format!("/crm/v3/objects/contacts/{}", text(&contact["id"]));
    assert_eq!(hubspot.call(Method::DELETE, &path, Value::Null).await.0, 204);
    let (status, gone) = hubspot.get(&path).await;
    assert_eq!((status, &gone["category"]), (404, &json!("OBJECT_NOT_FOUND")));
    assert_eq!(hubspot.get("/crm/v7/objects/contacts/1").await.0, 404);
}

#[tokio::test]
async fn a_second_contact_with_an_email_is_refused_by_the_first_ones_id() {
    let hubspot = HubSpot::start().await;
    let (_, anna) = hubspot.get("/crm/v3/objects/contacts/anna.berg@acme.example?idProperty=email").await;
    let again = json!({ "properties": { "email": "ANNA.BERG@acme.example" } });
    let (status, refusal) = hubspot.post("/crm/v3/objects/contacts", again).await;
    assert_eq!((status, &refusal["category"]), (409, &json!("CONFLICT")));
    assert_eq!(refusal["message"], format!("Contact already exists. Existing ID: {}", text(&anna["id"])));
}

#[tokio::test]
async fn properties_are_checked_and_their_faults_told_in_the_message() {
    let hubspot = HubSpot::start().await;
    let cases = [
        ("contacts", json!({ "email": "x@y.example", "shoe_size": "44" }), "PROPERTY_DOESNT_EXIST"),
        ("contacts", json!({ "email": "nobody" }), "INVALID_EMAIL"),
        ("tickets", json!({ "subject": "s", "hs_pipeline_stage": "9" }), "INVALID_OPTION"),
        ("tickets", json!({ "hs_pipeline_stage": "1", "hs_ticket_priority": "SOON" }), "INVALID_OPTION"),
        ("notes", json!({ "hs_timestamp": "yesterday" }), "INVALID_DATE"),
        ("tickets", json!({ "hs_pipeline_stage": "1", "createdate": "2026-01-01T00:00:00Z" }), "READ_ONLY_VALUE"),
        ("notes", json!({ "hs_note_body": "no time" }), "hs_timestamp"),
        ("tickets", json!({ "subject": "no stage" }), "hs_pipeline_stage"),
    ];
    for (kind, properties, told) in cases {
        let (status, refusal) = hubspot.post(&format!("/crm/v3/objects/{kind}"), json!({ "properties": properties })).await;
        assert_eq!((status, &refusal["category"]), (400, &json!("VALIDATION_ERROR")), "{properties}");
        assert!(refusal.to_string().contains(told), "{refusal}");
    }
    let (_, refusal) = hubspot.post("/crm/v3/objects/contacts", json!({ "properties": { "email": "a@b.example", "x": "1" } })).await;
    let (said, details) = text(&refusal["message"]).split_once(": ").expect("details follow");
    assert_eq!(said, "Property values were not valid");
    let details: Value = serde_json::from_str(details).expect("details are JSON");
    assert_eq!(details[0]["error"], "PROPERTY_DOESNT_EXIST");
    assert_eq!(details[0]["message"], "Property \"x\" does not exist");
}

#[tokio::test]
async fn a_note_is_linked_to_contact_company_and_ticket_by_checked_type_ids() {
    let hubspot = HubSpot::start().await;
    let id_of = async |kind: &str, property: &str, value: &str| hubspot.found(kind, property, value).await.remove(0);
    let contact = id_of("contacts", "email", "anna.berg@acme.example").await;
    let company = id_of("companies", "domain", "acme.example").await;
    let ticket = id_of("tickets", "subject", "Boiler in hall 2 loses pressure").await;
    let note = |links: &[(&Value, u32)]| {
        let links: Vec<Value> = links
            .iter()
            .map(|(id, of)| json!({ "to": { "id": id }, "types": [{ "associationCategory": "HUBSPOT_DEFINED", "associationTypeId": of }] }))
            .collect();
        json!({ "properties": { "hs_note_body": "Done", "hs_timestamp": "2026-11-21T10:00:00Z" }, "associations": links })
    };
    let path = "/crm/v3/objects/notes";
    let (status, made) = hubspot.post(path, note(&[(&contact, 202), (&company, 190), (&ticket, 228)])).await;
    assert_eq!(status, 201);
    let read = async |path: String| hubspot.get(&path).await.1;

    let older = read(format!("/crm/v3/objects/tickets/{}/associations/notes", text(&ticket))).await;
    conforms(SPEC, "CollectionResponseAssociatedIdForwardPaging", &older);
    assert_eq!(older["results"], json!([{ "id": made["id"], "type": "ticket_to_note" }]));
    let newer = read(format!("/crm/v4/objects/contacts/{}/associations/tickets", text(&contact))).await;
    let number: u64 = text(&ticket).parse().expect("ids are numbers");
    let types = json!([{ "category": "HUBSPOT_DEFINED", "typeId": 15, "label": null }]);
    assert_eq!(newer["results"], json!([{ "toObjectId": number, "associationTypes": types }]));

    for wrong in [note(&[(&contact, 228)]), note(&[(&contact, 16)]), note(&[(&json!("999999"), 202)]), note(&[(&company, 77777)])] {
        let (status, refusal) = hubspot.post(path, wrong.clone()).await;
        assert_eq!((status, &refusal["message"]), (400, &json!("One or more associations are not valid")), "{wrong}");
    }
    let count = hubspot.saas.hubspot.state()["notes"].as_array().expect("a list").len();
    assert_eq!(count, 1, "nothing is made of what is refused");
}

#[tokio::test]
async fn default_associations_are_put_and_read_from_both_ends() {
    let hubspot = HubSpot::start().await;
    let (_, contact) = hubspot.post("/crm/v3/objects/contacts", json!({ "properties": { "firstname": "Ola" } })).await;
    let (_, ticket) = hubspot.post("/crm/v3/objects/tickets", json!({ "properties": { "hs_pipeline_stage": "1" } })).await;
    let (contact, ticket) = (text(&contact["id"]), text(&ticket["id"]));
    let path = format!("/crm/v4/objects/tickets/{ticket}/associations/default/contacts/{contact}");
    let (status, done) = hubspot.call(Method::PUT, &path, Value::Null).await;
    assert_eq!((status, &done["results"][0]["associationSpec"]["associationTypeId"]), (200, &json!(16)));
    let (_, read) = hubspot.get(&format!("/crm/v3/objects/contacts/{contact}?associations=tickets")).await;
    assert_eq!(read["associations"]["tickets"]["results"][0]["id"], ticket);
    let many = json!({ "inputs": [{ "id": contact }] });
    let (_, many) = hubspot.post("/crm/v3/associations/contacts/tickets/batch/read", many).await;
    conforms(SPEC, "BatchResponsePublicAssociationMulti", &many);
    let path = format!("/crm/v4/objects/contacts/{contact}/associations/tickets/{ticket}");
    assert_eq!(hubspot.call(Method::DELETE, &path, Value::Null).await.0, 204);
    let (_, left) = hubspot.get(&format!("/crm/v4/objects/tickets/{ticket}/associations/contacts")).await;
    assert_eq!(left["results"], json!([]));
}

#[tokio::test]
async fn a_ticket_is_closed_by_the_stage_that_its_pipeline_calls_closed() {
    let hubspot = HubSpot::start().await;
    let (_, pipelines) = hubspot.get("/crm/v3/pipelines/tickets").await;
    let stages = pipelines["results"][0]["stages"].as_array().expect("stages");
    let ids: Vec<&str> = stages.iter().map(|stage| text(&stage["id"])).collect();
    assert_eq!(ids, ["1", "2", "3", "4"]);
    let closed = stages.iter().find(|stage| stage["metadata"]["ticketState"] == "CLOSED").expect("a closed stage");
    let ticket = hubspot.found("tickets", "hs_pipeline_stage", "1").await.remove(0);
    let path = format!("/crm/v3/objects/tickets/{}", text(&ticket));
    let (status, ticket) = hubspot.patch(&path, json!({ "properties": { "hs_pipeline_stage": closed["id"] } })).await;
    assert_eq!((status, &ticket["properties"]["hs_pipeline_stage"]), (200, &closed["id"]));
    assert!(ticket["properties"]["closed_date"].is_string());
    assert_eq!(hubspot.patch(&path, json!({ "properties": { "hs_pipeline_stage": "closed" } })).await.0, 400);
}

#[tokio::test]
async fn search_filters_sorts_and_pages() {
    let hubspot = HubSpot::start().await;
    for number in 1..=5 {
        let properties = json!({ "subject": format!("Job {number}"), "hs_pipeline_stage": "1", "hs_ticket_priority": "URGENT" });
        assert_eq!(hubspot.post("/crm/v3/objects/tickets", json!({ "properties": properties })).await.0, 201);
    }
    let search = |after: &str| {
        json!({
            "filterGroups": [{ "filters": [
                { "propertyName": "hs_ticket_priority", "operator": "IN", "values": ["URGENT"] },
                { "propertyName": "subject", "operator": "NEQ", "value": "Job 3" },
                { "propertyName": "createdate", "operator": "GT", "value": "1700000000000" },
                { "propertyName": "content", "operator": "NOT_HAS_PROPERTY" },
            ] }],
            "sorts": [{ "propertyName": "subject", "direction": "DESCENDING" }],
            "properties": ["subject"], "limit": 3, "after": after,
        })
    };
    let path = "/crm/v3/objects/tickets/search";
    let (_, first) = hubspot.post(path, search("")).await;
    conforms(SPEC, "CollectionResponseWithTotalSimplePublicObjectForwardPaging", &first);
    let (_, second) = hubspot.post(path, search(text(&first["paging"]["next"]["after"]))).await;
    let pages = [&first, &second].map(|page| page["results"].as_array().expect("a list").clone()).concat();
    let subjects: Vec<&str> = pages.iter().map(|ticket| text(&ticket["properties"]["subject"])).collect();
    assert_eq!((first["total"].as_u64(), subjects), (Some(4), vec!["Job 5", "Job 4", "Job 2", "Job 1"]));
    assert!(second.get("paging").is_none());

    let token =
        json!({ "filterGroups": [{ "filters": [{ "propertyName": "email", "operator": "CONTAINS_TOKEN", "value": "*@acme.example" }] }] });
    assert_eq!(hubspot.post("/crm/v3/objects/contacts/search", token).await.1["total"], 1);
    let unknown = json!({ "filterGroups": [{ "filters": [{ "propertyName": "nope", "operator": "EQ", "value": "1" }] }] });
    assert_eq!(hubspot.post(path, unknown).await.0, 400);
    assert_eq!(hubspot.post(path, json!({ "limit": 201 })).await.0, 400);
}

#[tokio::test]
async fn what_was_just_written_is_missing_from_search_but_can_be_read() {
    let hubspot = HubSpot::start().await;
    hubspot.saas.hubspot.set("search-lag-ms", 3_600_000).expect("a setting");
    let (_, made) = hubspot.post("/crm/v3/objects/contacts", json!({ "properties": { "email": "late@new.example" } })).await;
    assert!(hubspot.found("contacts", "email", "late@new.example").await.is_empty());
    assert_eq!(hubspot.get("/crm/v3/objects/contacts/late@new.example?idProperty=email").await.1["id"], made["id"]);
    hubspot.saas.hubspot.set("search-lag-ms", 0).expect("a setting");
    assert_eq!(hubspot.found("contacts", "email", "late@new.example").await, [made["id"].clone()]);
}

#[tokio::test]
async fn upsert_by_an_own_unique_property_makes_one_record_of_many_tries() {
    let hubspot = HubSpot::start().await;
    let property = json!({
        "name": "external_job_id", "label": "Job", "type": "string", "fieldType": "text", "groupName": "ticketinformation",
        "hasUniqueValue": true,
    });
    let (status, made) = hubspot.post("/crm/v3/properties/tickets", property.clone()).await;
    assert_eq!((status, &made["hasUniqueValue"]), (201, &json!(true)));
    assert_eq!(hubspot.post("/crm/v3/properties/tickets", property).await.0, 409);
    let input = |subject: &str| {
        json!({ "inputs": [{
            "id": "job-1001", "idProperty": "external_job_id",
            "properties": { "subject": subject, "hs_pipeline_stage": "1" },
        }] })
    };
    let path = "/crm/v3/objects/tickets/batch/upsert";
    let (status, first) = hubspot.post(path, input("one")).await;
    assert_eq!((status, &first["results"][0]["new"]), (200, &json!(true)));
    conforms(SPEC, "BatchResponseSimplePublicObject", &first);
    let (_, second) = hubspot.post(path, input("two")).await;
    assert_eq!(second["results"][0]["id"], first["results"][0]["id"]);
    assert_eq!((&second["results"][0]["new"], &second["results"][0]["properties"]["subject"]), (&json!(false), &json!("two")));

    let taken = json!({ "properties": { "hs_pipeline_stage": "1", "external_job_id": "job-1001" } });
    let (status, refusal) = hubspot.post("/crm/v3/objects/tickets", taken).await;
    assert_eq!((status, &refusal["errorType"]), (400, &json!("UNIQUE_VALUE_CONFLICT")));
    assert!(text(&refusal["message"]).ends_with("already has that value."));
    let by_subject = json!({ "inputs": [{ "id": "x", "idProperty": "subject", "properties": {} }] });
    assert_eq!(hubspot.post(path, by_subject).await.0, 400, "subject is not unique");
}

#[tokio::test]
async fn a_batch_is_whole_without_trace_ids_and_partial_with_them() {
    let hubspot = HubSpot::start().await;
    let path = "/crm/v3/objects/contacts/batch/create";
    let inputs = json!([
        { "properties": { "email": "one@batch.example" }, "associations": [] },
        { "properties": { "email": "anna.berg@acme.example" }, "associations": [] },
    ]);
    assert_eq!(hubspot.post(path, json!({ "inputs": inputs })).await.0, 409);
    assert!(hubspot.found("contacts", "email", "one@batch.example").await.is_empty());

    let mut traced = inputs;
    traced[0]["objectWriteTraceId"] = json!("a");
    traced[1]["objectWriteTraceId"] = json!("b");
    let (status, answer) = hubspot.post(path, json!({ "inputs": traced })).await;
    assert_eq!((status, &answer["numErrors"]), (207, &json!(1)));
    conforms(SPEC, "BatchResponseSimplePublicObjectWithErrors", &answer);
    assert_eq!(answer["results"][0]["objectWriteTraceId"], "a");
    assert_eq!(answer["errors"][0]["context"]["objectWriteTraceId"], json!(["b"]));

    let read = json!({ "inputs": [{ "id": "anna.berg@acme.example" }, { "id": "no@one.example" }], "idProperty": "email", "properties": ["email"] });
    let (status, answer) = hubspot.post("/crm/v3/objects/contacts/batch/read", read).await;
    assert_eq!((status, answer["results"].as_array().map(Vec::len)), (207, Some(1)));
    conforms(SPEC, "BatchResponseSimplePublicObjectWithErrors", &answer);
    assert_eq!(answer["errors"][0]["context"]["ids"], json!(["no@one.example"]));

    let many: Vec<Value> = (0..101).map(|id| json!({ "id": id.to_string() })).collect();
    assert_eq!(hubspot.post("/crm/v3/objects/contacts/batch/archive", json!({ "inputs": many[..100] })).await.0, 204);
    assert_eq!(hubspot.post("/crm/v3/objects/contacts/batch/archive", json!({ "inputs": many })).await.0, 400);
}

#[tokio::test]
async fn tokens_are_granted_expire_and_are_told_apart_from_unknown_ones() {
    let hubspot = HubSpot::start().await;
    let url = hubspot.saas.hubspot.url();
    let grant = async |token: &str| {
        let form = [("grant_type", "refresh_token"), ("client_id", "hs-client"), ("client_secret", "hs-secret"), ("refresh_token", token)];
        let response = hubspot.client.post(format!("{url}/oauth/2026-03/token")).form(&form).send().await.expect("answered");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON"))
    };
    let (status, granted) = grant("hs-refresh").await;
    assert_eq!((status, &granted["expires_in"], &granted["refresh_token"]), (200, &json!(1800), &json!("hs-refresh")));
    let (status, refused) = grant("other").await;
    assert_eq!((status, &refused["status"]), (400, &json!("BAD_REFRESH_TOKEN")));

    let read = async |token: &str| {
        let request = hubspot.client.get(format!("{url}/crm/v3/objects/contacts")).bearer_auth(token);
        let response = request.send().await.expect("answered");
        (response.status().as_u16(), response.json::<Value>().await.expect("JSON")["category"].clone())
    };
    let token = text(&granted["access_token"]);
    assert_eq!(read(token).await, (200, Value::Null));
    hubspot.saas.hubspot.set("expire-tokens", true).expect("a setting");
    assert_eq!(read(token).await, (401, json!("EXPIRED_AUTHENTICATION")));
    assert_eq!(read("stranger").await, (401, json!("INVALID_AUTHENTICATION")));
    assert_eq!(read("hs-token").await, (200, Value::Null));
}

#[tokio::test]
async fn limits_are_told_in_headers_and_refused_by_policy() {
    let hubspot = HubSpot::start().await;
    let stand = &hubspot.saas.hubspot;
    stand.set("ten-secondly-limit", 1).expect("a setting");
    stand.set("secondly-limit", 1).expect("a setting");
    let get = || hubspot.client.get(format!("{}/crm/v3/objects/contacts", stand.url())).bearer_auth("hs-token").send();
    let first = get().await.expect("answered");
    assert_eq!((first.status().as_u16(), &first.headers()["x-hubspot-ratelimit-remaining"]), (200, &"0".parse().expect("a value")));
    let (status, body) = hubspot.get("/crm/v3/objects/contacts").await;
    assert_eq!((status, &body["policyName"], &body["errorType"]), (429, &json!("TEN_SECONDLY_ROLLING"), &json!("RATE_LIMIT")));
    let search = async || hubspot.post("/crm/v3/objects/contacts/search", json!({})).await;
    assert_eq!(search().await.0, 200);
    let (status, body) = search().await;
    assert_eq!((status, &body["message"]), (429, &json!("You have reached your secondly limit.")));
    stand.reset();
    stand.set("daily-limit", 0).expect("a setting");
    assert_eq!(hubspot.get("/crm/v3/objects/contacts").await.1["policyName"], "DAILY");
    stand.set("no-such-setting", 1).expect_err("settings are named");
}

#[test]
#[should_panic(expected = "no Error")]
fn the_schemas_refuse_what_is_not_theirs() {
    conforms(SPEC, "Error", &json!({ "message": "no correlation id" }));
}
