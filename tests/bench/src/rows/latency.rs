//! What an idle host adds between an event and its first outgoing request.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use bytes::Bytes;

use super::{About, Row, Running, When};
use crate::configuration::one_step;
use crate::event::{self, STRUCTURED};
use crate::figures::{AgainstItself, median, millis, quantile};
use crate::line::{DURABLE, Figure, Line, Met};
use crate::load::Connection;
use crate::program::Program;
use crate::sinks::Sinks;
use crate::{Bench, Effort};

/// Between two events: the host has finished the last one and waits.
pub(super) const IDLE: Duration = Duration::from_millis(30);
/// Longest wait for one event.
const LONGEST: Duration = Duration::from_secs(20);
/// Events before the first that counts.
const WARM_UP: usize = 5;
/// At most, median, in milliseconds.
const GOAL_MEDIAN: f64 = 3.0;
/// At most, 99th percentile.
const GOAL_TAIL: f64 = 15.0;

/// The row `latency`.
pub(super) struct Latency;

impl Row for Latency {
    fn about(&self) -> About {
        About {
            name: "latency",
            what: "from intake to the first outgoing request, idle host",
            goal: "median 3 ms, 99th percentile 15 ms",
            reference: "the generator's own request to the sink, without a host in between",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(measure(bench.effort))
    }
}

async fn measure(effort: Effort) -> anyhow::Result<Vec<Line>> {
    let sinks = Sinks::start(1).await?;
    let folder = tempfile::tempdir()?;
    one_step("bench.latency", sinks.addresses[0]).save(folder.path())?;
    let host = Program::host(folder.path()).await?;
    let mut to_host = Connection::open(host.address).await?;
    let mut to_sink = Connection::open(sinks.addresses[0]).await?;
    let mut serial = 0;
    let (mut first, mut second, mut direct) = (Vec::new(), Vec::new(), Vec::new());
    let mut accepted = Vec::new();
    for sample in 0..WARM_UP + effort.samples {
        let mut pair = Vec::new();
        for _ in 0..2 {
            serial += 1;
            accepted.push(serial);
            let body = Bytes::from(event::structured("bench.latency", serial));
            pair.push(through(&mut to_host, "/v1/events", body, &sinks, serial).await?);
            tokio::time::sleep(IDLE).await;
        }
        serial += 1;
        direct.push(directly(&mut to_sink, &sinks, serial).await?);
        if sample < WARM_UP {
            direct.clear();
        } else {
            first.push(pair[0]);
            second.push(pair[1]);
        }
    }
    host.stop().await?;
    let fault = sinks.count(&accepted)?.fault();

    let all = [&first[..], &second[..]].concat();
    let without = median(&direct);
    // Every other event against the ones between, portion by portion.
    let portions = |series: &[f64], share: f64| -> Vec<f64> {
        series.chunks(effort.samples.div_ceil(effort.rounds)).map(|portion| quantile(portion, share)).collect()
    };
    let against = |share: f64| AgainstItself::of(&portions(&first, share), &portions(&second, share));
    let (middle, tail) = (against(0.5), against(0.99));
    let rows = [("latency p50", "<= 3 ms", 0.5, GOAL_MEDIAN, middle), ("latency p99", "<= 15 ms", 0.99, GOAL_TAIL, tail)];
    let rows = rows.into_iter().map(|(name, goal, share, most, against_itself)| {
        let added = quantile(&all, share) - without;
        let mut row = Line::new(name, goal, DURABLE);
        row.value = Some(Figure::new("", added, "ms"));
        row.reference =
            Some(Figure::new("the generator's own request to the sink, median; it is already taken off the value", without, "ms"));
        row.ratio = Some((added + without) / without);
        row.met = Met::judge(most / added, against_itself.noise());
        row.against_itself = Some(against_itself);
        row.void_if(fault.clone());
        row.notes.push(format!("{} events, {IDLE:?} apart, one http step; A/A: every other event", all.len()));
        row
    });
    Ok(rows.collect())
}

/// Milliseconds from sending an event to its arrival at the sink.
pub(super) async fn through(connection: &mut Connection, path: &str, body: Bytes, sinks: &Sinks, serial: u64) -> anyhow::Result<f64> {
    let arrived = sinks.expect(serial, 0);
    let sent = Instant::now();
    let (status, answer) = connection.post(path, STRUCTURED, body).await?;
    ensure!(status.is_success(), "{status}: {}", String::from_utf8_lossy(&answer));
    let at = tokio::time::timeout(LONGEST, arrived).await.context("an event did not arrive")??;
    Ok(millis(at.duration_since(sent)))
}

/// The same without a host in between.
async fn directly(connection: &mut Connection, sinks: &Sinks, serial: u64) -> anyhow::Result<f64> {
    let body = Bytes::from(format!(r#"{{"event":"{serial}"}}"#));
    let arrived = sinks.expect(serial, 0);
    let sent = Instant::now();
    connection.post_with_key("/", "application/json", "direct", body).await?;
    let at = tokio::time::timeout(LONGEST, arrived).await.context("a request did not arrive")??;
    Ok(millis(at.duration_since(sent)))
}
