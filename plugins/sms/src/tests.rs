//! What a case can't show: numbers in all spellings, and what a gateway posts.

use sangam_sdk::{prelude::*, testing::Host};

use crate::{config::Numbers, number};

#[test]
fn a_number_is_international_or_none() {
    for text in ["+43 664 123 4567", "0043-664-1234567", "+43 (664) 1234567", "+43/664/1234567"] {
        assert_eq!(number::international(text).as_deref(), Ok("+436641234567"), "{text}");
    }
    for text in ["0664 1234567", "664123", "+0664123456", "+43 664 CALL", "+1234567890123456", "", "+"] {
        assert!(number::international(text).is_err(), "{text}");
    }
    assert_eq!(number::spelled("+436641", Numbers::Digits), "436641");
    assert_eq!(number::spelled("+436641", Numbers::Zeros), "00436641");
}

/// The one event that a post brings in, if it does.
fn brought(config: Value, kind: &str, body: &str) -> Option<Value> {
    let request = Inbound {
        method: "POST".to_owned(),
        headers: vec![("content-type".to_owned(), kind.as_bytes().to_vec())],
        body: body.as_bytes().to_vec(),
        ..Inbound::default()
    };
    let mut host = Host::new(|_| sangam_sdk::testing::text(500, "nothing is asked"));
    host.config = config;
    let received = host.receive::<crate::Sms>("messages", request).expect("it is understood");
    assert_eq!(received.reply.status, 204, "Twilio would read anything else as an order");
    assert!(host.events.len() <= 1);
    host.events.pop()
}

const FORM: &str = "application/x-www-form-urlencoded; charset=utf-8";

#[test]
fn twilio_tells_what_became_of_a_message_and_what_people_answer() {
    let delivered =
        brought(json!({}), FORM, "MessageSid=SM1&MessageStatus=delivered&To=%2B436641234567&From=%2B4312345").expect("a status");
    assert_eq!((&delivered["type"], &delivered["id"]), (&json!("message.status"), &json!("SM1/delivered")));
    assert_eq!(delivered["data"]["to"], "+436641234567");
    let failed = brought(json!({}), FORM, "MessageSid=SM1&MessageStatus=undelivered&ErrorCode=30005&To=%2B43664").expect("a status");
    assert_eq!((&failed["data"]["status"], &failed["data"]["error"]["code"]), (&json!("failed"), &json!("30005")));
    assert_eq!(brought(json!({}), FORM, "MessageSid=SM1&MessageStatus=queued"), None, "it is still on its way");
    let body = "ToCountry=AT&SmsStatus=received&MessageSid=SM2&Body=Gr%C3%BC%C3%9Fe+%26+ja&From=%2B436641234567&To=%2B4312345&NumMedia=1&MediaUrl0=https%3A%2F%2Fm.example%2F1&MediaContentType0=image%2Fjpeg";
    let answer = brought(json!({}), FORM, body).expect("a message");
    assert_eq!(
        (&answer["type"], &answer["data"]["text"], &answer["data"]["from"]),
        (&json!("message.received"), &json!("Grüße & ja"), &json!("+436641234567"))
    );
    assert_eq!(answer["data"]["attachments"], json!([{ "url": "https://m.example/1", "content_type": "image/jpeg" }]));
}

#[test]
fn another_gateway_is_read_where_the_configuration_says() {
    let config = json!({ "base-url": "https://g.example", "gateway": { "path": "/sms", "fields": {}, "callback": {
        "message-id": "results[0].id", "status": "results[0].status.name", "delivered": ["DELIVERED"], "failed": ["REJECTED"],
        "error": "results[0].status.text", "from": "results[0].from", "text": "results[0].text", "to": "results[0].to"
    } } });
    let post = |result: Value| brought(config.clone(), "application/json", &json!({ "results": [result] }).to_string());
    let failed = post(json!({ "id": 7, "to": "43664", "status": { "name": "rejected", "text": "No credit" } })).expect("a status");
    assert_eq!((&failed["id"], &failed["data"]["error"]["reason"]), (&json!("7/failed"), &json!("No credit")));
    assert_eq!(post(json!({ "id": 7, "status": { "name": "PENDING" } })), None);
    let answer = post(json!({ "id": "8", "from": "43664", "text": "ok" })).expect("a message");
    assert_eq!((&answer["type"], &answer["data"]["text"]), (&json!("message.received"), &json!("ok")));
}

#[test]
fn what_a_field_is_made_of_is_filled_in_once() {
    let config = json!({ "base-url": "https://g.example", "from": "ACME", "gateway": {
        "path": "/sms", "format": "json", "numbers": "digits", "fields": { "to": ["{to}"], "text": "{text}", "ref": "{key}", "sender": "{from}", "odd": "{x}" }
    } });
    let input = json!({ "to": "+43 664 1234567", "text": "{key} {to}" });
    let mut host = Host::new(|_| sangam_sdk::testing::json(200, json!({})));
    host.config = config;
    host.invoke::<crate::Sms>("send", input).expect("sent");
    let sent = host.sent[0].json();
    let key = host.sent[0].key.clone().expect("it has a key");
    assert_eq!(sent, json!({ "to": ["436641234567"], "text": "{key} {to}", "ref": key, "sender": "ACME", "odd": "{x}" }));
}
