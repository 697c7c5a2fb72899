use serde_json::{Value, json};

use super::{Data, Event, EventError, Json, MAX_ATTRIBUTE, MAX_BATCH, MAX_DATA_DEPTH, ReadError};

fn with(name: &str, value: Value) -> Value {
    let mut event = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "t"});
    event[name] = value;
    event
}

fn read(text: &str) -> Result<Event, EventError> {
    Event::read(text.as_bytes()).map_err(|error| match error {
        ReadError::Event(error) => error,
        other => panic!("{text}: {other}"),
    })
}

fn nested(levels: usize) -> Value {
    (0..levels).fold(json!(1), |inner, _| Value::Array(vec![inner]))
}

#[test]
fn a_structured_event_survives_reading_and_writing() {
    let text = r#"{"specversion":"1.0","id":"7","source":"/fs","type":"job.completed","subject":"s",
        "time":"2026-01-31T23:59:59.100+05:30","datacontenttype":"application/json","dataschema":"urn:x",
        "traceparent":"00-a","sequence":3,"sampled":true,"data":{"amount":10.10,"id":12345678901234567890123}}"#;
    let value: Value = serde_json::from_str(text).expect("JSON");
    let event = Event::from_structured(value.clone()).expect("an event");
    assert_eq!(event.time.as_deref(), Some("2026-01-31T23:59:59.100+05:30"));
    assert_eq!(event.to_structured(), value);
    assert!(event.to_text().contains(r#"{"amount":10.10,"id":12345678901234567890123}"#));

    let binary = with("data_base64", json!("AP8="));
    let event = Event::from_structured(binary.clone()).expect("an event");
    assert_eq!(event.data, Data::Binary(vec![0, 255]));
    assert_eq!(event.to_structured(), binary);
}

#[test]
fn what_is_no_event_is_refused_with_the_attribute() {
    let text = |name: &str, expected| EventError::Type { name: name.into(), expected };
    let time = "a time like 2026-01-31T23:59:59Z (RFC 3339)";
    let scalar = "a string, a boolean or an integer of 32 bits";
    let mut both = with("data", json!(1));
    both["data_base64"] = json!("");
    let cases = [
        (json!([]), EventError::NotAnObject),
        (json!({}), EventError::Missing("specversion")),
        (json!({"specversion": "1.0"}), EventError::Missing("id")),
        (with("id", json!("")), EventError::Empty("id".into())),
        (with("id", json!(1)), text("id", "a string")),
        (with("type", json!(null)), EventError::Missing("type")),
        (with("source", json!("a\nb")), text("source", "free of control characters")),
        (with("specversion", json!("0.3")), EventError::Version("0.3".into())),
        (with("time", json!("yesterday")), text("time", time)),
        (with("time", json!("2026-01-31T23:59:59")), text("time", time)),
        (with("time", json!("2026-02-31T23:59:59Z")), text("time", time)),
        (with("time", json!("20260131T235959Z")), text("time", time)),
        (with("Trace", json!("x")), EventError::Name("Trace".into())),
        (with("trace_id", json!("x")), EventError::Name("trace_id".into())),
        (with("trace", json!([1])), text("trace", scalar)),
        (with("trace", json!(1.5)), text("trace", scalar)),
        (with("trace", json!(1i64 << 31)), text("trace", scalar)),
        (with("subject", json!("x".repeat(MAX_ATTRIBUTE + 1))), EventError::TooLong("subject".into())),
        (with("data_base64", json!("%")), EventError::Base64),
        (with("data_base64", json!(1)), EventError::Base64),
        (with("data", nested(MAX_DATA_DEPTH + 1)), EventError::TooDeep),
        (both, EventError::BothData),
    ];
    for (value, expected) in cases {
        assert_eq!(read(&value.to_string()), Err(expected.clone()), "{value}");
        assert_eq!(Event::from_structured(value.clone()), Err(expected), "{value}");
    }
    for text in ["1", "-1", "1.5", "null", "true", "\"x\"", "[{}]"] {
        assert_eq!(read(text), Err(EventError::NotAnObject), "{text}");
    }
    // What one reader takes the first of, and another one the last.
    for (name, more) in [("id", r#""id":"2""#), ("data", r#""data":1,"data":2"#), ("data_base64", r#""data_base64":"","data_base64":"""#)] {
        let text = format!(r#"{{"specversion":"1.0","id":"1","source":"/s","type":"t",{more}}}"#);
        assert_eq!(read(&text), Err(EventError::Repeated(name.into())), "{text}");
    }
    let deepest = with("data", nested(MAX_DATA_DEPTH));
    assert_eq!(read(&deepest.to_string()), Event::from_structured(deepest));
    assert!(matches!(Event::read(br#"{"id":"1""#), Err(ReadError::Json(_))));
    assert!(matches!(Event::read(b"{} {}"), Err(ReadError::Json(_))));
}

#[test]
fn binary_mode_reads_headers_and_body() {
    let read = |content_type: &str, body: &[u8]| {
        let headers = [
            ("CE-Specversion", "1.0"),
            ("ce-id", "1"),
            ("ce-source", "/s"),
            ("ce-type", "t"),
            ("ce-subject", "caf%C3%A9 100%"),
            ("ce-sequence", "3"),
            ("host", "example"),
            ("content-type", content_type),
        ];
        Event::from_binary(headers.map(|(name, value)| (name, value.as_bytes())), body)
    };
    let event = read("application/json; charset=utf-8", br#"{"a":10.10}"#).expect("an event");
    assert_eq!(event.subject.as_deref(), Some("café 100%"));
    assert_eq!(event.extensions["sequence"], json!("3"));
    assert_eq!(event.datacontenttype.as_deref(), Some("application/json; charset=utf-8"));
    assert!(event.to_text().contains(r#""data":{"a":10.10}"#));

    assert_eq!(read("application/x+json", b"[1]").expect("x").data, Data::Json(Json::try_from(&json!([1])).expect("JSON")));
    assert_eq!(read("text/plain", b"hi").expect("x").data, Data::Json(Json::of_text("hi")));
    assert_eq!(read("image/png", b"\xff\x00").expect("x").data, Data::Binary(vec![255, 0]));
    assert_eq!(read("image/png", b"").expect("x").data, Data::None);
    assert!(matches!(read("application/json", b"{"), Err(EventError::Json(_))));

    let twice = [("ce-id", &b"1"[..]), ("ce-id", b"2")];
    assert_eq!(Event::from_binary(twice, b""), Err(EventError::Repeated("id".into())));
    let no_text = [("ce-id", &b"%ff"[..])];
    assert!(matches!(Event::from_binary(no_text, b""), Err(EventError::Type { .. })));
}

#[test]
fn a_batch_is_whole_or_names_every_fault() {
    let read = |value: Value| match Event::read_batch(format!(" {value}").as_bytes()) {
        Ok(events) => Ok(events.len()),
        Err(ReadError::Batch(errors)) => Err(errors),
        Err(other) => panic!("{value}: {other}"),
    };
    let good = with("data", json!(1));
    assert_eq!(read(json!([good, good])), Ok(2));
    assert_eq!(read(json!([])), Ok(0));
    let deep = with("data", nested(MAX_DATA_DEPTH + 1));
    let faults = vec![
        (0, EventError::Missing("specversion")),
        (2, EventError::NotAnObject),
        (4, EventError::TooDeep),
        (5, EventError::NotAnObject),
        (6, EventError::Empty("id".into())),
    ];
    assert_eq!(read(json!([{}, good, 1, good, deep, [good], with("id", json!("")), good])), Err(faults));
    assert_eq!(read(json!({})), Err(vec![(0, EventError::NotABatch)]));
    assert_eq!(read(Value::Array(vec![good.clone(); MAX_BATCH])), Ok(MAX_BATCH));
    assert_eq!(read(Value::Array(vec![good; MAX_BATCH + 1])), Err(vec![(MAX_BATCH, EventError::BatchTooLong)]));
    assert!(matches!(Event::read_batch(b"[{}"), Err(ReadError::Json(_))));
    assert!(matches!(Event::read_batch(b"[] 1"), Err(ReadError::Json(_))));
}

#[test]
fn the_digest_is_of_what_the_event_says() {
    let digest = |value: &Value| Event::from_structured(value.clone()).expect("an event").digest();
    let plain = digest(&with("data", json!({"a": 1, "b": 2})));
    let same = [with("data", json!({"b": 2, "a": 1})), {
        let mut later = with("data", json!({"a": 1, "b": 2}));
        later["time"] = json!("2026-01-31T23:59:59Z");
        later["traceparent"] = json!("00");
        later
    }];
    for value in same {
        assert_eq!(digest(&value), plain, "{value}");
    }
    let mut subject = with("data", json!({"a": 1, "b": 2}));
    subject["subject"] = json!("s");
    for value in [with("data", json!({"a": 1, "b": 3})), with("id", json!("2")), subject] {
        assert_ne!(digest(&value), plain, "{value}");
    }
}
