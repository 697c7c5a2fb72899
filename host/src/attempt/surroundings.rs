//! What a plugin sees of the world through WASI: a clock, random streams, and where its output goes. One set for each attempt.

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

/// The surroundings that an instance has now: an instance that is reused gets new ones with each call.
#[derive(Debug, Clone)]
pub struct Present(Arc<Mutex<Surroundings>>);

impl Present {
    /// These, until they are replaced.
    pub fn new(surroundings: Surroundings) -> Present {
        Present(Arc::new(Mutex::new(surroundings)))
    }

    /// The present ones.
    pub fn get(&self) -> Surroundings {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// New ones.
    pub fn set(&self, surroundings: Surroundings) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = surroundings;
    }
}
