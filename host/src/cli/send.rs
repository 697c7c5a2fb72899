//! `sangam send`.

use std::io::Read as _;
use std::time::{Duration, Instant};

use reqwest::{Method, StatusCode};
use serde_json::Value;

use super::client::Client;
use super::{Failure, timeline};

/// Longest that one request waits.
const LONGEST_WAIT: Duration = Duration::from_secs(50);

/// Sends an event (structured CloudEvents JSON), or a batch (a JSON array of them).
#[derive(Debug, clap::Args)]
pub(super) struct Send {
    /// File with the event, or - for standard input
    #[arg(value_name = "FILE")]
    file: String,
    /// Wait until all its runs have ended, and show them; exit code 1 if one is dead
    #[arg(long)]
    wait: bool,
    /// With --wait: at most so long
    #[arg(long, default_value = "60s", value_name = "TIME")]
    timeout: String,
    /// Print the host's answer as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    client: Client,
}

impl Send {
    pub(super) async fn run(self) -> Result<(), Failure> {
        let text = self.read()?;
        let value: Value = serde_json::from_str(&text)
            .map_err(|error| Failure::Usage(format!("{}:{}:{}: error: not JSON: {error}", self.file, error.line(), error.column())))?;
        let kind = if value.is_array() { "application/cloudevents-batch+json" } else { "application/cloudevents+json" };
        let timeout = crate::config::parse_duration(&self.timeout).map_err(|error| Failure::Usage(format!("--timeout: {error}")))?;
        let (status, answer) = self.send(kind, text.into_bytes(), Instant::now() + timeout).await?;
        if self.json {
            anstream::println!("{answer:#}");
        } else {
            report(&answer);
        }
        if !self.wait {
            return Ok(());
        }
        if status == StatusCode::ACCEPTED {
            return Err(Failure::Failed(format!("not all runs have ended after {}; `sangam events show EID` tells more", self.timeout)));
        }
        let dead = answer["events"].as_array().into_iter().flatten().filter(|event| event["status"] == "dead").count();
        if dead > 0 {
            return Err(Failure::Failed(format!("{dead} of the events ended dead")));
        }
        Ok(())
    }

    /// Sends, and with `--wait` asks again until the time is over: a host waits for a minute at most, and takes a repeated event for what it is.
    async fn send(&self, kind: &str, body: Vec<u8>, until: Instant) -> Result<(StatusCode, Value), Failure> {
        let mut first = None;
        loop {
            let left = until.saturating_duration_since(Instant::now()).min(LONGEST_WAIT);
            let query = if self.wait { vec![("wait", format!("{}ms", left.as_millis().max(1)))] } else { Vec::new() };
            let (status, answer) = self.client.ask(Method::POST, "/v1/events", &query, Some((kind, body.clone()))).await?;
            // Later answers would call the event a duplicate of itself.
            let accepted = first.get_or_insert_with(|| answer["accepted"].clone()).clone();
            let mut answer = answer;
            answer["accepted"] = accepted;
            if !self.wait || status != StatusCode::ACCEPTED || Instant::now() >= until {
                return Ok((status, answer));
            }
        }
    }

    fn read(&self) -> Result<String, Failure> {
        let mut text = String::new();
        let read = if self.file == "-" {
            std::io::stdin().read_to_string(&mut text).map(|_| ())
        } else {
            std::fs::read_to_string(&self.file).map(|content| text = content)
        };
        read.map_err(|error| Failure::Usage(format!("can't read {}: {error}", self.file)))?;
        Ok(text)
    }
}

fn report(answer: &Value) {
    for accepted in answer["accepted"].as_array().into_iter().flatten() {
        let note = match (accepted["duplicate"].as_bool(), accepted["differs"].as_bool()) {
            (Some(true), Some(true)) => "  duplicate, with other data than the first: the first counts",
            (Some(true), _) => "  duplicate",
            _ => "",
        };
        anstream::println!("accepted {}{note}", accepted["eid"].as_str().unwrap_or(""));
    }
    for event in answer["events"].as_array().into_iter().flatten() {
        anstream::print!("\n{}", timeline::draw(event));
    }
}
