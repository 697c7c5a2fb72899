use sangam_sdk::{
    prelude::*,
    testing::{self, NoAnswer, Sent},
};

use crate::Http;

fn run(input: Value, answer: impl FnMut(&Sent) -> Response + 'static) -> Result<Value, Failure> {
    testing::run::<Http>("request", input, json!({}), answer)
}

#[test]
fn an_object_is_sent_as_json_with_all_its_digits() {
    let input = r#"{"method": "post", "url": "https://a.example/notes", "body": {"id": 12345678901234567890123, "sum": 10.10}}"#;
    let output = run(serde_json::from_str(input).expect("JSON"), |request| {
        assert_eq!(request.method, "POST");
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.text(), r#"{"id":12345678901234567890123,"sum":10.10}"#);
        assert_eq!(request.name.as_deref(), Some("request"));
        testing::response(201, &[("content-type", "application/vnd.a+json; charset=utf-8"), ("x-a", "1"), ("x-a", "2")], r#"{"n":1.50}"#)
    })
    .expect("created");
    assert_eq!(
        output.to_string(),
        r#"{"body":{"n":1.50},"headers":{"content-type":"application/vnd.a+json; charset=utf-8","x-a":"1, 2"},"status":201}"#
    );
}

#[test]
fn text_is_sent_as_it_is() {
    let input = json!({ "method": "PUT", "url": "https://a.example/note", "body": "a=b" });
    run(input, |request| {
        assert_eq!((request.text().as_str(), request.header("content-type")), ("a=b", Some("text/plain; charset=utf-8")));
        testing::text(200, "")
    })
    .expect("sent");
}

#[test]
fn the_content_type_can_be_set() {
    for body in [json!("<a/>"), json!({ "a": 1 })] {
        let input =
            json!({ "method": "POST", "url": "https://a.example/", "headers": { "Content-Type": "application/xml" }, "body": body });
        run(input, |request| {
            let types: Vec<_> = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type")).collect();
            assert_eq!(types, [&("Content-Type".to_owned(), b"application/xml".to_vec())]);
            testing::text(200, "")
        })
        .expect("sent");
    }
}

#[test]
fn bodies_that_are_not_json_come_back_as_text_or_null() {
    let get = || json!({ "method": "GET", "url": "https://a.example/" });
    for (answer, body) in [
        (testing::text(200, "[1]"), json!("[1]")),
        (testing::response(200, &[("content-type", "application/json")], "{"), json!("{")),
        (testing::response(204, &[], ""), json!(null)),
    ] {
        assert_eq!(run(get(), move |_| answer.clone()).expect("2xx")["body"], body);
    }
}

#[test]
fn statuses_decide_whether_to_try_again() {
    use FailureKind::*;
    for (status, kind) in [
        (401, Unauthorized),
        (408, Retry),
        (425, Retry),
        (429, RateLimited),
        (500, Retry),
        (301, Rejected),
        (404, Rejected),
        (422, Rejected),
    ] {
        let input = json!({ "method": "POST", "url": "https://a.example/x?token=1" });
        let failure = run(input, move |_| testing::response(status, &[("retry-after", "3")], "no such record")).expect_err("not 2xx");
        assert_eq!(failure.kind, kind, "{status}");
        assert_eq!(failure.reason, format!("POST https://a.example/x answered {status}"));
        assert_eq!(failure.details, Some(json!({ "status": status, "body": "no such record" })));
    }
}

#[test]
fn what_the_host_forbids_is_rejected_and_what_breaks_is_tried_again() {
    for (answer, kind) in [
        (NoAnswer::Denied("a.example is not granted".into()), FailureKind::Rejected),
        (NoAnswer::Timeout("30s".into()), FailureKind::Retry),
    ] {
        let mut host = testing::Host::new(move |_| answer.clone());
        let input = json!({ "method": "GET", "url": "https://a.example/" });
        assert_eq!(host.invoke::<Http>("request", input).expect_err("no answer").kind, kind);
    }
}

#[test]
fn input_and_configuration_that_do_not_fit_name_the_field() {
    let mut host = testing::Host::new(|_| testing::text(200, ""));
    let reason = host.invoke::<Http>("request", json!({ "method": "GET", "url": 7 })).expect_err("no URL").reason;
    assert_eq!(reason, "input.url: invalid type: integer `7`, expected a string");
    host.config = json!({ "base-url": "https://a.example" });
    let input = json!({ "method": "GET", "url": "https://a.example/" });
    let reason = host.invoke::<Http>("request", input).expect_err("no such key").reason;
    assert!(reason.starts_with("configuration.base-url: unknown field `base-url`"), "{reason}");
}

#[test]
fn it_describes_itself() {
    let descriptor: Value = serde_json::from_str(&crate::descriptor()).expect("JSON");
    let action = &descriptor["actions"][0];
    assert_eq!(action["input"]["required"], json!(["method", "url"]));
    assert_eq!(
        action["input"]["properties"]["body"],
        json!({ "default": null, "description": "Text is sent as it is, everything else as JSON; `content-type` can be set in `headers`." })
    );
    assert!(action["description"].as_str().is_some_and(|text| text.starts_with("Sends a request")));
}
