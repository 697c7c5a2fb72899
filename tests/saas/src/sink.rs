//! A receiver of anything: any method, any path. It honours `Idempotency-Key`.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use serde::Serialize;
use serde_json::{Value, json};

use crate::system::System;

/// The sink. Settings: none.
#[derive(Default)]
pub struct Sink(Mutex<Effects>);

/// What was received and counts: one entry per request, or per idempotency key.
#[derive(Default)]
struct Effects {
    done: Vec<Effect>,
    by_path: BTreeMap<String, u64>,
    /// The answer given under a key.
    answers: HashMap<String, u64>,
    /// Requests recognised by their key.
    repeated: u64,
}

#[derive(Clone, Serialize)]
struct Effect {
    key: Option<String>,
    path: String,
    body: Value,
}

impl Sink {
    /// Nothing received.
    pub fn new() -> Sink {
        Sink::default()
    }

    /// How much was received and counts.
    pub fn count(&self) -> usize {
        self.lock().done.len()
    }

    /// Requests that were recognised by their key, and did nothing.
    pub fn repeated(&self) -> u64 {
        self.lock().repeated
    }

    /// Paths of what was received and counts, in the order in which it came.
    pub fn paths(&self) -> Vec<String> {
        self.lock().done.iter().map(|effect| effect.path.clone()).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Effects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl System for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn router(self: Arc<Self>) -> Router {
        Router::new().fallback(receive).with_state(self)
    }

    fn state(&self) -> Value {
        let effects = self.lock();
        json!({ "count": effects.done.len(), "by_path": effects.by_path, "repeated": effects.repeated, "effects": effects.done })
    }

    fn reset(&self) {
        *self.lock() = Effects::default();
    }

    fn set(&self, setting: &str, _: Value) -> Result<(), String> {
        Err(format!("the sink has no setting `{setting}`"))
    }
}

async fn receive(State(sink): State<Arc<Sink>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let key = headers.get("idempotency-key").map(|key| String::from_utf8_lossy(key.as_bytes()).into_owned());
    let path = uri.path().to_owned();
    let body = serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(&body).into_owned()));
    let (received, replayed) = sink.lock().receive(Effect { key, path, body });
    let answer = Json(json!({ "received": received }));
    if replayed { ([("idempotent-replayed", "true")], answer).into_response() } else { answer.into_response() }
}

impl Effects {
    /// The number under which this counts, and whether its key had been seen.
    fn receive(&mut self, effect: Effect) -> (u64, bool) {
        if let Some(received) = effect.key.as_ref().and_then(|key| self.answers.get(key)).copied() {
            self.repeated += 1;
            return (received, true);
        }
        *self.by_path.entry(effect.path.clone()).or_default() += 1;
        let key = effect.key.clone();
        self.done.push(effect);
        let received = self.done.len() as u64;
        if let Some(key) = key {
            self.answers.insert(key, received);
        }
        (received, false)
    }
}
