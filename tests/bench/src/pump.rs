//! Events through a host to a sink: so many on their way (a closed loop), or so many a second whatever becomes of them (an open one).

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::event::{self, STRUCTURED};
use crate::figures::{median, millis, quantile};
use crate::load::Connection;
use crate::sinks::Sinks;

/// Longest wait for an event at the last sink: longer than the first retries.
const LONGEST_WAY: Duration = Duration::from_secs(20);
/// Connections of an open loop: more than are ever waiting for an answer, unless the host is far behind.
const OPEN_CONNECTIONS: usize = 128;
/// A timer wakes to the millisecond. What is later than that was held up, and its time counts from when it should have been sent.
const TIMER: Duration = Duration::from_millis(2);

/// Sends events that end at a sink.
#[derive(Debug, Clone)]
pub(crate) struct Pump {
    /// Hosts, which take turns.
    pub(crate) to: Vec<SocketAddr>,
    /// Type of the events.
    pub(crate) kind: &'static str,
    /// Events on their way at the same time.
    pub(crate) in_flight: usize,
    /// Where they arrive.
    pub(crate) sinks: Arc<Sinks>,
    /// The one whose arrival is the end.
    pub(crate) last: usize,
    /// The next serial number.
    pub(crate) next: Arc<AtomicU64>,
}

/// What was sent, and how it went.
#[derive(Debug, Default)]
pub(crate) struct Pumped {
    /// Serial numbers of what was accepted.
    pub(crate) accepted: Vec<u64>,
    /// Milliseconds from sending to the last sink.
    pub(crate) ways: Vec<f64>,
    /// Answered otherwise than with 2xx.
    pub(crate) refused: u64,
    /// Accepted, and not at the last sink in time.
    pub(crate) gone: u64,
    /// From the first request to the last arrival.
    pub(crate) time: Duration,
}

impl Pumped {
    /// Events a second that arrived at the last sink.
    pub(crate) fn rate(&self) -> f64 {
        self.ways.len() as f64 / self.time.as_secs_f64()
    }

    /// Median and 99th percentile of the ways.
    pub(crate) fn ways(&self) -> (f64, f64) {
        (median(&self.ways), quantile(&self.ways, 0.99))
    }

    /// Both.
    pub(crate) fn add(&mut self, other: Pumped) {
        self.accepted.extend(other.accepted);
        self.ways.extend(other.ways);
        self.refused += other.refused;
        self.gone += other.gone;
        self.time += other.time;
    }

    /// Why this counts for nothing: something was refused or did not arrive.
    pub(crate) fn fault(&self) -> Option<String> {
        (self.refused > 0 || self.gone > 0)
            .then(|| format!("{} events were refused, {} did not arrive within {LONGEST_WAY:?}", self.refused, self.gone))
    }
}

impl Pump {
    /// Sends the next event as soon as one has arrived.
    pub(crate) async fn closed(&self, time: Duration) -> anyhow::Result<Pumped> {
        let mut connections = Vec::with_capacity(self.in_flight);
        for index in 0..self.in_flight {
            connections.push(Connection::open(self.to[index % self.to.len()]).await?);
        }
        let started = Instant::now();
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let pump = self.clone();
            tasks.spawn(async move {
                let mut pumped = Pumped::default();
                while started.elapsed() < time {
                    let sent = Instant::now();
                    if let Some(arrival) = pump.send(&mut connection, &mut pumped).await? {
                        pumped.arrive(sent, arrival).await;
                    }
                }
                Ok::<_, anyhow::Error>(pumped)
            });
        }
        all(tasks, started).await
    }

    /// Sends so many a second, on time even if nothing is answered. What is late because no connection was free counts from its time.
    pub(crate) async fn open(&self, rate: f64, time: Duration) -> anyhow::Result<Pumped> {
        let mut connections = Vec::with_capacity(OPEN_CONNECTIONS);
        for index in 0..OPEN_CONNECTIONS {
            connections.push(Connection::open(self.to[index % self.to.len()]).await?);
        }
        let started = Instant::now();
        let (turn, turns) = (Arc::new(AtomicU64::new(0)), (rate * time.as_secs_f64()) as u64);
        let mut tasks = JoinSet::new();
        for mut connection in connections {
            let (pump, turn) = (self.clone(), turn.clone());
            tasks.spawn(async move {
                let (mut pumped, mut under_way) = (Pumped::default(), Vec::new());
                loop {
                    let index = turn.fetch_add(1, Ordering::Relaxed);
                    if index >= turns {
                        break;
                    }
                    let due = started + Duration::from_secs_f64(index as f64 / rate);
                    tokio::time::sleep_until(due.into()).await;
                    let now = Instant::now();
                    let sent = if now < due + TIMER { now } else { due };
                    if let Some(arrival) = pump.send(&mut connection, &mut pumped).await? {
                        under_way.push((sent, arrival));
                    }
                }
                for (sent, arrival) in under_way {
                    pumped.arrive(sent, arrival).await;
                }
                Ok::<_, anyhow::Error>(pumped)
            });
        }
        all(tasks, started).await
    }

    async fn send(&self, connection: &mut Connection, pumped: &mut Pumped) -> anyhow::Result<Option<oneshot::Receiver<Instant>>> {
        let serial = self.next.fetch_add(1, Ordering::Relaxed);
        let arrival = self.sinks.expect(serial, self.last);
        let body = Bytes::from(event::structured(self.kind, serial));
        let (status, _) = connection.post("/v1/events", STRUCTURED, body).await?;
        if !status.is_success() {
            pumped.refused += 1;
            return Ok(None);
        }
        pumped.accepted.push(serial);
        Ok(Some(arrival))
    }
}

impl Pumped {
    async fn arrive(&mut self, sent: Instant, arrival: oneshot::Receiver<Instant>) {
        match tokio::time::timeout(LONGEST_WAY, arrival).await {
            Ok(Ok(at)) => self.ways.push(millis(at.duration_since(sent))),
            _ => self.gone += 1,
        }
    }
}

async fn all(mut tasks: JoinSet<anyhow::Result<Pumped>>, started: Instant) -> anyhow::Result<Pumped> {
    let mut all = Pumped::default();
    while let Some(pumped) = tasks.join_next().await {
        all.add(pumped.context("a connection's task broke")??);
    }
    all.time = started.elapsed();
    Ok(all)
}
