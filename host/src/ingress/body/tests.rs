//! Bodies in, JSON out.

use serde_json::json;

use super::*;

async fn read_as(form: BodyForm, kind: &str, body: &str) -> Result<Value, String> {
    let headers = [("content-type".to_owned(), kind.to_owned())];
    match read(form, &headers, Bytes::from(body.to_owned()), 16).await {
        Ok(Content::Data(data)) => Ok(data),
        Ok(Content::Events(events)) => Ok(json!({ "events": events.len() })),
        Err(error) => Err(error.to_string()),
    }
}

#[tokio::test]
async fn the_media_type_says_what_a_body_is() {
    let cases = [
        (
            "application/json; charset=utf-8",
            "\u{feff}{\"a\":10.10}",
            Ok(json!({ "a": serde_json::from_str::<Value>("10.10").expect("a number") })),
        ),
        ("application/vnd.x+json", "[1]", Ok(json!([1]))),
        ("", "{}", Ok(json!({}))),
        ("application/x-www-form-urlencoded", "name=Ann+B&tag=a&tag=b%26c", Ok(json!({ "name": "Ann B", "tag": ["a", "b&c"] }))),
        ("text/plain", "hello", Ok(json!("hello"))),
        ("text/xml", "<a>1</a>", Ok(json!({ "a": "1" }))),
        ("application/soap+xml", "<a/>", Ok(json!({ "a": "" }))),
        ("application/json", "", Ok(Value::Null)),
        ("application/json", "{\"secret\":", Err("the body is not JSON: it ends too early at line 1 column 10")),
        (
            "application/octet-stream",
            "x",
            Err(
                "the body is \"application/octet-stream\", which a source does not understand; if it is one of the forms that it does, say which with `body`",
            ),
        ),
    ];
    for (kind, body, expected) in cases {
        assert_eq!(read_as(BodyForm::Auto, kind, body).await, expected.map_err(str::to_owned), "{kind} {body}");
    }
    assert_eq!(read_as(BodyForm::Json, "text/plain", "{\"a\":1}").await, Ok(json!({ "a": 1 })), "what the administrator says counts");
}

#[tokio::test]
async fn cloud_events_are_known_by_their_headers_or_media_type() {
    let event = r#"{"specversion":"1.0","id":"1","source":"/x","type":"t"}"#;
    assert_eq!(read_as(BodyForm::Auto, "application/cloudevents+json", event).await, Ok(json!({ "events": 1 })));
    assert_eq!(
        read_as(BodyForm::CloudEvents, "application/cloudevents-batch+json", &format!("[{event},{event}]")).await,
        Ok(json!({ "events": 2 }))
    );
    let refused = read_as(BodyForm::CloudEvents, "application/json", event).await;
    assert_eq!(refused, Err("the delivery is not a CloudEvent, and the source takes nothing else (body = \"cloudevents\")".into()));
    let broken = read_as(BodyForm::Auto, "application/cloudevents-batch+json", &format!("[{event},{{}}]")).await;
    assert_eq!(broken, Err("event 1 of the batch is not a CloudEvent: the attribute `specversion` is missing".into()));
    let headers = [("ce-specversion", "1.0"), ("ce-id", "7"), ("ce-source", "/x"), ("ce-type", "t"), ("content-type", "application/json")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let read = read(BodyForm::Auto, &headers, Bytes::from_static(b"{\"a\":1}"), 0).await;
    assert!(matches!(read, Ok(Content::Events(events)) if events[0].id == "7"));
}

#[tokio::test]
async fn a_form_with_files_keeps_small_ones_and_refuses_large_ones() {
    let part = |head: &str, body: &str| format!("--B\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n");
    let kind = "multipart/form-data; boundary=B";
    let form = format!(
        "{}{}{}{}--B--\r\n",
        part("name=\"email\"", "ann@example.com"),
        part("name=\"photo\"; filename=\"a.txt\"\r\nContent-Type: text/plain", "hi"),
        part("name=\"more\"; filename=\"\"\r\nContent-Type: application/octet-stream", ""),
        part("name=\"email\"", "b@example.com"),
    );
    let expected = json!({
        "email": ["ann@example.com", "b@example.com"],
        "photo": { "name": "a.txt", "content_type": "text/plain", "size": 2, "base64": "aGk=" },
        "more": null,
    });
    assert_eq!(read_as(BodyForm::Auto, kind, &form).await, Ok(expected));
    let large = format!("{}--B--\r\n", part("name=\"photo\"; filename=\"a.txt\"", "12345678901234567"));
    let refused = read_as(BodyForm::Auto, kind, &large).await;
    assert_eq!(refused, Err("the file in field \"photo\" of the form is larger than 16 bytes (max-file-size of the source)".into()));
    assert_eq!(read_as(BodyForm::Auto, kind, &form[..60]).await, Err("the body is not a form: it ends in the middle of a field".into()));
    assert_eq!(
        read_as(BodyForm::Multipart, "multipart/form-data", &form).await,
        Err("the body is not a form: its content type names no boundary".into())
    );
}

#[tokio::test]
async fn a_form_has_a_bounded_number_of_fields() {
    let form = |count: usize| (0..count).map(|at| format!("f{at}=1")).collect::<Vec<_>>().join("&");
    assert!(read_as(BodyForm::Form, "", &form(MAX_FIELDS)).await.is_ok());
    assert_eq!(read_as(BodyForm::Form, "", &form(MAX_FIELDS + 1)).await, Err("the form has more than 1000 fields".into()));
}

#[tokio::test]
async fn xml_becomes_json_as_the_manual_says() {
    let document = r#"<?xml version="1.0" encoding="UTF-8"?>
<!-- layout -->
<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">
  <Order id="7" xsi:type="x">
    <Line>a &amp; b</Line><Line><![CDATA[<c>]]></Line>
    <Note xsi:nil="true"/>
    <Total currency="EUR">10.10</Total>
    <Empty></Empty>
    beside &#65;
  </Order>
</s:Envelope>"#;
    let expected = json!({ "Envelope": { "Order": {
        "@id": "7", "@type": "x",
        "Line": ["a & b", "<c>"],
        "Note": null,
        "Total": { "@currency": "EUR", "#text": "10.10" },
        "Empty": "",
        "#text": "beside A",
    } } });
    assert_eq!(read_as(BodyForm::Xml, "", document).await, Ok(expected));
}

#[tokio::test]
async fn xml_that_could_harm_is_refused() {
    let deep = format!("{}{}", "<a>".repeat(MAX_XML_DEPTH + 1), "</a>".repeat(MAX_XML_DEPTH + 1));
    let cases = [
        ("<!DOCTYPE a [<!ENTITY x SYSTEM \"file:///etc/passwd\">]><a>&x;</a>", "it has a document type (<!DOCTYPE …>), which is not taken"),
        ("<a>&x;</a>", "it has an entity other than &amp; &lt; &gt; &quot; &apos;"),
        ("<a b=\"&x;\"/>", "an attribute has an entity other than &amp; &lt; &gt; &quot; &apos;"),
        (&deep, "it has more than 50 elements within one another"),
        ("<a/><b/>", "it has more than one root element"),
        ("<a/>x", "there is text outside of the root element"),
        ("<a>", "it ends in the middle of an element"),
        ("", "null"),
        ("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a/>", "its encoding is not UTF-8"),
    ];
    for (document, why) in cases.into_iter().filter(|(_, why)| *why != "null") {
        let expected = format!("the body is not XML that can be taken: {why}");
        assert_eq!(read_as(BodyForm::Xml, "", document).await, Err(expected), "{document}");
    }
    assert!(read_as(BodyForm::Xml, "", "<a></b>").await.is_err());
    assert!(read_as(BodyForm::Xml, "", "plain").await.is_err());
}
