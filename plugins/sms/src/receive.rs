//! Stream `messages`: what Twilio or the configured gateway posts: answers of people, and what became of messages.

use std::collections::BTreeMap;

use sangam_sdk::prelude::*;

use crate::{
    client::text_at,
    config::{Callback, Config},
};

/// Most pictures and files of one message; Twilio sends at most ten.
const MOST_MEDIA: usize = 10;

pub fn receive(request: Inbound, cx: &SourceContext<Config>) -> Result<Received, Failure> {
    let fields = fields(&request)?;
    let event = match &cx.config.gateway {
        Some(gateway) => of_gateway(&fields, &gateway.callback)?,
        None => of_twilio(&fields)?,
    };
    // Twilio takes whatever a body says for what it is to answer the sender with: nothing.
    Ok(Received { events: event.into_iter().collect(), reply: Reply { status: 204, ..Reply::default() } })
}

/// A form as an object of texts, or JSON as it is.
fn fields(request: &Inbound) -> Result<Value, Failure> {
    if request.header("content-type").is_some_and(|kind| kind.to_ascii_lowercase().contains("json")) {
        return request.json();
    }
    let text = std::str::from_utf8(&request.body).map_err(|error| Failure::rejected(format!("body: {error}")))?;
    let pairs: BTreeMap<String, Value> = text
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), Value::String(decoded(value))))
        .collect();
    Ok(Value::Object(pairs.into_iter().collect()))
}

/// A piece of a form (URL standard: `+` is a space, `%41` a byte). What is not UTF-8 is replaced.
fn decoded(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let hex = |offset: usize| bytes.get(at + offset).and_then(|digit| char::from(*digit).to_digit(16));
        match (bytes[at], hex(1), hex(2)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or_default());
                at += 3;
                continue;
            }
            (b'+', ..) => decoded.push(b' '),
            (byte, ..) => decoded.push(byte),
        }
        at += 1;
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// twilio.com/docs/messaging/guides/webhook-request, …/track-outbound-message-status.
fn of_twilio(fields: &Value) -> Result<Option<NewEvent>, Failure> {
    let text = |name: &str| text_at(fields, name);
    let id = text("MessageSid")
        .or_else(|| text("SmsSid"))
        .ok_or_else(|| Failure::rejected("this is no message of Twilio: it has no MessageSid"))?;
    // A message that comes in has a status too, `received`.
    let status = text("MessageStatus").or_else(|| text("SmsStatus")).filter(|status| status != "received" && status != "receiving");
    let Some(said) = status else {
        let media = |index: usize| {
            let url = text(&format!("MediaUrl{index}"))?;
            Some(json!({ "url": url, "content_type": text(&format!("MediaContentType{index}")) }))
        };
        let count = text("NumMedia").and_then(|count| count.parse().ok()).unwrap_or(0_usize).min(MOST_MEDIA);
        let attachments: Vec<Value> = (0..count).filter_map(media).collect();
        let data = json!({
            "message_id": id, "channel": "sms", "from": text("From").unwrap_or_default(), "to": text("To"), "text": text("Body").unwrap_or_default(),
            "attachments": attachments,
        });
        return Ok(Some(NewEvent::new("message.received", data)?.id(&*id).subject(&*id)));
    };
    let status = match said.as_str() {
        "sent" => "sent",
        "delivered" => "delivered",
        "read" => "read",
        "failed" | "undelivered" | "canceled" => "failed",
        // `accepted`, `queued`, `sending`, …: it is still on its way out.
        _ => return Ok(None),
    };
    let error = text("ErrorCode").map(|code| json!({ "code": code, "reason": text("ErrorMessage").unwrap_or(said) }));
    status_event(&id, status, text("To"), error, None).map(Some)
}

fn of_gateway(fields: &Value, callback: &Callback) -> Result<Option<NewEvent>, Failure> {
    let text = |at: &str| if at.is_empty() { None } else { text_at(fields, at) };
    let id = text(&callback.message_id);
    match text(&callback.status) {
        Some(said) => {
            let id = id.ok_or_else(|| Failure::rejected("there is no id of a message where gateway.callback.message-id says"))?;
            let is = |list: &[String]| list.iter().any(|known| known.eq_ignore_ascii_case(&said));
            let status = match (is(&callback.delivered), is(&callback.failed)) {
                (true, _) => "delivered",
                (_, true) => "failed",
                _ => return Ok(None),
            };
            let error = (status == "failed").then(|| json!({ "code": said, "reason": text(&callback.error) }));
            status_event(&id, status, text(&callback.to), error, text(&callback.at)).map(Some)
        }
        None => {
            let from = text(&callback.from).ok_or_else(|| Failure::rejected("there is no sender where gateway.callback.from says"))?;
            let data = json!({
                "message_id": id, "channel": "sms", "from": from, "to": text(&callback.to), "text": text(&callback.text).unwrap_or_default(),
                "received_at": text(&callback.at),
            });
            let event = NewEvent::new("message.received", data)?;
            Ok(Some(match id {
                Some(id) => event.id(&*id).subject(&*id),
                None => event,
            }))
        }
    }
}

fn status_event(id: &str, status: &str, to: Option<String>, error: Option<Value>, at: Option<String>) -> Result<NewEvent, Failure> {
    let data = json!({ "message_id": id, "channel": "sms", "status": status, "to": to, "error": error, "at": at });
    let event = NewEvent::new("message.status", data)?.id(format!("{id}/{status}")).subject(id);
    Ok(event)
}
