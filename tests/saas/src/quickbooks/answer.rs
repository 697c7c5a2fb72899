//! What goes out: JSON where it was asked for, XML otherwise, and always an `intuit_tid`.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use serde_json::{Value, json};
use uuid::Uuid;

use super::fault::Fault;

/// Status and body, before its shape is decided.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    status: StatusCode,
    body: Value,
}

impl Answer {
    /// 200 with the time of the answer.
    pub(super) fn ok(mut body: Value) -> Answer {
        body["time"] = json!(stamp("%Y-%m-%dT%H:%M:%S%.3f%:z"));
        Answer { status: StatusCode::OK, body }
    }

    /// Shapes it by the request's `Accept`.
    pub(super) fn respond(self, accept: &str) -> Response {
        let (kind, body) = if accept.contains("application/json") {
            ("application/json", self.body.to_string())
        } else {
            ("application/xml;charset=UTF-8", xml(&self.body))
        };
        traced((self.status, [(header::CONTENT_TYPE, kind)], body).into_response())
    }
}

impl From<Fault> for Answer {
    fn from(fault: Fault) -> Answer {
        let status = fault.status;
        let mut body = fault.body();
        body["time"] = if status == StatusCode::UNAUTHORIZED {
            json!(Timestamp::now().as_millisecond())
        } else {
            json!(stamp("%Y-%m-%dT%H:%M:%S%.3f%:z"))
        };
        Answer { status, body }
    }
}

/// Adds the id that Intuit's support asks for.
pub(super) fn traced(mut response: Response) -> Response {
    let id = Uuid::new_v4().simple().to_string();
    let value = HeaderValue::from_str(&format!("1-{}-{}", &id[..8], &id[8..]));
    response.headers_mut().insert(HeaderName::from_static("intuit_tid"), value.expect("hexadecimal is a header value"));
    response
}

/// A path outside of the API.
pub(super) fn no_such_path() -> Response {
    traced(StatusCode::NOT_FOUND.into_response())
}

/// The present moment in the company's time zone, which is Pacific here, all year.
pub(super) fn stamp(format: &str) -> String {
    Timestamp::now().to_zoned(TimeZone::fixed(Offset::constant(-8))).strftime(format).to_string()
}

/// The present moment as `MetaData` writes it.
pub(super) fn moment() -> String {
    stamp("%Y-%m-%dT%H:%M:%S%:z")
}

/// Today in the company's time zone.
pub(super) fn today() -> String {
    stamp("%Y-%m-%d")
}

fn xml(body: &Value) -> String {
    let time = body["time"].as_str().unwrap_or_default();
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\
         <IntuitResponse xmlns=\"http://schema.intuit.com/finance/v3\" time=\"{time}\">"
    );
    for (name, value) in body.as_object().into_iter().flatten().filter(|(name, _)| *name != "time") {
        element(&mut out, name, value);
    }
    out + "</IntuitResponse>"
}

fn element(out: &mut String, name: &str, value: &Value) {
    match value {
        Value::Null => {}
        Value::Array(values) => values.iter().for_each(|value| element(out, name, value)),
        Value::Object(fields) => {
            out.push_str(&format!("<{name}>"));
            fields.iter().for_each(|(name, value)| element(out, name, value));
            out.push_str(&format!("</{name}>"));
        }
        Value::String(text) => {
            let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
            out.push_str(&format!("<{name}>{text}</{name}>"));
        }
        other => out.push_str(&format!("<{name}>{other}</{name}>")),
    }
}
