//! What a case can't show: how Teams and its workflows refuse.

use sangam_sdk::{FailureKind::*, prelude::*, testing, testing::Host};

fn posted(input: Value, answer: impl Fn() -> Response + 'static) -> (Result<Value, Failure>, Vec<testing::Sent>) {
    let mut host = Host::new(move |_| answer());
    host.config = json!({ "base-url": "https://w.example", "path": "/invoke?api-version=1" });
    let result = host.invoke::<crate::Teams>("post-message", input);
    (result, host.sent)
}

#[test]
fn statuses_decide_whether_to_try_again() {
    for (status, body, kind) in [
        (429, "", RateLimited),
        (502, "", Retry),
        (401, r#"{"error":{"code":"DirectApiAuthorizationRequired"}}"#, Unauthorized),
        (403, "", Unauthorized),
        (404, "", Rejected),
        (400, r#"{"error":{"code":"TriggerInputSchemaMismatch"}}"#, Rejected),
        (200, "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429", Rejected),
    ] {
        let (result, _) = posted(json!({ "text": "x" }), move || testing::text(status, body));
        assert_eq!(result.expect_err("no success").kind, kind, "{status} {body}");
    }
}

#[test]
fn what_can_not_be_a_message_is_not_sent() {
    for input in [
        json!({}),
        json!({ "links": [{ "title": "a", "url": "https://a.example" }] }),
        json!({ "text": "x", "card": {} }),
        json!({ "text": "ä".repeat(15_000) }),
    ] {
        let (result, sent) = posted(input.clone(), || testing::text(202, ""));
        assert!(result.is_err_and(|failure| failure.kind == Rejected) && sent.is_empty(), "{input}");
    }
}
