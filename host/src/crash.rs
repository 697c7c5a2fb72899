//! Crash points: named places at which a tester has the host killed, to see that what follows loses and doubles nothing.
//!
//! `SANGAM_CRASH_AT=NAME` kills the process at the first passage of a point, `NAME:N` at the N-th, with SIGKILL to itself: nothing is
//! flushed, nobody is told. The variable is read once, by `sangam up` and `sangam secret rotate-key`, into a [`Crash`] that travels with the store, since there is
//! a point wherever something becomes durable or is about to be done because something is. A host that is not armed pays for a look
//! at an empty option.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The environment variable that arms a host.
pub const VARIABLE: &str = "SANGAM_CRASH_AT";

/// A place in the life of an event. Those that end in `-ing` are within the transaction: everything is written, nothing is committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// Events and their runs are being taken in.
    Accepting,
    /// Events are durable; the sender has no answer yet.
    Accepted,
    /// Due runs are being leased.
    Claiming,
    /// Runs are leased, those leased with their acceptance perhaps not durably; no step has begun.
    Claimed,
    /// What a former life left behind is being recorded.
    Recovered,
    /// A write is being journalled, with claims on what was read.
    Intending,
    /// A write is journalled; its request has not left.
    Intended,
    /// A request was answered (or was not, in time); nothing of that is kept yet.
    Answered,
    /// The outcome of a write is queued, and perhaps durable.
    Recorded,
    /// The outcome of a write is being recorded.
    Recording,
    /// A plugin's call is over; nothing of its end is kept yet.
    Returned,
    /// The end of a step or run is being made durable, with key-value writes and events that the plugin brought in.
    Settling,
    /// The end of a step or run is durable; what follows from it has not begun.
    Settled,
    /// An event that came is being given to a run that waits for it.
    Matching,
    /// A replay is being added.
    Replaying,
    /// A replay is durable; who asked has no answer yet.
    Replayed,
    /// Runs are being cancelled.
    Cancelling,
    /// A configuration is being made a revision.
    Revising,
    /// A revision is durable; this host does not run on it yet.
    Revised,
    /// Leases of a former life are being taken back.
    Releasing,
    /// What is over is being removed.
    Pruning,
    /// Personal data of an event or a key is being erased.
    Erasing,
    /// It is erased; how far the erasure has come is not known yet.
    Erased,
    /// A source that is due is being leased.
    Sourcing,
    /// A plugin's call for a source is over; nothing of it is kept yet.
    Polled,
    /// What a poll brought is being made durable: events, key-value writes, cursor, and what was set aside.
    Gathering,
    /// What a poll brought is durable; what follows from it has not begun.
    Gathered,
    /// A schedule's firing is being made durable.
    Firing,
    /// A firing is durable; what follows from it has not begun.
    Fired,
    /// A batch is being begun: its members' intents are written.
    Batching,
    /// A batch is durable; its call has not begun.
    Batched,
    /// The results of a batch are being made durable, each member's own.
    Sharing,
    /// They are durable; no member has been told.
    Shared,
    /// Everything is being sealed with another key.
    Rekeying,
    /// Everything is sealed with another key; the former one is still where the key is looked for.
    Rekeyed,
}

impl Point {
    /// All of them, by name.
    pub const ALL: [(&str, Point); 35] = [
        ("accepting", Point::Accepting),
        ("accepted", Point::Accepted),
        ("claiming", Point::Claiming),
        ("claimed", Point::Claimed),
        ("recovered", Point::Recovered),
        ("intending", Point::Intending),
        ("intended", Point::Intended),
        ("answered", Point::Answered),
        ("recorded", Point::Recorded),
        ("recording", Point::Recording),
        ("returned", Point::Returned),
        ("settling", Point::Settling),
        ("settled", Point::Settled),
        ("matching", Point::Matching),
        ("replaying", Point::Replaying),
        ("replayed", Point::Replayed),
        ("cancelling", Point::Cancelling),
        ("revising", Point::Revising),
        ("revised", Point::Revised),
        ("releasing", Point::Releasing),
        ("pruning", Point::Pruning),
        ("erasing", Point::Erasing),
        ("erased", Point::Erased),
        ("sourcing", Point::Sourcing),
        ("polled", Point::Polled),
        ("gathering", Point::Gathering),
        ("gathered", Point::Gathered),
        ("firing", Point::Firing),
        ("fired", Point::Fired),
        ("batching", Point::Batching),
        ("batched", Point::Batched),
        ("sharing", Point::Sharing),
        ("shared", Point::Shared),
        ("rekeying", Point::Rekeying),
        ("rekeyed", Point::Rekeyed),
    ];
}

/// Not `NAME` or `NAME:N` of a point.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE}={0:?} names no crash point; NAME or NAME:N kills the host at its first or N-th passage of one of: {names}", names = names())]
pub struct UnknownPoint(pub String);

fn names() -> String {
    Point::ALL.map(|(name, _)| name).join(" ")
}

/// Whether, where and when this host is to be killed. Cheap to clone; by default never.
#[derive(Debug, Clone, Default)]
pub struct Crash(Option<Arc<Armed>>);

#[derive(Debug)]
struct Armed {
    point: Point,
    /// Passages still to come, with the deadly one.
    left: AtomicU32,
}

impl Crash {
    /// As the environment wants it.
    ///
    /// # Errors
    /// When it names no point: a test that waits for such a crash would wait for ever.
    pub fn from_environment() -> Result<Crash, UnknownPoint> {
        match std::env::var_os(VARIABLE) {
            None => Ok(Crash::default()),
            Some(text) => text.to_string_lossy().parse(),
        }
    }

    /// Passes a point: the process ends here if that was asked for.
    pub fn at(&self, point: Point) {
        let Some(armed) = &self.0 else { return };
        if armed.point == point && armed.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            die();
        }
    }
}

impl FromStr for Crash {
    type Err = UnknownPoint;

    fn from_str(text: &str) -> Result<Crash, UnknownPoint> {
        let unknown = || UnknownPoint(text.to_owned());
        let (name, passages) = match text.split_once(':') {
            Some((name, passages)) => (name, passages.parse().ok().filter(|passages| *passages > 0).ok_or_else(unknown)?),
            None => (text, 1),
        };
        let (_, point) = Point::ALL.into_iter().find(|(known, _)| *known == name).ok_or_else(unknown)?;
        Ok(Crash(Some(Arc::new(Armed { point, left: AtomicU32::new(passages) }))))
    }
}

/// SIGKILL, as from outside. What has been queued, buffered or begun is gone.
fn die() -> ! {
    let myself = rustix::process::getpid();
    // It can't fail: everyone may kill himself. Should it, ending without clean-up comes closest.
    if rustix::process::kill_process(myself, rustix::process::Signal::KILL).is_err() {
        std::process::abort();
    }
    loop {
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_a_passage_from_one() {
        for (name, point) in Point::ALL {
            let armed = |text: &str| text.parse::<Crash>().expect("a point").0.expect("armed");
            assert_eq!(armed(name).point, point);
            assert_eq!(armed(&format!("{name}:7")).left.load(Ordering::Relaxed), 7);
        }
        for wrong in ["", "nowhere", "settled:", "settled:0", "settled:-1", ":1"] {
            let refused = wrong.parse::<Crash>().expect_err(wrong).to_string();
            assert!(refused.contains("accepting") && refused.contains("pruning"), "{refused}");
        }
    }

    #[test]
    fn a_host_that_is_not_armed_passes_every_point() {
        for (_, point) in Point::ALL {
            Crash::default().at(point);
        }
        let later: Crash = "settled:3".parse().expect("a point");
        later.at(Point::Settled);
        later.at(Point::Settling);
        later.at(Point::Settled);
    }
}
