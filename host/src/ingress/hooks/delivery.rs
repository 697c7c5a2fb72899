//! One delivery: what of a request counts once it was verified.

use axum::body::Bytes;
use axum::http::request::Parts;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use super::verification::Verified;
use super::{PREFIX, member};
use crate::config::{Source, Webhook};
use crate::event::Event;
use crate::ingress::body::{self, Content};
use crate::ingress::shape::{self, Delivered, Unreadable};
use crate::runtime::Runtime;
use crate::store::SetAsideRow;

/// Headers that say who may send, or that belong to the connection. Those of the scheme of `verify` are left out too.
const NOT_SHOWN: [&str; 13] = [
    "authorization",
    "cookie",
    "proxy-authorization",
    "connection",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];

/// What came, without what proved where it came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// `POST`, …
    pub method: String,
    /// As it came.
    pub path: String,
    /// As it came, without what proves something.
    pub query: String,
    /// In lower case, those of one name joined.
    pub headers: Vec<(String, String)>,
    /// As it came.
    pub body: Bytes,
    /// The id that the sender gives to this delivery and to every repetition of it.
    pub id: Option<String>,
}

impl Delivery {
    pub(super) fn of(parts: &Parts, body: Bytes, verified: &Verified) -> Delivery {
        let is_shown = |name: &str| !NOT_SHOWN.contains(&name) && !verified.headers.iter().any(|proof| proof.eq_ignore_ascii_case(name));
        let mut headers: Vec<(String, String)> = Vec::new();
        for (name, value) in parts.headers.iter().filter(|(name, _)| is_shown(name.as_str())) {
            let value = String::from_utf8_lossy(value.as_bytes());
            match headers.iter_mut().find(|(known, _)| known == name.as_str()) {
                // RFC 9110 section 5.3.
                Some((_, first)) => {
                    first.push_str(", ");
                    first.push_str(&value);
                }
                None => headers.push((name.as_str().to_owned(), value.into_owned())),
            }
        }
        let query = without(parts.uri.query().unwrap_or_default(), &verified.parameters);
        Delivery {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query,
            headers,
            body,
            id: verified.delivery_id.clone(),
        }
    }

    /// One that was set aside.
    ///
    /// # Errors
    /// It has no context that this version understands.
    pub(super) fn kept(row: &SetAsideRow) -> Result<Delivery, String> {
        let context: Value = row
            .context
            .as_deref()
            .and_then(|context| serde_json::from_str(context).ok())
            .ok_or_else(|| "it was kept without what is needed to try it again; its sender has to send it again".to_owned())?;
        let headers = context.get("headers").and_then(Value::as_object).into_iter().flatten();
        Ok(Delivery {
            method: member(&context, "method").unwrap_or("POST").to_owned(),
            path: member(&context, "path").map_or_else(|| format!("{PREFIX}{}", row.source), str::to_owned),
            query: member(&context, "query").unwrap_or_default().to_owned(),
            headers: headers.filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))).collect(),
            body: Bytes::from(row.data.clone()),
            id: member(&context, "delivery_id").map(str::to_owned),
        })
    }

    /// What [`Delivery::kept`] needs besides the body, JSON.
    pub(super) fn context(&self) -> Value {
        let mut context = json!({ "method": self.method, "path": self.path, "query": self.query, "headers": self.headers() });
        if let Some(id) = &self.id {
            context["delivery_id"] = json!(id);
        }
        context
    }

    /// What a repetition of it has in common with it.
    pub(super) fn identity(&self) -> String {
        self.id.clone().unwrap_or_else(|| self.digest())
    }

    fn headers(&self) -> Map<String, Value> {
        self.headers.iter().map(|(name, value)| (name.clone(), json!(value))).collect()
    }

    /// What tells it from others where its sender gives it no id: the same for every repetition of it.
    fn digest(&self) -> String {
        let mut hash = Sha256::new();
        // All of a delivery without a body is in its query.
        if self.body.is_empty() {
            hash.update(self.path.as_bytes());
            hash.update([0]);
            hash.update(self.query.as_bytes());
        } else {
            hash.update(&self.body);
        }
        hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Its events, by the expressions of its source.
    ///
    /// # Errors
    /// Why there are none.
    pub(super) async fn events(&self, runtime: &Runtime, source: &Source, webhook: &Webhook) -> Result<Vec<Event>, Unreadable> {
        let unreadable = |error: body::BodyError| Unreadable(error.to_string());
        let content = body::read(webhook.body, &self.headers, self.body.clone(), webhook.max_file_size).await.map_err(unreadable)?;
        let id = self.identity();
        let scope = Map::from_iter([
            ("method".to_owned(), json!(self.method)),
            ("path".to_owned(), json!(self.path)),
            ("query".to_owned(), body::query(&self.query).map_err(unreadable)?),
            ("headers".to_owned(), Value::Object(self.headers())),
        ]);
        let size = self.body.len();
        match content {
            Content::Data(data) => {
                let mut scope = scope;
                scope.insert("body".to_owned(), data.clone());
                shape::events(&runtime.evaluator, source, Delivered { scope, id, data, event: None, size }).await
            }
            Content::Events(came) => {
                let mut events = Vec::with_capacity(came.len());
                for event in came {
                    let mut scope = scope.clone();
                    let structured = event.to_structured();
                    let data = structured.get("data").cloned().unwrap_or(Value::Null);
                    scope.insert("body".to_owned(), data.clone());
                    scope.insert("event".to_owned(), structured);
                    let delivered = Delivered { scope, id: event.id.clone(), data, event: Some(event), size };
                    events.extend(shape::events(&runtime.evaluator, source, delivered).await?);
                }
                Ok(events)
            }
        }
    }
}

/// A query without some of its parameters; their names are compared as they are written, decoded.
fn without(query: &str, parameters: &[String]) -> String {
    if parameters.is_empty() {
        return query.to_owned();
    }
    let is_shown = |pair: &&str| {
        let name = url::form_urlencoded::parse(pair.as_bytes()).next().map(|(name, _)| name.into_owned()).unwrap_or_default();
        !parameters.contains(&name)
    };
    query.split('&').filter(is_shown).collect::<Vec<_>>().join("&")
}
