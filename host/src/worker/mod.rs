//! Claims due runs under a lease, drives them, and lets them finish when the host stops.
//!
//! A notification makes it quick, a timer makes it certain. A lease that ends makes a run claimable again, so a crash needs no recovery. Runs that were taken
//! in under this host's lease need no claim.

mod arrivals;
mod credential;
mod difference;
mod drive;
mod dry_run;
mod hold;
mod mask;
mod outputs;
mod own;
mod recover;
mod scope;
mod step;
mod together;
mod traced;
mod undo;
mod wake;

pub use credential::looked_at as credential_looked_at;
pub use dry_run::{DryRun, Given, ReadsFrom};
pub use hold::held_effect;
pub use mask::{failure as mask_failure, log as mask_log};
pub use outputs::{ended_well, shown_row};
pub(crate) use traced::{error_of, record_requests};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::future::BoxFuture;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinSet;

use crate::crash::Point;
use crate::runtime::{Handed, Runtime};
use crate::store::StoreError;

/// Leases of runs under way are renewed so many times within one.
const RENEWALS: u32 = 3;
/// Longest pause between two looks for due runs.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How long a run that found nothing to do (no slot, open breaker, exhausted rate limit) keeps its place. It holds no memory meanwhile; the
/// pause is what keeps a long backlog of such runs from being looked at as fast as the store can.
const HELD_PAUSE: Duration = Duration::from_millis(250);
/// Pause after another host was quicker.
const OTHERS_PAUSE: Duration = Duration::from_millis(50);
/// Pause after the store could not be asked.
const STORE_PAUSE: Duration = Duration::from_millis(500);

/// Leases held: run to fence.
type Leases = Arc<Mutex<BTreeMap<String, i64>>>;

/// What the loop below remembers.
#[derive(Default)]
struct Work {
    /// Each gives the name of its route.
    runs: JoinSet<String>,
    leases: Leases,
}

/// Works until the host stops; returns when nothing is under way any more, at the latest after the grace.
pub async fn work(runtime: Arc<Runtime>) {
    let mut work = Work::default();
    let mut handed = runtime.desk.handed().expect("a host has one worker");
    let arrivals = tokio::spawn(arrivals::work(runtime.clone()));
    let every = runtime.server.lease / RENEWALS;
    let mut renew = tokio::time::interval(every);
    let mut renewed = runtime.clock.now();
    // What the last look found, and until when there is no reason for another.
    let mut claimed = Claimed::More;
    let mut rest: BoxFuture<'_, ()> = Box::pin(std::future::ready(()));
    while !runtime.stopping.is_cancelled() {
        // A clock that was set forward, or a machine that slept: what is under way must not be claimed by its own host.
        let now = runtime.clock.now();
        if Duration::try_from(now.duration_since(renewed)).is_ok_and(|age| age > every) && renew_leases(&runtime, &work.leases).await {
            renewed = now;
        }
        // As long as they can't be renewed nothing is claimed: it might be this host's own.
        let known = Duration::try_from(runtime.clock.now().duration_since(renewed)).is_ok_and(|age| age <= 2 * every);
        runtime.desk.open(known && matches!(claimed, Claimed::All | Claimed::Some));
        let mut look = tokio::select! {
            () = runtime.stopping.cancelled() => false,
            () = runtime.due.notified() => true,
            Some(run) = handed.recv() => {
                take(&runtime, &mut work, run);
                while let Ok(run) = handed.try_recv() {
                    take(&runtime, &mut work, run);
                }
                false
            }
            Some(ended) = work.runs.join_next(), if !work.runs.is_empty() => {
                let makes_room = ended.as_ref().map_or(true, |route| runtime.desk.makes_room(route));
                report(ended);
                claimed == Claimed::Some && makes_room
            }
            // More may be due already, or is now.
            () = &mut rest => true,
            _ = renew.tick() => {
                if renew_leases(&runtime, &work.leases).await {
                    renewed = runtime.clock.now();
                }
                false
            }
        };
        while let Some(ended) = work.runs.try_join_next() {
            look |= claimed == Claimed::Some && ended.as_ref().map_or(true, |route| runtime.desk.makes_room(route));
            report(ended);
        }
        if look {
            claimed = if known { claim(&runtime, &mut work).await } else { Claimed::Failed };
            rest = Box::pin(pause(&runtime, claimed));
        }
    }
    runtime.desk.open(false);
    drop(rest);
    finish(&runtime, work, handed).await;
    report(arrivals.await);
}

/// Drives the longest due run of a route as far as it goes now; says whether there was one. For who plays runs one by one, without
/// [`work`]: dropped before it is done, it leaves what a host leaves that dies.
pub async fn drive_one(runtime: &Arc<Runtime>, route: &str) -> Result<bool, StoreError> {
    let now = runtime.clock.now();
    let wanted = vec![(route.to_owned(), 1)];
    let claimed = runtime.store.claim(&runtime.identity.name, now, later(now, runtime.server.lease), wanted, Vec::new()).await?;
    let found = !claimed.is_empty();
    for run in claimed {
        drive::drive(runtime, run, None).await;
    }
    Ok(found)
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
    /// As many as were asked for, of some route: there may be more.
    More,
    /// What there was.
    All,
    /// As much as may be under way: of some route there is more.
    Some,
    /// Something is due, and other hosts have it or are to have it.
    Others,
    /// The store could not be asked.
    Failed,
}

async fn claim(runtime: &Arc<Runtime>, work: &mut Work) -> Claimed {
    let now = runtime.clock.now();
    let Due { allotted, left_out, .. } = match due(runtime, now).await {
        Ok(due) => due,
        Err(error) => return store_failed(&error),
    };
    if allotted.is_empty() {
        return if left_out { Claimed::Some } else { Claimed::All };
    }
    let mut left: BTreeMap<String, u32> = allotted.iter().cloned().collect();
    let except = runtime.unservable.at(now);
    match runtime.store.claim(&runtime.identity.name, now, later(now, runtime.server.lease), allotted, except).await {
        Ok(claimed) if claimed.is_empty() => Claimed::Others,
        Ok(claimed) => {
            runtime.store.crash().at(Point::Claimed);
            for run in claimed {
                if let Some(left) = left.get_mut(&run.route) {
                    *left = left.saturating_sub(1);
                }
                let place = runtime.desk.place(&run.route);
                begin(runtime, work, Handed { run, place, behind: None });
            }
            left.iter().filter(|(_, left)| **left > 0).for_each(|(route, _)| runtime.desk.drained(route));
            match (left.values().any(|left| *left == 0), left_out) {
                (true, _) => Claimed::More,
                (false, true) => Claimed::Some,
                (false, false) => Claimed::All,
            }
        }
        Err(error) => store_failed(&error),
    }
}

/// What is due.
struct Due {
    /// How many runs of which routes may be claimed now.
    allotted: Vec<(String, u32)>,
    /// A route has due runs, and none of them may be claimed now.
    left_out: bool,
    /// When the next run is due that may be claimed then.
    next: Option<Timestamp>,
}

async fn due(runtime: &Runtime, now: Timestamp) -> Result<Due, StoreError> {
    let routes = runtime.store.due_routes().await?;
    let (due, later): (Vec<_>, Vec<_>) = routes.iter().partition(|(_, due)| *due <= now);
    let due: Vec<&str> = due.into_iter().map(|(route, _)| route.as_str()).collect();
    let allotted = runtime.desk.allot(&due);
    Ok(Due { left_out: allotted.len() < due.len(), allotted, next: later.into_iter().map(|(_, due)| *due).min() })
}

/// A run that was taken in under this host's lease.
fn take(runtime: &Arc<Runtime>, work: &mut Work, handed: Handed) {
    runtime.store.crash().at(Point::Claimed);
    begin(runtime, work, handed);
}

fn begin(runtime: &Arc<Runtime>, work: &mut Work, Handed { run, mut place, behind }: Handed) {
    work.leases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).insert(run.id.clone(), run.fence);
    // Dropped also when driving breaks an invariant: then the lease is not renewed, and ends.
    let lease = Lease { leases: work.leases.clone(), run: run.id.clone(), fence: run.fence };
    place.learn(true);
    let runtime = runtime.clone();
    work.runs.spawn(async move {
        let route = run.route.clone();
        let went_on = drive::drive(&runtime, run, behind).await;
        place.learn(went_on);
        drop(lease);
        if !went_on {
            tokio::select! {
                () = tokio::time::sleep(HELD_PAUSE) => {}
                () = runtime.stopping.cancelled() => {}
            }
        }
        route
    });
}

fn held(leases: &Leases) -> Vec<(String, i64)> {
    leases.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).iter().map(|(run, fence)| (run.clone(), *fence)).collect()
}

fn store_failed(error: &StoreError) -> Claimed {
    tracing::error!(error = crate::telemetry::chain(error), "due runs could not be claimed");
    Claimed::Failed
}

/// Waits until there may be something to claim. Runs that are due but may not be claimed now are no reason to look: one that ends is.
async fn pause(runtime: &Runtime, claimed: Claimed) {
    match claimed {
        Claimed::More => return,
        Claimed::Failed => return tokio::time::sleep(STORE_PAUSE).await,
        // What this host can't serve stays due: looking for it again and again finds nothing else.
        Claimed::Others if runtime.unservable.any() => return tokio::time::sleep(LONGEST_PAUSE).await,
        Claimed::Others => return tokio::time::sleep(OTHERS_PAUSE).await,
        Claimed::Some | Claimed::All => {}
    }
    let now = runtime.clock.now();
    let longest = later(now, LONGEST_PAUSE);
    let next = match due(runtime, now).await {
        // Became due meanwhile.
        Ok(due) if !due.allotted.is_empty() => return,
        Ok(due) => due.next.map_or(longest, |next| next.min(longest)),
        Err(_) => longest,
    };
    runtime.clock.sleep_until(next).await;
}

/// Says whether what is under way is this host's for another while.
async fn renew_leases(runtime: &Runtime, leases: &Leases) -> bool {
    let held = held(leases);
    if held.is_empty() {
        return true;
    }
    match runtime.store.renew(held, later(runtime.clock.now(), runtime.server.lease)).await {
        Ok(()) => true,
        Err(error) => {
            tracing::error!(error = crate::telemetry::chain(&error), "leases could not be renewed");
            false
        }
    }
}

/// Lets what is under way finish, within the grace; then breaks it off and hands it back, so that it goes on at once wherever it is claimed next.
async fn finish(runtime: &Arc<Runtime>, mut work: Work, mut handed: UnboundedReceiver<Handed>) {
    let grace = tokio::time::sleep(runtime.server.shutdown_grace);
    tokio::pin!(grace);
    let mut renew = tokio::time::interval(runtime.server.lease / RENEWALS);
    loop {
        // It finds that the host stops, and hands itself back.
        while let Ok(run) = handed.try_recv() {
            begin(runtime, &mut work, run);
        }
        tokio::select! {
            Some(run) = handed.recv() => begin(runtime, &mut work, run),
            ended = work.runs.join_next() => match ended {
                Some(ended) => report(ended),
                None => return,
            },
            () = &mut grace => break,
            _ = renew.tick() => drop(renew_leases(runtime, &work.leases).await),
        }
    }
    let held = held(&work.leases);
    tracing::warn!(runs = held.len(), "the grace is over; what still runs is broken off and handed back");
    runtime.abandon.cancel();
    work.runs.shutdown().await;
    // Queued behind whatever those runs have journalled.
    if let Err(error) = runtime.store.hand_back(held, runtime.clock.now()).await {
        tracing::error!(
            error = crate::telemetry::chain(&error),
            "runs could not be handed back; they are claimed again when their leases end"
        );
    }
}

fn report<T>(ended: Result<T, tokio::task::JoinError>) {
    if let Err(error) = ended
        && error.is_panic()
    {
        tracing::error!(%error, "driving a run broke an invariant; the run is claimed again when its lease ends");
    }
}

fn later(time: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| time.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}
