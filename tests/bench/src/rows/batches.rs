//! An action that takes several runs at once: requests to the other system and processor time for each event, beside the same action called run by run.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::cost::Turns;
use super::{About, Row, Running, When};
use crate::Bench;
use crate::configuration::{Configuration, WIDE};
use crate::figures::median;
use crate::line::{DURABLE, Figure, Line};
use crate::program::Program;
use crate::pump::Pump;
use crate::sinks::{Manner, Sinks};

/// What a quick API of a vendor takes to answer.
const ANSWERS_AFTER: Duration = Duration::from_millis(20);
/// Events on their way at the same time.
const IN_FLIGHT: usize = 64;
/// Type of the events.
const KIND: &str = "bench.batch";

/// The row `batches`.
pub(super) struct Batches;

impl Row for Batches {
    fn about(&self) -> About {
        About {
            name: "batches",
            what: "processor time and requests of one event whose action takes ten runs at once, the sink answering after 20 ms",
            goal: "none: what it saves",
            reference: "the same action and host with batch = false",
            when: When::Always,
        }
    }

    fn run<'a>(&'a self, bench: &'a Bench) -> Running<'a> {
        Box::pin(async move {
            let about = self.about();
            // One for the runs that go alone, one for those that go together.
            let sinks = Arc::new(Sinks::with(&[Manner::Slow(ANSWERS_AFTER); 2]).await?);
            let folder = tempfile::tempdir()?;
            let host = async |name: &str, sink: usize, batch: &str| start(&folder.path().join(name), sinks.addresses[sink], batch).await;
            let (first, second) = (host("first", 0, "batch = false\n").await?, host("second", 0, "batch = false\n").await?);
            let together = host("together", 1, "batch = { gather = \"5ms\" }\n").await?;
            let next = Arc::new(AtomicU64::new(1));
            let pump = |program: &Program, last: usize| Pump {
                to: vec![program.address],
                kind: KIND,
                in_flight: IN_FLIGHT,
                sinks: sinks.clone(),
                last,
                next: next.clone(),
            };
            let programs = [(&first, pump(&first, 0)), (&together, pump(&together, 1)), (&second, pump(&second, 0))];
            let turns = Turns::take(programs, bench.effort).await?;
            for program in [first, second, together] {
                program.stop().await?;
            }
            let mut line = Line::new(about.name, about.goal, DURABLE);
            line.compare(&turns.costs, about.reference, "µs");
            let (alone, shared) = (sinks.count_at(0..1, &turns.theirs.accepted)?, sinks.count_at(1..2, &turns.ours.accepted)?);
            let each = |sink: usize, events: u64| sinks.requests(sink) as f64 / events.max(1) as f64;
            line.more.push(Figure::new("requests for each event, together", each(1, shared.events), ""));
            line.more.push(Figure::new("requests for each event, alone", each(0, alone.events), ""));
            line.more.push(Figure::new("rate, together", turns.rates.value(), "events/s"));
            line.more.push(Figure::new("rate, alone", turns.rates.reference(), "events/s"));
            line.more.push(Figure::new("from sending to the sink, together, median", median(&turns.ours.ways), "ms"));
            line.more.push(Figure::new("from sending to the sink, alone, median", median(&turns.theirs.ways), "ms"));
            line.notes.push(format!("{IN_FLIGHT} in flight; together: {shared}; alone: {alone}"));
            line.void_if(shared.fault().or(alone.fault()).or(turns.ours.fault()).or(turns.theirs.fault()));
            Ok(vec![line])
        })
    }
}

async fn start(home: &Path, sink: SocketAddr, batch: &str) -> anyhow::Result<Program> {
    std::fs::create_dir(home)?;
    let component = sangam_tests::guest("scripted").display().to_string();
    let step = format!(
        "\n[[routes.steps]]\nname = \"send\"\nuses = \"s.gather\"\nwith = {{ url = \"http://{sink}/\", id = \"${{ .event.id | tonumber }}\" }}\n"
    );
    let configuration = Configuration::new().plugin("s", &component, sink, &format!("{WIDE}{batch}")).route("one", KIND, "").text(&step);
    configuration.save(home)?;
    Program::host(home).await
}
