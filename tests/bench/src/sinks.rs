//! The far end: HTTP servers that write down what arrives, under which idempotency key, and when.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

/// Servers, each on a port of its own. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Sinks {
    /// Where they listen, in the order of the steps.
    pub(crate) addresses: Vec<SocketAddr>,
    record: Arc<Mutex<Record>>,
    servers: Vec<AbortHandle>,
}

#[derive(Debug, Default)]
struct Record {
    /// Keys by event and sink, in the order of arrival.
    keys: HashMap<(u64, usize), Vec<String>>,
    /// Who waits for an event at a sink.
    waiting: HashMap<(u64, usize), oneshot::Sender<Instant>>,
    /// Requests that make no sense here.
    strange: u64,
}

/// What arrived of some events, against what should have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Count {
    /// Pairs of event and sink without a request.
    pub(crate) lost: u64,
    /// Pairs of event and sink with requests under several keys.
    pub(crate) doubled: u64,
    /// Pairs of event and sink with several requests under one key: allowed after a crash, and there was none.
    pub(crate) resent: u64,
}

#[derive(Deserialize)]
struct Body {
    event: String,
}

impl Sinks {
    /// Starts so many.
    pub(crate) async fn start(count: usize) -> anyhow::Result<Sinks> {
        let record = Arc::new(Mutex::new(Record::default()));
        let mut sinks = Sinks { addresses: Vec::new(), record: record.clone(), servers: Vec::new() };
        for index in 0..count {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            sinks.addresses.push(listener.local_addr()?);
            let router = Router::new().fallback(post(arrive)).with_state((index, record.clone()));
            sinks.servers.push(tokio::spawn(axum::serve(listener, router).into_future()).abort_handle());
        }
        Ok(sinks)
    }

    /// Tells when an event arrives at a sink for the first time.
    pub(crate) fn expect(&self, event: u64, sink: usize) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        self.record().waiting.insert((event, sink), sender);
        receiver
    }

    /// Compares what arrived with the events that were accepted: each once at each sink.
    pub(crate) fn count(&self, events: &[u64]) -> anyhow::Result<Count> {
        let record = self.record();
        anyhow::ensure!(record.strange == 0, "{} requests came without an event or a key", record.strange);
        let mut count = Count::default();
        for &event in events {
            for sink in 0..self.addresses.len() {
                let keys = record.keys.get(&(event, sink)).map(Vec::as_slice).unwrap_or_default();
                count.lost += u64::from(keys.is_empty());
                count.doubled += u64::from(keys.iter().any(|key| *key != keys[0]));
                count.resent += u64::from(keys.len() > 1);
            }
        }
        Ok(count)
    }

    fn record(&self) -> std::sync::MutexGuard<'_, Record> {
        self.record.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Sinks {
    fn drop(&mut self) {
        for server in &self.servers {
            server.abort();
        }
    }
}

async fn arrive(State((sink, record)): State<(usize, Arc<Mutex<Record>>)>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let now = Instant::now();
    let event = serde_json::from_slice::<Body>(&body).ok().and_then(|body| body.event.parse::<u64>().ok());
    let key = headers.get("idempotency-key").and_then(|key| key.to_str().ok());
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    let (Some(event), Some(key)) = (event, key) else {
        record.strange += 1;
        return (StatusCode::BAD_REQUEST, [(header::CONTENT_TYPE, "application/json")], Json(json!({ "error": "no event or no key" })));
    };
    record.keys.entry((event, sink)).or_default().push(key.to_owned());
    if let Some(waiting) = record.waiting.remove(&(event, sink)) {
        // Whoever waited may have given up.
        let _ = waiting.send(now);
    }
    (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], Json(json!({ "id": format!("{sink}-{event}") })))
}
