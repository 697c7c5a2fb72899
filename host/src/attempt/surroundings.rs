//! What a plugin sees of the world through WASI: a clock, random streams, and where its output goes. One set for each attempt.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::{KeyedRandom, LogBuffer, VirtualClock};

/// The surroundings of one attempt. Cheap to clone; clones are the same.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// Its clock.
    pub clock: VirtualClock,
    /// Its log.
    pub log: LogBuffer,
    /// Behind `wasi:random/random`.
    pub random: Arc<Mutex<KeyedRandom>>,
    /// Behind `wasi:random/insecure`.
    pub insecure: Arc<Mutex<KeyedRandom>>,
}

impl Surroundings {
    /// For an attempt with that clock, random stream and log.
    pub fn new(clock: VirtualClock, random: &KeyedRandom, log: LogBuffer) -> Surroundings {
        let stream = |purpose| Arc::new(Mutex::new(random.fork(purpose)));
        Surroundings { clock, log, random: stream("random"), insecure: stream("insecure") }
    }
}

/// The surroundings that an instance has now: an instance that is used again, or was made before its call came, gets new ones with each call.
#[derive(Debug, Clone)]
pub struct Present(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    surroundings: Mutex<Surroundings>,
    /// A clock or random bytes were asked for.
    looked: AtomicBool,
}

impl Present {
    /// These, until they are replaced.
    pub fn new(surroundings: Surroundings) -> Present {
        Present(Arc::new(Inner { surroundings: Mutex::new(surroundings), looked: AtomicBool::new(false) }))
    }

    /// The present ones.
    pub fn get(&self) -> Surroundings {
        self.0.surroundings.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The same, for somebody who takes from them what differs between runs.
    pub fn look(&self) -> Surroundings {
        self.0.looked.store(true, Ordering::Relaxed);
        self.get()
    }

    /// Whether anybody did.
    pub fn was_looked_at(&self) -> bool {
        self.0.looked.load(Ordering::Relaxed)
    }

    /// New ones.
    pub fn set(&self, surroundings: Surroundings) {
        *self.0.surroundings.lock().unwrap_or_else(PoisonError::into_inner) = surroundings;
    }
}
