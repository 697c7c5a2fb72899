//! Webhooks that the stand-ins send when a record changes: at the sink, with the vendor's own signature.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use sangam_saas::{Fault, FaultAct, Recorded, Saas, Stand};
use serde_json::{Value, json};

const SECRET: &str = "a secret of the test";

/// Has one system tell the sink.
fn listen(saas: &Saas, system: &Stand, more: Value) {
    let mut target = json!({ "url": format!("{}/hooks", saas.sink.url()), "secret": SECRET });
    if let (Some(target), Value::Object(more)) = (target.as_object_mut(), more) {
        target.extend(more);
    }
    system.set("webhook", target).expect("a target");
}

/// The first requests that came in at the sink, once there are so many.
async fn told(saas: &Saas, count: usize) -> Vec<Recorded> {
    for _ in 0..500 {
        let requests = saas.sink.requests();
        if requests.len() >= count {
            return requests;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{} of {count} webhooks came in within five seconds", saas.sink.requests().len());
}

fn mac(text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes()), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn each_system_signs_the_vendors_way() {
    for system in ["hubspot", "quickbooks", "hr", "fieldservice", "jobber", "servicetitan", "housecall"] {
        let saas = Saas::start().await.expect("free ports");
        let stand = match system {
            "hubspot" => &saas.hubspot,
            "quickbooks" => &saas.quickbooks,
            "hr" => &saas.hr,
            "fieldservice" => &saas.fieldservice,
            "jobber" => &saas.jobber,
            "servicetitan" => &saas.servicetitan,
            _ => &saas.housecall,
        };
        listen(&saas, stand, json!({}));
        let (setting, change) = match system {
            "hubspot" => ("edit", json!({ "object": "contacts", "properties": { "email": "new@x.example" } })),
            "quickbooks" => ("edit", json!({ "entity": "Customer", "record": { "DisplayName": "New" } })),
            "hr" => ("add-leaves", json!([{ "employee_ref": "emp-1", "kind": "sick", "start": "2026-12-01", "end": "2026-12-02" }])),
            _ => ("edit", json!({ "job": null, "fields": { "title": "New", "summary": "New" } })),
        };
        stand.set(setting, change).expect("written");
        let request = told(&saas, 1).await.remove(0);
        let (body, header) = (request.body.as_str(), |name: &str| {
            request.headers.get(name).cloned().unwrap_or_else(|| panic!("{system}: no {name}: {request:?}"))
        });
        let uri = format!("{}/hooks", saas.sink.url());
        let (given, expected) = match system {
            "hubspot" => (
                header("x-hubspot-signature-v3"),
                STANDARD.encode(mac(&format!("POST{uri}{body}{}", header("x-hubspot-request-timestamp")))),
            ),
            "quickbooks" => (header("intuit-signature"), STANDARD.encode(mac(body))),
            "hr" => (
                header("webhook-signature"),
                format!("v1,{}", STANDARD.encode(mac(&format!("{}.{}.{body}", header("webhook-id"), header("webhook-timestamp"))))),
            ),
            "fieldservice" => (header("x-signature"), format!("sha256={}", hex(&mac(&format!("{}.{body}", header("x-timestamp")))))),
            "jobber" => (header("x-jobber-hmac-sha256"), STANDARD.encode(mac(body))),
            "servicetitan" => (header("x-servicetitan-signature"), hex(&mac(body))),
            _ => (header("api-signature"), hex(&mac(&format!("{}.{body}", header("api-timestamp"))))),
        };
        assert_eq!(given, expected, "{system}");
        let _: Value = serde_json::from_str(body).expect("JSON");
    }
}

#[tokio::test]
async fn salesforce_sends_an_outbound_message_of_the_object_that_was_asked_for() {
    let saas = Saas::start().await.expect("free ports");
    listen(&saas, &saas.salesforce, json!({ "object": "Contact", "fields": ["Email"] }));
    saas.salesforce.set("edit", json!({ "object": "Account", "fields": { "Name": "Not asked for" } })).expect("written");
    saas.salesforce
        .set("edit", json!({ "object": "Contact", "fields": { "LastName": "New", "Email": "n&n@x.example" } }))
        .expect("written");
    let request = told(&saas, 1).await.remove(0);
    assert!(request.headers["content-type"].starts_with("text/xml"), "{request:?}");
    for part in ["<OrganizationId>00DSg0000000001MAA</OrganizationId>", "xsi:type=\"sf:Contact\"", "<sf:Email>n&amp;n@x.example</sf:Email>"]
    {
        assert!(request.body.contains(part), "{part}: {}", request.body);
    }
}

#[tokio::test]
async fn what_is_not_taken_comes_again_in_its_order() {
    let saas = Saas::start().await.expect("free ports");
    saas.sink.fault(Fault {
        times: 2,
        ..Fault::once("/hooks", FaultAct::Status { status: 503, headers: Default::default(), body: String::new() })
    });
    listen(&saas, &saas.jobber, json!({}));
    saas.jobber.set("edit", json!({ "fields": { "title": "One" } })).expect("written");
    let requests = told(&saas, 4).await;
    let topics: Vec<String> = requests
        .iter()
        .map(|request| {
            let body: Value = serde_json::from_str(&request.body).expect("JSON");
            body["data"]["webHookEvent"]["topic"].as_str().unwrap_or_default().to_owned()
        })
        .collect();
    assert_eq!(topics, ["JOB_CREATE", "JOB_CREATE", "JOB_CREATE", "JOB_UPDATE"]);
}

#[tokio::test]
async fn webhooks_leave_this_machine_for_nowhere() {
    let saas = Saas::start().await.expect("free ports");
    for url in ["http://192.0.2.1/hooks", "https://localhost/hooks", "not a url"] {
        assert!(saas.jobber.set("webhook", json!({ "url": url })).is_err(), "{url}");
    }
}
