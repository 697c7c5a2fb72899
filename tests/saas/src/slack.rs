//! Slack: the Web API's messages of one workspace.
//!
//! | request | answer |
//! |---|---|
//! | `POST /api/chat.postMessage` `{channel, text?, blocks?, thread_ts?, metadata?}` | `{ok, channel, ts, message}` |
//! | `POST /api/chat.delete` `{channel, ts}` | `{ok, channel, ts}` |
//! | `GET /api/conversations.history?channel&oldest&latest&limit&cursor&include_all_metadata` | `{ok, messages, has_more, response_metadata}`, newest first |
//! | `GET /api/conversations.replies?channel&ts&oldest&limit&cursor&include_all_metadata` | the same for a thread, oldest first |
//! | `GET`, `POST /api/auth.test` | `{ok, team, user}` |
//!
//! As Slack does, an answer about the call itself has status 200 and `{"ok": false, "error": "…"}`; 429 with `Retry-After` beyond the rate. Arguments come
//! as JSON or as a form. Nothing recognises a message that is sent twice. (docs.slack.dev: Web API, `chat.postMessage`, `conversations.history`, rate limits.)
//!
//! Settings: `rate-limit` (`{"requests": n, "seconds": s}` or null, for `chat.postMessage`), `archive` (the id of a channel), `revoke` (true: the token ends).

#![expect(clippy::result_large_err, reason = "a refusal is the answer itself, made once and moved once")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::quota::Quota;
use crate::system::System;

/// Bot token that is taken.
pub const TOKEN: &str = "xoxb-sangam-test";
/// Channels there are: id, name.
pub const CHANNELS: &[(&str, &str)] = &[("C0FIELD01", "field-service"), ("C0OFFICE1", "back-office")];
/// Longest text; Slack cuts it there in messages and refuses it in blocks.
const MAX_TEXT: usize = 40_000;
/// Messages of a page unless asked for.
const PAGE: usize = 100;

/// The workspace.
pub struct Slack(Mutex<Inner>);

struct Inner {
    /// By channel, oldest first.
    messages: BTreeMap<String, Vec<Message>>,
    archived: Vec<String>,
    posted: u64,
    revoked: bool,
    quota: Quota,
}

#[derive(Clone, Serialize)]
struct Message {
    #[serde(rename = "type")]
    kind: &'static str,
    ts: String,
    text: String,
    bot_id: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    thread_ts: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    blocks: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
}

impl Inner {
    fn new() -> Inner {
        let messages = CHANNELS.iter().map(|(id, _)| ((*id).to_owned(), Vec::new())).collect();
        Inner { messages, archived: Vec::new(), posted: 0, revoked: false, quota: Quota::unlimited(Duration::from_secs(60)) }
    }
}

impl Slack {
    /// An empty workspace.
    #[expect(clippy::new_without_default, reason = "all stand-ins are made with `new`")]
    pub fn new() -> Slack {
        Slack(Mutex::new(Inner::new()))
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Slack {
    fn name(&self) -> &'static str {
        "slack"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/api/chat.postMessage", post(post_message))
            .route("/api/chat.delete", post(delete_message))
            .route("/api/conversations.history", get(history))
            .route("/api/conversations.replies", get(replies))
            .route("/api/auth.test", get(auth_test).post(auth_test))
            .fallback(async || error("unknown_method"))
            .with_state(self)
    }

    fn state(&self) -> Value {
        let inner = self.lock();
        json!({ "posted": inner.posted, "messages": inner.messages })
    }

    fn reset(&self) {
        *self.lock() = Inner::new();
    }

    fn set(&self, setting: &str, value: Value) -> Result<(), String> {
        let mut inner = self.lock();
        match setting {
            "rate-limit" if value.is_null() => inner.quota = Quota::unlimited(Duration::from_secs(60)),
            "rate-limit" => {
                let number = |name: &str| value[name].as_u64().and_then(|number| u32::try_from(number).ok());
                let limit = number("requests").zip(number("seconds"));
                let (requests, seconds) = limit.ok_or("`rate-limit` takes {\"requests\": n, \"seconds\": s}")?;
                inner.quota.allow(Some(requests), Duration::from_secs(seconds.into()));
            }
            "archive" => inner.archived.push(value.as_str().ok_or("`archive` takes the id of a channel")?.to_owned()),
            "revoke" => inner.revoked = value.as_bool().ok_or("`revoke` takes true or false")?,
            _ => return Err(format!("slack has no setting `{setting}`; it has rate-limit, archive, revoke")),
        }
        Ok(())
    }
}

/// What Slack says when it will not.
fn error(code: &str) -> Response {
    Json(json!({ "ok": false, "error": code })).into_response()
}

/// Arguments of a call: a JSON object or a form.
fn arguments(headers: &HeaderMap, body: &[u8]) -> Result<Map<String, Value>, Response> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if kind.starts_with("application/json") {
        return match serde_json::from_slice(body) {
            Ok(Value::Object(arguments)) => Ok(arguments),
            Ok(_) => Err(error("json_not_object")),
            Err(_) => Err(error("invalid_json")),
        };
    }
    if kind.starts_with("application/x-www-form-urlencoded") {
        let pairs = url::form_urlencoded::parse(body);
        return Ok(pairs.map(|(name, value)| (name.into_owned(), Value::String(value.into_owned()))).collect());
    }
    Err(error("invalid_post_type"))
}

impl Inner {
    fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        match headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()) {
            None => Err(error("not_authed")),
            Some(_) if self.revoked => Err(error("token_revoked")),
            Some(value) if value.strip_prefix("Bearer ") == Some(TOKEN) => Ok(()),
            Some(_) => Err(error("invalid_auth")),
        }
    }

    /// The id of a channel, given as an id or as `#name`.
    fn channel(&self, given: Option<&Value>) -> Result<String, Response> {
        let given = given.and_then(Value::as_str).unwrap_or_default();
        let name = given.trim_start_matches('#');
        let known = CHANNELS.iter().find(|(id, known)| *id == given || *known == name);
        known.map(|(id, _)| (*id).to_owned()).ok_or_else(|| error("channel_not_found"))
    }
}

async fn auth_test(State(slack): State<Arc<Slack>>, headers: HeaderMap) -> Response {
    match slack.lock().admit(&headers) {
        Ok(()) => Json(json!({ "ok": true, "team": "Acme Field Service", "user": "sangam", "bot_id": "B0SANGAM1" })).into_response(),
        Err(refusal) => refusal,
    }
}

async fn post_message(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Bytes) -> Response {
    slack.lock().post(&headers, &body).unwrap_or_else(|refusal| refusal)
}

async fn delete_message(State(slack): State<Arc<Slack>>, headers: HeaderMap, body: Bytes) -> Response {
    slack.lock().delete(&headers, &body).unwrap_or_else(|refusal| refusal)
}

async fn history(State(slack): State<Arc<Slack>>, Query(asked): Query<BTreeMap<String, String>>, headers: HeaderMap) -> Response {
    slack.lock().history(&headers, &asked).unwrap_or_else(|refusal| refusal)
}

async fn replies(State(slack): State<Arc<Slack>>, Query(asked): Query<BTreeMap<String, String>>, headers: HeaderMap) -> Response {
    slack.lock().replies(&headers, &asked).unwrap_or_else(|refusal| refusal)
}

impl Inner {
    fn post(&mut self, headers: &HeaderMap, body: &[u8]) -> Result<Response, Response> {
        self.admit(headers)?;
        if let Err(wait) = self.quota.take(Instant::now()) {
            let seconds = (wait.as_secs() + 1).to_string();
            return Err((StatusCode::TOO_MANY_REQUESTS, [(header::RETRY_AFTER, seconds)], error("ratelimited")).into_response());
        }
        let arguments = arguments(headers, body)?;
        let channel = self.channel(arguments.get("channel"))?;
        if self.archived.contains(&channel) {
            return Err(error("is_archived"));
        }
        let text = arguments.get("text").and_then(Value::as_str).unwrap_or_default();
        let blocks = arguments.get("blocks").filter(|blocks| !blocks.is_null());
        if text.is_empty() && blocks.is_none() {
            return Err(error("no_text"));
        }
        if text.chars().count() > MAX_TEXT {
            return Err(error("msg_too_long"));
        }
        let metadata = arguments.get("metadata").filter(|metadata| !metadata.is_null());
        if metadata.is_some_and(|metadata| !metadata["event_type"].is_string() || !metadata["event_payload"].is_object()) {
            return Err(error("invalid_metadata_format"));
        }
        let thread = arguments.get("thread_ts").and_then(Value::as_str);
        if thread.is_some_and(|thread| !self.messages[&channel].iter().any(|message| message.ts == thread)) {
            return Err(error("thread_not_found"));
        }
        self.posted += 1;
        let message = Message {
            kind: "message",
            ts: format!("{}.{:06}", jiff::Timestamp::now().as_second(), self.posted),
            text: text.to_owned(),
            bot_id: "B0SANGAM1",
            thread_ts: thread.map(str::to_owned),
            blocks: blocks.cloned(),
            metadata: metadata.cloned(),
        };
        let answer = json!({ "ok": true, "channel": channel, "ts": message.ts, "message": message });
        self.messages.entry(channel).or_default().push(message);
        Ok(Json(answer).into_response())
    }

    fn delete(&mut self, headers: &HeaderMap, body: &[u8]) -> Result<Response, Response> {
        self.admit(headers)?;
        let arguments = arguments(headers, body)?;
        let channel = self.channel(arguments.get("channel"))?;
        let ts = arguments.get("ts").and_then(Value::as_str).unwrap_or_default().to_owned();
        let messages = self.messages.entry(channel.clone()).or_default();
        let before = messages.len();
        messages.retain(|message| message.ts != ts);
        if messages.len() == before {
            return Err(error("message_not_found"));
        }
        Ok(Json(json!({ "ok": true, "channel": channel, "ts": ts })).into_response())
    }

    fn history(&self, headers: &HeaderMap, asked: &BTreeMap<String, String>) -> Result<Response, Response> {
        self.admit(headers)?;
        let channel = self.channel(asked.get("channel").map(|channel| Value::String(channel.clone())).as_ref())?;
        let main = self.messages[&channel].iter().rev().filter(|message| message.thread_ts.is_none());
        page(main, asked)
    }

    fn replies(&self, headers: &HeaderMap, asked: &BTreeMap<String, String>) -> Result<Response, Response> {
        self.admit(headers)?;
        let channel = self.channel(asked.get("channel").map(|channel| Value::String(channel.clone())).as_ref())?;
        let thread = asked.get("ts").map(String::as_str).unwrap_or_default();
        if !self.messages[&channel].iter().any(|message| message.ts == thread) {
            return Err(error("thread_not_found"));
        }
        page(self.messages[&channel].iter().filter(|message| message.ts == thread || message.thread_ts.as_deref() == Some(thread)), asked)
    }
}

/// A page of messages between `oldest` (exclusive) and `latest`, with metadata where it was asked for.
fn page<'a>(messages: impl Iterator<Item = &'a Message>, asked: &BTreeMap<String, String>) -> Result<Response, Response> {
    let seconds =
        |name: &str| asked.get(name).map(|text| text.parse::<f64>().map_err(|_| error(&format!("invalid_ts_{name}")))).transpose();
    let (oldest, latest) = (seconds("oldest")?, seconds("latest")?);
    let within = |message: &&Message| {
        let ts: f64 = message.ts.parse().unwrap_or_default();
        oldest.is_none_or(|oldest| ts > oldest) && latest.is_none_or(|latest| ts < latest)
    };
    let limit = match asked.get("limit") {
        Some(limit) => limit.parse::<usize>().ok().filter(|limit| (1..1000).contains(limit)).ok_or_else(|| error("invalid_limit"))?,
        None => PAGE,
    };
    let skip = match asked.get("cursor").filter(|cursor| !cursor.is_empty()) {
        Some(cursor) => cursor.strip_prefix("next:").and_then(|at| at.parse().ok()).ok_or_else(|| error("invalid_cursor"))?,
        None => 0,
    };
    let all: Vec<&Message> = messages.filter(within).collect();
    let more = all.len() > skip + limit;
    let with_metadata = asked.get("include_all_metadata").is_some_and(|asked| asked == "true" || asked == "1");
    let shown: Vec<Message> = all
        .into_iter()
        .skip(skip)
        .take(limit)
        .map(|message| Message { metadata: message.metadata.clone().filter(|_| with_metadata), ..message.clone() })
        .collect();
    let cursor = if more { format!("next:{}", skip + limit) } else { String::new() };
    Ok(Json(json!({ "ok": true, "messages": shown, "has_more": more, "response_metadata": { "next_cursor": cursor } })).into_response())
}
