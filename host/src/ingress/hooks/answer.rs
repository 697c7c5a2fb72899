//! What a sender gets once its delivery is durable.

use axum::body::{Body, Bytes};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};

use crate::api::AsItIs;
use crate::config::Answer;

/// The acknowledgement that ends the repetitions of a Salesforce outbound message (its WSDL, operation `notifications`).
const SALESFORCE_ACK: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
    <soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\"><soapenv:Body>\
    <notificationsResponse xmlns=\"http://soap.sforce.com/2005/09/outbound\"><Ack>true</Ack></notificationsResponse>\
    </soapenv:Body></soapenv:Envelope>";

/// Headers of a plugin's answer that are the host's own: they belong to the connection, or would speak for its whole origin.
const OWN: [&str; 14] = [
    "connection",
    "content-length",
    "keep-alive",
    "proxy-authenticate",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "set-cookie",
    "strict-transport-security",
    "access-control-allow-credentials",
    "clear-site-data",
    "location",
    "server",
];

/// An answer, ready to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answered {
    status: StatusCode,
    headers: Vec<(HeaderName, HeaderValue)>,
    body: Bytes,
}

impl Answered {
    /// What the configuration says.
    pub(super) fn of(answer: &Answer) -> Answered {
        let text = |status: u16, kind: &str, body: &str| Answered {
            status: StatusCode::from_u16(status).unwrap_or(StatusCode::OK),
            headers: HeaderValue::from_str(kind).ok().map(|kind| (header::CONTENT_TYPE, kind)).into_iter().collect(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        match answer {
            Answer::Status(status) => {
                Answered { status: StatusCode::from_u16(*status).unwrap_or(StatusCode::OK), headers: Vec::new(), body: Bytes::new() }
            }
            Answer::Text { status, content_type, body } => text(*status, content_type, body),
            Answer::SalesforceAck => text(200, "text/xml; charset=utf-8", SALESFORCE_ACK),
        }
    }

    /// What a plugin says, within bounds.
    ///
    /// # Errors
    /// What of it can't be an answer.
    pub(super) fn of_plugin(status: u16, headers: Vec<(String, Vec<u8>)>, body: Vec<u8>, most: usize) -> Result<Answered, String> {
        if !(200..=299).contains(&status) && !(400..=599).contains(&status) {
            return Err(format!("the plugin answered with the status {status}; an answer has one from 200 to 299 or from 400 to 599"));
        }
        if body.len() > most {
            return Err(format!("the plugin's answer has {} bytes; at most {most} (limits.output-size)", body.len()));
        }
        let mut kept = Vec::with_capacity(headers.len());
        for (name, value) in headers {
            let lower = name.to_ascii_lowercase();
            if OWN.contains(&lower.as_str()) {
                continue;
            }
            let (Ok(name), Ok(value)) = (HeaderName::try_from(&lower), HeaderValue::from_bytes(&value)) else {
                return Err(format!("the plugin's answer has a header {name:?} that is none"));
            };
            kept.push((name, value));
        }
        let status = StatusCode::from_u16(status).map_err(|error| error.to_string())?;
        Ok(Answered { status, headers: kept, body: Bytes::from(body) })
    }

    pub(super) fn response(self) -> Response {
        let mut response = (self.status, Body::from(self.body)).into_response();
        let headers = response.headers_mut();
        headers.remove(header::CONTENT_TYPE);
        for (name, value) in self.headers {
            headers.append(name, value);
        }
        response.extensions_mut().insert(AsItIs);
        response
    }
}
