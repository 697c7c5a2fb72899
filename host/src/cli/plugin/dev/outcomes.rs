//! What becomes of events, shown as it happens.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use crate::cli::client::Client;
use crate::cli::timeline;

/// Events looked at: the newest.
const NEWEST: usize = 20;

/// What was shown already.
#[derive(Debug)]
pub(super) struct Outcomes {
    since: Timestamp,
    /// By `eid`: its status and how many attempts have ended.
    shown: HashMap<String, (String, usize)>,
}

impl Outcomes {
    pub(super) fn from_now() -> Outcomes {
        Outcomes { since: Timestamp::now(), shown: HashMap::new() }
    }

    /// Draws the events of which there is news: another status, or another attempt that has ended.
    pub(super) async fn show(&mut self, client: &Client) {
        // A host that does not answer at this moment will at the next.
        let query = [("since", self.since.to_string()), ("limit", NEWEST.to_string())];
        let Ok(page) = client.get("/v1/events", &query).await else { return };
        let newest_last = page["events"].as_array().into_iter().flatten().rev();
        for eid in newest_last.filter_map(|event| event["eid"].as_str()) {
            if self.shown.get(eid).is_some_and(|(status, _)| is_over(status)) {
                continue;
            }
            let Ok(event) = client.get(&format!("/v1/events/{eid}"), &[]).await else { continue };
            let now = news(&event);
            // What runs is shown once it has run: most is over within a moment.
            if now.0 != "running" && self.shown.get(eid) != Some(&now) && (now.1 > 0 || is_over(&now.0)) {
                anstream::println!("\n{}", timeline::draw(&event));
                self.shown.insert(eid.to_owned(), now);
            }
        }
    }
}

fn news(event: &Value) -> (String, usize) {
    let steps = event["runs"].as_array().into_iter().flatten().flat_map(|run| run["steps"].as_array().into_iter().flatten());
    let tasks = steps.flat_map(|step| [step, &step["undo"]]);
    let attempts = tasks.flat_map(|task| task["attempts"].as_array().into_iter().flatten());
    let ended = attempts.filter(|attempt| attempt["outcome"].is_string()).count();
    (event["status"].as_str().unwrap_or_default().to_owned(), ended)
}

fn is_over(status: &str) -> bool {
    ["succeeded", "dead", "cancelled", "unrouted"].contains(&status)
}
