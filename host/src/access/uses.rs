//! Who was let in, and when last: written to the store from time to time, not with every request.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;

/// Digests that are remembered: a megabyte or two.
const MOST_KNOWN: usize = 32_768;

/// Uses of tokens and sessions since they were last written down.
#[derive(Debug, Default)]
pub struct Uses {
    since: Mutex<Since>,
    known: Mutex<HashSet<[u8; 32]>>,
}

/// Ids, and when they were last used.
#[derive(Debug, Default, Clone)]
pub struct Since {
    /// Of tokens.
    pub tokens: HashMap<String, Timestamp>,
    /// Of sessions.
    pub sessions: HashMap<String, Timestamp>,
}

impl Uses {
    /// Whether something with this digest was good since the host started. It is looked up nevertheless: it may have been revoked.
    pub fn knows(&self, digest: &[u8; 32]) -> bool {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).contains(digest)
    }

    /// A token was good.
    pub fn token(&self, digest: [u8; 32], id: &str, now: Timestamp) {
        self.know(digest);
        note(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner).tokens, id, now);
    }

    /// A session was good.
    pub fn session(&self, digest: [u8; 32], id: &str, now: Timestamp) {
        self.know(digest);
        note(&mut self.since.lock().unwrap_or_else(PoisonError::into_inner).sessions, id, now);
    }

    /// The secret of a sender of webhooks was good.
    pub fn sender(&self, digest: [u8; 32]) {
        self.know(digest);
    }

    /// What is to be written down now.
    pub fn take(&self) -> Since {
        std::mem::take(&mut *self.since.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn know(&self, digest: [u8; 32]) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        // Only what is in the store or was configured comes here, so this is for stores that see very many logins.
        if known.len() >= MOST_KNOWN {
            known.clear();
        }
        known.insert(digest);
    }
}

fn note(used: &mut HashMap<String, Timestamp>, id: &str, now: Timestamp) {
    match used.get_mut(id) {
        Some(at) => *at = now,
        None => drop(used.insert(id.to_owned(), now)),
    }
}
