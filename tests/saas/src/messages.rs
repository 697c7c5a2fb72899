//! Messages to people: WhatsApp's Cloud API, Twilio's messages, and the webhook of a Teams workflow, at one origin.
//!
//! | request | answer |
//! |---|---|
//! | `POST /v26.0/106/messages` (bearer) | `{messaging_product, contacts, messages: [{id}]}`; errors `{error: {message, type, code, error_data, fbtrace_id}}` |
//! | `POST /2010-04-01/Accounts/{sid}/Messages.json` (Basic, form) | 201 `{sid, status, …}`; errors `{code, message, more_info, status}` |
//! | `GET /2010-04-01/Accounts/{sid}/Messages.json?To&DateSent>&PageSize` | `{messages, next_page_uri}`, newest first |
//! | `POST /workflows/abc/invoke?…&sig=` (JSON with an Adaptive Card) | 202, empty |
//!
//! As the vendors do it: WhatsApp takes a text only within 24 hours of what the person wrote (setting `wrote`: a number), templates by name and
//! language (`reminder` in `de` and `en`); Twilio refuses whoever answered STOP (setting `stopped`); the workflow wants its signature. Nothing recognises a message
//! that is sent twice. What people write (setting `writes`) and what becomes of a message (`becomes`) goes to `whatsapp-webhook` and `sms-webhook`. (developers.facebook.com: Cloud API; twilio.com/docs: message resource; learn.microsoft.com: webhooks of workflows.)

mod told;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::system::System;
use crate::webhook::Hooks;

/// WhatsApp's token that is taken, and the id of the number that sends.
pub const WHATSAPP_TOKEN: &str = "wa-token";
/// See [`WHATSAPP_TOKEN`].
pub const PHONE_NUMBER_ID: &str = "106";
/// Twilio's account.
pub const ACCOUNT: &str = "AC00000000000000000000000000000001";
/// Its password.
pub const TWILIO_TOKEN: &str = "twilio-token";
/// The workflow's signature.
pub const SIGNATURE: &str = "teams-sig";
/// Template that WhatsApp has approved, in these languages, with this many parameters.
pub const TEMPLATE: (&str, [&str; 2], usize) = ("reminder", ["de", "en"], 2);

/// What was sent, and who is told.
pub struct Messages {
    inner: Mutex<Inner>,
    whatsapp: Hooks,
    sms: Hooks,
}

#[derive(Default)]
struct Inner {
    whatsapp: Vec<Value>,
    sms: Vec<Value>,
    cards: Vec<Value>,
    wrote: Vec<String>,
    stopped: Vec<String>,
}

impl Messages {
    /// Nothing was sent yet.
    #[expect(clippy::new_without_default, reason = "it starts tasks")]
    pub fn new() -> Messages {
        Messages { inner: Mutex::default(), whatsapp: Hooks::new(), sms: Hooks::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A person writes.
    fn writes(&self, said: &Value) -> Result<(), String> {
        let text = |name: &str| {
            said[name]
                .as_str()
                .map(str::to_owned)
                .ok_or_else(|| format!("`writes` takes {{\"channel\", \"id\", \"from\", \"text\"}}: {name} is missing"))
        };
        let (id, from, words) = (text("id")?, text("from")?, text("text")?);
        if text("channel")? == "sms" {
            let fields = [
                ("MessageSid", id),
                ("From", from),
                ("To", "+4312345".to_owned()),
                ("Body", words),
                ("SmsStatus", "received".to_owned()),
                ("NumMedia", "0".to_owned()),
            ];
            self.sms.send(move |target, _| told::twilio(&fields, target));
            return Ok(());
        }
        let number = from.trim_start_matches('+').to_owned();
        self.lock().wrote.push(number.clone());
        let now = jiff::Timestamp::now().as_second().to_string();
        let message = json!({ "from": number, "id": id, "timestamp": now, "type": "text", "text": { "body": words } });
        let value = json!({ "contacts": [{ "profile": { "name": said["name"] }, "wa_id": number }], "messages": [message] });
        self.whatsapp.send(move |target, _| told::whatsapp(&value, target));
        Ok(())
    }

    /// A message that was sent becomes `delivered`, `failed`, ….
    fn becomes(&self, said: &Value) -> Result<(), String> {
        let text = |name: &str| {
            said[name].as_str().map(str::to_owned).ok_or_else(|| format!("`becomes` takes {{\"id\", \"status\"}}: {name} is missing"))
        };
        let (id, status) = (text("id")?, text("status")?);
        let inner = self.lock();
        if let Some(sent) = inner.sms.iter().find(|sent| sent["sid"] == *id) {
            let mut fields =
                vec![("MessageSid", id), ("MessageStatus", status.clone()), ("To", sent["to"].as_str().unwrap_or_default().to_owned())];
            if status == "failed" || status == "undelivered" {
                fields.push(("ErrorCode", "30005".to_owned()));
            }
            self.sms.send(move |target, _| told::twilio(&fields, target));
            return Ok(());
        }
        let sent = inner.whatsapp.iter().find(|sent| sent["id"] == *id).ok_or_else(|| format!("no message {id} was sent"))?;
        let now = jiff::Timestamp::now().as_second().to_string();
        let reference = &sent["message"]["biz_opaque_callback_data"];
        let value = json!({ "statuses": [{ "id": id, "status": status, "timestamp": now, "recipient_id": sent["to"], "biz_opaque_callback_data": reference }] });
        self.whatsapp.send(move |target, _| told::whatsapp(&value, target));
        Ok(())
    }
}

impl System for Messages {
    fn name(&self) -> &'static str {
        "messages"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/v26.0/{number}/messages", post(whatsapp))
            .route("/2010-04-01/Accounts/{sid}/Messages.json", post(twilio).get(listed))
            .route("/workflows/abc/invoke", post(workflow))
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        json!({
            "whatsapp": inner.whatsapp, "sms": inner.sms, "cards": inner.cards,
            "webhooks": { "whatsapp": self.whatsapp.state(), "sms": self.sms.state() },
        })
    }

    fn reset(&self) {
        *self.lock() = Inner::default();
        self.whatsapp.reset();
        self.sms.reset();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let number = || value.as_str().map(str::to_owned).ok_or("a number belongs there");
        match setting {
            "wrote" => self.lock().wrote.push(number()?),
            "stopped" => self.lock().stopped.push(number()?),
            "whatsapp-webhook" => self.whatsapp.set(value)?,
            "sms-webhook" => self.sms.set(value)?,
            "writes" => self.writes(&value)?,
            "becomes" => self.becomes(&value)?,
            _ => {
                let has = "wrote, stopped, whatsapp-webhook, sms-webhook, writes, becomes";
                return Err(format!("messages has no setting `{setting}`; it has {has}"));
            }
        }
        Ok(())
    }
}

fn authorization(headers: &HeaderMap) -> &str {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn graph_error(status: StatusCode, code: u32, message: &str, details: &str) -> Response {
    let error = json!({
        "message": message, "type": "OAuthException", "code": code, "fbtrace_id": "AStandIn",
        "error_data": { "messaging_product": "whatsapp", "details": details },
    });
    (status, Json(json!({ "error": error }))).into_response()
}

async fn whatsapp(State(messages): State<Arc<Messages>>, Path(number): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    if authorization(&headers) != format!("Bearer {WHATSAPP_TOKEN}") {
        return graph_error(StatusCode::UNAUTHORIZED, 190, "Invalid OAuth access token.", "Cannot parse access token");
    }
    if number != PHONE_NUMBER_ID {
        let message = format!("Unsupported post request. Object with ID '{number}' does not exist");
        return graph_error(StatusCode::BAD_REQUEST, 100, &message, "");
    }
    let Ok(message) = serde_json::from_slice::<Value>(&body) else {
        return graph_error(StatusCode::BAD_REQUEST, 100, "(#100) Invalid parameter", "The body is no JSON");
    };
    if message["messaging_product"] != "whatsapp" {
        return graph_error(StatusCode::BAD_REQUEST, 100, "(#100) The parameter messaging_product is required.", "");
    }
    if message["status"] == "read" {
        return Json(json!({ "success": true })).into_response();
    }
    let mut inner = messages.lock();
    let to = message["to"].as_str().unwrap_or_default().trim_start_matches('+').to_owned();
    match message["type"].as_str() {
        Some("template") => {
            let (name, languages, parameters) = TEMPLATE;
            let template = &message["template"];
            if template["name"] != name || !languages.iter().any(|language| template["language"]["code"] == *language) {
                return graph_error(
                    StatusCode::NOT_FOUND,
                    132_001,
                    "(#132001) Template name does not exist in the translation",
                    "template name",
                );
            }
            if template["components"][0]["parameters"].as_array().map_or(0, Vec::len) != parameters {
                return graph_error(StatusCode::BAD_REQUEST, 132_000, "(#132000) Number of parameters does not match", "body");
            }
        }
        Some("text") if !inner.wrote.contains(&to) => {
            return graph_error(StatusCode::BAD_REQUEST, 131_047, "(#131047) Re-engagement message", "More than 24 hours have passed");
        }
        Some("text") if message["text"]["body"].as_str().is_some_and(|text| (1..=4096).contains(&text.chars().count())) => {}
        _ => return graph_error(StatusCode::BAD_REQUEST, 131_008, "(#131008) Required parameter is missing", "type"),
    }
    let id = format!("wamid.{:04}", inner.whatsapp.len() + 1);
    inner.whatsapp.push(json!({ "id": id, "to": to, "message": message }));
    let contacts = json!([{ "input": to, "wa_id": to }]);
    let answer = json!({ "messaging_product": "whatsapp", "contacts": contacts, "messages": [{ "id": id, "message_status": "accepted" }] });
    Json(answer).into_response()
}

fn twilio_error(status: StatusCode, code: u32, message: &str) -> Response {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    (status, Json(json!({ "code": code, "message": message, "more_info": more, "status": status.as_u16() }))).into_response()
}

fn admitted(sid: &str, headers: &HeaderMap) -> Result<(), Box<Response>> {
    let expected = format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{TWILIO_TOKEN}")));
    if authorization(headers) != expected {
        return Err(Box::new(twilio_error(StatusCode::UNAUTHORIZED, 20003, "Authenticate")));
    }
    if sid != ACCOUNT {
        return Err(Box::new(twilio_error(StatusCode::NOT_FOUND, 20404, "The requested resource was not found")));
    }
    Ok(())
}

async fn twilio(State(messages): State<Arc<Messages>>, Path(sid): Path<String>, headers: HeaderMap, body: Bytes) -> Response {
    if let Err(refusal) = admitted(&sid, &headers) {
        return *refusal;
    }
    let form: BTreeMap<String, String> = url::form_urlencoded::parse(&body).into_owned().collect();
    let field = |name: &str| form.get(name).cloned().unwrap_or_default();
    let to = field("To");
    if !to.strip_prefix('+').is_some_and(|digits| digits.len() >= 7 && digits.bytes().all(|byte| byte.is_ascii_digit())) {
        return twilio_error(StatusCode::BAD_REQUEST, 21211, &format!("Invalid 'To' Phone Number: {to}"));
    }
    if field("From").is_empty() && field("MessagingServiceSid").is_empty() {
        return twilio_error(StatusCode::BAD_REQUEST, 21603, "A 'From' phone number is required.");
    }
    if field("Body").is_empty() {
        return twilio_error(StatusCode::BAD_REQUEST, 21602, "Message body is required.");
    }
    let mut inner = messages.lock();
    if inner.stopped.contains(&to) {
        return twilio_error(StatusCode::BAD_REQUEST, 21610, "Attempt to send to unsubscribed recipient");
    }
    let created = jiff::fmt::rfc2822::to_string(&jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
    let message = json!({
        "sid": format!("SM{:032}", inner.sms.len() + 1), "account_sid": sid, "status": "queued", "to": to, "from": field("From"), "body": field("Body"),
        "direction": "outbound-api", "date_created": created, "error_code": null, "status_callback": field("StatusCallback"),
    });
    inner.sms.push(message.clone());
    (StatusCode::CREATED, Json(message)).into_response()
}

async fn listed(
    State(messages): State<Arc<Messages>>,
    Path(sid): Path<String>,
    Query(asked): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = admitted(&sid, &headers) {
        return *refusal;
    }
    let inner = messages.lock();
    let of = |message: &&Value| asked.get("To").is_none_or(|to| message["to"] == **to);
    let found: Vec<&Value> = inner.sms.iter().rev().filter(of).collect();
    Json(json!({ "messages": found, "next_page_uri": null, "page": 0 })).into_response()
}

async fn workflow(State(messages): State<Arc<Messages>>, Query(asked): Query<BTreeMap<String, String>>, body: Bytes) -> Response {
    if asked.get("sig").map(String::as_str) != Some(SIGNATURE) {
        let error = json!({ "error": { "code": "DirectApiInvalidAuthorization", "message": "The signature is not valid." } });
        return (StatusCode::UNAUTHORIZED, Json(error)).into_response();
    }
    let message: Value = serde_json::from_slice(&body).unwrap_or_default();
    let card = &message["attachments"][0];
    if message["type"] != "message"
        || card["contentType"] != "application/vnd.microsoft.card.adaptive"
        || card["content"]["type"] != "AdaptiveCard"
    {
        let error = json!({ "error": { "code": "TriggerInputSchemaMismatch", "message": "The input body does not match the schema." } });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    messages.lock().cards.push(card["content"].clone());
    (StatusCode::ACCEPTED, [("x-ms-workflow-run-id", "08584")]).into_response()
}
