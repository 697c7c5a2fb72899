//! Turns of the sources that bring events in by themselves: each is one host's at a time, under a lease that is kept while its turn lasts.
//!
//! A notification makes it quick, a timer makes it certain. A host that dies leaves a lease behind that ends; nothing else has to be cleaned up.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::task::JoinSet;

use super::{poll, schedule};
use crate::clock::later;
use crate::config::{Source, SourceKind};
use crate::runtime::Runtime;
use crate::store::{SourceRow, SourceSpec, StoreError};
use crate::telemetry;

/// Turns at the same time. Each holds at most a page in memory (`limits.events-size`, 4 MiB).
const MAX_TURNS: usize = 16;
/// Leases of turns under way are renewed so many times within one.
const RENEWALS: u32 = 3;
/// Longest pause between two looks for sources that are due.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Shortest one: what is due now and can't be had is another host's just now.
const SHORTEST_PAUSE: Duration = Duration::from_millis(20);

/// Has turns until the host stops; then breaks off what is under way, which has changed nothing yet, and leaves it to others.
pub async fn have_turns(runtime: Arc<Runtime>) {
    let mut configured = runtime.configured.subscribe();
    let mut turns = JoinSet::new();
    let mut known = None;
    loop {
        configured.borrow_and_update();
        let look = look(&runtime, &mut turns, &mut known).await;
        let pause = look.unwrap_or_else(|error| {
            tracing::error!(error = telemetry::chain(&error), "sources that are due could not be looked for");
            LONGEST_PAUSE
        });
        tokio::select! {
            () = runtime.stopping.cancelled() => break,
            // Closed only with the runtime, which this holds.
            _ = configured.changed() => {}
            () = runtime.turning.notified() => {}
            Some(ended) = turns.join_next(), if !turns.is_empty() => report(ended),
            () = tokio::time::sleep(pause) => {}
        }
        while let Some(ended) = turns.try_join_next() {
            report(ended);
        }
    }
    turns.shutdown().await;
    if let Err(error) = runtime.store.source_release(&runtime.identity.name).await {
        tracing::warn!(error = telemetry::chain(&error), "sources could not be handed over; other hosts wait for the end of their leases");
    }
}

/// Begins the turns that are due; gives how long there is nothing to do.
async fn look(runtime: &Arc<Runtime>, turns: &mut JoinSet<()>, known: &mut Option<i64>) -> Result<Duration, StoreError> {
    let present = runtime.present();
    let now = runtime.clock.now();
    let sources: BTreeMap<&str, &Arc<Source>> = present
        .revision
        .config
        .sources
        .iter()
        .filter(|source| spec(source).is_some())
        .map(|source| (source.name.as_str(), source))
        .collect();
    if sources.is_empty() {
        return Ok(LONGEST_PAUSE);
    }
    let number = present.revision.number;
    if *known != Some(number) {
        let specs = sources.values().filter_map(|source| begins(source, now)).collect();
        runtime.store.sources_known(number, specs, now).await?;
        *known = Some(number);
    }
    let due = |rows: &[(String, Timestamp, Option<Timestamp>)]| {
        let times = rows.iter().filter(|(name, ..)| sources.contains_key(name.as_str()));
        times.map(|(_, due, lease)| lease.map_or(*due, |lease| lease.max(*due))).min()
    };
    let first = due(&runtime.store.sources_due().await?);
    let free = MAX_TURNS.saturating_sub(turns.len());
    if first.is_none_or(|first| first > now) || free == 0 {
        return Ok(pause(first, now));
    }
    let names = sources.values().filter_map(|source| Some((source.name.clone(), spec(source)?))).collect();
    let lease_until = later(now, runtime.server.lease);
    let most = u32::try_from(free).unwrap_or(u32::MAX);
    let claimed = runtime.store.source_claim(&runtime.identity.name, now, lease_until, names, most).await?;
    for row in claimed {
        if let Some(source) = sources.get(row.name.as_str()) {
            turns.spawn(leased(runtime.clone(), Arc::clone(source), row));
        }
    }
    Ok(pause(due(&runtime.store.sources_due().await?), now))
}

fn pause(first: Option<Timestamp>, now: Timestamp) -> Duration {
    let left = first.and_then(|first| Duration::try_from(first.duration_since(now)).ok()).unwrap_or(LONGEST_PAUSE);
    left.clamp(SHORTEST_PAUSE, LONGEST_PAUSE)
}

/// What a source's cursor belongs to; `None`: it has no turns.
fn spec(source: &Source) -> Option<String> {
    match &source.kind {
        SourceKind::Poll(poll) => Some(poll::spec(poll)),
        SourceKind::Schedule(schedule) => Some(schedule::spec(schedule)),
        SourceKind::Webhook(_) | SourceKind::Nats(_) => None,
    }
}

/// What the cursor of a source that is polled belongs to.
pub fn polled(source: &Source) -> Option<String> {
    match &source.kind {
        SourceKind::Poll(poll) => Some(poll::spec(poll)),
        SourceKind::Webhook(_) | SourceKind::Schedule(_) | SourceKind::Nats(_) => None,
    }
}

/// How a source begins.
fn begins(source: &Source, now: Timestamp) -> Option<SourceSpec> {
    match &source.kind {
        SourceKind::Poll(poll) => {
            Some(SourceSpec { name: source.name.clone(), spec: poll::spec(poll), since: poll.since, cursor: None, due_at: Some(now) })
        }
        SourceKind::Schedule(schedule) => Some(schedule::begins(source, schedule, now)),
        SourceKind::Webhook(_) | SourceKind::Nats(_) => None,
    }
}

/// One turn, its lease renewed as long as it lasts. Without the lease it is broken off: another host may be at it.
async fn leased(runtime: Arc<Runtime>, source: Arc<Source>, row: SourceRow) {
    let (name, lane, fence) = (row.name.clone(), row.lane, row.fence);
    let turn = async {
        let had = match &source.kind {
            SourceKind::Poll(poll) => poll::turn(&runtime, &source, poll, row).await,
            SourceKind::Schedule(schedule) => schedule::turn(&runtime, &source, schedule, row).await,
            SourceKind::Webhook(_) | SourceKind::Nats(_) => Ok(()),
        };
        if let Err(error) = had {
            poll::not_kept(&source.name, &error);
        }
    };
    tokio::pin!(turn);
    let every = runtime.server.lease / RENEWALS;
    let mut renew = tokio::time::interval_at(tokio::time::Instant::now() + every, every);
    loop {
        tokio::select! {
            () = &mut turn => return,
            _ = renew.tick() => {
                let until = later(runtime.clock.now(), runtime.server.lease);
                match runtime.store.source_renew(&name, lane, fence, until).await {
                    Ok(true) => {}
                    Ok(false) => return poll::not_kept(&name, &StoreError::Fenced),
                    // The lease may still hold; whether it does is seen when the turn is kept.
                    Err(error) => tracing::warn!(source = name, error = telemetry::chain(&error), "the lease of a source could not be renewed"),
                }
            }
        }
    }
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "a source's turn broke an invariant; it is had again when its lease ends");
    }
}
