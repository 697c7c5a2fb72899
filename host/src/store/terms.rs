//! What a write needs of its transaction where several hosts share one database: locks that are taken before its first statement, and
//! signals that are given with its commit. And where a tester may have the host killed in the middle of it.
//!
//! On SQLite one connection writes, so that nothing needs a lock, and the host's own notifications are enough. On PostgreSQL a transaction
//! sees what others have committed and nothing of what they are about to: two hosts that each put a run behind the last one of a key, or
//! each compare a key-value read, would pass each other by. All locks of a transaction are taken at its start and in one order, so
//! that transactions wait for each other but never in a circle.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use super::accept::NewEvent;
use super::sql::{Connection, sql};
use super::wait::NewWait;
use crate::crash::{Crash, Point};

/// Channel of `LISTEN` and `NOTIFY`.
pub(super) const CHANNEL: &str = "sangam";

/// What other hosts on the store should look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Signal {
    /// Runs may be due.
    Due,
    /// Runs have ended.
    Ended,
    /// There is a new revision.
    Revision,
    /// A credential has changed.
    Credential,
    /// A breaker opened or closed, or a canary was rolled back.
    Limits,
}

impl Signal {
    /// All of them: after a connection was lost, any may have been missed.
    pub const ALL: [Signal; 5] = [Signal::Due, Signal::Ended, Signal::Revision, Signal::Credential, Signal::Limits];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Signal::Due => "due",
            Signal::Ended => "ended",
            Signal::Revision => "revision",
            Signal::Credential => "credential",
            Signal::Limits => "limits",
        }
    }

    pub(super) fn parse(text: &str) -> Option<Signal> {
        Signal::ALL.into_iter().find(|signal| signal.as_str() == text)
    }
}

/// Locks and signals of one write, and its crash point.
#[derive(Debug, Clone, Default)]
pub(super) struct Terms {
    locks: Vec<i64>,
    /// Held together with others that hold them so.
    shared: Vec<i64>,
    signals: Vec<Signal>,
    point: Option<Point>,
}

impl Terms {
    /// Nothing but its statements.
    pub(super) fn none() -> Terms {
        Terms::default()
    }

    /// Holds the queue of an order key: nobody joins or leaves it meanwhile.
    pub(super) fn order(mut self, route: &str, key: Option<&str>) -> Terms {
        if let Some(key) = key {
            self.locks.push(lock(Kind::Order, &[route, key]));
        }
        self
    }

    /// Holds a plugin's key-value space.
    pub(super) fn keys(mut self, plugin: &str) -> Terms {
        self.locks.push(lock(Kind::Keys, &[plugin]));
        self
    }

    /// Holds a line of runs: one replay at a time joins it.
    pub(super) fn line(mut self, root: &str) -> Terms {
        self.locks.push(lock(Kind::Line, &[root]));
        self
    }

    /// Holds the list of revisions.
    pub(super) fn revisions(mut self) -> Terms {
        self.locks.push(lock(Kind::Revisions, &[]));
        self
    }

    /// Appends to the audit log: one entry at a time follows the last.
    pub(super) fn audit(mut self) -> Terms {
        self.locks.push(lock(Kind::Audit, &[]));
        self
    }

    /// Writes something sealed: the ledger of all that is sealed changes with it, and the key must not change meanwhile.
    pub(super) fn sealed(mut self) -> Terms {
        self.locks.push(lock(Kind::Sealed, &[]));
        self
    }

    /// Takes in events: each of their runs joins the queue of its order key.
    pub(super) fn events(mut self, events: &[NewEvent]) -> Terms {
        for run in events.iter().flat_map(|event| &event.runs) {
            self = self.order(&run.route, run.order_key.as_deref());
        }
        // Many may come at once; only a wait for the type must not begin meanwhile.
        let kinds: BTreeSet<&str> = events.iter().map(|event| &*event.kind).collect();
        self.shared.extend(kinds.into_iter().map(|kind| lock(Kind::Waits, &[kind])));
        // What this host has in hand is nobody else's to look for.
        if events.iter().all(NewEvent::is_in_hand) { self } else { self.signal(Signal::Due) }
    }

    /// Begins waits for events of these types: no such event is taken in meanwhile.
    pub(super) fn waits(mut self, waits: &[NewWait]) -> Terms {
        self.locks.extend(waits.iter().map(|wait| lock(Kind::Waits, &[&wait.kind])));
        self
    }

    /// Tells the other hosts.
    pub(super) fn signal(mut self, signal: Signal) -> Terms {
        self.signals.push(signal);
        self
    }

    /// Between its last statement and the commit is that crash point.
    pub(super) fn point(mut self, point: Point) -> Terms {
        self.point = Some(point);
        self
    }

    /// Its statements have run.
    pub(super) fn pass(&self, crash: &Crash) {
        if let Some(point) = self.point {
            crash.at(point);
        }
    }

    /// Takes the locks of all writes of a transaction; they end with it.
    pub(super) async fn take_locks(connection: &mut Connection, all: &[Terms]) -> Result<(), sqlx::Error> {
        let alone = all.iter().flat_map(|terms| terms.locks.iter().map(|lock| (*lock, false)));
        let together = all.iter().flat_map(|terms| terms.shared.iter().map(|lock| (*lock, true)));
        let mut locks: Vec<(i64, bool)> = alone.chain(together).collect();
        locks.sort_unstable();
        // One that is wanted both ways is held alone: that sorts first.
        locks.dedup_by_key(|(lock, _)| *lock);
        // One statement each: within one, the planner decides the order.
        for (lock, shared) in locks {
            let take = if shared { "select pg_advisory_xact_lock_shared(?)" } else { "select pg_advisory_xact_lock(?)" };
            sql(take).bind(lock).fetch_optional(&mut *connection).await?;
        }
        Ok(())
    }

    /// Gives the signals of all writes of a transaction, once each, with its commit.
    pub(super) async fn give_signals(connection: &mut Connection, all: &[Terms]) -> Result<(), sqlx::Error> {
        let mut signals: Vec<Signal> = all.iter().flat_map(|terms| terms.signals.iter().copied()).collect();
        signals.sort_unstable();
        signals.dedup();
        for signal in signals {
            sql("select pg_notify(?, ?)").bind(CHANNEL).bind(signal.as_str()).fetch_optional(&mut *connection).await?;
        }
        Ok(())
    }
}

/// Locks of a kind: a server has room for some thousands in all, and a transaction may want as many as it has events. Two names that share one only
/// wait for each other once too often.
const OF_A_KIND: u64 = 4096;

/// The number of a lock: the same on every host of every version.
fn lock(kind: Kind, parts: &[&str]) -> i64 {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part.len().to_be_bytes());
        hasher.update(part);
    }
    let digest = hasher.finalize();
    let hash = u64::from_be_bytes(digest[..8].try_into().expect("SHA-256 has 32 bytes"));
    (kind as i64) * (OF_A_KIND as i64) + (hash % OF_A_KIND) as i64
}

/// What is locked.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Order = 1,
    Keys = 2,
    Line = 3,
    Revisions = 4,
    Audit = 5,
    Sealed = 6,
    Waits = 7,
}
