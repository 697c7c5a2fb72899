//! What a case can't show: what WhatsApp posts, and what its codes mean.

use sangam_sdk::{FailureKind::*, prelude::*, testing, testing::Host};

use crate::{errors::ok, number::whatsapp_id};

fn brought(value: Value) -> Vec<Value> {
    let body =
        json!({ "object": "whatsapp_business_account", "entry": [{ "id": "1", "changes": [{ "field": "messages", "value": value }] }] });
    let mut host = Host::new(|_| testing::text(500, "nothing is asked"));
    host.config = json!({ "phone-number-id": "106" });
    let request = Inbound { method: "POST".to_owned(), body: body.to_string().into_bytes(), ..Inbound::default() };
    host.receive::<crate::WhatsApp>("messages", request).expect("it is understood");
    host.events
}

fn metadata(id: &str) -> Value {
    json!({ "display_phone_number": "43 1 2345", "phone_number_id": id })
}

#[test]
fn what_people_write_comes_in_with_their_names_and_files() {
    let document = json!({ "id": "m1", "mime_type": "application/pdf", "filename": "a.pdf", "sha256": "x", "caption": "hier" });
    let events = brought(json!({
        "messaging_product": "whatsapp", "metadata": metadata("106"),
        "contacts": [{ "profile": { "name": "Anna" }, "wa_id": "436641" }],
        "messages": [
            { "from": "436641", "id": "wamid.1", "timestamp": "1795888800", "type": "text", "text": { "body": "Bezahlt!" }, "context": { "id": "wamid.0" } },
            { "from": "436641", "id": "wamid.2", "timestamp": "1795888801", "type": "document", "document": document },
            { "from": "436641", "id": "wamid.3", "timestamp": "1795888802", "type": "interactive",
              "interactive": { "type": "button_reply", "button_reply": { "id": "yes", "title": "Ja" } } }
        ]
    }));
    assert_eq!(events.len(), 3);
    assert_eq!((&events[0]["type"], &events[0]["id"]), (&json!("message.received"), &json!("wamid.1")));
    assert_eq!(events[0]["time"], "2026-11-28T18:00:00Z");
    let data = &events[0]["data"];
    assert_eq!((&data["from"], &data["to"]), (&json!("+436641"), &json!("+4312345")));
    assert_eq!((&data["name"], &data["text"], &data["in_reply_to"]), (&json!("Anna"), &json!("Bezahlt!"), &json!("wamid.0")));
    assert_eq!((&events[1]["data"]["text"], &events[1]["data"]["attachments"][0]["name"]), (&json!("hier"), &json!("a.pdf")));
    assert_eq!((&events[2]["data"]["text"], &events[2]["data"]["button"]), (&json!("Ja"), &json!("yes")));
}

#[test]
fn what_became_of_a_message_comes_in_with_the_key_that_it_carried() {
    let status = |id: &str, more: Value| {
        let mut status = json!({ "id": id, "recipient_id": "436641", "timestamp": "1795888800", "biz_opaque_callback_data": "the-key" });
        status.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        status
    };
    let errors = json!([{ "code": 131_026, "title": "Undeliverable", "error_data": { "details": "Not on WhatsApp" } }]);
    let events = brought(json!({ "metadata": metadata("106"), "statuses": [
        status("wamid.1", json!({ "status": "delivered" })),
        status("wamid.2", json!({ "status": "failed", "errors": errors })),
        status("wamid.3", json!({ "status": "warning" }))
    ] }));
    assert_eq!(events.len(), 2);
    assert_eq!((&events[0]["id"], &events[0]["data"]["reference"]), (&json!("wamid.1/delivered"), &json!("the-key")));
    assert_eq!(events[0]["data"]["to"], "+436641");
    assert_eq!(events[1]["data"]["error"], json!({ "code": "131026", "reason": "Not on WhatsApp" }));
}

#[test]
fn what_is_for_another_number_is_left_to_its_plugin() {
    let message = json!({ "from": "436641", "id": "wamid.1", "type": "text", "text": { "body": "x" } });
    assert!(brought(json!({ "metadata": metadata("107"), "messages": [message] })).is_empty());
}

#[test]
fn codes_decide_whether_to_try_again() {
    for (status, code, kind) in [
        (401, 190, Unauthorized),
        (429, 130_429, RateLimited),
        (400, 131_056, RateLimited),
        (400, 131_048, RateLimited),
        (400, 4, RateLimited),
        (500, 131_000, Retry),
        (503, 131_016, Retry),
        (400, 131_047, Rejected),
        (400, 131_049, Rejected),
        (400, 131_026, Rejected),
        (404, 132_001, Rejected),
        (400, 100, Rejected),
    ] {
        let error =
            json!({ "message": "(#1) No", "type": "OAuthException", "code": code, "error_data": { "details": "why" }, "fbtrace_id": "t" });
        let failure = ok(testing::json(status, json!({ "error": error }))).expect_err("no success");
        assert_eq!(failure.kind, kind, "{code}");
        assert!(failure.reason.starts_with(&format!("WhatsApp answered {status}: (#1) No: why")), "{}", failure.reason);
    }
    assert_eq!(ok(testing::text(502, "<html>")).expect_err("502").kind, Retry);
    assert_eq!(ok(testing::text(400, "<html>")).expect_err("400").kind, Rejected);
}

#[test]
fn a_number_is_known_in_any_spelling() {
    for text in ["+43 664 1234567", "00436641234567", "436641234567"] {
        assert_eq!(whatsapp_id(text).as_deref(), Ok("436641234567"), "{text}");
    }
    assert!(whatsapp_id("0664 1234567").is_err() && whatsapp_id("anna").is_err());
}
