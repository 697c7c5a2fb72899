//! Instances made before their call comes, so that less of the start of an interpreter of 10 to 20 MB falls on the event.
//!
//! Each serves one call and is dropped. Nothing of a call is in it before it is taken: it was made with no attempt, so that every import of the
//! contract traps, with a clock that stands at 1970 and random bytes that are the same for everybody. It has run what a component runs at its
//! start, and `describe` once, which touches memory that a call will need. A plugin must not see the difference, so a component that
//! reads a clock or random bytes on that way is not given instances made ahead: in a fresh one it reads those of its call.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;

use super::call::{store, within};
use super::component::Code;
use super::meter::Meter;
use super::places::Tenant;
use super::state::HostState;
use super::warm::Warm;
use super::{Engine, Inner, LoadedComponent};
use crate::config;

/// What all instances made ahead may take together.
#[derive(Debug)]
pub(super) struct Stock {
    most: u64,
    idle: Duration,
    taken: Arc<AtomicU64>,
}

/// Memory of one of them, given back when it is dropped.
#[derive(Debug)]
struct Portion {
    bytes: u64,
    taken: Arc<AtomicU64>,
}

/// Those of one plugin's component.
pub(super) struct Ahead {
    code: Arc<Code>,
    tenant: Tenant,
    shelf: Mutex<Shelf>,
    /// A call that took one, or would have, has ended.
    asked: Arc<Notify>,
}

#[derive(Default)]
struct Shelf {
    ready: Vec<Made>,
    /// Instances wanted, and the limits that they are made within.
    order: Option<(u32, config::Limits)>,
    manner: Manner,
}

/// How far a component may go before its call.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Manner {
    /// Instantiated, and `describe` run.
    #[default]
    Rehearsed,
    /// Instantiated: `describe` reads a clock or random bytes.
    Instantiated,
    /// Not at all: its start-up code does.
    Never,
}

struct Made {
    warm: Warm,
    limits: config::Limits,
    /// Given back with it.
    _portion: Portion,
}

/// What came of making one.
enum Attempted {
    Made(Box<Made>),
    /// Less, or nothing, must be done ahead.
    Other(Manner),
    /// There is no room now.
    NoRoom,
}

impl Stock {
    pub(super) fn new(limits: &config::Engine) -> Stock {
        Stock { most: limits.ahead_memory, idle: limits.ahead_idle, taken: Arc::default() }
    }

    fn portion(&self, bytes: u64) -> Option<Portion> {
        let add = |taken: u64| taken.checked_add(bytes).filter(|sum| *sum <= self.most);
        self.taken.fetch_update(Ordering::Relaxed, Ordering::Relaxed, add).ok()?;
        Some(Portion { bytes, taken: self.taken.clone() })
    }
}

impl Drop for Portion {
    fn drop(&mut self) {
        self.taken.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Ahead {
    pub(super) fn new(code: Arc<Code>, tenant: Tenant) -> Ahead {
        Ahead { code, tenant, shelf: Mutex::default(), asked: Arc::default() }
    }

    /// One that was made within these limits; another one is made when its call has ended ([`Ahead::again`]).
    pub(super) fn take(&self, limits: &config::Limits) -> Option<Warm> {
        let mut shelf = self.shelf();
        let (_, order) = shelf.order.as_mut()?;
        // Only the time differs from call to call, and that counts from the call. Other limits may have been changed since.
        *order = config::Limits { time: order.time, ..*limits };
        let order = *order;
        let made = shelf.ready.pop();
        drop(shelf);
        made.filter(|made| made.limits == order).map(|made| made.warm)
    }

    /// A call has ended: making another one disturbs it no more.
    pub(super) fn again(&self) {
        self.asked.notify_one();
    }

    fn shelf(&self) -> std::sync::MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes what is missing.
    async fn fill(&self, engine: &Engine) {
        loop {
            let (limits, manner) = {
                let shelf = self.shelf();
                match shelf.order {
                    Some((count, limits)) if shelf.manner != Manner::Never && shelf.ready.len() < count as usize => (limits, shelf.manner),
                    _ => return,
                }
            };
            match self.make(engine, &limits, manner).await {
                Attempted::Made(made) => self.shelf().ready.push(*made),
                Attempted::Other(manner) => self.shelf().manner = manner,
                Attempted::NoRoom => return,
            }
        }
    }

    async fn make(&self, engine: &Engine, limits: &config::Limits, manner: Manner) -> Attempted {
        let linked = self.code.linked();
        let Some(connector) = &linked.connector else { return Attempted::Other(Manner::Never) };
        let Some(portion) = engine.0.stock.portion(self.code.memory) else { return Attempted::NoRoom };
        let Some(place) = self.code.pool.places.spare(&self.tenant) else { return Attempted::NoRoom };
        let meter = Meter::new(limits.cpu);
        let mut store = store(&self.code.pool, HostState::describing(limits, &meter), limits);
        let made = within(limits, &meter, async {
            let instance = connector.instantiate_async(&mut store).await?;
            if store.data().present.was_looked_at() {
                return Ok(Err(Manner::Never));
            }
            if manner == Manner::Rehearsed {
                instance.sangam_connector_plugin().call_describe(&mut store).await?;
                if store.data().present.was_looked_at() {
                    return Ok(Err(Manner::Instantiated));
                }
            }
            Ok(Ok(instance))
        });
        match made.await {
            Ok(Ok(Ok(instance))) => {
                Attempted::Made(Box::new(Made { warm: Warm { store, instance, calls: 0, place }, limits: *limits, _portion: portion }))
            }
            Ok(Ok(Err(manner))) => Attempted::Other(manner),
            Ok(Err(error)) if error.is::<wasmtime::PoolConcurrencyLimitError>() => Attempted::NoRoom,
            // Its call will show what is wrong with it.
            Ok(Err(_)) | Err(_) => Attempted::Other(Manner::Never),
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        // Who fills it finds it gone.
        self.asked.notify_one();
    }
}

impl Engine {
    /// Has instances of a component ready before its calls come, made within these limits: `count` of them, or as many as are sensible. They go
    /// with the component.
    pub fn keep_ahead(&self, component: &LoadedComponent, limits: &config::Limits, count: Option<u32>) {
        let ahead = &component.ahead;
        let count = count.unwrap_or(u32::from(ahead.code.pool.is_big()));
        let first = ahead.shelf().order.replace((count, *limits)).is_none();
        if first && (count > 0 || ahead.code.pool.is_big()) {
            self.0.lanes.beside(keep(Arc::downgrade(&self.0), Arc::downgrade(ahead), ahead.asked.clone(), self.0.stock.idle));
        }
    }

    /// How many are ready now.
    pub fn ahead(&self, component: &LoadedComponent) -> usize {
        component.ahead.shelf().ready.len()
    }
}

/// Fills up after each call, and gives everything back when there was none for long.
async fn keep(engine: Weak<Inner>, ahead: Weak<Ahead>, asked: Arc<Notify>, idle: Duration) {
    while let (Some(inner), Some(present)) = (engine.upgrade(), ahead.upgrade()) {
        present.fill(&Engine(inner)).await;
        drop(present);
        if tokio::time::timeout(idle, asked.notified()).await.is_err() {
            if let (Some(engine), Some(present)) = (engine.upgrade(), ahead.upgrade()) {
                let unused = std::mem::take(&mut present.shelf().ready);
                drop(unused);
                if present.code.pool.is_big() {
                    Engine(engine).rest(&present.code).await;
                }
            }
            asked.notified().await;
        }
    }
}
