//! What the host says of itself, as last seen.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::super::client::Client;
use super::super::{Failure, plain};
use crate::amount;

/// Failing actions of which the reason is fetched.
const REASONS: usize = 10;

/// What was seen.
#[derive(Debug)]
pub(super) struct Seen {
    client: Client,
    window: String,
    /// `GET /v1/overview`.
    pub(super) overview: Value,
    /// `GET /v1/flow`.
    pub(super) flow: Value,
    /// Why the last attempts failed, by run and time.
    known: BTreeMap<(String, String), String>,
}

impl Seen {
    pub(super) fn new(client: Client, window: &str) -> Seen {
        Seen { client, window: window.to_owned(), overview: Value::Null, flow: Value::Null, known: BTreeMap::new() }
    }

    /// What would be seen: for tests.
    #[cfg(test)]
    pub(super) fn of(overview: Value, flow: Value, reasons: &[(&str, &str, &str)]) -> Seen {
        let known = reasons.iter().map(|(run, at, reason)| (((*run).to_owned(), (*at).to_owned()), (*reason).to_owned())).collect();
        let client = Client::at("http://127.0.0.1:1".to_owned(), None);
        Seen { client, window: "15m".to_owned(), overview, flow, known }
    }

    /// Asks the host.
    pub(super) async fn look(&mut self) -> Result<(), Failure> {
        let query = [("window", self.window.clone())];
        self.overview = self.client.get("/v1/overview", &query).await?;
        self.flow = self.client.get("/v1/flow", &query).await?;
        let mut known = BTreeMap::new();
        for failing in self.failing().iter().take(REASONS) {
            let Some(place) = place(failing) else { continue };
            let reason = match self.known.get(&place) {
                Some(reason) => reason.clone(),
                None => self.reason(failing).await?,
            };
            known.insert(place, reason);
        }
        self.known = known;
        Ok(())
    }

    /// What fails, the worst first.
    pub(super) fn failing(&self) -> &[Value] {
        self.overview["failing"].as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// Why an action failed last, as far as it is known and may be seen.
    pub(super) fn reason_of(&self, failing: &Value) -> String {
        place(failing).and_then(|place| self.known.get(&place)).map(|reason| plain(reason)).unwrap_or_default()
    }

    /// What fails, with why.
    pub(super) fn reasons(&self) -> Value {
        let with_reason = |failing: &Value| {
            let mut failing = failing.clone();
            failing["reason"] = json!(self.reason_of(&failing));
            failing
        };
        self.failing().iter().map(with_reason).collect()
    }

    /// The event of what fails at that place.
    pub(super) async fn event(&self, index: usize) -> Result<Option<Value>, Failure> {
        let Some(eid) = self.failing().get(index).and_then(|failing| failing["last"]["eid"].as_str()) else { return Ok(None) };
        self.client.get(&format!("/v1/events/{eid}"), &[]).await.map(Some)
    }

    /// Replays an event; what came of it, in a sentence.
    pub(super) async fn replay(&self, eid: &str) -> Result<String, Failure> {
        let answer = self.client.post(&format!("/v1/events/{eid}/replay"), json!({})).await?;
        let replays = answer["replays"].as_array().map_or(0, Vec::len);
        Ok(format!("{} of {eid} began", amount::count(replays as u64, "replay", "replays")))
    }

    /// The last failed attempt's own words.
    async fn reason(&self, failing: &Value) -> Result<String, Failure> {
        let last = &failing["last"];
        let event = match self.client.get(&format!("/v1/events/{}", last["eid"].as_str().unwrap_or("")), &[]).await {
            Ok(event) => event,
            // Pruned, perhaps.
            Err(Failure::Failed(why)) => return Ok(why),
            Err(error) => return Err(error),
        };
        let runs = event["runs"].as_array().into_iter().flatten().filter(|run| run["id"] == last["run"]);
        let steps = runs.flat_map(|run| run["steps"].as_array().into_iter().flatten());
        let tasks = steps.flat_map(|step| [step, &step["undo"]]).filter(|task| task["name"] == last["step"]);
        let attempts = tasks.flat_map(|task| task["attempts"].as_array().into_iter().flatten());
        let reason = attempts.filter_map(|attempt| attempt["error"]["reason"].as_str()).next_back();
        Ok(reason.unwrap_or("").to_owned())
    }
}

/// What a reason is known by.
fn place(failing: &Value) -> Option<(String, String)> {
    let last = &failing["last"];
    Some((last["run"].as_str()?.to_owned(), last["at"].as_str()?.to_owned()))
}
