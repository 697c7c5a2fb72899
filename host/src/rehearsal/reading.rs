//! A page of a stream, read as a host reads it: the same call, the same limits, nothing but reading allowed.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::sync::Notify;

use super::case::PollCase;
use super::stage::{Played, PlayedAttempt, STEP, Stage, StageError, plugin_name, stored};
use crate::config::PluginStream;
use crate::engine::{Call, CallOutcome, PolledPage};
use crate::ingress::{Asked, Reading};
use crate::outbound::FarEnd;
use crate::run::{FailureKind, StepFailure};

/// Most events of a page where the case does not say.
const LIMIT: u32 = 100;

/// A page as it came.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PlayedPage {
    /// Where the next poll starts: JSON, or text that is none.
    pub cursor: Option<Value>,
    /// There is more now.
    pub more: bool,
    /// What was set aside, each with its reason.
    pub set_aside: Vec<Value>,
}

/// One read to be played.
#[derive(Debug, Clone)]
pub struct Read<'a> {
    /// Which of the stage's casts.
    pub cast: usize,
    /// What is asked for.
    pub poll: &'a PollCase,
    /// The time.
    pub clock: Timestamp,
    /// What the plugin's key-value space has.
    pub key_value: &'a BTreeMap<String, Value>,
    /// Keys that are looked at afterwards.
    pub keys: Vec<String>,
    /// Most attempts.
    pub attempts: u32,
}

impl Stage {
    /// Reads a page until it is there, or has had its attempts: what a source does that polls.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn read(&self, read: Read<'_>, far_end: Arc<dyn FarEnd>, crash: Arc<Notify>) -> Result<Played, StageError> {
        self.against(Some(far_end));
        let played = self.read_on(&read, &crash).await;
        self.against(None);
        played
    }

    async fn read_on(&self, read: &Read<'_>, crash: &Notify) -> Result<Played, StageError> {
        let plugin = plugin_name(self.name(), read.cast);
        self.set_clock(read.clock);
        let values = read.key_value.iter().map(|(key, value)| (key.clone(), stored(value)));
        self.runtime.store.key_replace(&plugin, values.collect()).await?;
        let stream = PluginStream { plugin: plugin.clone(), stream: read.poll.stream.clone() };
        let mut played = Played { status: "dead".to_owned(), ..Played::default() };
        for _ in 0..read.attempts.max(1) {
            let mut context = Map::new();
            context.insert("since".to_owned(), json!(read.poll.since));
            if let Some(until) = &read.poll.until {
                context.insert("until".to_owned(), json!(until));
            }
            let asked = Asked { source: "rehearsal", stream: &stream, context };
            let cursor = read.poll.cursor.as_ref().map(text);
            let call = |context| Call::Poll { stream: read.poll.stream.clone(), cursor, limit: read.poll.limit.unwrap_or(LIMIT), context };
            let reading = tokio::select! {
                // Whatever it was about to do, it does not: the host is gone.
                biased;
                () = crash.notified() => {
                    played.attempts.push(attempt("broken-off", None, &Value::Null));
                    continue;
                }
                reading = crate::ingress::read(&self.runtime, asked, call) => reading,
            };
            let Reading { outcome, keys, shown, .. } = reading;
            let failure = match outcome {
                Ok(CallOutcome::Page(page)) => {
                    played.attempts.push(attempt("succeeded", None, &shown));
                    "succeeded".clone_into(&mut played.status);
                    for key in &read.keys {
                        let written =
                            keys.iter().flat_map(|keys| &keys.writes).find(|(name, _)| name == key).map(|(_, value)| value.clone());
                        let value = match written {
                            Some(value) => value,
                            None => self.value(read.cast, key).await?,
                        };
                        played.key_value.insert(key.clone(), value);
                    }
                    (played.events, played.page) = brought(page);
                    return Ok(played);
                }
                Ok(_) => StepFailure::new(FailureKind::InvalidOutput, "the plugin answered with something else than a page"),
                Err(failure) => failure,
            };
            played.again_ms = failure.after.and_then(|after| u64::try_from(after.as_millis()).ok());
            let ends = failure.kind == FailureKind::Rejected;
            played.attempts.push(attempt(failure.kind.as_str(), Some(&failure), &shown));
            if ends {
                break;
            }
        }
        Ok(played)
    }
}

fn attempt(outcome: &str, failure: Option<&StepFailure>, shown: &Value) -> PlayedAttempt {
    let list = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
    PlayedAttempt {
        step: STEP.to_owned(),
        outcome: outcome.to_owned(),
        error: failure.and_then(|failure| serde_json::to_value(failure).ok()),
        logs: list("logs"),
        effects: list("requests"),
    }
}

fn brought(page: PolledPage) -> (Vec<Value>, Option<PlayedPage>) {
    let json = |text: String| serde_json::from_str(&text).unwrap_or(Value::String(text));
    let set_aside = page.set_aside.into_iter().map(|(data, reason)| json!({ "data": json(data), "reason": reason }));
    let shown = PlayedPage { cursor: page.next_cursor.map(json), more: page.more, set_aside: set_aside.collect() };
    (page.events.into_iter().map(json).collect(), Some(shown))
}

/// A cursor as the plugin gets it: text as it is, anything else as JSON.
fn text(cursor: &Value) -> String {
    match cursor {
        Value::String(text) => text.clone(),
        json => json.to_string(),
    }
}
