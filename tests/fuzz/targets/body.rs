//! Bodies of webhooks in all their forms: a first byte says which, a line is the content type, the rest is the body. What is read fits into an event:
//! it is JSON that is read again as the same, and no deeper than events may be.

#![no_main]

use std::pin::pin;
use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use sangam::config::BodyForm;
use sangam::ingress::body::{Content, query, read};
use serde_json::Value;

/// Of one file in a form.
const LARGEST_FILE: usize = 1 << 10;
/// Levels of XML with its attributes; JSON has the bound of its parser.
const DEEPEST: usize = 128;

fuzz_target!(|input: &[u8]| {
    let Some((&form, rest)) = input.split_first() else { return };
    let forms = [BodyForm::Auto, BodyForm::Json, BodyForm::Form, BodyForm::Multipart, BodyForm::Xml, BodyForm::Text, BodyForm::CloudEvents];
    let form = forms[usize::from(form) % forms.len()];
    let (kind, body) = match rest.iter().position(|&byte| byte == b'\n') {
        Some(end) => (&rest[..end], &rest[end + 1..]),
        None => (&[][..], rest),
    };
    let kind = String::from_utf8_lossy(kind).into_owned();
    if let Ok(Value::Object(_)) = query(&kind) {}
    let headers = [("content-type".to_owned(), kind)];
    let mut reading = pin!(read(form, &headers, body.to_vec().into(), LARGEST_FILE));
    // All of the body is there: it never waits for long, and nobody wakes it.
    let mut context = Context::from_waker(Waker::noop());
    let content = loop {
        if let Poll::Ready(content) = reading.as_mut().poll(&mut context) {
            break content;
        }
    };
    match content {
        Ok(Content::Data(data)) => {
            assert!(depth(&data) <= DEEPEST, "it is nested without a bound");
            let again: Value = serde_json::from_str(&data.to_string()).expect("what was read is JSON");
            assert_eq!(again, data);
        }
        Ok(Content::Events(events)) => assert!(events.iter().all(|event| !event.id.is_empty())),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}
