//! `sangam events decide`.

use std::path::Path;

use serde_json::{Value, json};

use super::client::Client;
use super::events::segment;
use super::{Failure, plain};

/// Which write is meant, as far as the person said.
#[derive(Debug, Default)]
pub(super) struct Choice {
    pub(super) run: Option<String>,
    pub(super) step: Option<String>,
    pub(super) effect: Option<u32>,
    pub(super) key: Option<String>,
}

/// A write in doubt that a step is held for.
#[derive(Debug, Clone)]
struct Held {
    run: String,
    step: String,
    effect: Value,
}

/// Decides on the one write in doubt that the choice leaves.
pub(super) async fn decide(client: &Client, eid: &str, outcome: &str, choice: &Choice, response: Option<&Path>) -> Result<(), Failure> {
    let response = response.map(read).transpose()?;
    if response.is_some() && outcome != "done" {
        return Err(Failure::Usage("--response goes with --outcome done: what was not done has no answer".to_owned()));
    }
    let event = client.get(&format!("/v1/events/{}", segment(eid)), &[]).await?;
    let held = held(&event);
    if held.is_empty() {
        return Err(Failure::Failed(format!("no run of event {eid} is held; its status is {}", event["status"].as_str().unwrap_or(""))));
    }
    let chosen: Vec<&Held> = held
        .iter()
        .filter(|held| choice.run.as_ref().is_none_or(|run| held.run == *run))
        .filter(|held| choice.step.as_ref().is_none_or(|step| held.step == *step))
        .filter(|held| choice.effect.is_none_or(|seq| held.effect["seq"] == seq))
        .filter(|held| choice.key.as_ref().is_none_or(|key| held.effect["key"] == **key))
        .collect();
    let [one] = chosen.as_slice() else {
        let what = if chosen.is_empty() { "none of these writes is meant" } else { "several writes are in doubt" };
        let list: Vec<String> = held.iter().map(|held| format!("  {}", line(held))).collect();
        return Err(Failure::Usage(format!("{what}; say which with --run, --step and --effect, or with --key:\n{}", list.join("\n"))));
    };
    let path = format!("/v1/runs/{}/steps/{}/effects/{}", segment(&one.run), segment(&one.step), one.effect["seq"]);
    let mut body = json!({ "outcome": outcome, "attempt": one.effect["attempt"], "key": one.effect["key"] });
    if let Some(response) = response {
        body["response"] = response;
    }
    let answer = client.post(&path, body).await?;
    anstream::println!("{outcome}: {}", line(one));
    match answer["left"].as_u64() {
        Some(0) | None => anstream::println!("step {} goes on", plain(&one.step)),
        Some(left) => anstream::println!("step {} is held for {left} more", plain(&one.step)),
    }
    Ok(())
}

fn read(file: &Path) -> Result<Value, Failure> {
    let text = std::fs::read_to_string(file).map_err(|error| Failure::Usage(format!("{}: {error}", file.display())))?;
    serde_json::from_str(&text).map_err(|error| Failure::Usage(format!("{} is not JSON: {error}", file.display())))
}

fn held(event: &Value) -> Vec<Held> {
    let mut held = Vec::new();
    for run in event["runs"].as_array().into_iter().flatten() {
        for step in run["steps"].as_array().into_iter().flatten() {
            for task in [step, &step["undo"]] {
                for effect in task["held"].as_array().into_iter().flatten() {
                    let text = |value: &Value| value.as_str().unwrap_or("").to_owned();
                    held.push(Held { run: text(&run["id"]), step: text(&task["name"]), effect: effect.clone() });
                }
            }
        }
    }
    held
}

fn line(held: &Held) -> String {
    let text = |name: &str| plain(held.effect[name].as_str().unwrap_or(""));
    let name = held.effect["name"].as_str().map(|name| format!(" “{}”", plain(name))).unwrap_or_default();
    format!(
        "{} {}{name}: --run {} --step {} --effect {} --key {}",
        text("method"),
        text("url"),
        held.run,
        plain(&held.step),
        held.effect["seq"],
        text("key")
    )
}
