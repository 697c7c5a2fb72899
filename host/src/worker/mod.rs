//! Claims due runs under a lease, drives them, and lets them finish when the host stops.
//!
//! A notification makes it quick, a timer makes it certain. A lease that ends makes a run claimable again, so a crash needs no recovery.

mod drive;
mod hold;
mod outputs;
mod recover;
mod step;
mod undo;

pub use hold::held_effect;
pub use outputs::shown_row;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use tokio::task::JoinSet;

use crate::crash::Point;
use crate::runtime::Runtime;

/// Runs under way at the same time.
const MAX_RUNS: usize = 512;
/// Runs claimed at once.
const CLAIM: u32 = 64;
/// Leases of runs under way are renewed so many times within one.
const RENEWALS: u32 = 3;
/// Longest pause between two looks for due runs.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Pause after another host was quicker.
const OTHERS_PAUSE: Duration = Duration::from_millis(50);
/// Pause after the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Leases held: run to fence.
type Leases = Arc<Mutex<BTreeMap<String, i64>>>;

/// Works until the host stops; returns when nothing is under way any more, at the latest after the grace.
pub async fn work(runtime: Arc<Runtime>) {
    let leases: Leases = Arc::default();
    let mut runs = JoinSet::new();
    let every = runtime.server.lease / RENEWALS;
    let mut renew = tokio::time::interval(every);
    let mut renewed = runtime.clock.now();
    loop {
        if runtime.stopping.is_cancelled() {
            break;
        }
        // A clock that was set forward, or a machine that slept: what is under way must not be claimed by its own host.
        let now = runtime.clock.now();
        if Duration::try_from(now.duration_since(renewed)).is_ok_and(|age| age > every) {
            renew_leases(&runtime, &leases).await;
            renewed = now;
        }
        let claimed = claim(&runtime, &mut runs, &leases).await;
        tokio::select! {
            // More may be due already.
            () = std::future::ready(()), if claimed == Claimed::All => {}
            () = runtime.stopping.cancelled() => {}
            () = runtime.due.notified(), if claimed != Claimed::Full => {}
            Some(ended) = runs.join_next(), if !runs.is_empty() => report(ended),
            () = pause(&runtime, claimed), if claimed != Claimed::Full => {}
            _ = renew.tick() => {
                renew_leases(&runtime, &leases).await;
                renewed = runtime.clock.now();
            }
        }
        while let Some(ended) = runs.try_join_next() {
            report(ended);
        }
    }
    finish(&runtime, runs, &leases).await;
}

/// A lease that is renewed as long as this lives.
struct Lease {
    leases: Leases,
    run: String,
    fence: i64,
}

impl Drop for Lease {
    fn drop(&mut self) {
        let mut leases = self.leases.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        // A later claim of the same run has a lease of its own.
        if leases.get(&self.run) == Some(&self.fence) {
            leases.remove(&self.run);
        }
    }
}

/// What a look for due runs found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Claimed {
    /// As many as were asked for: there may be more.
    All,
    /// What there was.
    Some,
    /// Something is due, and other hosts have it or are to have it.
    Others,
    /// Nothing was asked for: enough is under way.
    Full,
    /// The store could not be asked.
    Failed,
}

async fn claim(runtime: &Arc<Runtime>, runs: &mut JoinSet<()>, leases: &Leases) -> Claimed {
    let room = u32::try_from(MAX_RUNS - runs.len().min(MAX_RUNS)).unwrap_or(0).min(CLAIM);
    if room == 0 {
        return Claimed::Full;
    }
    let now = runtime.clock.now();
    let except = runtime.unservable.at(now);
    // Asking takes a transaction: first see whether there is anything.
    match runtime.store.next_due().await {
        Ok(Some(due)) if due <= now => {}
        Ok(_) => return Claimed::Some,
        Err(error) => return store_failed(&error),
    }
    match runtime.store.claim(&runtime.identity.name, now, later(now, runtime.server.lease), room, except).await {
        Ok(claimed) => {
            if !claimed.is_empty() {
                runtime.store.crash().at(Point::Claimed);
            }
            let (all, runs_claimed) = (claimed.len() == room as usize, claimed);
            let claimed = runs_claimed.len();
            for run in runs_claimed {
                leases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(run.id.clone(), run.fence);
                let (runtime, leases) = (runtime.clone(), leases.clone());
                runs.spawn(async move {
                    // Dropped also when driving breaks an invariant: then the lease is not renewed, and ends.
                    let _lease = Lease { leases, run: run.id.clone(), fence: run.fence };
                    drive::drive(&runtime, run).await;
                });
            }
            match claimed {
                _ if all => Claimed::All,
                0 => Claimed::Others,
                _ => Claimed::Some,
            }
        }
        Err(error) => store_failed(&error),
    }
}

fn store_failed(error: &crate::store::StoreError) -> Claimed {
    tracing::error!(error = crate::telemetry::chain(error), "due runs could not be claimed");
    Claimed::Failed
}

async fn pause(runtime: &Runtime, claimed: Claimed) {
    match claimed {
        Claimed::Failed => return tokio::time::sleep(STORE_PAUSE).await,
        Claimed::Others => return tokio::time::sleep(OTHERS_PAUSE).await,
        Claimed::All | Claimed::Some | Claimed::Full => {}
    }
    let next = runtime.store.next_due().await.ok().flatten();
    let longest = later(runtime.clock.now(), LONGEST_PAUSE);
    runtime.clock.sleep_until(next.map_or(longest, |next| next.min(longest))).await;
}

async fn renew_leases(runtime: &Runtime, leases: &Leases) {
    let held: Vec<(String, i64)> =
        leases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter().map(|(run, fence)| (run.clone(), *fence)).collect();
    if held.is_empty() {
        return;
    }
    if let Err(error) = runtime.store.renew(held, later(runtime.clock.now(), runtime.server.lease)).await {
        tracing::error!(error = crate::telemetry::chain(&error), "leases could not be renewed");
    }
}

/// Lets what is under way finish, within the grace; then breaks it off: its leases are taken back at the next start.
async fn finish(runtime: &Runtime, mut runs: JoinSet<()>, leases: &Leases) {
    let grace = tokio::time::sleep(runtime.server.shutdown_grace);
    tokio::pin!(grace);
    let mut renew = tokio::time::interval(runtime.server.lease / RENEWALS);
    loop {
        tokio::select! {
            ended = runs.join_next() => match ended {
                Some(ended) => report(ended),
                None => return,
            },
            () = &mut grace => break,
            _ = renew.tick() => renew_leases(runtime, leases).await,
        }
    }
    tracing::warn!(runs = runs.len(), "the grace is over; what still runs is broken off and goes on at the next start");
    runtime.abandon.cancel();
    runs.shutdown().await;
}

fn report(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "driving a run broke an invariant; the run is claimed again when its lease ends");
    }
}

fn later(time: jiff::Timestamp, by: Duration) -> jiff::Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(jiff::Timestamp::MAX)
}
