//! A run: one request after another, each with something of the event and of the answer before.

use anyhow::{Context as _, ensure};
use axum::body::Bytes;
use serde::{Deserialize, Serialize};

use crate::event::Event;
use crate::sink::Sink;
use crate::store::{Intent, MOST_STEPS, Outcome, Store};

/// The steps of every run.
pub struct Chain {
    store: Store,
    sinks: Vec<Sink>,
}

/// What a step sends.
#[derive(Serialize)]
struct Request<'a> {
    event: &'a str,
    before: &'a str,
    text: String,
}

/// What a sink answers.
#[derive(Deserialize)]
struct Answer<'a> {
    id: &'a str,
}

impl Chain {
    /// A step for each sink.
    pub fn new(store: Store, sinks: &[String]) -> anyhow::Result<Chain> {
        ensure!(sinks.len() <= MOST_STEPS, "more than {MOST_STEPS} steps");
        Ok(Chain { store, sinks: sinks.iter().map(|url| Sink::new(url)).collect::<anyhow::Result<_>>()? })
    }

    /// The request of a step. Its key is the event's and the step's, so that a request that leaves again has the same one.
    pub fn intent(&self, event: &Event<'_>, step: usize, before: &str) -> Intent {
        let data = &event.data;
        let text = format!("Job {} for {}: {}", data.job_id, data.customer.name, data.notes);
        let request = Request { event: &event.id, before, text };
        // A struct of strings is always JSON.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        Intent { key: format!("{}/{}/{step}", event.source, event.id), body: Bytes::from(body) }
    }

    /// Sends what is durable, keeps what comes back together with what follows, until the end.
    pub async fn run(&self, run: i64, body: &[u8], first: Option<Intent>) -> anyhow::Result<()> {
        let event = Event::parse(body).context("it was an event when it came in")?;
        let mut intent = first;
        for (step, sink) in self.sinks.iter().enumerate() {
            let Some(Intent { key, body }) = intent else { break };
            let (status, response) = sink.post(&key, body).await.with_context(|| format!("step {step}"))?;
            ensure!(status == 200, "step {step}: the sink answers {status}");
            let answer: Answer<'_> = serde_json::from_slice(&response).with_context(|| format!("step {step}"))?;
            let next = (step + 1 < self.sinks.len()).then(|| self.intent(&event, step + 1, answer.id));
            intent = self.store.settle(Outcome { run, step, status, response: response.clone(), next }).await?;
        }
        Ok(())
    }
}
