//! The far end: HTTP servers that write down what arrives, under which idempotency key, and when.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

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
pub struct Sinks {
    /// Where they listen, in the order of the steps.
    pub addresses: Vec<SocketAddr>,
    record: Arc<Mutex<Record>>,
    servers: Vec<AbortHandle>,
}

/// How a sink answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// At once.
    Prompt,
    /// After so long.
    Slow(Duration),
    /// With 503, and writes nothing down.
    Dead,
}

#[derive(Debug, Default)]
struct Record {
    /// What arrived, by event and sink.
    arrived: HashMap<(u64, usize), Arrived>,
    /// Who waits for an event at a sink.
    waiting: HashMap<(u64, usize), oneshot::Sender<Instant>>,
    /// The largest event of each order key, and how often a smaller one came after it.
    order: HashMap<(String, usize), u64>,
    disordered: u64,
    /// All that came to each sink.
    requests: HashMap<usize, u64>,
    /// Requests that make no sense here.
    strange: u64,
    /// Hashes the keys: a million of them are held as numbers.
    hash: RandomState,
}

/// Requests of one event at one sink.
#[derive(Debug, Default, Clone, Copy)]
struct Arrived {
    /// Of the first key.
    key: u64,
    requests: u32,
    /// Under another key than the first.
    others: u32,
}

/// What arrived of some events, against what should have.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Count {
    /// Events that were accepted.
    pub events: u64,
    /// Pairs of event and sink without a request.
    pub lost: u64,
    /// Pairs of event and sink with requests under several keys.
    pub doubled: u64,
    /// Pairs of event and sink with several requests under one key: allowed after a crash, and there was none.
    pub resent: u64,
    /// Requests of an order key that came after a later one's.
    pub disordered: u64,
}

impl Count {
    /// Why figures that belong to this count for nothing.
    pub fn fault(&self) -> Option<String> {
        if self.events == 0 {
            return Some("no event was accepted".to_owned());
        }
        let well = self.lost == 0 && self.doubled == 0 && self.resent == 0 && self.disordered == 0;
        (!well).then(|| self.to_string())
    }
}

impl std::fmt::Display for Count {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Count { events, lost, doubled, resent, disordered } = self;
        write!(
            f,
            "of {events} accepted events at the sinks, by key: {lost} lost, {doubled} doubled, {resent} sent again, {disordered} out of order"
        )
    }
}

#[derive(Deserialize)]
struct Body {
    #[serde(default)]
    event: String,
    /// Of a request for several events, in place of `event`.
    #[serde(default)]
    ids: Vec<u64>,
    #[serde(default)]
    order: Option<String>,
}

impl Body {
    /// The events that it is for; none: it makes no sense.
    fn events(&self) -> Vec<u64> {
        if self.ids.is_empty() { self.event.parse().into_iter().collect() } else { self.ids.clone() }
    }
}

impl Sinks {
    /// Starts so many that answer at once.
    pub async fn start(count: usize) -> anyhow::Result<Sinks> {
        Sinks::with(&vec![Manner::Prompt; count]).await
    }

    /// Starts one for each manner.
    pub async fn with(manners: &[Manner]) -> anyhow::Result<Sinks> {
        let record = Arc::new(Mutex::new(Record::default()));
        let mut sinks = Sinks { addresses: Vec::new(), record: record.clone(), servers: Vec::new() };
        for (index, &manner) in manners.iter().enumerate() {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
            sinks.addresses.push(listener.local_addr()?);
            let router = Router::new().fallback(post(arrive)).with_state((index, manner, record.clone()));
            sinks.servers.push(tokio::spawn(axum::serve(listener, router).into_future()).abort_handle());
        }
        Ok(sinks)
    }

    /// Tells when an event arrives at a sink for the first time.
    pub fn expect(&self, event: u64, sink: usize) -> oneshot::Receiver<Instant> {
        let (sender, receiver) = oneshot::channel();
        self.record().waiting.insert((event, sink), sender);
        receiver
    }

    /// Pairs of event and sink that have arrived.
    pub fn arrived(&self) -> usize {
        self.record().arrived.len()
    }

    /// Requests that came to a sink.
    pub fn requests(&self, sink: usize) -> u64 {
        self.record().requests.get(&sink).copied().unwrap_or(0)
    }

    /// Compares what arrived with the events that were accepted: each once at each sink.
    pub fn count(&self, events: &[u64]) -> anyhow::Result<Count> {
        self.count_at(0..self.addresses.len(), events)
    }

    /// The same where the events go to some of the sinks only.
    pub fn count_at(&self, sinks: std::ops::Range<usize>, events: &[u64]) -> anyhow::Result<Count> {
        let record = self.record();
        anyhow::ensure!(record.strange == 0, "{} requests came without an event or a key", record.strange);
        let mut count = Count { events: events.len() as u64, disordered: record.disordered, ..Count::default() };
        for &event in events {
            for sink in sinks.clone() {
                let arrived = record.arrived.get(&(event, sink)).copied().unwrap_or_default();
                count.lost += u64::from(arrived.requests == 0);
                count.doubled += u64::from(arrived.others > 0);
                count.resent += u64::from(arrived.requests - arrived.others > 1);
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

type Sink = (usize, Manner, Arc<Mutex<Record>>);

async fn arrive(State((sink, manner, record)): State<Sink>, headers: HeaderMap, body: Bytes) -> impl IntoResponse {
    let now = Instant::now();
    let (status, answer) = match manner {
        Manner::Dead => (StatusCode::SERVICE_UNAVAILABLE, json!({ "error": "this sink is dead" })),
        Manner::Prompt | Manner::Slow(_) => write_down(sink, &record, &headers, &body, now),
    };
    if let Manner::Slow(time) = manner {
        tokio::time::sleep(time).await;
    }
    (status, [(header::CONTENT_TYPE, "application/json")], Json(answer))
}

fn write_down(sink: usize, record: &Mutex<Record>, headers: &HeaderMap, body: &[u8], now: Instant) -> (StatusCode, serde_json::Value) {
    let body = serde_json::from_slice::<Body>(body).ok();
    let (events, order) = body.map(|body| (body.events(), body.order)).unwrap_or_default();
    let mut record = record.lock().unwrap_or_else(PoisonError::into_inner);
    *record.requests.entry(sink).or_default() += 1;
    let (Some(&first), Some(key)) = (events.first(), headers.get("idempotency-key")) else {
        record.strange += 1;
        return (StatusCode::BAD_REQUEST, json!({ "error": "no event or no key" }));
    };
    let key = record.hash.hash_one(key.as_bytes());
    for event in events {
        let arrived = record.arrived.entry((event, sink)).or_insert(Arrived { key, ..Arrived::default() });
        arrived.requests += 1;
        arrived.others += u32::from(arrived.key != key);
        if let Some(order) = &order {
            let last = record.order.entry((order.clone(), sink)).or_insert(event);
            let late = event < *last;
            *last = event.max(*last);
            record.disordered += u64::from(late);
        }
        if let Some(waiting) = record.waiting.remove(&(event, sink)) {
            // Whoever waited may have given up.
            let _ = waiting.send(now);
        }
    }
    (StatusCode::OK, json!({ "id": format!("{sink}-{first}") }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::line::{DURABLE, Line, Met};
    use crate::load::Connection;

    /// Sends events under keys to one sink; gives what the line of a table becomes by it.
    async fn line(sent: &[(u64, &str)], accepted: &[u64]) -> Line {
        let sinks = Sinks::start(1).await.expect("a sink starts");
        let mut connection = Connection::open(sinks.addresses[0]).await.expect("it listens");
        for (event, key) in sent {
            let body = Bytes::from(format!(r#"{{"event":"{event}","order":"k"}}"#));
            connection.post_with_key("/", "application/json", key, body).await.expect("it answers");
        }
        let mut line = Line::new("chain", "", DURABLE);
        line.void_if(sinks.count(accepted).expect("all had a key").fault());
        line
    }

    #[tokio::test]
    async fn a_line_counts_where_each_event_came_once() {
        assert_eq!(line(&[(1, "a"), (2, "b")], &[1, 2]).await.met, Met::NotMeasured);
    }

    #[tokio::test]
    async fn a_doubled_event_voids_its_line() {
        let Met::Void(why) = line(&[(1, "a"), (2, "b"), (2, "c")], &[1, 2]).await.met else { panic!("it counts") };
        assert!(why.contains("0 lost, 1 doubled"), "{why}");
    }

    #[tokio::test]
    async fn an_event_sent_again_under_its_key_voids_its_line_since_nothing_crashed() {
        let Met::Void(why) = line(&[(1, "a"), (1, "a")], &[1]).await.met else { panic!("it counts") };
        assert!(why.contains("0 doubled, 1 sent again"), "{why}");
    }

    #[tokio::test]
    async fn a_lost_event_voids_its_line() {
        let Met::Void(why) = line(&[(1, "a")], &[1, 2]).await.met else { panic!("it counts") };
        assert!(why.contains("1 lost"), "{why}");
    }

    #[tokio::test]
    async fn an_event_that_overtakes_another_of_its_key_voids_its_line() {
        let Met::Void(why) = line(&[(2, "a"), (1, "b")], &[1, 2]).await.met else { panic!("it counts") };
        assert!(why.contains("1 out of order"), "{why}");
    }

    #[tokio::test]
    async fn a_line_of_no_events_is_void() {
        assert!(matches!(line(&[], &[]).await.met, Met::Void(_)));
    }
}
