//! Deliveries in, events out.

use std::sync::Arc;

use super::*;
use crate::config::{Answer, BodyForm, OnUnreadable, SourceKind, Verify, Webhook};
use crate::mapping::{Expr, Template};

fn source(event_type: Option<&str>, each: Option<&str>, event: Option<Value>) -> Source {
    let webhook = Webhook {
        verify: Verify::Nothing,
        plugin: None,
        methods: vec!["POST".to_owned()],
        max_size: None,
        body: BodyForm::Auto,
        max_file_size: 0,
        answer: Answer::Status(200),
        on_unreadable: OnUnreadable::Keep,
        handshake: None,
    };
    let shape = Shape {
        event_type: event_type.map(str::to_owned),
        each: each.map(|each| Arc::new(Expr::compile(&format!("[{each}\n]")).expect("an expression"))),
        event: event.map(|event| Arc::new(Template::compile(&event).expect("a template"))),
    };
    Source { name: "crm".to_owned(), kind: SourceKind::Webhook(webhook), shape }
}

async fn made(source: &Source, body: Value) -> Result<Vec<Value>, String> {
    let scope = Map::from_iter([("body".to_owned(), body.clone()), ("headers".to_owned(), json!({ "x-topic": "t" }))]);
    let delivered = Delivered { scope, id: "d1".to_owned(), data: body, event: None, size: 100 };
    let events = events(&Evaluator::new(Limits::default(), 1), source, delivered).await;
    events.map(|events| events.iter().map(Event::to_structured).collect()).map_err(|error| error.0)
}

#[tokio::test]
async fn without_more_the_body_is_the_data() {
    let expected = json!({ "specversion": "1.0", "id": "d1", "source": "/sources/crm", "type": "contact.changed", "data": { "a": 1 } });
    assert_eq!(made(&source(Some("contact.changed"), None, None), json!({ "a": 1 })).await, Ok(vec![expected]));
}

#[tokio::test]
async fn each_makes_an_event_of_every_item_and_the_position_makes_its_id() {
    let source = source(
        Some("t"),
        Some(".body.items[]"),
        Some(json!({ "id": "${ .item.key }", "subject": "${ .headers[\"x-topic\"] }/${ .position }" })),
    );
    let body = json!({ "items": [{ "key": 12345678901234567890_u64 }, { "key": null }, {}] });
    let made = made(&source, body).await.expect("events");
    let ids: Vec<&Value> = made.iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, ["12345678901234567890", "d1/1", "d1/2"]);
    assert_eq!((&made[1]["subject"], &made[0]["data"]), (&json!("t/1"), &json!({ "key": 12345678901234567890_u64 })));
}

#[tokio::test]
async fn what_can_not_be_made_an_event_says_why() {
    let cases = [
        (
            source(None, None, Some(json!({ "type": "${ .body.kind }" }))),
            json!({}),
            "nothing says of which type the event is: `type` of `event` gave null or nothing",
        ),
        (source(Some("t"), Some(".body[]"), None), json!(7), "`each` failed: cannot use 7 as iterable (array or object)"),
        (
            source(Some("t"), Some(".body[]"), Some(json!({ "time": "${ .item }" }))),
            json!(["2026-01-01T00:00:00Z", "now"]),
            "event 1 of the delivery: the attribute `time` is not a time like 2026-01-31T23:59:59Z (RFC 3339)",
        ),
        (source(None, None, Some(json!({ "type": "sangam.x" }))), json!({}), "the attribute `type` is \"sangam.x\", which only"),
        (
            source(Some("t"), None, Some(json!({ "subject": "${ .body }" }))),
            json!({ "a": 1 }),
            "the `subject` of `event` is neither a text nor a number",
        ),
    ];
    for (source, body, why) in cases {
        let refused = made(&source, body).await.expect_err(why);
        assert!(refused.starts_with(why), "{refused}");
    }
    let many = Value::Array(vec![Value::Null; MAX_BATCH + 1]);
    let refused = made(&source(Some("t"), Some(".body[]"), None), many).await;
    assert_eq!(refused, Err("`each` gave 1001 events; a delivery has at most 1000".to_owned()));
}

#[tokio::test]
async fn of_a_cloud_event_everything_stays_that_is_not_said_otherwise() {
    let came = json!({ "specversion": "1.0", "id": "e7", "source": "/theirs", "type": "theirs.changed", "subject": "s", "dept": "x", "data": { "a": 1 } });
    let came = Event::from_structured(came).expect("an event");
    let delivered = |id: &str| Delivered { scope: Map::new(), id: id.to_owned(), data: Value::Null, event: Some(came.clone()), size: 1 };
    let evaluator = Evaluator::new(Limits::default(), 1);
    let made = events(&evaluator, &source(None, None, None), delivered("e7")).await.expect("an event");
    assert_eq!(
        made[0].to_structured(),
        json!({ "specversion": "1.0", "id": "e7", "source": "/sources/crm", "type": "theirs.changed", "subject": "s", "dept": "x", "data": { "a": 1 } })
    );
    let made = events(&evaluator, &source(Some("ours"), None, Some(json!({ "data": [1] }))), delivered("e7")).await.expect("an event");
    assert_eq!((made[0].event_type.as_str(), made[0].to_structured()["data"].clone()), ("ours", json!([1])));
}
