//! Changes that may be our own.
//!
//! Another system tells of a write as soon as it is done, often before it answers it. What the plugin remembers of the write takes effect when its step is
//! settled, a moment later: seen in between, our own change would come in as somebody else's. So what a source brings while steps of its plugin are writing
//! is read once more when those are settled, and counts if it is still there.
//!
//! It comes in as it is, and our own change with it, where as many readings wait already as may ([`Runtime::echoes`]), and where steps
//! - take longer than the wait,
//! - don't journal their writes,
//! - fail after a write and are tried again later, or
//! - use another component than the present one and its canary: runs that began before an update, and replays with the plugins of their own revision.
//!
//! Steps are told apart by their component alone: two plugins of one component wait for each other's, which takes time and loses nothing.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::reading::{self, Asked, Reading};
use crate::engine::{Call, CallOutcome};
use crate::runtime::Runtime;
use crate::store::AttemptPlace;

/// Longest wait of a sender for steps to be settled. HubSpot gives an answer 5 s; one that gives less comes again.
pub(super) const SENDER: Duration = Duration::from_secs(3);
/// The same of a turn, for which nobody waits.
pub(super) const TURN: Duration = Duration::from_secs(10);
/// Pauses between two looks whether steps are settled: the first one, which doubles, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(10), Duration::from_millis(160));

/// Calls a plugin on behalf of a source as [`reading::read`] does, again if need be; `call` makes each call from its context. It waits for steps until
/// `until`, which whoever reads several times for one sender says once.
pub(super) async fn read(runtime: &Arc<Runtime>, asked: Asked<'_>, until: Instant, call: impl Fn(String) -> Call) -> Reading {
    let mut reading = reading::read(runtime, asked.clone(), &call).await;
    loop {
        let brought = match brought(&reading) {
            // Without key-value it remembers nothing that it has written.
            Some(brought) if !brought.is_empty() && reading.keys.as_ref().is_some_and(|keys| !keys.unclaimed.is_empty()) => brought,
            _ => return reading,
        };
        // What is settled from here on has changed keys that were read: then this is not kept, but read again.
        let writing = writing(runtime, &asked).await;
        if writing.is_empty() {
            return reading;
        }
        if !settled(runtime, &asked, &writing, until).await {
            tracing::info!(
                source = asked.source,
                steps = writing.len(),
                "what a source brings comes in while steps of its plugin are writing"
            );
            return reading;
        }
        let again = reading::read(runtime, asked.clone(), &call).await;
        let is_as_before = match self::brought(&again) {
            Some(still) => still.iter().all(|event| brought.contains(event)),
            // The first answer is as good as it was.
            None => return reading,
        };
        if is_as_before {
            return again;
        }
        // Something new, of which steps that have begun since then may be the reason.
        reading = again;
    }
}

/// The events of an answer.
fn brought(reading: &Reading) -> Option<&[String]> {
    match &reading.outcome {
        Ok(CallOutcome::Received(received)) => Some(&received.events),
        Ok(CallOutcome::Page(page)) => Some(&page.events),
        _ => None,
    }
}

/// Steps of the plugin that are writing, on all hosts. While the store can't be asked there are none: nothing can be kept then anyway.
async fn writing(runtime: &Runtime, asked: &Asked<'_>) -> HashSet<AttemptPlace> {
    let present = runtime.present();
    let Some(plugin) = present.revision.plugins.get(&asked.stream.plugin) else { return HashSet::new() };
    let mut digests = vec![plugin.component.digest.as_str()];
    digests.extend(plugin.canary.iter().map(|canary| canary.component.digest.as_str()));
    runtime.store.writing(&digests).await.unwrap_or_default().into_iter().collect()
}

/// Waits until these are settled, if one more may wait; says whether they are.
async fn settled(runtime: &Runtime, asked: &Asked<'_>, steps: &HashSet<AttemptPlace>, until: Instant) -> bool {
    let Ok(_place) = runtime.echoes.try_acquire() else { return false };
    let (mut pause, longest) = PAUSES;
    while Instant::now() < until {
        tokio::time::sleep(pause).await;
        if writing(runtime, asked).await.is_disjoint(steps) {
            return true;
        }
        pause = longest.min(pause * 2);
    }
    false
}
