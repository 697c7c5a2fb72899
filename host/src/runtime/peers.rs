//! The other hosts on a shared store: what they do is heard, what they can't serve is known.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Runtime;
use crate::live::{Peers, Teller};
use crate::store::{BreakerRow, Heard, HostRow, Signal, StoreError};
use crate::telemetry;

/// How often a host gives a sign of life, and looks for what it may have missed.
const SIGN: Duration = Duration::from_secs(5);
/// How long what happened is gathered before the other hosts are told.
const GATHER: Duration = Duration::from_millis(50);
/// A host that was not heard of for so long does not count.
pub const SILENT: SignedDuration = SignedDuration::from_secs(20);
/// One that was not heard of for so long is forgotten.
const FORGOTTEN: SignedDuration = SignedDuration::from_hours(24);
/// How long a configuration that could not be loaded is left to others before it is tried again.
const AGAIN: SignedDuration = SignedDuration::from_secs(30);
/// How long a run may be due before somebody has to say why.
const PATIENCE: SignedDuration = SignedDuration::from_secs(10);

/// Configurations that this host could not load, and until when it does not try.
#[derive(Debug, Default)]
pub struct Unservable(Mutex<BTreeMap<i64, Timestamp>>);

impl Unservable {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<i64, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// This one could not be loaded.
    pub fn add(&self, revision: i64, now: Timestamp) {
        self.lock().insert(revision, now.checked_add(AGAIN).unwrap_or(Timestamp::MAX));
    }

    /// Whether there is one.
    pub fn any(&self) -> bool {
        !self.lock().is_empty()
    }

    /// Those that are not to be tried now.
    pub fn at(&self, now: Timestamp) -> Vec<i64> {
        let mut revisions = self.lock();
        revisions.retain(|_, until| *until > now);
        revisions.keys().copied().collect()
    }
}

/// Hears the other hosts until this one stops. On a store of one host it only waits.
pub async fn hear(runtime: Arc<Runtime>) {
    if !runtime.store.is_shared() {
        return runtime.stopping.cancelled().await;
    }
    let has_company = AtomicBool::new(false);
    tokio::join!(listen(&runtime, &has_company), tell_news(&runtime, &has_company));
    if let Err(error) = runtime.store.host_gone(&runtime.identity.name).await {
        tracing::warn!(error = telemetry::chain(&error), "the other hosts could not be told that this one stops");
    }
}

/// Tells the other hosts what happens on this one, as long as there are any.
async fn tell_news(runtime: &Runtime, has_company: &AtomicBool) {
    let feed = runtime.store.feed();
    let mut teller = Teller::new(&runtime.identity.name, feed.clone());
    let mut newest = feed.newest();
    while !runtime.stopping.is_cancelled() {
        tokio::select! {
            () = runtime.stopping.cancelled() => {}
            // The feed lives as long as the runtime.
            _ = newest.changed() => {}
        }
        tokio::time::sleep(GATHER).await;
        newest.mark_unchanged();
        if !has_company.load(Ordering::Relaxed) {
            teller.pass_over();
            continue;
        }
        if let Err(error) = runtime.store.tell_hosts(&teller.take()).await {
            // They see the hole.
            tracing::warn!(error = telemetry::chain(&error), "the other hosts could not be told what happened here");
        }
    }
}

async fn listen(runtime: &Runtime, has_company: &AtomicBool) {
    let mut listener = runtime.store.listen();
    let mut peers = Peers::default();
    let mut timer = tokio::time::interval(SIGN);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = runtime.stopping.cancelled() => break,
            heard = listener.next() => match heard {
                Heard::Signal(signal) => heed(runtime, signal).await,
                Heard::News(news) => peers.hear(runtime.store.feed(), &news),
                Heard::Missed => peers.missed(runtime.store.feed()),
            },
            _ = timer.tick() => {
                follow(runtime).await;
                learn_limits(runtime).await;
                match sign(runtime).await {
                    Ok(others) => has_company.store(others > 0, Ordering::Relaxed),
                    Err(error) => tracing::warn!(error = telemetry::chain(&error), "no sign of life could be given to the other hosts"),
                }
                // Somebody who waits for runs that another host drives may have missed their end.
                runtime.ended.send_modify(|count| *count += 1);
            }
        }
    }
}

async fn heed(runtime: &Runtime, signal: Signal) {
    match signal {
        Signal::Due => runtime.due.notify_one(),
        Signal::Ended => runtime.ended.send_modify(|count| *count += 1),
        Signal::Revision => follow(runtime).await,
        // A vendor may have to be asked, and the signs of life must not wait for that.
        Signal::Credential => runtime.credentials.notify_one(),
        Signal::Limits => learn_limits(runtime).await,
    }
}

async fn learn_limits(runtime: &Runtime) {
    let learnt = async {
        runtime.learn_canaries().await?;
        let mut breakers: BTreeMap<String, Vec<BreakerRow>> = BTreeMap::new();
        for row in runtime.store.breakers().await? {
            breakers.entry(row.plugin.clone()).or_default().push(row);
        }
        for (name, plugin) in &runtime.present().plugins {
            plugin.outbound.learn(breakers.get(name).map_or(&[], Vec::as_slice));
        }
        Ok::<_, StoreError>(())
    };
    if let Err(error) = learnt.await {
        tracing::warn!(
            error = telemetry::chain(&error),
            "what other hosts know of breakers and canaries can't be read; this host tries again"
        );
    }
}

async fn follow(runtime: &Runtime) {
    if let Err(error) = runtime.follow().await {
        tracing::error!(error = telemetry::chain(&error), "the latest configuration can't run on this host; its runs are left to others");
    }
}

impl Runtime {
    /// What there is to know of this host among those on the store.
    pub fn as_host(&self, now: Timestamp) -> HostRow {
        HostRow {
            id: self.identity.name.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            revision: self.present().revision.number,
            cannot_serve: self.unservable.at(now),
            started_at: self.started_at,
            seen_at: now,
        }
    }
}

/// Gives a sign of life; how many other hosts are up.
async fn sign(runtime: &Runtime) -> Result<usize, StoreError> {
    let now = runtime.clock.now();
    let host = runtime.as_host(now);
    runtime.store.host_seen(host, now - FORGOTTEN).await?;
    let since = now - PATIENCE;
    let due = runtime.store.revisions_due(since).await?;
    let alive: Vec<HostRow> = runtime.store.hosts().await?.into_iter().filter(|host| host.seen_at > now - SILENT).collect();
    for revision in due {
        if alive.iter().all(|host| host.cannot_serve.contains(&revision)) {
            let why = format!("no host that is up can load revision {revision}, which this run was accepted on; their logs say why");
            runtime.store.explain_due(revision, &why, since).await?;
        }
    }
    Ok(alive.iter().filter(|host| host.id != runtime.identity.name).count())
}
