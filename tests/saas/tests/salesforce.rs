//! The Salesforce stand-in over HTTP.

mod client;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use client::client;
use reqwest::{Method, Response};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use rustls_pki_types::PrivatePkcs8KeyDer;
use rustls_pki_types::pem::PemObject as _;
use sangam_saas::Saas;
use serde_json::{Value, json};

const BASE: &str = "/services/data/v66.0";

struct Org {
    saas: Saas,
    token: String,
}

impl Org {
    async fn start() -> Org {
        let saas = Saas::start().await.expect("free loopback ports");
        let mut org = Org { saas, token: String::new() };
        org.log_in().await;
        org
    }

    async fn log_in(&mut self) {
        let (status, answer) = self.token(&assertion(claims())).await;
        assert_eq!(status, 200, "{answer}");
        self.token = answer["access_token"].as_str().expect("a token").to_owned();
    }

    async fn token(&self, assertion: &str) -> (u16, Value) {
        let form = [("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer"), ("assertion", assertion)];
        self.grant(&form).await
    }

    async fn grant(&self, form: &[(&str, &str)]) -> (u16, Value) {
        let url = format!("{}/services/oauth2/token", self.saas.salesforce.url());
        let response = client().post(url).form(form).send().await.expect("answered");
        (response.status().as_u16(), response.json().await.expect("JSON"))
    }

    async fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Response {
        let url = format!("{}{path}", self.saas.salesforce.url());
        let mut request = client().request(method, url).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(body);
        }
        request.send().await.expect("answered")
    }

    /// Status and body; null when there is none.
    async fn call(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let response = self.send(method, &format!("{BASE}{path}"), body).await;
        let status = response.status().as_u16();
        let text = response.text().await.expect("text");
        (status, if text.is_empty() { Value::Null } else { serde_json::from_str(&text).expect("JSON") })
    }

    async fn get(&self, path: &str) -> (u16, Value) {
        self.call(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::POST, path, Some(&body)).await
    }

    async fn patch(&self, path: &str, body: Value) -> (u16, Value) {
        self.call(Method::PATCH, path, Some(&body)).await
    }

    async fn query(&self, soql: &str) -> (u16, Value) {
        let q: String = url::form_urlencoded::byte_serialize(soql.as_bytes()).collect();
        self.get(&format!("/query?q={q}")).await
    }

    async fn id(&self, soql: &str) -> String {
        let (status, found) = self.query(soql).await;
        assert_eq!(status, 200, "{found}");
        found["records"][0]["Id"].as_str().expect("an id").to_owned()
    }
}

fn claims() -> Value {
    let end = jiff::Timestamp::now().as_second() + 180;
    json!({
        "iss": "sf-client", "sub": "integration@acme.example", "aud": "https://login.salesforce.com", "exp": end,
    })
}

fn assertion(claims: Value) -> String {
    let part = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(json!({ "alg": "RS256" })), part(claims));
    let der = PrivatePkcs8KeyDer::from_pem_slice(Saas::salesforce_private_key_pem().as_bytes()).expect("PEM");
    let key = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).expect("RSA key");
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), signed.as_bytes(), &mut signature).expect("signed");
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// The first error's code.
fn code(answer: &(u16, Value)) -> (u16, &str) {
    (answer.0, answer.1[0]["errorCode"].as_str().unwrap_or("no error"))
}

#[tokio::test]
async fn an_assertion_opens_a_session_only_as_the_vendor_checks_it() {
    let org = Org::start().await;
    let (status, answer) = org.token(&assertion(claims())).await;
    assert_eq!(status, 200);
    assert_eq!(answer["instance_url"], org.saas.salesforce.url());
    assert_eq!(answer["token_type"], "Bearer");
    assert!(answer.get("expires_in").is_none() && answer.get("refresh_token").is_none());
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        assertion(claims)
    };
    let now = jiff::Timestamp::now().as_second();
    for (assertion, error) in [
        (with("iss", json!("other")), "invalid_client_id"),
        (with("sub", json!("other@acme.example")), "invalid_grant"),
        (with("aud", json!("https://example.com")), "invalid_grant"),
        (with("exp", json!(now - 1)), "invalid_grant"),
        (with("exp", json!(now + 3_600)), "invalid_grant"),
        (with("exp", Value::Null), "invalid_grant"),
        ("a.b".to_owned(), "invalid_grant"),
    ] {
        let (status, answer) = org.token(&assertion).await;
        assert_eq!((status, &answer["error"]), (400, &json!(error)), "{answer}");
    }
    let own = assertion(claims());
    let (signed, signature) = own.rsplit_once('.').expect("three parts");
    let forged = with("aud", json!("https://test.salesforce.com"));
    let (other, _) = forged.rsplit_once('.').expect("three parts");
    assert_ne!(signed, other);
    assert_eq!(org.token(&format!("{other}.{signature}")).await.0, 400);
}

#[tokio::test]
async fn a_client_secret_opens_a_session() {
    let org = Org::start().await;
    let with = |secret: &'static str| [("grant_type", "client_credentials"), ("client_id", "sf-client"), ("client_secret", secret)];
    assert_eq!(org.grant(&with("sf-secret")).await.0, 200);
    let (status, answer) = org.grant(&with("other")).await;
    assert_eq!((status, &answer["error"]), (400, &json!("invalid_client")));
    let (status, answer) = org.grant(&[("grant_type", "password")]).await;
    assert_eq!((status, &answer["error"]), (400, &json!("unsupported_grant_type")));
}

#[tokio::test]
async fn sessions_end() {
    let mut org = Org::start().await;
    assert_eq!(org.get("/sobjects").await.0, 200);
    org.saas.salesforce.set("expire-sessions", true).expect("a setting");
    let response = org.send(Method::GET, &format!("{BASE}/sobjects"), None).await;
    assert_eq!(response.status(), 401);
    assert!(response.headers().get("www-authenticate").is_some());
    assert_eq!(code(&(401, response.json().await.expect("JSON"))), (401, "INVALID_SESSION_ID"));
    org.log_in().await;
    assert_eq!(org.get("/sobjects").await.0, 200);
    org.saas.salesforce.set("session-lifetime", 0).expect("seconds");
    org.log_in().await;
    assert_eq!(code(&org.get("/sobjects").await), (401, "INVALID_SESSION_ID"));
}

#[tokio::test]
async fn the_day_s_requests_run_out() {
    let org = Org::start().await;
    org.saas.salesforce.set("rate-limit", json!({ "requests": 1, "seconds": 60 })).expect("a limit");
    let first = org.send(Method::GET, &format!("{BASE}/sobjects"), None).await;
    assert_eq!(first.headers()["sforce-limit-info"], "api-usage=1/1");
    let second = org.send(Method::GET, &format!("{BASE}/sobjects"), None).await;
    assert!(second.headers().get("retry-after").is_none());
    assert_eq!(second.headers()["sforce-limit-info"], "api-usage=1/1");
    assert_eq!(
        (second.status().as_u16(), second.json::<Value>().await.expect("JSON")),
        (
            403,
            json!([
                { "message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED" },
            ])
        )
    );
}

#[tokio::test]
async fn versions_are_listed_without_a_session_and_others_are_not_there() {
    let org = Org::start().await;
    let versions = client().get(format!("{}/services/data", org.saas.salesforce.url())).send().await.expect("answered");
    let versions: Value = versions.json().await.expect("JSON");
    assert!(versions.as_array().expect("a list").iter().any(|version| version["url"] == BASE));
    assert_eq!(org.send(Method::GET, "/services/data/v99.0/sobjects", None).await.status(), 404);
    assert_eq!(org.send(Method::GET, "/nope", None).await.status(), 404);
}

#[tokio::test]
async fn a_record_is_created_read_changed_and_deleted() {
    let org = Org::start().await;
    let account = org.id("SELECT Id FROM Account WHERE External_Id__c = 'cust-100'").await;
    let fields = json!({ "AccountId": account, "Subject": "No heat", "Description": " ", "Job_Id__c": "job-7" });
    let response = org.send(Method::POST, &format!("{BASE}/sobjects/Case"), Some(&fields)).await;
    assert_eq!(response.status(), 201);
    let location = response.headers()["location"].to_str().expect("text").to_owned();
    let created: Value = response.json().await.expect("JSON");
    let id = created["id"].as_str().expect("an id");
    assert_eq!(created, json!({ "id": id, "success": true, "errors": [] }));
    assert_eq!(location, format!("{BASE}/sobjects/Case/{id}"));

    let case = org.get(&format!("/sobjects/Case/{}", &id[..15])).await.1;
    assert_eq!(case["attributes"], json!({ "type": "Case", "url": location }));
    assert_eq!((&case["Status"], &case["IsClosed"], &case["Description"]), (&json!("New"), &json!(false), &Value::Null));
    assert!(case["CaseNumber"].as_str().is_some_and(|number| number.len() == 8));

    assert_eq!(org.patch(&format!("/sobjects/Case/{id}"), json!({ "Status": "Closed" })).await, (204, Value::Null));
    let case = org.get(&format!("/sobjects/case/{id}?fields=status,IsClosed,ClosedDate")).await.1;
    assert_eq!((&case["Status"], &case["IsClosed"]), (&json!("Closed"), &json!(true)));
    assert!(case["ClosedDate"].as_str().is_some_and(|at| at.ends_with("+0000")));
    assert_eq!(case.as_object().map(|fields| fields.len()), Some(5));

    let comment = json!({ "ParentId": id, "CommentBody": "Done", "IsPublished": true });
    assert_eq!(org.post("/sobjects/CaseComment", comment.clone()).await.0, 201);
    assert_eq!(org.call(Method::DELETE, &format!("/sobjects/Case/{id}"), None).await, (204, Value::Null));
    assert_eq!(code(&org.call(Method::DELETE, &format!("/sobjects/Case/{id}"), None).await), (404, "ENTITY_IS_DELETED"));
    assert_eq!(code(&org.get(&format!("/sobjects/Case/{id}")).await), (404, "NOT_FOUND"));
    assert_eq!(org.saas.salesforce.state()["records"]["CaseComment"], json!([]));
    assert_eq!(code(&org.post("/sobjects/CaseComment", comment).await), (400, "ENTITY_IS_DELETED"));
}

#[tokio::test]
async fn what_the_vendor_refuses_is_refused() {
    let org = Org::start().await;
    let case = org.id("SELECT Id FROM Case WHERE Job_Id__c = 'job-1001'").await;
    let contact = org.id("SELECT Id FROM Contact LIMIT 1").await;
    for (object, fields, expected, at) in [
        ("Account", json!({ "Name": "x", "Nope": 1 }), "INVALID_FIELD", json!(null)),
        ("Account", json!({}), "REQUIRED_FIELD_MISSING", json!(["Name"])),
        ("Account", json!({ "Name": "" }), "REQUIRED_FIELD_MISSING", json!(["Name"])),
        ("Account", json!({ "Name": 5 }), "JSON_PARSER_ERROR", json!(null)),
        ("Account", json!({ "Name": "x".repeat(256) }), "STRING_TOO_LONG", json!(["Name"])),
        ("Account", json!({ "Name": "x", "External_Id__c": "cust-100" }), "DUPLICATE_VALUE", json!([])),
        ("Contact", json!({ "FirstName": "x" }), "REQUIRED_FIELD_MISSING", json!(["LastName"])),
        ("Contact", json!({ "LastName": "x", "Email": "y" }), "INVALID_EMAIL_ADDRESS", json!(["Email"])),
        ("Contact", json!({ "LastName": "x", "DoNotCall": "yes" }), "JSON_PARSER_ERROR", json!(null)),
        ("CaseComment", json!({ "CommentBody": "x" }), "REQUIRED_FIELD_MISSING", json!(["ParentId"])),
        ("CaseComment", json!({ "ParentId": "500x" }), "MALFORMED_ID", json!(["ParentId"])),
        ("CaseComment", json!({ "ParentId": contact }), "MALFORMED_ID", json!(["ParentId"])),
        ("CaseComment", json!({ "ParentId": "500Sg0000009999" }), "INVALID_CROSS_REFERENCE_KEY", json!([])),
        ("Case", json!({ "Status": "Nope" }), "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", json!(["Status"])),
        ("Case", json!({ "CaseNumber": "1" }), "INVALID_FIELD_FOR_INSERT_UPDATE", json!(["CaseNumber"])),
        ("Case", json!({ "Account": { "External_Id__c": "nope" } }), "INVALID_FIELD", json!(null)),
        ("Task", json!({ "ActivityDate": "tomorrow" }), "JSON_PARSER_ERROR", json!(null)),
        ("CaseStatus", json!({}), "INVALID_TYPE_FOR_OPERATION", json!(null)),
    ] {
        let answer = org.post(&format!("/sobjects/{object}"), fields.clone()).await;
        assert_eq!(code(&answer), (400, expected), "{object} {fields}");
        assert_eq!(answer.1[0].get("fields").cloned().unwrap_or_default(), at, "{object} {fields}");
    }
    assert_eq!(code(&org.patch("/sobjects/Case/500x", json!({})).await), (400, "MALFORMED_ID"));
    assert_eq!(code(&org.patch("/sobjects/Case/500Sg0000009999", json!({})).await), (404, "NOT_FOUND"));
    assert_eq!(code(&org.patch(&format!("/sobjects/Case/{case}"), json!({ "Id": case })).await), (400, "INVALID_FIELD"));
    assert_eq!(code(&org.get(&format!("/sobjects/Account/{case}")).await), (404, "NOT_FOUND"));
    assert_eq!(code(&org.get(&format!("/sobjects/Case/{case}?fields=Nope")).await), (400, "INVALID_FIELD"));
    assert_eq!(code(&org.post("/sobjects/Nope", json!({})).await), (404, "NOT_FOUND"));
    assert_eq!(code(&org.call(Method::PUT, &format!("/sobjects/Case/{case}"), None).await), (405, "METHOD_NOT_ALLOWED"));
    assert_eq!(code(&org.call(Method::POST, "/sobjects/Case", None).await), (400, "JSON_PARSER_ERROR"));
    let account = org.id("SELECT Id FROM Account WHERE External_Id__c = 'cust-100'").await;
    let deleted = org.call(Method::DELETE, &format!("/sobjects/Account/{account}"), None).await;
    assert_eq!(code(&deleted), (400, "DELETE_FAILED"));

    org.saas.salesforce.set("lock-rows", json!([case])).expect("ids");
    let locked = org.patch(&format!("/sobjects/Case/{case}"), json!({ "Subject": "x" })).await;
    assert_eq!(code(&locked), (400, "UNABLE_TO_LOCK_ROW"));
    org.saas.salesforce.set("case-statuses", json!([["Open", false], ["Done", true]])).expect("statuses");
    assert_eq!(org.id("SELECT Id FROM CaseStatus WHERE IsClosed = true").await.len(), 18);
    assert_eq!(org.post("/sobjects/Case", json!({ "Status": "Done" })).await.0, 201);
}

#[tokio::test]
async fn an_upsert_creates_once_and_then_updates() {
    let org = Org::start().await;
    let path = "/sobjects/Contact/External_Id__c/c%2F9%20%2B";
    let first = org.patch(path, json!({ "LastName": "Nine", "Account": { "External_Id__c": "cust-200" } })).await;
    assert_eq!((first.0, &first.1["created"]), (201, &json!(true)), "{first:?}");
    let again = org.patch(path, json!({ "LastName": "Nine", "FirstName": "Cy" })).await;
    assert_eq!(again, (200, json!({ "id": first.1["id"], "success": true, "errors": [], "created": false })));
    let read = org.get(path).await.1;
    assert_eq!((&read["External_Id__c"], &read["Name"]), (&json!("c/9 +"), &json!("Cy Nine")));
}

#[tokio::test]
async fn an_upsert_is_refused_where_it_cannot_be_one_record() {
    let org = Org::start().await;
    let body = || json!({ "LastName": "x" });
    assert_eq!(code(&org.patch("/sobjects/Contact/Nope__c/1", body()).await), (404, "NOT_FOUND"));
    assert_eq!(code(&org.patch("/sobjects/Contact/LastName/1", body()).await), (404, "NOT_FOUND"));
    let only = org.patch("/sobjects/Contact/External_Id__c/new?updateOnly=true", body()).await;
    assert_eq!(code(&only), (404, "NOT_FOUND"));
    let named = json!({ "LastName": "x", "External_Id__c": "new" });
    assert_eq!(code(&org.patch("/sobjects/Contact/External_Id__c/new", named.clone()).await), (400, "INVALID_FIELD"));
    assert_eq!(org.patch("/sobjects/Contact/Email/ada.stone@acme.example?updateOnly=true", body()).await.0, 200);

    org.saas.salesforce.set("unique-external-ids", false).expect("a boolean");
    let one = org.post("/sobjects/Contact", named.clone()).await.1["id"].clone();
    let other = org.post("/sobjects/Contact", named).await.1["id"].clone();
    let links: Vec<String> = [one, other].iter().map(|id| format!("{BASE}/sobjects/Contact/{}", id.as_str().expect("an id"))).collect();
    assert_eq!(org.patch("/sobjects/Contact/External_Id__c/new", body()).await, (300, json!(links)));
    assert_eq!(org.get("/sobjects/Contact/External_Id__c/new").await, (300, json!(links)));
}

#[tokio::test]
async fn a_query_is_answered_in_pages() {
    let org = Org::start().await;
    org.saas.salesforce.set("query-page", 2).expect("a number");
    let (status, first) = org.query("SELECT Id, Name, Account.Name FROM Contact ORDER BY Name").await;
    assert_eq!((status, &first["totalSize"], &first["done"]), (200, &json!(3), &json!(false)));
    assert_eq!(first["records"][0]["Account"]["Name"], "Acme Heating");
    let next = first["nextRecordsUrl"].as_str().expect("more");
    let second: Value = org.send(Method::GET, next, None).await.json().await.expect("JSON");
    assert_eq!((&second["done"], &second["records"][0]["Name"]), (&json!(true), &json!("Cleo Marsh")));
    assert!(second.get("nextRecordsUrl").is_none());
    assert_eq!(code(&org.get("/query/0r8nope-2").await), (400, "INVALID_QUERY_LOCATOR"));

    let count = org.query("SELECT COUNT() FROM Case WHERE IsClosed = false").await.1;
    assert_eq!(count, json!({ "totalSize": 3, "done": true, "records": [] }));
    for (soql, expected) in [
        ("SELECT Id FROM Contact WHERE LastName = 'O'Hara'", "MALFORMED_QUERY"),
        ("SELECT Id FROM Contact WHERE Nope = 'x'", "INVALID_FIELD"),
        ("SELECT Id FROM Nope", "INVALID_TYPE"),
        ("SELECT Id FROM CaseComment WHERE CommentBody LIKE '%job%'", "INVALID_FIELD"),
        ("", "MALFORMED_QUERY"),
    ] {
        assert_eq!(code(&org.query(soql).await), (400, expected), "{soql}");
    }
}

#[tokio::test]
async fn a_composite_request_is_done_whole_or_not_at_all() {
    let org = Org::start().await;
    let case = org.id("SELECT Id FROM Case WHERE Job_Id__c = 'job-1001'").await;
    let part = |method: &str, path: &str, name: &str, body: Value| json!({ "method": method, "url": format!("{BASE}{path}"), "referenceId": name, "body": body });
    let parts = |status: &str| {
        json!({ "allOrNone": true, "compositeRequest": [
            part("PATCH", &format!("/sobjects/Case/{case}"), "close", json!({ "Status": status })),
            part("POST", "/sobjects/Task", "task", json!({ "WhatId": case, "Subject": "Call back" })),
            part("POST", "/sobjects/CaseComment", "note",
                 json!({ "ParentId": case, "CommentBody": "See task @{task.id}" })),
        ] })
    };
    let (status, refused) = org.post("/composite", parts("Nope")).await;
    assert_eq!(status, 200);
    let codes: Vec<&str> =
        refused["compositeResponse"].as_array().expect("parts").iter().filter_map(|part| part["body"][0]["errorCode"].as_str()).collect();
    assert_eq!(codes, ["INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "PROCESSING_HALTED", "PROCESSING_HALTED"]);
    assert_eq!(org.saas.salesforce.state()["records"]["Task"], json!([]));

    let (_, done) = org.post("/composite", parts("Closed")).await;
    let done = &done["compositeResponse"];
    assert_eq!(done[0], json!({ "body": null, "httpHeaders": {}, "httpStatusCode": 204, "referenceId": "close" }));
    let task = done[1]["body"]["id"].as_str().expect("an id");
    assert_eq!(done[1]["httpHeaders"]["Location"], format!("{BASE}/sobjects/Task/{task}"));
    let comment = &org.saas.salesforce.state()["records"]["CaseComment"][0];
    assert_eq!(comment["CommentBody"], format!("See task {task}"));
}

#[tokio::test]
async fn without_all_or_none_parts_stand_for_themselves() {
    let org = Org::start().await;
    let q = "SELECT+Id+FROM+Account+WHERE+External_Id__c='cust-200'";
    let (_, answer) = org
        .post(
            "/composite",
            json!({ "compositeRequest": [
        { "method": "GET", "url": format!("{BASE}/query?q={q}"), "referenceId": "found" },
        { "method": "POST", "url": format!("{BASE}/sobjects/Contact"), "referenceId": "bad", "body": {} },
        { "method": "PATCH", "url": format!("{BASE}/sobjects/Contact/@{{bad.id}}"), "referenceId": "lost", "body": {} },
        { "method": "POST", "url": format!("{BASE}/sobjects/Contact"), "referenceId": "good",
          "body": { "LastName": "New", "AccountId": "@{found.records[0].Id}" } },
    ] }),
        )
        .await;
    let statuses: Vec<u64> =
        answer["compositeResponse"].as_array().expect("parts").iter().filter_map(|part| part["httpStatusCode"].as_u64()).collect();
    assert_eq!(statuses, [200, 400, 400, 201], "{answer}");
    assert_eq!(answer["compositeResponse"][2]["body"][0]["errorCode"], "PROCESSING_HALTED");
    let many = vec![json!({ "method": "GET", "url": format!("{BASE}/sobjects"), "referenceId": "r" }); 26];
    assert_eq!(org.post("/composite", json!({ "compositeRequest": many })).await.0, 400);
}

#[tokio::test]
async fn a_collection_tells_of_each_record() {
    let org = Org::start().await;
    let records = |all_or_none: bool| {
        json!({ "allOrNone": all_or_none, "records": [
            { "attributes": { "type": "Contact" }, "LastName": "One" },
            { "attributes": { "type": "Contact" }, "FirstName": "Two" },
        ] })
    };
    let before = org.query("SELECT COUNT() FROM Contact").await.1["totalSize"].clone();
    let (status, answer) = org.post("/composite/sobjects", records(true)).await;
    assert_eq!(status, 200);
    assert_eq!(answer[0]["errors"][0]["statusCode"], "ALL_OR_NONE_OPERATION_ROLLED_BACK");
    assert_eq!(
        answer[1]["errors"][0],
        json!({
            "statusCode": "REQUIRED_FIELD_MISSING", "message": "Required fields are missing: [LastName]",
            "fields": ["LastName"],
        })
    );
    assert_eq!(org.query("SELECT COUNT() FROM Contact").await.1["totalSize"], before);

    let (_, answer) = org.post("/composite/sobjects", records(false)).await;
    assert_eq!((&answer[0]["success"], &answer[1]["success"]), (&json!(true), &json!(false)));
    let id = answer[0]["id"].as_str().expect("an id");
    let (_, answer) = org
        .patch(
            "/composite/sobjects",
            json!({ "records": [
        { "attributes": { "type": "Contact" }, "id": id, "Title": "Boss" },
        { "attributes": { "type": "Contact" }, "Title": "Boss" },
    ] }),
        )
        .await;
    assert_eq!((&answer[0]["success"], &answer[1]["success"]), (&json!(true), &json!(false)));
    let upserts = json!({ "records": [
        { "attributes": { "type": "Contact" }, "External_Id__c": "contact-101", "Title": "CEO" },
        { "attributes": { "type": "Contact" }, "External_Id__c": "contact-999", "LastName": "Nines" },
    ] });
    let (_, answer) = org.patch("/composite/sobjects/Contact/External_Id__c", upserts).await;
    assert_eq!((&answer[0]["created"], &answer[1]["created"]), (&json!(false), &json!(true)));
    let read = org.get(&format!("/composite/sobjects/Contact?ids={id},003Sg0000009999&fields=Id,Title")).await.1;
    assert_eq!((&read[0]["Title"], &read[1]), (&json!("Boss"), &Value::Null));
    let deleted = org.call(Method::DELETE, &format!("/composite/sobjects?ids={id}"), None).await;
    assert_eq!(deleted, (200, json!([{ "id": id, "success": true, "errors": [] }])));
    let many = vec![json!({ "attributes": { "type": "Contact" }, "LastName": "x" }); 201];
    let refused = org.post("/composite/sobjects", json!({ "records": many })).await;
    assert_eq!(code(&refused), (400, "EXCEEDED_ID_LIMIT"));
}
